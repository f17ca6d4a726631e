"""From a skeleton to compartments: sections, myelin, lengths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rheobase._errors import InputError
from rheobase.neurons.axons import Piece, g_ratio, plan_branch
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.morphology import AXON, Floats, Kind, Morphology, Skeleton

_BARE = (Kind.INITIAL_SEGMENT, Kind.UNMYELINATED, Kind.NODE, Kind.TERMINAL)


@dataclass(slots=True)
class _Rows:
    """Compartments under construction; positions follow from their places along the sections."""

    parent: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    length: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)

    def add(self, parent: int, kind: Kind, length: float, start: float, end: float) -> int:
        self.parent.append(parent)
        self.kind.append(int(kind))
        self.length.append(length)
        self.start.append(start)
        self.end.append(end)
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
        Draws the node phase of every branch; None divides it as the Aberra 2018 cells. A skeleton
        that tells internodes from nodes keeps its own.

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
    sections, children = _sections(skeleton)
    arc, table, begin, span = _unroll(skeleton, sections)
    divided = bool(np.isin(skeleton.kind, (Kind.INTERNODE, Kind.NODE)).any())
    d = float(skeleton.diameter[0])
    out = _Rows()
    out.add(-1, Kind.SOMA, d, 0.0, 0.0)
    last_of = {0: 0}  # point that ends a section: its last compartment
    tips_cut: list[int] = []
    for points, s, length in zip(sections, begin.tolist(), span.tolist(), strict=True):
        first, tip, before = points[0], points[-1], int(skeleton.parent[points[0]])
        kind = Kind(int(skeleton.kind[first]))
        pieces: list[Piece] = [(length, kind)] if length > 0 else []
        if kind == Kind.UNMYELINATED and length > 0 and not divided:
            pieces = plan_branch(
                length,
                float(skeleton.diameter[first]),
                first=int(skeleton.kind[before]) not in AXON,
                terminal=not children[tip],
                rng=rng,
            )
        last = last_of[before]
        for size, what in pieces:
            parts = max(1, int(np.ceil(size / longest.get(what, np.inf) - 1e-9)))
            part = size / parts
            for _ in range(parts):
                last = out.add(last, what, part, s, s + part)
                s += part
        if not children[tip] and out.kind[last] in _BARE:
            out.kind[last] = int(Kind.TERMINAL)
        if skeleton.cut is not None and skeleton.cut[tip]:
            tips_cut.append(last)
        if len(children[tip]) > 1 and last != 0:
            last = out.add(last, Kind(out.kind[last]), 0.0, s, s)
        last_of[tip] = last
    return _finish(out, skeleton, arc, table, tips_cut)


def _sections(skeleton: Skeleton) -> tuple[list[list[int]], list[list[int]]]:
    """Return the points of each unbranched stretch of one kind, depth first, and all children."""
    children: list[list[int]] = [[] for _ in skeleton.parent]
    for i, p in enumerate(skeleton.parent[1:].tolist(), start=1):
        children[p].append(i)
    kind = skeleton.kind.tolist()
    sections = []
    stack = children[0][::-1]
    while stack:
        points = [stack.pop()]
        while len(children[points[-1]]) == 1 and kind[children[points[-1]][0]] == kind[points[0]]:
            points.append(children[points[-1]][0])
        sections.append(points)
        stack.extend(children[points[-1]][::-1])
    return sections, children


def _unroll(skeleton: Skeleton, sections: list[list[int]]) -> tuple[Floats, Floats, Floats, Floats]:
    """Lay all sections along one line, 1 m between them.

    Returns
    -------
    tuple
        Place on the line (m) and x, y, z, diameter (m) of every point of every section, shapes
        (k,) and (k, 4); beginning and length of each section (m). A section from the soma starts
        at the soma's surface; a branch begins with its own diameter.
    """
    size = np.array([len(points) + 1 for points in sections])
    head = np.concatenate([[0], np.cumsum(size)[:-1]])
    rows = np.empty(int(size.sum()), dtype=np.int64)
    inner = np.ones(len(rows), dtype=bool)
    inner[head] = False
    rows[inner] = np.concatenate(sections)
    rows[head] = skeleton.parent[rows[head + 1]]
    table = np.column_stack([skeleton.position[rows], skeleton.diameter[rows]])
    table[head, 3] = table[head + 1, 3]
    stem = head[rows[head] == 0]
    step = table[stem + 1, :3] - table[stem, :3]
    reach = np.linalg.norm(step, axis=1)
    # a first point inside the soma leaves that piece without length
    share = np.minimum(1.0, 0.5 * skeleton.diameter[0] / np.where(reach > 0, reach, np.inf))
    table[stem, :3] += share[:, None] * step
    gap = np.linalg.norm(np.diff(table[:, :3], axis=0), axis=1)
    gap[head[1:] - 1] = 1.0
    arc = np.concatenate([[0.0], np.cumsum(gap)])
    return arc, table, arc[head], arc[head + size - 1] - arc[head]


def _along(s: Floats, arc: Floats, table: Floats) -> Floats:
    """Interpolate the columns of ``table`` (given at ``arc``) at arc lengths ``s``."""
    i = np.clip(np.searchsorted(arc, s, side="right") - 1, 0, len(arc) - 2)
    step = arc[i + 1] - arc[i]
    t = np.clip((s - arc[i]) / np.where(step > 0, step, 1.0), 0.0, 1.0)[:, None]
    out: Floats = table[i] + t * (table[i + 1] - table[i])
    return out


def _finish(
    out: _Rows, skeleton: Skeleton, arc: Floats, table: Floats, tips_cut: list[int]
) -> Morphology:
    kind = np.array(out.kind, dtype=np.int8)
    length = np.array(out.length)
    parent = np.array(out.parent, dtype=np.int32)
    start, end = np.array(out.start), np.array(out.end)
    first, middle, last = (_along(x, arc, table) for x in (start, 0.5 * (start + end), end))
    soma, d = skeleton.position[0], skeleton.diameter[0]
    up = np.array([0.0, 0.0, 0.5 * d])
    first[0, :3], last[0, :3], middle[0] = soma - up, soma + up, [*soma, d]
    axon = middle[:, 3]
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
        start=first[:, :3],
        centre=middle[:, :3],
        end=last[:, :3],
        length=length,
        diameter=np.where(kind == Kind.INTERNODE, axon / g_ratio(axon), axon),
        kind=kind,
        axon_diameter=axon,
        site=site,
        resistivity=cell_constants()["axial_resistivity"],
    )
