"""All code on the pages of the documentation runs, and prints what the pages say."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from .pages import DOCS, Session, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .conftest import World

SIDE_BY_SIDE = {
    DOCS / "howto" / "from-http-client.md": True,
    # Nobody needs dugong for anything else: its column is run where it is installed.
    DOCS / "howto" / "from-dugong.md": importlib.util.find_spec("dugong") is not None,
}
"""Pages with two columns of code, and whether the left one can be run."""

PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if "_build" not in page.parts
    and page not in SIDE_BY_SIDE
    and any(block.is_code for block in blocks(page))
] + [DOCS.parent / "README.md"]


def by_path(pages: Iterable[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "page", [pytest.param(page, id=str(page.relative_to(DOCS.parent))) for page in pages]
    )


@by_path(PAGES)
def test_page(page: Path, world: World) -> None:
    with closing(Session(world.names(page.read_text(encoding="utf-8")))) as session:
        for block in blocks(page):
            session.run(block)
        session.finish()


@by_path(SIDE_BY_SIDE)
def test_both_columns_have_the_same_outcome(page: Path, world: World) -> None:
    with ExitStack() as cleanup:
        # Each with servers of its own, which remember what the one before has put there.
        text = page.read_text(encoding="utf-8")
        comparable = False
        left, right = (cleanup.enter_context(closing(Session(world.names(text)))) for _ in range(2))
        for block in blocks(page):
            if block.starts_row:
                comparable = block.language == "python" and SIDE_BY_SIDE[page]
                if comparable:
                    left.run(block)
                else:
                    left.compile(block)
            else:
                right.run(block)
                if comparable:
                    assert not differences(left, right), f"{page}:{block.line}"


def differences(left: Session, right: Session) -> set[str]:
    """Return the variables that the two have in common, and that are different plain data."""
    plain = (bool, int, str, bytes, list)
    return {
        name
        for name, value in left.namespace.items()
        if isinstance(value, plain) and right.namespace.get(name, value) != value
    }
