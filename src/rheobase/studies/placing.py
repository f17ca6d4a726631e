"""Where the cells of a condition stand: all types, at even distances from the electrode."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rheobase.neurons.placement import Population
    from rheobase.tables.cross_species import ConditionTable, CrossSpeciesStudy


def place(study: CrossSpeciesStudy, condition: ConditionTable) -> Population:
    """Return the cells of a condition under the electrode.

    Distances from its middle are even up to the largest (as many cells in every ring), somata are
    even over their layer. In the cortex of another species they take the same place within the
    layer there, and keep their shape.

    Raises
    ------
    InputError
        If a type or layer is unknown.
    """
    from rheobase.meshes.cortex.layers import layer_table
    from rheobase.neurons.placement import place_in_slab

    radius = 1e-3 * study.cells.lateral_mm
    drawn = place_in_slab(
        species=condition.cells,
        counts=dict.fromkeys(study.cells.chosen(), study.cells.placements),
        seed=study.seed,
        radius=radius,
        clones=study.cells.clones,
    )
    position = drawn.position.copy()
    position[:, :2] *= distance(position)[:, None] / radius  # even over the disc -> over distance
    own, there = layer_table(condition.cells), layer_table(condition.layers)
    bounds = np.array([[*own.layer(x), *there.layer(x)] for x in drawn.layer])
    within = (drawn.depth - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0])
    depth = bounds[:, 2] + within * (bounds[:, 3] - bounds[:, 2])
    position[:, 2] = -depth * there.thickness
    return replace(drawn, position=position, depth=depth)


def spread(population: Population, count: int) -> NDArray[np.intp]:
    """Return the numbers of ``count`` cells of each type, spread evenly over distance."""
    far = distance(population.position)
    chosen = []
    for name in dict.fromkeys(population.type.tolist()):
        members = np.flatnonzero(population.type == name)
        order = members[np.argsort(far[members], kind="stable")]
        chosen.append(order[((np.arange(count) + 0.5) * len(order) / count).astype(int)])
    return np.sort(np.concatenate(chosen))


def distance(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lateral distance from the middle of the electrode (m), shape (n,)."""
    far: NDArray[np.float64] = np.hypot(position[:, 0], position[:, 1])
    return far
