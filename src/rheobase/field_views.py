"""Pictures of fields: values on the cortex, with pads and coils where they stand."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._render import CURE, render
from rheobase.head_views import trimmed

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.meshes.head import Head

Scene = dict[str, NDArray[Any]]

ANODE, CATHODE = (0.84, 0.37, 0.0), (0.0, 0.45, 0.70)
COPPER = (0.72, 0.45, 0.20)
RING_HEIGHT = 0.008  # of the ring that marks a target, over the pial surface (m)


def pad_scene(
    head: Head,
    montages: Sequence[Montage] | Montage,
    *,
    colours: Sequence[tuple[float, float, float]] | None = None,
) -> Scene:
    """Return the skin under the electrodes of montages.

    Parameters
    ----------
    head
        The head.
    montages
        One montage or several.
    colours
        RGB (0 to 1) of each montage; if None anodes are orange and cathodes blue.
    """
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.electrodes.pads import lay_montage
    from rheobase.meshes.placing.scalp import Scalp

    scalp = Scalp(head.mesh)
    scene: Scene = {}
    for k, montage in enumerate([montages] if isinstance(montages, Montage) else montages):
        pads = lay_montage(montage, scalp)
        for pad, current in zip(pads, montage.currents, strict=True):
            covered = [triangle for triangle, part in pad.coverage.items() if part > 0.5]
            name = f"{montage.name} {pad.name}"
            scene[f"patch_{name}"] = head.mesh.nodes[scalp.triangles[covered]]
            sign = ANODE if current > 0 else CATHODE
            scene[f"colour_{name}"] = np.array(sign if colours is None else colours[k])
            scene[f"opacity_{name}"] = np.array(0.6)
    return scene


def coil_scene(coil: Coil) -> Scene:
    """Return the winding of a coil."""
    scene: Scene = {}
    for k, line in enumerate(coil.lines()):
        scene[f"line_{k}"] = line
        scene[f"colour_{k}"] = np.array(COPPER)
        scene[f"opacity_{k}"] = np.array(0.5)
    return scene


def target_scene(head: Head, centre: ArrayLike, radius: float) -> Scene:
    """Return a red ring over the cortex nearest to a target.

    Parameters
    ----------
    head
        The head.
    centre, radius
        Middle (m), shape (3,), and radius (m) of the target.

    Raises
    ------
    InputError
        If the head has no cortical sheet.
    """
    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    pia = head.cortex.points(0.0)
    away = pia - np.asarray(centre, dtype=np.float64)
    over = pia[int((away**2).sum(axis=1).argmin())]
    middle = (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    normal = (over - middle) / np.linalg.norm(over - middle)
    right = np.cross(normal, [0.0, 0.0, 1.0] if abs(normal[2]) < 0.9 else [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    turn = np.linspace(0.0, 2 * np.pi, 61)[:, None]
    ring = np.cos(turn) * right + np.sin(turn) * np.cross(normal, right)
    return {
        "line_target": over + RING_HEIGHT * normal + radius * ring,
        "colour_target": np.array([0.85, 0.1, 0.1]),
    }


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
    scene: Mapping[str, NDArray[Any]] | None = None,
) -> ScalarMappable:
    """Draw a value on the pial surface, under a translucent scalp, into a panel.

    Parameters
    ----------
    panel
        Matplotlib axes.
    head
        The head.
    values
        One for each cortical column, shape (n_columns,); 0 where they are not finite.
    limit
        Top of the colour scale, which starts at 0.
    view
        Vector from the head to where it is seen from, shape (3,).
    scene
        Devices, from `pad_scene` or `coil_scene`.

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

    from rheobase.meshes.placing.scalp import Scalp

    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    v = np.asarray(values, dtype=np.float64)
    if v.shape != (len(head.cortex),):
        raise InputError(f"expected {len(head.cortex)} values, one a column, got {v.shape}")
    towards = np.asarray(view, dtype=np.float64)
    drawn = {
        "points": head.cortex.points(0.0),
        "triangles": head.cortex.triangles,
        "values": np.nan_to_num(v),
        "limits": np.array([0.0, limit]),
        "shell_points": head.mesh.nodes,
        "shell_triangles": Scalp(head.mesh).triangles,
        "view": towards / np.linalg.norm(towards),
        "title": np.array(""),
        "plain": np.array(True),
        **(scene or {}),
    }
    panel.axis("off")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cortex.png"
        if render(drawn, file):
            panel.imshow(trimmed((imread(file)[..., :3] * 255).astype(np.uint8)))
        else:
            words = {"ha": "center", "va": "center", "fontsize": 7, "transform": panel.transAxes}
            panel.text(0.5, 0.5, fill(CURE, 32), **words)
    return ScalarMappable(Normalize(0.0, limit), "viridis")
