"""Settings of the documentation. Nothing here goes to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpio

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "httpio"
author = "The httpio developers"
copyright = author  # noqa: A001 - Sphinx wants this name
release = version = httpio.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
exclude_patterns = ["_build"]
nitpicky = True
# Type variables.
nitpick_ignore = [("py:class", "_C"), ("py:class", "_T"), ("py:class", "_V")]

html_theme = "furo"
html_title = f"httpio {version}"
html_static_path = ["_static"]
html_css_files = ["httpio.css"]
html_copy_source = False

myst_enable_extensions = ["deflist"]

# In docstrings, `name` is a reference.
default_role = "py:obj"
autodoc_preserve_defaults = True
# Long signatures get one parameter a line.
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

intersphinx_mapping = {"python": ("https://docs.python.org/3", "inventories/python.inv")}

# Names that signatures have from imports for type checkers only.
NAMES_IN_SIGNATURES = {
    "AbstractAsyncContextManager": "contextlib.AbstractAsyncContextManager",
    "AsyncIterator": "collections.abc.AsyncIterator",
    "Message": "email.message.Message",
    "ReadableBuffer": "collections.abc.Buffer",
    "WriteableBuffer": "collections.abc.Buffer",
    "httpio._body.BodyReader": "io.RawIOBase",
}


def name_in_signature(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> None:
    """Give the full name to a reference that leads nowhere; intersphinx then looks for that."""
    node["reftarget"] = NAMES_IN_SIGNATURES.get(node["reftarget"], node["reftarget"])


def setup(app: Sphinx) -> None:
    # Before intersphinx, which has the usual priority of 500.
    app.connect("missing-reference", name_in_signature, priority=400)
