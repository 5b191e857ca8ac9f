"""The fixture `certificates`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .certs import Certificates, make_certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A private authority and a server certificate for localhost."""
    directory: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(directory)
