"""Exit codes: the numbers are promised, and each has a meaning."""

from __future__ import annotations

from httpio_cli._exit_codes import ExitCode

# curl's, for the same events, and those that are ours.
PROMISED = {
    *(0, 2, 3, 5, 6, 7, 8, 18, 22, 23, 28, 33, 35, 47, 52, 55, 56, 60, 63, 77, 97),
    *(110, 111, 112, 113, 130, 143),
}


def test_all_are_there() -> None:
    numbers = [code.value for code in ExitCode]
    assert set(numbers) >= PROMISED
    assert len(numbers) == len(set(numbers))
    assert all(0 <= number < 256 for number in numbers)


def test_each_has_a_meaning_on_one_line() -> None:
    meanings = [code.meaning for code in ExitCode]
    assert all(meaning and "\n" not in meaning for meaning in meanings)
    assert len(set(meanings)) == len(meanings)


def test_a_code_is_its_number() -> None:
    assert int(ExitCode.PARTIAL) == 18
    assert ExitCode(18) is ExitCode.PARTIAL
