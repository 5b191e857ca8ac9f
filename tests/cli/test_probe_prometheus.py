"""Metrics: the text format, and the names of blackbox_exporter."""

from __future__ import annotations

import re
from dataclasses import replace

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._probe.expectations import Expectations, Wanted
from httpio_cli._probe.model import CheckResult, Verdict
from httpio_cli._probe.monitor import Watched
from httpio_cli._probe.prometheus import metrics
from tests.cli.test_probe_monitor import RESPONSE, SAMPLE, certificate, watched

SAMPLE_LINE = re.compile(
    r'[a-z_0-9]+(\{([a-z_0-9]+="([^"\\\n]|\\[\\"n])*",?)+\})? -?[0-9.]+(e[-+]?[0-9]+)?'
)
#: What dashboards for blackbox_exporter ask for.
NAMES = {
    "probe_success",
    "probe_duration_seconds",
    "probe_dns_lookup_time_seconds",
    "probe_ip_protocol",
    "probe_http_duration_seconds",
    "probe_http_status_code",
    "probe_http_version",
    "probe_http_redirects",
    "probe_http_ssl",
    "probe_http_content_length",
    "probe_http_uncompressed_body_length",
    "probe_failed_due_to_regex",
}
TLS_NAMES = {
    "probe_ssl_earliest_cert_expiry",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
    "probe_tls_version_info",
    "probe_tls_cipher_info",
}


def parse(text: str) -> dict[str, str]:
    """Return the samples, after a look at the format."""
    assert text.endswith("\n")
    found: dict[str, str] = {}
    described: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in described, "all samples of a metric stand together"
            described.append(name)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {described[-1]} gauge"
        else:
            assert SAMPLE_LINE.fullmatch(line), line
            series, _, value = line.rpartition(" ")
            assert series.partition("{")[0] == described[-1]
            assert series not in found
            found[series] = value
    return found


def of(each: Watched, expected: Expectations = Expectations()) -> dict[str, str]:  # noqa: B008  # it never changes
    return parse(metrics([each], expected, {}))


def test_names() -> None:
    found = of(watched(SAMPLE, Expectations()))
    assert {series.partition("{")[0] for series in found} == NAMES
    assert found["probe_success"] == "1"
    assert found["probe_duration_seconds"] == "0.25"
    assert found["probe_ip_protocol"] == "4"
    assert found["probe_http_content_length"] == "5"
    assert found["probe_http_version"] == "1.1"
    assert found['probe_http_duration_seconds{phase="resolve"}'] == "0.001"
    assert found['probe_http_duration_seconds{phase="transfer"}'] == "0.146"


def test_names_with_tls() -> None:
    tls = certificate(10)
    found = of(watched(replace(SAMPLE, tls=tls), Expectations()))
    assert {series.partition("{")[0] for series in found} == NAMES | TLS_NAMES
    assert tls.earliest_expiry is not None
    assert float(found["probe_ssl_earliest_cert_expiry"]) == tls.earliest_expiry.timestamp()
    assert found['probe_tls_version_info{version="TLS 1.3"}'] == "1"


def test_success_is_2xx_unless_told() -> None:
    redirected = replace(SAMPLE, response=replace(RESPONSE, status=301))
    assert of(watched(redirected, Expectations()))["probe_success"] == "0"
    expected = Expectations(status=("3xx",))
    assert of(watched(redirected, expected), expected)["probe_success"] == "1"


def test_failure() -> None:
    error = CommandError(ExitCode.CONNECT_FAILED, "refused")
    failed = replace(SAMPLE, response=None, peer=None, error=error)
    found = of(watched(failed, Expectations()))
    assert found["probe_success"] == "0"
    assert found["probe_http_status_code"] == "0"
    assert found["probe_http_content_length"] == "-1"
    assert "probe_ip_protocol" not in found


def test_pattern() -> None:
    expected = Expectations(body=(Wanted.parse("nowhere"),))
    found = of(watched(SAMPLE, expected), expected)
    assert (found["probe_failed_due_to_regex"], found["probe_success"]) == ("1", "0")


def test_redirects() -> None:
    hops = [replace(SAMPLE, response=replace(RESPONSE, status=302)), SAMPLE]
    found = of(Watched(SAMPLE.url, [hops], []))
    assert found["probe_http_redirects"] == "1"
    assert found["probe_duration_seconds"] == "0.5"


def test_last_modified() -> None:
    for value, known in (("Thu, 01 Jan 1970 00:01:40 GMT", True), ("yesterday", False)):
        response = replace(RESPONSE, fields=(("Last-Modified", value),))
        found = of(watched(replace(SAMPLE, response=response), Expectations()))
        assert (found.get("probe_http_last_modified_timestamp_seconds") == "100") is known


def test_several_urls_have_a_label() -> None:
    other = replace(SAMPLE, url='http://localhost/"\\')
    each = [watched(SAMPLE, Expectations()), watched(other, Expectations())]
    result = CheckResult("keepalive", "", Verdict.WARN, "", "")
    found = parse(metrics(each, Expectations(), {SAMPLE.url: [result]}))
    assert found['probe_success{target="http://localhost/"}'] == "1"
    assert found['probe_success{target="http://localhost/\\"\\\\"}'] == "1"
    series = 'httpio_probe_check{target="http://localhost/",check="keepalive",verdict="warn"}'
    assert found[series] == "1"
