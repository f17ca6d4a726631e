"""Write the pages that are made from the code and from measured numbers, before Sphinx reads."""

from __future__ import annotations

import json
from pathlib import Path

import commands_page
import validation_page
from sphinx.application import Sphinx


def write(app: Sphinx) -> None:
    """Write ``made/commands.md`` and ``made/validation.md``, where they changed."""
    from rheobase.validation.registry import CASES, LONG

    here = Path(app.srcdir)
    rows = json.loads((here / "data" / "validation.json").read_text())
    pages = {
        "commands.md": commands_page.page(),
        "validation.md": validation_page.page(rows, cases=CASES, long=LONG),
    }
    (here / "made").mkdir(exist_ok=True)
    for name, text in pages.items():
        path = here / "made" / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write before Sphinx looks for pages."""
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
