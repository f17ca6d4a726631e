"""Layers and specks that the lattice would miss: nodes are moved into them and keep them.

Where a lattice edge joins two materials and a third lies between them, that third one is a layer
thinner than the edge. One end of each such edge moves into it. The cut lattice then separates what
the layer separates; where the layer is thinner than about half an edge it comes out too thick, and
the improvement makes it thinner as far as good tetrahedra allow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.carving.indicators import Indicators

#: Points looked at inside each edge between two materials.
SAMPLES = 5
#: A node moves by at most this part of an edge.
REACH = 0.35
#: Materials with at most this many lattice nodes keep all of them.
SMALL = 8
#: Nodes to choose from for a material without any.
NEAREST = 32


def close_layers(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    material: NDArray[np.int32],
    indicators: Indicators,
    walls: NDArray[np.uint8],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.bool_], int]:
    """Move lattice nodes into layers that pass between them.

    Parameters
    ----------
    nodes, tets
        The lattice (m).
    material
        Material of each node, shape (n_nodes,).
    indicators
        What says which material is where.
    walls
        Axes in which nodes are bound to the wall of the box; such nodes stay.

    Returns
    -------
    nodes, material
        The same, some moved.
    kept
        Which.
    n_open
        Edges across a layer that none of their ends could close.
    """
    from rheobase.meshes.carving._closing_numba import between, close, neighbour_bits
    from rheobase.meshes.carving._cut_numba import mixed_edges

    nodes, material = nodes.copy(), material.copy()
    kept = np.zeros(len(nodes), np.bool_)
    edges = mixed_edges(tets, material)[2]
    near = neighbour_bits(edges, material)
    pair = material[edges]
    start = nodes[edges[:, 0]]
    along = nodes[edges[:, 1]] - start
    samples = np.empty((len(edges), SAMPLES), np.int32)
    for k in range(SAMPLES):
        samples[:, k] = indicators.material(start + (k + 1) / (SAMPLES + 1) * along)
    third, at = np.empty(len(edges), np.int32), np.zeros(len(edges))
    between(samples, pair, third, at)
    crossed = np.flatnonzero(third >= 0)
    edges, third, at = edges[crossed], third[crossed], at[crossed]
    points = start[crossed] + at[:, None] * along[crossed]
    way = np.minimum(at, 1.0 - at) * np.linalg.norm(along[crossed], axis=1)
    order = np.argsort(way, kind="stable")
    bound = walls > 0
    n_open = close(order, edges, third, at, REACH, points, bound, near, nodes, material, kept)
    return nodes, material, kept, int(n_open)


def keep_small(
    nodes: NDArray[np.float64],
    lattice: NDArray[np.float64],
    material: NDArray[np.int32],
    kept: NDArray[np.bool_],
    indicators: Indicators,
    walls: NDArray[np.uint8],
    edge_length: float,
) -> NDArray[np.bool_]:
    """Give each material at least one lattice node, in place, and keep the nodes of small ones.

    Parameters
    ----------
    nodes
        Node positions (m); the ones chosen move towards their material.
    lattice
        Where they were in the lattice (m).
    material, kept
        As `close_layers` returns them; changed.
    indicators
        Their `places` say where a material without a node is.
    walls
        Axes in which nodes are bound to the wall of the box; such nodes stay.
    edge_length
        Mean edge of the finest tetrahedra (m).

    Returns
    -------
    ndarray of bool
        The nodes that must not be given up.
    """
    from scipy.spatial import cKDTree

    count = np.bincount(material, minlength=len(indicators.labels))
    small = count <= SMALL
    small[0] = False
    last: NDArray[np.bool_] = small[material]
    kept |= last
    lost = np.flatnonzero(count == 0)
    lost = lost[lost > 0]
    places = indicators.places(lost) if len(lost) else np.empty((0, 3))
    if len(lost) == 0 or np.isnan(places).all():
        return last
    free = np.flatnonzero(walls == 0)
    tree = cKDTree(lattice[free])
    for m, place in zip(lost, places, strict=True):
        if np.isnan(place).any():
            continue
        near = free[tree.query(place, k=min(NEAREST, len(free)))[1]]
        near = near[~last[near]]
        if len(near) == 0:
            continue
        v = near[0]
        way = place - lattice[v]
        far = float(np.linalg.norm(way))
        nodes[v] = lattice[v] + way * min(1.0, REACH * edge_length / max(far, 1e-300))
        material[v] = m
        kept[v] = last[v] = True
    return last
