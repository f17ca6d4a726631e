"""Pictures of fields: values on the cortex, with devices where they stand."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.head_views import trimmed
from rheobase.scenes.picture import CURE, picture
from rheobase.scenes.scene import Layer, Scene, direction

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

    from rheobase.fields.basis import FieldBasis
    from rheobase.meshes.head import Head


def on_sheet(
    head: Head, basis: FieldBasis, values: ArrayLike, tissues: Sequence[str]
) -> NDArray[np.float64]:
    """Return a quantity that only some tissues have, at mid-depth of every cortical column.

    Where the sheet leaves these tissues of the mesh, the nearest place of them counts.

    Parameters
    ----------
    head, basis
        The head, and a field basis on its mesh.
    values
        The quantity at the split nodes, shape (n_split,).
    tissues
        Names of the tissues.

    Returns
    -------
    ndarray, shape (n_columns,)

    Raises
    ------
    InputError
        If the head has no cortical sheet or no such tissue.
    """
    from scipy.spatial import cKDTree

    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    labels = [head.label_of(name) for name in tissues]
    v = np.nan_to_num(np.asarray(values, dtype=np.float64))
    middle = head.cortex.points(0.5)
    found, tet = basis.interpolate(v, middle)
    off = (tet < 0) | ~np.isin(head.mesh.labels[tet], labels)
    nodes = np.flatnonzero(np.isin(basis.split_label, labels))
    found[off] = v[nodes[cKDTree(basis.split_position[nodes]).query(middle[off])[1]]]
    return found


def draw_cortex(
    panel: Any,
    head: Head,
    values: ArrayLike,
    *,
    limit: float,
    view: ArrayLike,
    devices: Sequence[Layer] = (),
) -> ScalarMappable:
    """Draw a value on the pial surface, under a translucent scalp, into a panel.

    Parameters
    ----------
    panel
        Matplotlib axes.
    head
        The head.
    values
        One for each cortical column, shape (n_columns,); grey where they are not finite.
    limit
        Top of the colour scale, which starts at 0.
    view
        Vector from the head to where it is seen from, shape (3,).
    devices
        Layers of devices (`rheobase.scenes.device`).

    Returns
    -------
    matplotlib.cm.ScalarMappable
        For `Figure.colorbar`.

    Raises
    ------
    InputError
        If the head has no cortical sheet, or another number of columns.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.image import imread

    from rheobase.scenes.field import amount
    from rheobase.scenes.head import cortex_layer, scalp_layer

    cortex = cortex_layer(head, {"value": amount(values, "value", "", limit=limit)})
    layers = (cortex, scalp_layer(head), *devices)
    scene = Scene(title="", layers=layers, view=direction(view), focus=("cortex",))
    panel.axis("off")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cortex.png"
        if picture(scene, file, bars=False, axes=False):
            panel.imshow(trimmed((imread(file)[..., :3] * 255).astype(np.uint8)))
        else:
            words = {"ha": "center", "va": "center", "fontsize": 7, "transform": panel.transAxes}
            panel.text(0.5, 0.5, fill(CURE, 32), **words)
    return ScalarMappable(Normalize(0.0, limit), "viridis")
