"""What every head made of a ready mesh shares: tissues of its tags, repair, positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import input_keys
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.heads.sizes import check_size, sizes
from rheobase.meshes.heads.tissue_labels import LabelOption, opened_table, relabelled, tissues_of
from rheobase.meshes.heads.voxel_head import NEEDED
from rheobase.meshes.images.label_files import tissue_of_name
from rheobase.meshes.images.label_tables import OUTSIDE, LabelTable, label_counts
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.landmarks import check_landmarks
from rheobase.meshes.placing.positions import ten_ten
from rheobase.meshes.tissues import Tissue, load_tissues

Electrodes = Literal["keep", "drop"]
#: Tags of SimNIBS for the electrodes of a simulation: rubber or metal, and gel or sponge; one each.
RUBBER, GEL = range(100, 500), range(500, 900)
#: Six times the volume over the cube of the longest edge: below it is rounding.
FLAT = 1e-13


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tagged:
    """Tetrahedra with tags, as a file has them.

    Parameters
    ----------
    path
        The file.
    nodes
        Coordinates (m), shape (n_nodes, 3).
    tets
        Node indices, shape (n_tets, 4).
    tags
        Tag of each tetrahedron, shape (n_tets,).
    names
        Name of each tag, where the file has one.
    notes
        What the reader has to say.
    """

    path: Path
    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    tags: NDArray[np.integer[Any]]
    names: Mapping[int, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def head_of_tets(
    raw: Tagged,
    *,
    labels: LabelOption,
    tissues: Mapping[str, Tissue] | None,
    species: str,
    name: str | None,
    fiducials_mm: Mapping[str, Sequence[float]] | None,
    electrodes: Electrodes,
    made_by: str,
    more: Mapping[str, Any],
) -> Head:
    """Make a head of tagged tetrahedra.

    Parameters
    ----------
    raw
        The mesh as read.
    labels
        Tissue of each tag, as in `head_from_image`. If None (or "auto"), the names that the file
        gives its tags, else SimNIBS's numbers.
    tissues, species, name, fiducials_mm
        As in `head_from_image`.
    electrodes
        Whether tetrahedra of electrodes and gel stay in the head.
    made_by, more
        For the provenance.

    Returns
    -------
    Head
        In the space "scanner", without cortical sheet.

    Raises
    ------
    InputError
        If a tag has no tissue, tetrahedra have no volume, or the size is that of no head.
    """
    path, notes = raw.path, list(raw.notes)
    check_option("species", species, sizes())
    check_option("treatment of electrodes", electrodes, ("keep", "drop"))
    if not len(raw.tets):
        raise InputError(f"expected tetrahedra, got none: {path}")
    known = load_tissues() if tissues is None else tissues
    table, reason = _table(raw, labels, known)
    notes.append(reason)
    new = relabelled(raw.tags, table, "tetrahedra", str(path)).astype(np.int32)
    placed = _electrodes(raw, new, {known[k].label for k in ("electrode_rubber", "saline_gel")})
    if placed and electrodes == "drop":
        new[np.isin(raw.tags, [int(k) for k in placed])] = 0
        notes.append(f"electrodes left out: tags {', '.join(placed)}")
    mesh = repaired(raw.nodes, raw.tets[new > 0], new[new > 0], species, str(path), notes)
    surface = mesh.nodes[np.unique(mesh.boundary())] if fiducials_mm else mesh.nodes[:0]
    marks = check_landmarks(fiducials_mm or {}, surface, str(path))
    by_label = {t.label: t for t in table.values() if t is not None}
    return Head(
        name=name or path.name.split(".")[0],
        species=cast(Species, species),
        space="scanner",
        mesh=mesh,
        tissues={int(k): by_label[int(k)] for k in np.unique(mesh.labels)},
        fiducials=marks,
        positions=positions_of(mesh, marks, notes),
        provenance={
            "made by": made_by,
            "inputs": input_keys(path),
            "labels": {
                str(k): t.name if (t := table[k]) else OUTSIDE for k in label_counts(raw.tags)
            },
            **({"electrodes": placed} if placed else {}),
            **more,
            "notes": notes,
        },
    )


def positions_of(
    mesh: TetMesh, marks: dict[str, NDArray[np.float64]], notes: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the 10-10 positions (m) that follow from landmarks, none where some are missing."""
    missing = [k for k in NEEDED if k not in marks]
    if not marks or missing:
        if marks:
            notes.append(f"no 10-10 positions: they need the landmarks {', '.join(missing)} too")
        return {}
    return on_surface(mesh, ten_ten(mesh.nodes, mesh.boundary(), marks))


