"""The layers that every study of a field puts into its scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.scenes.derived import arrows
from rheobase.scenes.field import amount, signed, voxel_layer
from rheobase.scenes.head import cortex_layer, tissue_layers
from rheobase.scenes.scene import Layer, Quantity

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.meshes.head import Head

CORTEX = "cortex"
MID_DEPTH = 0.5


def field_layers(
    head: Head,
    basis: FieldBasis,
    strength: NDArray[np.float64],
    *,
    name: str,
    unit: str,
    limit: float,
    E: NDArray[np.float64] | None = None,
    regions: Quantity | None = None,
) -> list[Layer]:
    """Return a head to peel with a field on its cortex, in its voxels and as arrows.

    Parameters
    ----------
    head, basis
        The head and a basis on its mesh.
    strength
        What is drawn, at the split nodes of the basis, shape (n_split,).
    name, unit
        Its name in words and its unit.
    limit
        End of the colour scale.
    E
        The field itself where ``strength`` is its size (same unit), shape (n_split, 3): it gives
        the component across the cortex, and the arrows.
    regions
        Parcel of each column of the cortex, where there is an atlas.

    Returns
    -------
    list of Layer
        Shells of tissue, "cortex" (values at mid-depth, on the pial surface), "voxels", "arrows".
    """
    layers = tissue_layers(head)
    if head.cortex is not None:
        middle = head.cortex.points(MID_DEPTH)
        tet, weight = basis.locator.locate(middle)
        corners, outside = basis.split_of_tet[tet], tet < 0
        values = np.where(outside, np.nan, np.einsum("nk,nk->n", strength[corners], weight))
        found = {"strength": amount(values, name, unit, limit=limit)}
        if E is not None:
            here = np.einsum("nkd,nk->nd", E[corners], weight)
            here[outside] = np.nan
            across = np.einsum("nd,nd->n", here, head.cortex.normal)
            words = "E out of the cortex"
            found["across"] = signed(across, words, unit, limit=limit)
        if regions is not None:
            found["region"] = regions
        layers.append(cortex_layer(head, found, name=CORTEX))
    shown = strength if E is None else E
    voxels = voxel_layer(head, basis, {"strength": (shown, name, unit, limit)})
    layers.append(voxels)
    if E is not None:
        layers.append(arrows(voxels))
    return layers
