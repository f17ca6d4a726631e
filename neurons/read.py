"""Cells from SWC and ASC files (MorphIO), micrometres to metres."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from rheobase._errors import InputError
from rheobase.neurons.compartments import compartments
from rheobase.neurons.generate import Cell
from rheobase.neurons.morphology import Floats, Kind, Skeleton

_KINDS = {2: Kind.UNMYELINATED, 3: Kind.BASAL, 4: Kind.APICAL}
_LARGEST_GAP = 50.0  # from the soma to the first point of a neurite (um)
_AXON_PARTS = (2, 5, 6, 7)  # 5 to 7: initial segment, nodes and internodes of the NeMo-TMS files


def read_skeleton(
    path: Path, *, up: tuple[float, float, float] = (0.0, 1.0, 0.0), unifurcated: bool = False
) -> Skeleton:
    """Read an SWC or ASC file.

    Parameters
    ----------
    path
        File, in µm.
    up
        Direction to the pia in the file; it becomes +z. Reconstructions use +y by custom.
    unifurcated
        Accept a change of type along an unbranched section, and read types 5 to 7 as axon, as the
        human layer 5 cell of NeMo-TMS needs.

    Raises
    ------
    InputError
        If the file cannot be read, has a loop, several roots, a detached piece, a diameter that
        is not > 0, or no axon.

    Notes
    -----
    The soma becomes a sphere of the same surface. A neurite whose first point lies up to 50 µm away
    from the soma is joined to it by a straight piece; one farther away is an error.
    """
    import morphio

    option = morphio.Option.no_modifier
    if unifurcated:
        option = morphio.Option.allow_unifurcated_section_change
        morphio.set_ignored_warning(morphio.Warning.type_changed_within_section, True)
    try:
        cell = morphio.Morphology(str(path), option)
    except (morphio.MorphioError, RuntimeError) as error:
        reason = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(str(error).split()))
        raise InputError(f"{path} must be an SWC or ASC morphology, got: {reason}") from error
    if path.suffix.lower() == ".swc":
        _check_loops(path)
    turn = _to_z(np.asarray(up, dtype=np.float64))
    centre, radius = _soma(cell, path)
    position: list[Floats] = [np.zeros(3)]
    diameter, parent, kind = [2 * radius], [-1], [int(Kind.SOMA)]
    last: dict[int, int] = {}
    for section in cell.iter():
        number = int(section.type)
        known = _AXON_PARTS if unifurcated else (2,)
        what = Kind.UNMYELINATED if number in known else _KINDS.get(number, Kind.BASAL)
        points = (np.asarray(section.points, dtype=np.float64) - centre) @ turn.T
        before = 0 if section.is_root else last[section.parent.id]
        gap = float(np.linalg.norm(points[0])) - radius
        if section.is_root and gap > _LARGEST_GAP:
            raise InputError(
                f"neurites must start at the soma, got one {gap:.0f} um away (a detached piece, or "
                f"a second root): {path}"
            )
        for i in range(0 if section.is_root else 1, len(points)):
            if section.is_root and np.linalg.norm(points[i]) < 1e-9:
                continue  # a neurite that starts at the soma's centre
            position.append(points[i])
            diameter.append(float(section.diameters[i]))
            parent.append(before)
            kind.append(int(what))
            before = len(parent) - 1
        last[section.id] = before
    try:
        return Skeleton(
            position=np.array(position) * 1e-6,
            diameter=np.array(diameter) * 1e-6,
            parent=np.array(parent, dtype=np.int32),
            kind=np.array(kind, dtype=np.int8),
        )
    except InputError as error:
        raise InputError(f"{error}: {path}") from error


def read_cell(
    path: Path,
    *,
    name: str,
    cell_class: str,
    membrane: str,
    layer: str,
    species: str,
    depth: float,
    thickness: float,
    seed: int | None = None,
    up: tuple[float, float, float] = (0.0, 1.0, 0.0),
    unifurcated: bool = False,
) -> Cell:
    """Read a cell, lay myelin and nodes on its axon by the rules, and cut it into compartments.

    Parameters
    ----------
    path, up, unifurcated
        As in `read_skeleton`.
    name, layer, species
        Labels; ``name`` also chooses the site threshold.
    cell_class, membrane
        As in `Cell`.
    depth, thickness
        Depth of the soma (0 pia … 1 white matter) and thickness (m) of its cortex.
    seed
        Draws the node phase; None spreads the nodes evenly.

    Raises
    ------
    InputError
        If the file is not a usable cell.
    """
    skeleton = read_skeleton(path, up=up, unifurcated=unifurcated)
    rng = None if seed is None else np.random.default_rng(seed)
    return Cell(
        name=name,
        cell_class=cell_class,
        membrane=membrane,
        layer=layer,
        species=species,
        depth=depth,
        thickness=thickness,
        skeleton=skeleton,
        morphology=compartments(skeleton, rng=rng),
        origin=path.name,
    )


def write_swc(skeleton: Skeleton, path: Path) -> None:
    """Write ``skeleton`` as SWC in µm, one line a point, +z to the pia."""
    codes = {Kind.SOMA: 1, Kind.UNMYELINATED: 2, Kind.BASAL: 3, Kind.APICAL: 4}
    lines = ["# rheobase: um; index type x y z radius parent"]
    for i in range(len(skeleton.parent)):
        x, y, z = skeleton.position[i] * 1e6
        parent = int(skeleton.parent[i])
        lines.append(
            f"{i + 1} {codes[Kind(int(skeleton.kind[i]))]} {x:.6f} {y:.6f} {z:.6f} "
            f"{skeleton.diameter[i] * 5e5:.6f} {parent + 1 if parent >= 0 else -1}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _check_loops(path: Path) -> None:
    """Raise where points of an SWC file form a loop: MorphIO leaves such points out silently."""
    table = np.loadtxt(path, comments="#", usecols=(0, 6), dtype=np.int64, ndmin=2)
    order = np.argsort(table[:, 0])
    ids, parents = table[order].T
    at = np.searchsorted(ids, np.where(parents < 0, ids, parents)).clip(max=len(ids) - 1)
    for _ in range(len(ids).bit_length()):  # pointer jumping: 2^k generations up
        at = at[at]
    lost = parents[at] >= 0
    if lost.any():
        raise InputError(
            f"a cell must be a tree, got a loop or a missing parent at point {ids[lost][0]}: {path}"
        )


def _soma(cell: object, path: Path) -> tuple[Floats, float]:
    """Centre (µm) and radius (µm) of the sphere of equal surface."""
    soma = cell.soma  # type: ignore[attr-defined]
    points = np.asarray(soma.points, dtype=np.float64)
    if len(points) == 0:
        raise InputError(f"a cell must have one soma, got none: {path}")
    if len(points) == 1:
        return points[0], 0.5 * float(soma.diameters[0])
    centre: Floats = points.mean(axis=0)
    if np.any(np.asarray(soma.diameters) > 0):
        return centre, float(np.sqrt(soma.surface / (4 * np.pi)))
    # a contour: the circle of equal mean distance
    return centre, float(np.linalg.norm(points - centre, axis=1).mean())


def _to_z(up: Floats) -> Floats:
    """Rotation that takes ``up`` to +z."""
    size = float(np.linalg.norm(up))
    if not size > 0:
        raise InputError("up must not be 0")
    z = up / size
    x = np.cross(np.eye(3)[np.abs(z).argmin()], z)
    x /= np.linalg.norm(x)
    out: Floats = np.stack([x, np.cross(z, x), z])
    return out