def repaired(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    labels: NDArray[np.int32],
    species: str,
    where: str,
    notes: list[str],
) -> TetMesh:
    """Return a conforming mesh of positive tetrahedra; what was mended is added to ``notes``.

    Nodes at the same place are joined, tetrahedra with a repeated corner and repeated tetrahedra
    left out, those inside out turned.

    Raises
    ------
    InputError
        If nothing is left, the size is that of no head, tetrahedra are flat, or two with the same
        corners have different labels.
    """
    if not len(tets):
        raise InputError(f"expected labelled tissue, all tetrahedra are outside: {where}")
    used = np.zeros(len(nodes), bool)
    used[tets] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    nodes, tets = nodes[used], number[tets]
    check_size(np.ptp(nodes, axis=0), species, where)
    nodes, tets = _joined(nodes, tets, notes)
    ordered = np.sort(tets, axis=1)
    collapsed = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if collapsed.any():
        notes.append(f"{np.count_nonzero(collapsed)} tetrahedra with a repeated corner left out")
    twice = _repeated(ordered, labels, where)
    if twice.any():
        notes.append(f"{np.count_nonzero(twice)} repeated tetrahedra left out")
    keep = ~(collapsed | twice)
    tets, labels = tets[keep], labels[keep]
    a, b, c, d = (nodes[tets[:, k]] for k in range(4))
    volume = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)
    longest = np.zeros(len(tets))
    for p, q in ((a, b), (a, c), (a, d), (b, c), (b, d), (c, d)):
        np.maximum(longest, np.einsum("ij,ij->i", p - q, p - q), out=longest)
    flat = ~(np.abs(volume) > FLAT * longest**1.5)
    if flat.any():
        place = ", ".join(f"{1e3 * x:.1f}" for x in nodes[tets[flat][0]].mean(axis=0))
        raise InputError(
            f"expected tetrahedra with a volume, {np.count_nonzero(flat)} have none, the first at "
            f"({place}) mm: {where}"
        )
    turned = volume < 0
    if turned.any():
        tets[turned] = tets[turned][:, [0, 2, 1, 3]]
        notes.append(f"{np.count_nonzero(turned)} of {len(tets)} tetrahedra turned right side out")
    return TetMesh(nodes=nodes, tets=tets, labels=labels)


def _joined(
    nodes: NDArray[np.float64], tets: NDArray[np.int32], notes: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Join nodes at exactly the same place: each region of some files has nodes of its own."""
    order = np.lexsort(nodes.T)
    same = (nodes[order[1:]] == nodes[order[:-1]]).all(axis=1)
    if not same.any():
        return nodes, tets
    first = np.concatenate([[True], ~same])
    group = np.empty(len(nodes), np.int64)
    group[order] = np.cumsum(first) - 1
    lowest = np.full(int(group.max()) + 1, len(nodes))
    np.minimum.at(lowest, group, np.arange(len(nodes)))
    kept = np.unique(lowest)
    notes.append(f"{len(nodes) - len(kept)} nodes joined with others at the same place")
    return nodes[kept], np.searchsorted(kept, lowest[group])[tets].astype(np.int32)


def _repeated(
    ordered: NDArray[np.int32], labels: NDArray[np.int32], where: str
) -> NDArray[np.bool_]:
    """Return which tetrahedra come a second time; their corners are in ``ordered``."""
    order = np.lexsort(ordered.T)
    again = (ordered[order[1:]] == ordered[order[:-1]]).all(axis=1)
    twice = np.zeros(len(ordered), bool)
    if again.any():
        mixed = again & (labels[order[1:]] != labels[order[:-1]])
        if mixed.any():
            raise InputError(
                f"expected one tag for each tetrahedron, {np.count_nonzero(mixed)} come twice with "
                f"different ones: {where}"
            )
        twice[order[1:][again]] = True
    return twice


def _table(
    raw: Tagged, labels: LabelOption, known: Mapping[str, Tissue]
) -> tuple[dict[int, Tissue | None], str]:
    """Return the tissue of each tag, and where it comes from."""
    own = labels is None or labels == "auto"
    present = list(label_counts(raw.tags))
    named = {k: tissue_of_name(raw.names[k]) for k in present if k in raw.names}
    by_name = {k: v for k, v in named.items() if v in (*known, OUTSIDE)}
    if own and by_name and len(by_name) == len(present):
        table = LabelTable(name="names", tissues=by_name, names=raw.names, source="the file")
        reason = "labels by the names of the tags in the file"
    else:
        table = opened_table(None if own else labels, known)
        reason = f"labels by {table.source}"
    found = tissues_of(table, known, f"labels of {raw.path}")
    if own or labels == "simnibs" or isinstance(labels, Mapping):
        for tag in present:
            if tag not in found and tag in RUBBER:
                found[tag] = known["electrode_rubber"]
            elif tag not in found and tag in GEL:
                found[tag] = known["saline_gel"]
    if own:
        for tag, tissue in by_name.items():
            found.setdefault(tag, None if tissue == OUTSIDE else known[str(tissue)])
    return found, reason


def _electrodes(raw: Tagged, new: NDArray[np.int32], labels: set[int]) -> dict[str, dict[str, Any]]:
    """Return number of tetrahedra and mean place (mm) of each tag of an electrode or its gel."""
    placed = {}
    for tag in np.unique(raw.tags[np.isin(new, list(labels))]).tolist():
        mine = raw.tets[raw.tags == tag]
        centre = raw.nodes[mine].mean(axis=(0, 1)) * 1e3
        placed[str(tag)] = {"tetrahedra": len(mine), "centre (mm)": centre.round(2).tolist()}
    return placed
