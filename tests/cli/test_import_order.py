"""The modules of the command line import only upwards, and one command knows nothing of another."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without importing it: what is checked is text.
_spec = importlib.util.find_spec("httpio_cli")
assert _spec is not None
assert _spec.origin is not None
PACKAGE = Path(_spec.origin).parent

#: What all commands share.
SHARED = [
    "_version",
    "__init__",
    "_exit_codes",
    "_environment",
    "_redaction",
    "_errors",
    "_group",
    "_signals",
    "_json_output",
    "_response_fields",
    "_content_codings",
    "_values",
    "_options",
    "_terminal",
    "_running",
    "_deadline",
    "_config",
    "_curl_config",
    "_files",
    "_urls",
    "_proxies",
    "_addresses",
    "_tls",
    "_tracers",
    "_connector",
    "_fields",
    "_redirects",
]
#: The modules of each command, in the order in which they may import each other.
COMMANDS = {
    "_get": [
        "__init__",
        "content",
        "multipart",
        "settings",
        "options",
        "record",
        "write_out",
        "checking",
        "document",
        "as_code",
        "progress",
        "sink",
        "resuming",
        "redirects",
        "retrying",
        "exchange",
        "receiving",
        "connections",
        "transfer",
        "command",
    ],
    # These keep apart from the others; an order within is theirs to declare.
    # Connections and what holds them together name each other in types.
    "_fetch": None,
    "_probe": [
        "__init__",
        "phases",
        "wire",
        "certificate",
        "model",
        "fields",
        "targets",
        "exchange",
        "expectations",
        "subject",
        "probing",
        "connection_checks",
        "pipeline_checks",
        "upload_checks",
        "checks",
        "monitor",
        "report",
        "documents",
        "prometheus",
        "session",
        "options",
        "display",
        "command",
    ],
    "_bench": [
        "__init__",
        "histograms",
        "tally",
        "loops",
        "plan",
        "dry_run",
        "load",
        "open_loop",
        "worker",
        "crew",
        "results",
        "wording",
        "thresholds",
        "verdict",
        "live",
        "charts",
        "documents",
        "text",
        "report",
        "performing",
        "command",
    ],
    "_trace": [
        "__init__",
        "spans",
        "searching",
        "problems",
        "streams",
        "sent",
        "received",
        "masking",
        "recording",
        "tracefile",
        "views",
        "conversation",
        "records",
        "dumps",
        "har",
        "dialogue",
        "command",
    ],
}
#: What finds the commands: the only ones that know all of them.
TOP = ["_completion", "_main", "__main__"]


def imports(source: str, package: str) -> Iterator[str]:
    """Yield what *source*, a module of *package*, imports of ours, relative to ``httpio_cli``.

    However deep the import is, and those for typing included. ``_get.sink`` is a module of a command,
    ``_urls`` one of those that are shared.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*above, base]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == "httpio_cli":
                yield name.partition(".")[2]


def violations(module: str, source: str) -> list[str]:
    """Return what *module*, such as ``_urls`` or ``_get.sink``, imports and must not."""
    command, _, name = module.rpartition(".")
    package = f"httpio_cli.{command}" if command else "httpio_cli"
    found = []
    for imported in imports(source, package):
        first, _, rest = imported.partition(".")
        if module in TOP:
            is_allowed = first not in TOP or TOP.index(first) <= TOP.index(module)
            # Completion asks the commands for their options.
            is_allowed = is_allowed or (module == "_completion" and first == "_main")
        elif first in COMMANDS:
            order = COMMANDS[first]
            its_module = rest.partition(".")[0]
            is_allowed = first == command and (
                order is None
                or (its_module in order and order.index(its_module) < order.index(name))
            )
        elif first in SHARED or first == "__version__":
            # What the package itself offers is its version.
            place = SHARED.index(first if first in SHARED else "__init__")
            is_allowed = bool(command) or (module in SHARED and place < SHARED.index(module))
        else:
            is_allowed = False
        if not is_allowed:
            found.append(imported)
    return found


def modules() -> list[tuple[str, Path]]:
    """Return all modules with their files."""
    return [
        (".".join(path.relative_to(PACKAGE).with_suffix("").parts), path)
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def test_every_module_has_its_place() -> None:
    found = {module for module, _ in modules()}
    declared = {*SHARED, *TOP}
    for command, order in COMMANDS.items():
        if order is None:
            declared |= {module for module in found if module.startswith(f"{command}.")}
        else:
            declared |= {f"{command}.{name}" for name in order}
    assert found == declared


@pytest.mark.parametrize(("module", "path"), modules(), ids=[module for module, _ in modules()])
def test_module_imports_only_upwards(module: str, path: Path) -> None:
    assert violations(module, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("module", "path"), modules(), ids=[module for module, _ in modules()])
def test_module_is_of_a_readable_length(module: str, path: Path) -> None:
    """A long module is a sign that something lives in the wrong room."""
    limit = 600 if COMMANDS.get(module.partition(".")[0], SHARED) is None else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("_urls", "from ._errors import CommandError", []),
        ("_urls", "from ._connector import Connector", ["_connector.Connector"]),
        ("_urls", "from httpio_cli._connector import Connector", ["_connector.Connector"]),
        ("_urls", "def f():\n    from ._fields import X", ["_fields.X"]),
        ("_urls", "if TYPE_CHECKING:\n    from ._get.sink import X", ["_get.sink.X"]),
        ("_urls", "from . import _errors, _main", ["_main"]),
        ("_urls", "import httpio_cli._main", ["_main"]),
        ("_fields", "from ._version import __version__", []),
        ("_get.sink", "from httpio_cli._files import PartFile", []),
        ("_get.sink", "from .settings import SavingOptions", []),
        ("_get.sink", "from .transfer import Transfers", ["_get.transfer.Transfers"]),
        ("_get.sink", "from . import transfer", ["_get.transfer"]),
        ("_get.sink", "from httpio_cli._fetch.command import x", ["_fetch.command.x"]),
        ("_get.sink", "from httpio_cli._main import main", ["_main.main"]),
        ("_fetch.command", "from httpio_cli._get.sink import X", ["_get.sink.X"]),
        ("_fetch.command", "from .lane import X", []),
        ("_main", "from ._completion import X", []),
        ("_main", "import httpio, json", []),
    ],
)
def test_the_check_itself(module: str, source: str, found: list[str]) -> None:
    assert violations(module, source) == found
