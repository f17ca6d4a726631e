"""The validation page: what `rheobase validate --json` measured, case by case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def page(rows: Sequence[Row], *, cases: Iterable[str], long: Iterable[str]) -> str:
    """Return a summary, one line a case, and then every row.

    Parameters
    ----------
    rows
        Objects that ``rheobase validate --json`` prints.
    cases, long
        Ids that a run without names takes, and those that run only when they are named.

    Raises
    ------
    ValueError
        If rows belong to a case that is not registered.
    """
    cases, long = list(cases), list(long)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["case"]), []).append(row)
    unknown = found.keys() - {*cases, *long}
    if unknown:
        raise ValueError(f"no such validation case: {', '.join(sorted(unknown))}")
    passed = sum(bool(row["passed"]) for row in rows)
    names = [*cases, *(name for name in long if name in found)]
    lines = [
        f"{len(rows)} numbers in {len(found)} cases; {passed} are within their limits.",
        "",
        "| case | numbers | farthest | passed | source |",
        "|---|---|---|---|---|",
        *(_summary(name, found.get(name, [])) for name in names),
        "",
        "Run only when named, minutes each, and not in this table: "
        + ", ".join(f"`{name}`" for name in long if name not in found)
        + ".",
        "",
        "## Every number",
        "",
    ]
    for name in names:
        if name in found:
            lines += _table(name, found[name])
    return "\n".join(lines) + "\n"


def _summary(name: str, rows: Sequence[Row]) -> str:
    if not rows:
        return f"| `{name}` | not run | | | |"
    worst = max(float(r["error"]) / float(r["limit"]) if r["limit"] else 0.0 for r in rows)
    verdict = "yes" if all(r["passed"] for r in rows) else "**no**"
    sources = "; ".join(dict.fromkeys(_text(str(r["source"])) for r in rows))
    return (
        f"| [`{name}`](#case-{name}) | {len(rows)} | {100 * worst:.2g} % | {verdict} | {sources} |"
    )


def _table(name: str, rows: Sequence[Row]) -> list[str]:
    return [
        f"(case-{name})=",
        f"### {name}",
        "",
        "| quantity | value | reference | unit | error | limit | passed |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {_text(r['quantity'])} | {r['value']:.6g} | {r['reference']:.6g} | {r['unit']} "
            f"| {r['error']:.2e} | {r['limit']:.1e} | {'yes' if r['passed'] else '**no**'} |"
            for r in rows
        ),
        "",
    ]


def _text(words: str) -> str:
    return words.replace("|", r"\|")
