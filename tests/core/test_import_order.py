"""The modules of the core import only upwards, and only the lower ones know of sockets."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without importing it: what is checked is text.
_spec = importlib.util.find_spec("httpio")
assert _spec is not None
assert _spec.origin is not None
PACKAGE = Path(_spec.origin).parent

WITHOUT_SOCKETS = [
    "_version",
    "_coroutine",
    "_text",
    "_request",
    "_exceptions",
    "_tracing",
    "_headers",
    "_grammar",
    "_buffer",
    "_messages",
    "_framing",
    "_parser",
    "_decoders",
    "_target",
    "_encoders",
    "_origin",
    "_spans",
    "_request_content",
    "_state",
    "_queued",
    "_replay",
]
WITH_SOCKETS = [
    "_transport",
    "_worker",
    "_clock",
    "_runtime",
    "_resolver",
    "_connect",
    "_proxy",
    "_blocking",
    "_receiving",
    "_content",
    "_bulk",
    "_sending",
    "_sendfile",
    "_feeding",
    "_lifecycle",
    "_recovery",
    "_pipeline",
    "_ranges",
    "_many",
    "_body",
    "_connection",
    "__init__",
]
# For the adapters: `import httpio` does not load them.
FOR_ADAPTERS = [
    "_native",
    "_async_response",
    "_async_exchange",
    "_async_pipeline",
    "_async_many",
    "_front_end",
    "_url",
    "_pool_policy",
    "_pool_exchange",
    "_async_pool",
]
ORDER = WITHOUT_SOCKETS + WITH_SOCKETS + FOR_ADAPTERS

NETWORK_MODULES = {"socket", "_socket", "select", "selectors", "ssl", "_ssl"}
# PollNeeded.poll() is the one wait above the transport, and waits for a mere number.
ALLOWED = {("_coroutine", "select")}


def imported_names(source: str) -> Iterator[str]:
    """Yield the dotted name of each import in *source*, however deep, those for typing included.

    Names of our own package come as ``httpio.<module>``; ``httpio`` alone is its ``__init__``.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = ".".join(filter(None, ["httpio" if node.level else "", node.module]))
            if prefix == "httpio":
                yield from (
                    f"httpio.{alias.name}" if alias.name in ORDER else "httpio"
                    for alias in node.names
                )
            else:
                yield prefix


def violations(module: str, source: str) -> list[str]:
    """Return what *module* imports and must not."""
    found = []
    for name in imported_names(source):
        top, _, rest = name.partition(".")
        if top == "httpio":
            imported = rest.partition(".")[0] or "__init__"
            if imported not in ORDER or ORDER.index(imported) >= ORDER.index(module):
                found.append(name)
        elif module in WITHOUT_SOCKETS and top in NETWORK_MODULES and (module, top) not in ALLOWED:
            found.append(name)
    return found


def test_every_module_has_its_place() -> None:
    assert sorted(path.stem for path in PACKAGE.glob("*.py")) == sorted(ORDER)


@pytest.mark.parametrize("module", ORDER)
def test_module_imports_only_upwards(module: str) -> None:
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    assert violations(module, source) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("_parser", "from ._buffer import ReceiveBuffer", []),
        ("_parser", "from ._state import SendingHalf", ["httpio._state"]),
        ("_parser", "from httpio._state import SendingHalf", ["httpio._state"]),
        ("_parser", "from . import _buffer, _state", ["httpio._state"]),
        ("_parser", "import httpio._state as s", ["httpio._state"]),
        ("_parser", "from . import HTTPConnection", ["httpio"]),
        ("_parser", "from httpio import HTTPConnection", ["httpio"]),
        ("_parser", "import httpio", ["httpio"]),
        ("_parser", "from ._no_such_module import x", ["httpio._no_such_module"]),
        ("_parser", "if TYPE_CHECKING:\n    from ._state import X", ["httpio._state"]),
        ("_parser", "def parse():\n    from ._state import X", ["httpio._state"]),
        ("_parser", "import socket", ["socket"]),
        ("_parser", "def parse():\n    import ssl", ["ssl"]),
        ("_parser", "from select import poll", ["select"]),
        ("_coroutine", "import select", []),
        ("_coroutine", "import socket", ["socket"]),
        ("_transport", "import socket, ssl, select", []),
        ("_transport", "from ._connection import HTTPConnection", ["httpio._connection"]),
        ("__init__", "from ._connection import HTTPConnection", []),
    ],
)
def test_the_check_itself(module: str, source: str, found: list[str]) -> None:
    assert violations(module, source) == found
