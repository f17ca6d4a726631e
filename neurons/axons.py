"""Where an axon carries myelin and where its nodes of Ranvier lie.

Rules of the Aberra 2018 cells (doi:10.1088/1741-2552/aadbb1), constants in
``data/cell_constants.csv``: the first 50 µm are bare (initial segment; a first stretch too short
for an internode besides is bare as a whole); a stretch of at least 0.2 µm is myelinated, with
internodes of 100 axon diameters (70 on a terminal branch), each followed by a node of 1 µm, the
last at the branch point or end. A stretch shorter than one such internode takes internodes of 20 µm
at least, or stays bare. The diameter is the traced one at the beginning of the stretch: that of the
axon, which is also that of node and initial segment; the sheath adds to it (`g_ratio`).

Those cells have internodes of one length on a stretch. Where the first node of a branch lies within
its first internode is not known for a real cell: it is drawn (node phase) where there is a
generator.
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


def axon_diameter(fibre_diameter: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the diameter (m) of the axon inside a fibre: the inverse of d / g(d).

    Examples
    --------
    >>> d = axon_diameter(1.5e-6)
    >>> round(float(d / g_ratio(d) * 1e6), 4)
    1.5
    """
    least = cell_constants()["g_ratio_minimum"] * 1e-8
    d = np.geomspace(least, 100e-6, 20000)
    return np.asarray(np.interp(fibre_diameter, d / g_ratio(d), d))


def internode_length(axon_diameter: float, *, terminal: bool) -> float:
    """Return the length of an internode (m) on an axon of ``axon_diameter`` (m)."""
    c = cell_constants()
    return c["terminal_internode_per_diameter" if terminal else "internode_per_diameter"] * (
        axon_diameter
    )


def plan_branch(
    length: float,
    axon_diameter: float,
    *,
    first: bool,
    terminal: bool,
    rng: np.random.Generator | None,
) -> list[Piece]:
    """Divide an unbranched stretch of axon into initial segment, internodes and nodes.

    Parameters
    ----------
    length, axon_diameter
        Length of the stretch and diameter of the axon at its beginning (m).
    first
        Whether the axon begins here: with its initial segment.
    terminal
        Whether the stretch ends freely.
    rng
        Draws the node phase; None takes internodes of one length, as the Aberra 2018 cells.

    Returns
    -------
    list of (float, Kind)
        Lengths that add up to ``length``.
    """
    c = cell_constants()
    node, least = c["node_length"], c["minimum_internode"]
    bare = c["initial_segment"] if first else 0.0
    unsheathed = Kind.INITIAL_SEGMENT if first else Kind.UNMYELINATED
    if length < bare + least + (0.0 if first else node):
        return [(length, unsheathed)]
    if axon_diameter < c["minimum_myelin_diameter"]:
        rest = (length - bare, Kind.UNMYELINATED)
        return [(bare, unsheathed), rest] if first else [rest]
    span = length - bare - node  # up to the node that closes the stretch
    internode = internode_length(axon_diameter, terminal=terminal)
    if rng is None:
        count = int((span + node) / (internode + node))
        count = count or (1 if first else int((span + node) / (least + node)))
        sheaths = [(span + node) / count - node] * count
    else:
        sheaths = _phased(span, internode, node, float(rng.random()))
    pieces = [(bare, unsheathed)] if first else []
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
