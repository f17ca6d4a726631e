"""Cells from SWC and ASC files (MorphIO), micrometres to metres, and their adult sizes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.axons import axon_diameter, g_ratio
from rheobase.neurons.compartments import compartments
from rheobase.neurons.constants import species_scaling
from rheobase.neurons.generate import Cell, cell_classes
from rheobase.neurons.morphology import AXON, Floats, Kind, Skeleton

_KINDS = {2: Kind.UNMYELINATED, 3: Kind.BASAL, 4: Kind.APICAL}
_DIVIDED = _KINDS | {
    2: Kind.INITIAL_SEGMENT,
    5: Kind.INTERNODE,
    6: Kind.NODE,
    7: Kind.UNMYELINATED,
}
# From the surface of the soma to the first point of a piece (um): of a neurite that an SWC file
# ties to the soma, of one tied to nothing, and of the trees of an ASC file, which are never tied
# (those of published cells, around contours, begin up to 13 um away).
_TIED_GAP, _ROOT_GAP, _TREE_GAP = 50.0, 5.0, 20.0
_LEAST_REACH, _LARGEST_REACH = 20.0, 1e5  # largest side of a cell's box (um)


def read_skeleton(
    path: Path, *, up: tuple[float, float, float] = (0.0, 1.0, 0.0), divided: bool = False
) -> Skeleton:
    """Read an SWC or ASC file.

    Parameters
    ----------
    path
        File, in µm.
    up
        Direction to the pia in the file; it becomes +z. Reconstructions use +y by custom.
    divided
        Whether the axon of an SWC file is divided already, as that of the human layer 5 cell of
        NeMo-TMS: types 2 initial segment, 5 internodes with their outer diameter, 6 nodes, 7 bare
        axon. That division is then kept.

    Raises
    ------
    InputError
        If the file cannot be read, has a loop, a root or piece that does not begin at the soma,
        points of unknown type, a diameter that is not > 0, or no axon.

    Notes
    -----
    The soma becomes a sphere of the same surface. A piece that begins a little off the soma's
    surface is joined to it by a straight one: up to 50 µm where an SWC file names the soma as its
    parent, up to 5 µm where it names none (a second root), up to 20 µm for the trees of an ASC
    file, which names no parents. One farther away is an error.
    """
    import morphio

    options = morphio.Option
    option = options.allow_unifurcated_section_change if divided else options.no_modifier
    try:
        cell = morphio.Morphology(str(path), option, morphio.WarningHandlerCollector())
    except (morphio.MorphioError, RuntimeError) as error:
        reason = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(str(error).split()))
        if "Section type changed" in reason:
            reason = "a type that changes along a branch (divided=True reads a divided axon)"
        raise InputError(f"{path} must be an SWC or ASC morphology, got: {reason}") from error
    turn = _to_z(np.asarray(up, dtype=np.float64))
    centre, radius = _soma(cell, path)
    kinds = _DIVIDED if divided else _KINDS
    table = _swc_table(path) if path.suffix.lower() == ".swc" else None
    if table is not None:
        _check_loops(table, path)
        odd = ~np.isin(table[:, 1], [1, *kinds])  # MorphIO deals out type 0 at forks as another
        if odd.any():
            number, kind_of_it = table[odd][0, :2].astype(int)
            raise _unknown_type(kind_of_it, f"{path}, point {number}", divided)
    position: list[Floats] = [np.zeros((1, 3))]
    diameter, parent, kind = [2 * radius], [-1], [int(Kind.SOMA)]
    last: dict[int, int] = {}
    for section in cell.iter():
        number = int(section.type)
        if number not in kinds:
            raise _unknown_type(number, str(path), divided)
        points = (np.asarray(section.points, dtype=np.float64) - centre) @ turn.T
        widths = np.asarray(section.diameters, dtype=np.float64)
        if section.is_root:
            keep = np.linalg.norm(points, axis=1) > 1e-9  # a neurite may start at the soma's centre
        else:
            keep = np.arange(len(points)) > 0
        points, widths = points[keep], widths[keep]
        if kinds[number] == Kind.INTERNODE:
            widths = 1e6 * axon_diameter(1e-6 * widths)
        before = 0 if section.is_root else last[section.parent.id]
        new = len(parent)
        position.append(points)
        diameter.extend(widths.tolist())
        kind.extend([int(kinds[number])] * len(points))
        parent.extend([before, *range(new, new + len(points) - 1)][: len(points)])
        last[section.id] = len(parent) - 1 if len(points) else before
    reach = float(np.ptp(np.concatenate(position), axis=0).max())
    if not _LEAST_REACH <= reach <= _LARGEST_REACH:
        raise InputError(
            f"a cell must be {_LEAST_REACH:.0f} to {_LARGEST_REACH:.0f} um wide or tall, got "
            f"{reach:.3g}, perhaps in another unit: {path}"
        )
    _check_gaps(cell, table, centre, radius, path)
    try:
        return Skeleton(
            position=np.concatenate(position) * 1e-6,
            diameter=np.array(diameter) * 1e-6,
            parent=np.array(parent, dtype=np.int32),
            kind=np.array(kind, dtype=np.int8),
        )
    except InputError as error:
        raise InputError(f"{error}: {path}") from error


def adult_size(skeleton: Skeleton, species: str) -> Skeleton:
    """Return a reconstruction of a young (P14) rat with the sizes of an adult.

    Diameters of soma, dendrites and axon and the length of basal dendrites are multiplied, as the
    Aberra 2018 cells are (doi:10.1088/1741-2552/aadbb1; ``data/species_scaling.csv``).

    Parameters
    ----------
    skeleton
        The cell.
    species
        Whose factors to take.

    Raises
    ------
    InputError
        If there are no factors for the species.
    """
    size = species_scaling(species)
    kind, d = skeleton.kind, skeleton.diameter.copy()
    basal = kind == Kind.BASAL
    d[0] *= size["soma_diameter"]
    d[basal] *= size["basal_diameter"]
    d[kind == Kind.APICAL] *= size["apical_diameter"]
    d[np.isin(kind, AXON)] *= size["axon_diameter"]
    x = skeleton.position.copy()
    x[basal] = x[0] + size["basal_length"] * (x[basal] - x[0])
    return replace(skeleton, position=x, diameter=d)


def cut_main_axon(skeleton: Skeleton) -> Skeleton:
    """Return the cell with the end of its main axon taken as cut, where no spike may start.

    The main axon follows the thickest branch at every fork, as in the Aberra 2018 cells.
    """
    axon = np.flatnonzero(np.isin(skeleton.kind, AXON))
    children: dict[int, list[int]] = {}
    for i in axon.tolist():
        children.setdefault(int(skeleton.parent[i]), []).append(i)
    tip = int(axon[0])
    while tip in children:
        tip = max(children[tip], key=lambda i: float(skeleton.diameter[i]))
    cut = np.zeros(len(skeleton.parent), dtype=bool)
    cut[tip] = True
    return replace(skeleton, cut=cut)


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
    divided: bool = False,
    adult: str | None = None,
    cut: bool = False,
) -> Cell:
    """Read a cell, lay myelin and nodes on its axon by the rules, and cut it into compartments.

    Parameters
    ----------
    path, up, divided
        As in `read_skeleton`.
    name, layer, species
        Labels; ``name`` also chooses the site threshold.
    cell_class, membrane
        As in `Cell`.
    depth, thickness
        Depth of the soma (0 pia … 1 white matter) and thickness (m) of its cortex.
    seed
        Draws the node phase; None divides the axon as the Aberra 2018 cells.
    adult
        Species whose adult sizes a young rat's cell takes (`adult_size`); its own when None.
    cut
        Whether the end of the main axon is a cut, where no spike may start (`cut_main_axon`).

    Raises
    ------
    InputError
        If the file is not a usable cell, or class, membrane, species or layer are unknown.
    """
    from rheobase.neurons.membrane import membranes

    check_option("membrane", membrane, membranes())
    check_option("cell class", cell_class, cell_classes())
    check_option(f"layer of the {species} cortex", layer, layer_table(species).bounds)
    if not (0 <= depth <= 1 and thickness > 0):
        raise InputError(
            f"depth must be 0 to 1 and thickness > 0 m, got {depth!r} and {thickness!r}: {path}"
        )
    skeleton = read_skeleton(path, up=up, divided=divided)
    if adult is not None:
        skeleton = adult_size(skeleton, adult)
    if cut:
        skeleton = cut_main_axon(skeleton)
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
    """Write ``skeleton`` as SWC in µm, one line a point, +z to the pia.

    A divided axon is written as `read_skeleton` reads it.
    """
    divided = bool(np.isin(skeleton.kind, (Kind.INTERNODE, Kind.NODE)).any())
    codes = {what: number for number, what in (_DIVIDED if divided else _KINDS).items()}
    codes[Kind.SOMA] = 1
    sheath = skeleton.kind == Kind.INTERNODE
    outer = np.where(sheath, skeleton.diameter / g_ratio(skeleton.diameter), skeleton.diameter)
    lines = ["# rheobase: um; index type x y z radius parent"]
    for i in range(len(skeleton.parent)):
        x, y, z = skeleton.position[i] * 1e6
        parent = int(skeleton.parent[i])
        lines.append(
            f"{i + 1} {codes[Kind(int(skeleton.kind[i]))]} {x:.6f} {y:.6f} {z:.6f} "
            f"{outer[i] * 5e5:.6f} {parent + 1 if parent >= 0 else -1}"
        )
    with whole_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _unknown_type(number: int, where: str, divided: bool) -> InputError:
    kinds = ", ".join(map(str, _DIVIDED if divided else _KINDS))
    hint = "" if divided else " (divided=True reads 5 to 7 as parts of an axon)"
    return InputError(f"points must be of the types {kinds}, got type {number}{hint}: {where}")


def _swc_table(path: Path) -> Floats:
    """Return the points of an SWC file (index, type, x, y, z, radius, parent), by index."""
    table = np.loadtxt(path, comments="#", usecols=range(7), dtype=np.float64, ndmin=2)
    out: Floats = table[np.argsort(table[:, 0])]
    return out


def _check_loops(table: Floats, path: Path) -> None:
    """Raise where points of an SWC file form a loop: MorphIO leaves such points out silently."""
    ids, parents = table[:, [0, 6]].T.astype(np.int64)
    at = np.searchsorted(ids, np.where(parents < 0, ids, parents)).clip(max=len(ids) - 1)
    for _ in range(len(ids).bit_length()):  # pointer jumping: 2^k generations up
        at = at[at]
    lost = parents[at] >= 0
    if lost.any():
        raise InputError(
            f"a cell must be a tree, got a loop or a missing parent at point {ids[lost][0]}: {path}"
        )


def _check_gaps(
    cell: object, table: Floats | None, centre: Floats, radius: float, path: Path
) -> None:
    """Raise where a piece begins too far from the surface of the soma, as sphere or as drawn."""
    if table is None:
        roots = cell.root_sections  # type: ignore[attr-defined]
        first = np.array([section.points[0] for section in roots], dtype=np.float64).reshape(-1, 3)
        names = [f"the one at ({x:.1f}, {y:.1f}, {z:.1f}) um" for x, y, z in first]
        limit = np.full(len(first), _TREE_GAP)
    else:
        in_soma = table[:, 1] == 1
        root = table[:, 6] < 0
        starts = ~in_soma & (root | np.isin(table[:, 6], table[in_soma, 0]))
        first = table[starts, 2:5]
        names = [f"point {number:.0f}" for number in table[starts, 0]]
        limit = np.where(root[starts], _ROOT_GAP, _TIED_GAP)
    gap = np.linalg.norm(first - centre, axis=1) - radius
    soma = cell.soma  # type: ignore[attr-defined]
    for point, width in zip(soma.points, soma.diameters, strict=True):
        gap = np.minimum(gap, np.linalg.norm(first - point, axis=1) - 0.5 * width)
    far = gap - limit
    if (far > 0).any():
        worst = int(far.argmax())
        raise InputError(
            f"every piece must start at the soma, within {limit[worst]:.0f} um of its surface, got "
            f"{names[worst]} {gap[worst]:.0f} um away, one of {np.count_nonzero(far > 0)} detached "
            f"pieces or further roots: {path}"
        )


def _soma(cell: object, path: Path) -> tuple[Floats, float]:
    """Centre (µm) and radius (µm) of the sphere of equal surface."""
    import morphio

    soma = cell.soma  # type: ignore[attr-defined]
    points = np.asarray(soma.points, dtype=np.float64)
    if len(points) == 0:
        raise InputError(f"a cell must have one soma, got none: {path}")
    if len(points) == 1:
        return points[0], 0.5 * float(soma.diameters[0])
    centre: Floats = points.mean(axis=0)
    if cell.soma_type != morphio.SomaType.SOMA_SIMPLE_CONTOUR:  # type: ignore[attr-defined]
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
