"""How much of the field misses the target, as a matrix on the electrodes.

    Q = sum over i of v_i E_i' E_i / sum of v_i,   x' Q x = mean |E|² (V/m)²,

with v_i the volume that split node i stands for, less what belongs to the target, and E_i (3, n)
the fields of the unit currents there. One pass over the lead field, a block of nodes at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.leadfield import LeadField
from rheobase.fields.optimisation.target import Target
from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

ROUNDING = 1e-9  # of the volume of a split node; so much of it is nothing


def off_target_energy(
    head: Head,
    field: LeadField,
    target: Target | None = None,
    *,
    tissues: Sequence[str] = ("grey_matter",),
) -> Floats:
    """Return the matrix of the mean squared field in tissues outside a target.

    Parameters
    ----------
    head
        The head of the lead field.
    field
        Lead field of n electrodes that keeps these tissues.
    target
        What does not count; None counts all.
    tissues
        Names of the tissues that count.

    Returns
    -------
    ndarray, shape (n, n)
        Q ((V/m)²/A²), symmetric; for currents x (A) that sum to 0, ``x @ Q @ x`` is the mean |E|².

    Raises
    ------
    InputError
        If a tissue is unknown or not kept, the target is on another mesh, or nothing is left.
    """
    weights = off_target_volumes(head, field, target, tissues=tissues)
    Q = np.zeros((len(field.names), len(field.names)))
    for some, E in field.blocks("off-target energy"):
        v = weights[some]
        part = E[:, v > 0] * np.sqrt(v[v > 0])[:, None]
        flat = part.reshape(len(E), -1)
        Q += flat @ flat.T
    Q /= weights.sum()
    return 0.5 * (Q + Q.T)


def off_target_volumes(
    head: Head,
    field: LeadField,
    target: Target | None = None,
    *,
    tissues: Sequence[str] = ("grey_matter",),
) -> Floats:
    """Return the volume (m³) of tissues outside a target at the kept split nodes, (n_kept,).

    Parameters and errors as in `off_target_energy`.
    """
    from rheobase.fields._basis_numba import split_volumes

    if field.mesh is not head.mesh and not np.array_equal(field.mesh.nodes, head.mesh.nodes):
        raise InputError(f"expected the lead field of head {head.name!r}: {field.path}")
    split = field.split
    counts = np.isin(split.label, [head.label_of(t) for t in tissues])
    kept = np.zeros(len(counts), bool)
    kept[field.kept] = True
    if (counts & ~kept).any():
        raise InputError(
            f"expected a lead field that keeps {', '.join(tissues)}, it lacks "
            f"{np.count_nonzero(counts & ~kept)} of their nodes: {field.path}"
        )
    volume: Floats = split_volumes(head.mesh.volumes(), split.of_tet, len(split.node))
    volume[~counts] = 0.0
    if target is not None:
        if target.nodes.max() >= len(volume):
            raise InputError(f"expected a target on the same mesh: {target.name!r}, {field.path}")
        inside = np.bincount(target.nodes, target.weights * target.volume, len(volume))
        volume = np.where(inside < (1 - ROUNDING) * volume, volume - inside, 0.0)
    if not volume.any():
        raise InputError(
            f"expected some of {', '.join(tissues)} outside the target, it holds all: "
            f"head {head.name!r}"
        )
    return volume[field.kept]
