"""The numbers of ``httpio bench`` agree with the server's own clock, and show what a stall holds back."""

from __future__ import annotations

import pytest

from .benching import Reply, TimedServer, bench_document

TOLERANCE = 60.0
"""Milliseconds between the server's percentile and the client's: a busy machine wakes either of them late.

What is compared differs by several times as much.
"""


def percentile(values: list[float], level: float) -> float:
    """Return the value that *level* percent of *values* do not exceed."""
    ordered = sorted(values)
    return ordered[max(int(len(ordered) * level / 100 + 0.5), 1) - 1]


def mixed(number: int, _time: float) -> Reply:
    """Of each twenty answers, sixteen are quick, three are slow, and one is very slow."""
    return Reply(delay=(0.02 if number % 20 < 16 else 0.2 if number % 20 < 19 else 0.6))


@pytest.mark.exhaustive
class TestAgreement:
    """Of the same requests, client and server know the same distribution."""

    @pytest.mark.parametrize(
        ("connections", "depth", "requests"), [(8, 1, 160), (1, 32, 60), (4, 4, 120)]
    )
    def test_percentiles(self, connections: int, depth: int, requests: int) -> None:
        with TimedServer(mixed) as server:
            document = bench_document(
                *("-c", str(connections), "-p", str(depth), "-n", str(requests)), server.url
            )
        (result,) = document["depths"]
        latency = result["latency"]["from_actual_send"]
        # The dry request, and the first of each connection, are not counted.
        assert len(server.latencies) == requests + connections + 1
        counted = server.latencies[connections + 1 :]
        assert latency["count"] == requests
        for level in (50, 90, 99):
            mine = latency[f"p{level}_ms"]
            assert mine == pytest.approx(percentile(counted, level), abs=TOLERANCE), level

    def test_of_the_wire_is_told_apart_from_waiting_in_the_pipe(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.05)) as server:
            document = bench_document("-p", "8", "-n", "40", server.url)
        (result,) = document["depths"]
        services, latencies = server.services[2:], server.latencies[2:]
        waits = [latency - service for latency, service in zip(latencies, services, strict=True)]
        wire, wait = result["wire"], result["head_of_line_wait"]
        # Each takes the server 50 ms or a little more, and has seven others before it.
        assert wire["p50_ms"] == pytest.approx(percentile(services, 50), abs=TOLERANCE / 3)
        assert wait["p50_ms"] == pytest.approx(percentile(waits, 50), abs=TOLERANCE)
        assert wait["p50_ms"] > 4 * wire["p50_ms"]
        assert result["latency"]["from_actual_send"]["mean_ms"] == pytest.approx(
            wire["mean_ms"] + wait["mean_ms"], abs=0.1
        )


PERIOD, STALL = 1.0, 0.25
"""Seconds: a server that answers nothing for the second one at the end of each of the first."""


def stalling(_number: int, time: float) -> Reply:
    phase = time % PERIOD
    return Reply(delay=max(PERIOD - phase, 0.0) if phase > PERIOD - STALL else 0.0)


@pytest.mark.exhaustive
class TestStall:
    """A stall concerns all requests that are due meanwhile, and only one that was sent."""

    def test_corrected_latency_shows_what_the_uncorrected_one_hides(self) -> None:
        # At least two stalls, of which each holds a quarter of the requests up, and at most four.
        with TimedServer(stalling) as server:
            document = bench_document("-q", "400", "-z", "3s", server.url)
        (result,) = document["depths"]
        corrected = result["latency"]["from_intended_send"]
        uncorrected = result["latency"]["from_actual_send"]
        assert corrected["count"] == uncorrected["count"] == 1200
        assert result["errors"] == 0
        assert corrected["p99_ms"] > 0.75 * STALL * 1000
        assert uncorrected["p99_ms"] < 0.25 * STALL * 1000
        # It did happen to some.
        assert uncorrected["max_ms"] > 0.75 * STALL * 1000
        # The rest is the wait for their turn.
        assert result["queue_wait"]["p99_ms"] > 0.7 * STALL * 1000
        assert "intended" in corrected["counted"]
        assert "uncorrected" in uncorrected["counted"]

    def test_without_a_rate_only_the_actual_send_time_is_known(self) -> None:
        with TimedServer() as server:
            document = bench_document("-n", "20", server.url)
        (result,) = document["depths"]
        assert list(result["latency"]) == ["from_actual_send"]
        assert result["queue_wait"] is None
