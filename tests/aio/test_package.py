"""The package is installed, typed, and says what it will hold."""

from __future__ import annotations

from importlib import metadata, resources

import httpio_aio


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_aio.__version__ == metadata.version("httpio-aio")


def test_package_is_typed() -> None:
    assert resources.files(httpio_aio).joinpath("py.typed").is_file()


def test_docstring_says_what_is_to_come() -> None:
    assert httpio_aio.__doc__ is not None
    assert "will hold" in httpio_aio.__doc__
