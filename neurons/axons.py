"""Where an axon carries myelin and where its nodes of Ranvier lie.

Rules of the Aberra 2018 cells (doi:10.1016/j.brs.2018.06.006), constants in
``data/cell_constants.csv``: the first 50 µm are bare (initial segment); a branch of at least 0.2 µm
is myelinated, with internodes of 100 axon diameters (70 on a terminal branch, 20 µm at least) and
nodes of 1 µm, also at every branch point and end. The diameter is the traced one: that of the axon,
which is also that of node and initial segment; the sheath adds to it (`g_ratio`). Where the first
node of a branch lies within its first internode is not known for a real cell: it is drawn (node
phase), or the nodes are spread evenly when no generator is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.constants import cell_constants
from rheobase.neurons.morphology import Kind

Piece = tuple[float, Kind]
"""Length (m) and kind of one stretch of a branch."""


def g_ratio(axon_diameter: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return axon over fibre diameter (1) for an axon of ``axon_diameter`` (m).

    Cubic fitted to the electron micrographs of Micheva 2016 (doi:10.7554/eLife.15784) in the
    Aberra 2018 cells, kept within 0.4 … 0.8.

    Examples
    --------
    >>> round(float(g_ratio(1e-6)), 4)
    0.7653
    """
    c = cell_constants()
    d = np.asarray(axon_diameter, dtype=np.float64)
    cubic = ((c["g_ratio_d3"] * d + c["g_ratio_d2"]) * d + c["g_ratio_d1"]) * d + c["g_ratio_d0"]
    out: NDArray[np.float64] = np.clip(cubic, c["g_ratio_minimum"], c["g_ratio_maximum"])
    return out


def internode_length(axon_diameter: float, *, terminal: bool) -> float:
    """Return the length of an internode (m) on an axon of ``axon_diameter`` (m)."""
    c = cell_constants()
    ratio = c["terminal_internode_per_diameter" if terminal else "internode_per_diameter"]
    return max(ratio * axon_diameter, c["minimum_internode"])


def plan_branch(
    length: float,
    axon_diameter: float,
    *,
    bare: float,
    terminal: bool,
    rng: np.random.Generator | None,
) -> list[Piece]:
    """Divide an unbranched stretch of axon into initial segment, internodes and nodes.

    Parameters
    ----------
    length, axon_diameter
        Length and mean diameter (of the axon, without its sheath) of the stretch (m).
    bare
        How much of the initial segment is still to be laid at its beginning (m).
    terminal
        Whether the stretch ends freely.
    rng
        Draws the node phase; None spreads the nodes evenly.

    Returns
    -------
    list of (float, Kind)
        Lengths that add up to ``length``.
    """
    c = cell_constants()
    node = c["node_length"]
    pieces: list[Piece] = []
    first = min(length, bare)
    if first > 0:
        pieces.append((first, Kind.INITIAL_SEGMENT))
    rest = length - first
    if rest <= 0:
        return pieces
    if axon_diameter < c["minimum_myelin_diameter"] or rest < c["minimum_internode"] + 2 * node:
        return [*pieces, (rest, Kind.UNMYELINATED)]
    if bare > 0:  # the sheath begins with a node of its own after the initial segment
        pieces.append((node, Kind.NODE))
        rest -= node
    internode = internode_length(axon_diameter, terminal=terminal)
    span = rest - node  # up to the node that closes the branch
    if rng is None:
        count = max(1, round((span + node) / (internode + node)))
        sheaths = [(span - (count - 1) * node) / count] * count
    else:
        sheaths = _phased(span, internode, node, float(rng.random()))
    for i, sheath in enumerate(sheaths):
        pieces.append((sheath, Kind.INTERNODE))
        last = i == len(sheaths) - 1
        pieces.append((node, Kind.TERMINAL if last and terminal else Kind.NODE))
    return pieces


def _phased(span: float, internode: float, node: float, phase: float) -> list[float]:
    """Sheath lengths over ``span`` with the first node at ``phase`` of an internode.

    A remnant shorter than the least internode at either end joins its neighbour.
    """
    shortest = min(cell_constants()["minimum_internode"], internode)
    sheaths = []
    left = span
    nxt = internode * (1.0 - phase)
    if nxt < shortest:
        nxt += internode
    while left > nxt + node + shortest:
        sheaths.append(nxt)
        left -= nxt + node
        nxt = internode
    sheaths.append(left)
    return sheaths
