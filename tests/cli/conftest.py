"""Fixtures for tests of the command line."""

from __future__ import annotations

from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.fix_servers import endpoint as endpoint
from tests.support.fix_servers import farm as farm
from tests.support.fix_servers import pytest_runtest_makereport as pytest_runtest_makereport
