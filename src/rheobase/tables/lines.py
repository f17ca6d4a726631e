"""On which line of a TOML text a key stands: `tomllib` reads values and forgets where they were."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

Place = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n,]+|#[^\n]*)*")  # commas part the items of arrays and tables
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[Place, int]:
    r"""Return the line, from 1, of every key, table and item of an array of a TOML text.

    Parameters
    ----------
    text
        What `tomllib` reads without an error.

    Examples
    --------
    >>> lines = key_lines('title = "a"\n[[leads]]\nname = "b"\n\n[[leads]]\npads = [\n1,\n2]')
    >>> lines["leads", 0, "name"], lines["leads", 1], lines["leads", 1, "pads", 1]
    (3, 5, 8)
    """
    return _Scan(text).found


def line_of(lines: dict[Place, int], place: Sequence[str | int]) -> int | None:
    r"""Return the line of a place, or of the innermost table around it that is in the text.

    Examples
    --------
    >>> line_of(key_lines("[head]\nname = 'a'"), ["head", "file"])
    1
    """
    for end in range(len(place), 0, -1):
        if (line := lines.get(tuple(place[:end]))) is not None:
            return line
    return None


class _Scan:
    """One pass over a text; ``found`` holds the lines then."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self.found: dict[Place, int] = {}
        self.counts: dict[Place, int] = {}  # of arrays of tables
        table: Place = ()
        while self._blank():
            line = self._line()
            if text[self.at] == "[":
                table = self._header()
                self.found[table] = line
            else:
                self._pair(table)

    def _line(self) -> int:
        return bisect_right(self.starts, self.at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        matched = pattern.match(self.text, self.at)
        assert matched is not None, self._line()  # tomllib has read the text
        self.at = matched.end()
        return matched.group()

    def _blank(self) -> bool:
        """Go to what is neither blank nor a comment; return whether there is any."""
        self._skip(_BLANK)
        return self.at < len(self.text)

    def _key(self) -> Place:
        parts: list[str] = []
        while not parts or self.text[self.at] == ".":
            self.at += bool(parts)
            self._blank()
            quoted = self.text[self.at] in "\"'"
            part = self._skip(_TEXT if quoted else _BARE)
            parts.append(part[1:-1] if quoted else part)
            self._blank()
        return tuple(parts)

    def _header(self) -> Place:
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        self._blank()
        *above, last = self._key()
        self.at += 2 if many else 1
        table: Place = ()
        for part in above:
            self.found.setdefault((*table, part), self._line())
            table = self._inner((*table, part))
        table = (*table, last)
        self.found.setdefault(table, self._line())
        if not many:
            return table
        self.counts[table] = self.counts.get(table, 0) + 1
        return self._inner(table)

    def _inner(self, table: Place) -> Place:
        """Return the last table of an array of tables, any other one as it is."""
        count = self.counts.get(table)
        return table if count is None else (*table, count - 1)

    def _pair(self, table: Place) -> None:
        line = self._line()
        for part in self._key():
            table = (*table, part)
            self.found.setdefault(table, line)
        self.at += 1  # the equals sign
        self._value(table)

    def _value(self, place: Place) -> None:
        self._blank()
        first = self.text[self.at]
        if first in "[{":
            self.at += 1
            count = 0
            while self._blank() and self.text[self.at] not in "]}":
                if first == "{":
                    self._pair(place)
                    continue
                self.found[*place, count] = self._line()
                self._value((*place, count))
                count += 1
            self.at += 1
        else:
            self._skip(_TEXT if first in "\"'" else _PLAIN)
