"""The tissues of the labels of an image or a mesh, by whatever table is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.images.label_files import read_label_table
from rheobase.meshes.images.label_tables import (
    OUTSIDE,
    Labels,
    LabelTable,
    choose_table,
    fitting_tables,
    label_counts,
    label_table,
    no_labels,
    replaced,
    table_names,
)
from rheobase.meshes.tissues import Tissue, load_tissues

LabelOption = Mapping[int, str] | Path | str | None


def opened_table(labels: LabelOption, tissues: Mapping[str, Tissue]) -> LabelTable:
    """Return the label table that is meant by ``labels``; each tissue's own label if None.

    Raises
    ------
    InputError
        If there is no such table or file.
    """
    if labels is None:
        own = {t.label: t.name for t in tissues.values()}
        return LabelTable(
            name="tissues", tissues=own, names=own, source="tissues.csv: SimNIBS's labels"
        )
    if isinstance(labels, Mapping):
        given = {int(k): v for k, v in labels.items()}
        return LabelTable(name="given", tissues=given, names=given, source="given with the call")
    text = str(labels)
    if isinstance(labels, str) and not Path(text).suffix and not Path(text).exists():
        if text in table_names():
            return label_table(text)
        check_option("label table", text, ("auto", *table_names()))
    return read_label_table(labels)


def named_tissues(
    labels: LabelOption, where: str, tissues: Mapping[str, Tissue] | None = None
) -> dict[int, Tissue | None]:
    """Return the tissue of each label, None for "outside"; each one's own label if none are given.

    Parameters
    ----------
    labels
        Tissue name of each label, the name of a shipped table, or a file with one.
    where
        What the labels belong to, for the sentence of a refusal.
    tissues
        Tissues to choose from, by name; the shipped ones if None.

    Raises
    ------
    InputError
        If a tissue is unknown, with the nearest names.
    """
    known = load_tissues() if tissues is None else tissues
    table = opened_table(None if labels == "auto" else labels, known)
    if not isinstance(labels, Mapping) and labels is not None:
        where = table.source
    return tissues_of(table, known, where)


def tissues_of(
    table: LabelTable, known: Mapping[str, Tissue], where: str
) -> dict[int, Tissue | None]:
    """Return the tissue of each label of ``table`` that has one, None for "outside"."""
    names = [*known, OUTSIDE]
    for name in set(table.tissues.values()):
        if name is not None:
            check_option("tissue", name, names, where=where)
    found = {k: None if v == OUTSIDE else known[v] for k, v in table.tissues.items() if v}
    return {0: None} | found


def image_tissues(
    labels: LabelOption, values: Labels, path: Path, tissues: Mapping[str, Tissue] | None
) -> tuple[dict[int, Tissue | None], LabelTable, str]:
    """Return the tissue of each label of an image, the table, and why it was taken.

    As `named_tissues`; with "auto" the table is chosen by `choose_table`.
    """
    known = load_tissues() if tissues is None else tissues
    if labels == "auto":
        table, reason = choose_table(path, values)
    else:
        table = opened_table(labels, known)
        reason = f"labels by {table.source}"
    given = isinstance(labels, Mapping) or labels is None
    found = tissues_of(table, known, f"labels of {path}" if given else table.source)
    unknown = {k: n for k, n in label_counts(values).items() if k not in found}
    if unknown:
        hint = no_labels(values)
        fitting = fitting_tables(values)
        if not hint and fitting:
            hint = f" (labels={' or '.join(repr(t) for t in fitting)} would fit)"
        named = {k: f"{k} {table.names[k]!r}" if k in table.names else str(k) for k in unknown}
        raise _unknown({named[k]: n for k, n in unknown.items()}, "voxels", f"{path}{hint}")
    return found, table, reason


def relabelled(
    values: Labels, table: Mapping[int, Tissue | None], unit: str, where: str
) -> NDArray[np.uint16]:
    """Return ``values`` with each label replaced by that of its tissue, 0 outside.

    Raises
    ------
    InputError
        If labels are not in ``table``: all are named, with their counts (``unit``).
    """
    unknown = {str(k): n for k, n in label_counts(values).items() if k not in table}
    if unknown:
        raise _unknown(unknown, unit, where)
    return replaced(values, {k: 0 if t is None else t.label for k, t in table.items()})


def _unknown(counts: Mapping[str, int], unit: str, where: str) -> InputError:
    listed = ", ".join(f"{k} ({n} {unit})" for k, n in list(counts.items())[:20])
    more = f" and {len(counts) - 20} more" if len(counts) > 20 else ""
    return InputError(
        f"no tissue for the label(s) {listed}{more}: {where}; give labels={{label: tissue}} "
        "or a table with the columns label,tissue"
    )
