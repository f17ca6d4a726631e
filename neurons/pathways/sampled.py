"""The potential along axons for every source, and what has become of each axon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.fibres.curved import potential_along, potential_at
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.placing import FEWEST, PlacedAxons
from rheobase.neurons.sample import has_potential


class Fate(IntEnum):
    """What has become of an axon."""

    WHOLE = 0
    CUT = 1  # leaves the mesh: its longest stretch inside is judged
    DAMAGED = 2  # crosses the lead or its encapsulation
    OUTSIDE = 3  # has no stretch of enough nodes inside the mesh
    SHORT = 4  # has too few nodes to be judged


class Body(Protocol):
    """What fibres cannot cross: a lead."""

    def outside(self, points: Floats) -> Floats:
        """Return the distance of points from the surface (m), < 0 inside, shape (n,)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampledAxons:
    """Potentials along axons.

    Parameters
    ----------
    axons
        The axons.
    potential
        Potential of each source at the points of the axons (V per unit), shape (N, P); NaN outside.
    fate
        `Fate` of each axon, shape (m,).
    span
        First point and one past the last of the stretch that is judged, shape (m, 2); empty for an
        axon that is not.
    """

    axons: PlacedAxons
    potential: Floats
    fate: NDArray[np.int8]
    span: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Name of the pathway."""
        return self.axons.name

    def __len__(self) -> int:
        """Return the number of axons."""
        return len(self.axons)

    @property
    def fates(self) -> Mapping[str, int]:
        """Number of axons by fate."""
        return {f.name.lower(): int((self.fate == f).sum()) for f in Fate}

    @property
    def judged(self) -> NDArray[np.int64]:
        """Indices of the axons that have a threshold."""
        return np.flatnonzero(self.fate <= Fate.CUT)


def sample_axons(
    axons: PlacedAxons,
    source: Any,
    *,
    lead: Body | Sequence[Body] = (),
    encapsulation: float = 0.0,
) -> SampledAxons:
    """Sample the potential along axons and tell what has become of each.

    Parameters
    ----------
    axons
        Axons, P points in all.
    source
        Anything with ``potential(points)`` (the response of a lead, a point source), or with
        ``at(points)`` (a field on a mesh, a coil's), which is integrated along the axons.
    lead
        What axons must not cross: one lead or several.
    encapsulation
        Thickness (m) of the layer around each that they must not cross either.

    Returns
    -------
    SampledAxons
        Axons that leave the mesh are cut to their longest stretch inside, those that cross the lead
        are damaged: both are told of by their `Fate`, and none is dropped.

    Raises
    ------
    InputError
        If the source gives something else than a potential a point, or no axon can be judged since
        the whole pathway lies outside.
    """
    if not encapsulation >= 0:
        raise InputError(f"encapsulation must be >= 0 m, got {encapsulation!r}")
    if has_potential(source):
        potential = potential_at(axons.points, source, axons.name)
    else:
        places = np.split(axons.along, axons.first[1:-1])
        potential = potential_along(axons.lines, places, source, name=axons.name)
    damaged = np.zeros(len(axons), dtype=bool)
    for body in lead if isinstance(lead, Sequence) else (lead,):
        damaged |= crossing(axons, body, encapsulation)
    inside = np.isfinite(potential).all(axis=0)
    fate = np.zeros(len(axons), dtype=np.int8)
    span = np.zeros((len(axons), 2), dtype=np.int64)
    for k, (a, b) in enumerate(
        zip(axons.first[:-1].tolist(), axons.first[1:].tolist(), strict=True)
    ):
        if damaged[k]:
            fate[k] = Fate.DAMAGED
        elif axons.nodes[k] < FEWEST:
            fate[k] = Fate.SHORT
        elif inside[a:b].all():
            span[k] = a, b
        else:
            begin, end = _longest(inside[a:b], axons.period)
            enough = end > begin + (FEWEST - 1) * axons.period
            fate[k] = Fate.CUT if enough else Fate.OUTSIDE
            span[k] = (a + begin, a + end) if enough else (0, 0)
    if (fate == Fate.OUTSIDE).all():
        raise InputError(
            f"expected fibres inside the mesh, got all {len(axons)} outside: pathway "
            f"{axons.name!r} (frame or units, m?)"
        )
    return SampledAxons(axons=axons, potential=potential, fate=fate, span=span)


def _longest(inside: NDArray[np.bool_], period: int) -> tuple[int, int]:
    """Return the longest run of points inside, cut to whole internodes."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    begin, end = -(-edge[::2] // period) * period, (edge[1::2] - 1) // period * period + 1
    if not len(begin):
        return 0, 0
    k = int((end - begin).argmax())
    return int(begin[k]), int(max(end[k], begin[k]))


def crossing(axons: PlacedAxons, lead: Body, encapsulation: float) -> NDArray[np.bool_]:
    """Return which lines come closer to the lead than its encapsulation is thick, shape (m,).

    Lines are followed in steps of a tenth of a millimetre, wherever a coarser look finds them near.
    """
    fine, coarse = 0.1e-3, 2e-3
    out = np.zeros(len(axons), dtype=bool)
    points, line = _steps(axons.lines, np.arange(len(axons)), coarse)
    near = np.unique(line[lead.outside(points) < encapsulation + coarse])
    for some in np.array_split(near, max(1, len(near) // 2000)):
        points, line = _steps(axons.lines, some, fine)
        if len(points):
            out[line[lead.outside(points) < encapsulation]] = True
    return out


def _steps(
    lines: tuple[Floats, ...], which: NDArray[np.int64], step: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Return points at most ``step`` apart on some lines, and the line of each."""
    points, index = [np.empty((0, 3))], [np.empty(0, dtype=np.int64)]
    for k in which.tolist():
        along = np.linalg.norm(np.diff(lines[k], axis=0), axis=1).cumsum()
        along = np.concatenate([[0.0], along])
        at = np.linspace(0.0, along[-1], int(np.ceil(along[-1] / step)) + 1)
        points.append(np.stack([np.interp(at, along, lines[k][:, d]) for d in range(3)], axis=1))
        index.append(np.full(len(at), k))
    return np.concatenate(points), np.concatenate(index)
