"""The shape of a cell: a tree of points, and the tree of compartments cut from it.

A `Skeleton` is what a file or the generator gives: points with a parent, a diameter and a kind. A
`Morphology` is what the cable equation needs: compartments in parent-before-child order with
membrane capacitance, leak and the axial conductance to the parent.

Each compartment is a cylinder whose unknown sits at its middle; two neighbours are joined by their
half cylinders in series. Where a section branches without a node of Ranvier, a compartment of zero
length (no membrane) carries the branch point, so that the children share the parent's last half
cylinder and the scheme stays of second order there (as the zero-area nodes of Hines 1984,
doi:10.1016/0020-7101(84)90008-4, do).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.constants import cell_constants

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class Kind(IntEnum):
    """What a piece of the cell is."""

    SOMA = 0
    BASAL = 1
    APICAL = 2
    INITIAL_SEGMENT = 3
    UNMYELINATED = 4
    INTERNODE = 5
    NODE = 6
    TERMINAL = 7  # the last compartment of an axon branch, a node where the branch has myelin


DENDRITE = (Kind.BASAL, Kind.APICAL)
AXON = (Kind.INITIAL_SEGMENT, Kind.UNMYELINATED, Kind.INTERNODE, Kind.NODE, Kind.TERMINAL)


def _check_tree(parent: Ints, what: str) -> None:
    if len(parent) == 0:
        raise InputError(f"{what} must have at least one point, got none")
    if parent[0] != -1:
        raise InputError(f"{what} must start with its root (parent -1), got parent {parent[0]}")
    if np.count_nonzero(parent < 0) != 1:
        raise InputError(f"{what} must have one root, got {np.count_nonzero(parent < 0)}")
    late = np.flatnonzero(parent >= np.arange(len(parent)))
    if len(late):
        raise InputError(
            f"{what} must list parents before children, without loops, "
            f"got parent {parent[late[0]]} of point {late[0]}"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Skeleton:
    """Points of a cell, each joined to its parent; the root is the soma's centre.

    Parameters
    ----------
    position
        Points (m), shape (n, 3). In the cell's own frame +z points to the pia.
    diameter
        Diameter (m), shape (n,); of an axon as traced: without its myelin.
    parent
        Index of the parent, -1 for the root, parents first, shape (n,).
    kind
        `Kind` of the piece from the parent to the point, shape (n,): SOMA for the root, else BASAL,
        APICAL or UNMYELINATED (any axon); INITIAL_SEGMENT, INTERNODE and NODE besides where the
        myelin is known.
    cut
        Whether the tip is artificial (a trunk that would go on), shape (n,); none when left out.

    Raises
    ------
    InputError
        If there are several roots, loops, diameters not > 0 or no axon.
    """

    position: Floats
    diameter: Floats
    parent: Ints
    kind: NDArray[np.int8]
    cut: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check tree, diameters and kinds."""
        set_ = object.__setattr__
        set_(self, "position", np.ascontiguousarray(self.position, dtype=np.float64))
        set_(self, "diameter", np.ascontiguousarray(self.diameter, dtype=np.float64))
        set_(self, "parent", np.ascontiguousarray(self.parent, dtype=np.int32))
        set_(self, "kind", np.ascontiguousarray(self.kind, dtype=np.int8))
        n = len(self.parent)
        cut = np.zeros(n, dtype=bool) if self.cut is None else np.asarray(self.cut, dtype=bool)
        set_(self, "cut", cut)
        shapes = (self.position.shape, self.diameter.shape, self.kind.shape, cut.shape)
        if shapes != ((n, 3), (n,), (n,), (n,)):
            raise InputError(
                f"points of a cell must share one length, got {shapes} for {n} parents"
            )
        _check_tree(self.parent, "a cell")
        bad = np.flatnonzero(~(self.diameter > 0))
        if len(bad):
            raise InputError(
                f"diameters must be > 0 m, got {self.diameter[bad[0]]:g} at point {bad[0]}"
            )
        if self.kind[0] != Kind.SOMA:
            raise InputError(f"the root must be the soma, got {Kind(self.kind[0]).name}")
        if not np.isin(self.kind, AXON).any():
            raise InputError(f"a cell must have an axon, got none among {n} points")
        lost = np.flatnonzero(~np.isfinite(self.position).all(axis=1))
        if len(lost):
            raise InputError(
                f"points must be finite, got {self.position[lost[0]].tolist()} m at point {lost[0]}"
            )

    def statistics(self) -> dict[str, float]:
        """Return length, tips, mean diameter and extent of axon and dendrites.

        Returns
        -------
        dict
            ``axon_length``, ``basal_length``, ``apical_length`` (m); ``…_tips`` (1);
            ``…_diameter`` (m, length-weighted mean); ``…_width``, ``…_top``, ``…_bottom`` (m, from
            the soma).
        """
        step = np.zeros(len(self.parent))
        step[1:] = np.linalg.norm(
            self.position[1:] - self.position[self.parent[1:]], axis=1
        )  # from the soma's centre: the first piece is counted whole
        has_child = np.zeros(len(self.parent), dtype=bool)
        has_child[self.parent[1:]] = True
        out: dict[str, float] = {}
        names = {"axon": AXON, "basal": (Kind.BASAL,), "apical": (Kind.APICAL,)}
        for name, kinds in names.items():
            of = np.isin(self.kind, kinds)
            length = float(step[of].sum())
            out[f"{name}_length"] = length
            out[f"{name}_tips"] = float(np.count_nonzero(of & ~has_child))
            if of.any():
                p = self.position[of] - self.position[0]
                out[f"{name}_diameter"] = float((step * self.diameter)[of].sum() / length)
                out[f"{name}_width"] = float(np.ptp(p[:, 0]) + np.ptp(p[:, 1])) / 2
                out[f"{name}_top"], out[f"{name}_bottom"] = (
                    float(p[:, 2].max()),
                    float(p[:, 2].min()),
                )
        return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Morphology:
    """Compartments of a cell in parent-before-child order.

    Parameters
    ----------
    parent
        Index of the parent compartment, -1 for the soma, shape (n,).
    start, centre, end
        Beginning, middle and end of the compartment's axis (m), shape (n, 3) each.
    length, diameter
        Length and diameter of the cable (m), shape (n,); length 0 at a bare branch point. Of an
        internode it is the outer diameter, as in the Aberra 2018 cells: see `area`.
    kind
        `Kind`, shape (n,).
    axon_diameter
        Diameter inside the sheath (m), the traced one, shape (n,); elsewhere the same as
        ``diameter``.
    site
        Whether a spike may start here (axon membrane, not beside an artificial end), shape (n,).
    resistivity
        Axial resistivity (ohm m).

    Raises
    ------
    InputError
        If the tree is not one, a diameter is not > 0, or there is no axon.
    """

    parent: Ints
    start: Floats
    centre: Floats
    end: Floats
    length: Floats
    diameter: Floats
    kind: NDArray[np.int8]
    axon_diameter: Floats
    site: NDArray[np.bool_]
    resistivity: float

    def __post_init__(self) -> None:
        """Check the tree, sizes and kinds."""
        set_ = object.__setattr__
        for name in ("start", "centre", "end", "length", "diameter", "axon_diameter"):
            set_(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float64))
        set_(self, "parent", np.ascontiguousarray(self.parent, dtype=np.int32))
        set_(self, "kind", np.ascontiguousarray(self.kind, dtype=np.int8))
        set_(self, "site", np.ascontiguousarray(self.site, dtype=bool))
        _check_tree(self.parent, "a morphology")
        bad = np.flatnonzero(~(self.diameter > 0) | ~(self.length >= 0))
        if len(bad):
            i = bad[0]
            raise InputError(
                f"diameters must be > 0 m and lengths >= 0 m, got {self.diameter[i]:g} and "
                f"{self.length[i]:g} at compartment {i}"
            )
        if not self.resistivity > 0:
            raise InputError(f"resistivity must be > 0 ohm m, got {self.resistivity!r}")
        if not np.isin(self.kind, AXON).any():
            raise InputError(f"a cell must have an axon, got none in {len(self)} compartments")

    def __len__(self) -> int:
        """Return the number of compartments."""
        return len(self.parent)

    @property
    def area(self) -> Floats:
        """Membrane area (m²), shape (n,); of an internode that of its outer surface.

        The Aberra 2018 cells (doi:10.1088/1741-2552/aadbb1) give an internode the fibre's outer
        diameter for membrane and axial current alike; their thresholds were published so.
        """
        area: Floats = np.pi * self.diameter * self.length
        return area

    @property
    def capacitance(self) -> Floats:
        """Membrane capacitance (F), shape (n,); of dendrites doubled for their spines."""
        c = cell_constants()
        per_area = np.full(len(self), c["membrane_capacitance"])
        per_area[self.kind == Kind.INTERNODE] = c["myelin_capacitance"]
        per_area[np.isin(self.kind, DENDRITE)] = c["dendrite_capacitance"]
        out: Floats = per_area * self.area
        return out

    @property
    def leak(self) -> Floats:
        """Membrane conductance at rest (S), shape (n,)."""
        c = cell_constants()
        per_area = np.where(
            self.kind == Kind.INTERNODE, c["myelin_conductance"], c["membrane_conductance"]
        )
        out: Floats = per_area * self.area
        return out

    @property
    def axial(self) -> Floats:
        """Axial conductance to the parent (S), shape (n,), 0 for the root.

        A soma at the root counts as isopotential: its branches start at the surface.
        """
        half = self.resistivity * 0.5 * self.length / (0.25 * np.pi * self.diameter**2)
        if self.kind[0] == Kind.SOMA:
            half[0] = 0.0
        out: Floats = np.zeros(len(self))
        out[1:] = 1.0 / (half[1:] + half[self.parent[1:]])
        return out

    @property
    def is_axon(self) -> NDArray[np.bool_]:
        """Whether each compartment belongs to the axon, shape (n,)."""
        return np.isin(self.kind, AXON)

    def count(self) -> dict[str, Any]:
        """Return the number of compartments of each kind."""
        return {k.name.lower(): int(np.count_nonzero(self.kind == k)) for k in Kind}
