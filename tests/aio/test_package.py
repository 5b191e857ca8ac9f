"""The package is installed and typed, and its version is that of the distribution."""

from __future__ import annotations

from importlib import metadata, resources

import httpio_aio


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_aio.__version__ == metadata.version("httpio-aio")


def test_package_is_typed() -> None:
    assert resources.files(httpio_aio).joinpath("py.typed").is_file()
