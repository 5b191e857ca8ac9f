"""Time limits."""

from __future__ import annotations

import socket

import pytest

from httpio import ConnectionTimedOut, HTTPConnection
from httpio_cli._deadline import Deadline
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode


def test_without_an_end() -> None:
    deadline = Deadline(None)
    assert deadline.rest() is None
    assert deadline.allows(1e9)


def test_rest() -> None:
    deadline = Deadline(100)
    rest = deadline.rest()
    assert rest is not None
    assert 0 < rest <= 100
    assert deadline.allows(10)
    assert not deadline.allows(100)


def test_passed() -> None:
    deadline = Deadline(0, "http://a/")
    with pytest.raises(CommandError) as caught:
        deadline.rest()
    assert caught.value.code is ExitCode.TIMED_OUT
    assert str(caught.value).startswith("http://a/: not finished within 0 seconds")
    assert "seconds: 5 bytes came;" in str(deadline.passed("5 bytes came"))


def test_what_is_run_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = HTTPConnection("127.0.0.1", listener.getsockname()[1])
        with connection:
            connection.send_request("GET", "/")
            for deadline, limit in (
                (Deadline(0.05), None),
                (Deadline(None), 0.05),
                (Deadline(9), 0.05),
            ):
                with pytest.raises(ConnectionTimedOut):
                    deadline.run(connection.co_read_response(), limit)
