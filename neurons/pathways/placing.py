"""Myelinated axons on lines: where their nodes and compartments lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
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
    seed: int = 0,
) -> PlacedAxons:
    """Put an axon on every line: nodes an internode apart, the first at a random phase.

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
    seed
        Of the phases.

    Raises
    ------
    InputError
        If a line is none, no line is given, or there is no axon of that diameter.
    """
    clean = clean_lines(list(lines), f"pathway {name!r}")
    if sizes is None:
        try:
            axon = mrg_axon(diameter)
        except InputError:
            axon = mrg_axon(diameter, "interpolated")
    else:
        axon = mrg_axon(diameter, sizes)  # type: ignore[arg-type]
    phase = np.random.default_rng([seed, 67]).random(len(clean))
    placed = []
    for line, where in zip(clean, phase.tolist(), strict=True):
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        start = where * axon.internode
        nodes = int((along[-1] - start) // axon.internode) + 1 if along[-1] >= start else 0
        at = start + axon.internode * np.arange(nodes)
        if compartments and nodes > 1:
            at = start + axon.compartments(nodes)
        placed.append(np.stack([np.interp(at, along, line[:, d]) for d in range(3)], axis=1))
    count = [len(p) for p in placed]
    return PlacedAxons(
        name=name,
        axon=axon,
        lines=tuple(clean),
        points=np.concatenate(placed),
        first=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        period=PERIOD if compartments else 1,
    )
