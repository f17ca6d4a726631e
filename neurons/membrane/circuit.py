"""A cell as a circuit: compartments, axial conductances, leak and channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.membranes import membrane
from rheobase.neurons.morphology import Floats, Ints, Kind, Morphology

FARTHEST = (
    3.6161  # exponent of a gradient at the farthest tip (Hay 2011), not exceeded in larger cells
)
_ACTIVE = (Kind.INITIAL_SEGMENT, Kind.UNMYELINATED, Kind.NODE, Kind.TERMINAL)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Circuit:
    """What the membrane equation of a cell of n compartments needs.

    Parameters
    ----------
    parent
        Parent of each compartment, parents first, shape (n,).
    axial
        Axial conductance to the parent (S), shape (n,).
    capacitance, leak
        Of the membrane (F, S), shape (n,).
    leak_reversal
        Reversal potential of the leak (V), shape (n,).
    area
        Membrane (m²), shape (n,).
    density
        Density (S/m²) of each channel that occurs, shape (n,) each.
    counted
        Compartments in which a spike is looked for, shape (n,): initial segment, bare axon, nodes
        and terminals, but none beside an artificial end.
    """

    parent: Ints
    axial: Floats
    capacitance: Floats
    leak: Floats
    leak_reversal: Floats
    area: Floats
    density: Mapping[str, Floats]
    counted: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of compartments."""
        return len(self.parent)


def circuit(cell: Cell | Morphology, name: str | None = None) -> Circuit:
    """Put the membrane of a cell on its compartments.

    A node, and the terminal that closes an internode, have the channels of bare axon with the
    transient sodium doubled. Compartments beside an artificial end, where no spike may start
    (``Morphology.site``), keep their leak only.

    Parameters
    ----------
    cell
        A cell, or its compartments.
    name
        Membrane; a cell brings its own.

    Raises
    ------
    InputError
        If the membrane is unknown.
    """
    if isinstance(cell, Cell):
        shape, kind_of = cell.morphology, membrane(name or cell.membrane)
    else:
        shape, kind_of = cell, membrane(name or "")
    kind = shape.kind.copy()
    kind[(kind == Kind.TERMINAL) & (kind[shape.parent] == Kind.INTERNODE)] = Kind.NODE
    axon = np.isin(shape.kind, _ACTIVE)
    dead = axon & ~shape.site
    far = path_from_root(shape)
    leak, reversal = np.zeros(len(shape)), np.zeros(len(shape))
    density: dict[str, Floats] = {}
    for k in np.unique(kind).tolist():
        of = kind == k
        leak[of] = kind_of.leak[Kind(k)]
        reversal[of] = kind_of.leak_reversal[Kind(k)]
        for part in kind_of.channels[Kind(k)]:
            here = density.setdefault(part.channel, np.zeros(len(shape)))
            rising = -0.8696 + 2.087 * np.exp(np.minimum(part.gradient * far[of], FARTHEST))
            here[of] = part.value * (rising if part.gradient else 1.0)
    for here in density.values():
        here[dead] = 0.0
    sheath = kind == Kind.INTERNODE
    return Circuit(
        parent=shape.parent,
        axial=shape.axial,
        capacitance=shape.capacitance,
        leak=np.where(sheath, shape.leak, leak * shape.area),
        leak_reversal=reversal,
        area=shape.area,
        density=MappingProxyType(density),
        counted=axon & shape.site,
    )


def path_from_root(shape: Morphology) -> Floats:
    """Return the path from the root's middle to that of each compartment (m), shape (n,)."""
    far: Floats = 0.5 * (shape.length + shape.length[shape.parent])
    far[0] = 0.0
    ancestor = np.maximum(shape.parent, 0)
    while ancestor.any():  # twice as far up the tree each time
        far += far[ancestor]
        ancestor = ancestor[ancestor]
    return far
