"""Label tables in the files of other programs.

Read are CSV with the columns label and tissue, BIDS ``dseg.tsv``, colour tables of FreeSurfer and
SimNIBS (``*_LUT.txt``), and ITK-SNAP label descriptions. Where a file has names but no tissues, the
tissue is that of the same name in ``data/label_tables/names.csv`` or in a shipped table.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from rheobase._errors import InputError
from rheobase.meshes.images.label_tables import LabelTable, label_table, shipped_text, table_rows
from rheobase.meshes.tissues import load_tissues

#: Largest label table that is read (bytes); FreeSurfer's has 0.1 MB.
LARGEST_FILE = 4_000_000
#: Shipped tables whose names are understood, the more common meaning first.
NAMED = ("simnibs", "charm", "freesurfer", "digimouse")
#: number, name, red, green, blue (and more): FreeSurfer, SimNIBS, MRtrix after its header.
FREESURFER = re.compile(r"(-?\d+)\s+(\S.*?)((?:\s+\d+(?:\.\d*)?){3,4})")
#: number, red, green, blue, alpha, visible, mesh, "name".
ITK_SNAP = re.compile(r'(\d+)(?:\s+[\d.]+){6}\s+"([^"]*)"')
#: Begins of the names of cortical regions and of the white matter under them.
CORTEX, UNDER = re.compile(r"ctx [lr]h "), re.compile(r"wm [lr]h ")


def read_label_table(path: Path | str) -> LabelTable:
    """Read a label table.

    Parameters
    ----------
    path
        CSV or TSV with a header, either with the columns ``label`` and ``tissue`` (label: a whole
        number or a range "1001-1035"; tissue: a name of ``data/tissues.csv`` or "outside"), or with
        ``index`` and ``name`` (BIDS); or a colour table: FreeSurfer's and SimNIBS's (number, name,
        R, G, B, A) or ITK-SNAP's (number, R, G, B, A, visible, mesh, "name").

    Returns
    -------
    LabelTable

    Raises
    ------
    InputError
        If the file is missing, too large or none of these, or a label is no whole number or comes
        twice.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(
                f"expected a label table below {LARGEST_FILE / 1e6:g} MB, "
                f"got {size / 1e6:.0f} MB: {path}"
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the label table {path}: {error}") from None
    lines = text.splitlines()
    tab = "\t" in lines[0] if lines else False
    reader = csv.DictReader(lines, delimiter="\t" if tab else ",")
    columns = {c.strip() for c in reader.fieldnames or []}
    reader.fieldnames = [c.strip() for c in reader.fieldnames or []]
    if {"label", "tissue"} <= columns:
        rows = table_rows(reader, "label", str(path))
        tissues: dict[int, str | None] = {k: row["tissue"] for k, row in rows}
        names = {k: row.get("name") or row["tissue"] for k, row in rows}
    elif {"index", "name"} <= columns:
        names = {k: row["name"] for k, row in table_rows(reader, "index", str(path))}
        tissues = {k: tissue_of_name(name) for k, name in names.items()}
    else:
        names = _colour_table(lines, path)
        tissues = {k: tissue_of_name(name) for k, name in names.items()}
    return LabelTable(name=path.name, tissues=tissues, names=names, source=str(path))


def tissue_of_name(name: str) -> str | None:
    """Return the tissue that ``name`` stands for, None where that is not known.

    Examples
    --------
    >>> tissue_of_name("Left-Cerebral-White-Matter"), tissue_of_name("ctx-rh-insula")
    ('white_matter', 'grey_matter')
    """
    words = " ".join(_words(name))
    if CORTEX.match(words):
        return "grey_matter"
    if UNDER.match(words):
        return "white_matter"
    return _meanings().get(words) or _meanings().get(_without_side(name))


def _colour_table(lines: list[str], path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        row = line.strip()
        if not row or row.startswith(("#", "//")):
            continue
        if found := ITK_SNAP.fullmatch(row) or FREESURFER.fullmatch(row):
            label, name = int(found[1]), found[2]
        else:
            raise InputError(
                "expected the columns label (whole number) and tissue, or index and name, or a "
                f"colour table, got {row[:60]!r}, line {number}: {path}"
            )
        if label in names:
            raise InputError(f"label {label} comes twice, line {number}: {path}")
        names[label] = name
    if not names:
        raise InputError(f"expected a label table, found no label: {path}")
    return names


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).split()


def _without_side(name: str) -> str:
    """Return a name in lower case without its side."""
    words = _words(name)
    return " ".join([w for w in words if w not in {"left", "right", "l", "r", "proper"}] or words)


@cache
def _meanings() -> dict[str, str]:
    reader = csv.DictReader(shipped_text("names.csv").splitlines())
    found = {row["name"]: row["tissue"] for row in reader}
    for table in map(label_table, NAMED):
        for label, name in table.names.items():
            tissue = table.tissues[label]
            if tissue is not None:
                found[" ".join(_words(name))] = tissue
                found.setdefault(_without_side(name), tissue)
    for name in load_tissues():
        found.setdefault(" ".join(_words(name)), name)
    return found
