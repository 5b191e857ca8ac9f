"""The package is installed and typed, and its version is that of the distribution."""

from __future__ import annotations

from importlib import metadata, resources

import httpio_trio


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_trio.__version__ == metadata.version("httpio-trio")


def test_package_is_typed() -> None:
    assert resources.files(httpio_trio).joinpath("py.typed").is_file()
