"""Myelinated axons on lines: where their nodes and compartments lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.fibres.curved import arc_length, points_along
from rheobase.neurons.fibres.mrg import PERIOD, MRGAxon, mrg_axon
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.tracts import clean_lines

FEWEST = 21  # nodes of a fibre that can be judged: its ends raise thresholds by 1.5 % at most


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlacedAxons:
    """Axons of one size on the lines of a pathway.

    Parameters
    ----------
    name
        Of the pathway.
    axon
        Sizes of the axons.
    lines
        The m lines they follow (m), shape (n, 3) each.
    points
        Places of all nodes, or of all compartments, fibre after fibre (m), shape (P, 3).
    along
        Arc length of each from the beginning of its line (m), shape (P,).
    first
        Index of the first point of each fibre, and P, shape (m + 1,); a line too short for a node
        has none.
    period
        Points from one node to the next: 1 or 11.
    """

    name: str
    axon: MRGAxon
    lines: tuple[Floats, ...]
    points: Floats
    along: Floats
    first: NDArray[np.int64]
    period: int

    def __len__(self) -> int:
        """Return the number of fibres."""
        return len(self.lines)

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Number of nodes of each fibre, shape (m,)."""
        out: NDArray[np.int64] = -(-np.diff(self.first) // self.period)
        return out


def place_axons(
    lines: Sequence[Floats],
    diameter: float,
    *,
    name: str = "pathway",
    sizes: str | None = None,
    compartments: bool = False,
    phase: ArrayLike | None = None,
    seed: int = 0,
) -> PlacedAxons:
    """Put an axon on every line: nodes an internode apart by arc length.

    Parameters
    ----------
    lines
        Polylines (m), shape (n, 3) each, as from `read_tracts` or `bundle`.
    diameter
        Of the fibres with their myelin (m).
    name
        Of the pathway.
    sizes
        "published" or "interpolated" (`mrg_axon`); None takes the published axon where there is one
        of that diameter.
    compartments
        Place all compartments, for the double-cable axon, and not the nodes alone.
    phase
        Arc length of the first node over an internode (1), shape (m,) or one for all; drawn if
        None.
    seed
        Of the phases drawn.

    Raises
    ------
    InputError
        If a line is none, no line is given, a phase is not 0 to 1, or there is no axon of that
        diameter.
    """
    clean = clean_lines(list(lines), f"pathway {name!r}")
    if sizes is None:
        try:
            axon = mrg_axon(diameter)
        except InputError:
            axon = mrg_axon(diameter, "interpolated")
    else:
        axon = mrg_axon(diameter, sizes)  # type: ignore[arg-type]
    if phase is None:
        starts = np.random.default_rng([seed, 67]).random(len(clean))
    else:
        starts = np.asarray(phase, dtype=np.float64)
        if starts.shape not in ((), (len(clean),)) or not ((starts >= 0) & (starts <= 1)).all():
            raise InputError(
                f"expected one phase or {len(clean)} of 0 to 1, got {phase!r}: pathway {name!r}"
            )
    places = []
    for line, where in zip(clean, np.broadcast_to(starts, len(clean)).tolist(), strict=True):
        start, reach = where * axon.internode, arc_length(line)[-1]
        # a line made for so many internodes holds them, whatever its sums round to
        nodes = int((reach - start) * (1 + 1e-12) // axon.internode) + 1 if reach >= start else 0
        at = start + axon.internode * np.arange(nodes)
        if compartments and nodes > 1:
            at = start + axon.compartments(nodes)
        places.append(at)
    count = [len(at) for at in places]
    return PlacedAxons(
        name=name,
        axon=axon,
        lines=tuple(clean),
        points=np.concatenate([points_along(*one) for one in zip(clean, places, strict=True)]),
        along=np.concatenate(places),
        first=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        period=PERIOD if compartments else 1,
    )
