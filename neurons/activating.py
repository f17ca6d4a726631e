r"""Activating function of a cell, and the rule that a suprathreshold stretch must hold a node.

In current form ``f_c = sum_j G_cj (V_e,j - V_e,c)`` (A; Rattay 1986, doi:10.1109/TBME.1986.325670;
`rheobase.neurons.cable.injected`). For thresholds it is used as the second difference of the
outside potential over one internode (V; McNeal 1976), ``L² d²V_e/ds²`` along a branch and
``L dV_e/ds`` at an end, so that it does not depend on the length of the compartments. Bare axon
uses the shortest internode in place of L.

Where nodes lie along a branch is unknown, so a stretch of summed length R internodes above the
threshold holds one with chance min(1, R), and the cell answers with 1 - prod(1 - min(1, R_k)); a
branch point or an end carries a node for certain. The chance grows with amplitude: drawing
u ~ U(0, 1) and solving chance(a) = u gives every placement a threshold whose distribution over
placements is that chance, without an amplitude axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.morphology import Floats, Kind, Morphology


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AxonGraph:
    """The axon as the rule sees it, n compartments of the whole cell.

    Parameters
    ----------
    parent
        Parent of each compartment, shape (n,).
    weight
        Weight of the rise from the parent in the sums of child and parent (1), shape (n, 2).
    length, scale
        Distance to the parent's centre and internode length (m), shape (n,).
    used, sure
        Whether a compartment belongs to the axon (away from artificial ends), and whether it is a
        node for certain, shape (n,).
    """

    parent: NDArray[np.int32]
    weight: Floats
    length: Floats
    scale: Floats
    used: NDArray[np.bool_]
    sure: NDArray[np.bool_]


def axon_graph(morphology: Morphology) -> AxonGraph:
    """Return the axon of a cell prepared for the rule."""
    m, c = morphology, cell_constants()
    n = len(m)
    parent = m.parent
    children = np.bincount(parent[1:], minlength=n)
    length = 0.5 * (m.length + m.length[parent])
    length[0] = 0.0
    sheathed = np.isin(m.kind, (Kind.INTERNODE, Kind.NODE))
    sheathed |= (m.kind == Kind.TERMINAL) & (m.kind[parent] == Kind.INTERNODE)
    scale = np.where(
        sheathed,
        np.maximum(c["internode_per_diameter"] * m.axon_diameter, c["minimum_internode"]),
        c["minimum_internode"],
    )
    barred = np.isin(m.kind, (Kind.NODE, Kind.TERMINAL)) & ~m.site & (m.length > 0)
    near_child = np.zeros(n, dtype=bool)
    near_child[parent[1:][barred[1:]]] = True
    barred |= (m.kind == Kind.INTERNODE) & (barred[parent] | near_child)
    used = m.is_axon & ~barred
    used[0] &= m.kind[0] != Kind.SOMA
    control = 0.5 * length
    np.add.at(control, parent[1:], 0.5 * length[1:])
    end = (children + (np.arange(n) > 0)) == 1
    gain = np.where(end, scale, scale**2 / np.where(control > 0, control, 1.0))
    weight = np.zeros((n, 2))
    inverse = 1.0 / length[1:]
    weight[1:, 0] = np.where(used[1:], gain[1:] * inverse, 0.0)
    weight[1:, 1] = np.where(used[parent[1:]], gain[parent[1:]] * inverse, 0.0)
    sure = used & np.isin(m.kind, (Kind.NODE, Kind.TERMINAL)) & (end | (children > 1))
    between = 0.5 * (scale + scale[parent])
    between[0] = scale[0]
    return AxonGraph(
        parent=parent, weight=weight, length=length, scale=between, used=used, sure=sure
    )


def second_difference(morphology: Morphology, rise: ArrayLike) -> Floats:
    """Return the activating function over one internode at every axon compartment (V), (n,).

    Parameters
    ----------
    morphology
        The cell, n compartments.
    rise
        Rise of the outside potential from the parent (V), shape (n,).
    """
    from rheobase.neurons._activating_numba import activating_function

    graph = axon_graph(morphology)
    up = np.asarray(rise, dtype=np.float64).reshape(1, -1, 1)
    f: Floats = np.empty(len(morphology))
    activating_function(graph.parent, graph.weight, up, 0, 0, 1.0, f)
    return f


def activation_chance(
    parent: ArrayLike, length: ArrayLike, internode: ArrayLike, f: ArrayLike, level: float
) -> float:
    """Return the chance that a stretch with ``f >= level`` holds a node.

    Parameters
    ----------
    parent
        Tree, parents first, -1 for the root, shape (n,).
    length, internode
        Distance to the parent and internode length there (m), shape (n,).
    f
        Activating function, linear between compartments, shape (n,).
    level
        Threshold, in the unit of ``f``.

    Examples
    --------
    A stretch of half an internode holds a node in every second axon:

    >>> activation_chance([-1, 0, 1], [0, 1e-4, 1e-4], [2e-4] * 3, [0.0, 2.0, 0.0], 1.0)
    0.5
    """
    from rheobase.neurons._activating_numba import node_chance

    p = np.asarray(parent, dtype=np.int32)
    n = len(p)
    if n == 0 or p[0] != -1 or (p[1:] >= np.arange(1, n)).any():
        raise InputError("parent must be a tree with parents before children")
    return float(
        node_chance(
            p,
            np.asarray(length, dtype=np.float64),
            np.asarray(internode, dtype=np.float64),
            np.ones(n, dtype=bool),
            np.zeros(n, dtype=bool),
            np.asarray(f, dtype=np.float64),
            level,
            np.empty(n, dtype=np.int64),
        )
    )


def chance_thresholds(
    graph: AxonGraph, rise: NDArray[np.float32], level: float, u: Floats
) -> tuple[Floats, NDArray[np.int32]]:
    """Return the amplitude at which the chance of a node above ``level`` (V) reaches ``u``.

    Parameters
    ----------
    graph
        The axon of the cell.
    rise
        Rises (V per unit amplitude), shape (blocks, n, lanes).
    level
        Threshold of the second difference (V).
    u
        Uniform draws, one a placement, shape (m,).

    Returns
    -------
    threshold, site
        Amplitude, and the compartment of the largest activating function (-1 for none), shape
        (2, m): for the stimulus as given and reversed. inf where the chance never gets there.
    """
    from rheobase.neurons import _activating_numba as kernels

    out = np.empty((2, len(u)))
    where = np.empty((2, len(u)), dtype=np.int32)
    kernels.chance_thresholds(
        graph.parent,
        graph.weight,
        graph.length,
        graph.scale,
        graph.used,
        graph.sure,
        rise,
        level,
        u,
        out,
        where,
    )
    return out, where
