"""Straight fibres: a bare cable and a myelinated axon, for theory and for bundles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.neurons.axons import g_ratio, internode_length
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.morphology import Floats, Ints, Kind, Morphology


def bare_fibre(
    length: float, diameter: float, count: int, *, direction: ArrayLike = (1.0, 0.0, 0.0)
) -> Morphology:
    """Return an unmyelinated cylinder centred at the origin, cut into equal compartments.

    Parameters
    ----------
    length, diameter
        Of the cylinder (m).
    count
        Number of compartments.
    direction
        Axis, shape (3,).

    Raises
    ------
    InputError
        If a size is not > 0 or the direction is 0.

    Examples
    --------
    >>> len(bare_fibre(1e-3, 1e-6, 50))
    50
    """
    if not (length > 0 and diameter > 0 and count >= 1):
        raise InputError(
            f"length and diameter must be > 0 m and count >= 1, got {length}, {diameter}, {count}"
        )
    return _line(
        np.full(count, length / count),
        np.full(count, diameter),
        np.full(count, diameter),
        np.full(count, int(Kind.UNMYELINATED)),
        direction,
    )


def myelinated_fibre(
    diameter: float, internodes: int, *, direction: ArrayLike = (1.0, 0.0, 0.0)
) -> Morphology:
    """Return a straight myelinated axon by the rules of `axons`, a node at each end.

    Parameters
    ----------
    diameter
        Of the axon without its myelin (m), at least that which carries myelin.
    internodes
        Their number.
    direction
        Axis, shape (3,).

    Raises
    ------
    InputError
        If the fibre is too thin for myelin or there is no internode.

    Examples
    --------
    >>> myelinated_fibre(1e-6, 20).count()["node"]
    19
    """
    c = cell_constants()
    if not diameter >= c["minimum_myelin_diameter"] or internodes < 1:
        raise InputError(
            f"a myelinated fibre needs a diameter >= {c['minimum_myelin_diameter']:g} m and one "
            f"internode, got {diameter} m and {internodes}"
        )
    kind = np.full(2 * internodes + 1, int(Kind.NODE))
    kind[1::2] = int(Kind.INTERNODE)
    kind[[0, -1]] = int(Kind.TERMINAL)
    length = np.where(
        kind == Kind.INTERNODE, internode_length(diameter, terminal=False), c["node_length"]
    )
    axon = np.full(len(kind), diameter)
    outer = np.where(kind == Kind.INTERNODE, axon / g_ratio(axon), axon)
    return _line(length, outer, axon, kind, direction)


def _line(
    length: Floats, diameter: Floats, axon: Floats, kind: Ints, direction: ArrayLike
) -> Morphology:
    axis = np.asarray(direction, dtype=np.float64)
    size = float(np.linalg.norm(axis))
    if not size > 0:
        raise InputError("direction must not be 0")
    edges = np.concatenate([[0.0], np.cumsum(length)]) - 0.5 * length.sum()
    points = edges[:, None] * (axis / size)
    return Morphology(
        parent=np.arange(-1, len(length) - 1, dtype=np.int32),
        start=points[:-1],
        centre=0.5 * (points[:-1] + points[1:]),
        end=points[1:],
        length=length,
        diameter=diameter,
        kind=kind.astype(np.int8),
        axon_diameter=axon,
        site=np.isin(kind, (Kind.UNMYELINATED, Kind.NODE, Kind.TERMINAL)),
        resistivity=cell_constants()["axial_resistivity"],
    )
