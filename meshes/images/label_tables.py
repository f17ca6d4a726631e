"""Label tables: which tissue the numbers of a label image stand for.

The shipped ones are data (``data/label_tables``: one CSV each with the columns label, name, tissue,
source, status; ``index.toml`` says how each is told from the others). Tables of other programs are
read from their own files by `label_files`.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option

OUTSIDE = "outside"
#: Widest range of labels in one row of a table.
WIDEST_RANGE = 10_000
#: Largest label that is looked up in an array rather than by sorting the image.
LARGEST_INDEX = 1 << 20
#: What follows the name of an image in that of the table beside it.
COMPANIONS = ("_LUT.txt", ".lut", ".tsv", ".csv", ".label", ".txt")
#: Distinct values from which, and share of unlike neighbours above which, an image is no label
#: image: label images have at most 0.22 of them (2 mm, 100 regions), a T1 of 32 grey values 0.42.
MANY_VALUES, MOST_EDGES = 13, 0.35
#: Tissues that no whole head shows to the outside.
INNER = frozenset({"white_matter", "grey_matter", "csf"})
#: Tissues that cover a head.
COVER = frozenset({"scalp", "skin", "fat", "muscle"})

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTable:
    """What the labels of an image stand for.

    Parameters
    ----------
    name
        Name of a shipped table, or that of the file.
    tissues
        Tissue of each label, "outside", or None where its name says nothing.
    names
        Name of each label, as in its source.
    source
        Where the table comes from.
    """

    name: str
    tissues: Mapping[int, str | None]
    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""

    def fits(self, present: Iterable[int]) -> bool:
        """Return whether every label in ``present`` (0 apart) has a tissue here."""
        return all(label == 0 or self.tissues.get(label) is not None for label in present)


def table_names() -> tuple[str, ...]:
    """Return the names of the shipped label tables.

    Examples
    --------
    >>> table_names()[:4]
    ('simnibs', 'charm', 'charm_index', 'freesurfer')
    """
    return tuple(_index())


@cache
def label_table(name: str) -> LabelTable:
    """Return the shipped label table ``name``.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> label_table("charm").tissues[516], label_table("freesurfer").tissues[12130]
    ('spongy_bone', 'grey_matter')
    """
    check_option("label table", name, _index())
    reader = csv.DictReader(shipped_text(f"{name}.csv").splitlines())
    rows = table_rows(reader, "label", f"label table {name!r}")
    return LabelTable(
        name=name,
        tissues={k: row["tissue"] for k, row in rows},
        names={k: row["name"] for k, row in rows},
        source=f"shipped: {_index()[name]['title']}",
    )


def table_rows(
    reader: csv.DictReader[str], column: str, where: str
) -> list[tuple[int, dict[str, str]]]:
    """Return label and row of each row; a range "1001-1035" gives one entry for each label.

    Raises
    ------
    InputError
        If a label is no whole number, a range is empty or too wide, or a label comes twice.
    """
    found: dict[int, dict[str, str]] = {}
    for row in reader:
        number = reader.line_num
        text = (row.get(column) or "").strip()
        first, dash, last = text.partition("-") if text[:1] != "-" else (text, "", "")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            raise InputError(
                f"expected a whole number or a range in the column {column}, got {text!r}, "
                f"line {number}: {where}"
            ) from None
        if not 0 <= high - low < WIDEST_RANGE:
            raise InputError(f"expected a range of labels, got {text!r}, line {number}: {where}")
        cells = {k: (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
        for label in range(low, high + 1):
            if label in found:
                raise InputError(f"label {label} comes twice, line {number}: {where}")
            found[label] = cells
    return list(found.items())


def label_counts(values: Labels) -> dict[int, int]:
    """Return how many voxels each label has."""
    if values.size and values.min() >= 0 and values.max() < LARGEST_INDEX:
        counts = np.bincount(values.ravel(order="K"))
        return {int(k): int(counts[k]) for k in np.flatnonzero(counts)}
    found, number = np.unique(values, return_counts=True)
    return {int(k): int(n) for k, n in zip(found, number, strict=True)}


def replaced(values: Labels, new: Mapping[int, int]) -> NDArray[np.uint16]:
    """Return ``values`` with each label replaced by ``new[label]``, which must hold them all."""
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high < LARGEST_INDEX:
        lookup = np.zeros(high + 1, np.uint16)
        for old, label in new.items():
            if 0 <= old <= high:
                lookup[old] = label
        return lookup[values]
    found, inverse = np.unique(values, return_inverse=True)
    return np.array([new[int(k)] for k in found], np.uint16)[inverse].reshape(values.shape)


def choose_table(path: Path | str, values: Labels) -> tuple[LabelTable, str]:
    """Choose the label table of an image by the table beside it, its name and its labels.

    Parameters
    ----------
    path
        The image; ``name_LUT.txt``, ``name.tsv`` and the like beside it are looked at first.
    values
        Its labels, shape (nx, ny, nz).

    Returns
    -------
    table : LabelTable
    reason : str
        What was chosen, and by what.

    Raises
    ------
    InputError
        If no table or more than one fits, with their names.
    """
    path = Path(path)
    present = [k for k in label_counts(values) if k != 0]
    if not present:
        raise InputError(f"expected labelled tissue, all voxels are outside: {path}")
    beside = _companions(path, present)
    if len(beside) == 1:
        return beside[0], f"labels by the table beside the image, {beside[0].name}"
    if len(beside) > 1:
        names = ", ".join(t.name for t in beside)
        raise InputError(f"the tables {names} beside {path} disagree, choose one with labels=")
    known = [(name, entry) for name, entry in _index().items() if label_table(name).fits(present)]
    named = [n for n, e in known if any(fnmatch(path.name.lower(), p) for p in e["files"])]
    if len(named) == 1:
        return label_table(named[0]), f"labels {named[0]!r} by the name of the file and its labels"
    whole = [n for n, e in known if e["must"] and set(e["must"]) <= set(present)]
    layered = [n for n in whole if _layers_in_order(values, label_table(n))]
    if len(layered) == 1:
        return label_table(layered[0]), f"labels {layered[0]!r} by the labels that are in the image"
    if layered:
        raise InputError(
            f"the labels of {path} fit the tables {' and '.join(layered)}, choose one with labels="
        )
    some = ", ".join(map(str, sorted(present)[:12])) + (" …" if len(present) > 12 else "")
    raise InputError(
        f"no label table fits the labels {some} of {path}{_nearly(present)}{no_labels(values)}; "
        "give labels= one of "
        f"{', '.join(table_names())}, a table file or {{label: tissue}}"
    )


def _nearly(present: list[int]) -> str:
    """Return what keeps the nearest table from fitting, if that is less than half of the labels."""
    lacks = {
        name: sorted(k for k in present if label_table(name).tissues.get(k) is None)
        for name, entry in _index().items()
        if entry["must"] and set(entry["must"]) <= set(present)
    }
    name = min(lacks, key=lambda n: len(lacks[n]), default=None)
    if name is None or not 0 < 2 * len(lacks[name]) < len(present):
        return ""
    some = ", ".join(map(str, lacks[name][:12])) + (" …" if len(lacks[name]) > 12 else "")
    return f" ({name} has no tissue for {some})"


def fitting_tables(values: Labels) -> list[str]:
    """Return the names of the shipped tables that know every label of an image."""
    present = list(label_counts(values))
    return [name for name in _index() if label_table(name).fits(present)]


def no_labels(values: Labels) -> str:
    """Return a hint when an image looks like grey values rather than labels, else nothing."""
    if len(label_counts(values)) < MANY_VALUES:
        return ""
    unlike = pairs = 0
    for axis in range(3):
        a = np.moveaxis(values, axis, 0)
        both = (a[1:] != 0) & (a[:-1] != 0)
        pairs += int(np.count_nonzero(both))
        unlike += int(np.count_nonzero((a[1:] != a[:-1]) & both))
    share = unlike / max(pairs, 1)
    if share < MOST_EDGES:
        return ""
    return f" (not labels: {share:.0%} of neighbouring voxels differ, as in an MRI)"


def _layers_in_order(values: Labels, table: LabelTable) -> bool:
    """Return whether what covers the head is no brain tissue, where the table has a cover."""
    present = label_counts(values)
    kinds = {k: table.tissues.get(k) for k in present}
    if not COVER & set(kinds.values()):
        return True
    code = {k: 0 if k == 0 or t == OUTSIDE else 1 if t in INNER else 2 for k, t in kinds.items()}
    kind = replaced(values, code)
    shown = np.zeros(3, np.int64)
    for axis in range(3):
        a = np.moveaxis(kind, axis, 0)
        for here, there in ((a[1:], a[:-1]), (a[:-1], a[1:])):
            shown += np.bincount(here[there == 0].ravel(), minlength=3)[:3]
    return bool(shown[2] > shown[1])


def _companions(path: Path, present: list[int]) -> list[LabelTable]:
    """Return the tables beside an image that fit it, one of each meaning."""
    from rheobase.meshes.images.label_files import read_label_table

    stem = path.name.removesuffix(".gz").removesuffix(path.name.removesuffix(".gz").split(".")[-1])
    found: list[LabelTable] = []
    for ending in COMPANIONS:
        file = path.with_name(stem.removesuffix(".") + ending)
        if not file.is_file() or file == path:
            continue
        try:
            table = read_label_table(file)
        except InputError:  # some other text of the same name
            continue
        meaning = [table.tissues.get(k) for k in present]
        if table.fits(present) and all(
            meaning != [other.tissues.get(k) for k in present] for other in found
        ):
            found.append(table)
    return found


def shipped_text(name: str) -> str:
    """Return the text of the file ``name`` among the shipped label tables."""
    folder = files("rheobase.meshes").joinpath("data/label_tables")
    return folder.joinpath(name).read_text(encoding="utf-8")


@cache
def _index() -> dict[str, dict[str, Any]]:
    return tomllib.loads(shipped_text("index.toml"))
