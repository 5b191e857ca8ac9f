"""`httpio_cli._fetch.lists`: what lists say, in each of the formats, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fetch.entries import Entry
from httpio_cli._fetch.lists import ListFormat, detect, parse_list
from httpio_cli._fetch.verification import Checksum

SHA256 = "ab" * 32
URL = "http://localhost/a"


def parse(
    text: str, form: ListFormat = ListFormat.AUTO, base_url: str | None = None
) -> list[Entry]:
    entries, notes = parse_list(text, "list", form, base_url)
    assert notes == []
    return entries


def refuse(text: str, form: ListFormat = ListFormat.AUTO, base_url: str | None = None) -> str:
    with pytest.raises(CommandError) as info:
        parse_list(text, "list", form, base_url)
    assert info.value.code is ExitCode.USAGE
    return info.value.what


class TestURLs:
    def test_a_url_a_line(self) -> None:
        text = f"# comment\n\n{URL}\r\n  http://localhost/b  \nlocalhost/c"
        assert parse(text) == [
            Entry(URL, "list:3"),
            Entry("http://localhost/b", "list:4"),
            Entry("localhost/c", "list:5"),
        ]

    @pytest.mark.parametrize("arrow", [" -> ", "\t->\t", " → ", "\t", "\t\t"])
    def test_pairs(self, arrow: str) -> None:
        assert parse(f"{URL}{arrow}dir/a name.txt\n") == [Entry(URL, "list:1", "dir/a name.txt")]

    def test_an_arrow_in_a_name_belongs_to_it(self) -> None:
        assert parse(f"{URL} -> a -> b\n")[0].out == "a -> b"

    def test_checksums(self) -> None:
        with_out, without = parse(f"{URL} -> a b sha256:{SHA256}\n{URL}\tSHA-256:{SHA256}\n")
        expected = (Checksum("sha256", bytes.fromhex(SHA256)),)
        assert (with_out.out, with_out.checksums) == ("a b", expected)
        assert (without.out, without.checksums) == (None, expected)

    def test_a_checksum_that_is_too_short(self) -> None:
        assert (
            refuse(f"{URL} sha256:abcd\n") == "list:1: a checksum with sha256 has 64 digits, got 4"
        )

    def test_a_byte_order_mark_is_none_of_the_url(self) -> None:
        assert parse(f"\ufeff{URL}\n")[0].url == URL

    def test_only_line_ends_end_lines(self) -> None:
        assert parse(f"{URL} -> a\u2028b\x0cc\n")[0].out == "a\u2028b\x0cc"


class TestAria2:
    def test_options_belong_to_the_url_above(self) -> None:
        text = (
            f"{URL}\n  out=x\n\tdir=sub/dir\n  checksum=sha-256={SHA256}\n"
            "  header=X-One: 1\n  header=X-Two:2\nhttp://localhost/b\n  dir=d\n"
        )
        first, second = parse(text)
        assert first == Entry(
            URL,
            "list:1",
            "sub/dir/x",
            (Checksum("sha256", bytes.fromhex(SHA256)),),
            headers=(("X-One", "1"), ("X-Two", "2")),
        )
        # The URL names it.
        assert second.out == "d/"

    def test_several_urls_are_sources_of_one_file(self) -> None:
        (entry,) = parse(f"{URL}\thttp://mirror/a\thttp://other/a\n")
        assert (entry.url, entry.mirrors) == (URL, ("http://mirror/a", "http://other/a"))

    def test_options_that_are_not_used_are_named_once(self) -> None:
        _, notes = parse_list(f"{URL}\n split=5\n{URL}b\n split=5\n", "list", ListFormat.AUTO)
        assert notes == ["list: not used here: split"]

    def test_a_header_cannot_bring_another_one(self) -> None:
        assert "characters" in refuse(f"{URL}\n  header=X: a\rY: b\n")

    def test_an_option_without_a_url(self) -> None:
        assert refuse("  out=x\n") == "list:1: there is no URL before this option"

    def test_an_indented_line_that_is_no_option(self) -> None:
        assert "expected an option" in refuse(f"{URL}\n  out=x\n  what\n")


class TestManifest:
    BASE = "http://localhost/files/"

    def test_gnu_style(self) -> None:
        text = f"{SHA256}  a b%.txt\n{SHA256} *./sub/c\n"
        first, second = parse(text, base_url=self.BASE)
        assert (first.url, first.out) == ("http://localhost/files/a%20b%25.txt", "a b%.txt")
        assert (second.url, second.out) == ("http://localhost/files/sub/c", "sub/c")
        assert first.checksums == (Checksum("sha256", bytes.fromhex(SHA256)),)

    def test_bsd_style(self) -> None:
        (entry,) = parse(f"SHA512 (x (1).iso) = {'0' * 128}\n", base_url=self.BASE)
        assert (entry.out, entry.checksums) == ("x (1).iso", (Checksum("sha512", bytes(64)),))

    def test_escaped_names(self) -> None:
        (entry,) = parse(f"\\{SHA256}  a\\\\b\\n\n", base_url=self.BASE)
        assert entry.out == "a\\b\n"

    def test_the_length_tells_the_algorithm(self) -> None:
        for algorithm, length in (("md5", 32), ("sha1", 40), ("sha384", 96)):
            (entry,) = parse(f"{'1' * length}  x\n", base_url=self.BASE)
            assert entry.checksums[0].algorithm == algorithm

    def test_no_base_url(self) -> None:
        assert refuse(f"{SHA256}  a\n") == "list:1: this list has names, and no URLs"

    def test_another_line(self) -> None:
        assert "expected a checksum" in refuse(f"{SHA256}  a\n{URL}\n", base_url=self.BASE)

    def test_a_hash_of_an_unknown_length(self) -> None:
        assert "list:1" in refuse(f"{'1' * 50}  x\n", ListFormat.MANIFEST, self.BASE)


class TestJSONL:
    def test_all_members(self) -> None:
        line = {
            "url": URL,
            "out": "x",
            "sha256": SHA256,
            "size": 7,
            "headers": {"X-One": "1"},
            "other": [1],
        }
        assert parse(json.dumps(line) + "\n") == [
            Entry(
                URL,
                "list:1",
                "x",
                (Checksum("sha256", bytes.fromhex(SHA256)),),
                7,
                (("X-One", "1"),),
            )
        ]

    def test_headers_as_pairs(self) -> None:
        line = {"url": URL, "headers": [["A", "1"], ["A", "2"]]}
        assert parse(json.dumps(line))[0].headers == (("A", "1"), ("A", "2"))

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("{", "no JSON"),
            ("[1]", "JSON object"),
            ("{}", "'url'"),
            ('{"url": 1}', "'url'"),
            ('{"url": "x", "out": ""}', "'out'"),
            ('{"url": "x", "size": -1}', "'size'"),
            ('{"url": "x", "size": true}', "'size'"),
            ('{"url": "x", "sha256": "zz"}', "checksum"),
            ('{"url": "x", "headers": "A: 1"}', "'headers'"),
            ('{"url": "x", "headers": {"A": 1}}', "'headers'"),
            ('{"url": "x", "headers": {"A": "1\\r\\nB: 2"}}', "the value of A"),
            ('{"url": "x", "headers": {"A B": "1"}}', "field name"),
        ],
    )
    def test_what_is_refused(self, line: str, why: str) -> None:
        assert why in refuse(line, ListFormat.JSONL)


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ([], ListFormat.URLS),
        (["# x", URL], ListFormat.URLS),
        ([f"{URL}\tout"], ListFormat.URLS),
        ([f"{URL}\thttp://mirror/a"], ListFormat.ARIA2),
        ([URL, "  out=x"], ListFormat.ARIA2),
        (['  {"url": "x"}'], ListFormat.JSONL),
        (["", f"{SHA256} *x"], ListFormat.MANIFEST),
        ([f"SHA256 (x) = {SHA256}"], ListFormat.MANIFEST),
    ],
)
def test_detection(lines: list[str], form: ListFormat) -> None:
    assert detect(lines) is form
