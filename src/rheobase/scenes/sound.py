"""Layers of focused ultrasound: transducer, beam, focus, target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.scenes.device import RED, lines_layer, patch_layer
from rheobase.scenes.field import grid_layer, grid_points, voxel_grid
from rheobase.scenes.scene import Layer, Quantity

if TYPE_CHECKING:
    from rheobase.fields.acoustics.focus import Focus
    from rheobase.fields.acoustics.transducers.elements import Shape
    from rheobase.fields.acoustics.transducers.transducer import Transducer

Floats = NDArray[np.float64]

METAL = "#6f7c85"
BEAM = "#56b4e9"
FACETS = 40_000  # triangles of all elements together, at most about
RAYS = 24  # that draw the beam
AROUND_FOCUS = 40_000  # voxels around it
RIM = 0.9  # of the largest distance from the axis: where the rays of the beam start


def transducer_layers(transducer: Transducer, target: ArrayLike) -> list[Layer]:
    """Return the elements of a placed transducer, its rays to the target, and the target.

    Parameters
    ----------
    transducer
        Placed: its ``frame`` is that of the beam in the head.
    target
        In the head (m), shape (3,).
    """
    at = np.asarray(target, dtype=np.float64)
    corners = _placed(transducer, _elements(transducer))
    rim = _placed(transducer, _rim(transducer.outline))
    return [
        patch_layer("transducer", corners, colour=METAL, opacity=0.7),
        lines_layer(
            "beam", [np.stack([p, at]) for p in rim], colour=BEAM, radius=2e-4, opacity=0.5
        ),
        Layer(
            name="target", kind="points", group="device", points=at[None], colour=RED, radius=1e-3
        ),
    ]


def _placed(transducer: Transducer, points: Floats) -> Floats:
    """Return points of the beam frame in the head's."""
    moved: Floats = points @ transducer.frame[:3, :3].T + transducer.frame[:3, 3]
    return moved


def _elements(transducer: Transducer) -> Floats:
    """Return triangles of the elements in the beam frame (m), shape (n, 3, 3)."""
    around = int(np.clip(np.sqrt(FACETS / transducer.n_elements / 2), 6, 64))
    local = [_triangles(shape, around) for shape in transducer.shapes]
    turns = np.stack(
        [transducer.along, np.cross(transducer.normals, transducer.along), transducer.normals],
        axis=1,
    )
    every = local * transducer.n_elements if len(local) == 1 else local
    placed = [
        p @ turn + shift for p, turn, shift in zip(every, turns, transducer.positions, strict=True)
    ]
    return np.concatenate(placed)


def _triangles(shape: Shape, around: int) -> Floats:
    """Return triangles of an element in its own frame (m), shape (n, 3, 3)."""
    from rheobase.fields.acoustics.transducers.elements import Rectangle

    if isinstance(shape, Rectangle):
        corners: Floats = shape.rim()[np.array([[0, 1, 2], [0, 2, 3]])]
        return corners
    radius = np.linspace(shape.inner_radius, shape.outer_radius, max(2, around // 4) + 1)
    height = np.array([shape.height(float(r)) for r in radius])
    angle = np.linspace(0.0, 2 * np.pi, around + 1)
    grid = np.empty((len(radius), len(angle), 3))
    grid[..., 0] = radius[:, None] * np.cos(angle)
    grid[..., 1] = radius[:, None] * np.sin(angle)
    grid[..., 2] = height[:, None]
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    pairs = np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)], axis=2)
    return pairs.reshape(-1, 3, 3)


def _rim(outline: Floats) -> Floats:
    """Return points of an outline that are far from the axis, evenly around it, shape (n, 3)."""
    away = np.hypot(outline[:, 0], outline[:, 1])
    outer = outline[away >= RIM * away.max()]
    turn = np.arctan2(outer[:, 1], outer[:, 0])
    wanted = np.linspace(-np.pi, np.pi, RAYS, endpoint=False)
    near = np.abs(np.angle(np.exp(1j * (turn[:, None] - wanted)))).argmin(axis=0)
    found: Floats = outer[np.unique(near)]
    return found


def focus_layer(
    focus: Focus,
    amplitude: Callable[[Floats], Floats],
    low: Floats,
    high: Floats,
    frame: Floats,
) -> Layer:
    """Return the surface of half the peak pressure (-6 dB) around a focus.

    Parameters
    ----------
    focus
        In the beam frame.
    amplitude
        Pressure amplitude (Pa) at points of the beam frame, NaN outside of the window.
    low, high
        Corners of the window (m, beam frame).
    frame
        From the beam to the head, shape (4, 4).
    """
    from rheobase.scenes.derived import isosurface

    size = np.where(np.isfinite(focus.widths), focus.widths, high - low)
    a, b = np.maximum(focus.position - size, low), np.minimum(focus.position + size, high)
    shape, affine = voxel_grid(a, b, most=AROUND_FOCUS)
    values = amplitude(grid_points(shape, affine).reshape(-1, 3)).reshape(shape)
    kept = _component(np.nan_to_num(values) >= 0.5 * focus.peak, focus.position, affine)
    around = Quantity(values=np.where(kept, values, 0.0), label="pressure", unit="Pa")
    layer = grid_layer("focus", shape, frame @ affine, {"pressure": around})
    return isosurface(layer, 0.5 * focus.peak, name="focus at half the peak", colour=RED)


def _component(inside: NDArray[np.bool_], point: Floats, affine: Floats) -> NDArray[np.bool_]:
    """Return the connected part of a mask at a point, grown by a voxel; all of it if none is."""
    from scipy.ndimage import binary_dilation, label

    parts, _ = label(inside)
    back = np.linalg.inv(affine)
    index = np.rint(back[:3, :3] @ point + back[:3, 3]).astype(int)
    number = parts[tuple(np.clip(index, 0, np.array(inside.shape) - 1))]
    mine = parts == number if number else inside
    grown: NDArray[np.bool_] = binary_dilation(mine)
    return grown
