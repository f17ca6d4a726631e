"""Lines of keys in a TOML text: every shape that TOML allows."""

import tomllib
from typing import Any

import pytest

from rheobase.kinds import shipped_studies
from rheobase.tables.lines import key_lines, line_of

HARD = '''# first
title = "a # no comment" # one
"quoted.key" = 1
a.b . c = 'x'

[x.y]
text = """
[no.table]
z = 1 \\""" still
"""
when = 1979-05-27 07:32:00
many = [
    1, # ]
    { p = [1, 2], q = "}" },
    [
        3,
    ],
]

[[x.items]]
name = "one"

[[x.items.deep]]
n = 1
[[x.items.deep]]
n = 2

[[x.items]]
name = "two"
[x.items.under]
k = 5
'''


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in inner:
        found.append((*place, key))
        if isinstance(one, (dict, list)):
            found += places(one, (*place, key))
    return found


def test_lines_of_a_hard_text() -> None:
    lines = key_lines(HARD)
    assert lines["quoted.key",] == 3
    assert lines["a", "b", "c"] == 4
    assert lines["x", "y", "text"] == 7
    assert lines["x", "y", "when"] == 11
    assert lines["x", "y", "many", 1, "p", 1] == 14
    assert lines["x", "y", "many", 2, 0] == 16
    assert lines["x", "items", 0, "deep", 1, "n"] == 26
    assert lines["x", "items", 1, "under", "k"] == 31
    assert ("no", "table") not in lines


@pytest.mark.parametrize("text", [HARD, *(p.read_text() for p in shipped_studies().values())])
def test_every_key_is_found_on_a_line_that_names_it(text: str) -> None:
    lines, rows = key_lines(text), text.splitlines()
    for place in places(tomllib.loads(text)):
        row = rows[lines[place] - 1]
        if isinstance(place[-1], str):
            assert place[-1] in row


def test_a_missing_key_is_at_its_table() -> None:
    lines = key_lines(HARD)
    assert line_of(lines, ("x", "items", 1, "size_mm")) == 28
    assert line_of(lines, ("nothing",)) is None
