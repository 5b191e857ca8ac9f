"""What commands must not load: everything that costs more than it gives, unless it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .getting import environment

#: Modules that cost milliseconds, and that nothing needs to say its version.
HEAVY = {
    "asyncio",
    "brotli",
    "cryptography",
    "hdrh",
    "http",
    "httpio",
    "httpio_aio",
    "ipaddress",
    "multiprocessing",
    "pygal",
    "rich",
    "secrets",
    "selectors",
    "socket",
    "ssl",
    "tomllib",
    "urllib",
    "uvloop",
    "zlib",
}
#: What a simple GET has to do without.
UNNEEDED_BY_GET = HEAVY - {"httpio", "socket", "selectors", "zlib"} | {
    "json",
    "pathlib",
    "email.message",
    "netrc",
    "mimetypes",
    "tempfile",
    "httpio_cli._content_codings",
    "httpio_cli._get.as_code",
    "httpio_cli._get.document",
    "httpio_cli._get.multipart",
}


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that the command loads in a new interpreter.

    Those that click loads by itself are not counted: they are not ours to choose.
    """
    script = (
        "import sys\nimport click, click.shell_completion\nbefore = set(sys.modules)\n"
        "from httpio_cli._main import run\n"
        f"sys.argv = ['httpio', *{arguments!r}]\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print(*sorted(set(sys.modules) - before), sep='\\n', file=sys.stderr)"
    )
    # -I -S: no site-packages whose .pth files may import, only the path that is passed on.
    script = f"import sys; sys.path[:] = {sys.path!r}\n{script}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return set(done.stderr.splitlines())


def among(loaded: set[str], heavy: set[str]) -> set[str]:
    """Return which of *loaded* are *heavy*, or below such."""
    return {
        name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in heavy)
    }


def test_version_loads_nothing_heavy() -> None:
    loaded = loaded_by("--version")
    assert "httpio_cli._main" in loaded
    assert among(loaded, HEAVY) == set()
    assert not any(name.startswith("httpio_cli._get") for name in loaded)


def test_get_loads_what_it_needs_only() -> None:
    loaded = loaded_by("get", "http://127.0.0.1:1/")
    assert "httpio_cli._get.transfer" in loaded
    assert among(loaded, UNNEEDED_BY_GET) == set()
    for other in ("_fetch", "_probe", "_bench", "_trace"):
        assert not any(name.startswith(f"httpio_cli.{other}.") for name in loaded)


@pytest.mark.parametrize("heavy", sorted(HEAVY - {"hdrh", "pygal", "uvloop", "brotli"}))
def test_the_check_itself(heavy: str) -> None:
    assert among({heavy, "click"}, HEAVY) == {heavy}
    assert among({f"{heavy}.part"}, HEAVY) == {f"{heavy}.part"}
    assert among({f"{heavy}x"}, HEAVY) == set()
