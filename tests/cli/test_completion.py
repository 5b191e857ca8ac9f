"""Completion by the shells: the scripts are right, and the command answers what they ask."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from httpio_cli._completion import SHELLS
from httpio_cli._main import COMMANDS

from .trace_process import HTTPIO, environment

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, **variables: str) -> str:
    result = subprocess.run(
        [HTTPIO, *arguments], capture_output=True, text=True, env=environment(**variables),
        timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result
    assert not result.stderr, result
    return result.stdout


def completed(words: str, position: int) -> list[tuple[str, str]]:
    """Return type and value of each completion that the command gives a bash."""
    answer = run(_HTTPIO_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(position))
    pairs = [line.split(",", 1) for line in answer.splitlines() if line]
    return [(kind, value) for kind, value in pairs]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts(shell: str, tmp_path: Path) -> None:
    script = run("completion", shell)
    assert f"_HTTPIO_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program is not None:
        file = tmp_path / "script"
        file.write_text(script)
        result = subprocess.run([program, "-n", file], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


def test_subcommands() -> None:
    assert completed("httpio ", 1) == [("plain", name) for name in COMMANDS]
    assert completed("httpio tr", 1) == [("plain", "trace")]
    assert completed("httpio nothing", 1) == []


def test_options_of_a_subcommand_that_is_loaded_for_it() -> None:
    assert completed("httpio trace --trace-", 2) == [
        ("plain", "--trace-ascii"),
        ("plain", "--trace-time"),
    ]


def test_files_are_for_the_shell_to_complete() -> None:
    assert completed("httpio trace --read x", 3) == [("file", "x")]


def test_values_of_an_option() -> None:
    assert completed("httpio trace --format j", 3) == [("plain", "json"), ("plain", "jsonl")]
    assert completed("httpio completion ", 2) == [("plain", shell) for shell in SHELLS]


def test_zsh_and_fish_show_what_a_subcommand_is_for() -> None:
    variables = {"COMP_WORDS": "httpio tr", "COMP_CWORD": "1"}
    answer = run(**variables, _HTTPIO_COMPLETE="zsh_complete")
    assert answer.splitlines()[:2] == ["plain", "trace"]
    assert len(answer.splitlines()[2]) > 3
    variables = {"COMP_WORDS": "httpio tr", "COMP_CWORD": "tr"}
    answer = run(**variables, _HTTPIO_COMPLETE="fish_complete")
    assert answer.startswith(("plain,trace", "plain\ntrace"))


def test_bash_completes_with_it(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    directory = HTTPIO.rpartition("/")[0]
    program = f"""
PATH={directory}:$PATH
eval "$(httpio completion bash)"
COMP_WORDS=(httpio trace --no-pipe)
COMP_CWORD=2
_httpio_completion httpio
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = subprocess.run(
        [bash, "--norc", "-c", program], capture_output=True, text=True, env=environment(),
        timeout=60, check=False,
    )  # fmt: skip
    assert result.stdout == "--no-pipeline\n", result


def test_an_unknown_shell() -> None:
    result = subprocess.run(
        [HTTPIO, "completion", "tcsh"], capture_output=True, env=environment(), check=False
    )
    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1


def test_the_script_into_a_closed_pipe() -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [HTTPIO, "completion", "bash"], stdout=full, stderr=subprocess.PIPE,
            env=environment(), check=False,
        )  # fmt: skip
    assert result.returncode == 23
    assert result.stderr.count(b"\n") == 1
