"""What the parts of the page have in common: sizes, headings, tables."""

from __future__ import annotations

DENSE = {"density": "compact", "hide_details": True}
SLIDER = {**DENSE, "thumb_size": 12, "track_size": 2, "color": "#0969da"}
BUTTON = {"density": "comfortable", "size": "small", "variant": "text"}
SMALL = {"size": "small", "variant": "tonal", "classes": "text-none", "color": "#0969da"}


def head(text: str) -> None:
    """Add a heading."""
    from trame.widgets import html

    html.Div(text, classes="rb-head")


def table(rows: str) -> None:
    """Add a table of the rows of a state variable."""
    from trame.widgets import html

    body = html.Tr(v_for=f"row in {rows}", key="row[0] + row[1]")
    with html.Table(classes="rb-facts"), html.Tbody(), body:
        html.Td("{{ row[0] }}")
        html.Td("{{ row[1] }}")
