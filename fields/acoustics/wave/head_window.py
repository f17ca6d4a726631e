"""The window of waves over a part of a head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.window import AcousticWindow, acoustic_window
from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.window import WindowMaterial

CENTRE = (np.zeros(1), np.zeros(1), np.zeros(1))


def head_window(
    material: WindowMaterial,
    frequency: float,
    *,
    order: int = 6,
    per_wavelength: float = 7.0,
    rim: int = 3,
) -> AcousticWindow:
    """Lay a window of columns over the part of a head that a beam goes through.

    Faces follow the head's layers; elements that these do not describe take the head's own
    material node by node, integrated over the element with the basis functions.

    Parameters
    ----------
    material
        The part of the head, by `rheobase.fields.acoustics.window.window.beam_window`.
    frequency, order, per_wavelength, rim
        See `rheobase.fields.acoustics.wave.window.acoustic_window`.

    Raises
    ------
    InputError
        As `acoustic_window`.
    """

    def sampler(points: Floats) -> Floats:
        return material.sound(points, frequency)

    def sampled(grid: ColumnGrid) -> NDArray[np.bool_]:
        return _undescribed(material, grid, frequency)

    window = acoustic_window(
        material.layers, frequency, half_width=material.half_width, depth=material.depth,
        frame=material.frame, order=order, per_wavelength=per_wavelength, rim=rim,
        sampler=sampler, sampled=sampled,
    )  # fmt: skip
    return replace(window, notes=material.notes)


def _undescribed(material: WindowMaterial, grid: ColumnGrid, frequency: float) -> NDArray[np.bool_]:
    """Return which elements hold what the layers do not tell, shape (L, Ey, Ex)."""
    x, y = grid.lateral_nodes
    N, (layers, ey, ex) = grid.order, grid.elements
    X, Y = np.meshgrid(x, y)
    described = material.conforming(X, Y)
    down = np.arange(ey)[:, None] * N + np.arange(N + 1)
    across = np.arange(ex)[:, None] * N + np.arange(N + 1)
    columns = ~described[down][:, :, across].all(axis=(1, 3))
    out: NDArray[np.bool_] = np.broadcast_to(columns, (layers, ey, ex)).copy()
    kinds = np.array(material.kinds)[grid.region]
    if material.anatomy.graded:
        out[kinds >= Kind.COMPACT] = True
    if material.inside == "labels":
        out[(kinds == Kind.SOFT) | (kinds == Kind.BRAIN)] = True
    table = np.array([[*f.at(frequency), f.absorption(frequency)] for f in material.layers.fluids])
    rows, places = (a.ravel() for a in np.indices((ey, ex)))
    low, high = _corners(material)
    odd = np.zeros(out.shape, bool)
    behind = len(material.layers.fluids) - 1  # bone may be there
    for layer in np.flatnonzero(grid.region == behind):
        centres = np.clip(grid.element_points(int(layer), rows, places, CENTRE)[:, 0], low, high)
        other = (material.sound(centres, frequency) != table[behind]).any(axis=1)
        odd[layer] = other.reshape(ey, ex)
    out |= _dilated(odd) & (grid.region == behind)[:, None, None]
    return out


def _corners(material: WindowMaterial) -> tuple[Floats, Floats]:
    half = material.half_width
    return (
        np.array([-half[0], -half[1], material.depth[0]]),
        np.array([half[0], half[1], material.depth[1]]),
    )


def _dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask grown by one element in all directions."""
    from scipy.ndimage import binary_dilation

    grown: NDArray[np.bool_] = binary_dilation(mask, np.ones((3, 3, 3), bool))
    return grown
