"""The inventory that Sphinx reads has what the list says that people write."""

from __future__ import annotations

import runpy
import zlib

from .pages import DOCS

INVENTORIES = DOCS / "inventories"


def test_inventory_is_made_of_the_list() -> None:
    maker = runpy.run_path(str(INVENTORIES / "make_inventory.py"))
    head, _, body = (INVENTORIES / "python.inv").read_bytes().partition(b"zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2\n")
    # Compressed bytes may differ from one zlib to the other.
    text = (INVENTORIES / "python.txt").read_text(encoding="utf-8")
    assert zlib.decompress(body).decode() == maker["entries"](text)
