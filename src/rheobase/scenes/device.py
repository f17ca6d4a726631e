"""Layers of devices: windings of coils, electrodes, the ring around a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.scenes.scene import Layer, line_starts

if TYPE_CHECKING:
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.meshes.head import Head
    from rheobase.meshes.placing.scalp import Scalp

Floats = NDArray[np.float64]

ANODE, CATHODE = "#d65e00", "#0072b2"
COPPER = "#b87333"
RED = "#d91a1a"
RING_HEIGHT = 0.008  # of the ring that marks a target, over the pial surface (m)
FINE = 1e-3  # edge of the triangles under an electrode (m)
MOST_HALVINGS = 4
LIFT = 5e-4  # of what lies on the scalp, so that it is not hidden in it (m)


def lines_layer(name: str, lines: Sequence[ArrayLike], **how: Any) -> Layer:
    """Return lines (m), shape (n, 3) each, as one layer; ``how`` as `Layer` takes it."""
    points, cells = line_starts(lines)
    return Layer(
        **{"name": name, "kind": "lines", "group": "device", **how}, points=points, cells=cells
    )


def patch_layer(name: str, corners: NDArray[Any], **how: Any) -> Layer:
    """Return loose triangles (m), shape (n, 3, 3), as one layer; equal corners are joined."""
    every = np.asarray(corners, dtype=np.float32).reshape(-1, 3)
    points, cells = np.unique(every, axis=0, return_inverse=True)
    given = {"name": name, "kind": "surface", "group": "device", **how}
    return Layer(**given, points=points, cells=cells.reshape(-1, 3))


def coil_layers(coil: Coil) -> list[Layer]:
    """Return the windings of a coil, or the places of its dipoles; nothing of sampled fields."""
    how: dict[str, Any] = {"colour": COPPER, "opacity": 0.5}
    layers = []
    lines = coil.lines()
    if lines:
        layers.append(lines_layer("coil", lines, **how))
    if len(coil.dipoles):
        layers.append(
            Layer(
                name="dipoles of the coil" if lines else "coil",
                kind="points",
                group="device",
                points=coil.dipoles.astype(np.float32),
                radius=1e-3,
                **how,
            )
        )
    return layers


def electrode_layers(
    head: Head,
    montages: Sequence[Montage] | Montage,
    *,
    colours: Sequence[str] | None = None,
) -> list[Layer]:
    """Return the skin under the electrodes of montages, lifted a little.

    Parameters
    ----------
    head
        The head.
    montages
        One montage or several.
    colours
        ``#rrggbb`` of each montage; if None anodes are orange and cathodes blue.
    """
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.meshes.placing.scalp import Scalp

    scalp = Scalp(head.mesh)
    lifted = head.mesh.nodes + LIFT * _vertex_normals(scalp)
    layers: list[Layer] = []
    several = [montages] if isinstance(montages, Montage) else montages
    for k, montage in enumerate(several):
        for electrode, current in zip(montage.electrodes, montage.currents, strict=True):
            sign = ANODE if current > 0 else CATHODE
            taken = {layer.name for layer in layers}
            name = f"electrode {electrode.name}"
            layers.append(
                patch_layer(
                    name if name not in taken else f"{name}, {montage.name} {k + 1}",
                    _under(electrode, scalp, lifted),
                    colour=sign if colours is None else colours[k],
                    opacity=0.6,
                )
            )
    return layers


def _under(electrode: Electrode, scalp: Scalp, lifted: Floats) -> Floats:
    """Return triangles of the skin under an electrode (m), shape (n, 3, 3).

    Those of the scalp are halved until they are as small as `FINE`, so that the edge is smooth.
    """
    shape = electrode.shape
    triangles, uv = electrode.frame(scalp).within(1.05 * shape.reach + scalp.edge)
    corners = np.concatenate([lifted[scalp.triangles[triangles]], uv], axis=2)
    near = shape.outside(corners[..., 3:].reshape(-1, 2)).reshape(-1, 3).min(axis=1) < scalp.edge
    corners = corners[near]
    for _ in range(int(np.clip(np.ceil(np.log2(scalp.edge / FINE)), 0, MOST_HALVINGS))):
        corners = _quartered(corners)
    inside = shape.outside(corners[..., 3:].mean(axis=1)) < 0
    found: Floats = corners[inside][..., :3]
    return found


def _quartered(corners: Floats) -> Floats:
    """Return each triangle as four, shape (4 n, 3, d)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(part, axis=1) for part in parts])


def _vertex_normals(scalp: Scalp) -> Floats:
    """Return outward unit normals at the mesh nodes, 0 off the scalp, shape (n_nodes, 3)."""
    total = np.zeros_like(scalp.nodes)
    for k in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(
                scalp.triangles[:, k], weights=scalp.normals[:, axis], minlength=len(total)
            )
    size = np.linalg.norm(total, axis=1, keepdims=True)
    unit: Floats = np.divide(total, size, out=np.zeros_like(total), where=size > 0)
    return unit


def target_layer(head: Head, centre: ArrayLike, radius: float) -> Layer:
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
    line = over + RING_HEIGHT * normal + radius * ring
    return lines_layer("target", [line], colour=RED)
