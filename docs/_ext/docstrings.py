"""Docstrings as they read in the code: formulas keep their lines, bars and stars stay."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(``.*?``|`[^`]*`_?_?)")
#: A star before a word that no star ends: ``(k, *shape of x)``, not ``*word*`` or ``**how``.
_STAR = re.compile(r"(?<=[ (,])\*(?=\w)(?![^*]*\w\*)")
#: The underscore that ends a word: ``above_``, not a link.
_END = re.compile(r"(?<=\w)_(?!\w)")


def mend(lines: list[str]) -> list[str]:
    r"""Return a docstring's lines with indented blocks as literal ones, and marks escaped.

    An indented block after an empty line is a formula; reST would join its lines. A bar is an
    absolute value; reST would look for a substitution, and for the end of what a star begins.

    >>> mend(["The sum", "", "    |a| + b", "", "of |a|."])
    ['The sum', '', '::', '', '    |a| + b', '', 'of \\|a\\|.']
    """
    made: list[str] = []
    base, literal = 0, None  # indent of the text before, indent of the block that a line is in
    after_empty = announced = False
    for line in lines:
        if not line.strip():
            made.append(line)
            after_empty = True
            continue
        indent = len(line) - len(line.lstrip())
        if literal is not None and indent < literal:
            literal = None
        if literal is None and after_empty and made and indent > base and not announced:
            made += [" " * base + "::", ""]
            literal = indent
        elif literal is None and announced and indent > base:
            literal = indent
        if literal is None:
            base = indent
            announced = line.rstrip().endswith("::")
            line = _escaped(line)
        made.append(line)
        after_empty = False
    return made


def _escaped(line: str) -> str:
    if line.lstrip().startswith((">>>", "...")):
        return line
    parts = _CODE.split(line)
    for old, new in ((r"\|", r"\\|"), (_STAR, r"\\*"), (_END, r"\\_")):
        parts[::2] = [re.sub(old, new, part) for part in parts[::2]]
    return "".join(parts)


def _process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = mend(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Mend before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
