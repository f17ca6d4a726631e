"""The documentation: every page can be reached, links lead somewhere, commands exist."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from rheobase.validation.registry import CASES, LONG

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(DOCS / "explanation").glob("*.md")])
FENCE = re.compile(r"^(`{3,})(\S*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MADE = re.compile(r"^(\.\./)?made/")  # written when the site is built


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> Iterator[str]:
    for _, kind, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == language:
            yield body


def slug(heading: str) -> str:
    """Return the anchor that GitHub and MyST give a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text))


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(h) for h in re.findall(r"^#+\s+(.+)$", text, re.MULTILINE)}


def test_every_page_stands_in_one_table_of_contents() -> None:
    named: list[Path] = []
    for page in PAGES:
        for entries in blocks(page, "{toctree}"):
            for line in entries.splitlines():
                target = re.sub(r".*<(.+)>$", r"\1", line.strip())
                if target and not target.startswith(":") and not MADE.match(target):
                    named.append((page.parent / f"{target}.md").resolve())
    assert not [p for p in named if not p.is_file()]
    assert len(named) == len(set(named))
    assert set(PAGES) - set(named) == {DOCS / "index.md", DOCS / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_resolve(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"(https?|mailto):", link) or MADE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} in {page.name}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link} in {page.name}"
    for tutorial in re.findall(r"\(made/tutorials/(\w+)\.rst\)", page.read_text(encoding="utf-8")):
        assert (DOCS / "tutorials" / f"{tutorial}.py").is_file(), f"{tutorial} in {page.name}"


def verbs() -> dict[str, set[str]]:
    """Return the verbs of the command line, each with its own, without importing what they do."""
    from rheobase.__main__ import app

    root = typer.main.get_command(app)
    context = typer.Context(root)
    assert hasattr(root, "list_commands")
    found = {}
    for name in root.list_commands(context):
        verb = root.get_command(context, name)  # type: ignore[attr-defined]
        found[name] = set(getattr(verb, "commands", ()))
    return found


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Yield verb and next word of the lines of a page that call the program."""
    text = page.read_text(encoding="utf-8")
    shown = "\n".join(
        body for _, kind, body in FENCE.findall(text) if kind in {"", "console", "sh"}
    )
    shown += "\n" + "\n".join(re.findall(r"^(?:# {4}| {4})(.*)$", text, re.MULTILINE))
    call = re.compile(r"^\s*(?:\$ )?(?:\./run )?rheobase ([a-z][\w-]*)(?: +(\S+))?", re.MULTILINE)
    yield from call.findall(shown)


def test_commands_exist() -> None:
    known = verbs()
    seen = 0
    for page in [
        *PAGES,
        *DOCS.glob("tutorials/*.py"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ]:
        for verb, below in commands(page):
            seen += 1
            assert verb in known, f"rheobase {verb} in {page.name}"
            if known[verb] and re.match(r"[a-z]", below):
                assert below in known[verb], f"rheobase {verb} {below} in {page.name}"
    assert seen > 60


def test_command_page_has_every_verb() -> None:
    page = extension("commands_page").page()
    for verb, below in verbs().items():
        assert f"rheobase {verb}" in page
        for name in below:
            assert f"rheobase {verb} {name}" in page


def test_validation_page_has_every_case() -> None:
    rows = json.loads((DOCS / "data" / "validation.json").read_text(encoding="utf-8"))
    made = extension("validation_page")
    page = made.page(rows, cases=CASES, long=LONG)
    run = {row["case"] for row in rows}
    for case in CASES:
        told = f"[`{case}`](#case-{case})" if case in run else f"| `{case}` | not run |"
        assert told in page, case
    for case in LONG:
        assert f"`{case}`" in page
    for row in rows:
        assert row["passed"] == (row["error"] <= row["limit"]), row
    with pytest.raises(ValueError, match="no-such-case"):
        made.page([{**rows[0], "case": "no-such-case"}], cases=CASES, long=LONG)
    failed = made.page([{**rows[0], "passed": False}], cases=CASES, long=LONG)
    assert "**no**" in failed


def test_docstrings_keep_their_formulas() -> None:
    mend = extension("docstrings").mend
    text = ["Sum of |a|:", "", "    |a| + b", "    c", "", "and ``|d|``."]
    assert mend(text) == [
        r"Sum of \|a\|:",
        "",
        "::",
        "",
        "    |a| + b",
        "    c",
        "",
        "and ``|d|``.",
    ]
    assert mend(["shape (k, *shape of x), *not* all, **how"]) == [
        r"shape (k, \*shape of x), *not* all, **how"
    ]
    numpydoc = ["Parameters", "----------", "a", "    First.", "", "    Second.", "b", "    Third."]
    assert mend(numpydoc) == numpydoc


def test_citation_names_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    keys = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert keys["cff-version"] == "1.2.0"
    assert keys["version"] == project["version"]
    assert keys["license"] == project["license"]
    assert {"message", "title"} <= keys.keys()
    assert "authors:" in lines
