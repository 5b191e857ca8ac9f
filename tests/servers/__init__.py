"""Tests against real servers on loopback; see `tests.support.servers` for the table of servers."""
