"""The package is installed, typed, and says what it will hold."""

from __future__ import annotations

from importlib import metadata, resources

import httpio_trio


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_trio.__version__ == metadata.version("httpio-trio")


def test_package_is_typed() -> None:
    assert resources.files(httpio_trio).joinpath("py.typed").is_file()


def test_docstring_says_what_is_to_come() -> None:
    assert httpio_trio.__doc__ is not None
    assert "will hold" in httpio_trio.__doc__
