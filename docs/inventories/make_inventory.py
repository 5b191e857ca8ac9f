"""Make python.inv, which Sphinx reads, of python.txt, which people write.

    python3 docs/inventories/make_inventory.py

The inventory that Python's documentation publishes would do as well, but it has twenty thousand names, and
the documentation is built without a network.
"""

from __future__ import annotations

import zlib
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """\
# Sphinx inventory version 2
# Project: Python
# Version: 3
# The remainder of this file is compressed using zlib.
"""


def entries(text: str) -> str:
    """Return the lines of an inventory for the lines of python.txt."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        page, role, *names = line.split()
        for word in names:
            name = word.replace("_", " ") if role == "std:term" else word
            anchor = f"term-{name.replace(' ', '-')}" if role == "std:term" else "$"
            found.append(f"{name} {role} 1 {page}#{anchor} -\n")
    return "".join(sorted(found))


def main() -> None:
    text = (HERE / "python.txt").read_text(encoding="utf-8")
    (HERE / "python.inv").write_bytes(HEAD.encode() + zlib.compress(entries(text).encode(), 9))


if __name__ == "__main__":
    main()
