"""Validation rows as text: for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rheobase.validation.case import Row


def text_table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned columns, the verdict last."""
    head = ("case", "quantity", "value", "reference", "unit", "error", "limit", "")
    cells = [head] + [
        (
            r.case,
            r.quantity,
            f"{r.value:.6g}",
            f"{r.reference:.6g}",
            r.unit,
            f"{r.error:.2e}",
            f"{r.limit:.1e}",
            "pass" if r.passed else "FAIL",
        )
        for r in rows
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def markdown_table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table with their sources."""
    lines = [
        "| case | quantity | value | reference | unit | error | limit | passed | source |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.case}` | {_text(r.quantity)} | {r.value:.6g} | {r.reference:.6g} | {r.unit} "
        f"| {r.error:.2e} | {r.limit:.1e} | {'yes' if r.passed else '**no**'} | {_text(r.source)} |"
        for r in rows
    ]
    return "\n".join(lines)


def _text(words: str) -> str:
    """Return words as they stand in a cell of a Markdown table."""
    return words.replace("|", r"\|")
