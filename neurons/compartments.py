"""From a skeleton to compartments: sections, myelin, lengths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rheobase._errors import InputError
from rheobase.neurons.axons import Piece, g_ratio, plan_branch
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.morphology import Floats, Ints, Kind, Morphology, Skeleton

_BARE = (Kind.INITIAL_SEGMENT, Kind.UNMYELINATED, Kind.NODE, Kind.TERMINAL)


@dataclass(slots=True)
class _Rows:
    """Compartments under construction."""

    parent: list[int] = field(default_factory=list)
    start: list[Floats] = field(default_factory=list)
    centre: list[Floats] = field(default_factory=list)
    end: list[Floats] = field(default_factory=list)
    length: list[float] = field(default_factory=list)
    axon: list[float] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)

    def add(
        self,
        parent: int,
        ends: tuple[Floats, Floats, Floats],
        length: float,
        diameter: float,
        kind: Kind,
    ) -> int:
        self.parent.append(parent)
        for column, point in zip((self.start, self.centre, self.end), ends, strict=True):
            column.append(point)
        self.length.append(length)
        self.axon.append(diameter)
        self.kind.append(int(kind))
        return len(self.parent) - 1


def compartments(
    skeleton: Skeleton,
    *,
    max_dendrite: float = 25e-6,
    max_bare_axon: float = 10e-6,
    max_internode: float = 150e-6,
    rng: np.random.Generator | None = None,
) -> Morphology:
    """Cut ``skeleton`` into compartments and lay myelin and nodes on its axon.

    Parameters
    ----------
    skeleton
        The cell.
    max_dendrite, max_bare_axon, max_internode
        Longest compartment (m) of dendrites, of bare axon and of internodes.
    rng
        Draws the node phase of every branch; None spreads nodes evenly.

    Raises
    ------
    InputError
        If a length is not > 0 m.

    Notes
    -----
    Compartments follow the curved path: length is arc length, the centre lies on the path.
    """
    for name, value in (
        ("max_dendrite", max_dendrite),
        ("max_bare_axon", max_bare_axon),
        ("max_internode", max_internode),
    ):
        if not value > 0:
            raise InputError(f"{name} must be > 0 m, got {value!r}")
    longest = {
        Kind.BASAL: max_dendrite,
        Kind.APICAL: max_dendrite,
        Kind.INITIAL_SEGMENT: max_bare_axon,
        Kind.UNMYELINATED: max_bare_axon,
        Kind.INTERNODE: max_internode,
    }
    children = _children(skeleton.parent)
    out = _Rows()
    soma, d = skeleton.position[0], float(skeleton.diameter[0])
    up = np.array([0.0, 0.0, 0.5 * d])
    out.add(-1, (soma - up, soma, soma + up), d, d, Kind.SOMA)
    tips_cut: list[int] = []
    # depth first: first point of a section, compartment it hangs on, initial segment still to lay
    stack = [(c, 0, -1.0) for c in reversed(children[0])]
    while stack:
        first, last, bare = stack.pop()
        points = [first]
        while len(children[points[-1]]) == 1 and (
            skeleton.kind[children[points[-1]][0]] == skeleton.kind[first]
        ):
            points.append(children[points[-1]][0])
        tip = points[-1]
        kind = Kind(int(skeleton.kind[first]))
        path, arc = _path(skeleton, first, points)
        length = float(arc[-1])
        pieces: list[Piece] = [(length, kind)] if length > 0 else []
        if kind == Kind.UNMYELINATED and length > 0:
            if bare < 0:
                bare = cell_constants()["initial_segment"]
            diameters = np.interp(0.5 * (arc[1:] + arc[:-1]), arc, _ends(skeleton, first, points))
            mean = float(np.average(diameters, weights=np.diff(arc)))
            pieces = plan_branch(length, mean, bare=bare, terminal=not children[tip], rng=rng)
            bare = max(0.0, bare - length)
        parts = [
            max(1, int(np.ceil(size / longest.get(what, np.inf) - 1e-9))) for size, what in pieces
        ]
        edges = [0.0]
        for (size, _), n in zip(pieces, parts, strict=True):
            edges.extend(edges[-1] + size * (np.arange(1, n + 1) / n))
        border = np.array(edges)
        table = np.column_stack([path, _ends(skeleton, first, points)])
        along = _along(border, arc, table)[:, :3]
        middle = _along(0.5 * (border[1:] + border[:-1]), arc, table)
        widths = middle[:, 3].tolist()
        k = 0
        for (size, what), n in zip(pieces, parts, strict=True):
            for _ in range(n):
                ends = (along[k], middle[k, :3], along[k + 1])
                last = out.add(last, ends, size / n, widths[k], what)
                k += 1
        if not children[tip] and kind == Kind.UNMYELINATED and out.kind[last] != Kind.TERMINAL:
            out.kind[last] = int(Kind.TERMINAL)
        if skeleton.cut is not None and skeleton.cut[tip]:
            tips_cut.append(last)
        if len(children[tip]) > 1 and last != 0 and out.kind[last] != Kind.NODE:
            p = out.end[last]
            last = out.add(last, (p, p, p), 0.0, out.axon[last], Kind(out.kind[last]))
        stack.extend((c, last, bare) for c in reversed(children[tip]))
    return _finish(out, tips_cut)


def _children(parent: Ints) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parent]
    for i, p in enumerate(parent[1:], start=1):
        children[p].append(i)
    return children


def _path(skeleton: Skeleton, first: int, points: list[int]) -> tuple[Floats, Floats]:
    """Polyline of a section and its arc length; from the soma it starts at the surface."""
    p = int(skeleton.parent[first])
    path = np.vstack([skeleton.position[p], skeleton.position[points]])
    if p == 0:
        radius = 0.5 * skeleton.diameter[0]
        step = path[1] - path[0]
        reach = float(np.linalg.norm(step))
        if reach > 0:  # a first point inside the soma leaves that piece without length
            path[0] += step * min(1.0, radius / reach)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    return path, arc


def _along(s: Floats, arc: Floats, table: Floats) -> Floats:
    """Interpolate the columns of ``table`` (given at ``arc``) at arc lengths ``s``."""
    if len(arc) < 2 or len(s) == 0:
        return np.broadcast_to(table[:1], (len(s), table.shape[1]))
    i = np.clip(np.searchsorted(arc, s, side="right") - 1, 0, len(arc) - 2)
    step = arc[i + 1] - arc[i]
    t = np.clip((s - arc[i]) / np.where(step > 0, step, 1.0), 0.0, 1.0)[:, None]
    out: Floats = table[i] + t * (table[i + 1] - table[i])
    return out


def _ends(skeleton: Skeleton, first: int, points: list[int]) -> Floats:
    """Diameter at each point of the section's path; a branch begins with its own diameter."""
    d = skeleton.diameter[points]
    return np.concatenate([d[:1], d])


def _finish(out: _Rows, tips_cut: list[int]) -> Morphology:
    kind = np.array(out.kind, dtype=np.int8)
    axon = np.array(out.axon)
    length = np.array(out.length)
    parent = np.array(out.parent, dtype=np.int32)
    site = np.isin(kind, _BARE) & (length > 0)
    margin = int(cell_constants()["cut_margin_nodes"])
    for tip in tips_cut:
        i, passed = tip, 0
        while i > 0 and passed < margin:
            passed += int(kind[i] in (Kind.NODE, Kind.TERMINAL))
            site[i] = False
            i = int(parent[i])
    return Morphology(
        parent=parent,
        start=np.array(out.start),
        centre=np.array(out.centre),
        end=np.array(out.end),
        length=length,
        diameter=np.where(kind == Kind.INTERNODE, axon / g_ratio(axon), axon),
        kind=kind,
        axon_diameter=axon,
        site=site,
        resistivity=cell_constants()["axial_resistivity"],
    )
