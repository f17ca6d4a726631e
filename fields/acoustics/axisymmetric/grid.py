"""The grid of the axisymmetric solver: columns in r, layers in z, absorbing rims around."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.grid.gll import lagrange, nodes_of
from rheobase.fields.acoustics.grid.layering import layer_faces
from rheobase.fields.acoustics.media import LayeredMedium

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Ints = NDArray[np.intp]

#: Thickness of the absorbing rims in wavelengths, and how much they take off a wave that goes
#: straight in and back (nepers).
RIM, RIM_LOSS = 2.0, 24.0
#: Power of the distance into a rim by which the stretch grows.
RIM_POWER = 2
STRENGTH = (RIM_POWER + 1) * RIM_LOSS / (4.0 * np.pi * RIM)


@dataclass(frozen=True, kw_only=True)
class Rim:
    """Complex stretch of a coordinate outside a range: a perfectly matched layer.

    s = 1 - i a (d / width)^2 at a distance d outside (Berenger 1994, DOI
    10.1006/jcph.1994.1159, in the stretched coordinates of Chew & Weedon 1994, DOI
    10.1002/mop.4650071304).
    """

    low: float
    high: float
    width_low: float
    width_high: float

    def stretch(self, x: Floats) -> tuple[Complexes, Complexes]:
        """Return the stretched coordinate and s = its derivative."""
        below = np.maximum(self.low - x, 0.0) / self.width_low
        above = np.maximum(x - self.high, 0.0) / self.width_high
        n = RIM_POWER
        shift = self.width_high * above ** (n + 1) - self.width_low * below ** (n + 1)
        far = x - 1j * STRENGTH / (n + 1) * shift
        slope = 1.0 - 1j * STRENGTH * (below**n + above**n)
        return far.astype(np.complex128), slope.astype(np.complex128)


@dataclass(frozen=True, kw_only=True, eq=False)
class AxialGrid:
    """Columns of elements from the axis outwards, layers of them in depth.

    Attributes
    ----------
    order
        Order of the elements in both directions.
    breaks
        Ends of the columns (n_columns + 1,) m, the absorbing ones included.
    faces
        z of the faces of layers at the nodes in r, (n_layers + 1, n_columns * order + 1) m.
    region
        Index of each layer's fluid, (n_layers,).
    radius, depth
        The range that is not absorbing, m.
    rim_r, rim_z
        The stretch of each coordinate outside it.
    """

    order: int
    breaks: Floats
    faces: Floats
    region: Ints
    radius: float
    depth: tuple[float, float]
    rim_r: Rim
    rim_z: Rim

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.breaks) - 1

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.faces) - 1

    @property
    def inner_columns(self) -> int:
        """Number of columns within the radius."""
        return int(np.searchsorted(self.breaks, self.radius * (1.0 + 1e-9))) - 1

    @property
    def inner_layers(self) -> tuple[int, int]:
        """First layer within the depth range and the one after its last."""
        axis = self.faces[:, 0]
        slack = 1e-9 * (self.depth[1] - self.depth[0])
        first = int(np.searchsorted(axis, self.depth[0] - slack))
        return first, int(np.searchsorted(axis, self.depth[1] - slack))

    def kind(self, layer: int) -> tuple[int, float] | None:
        """Return region and thickness of a flat layer in the depth range, whose matrices they fix.

        None for other layers.
        """
        low, high = self.faces[layer : layer + 2]
        first, last = self.inner_layers
        if not first <= layer < last or np.ptp(low) or np.ptp(high):
            return None
        return int(self.region[layer]), round(float(high[0] - low[0]), 12)

    def locate(self, r: ArrayLike, z: ArrayLike) -> tuple[Ints, Ints, Floats, Floats]:
        """Return layer, column and local coordinates in [-1, 1]^2 (in r, in z) of points (n,)."""
        r, z = np.asarray(r, dtype=float), np.asarray(z, dtype=float)
        column = np.clip(np.searchsorted(self.breaks, r, side="right") - 1, 0, self.columns - 1)
        left = self.breaks[column]
        x = 2.0 * (r - left) / (self.breaks[column + 1] - left) - 1.0
        nodes = column[:, None] * self.order + np.arange(self.order + 1)
        heights = np.einsum("kpn,pn->kp", self.faces[:, nodes], lagrange(self.order, x))
        layer = np.clip((heights <= z).sum(axis=0) - 1, 0, self.layers - 1)
        low, high = (np.take_along_axis(heights, (layer + i)[None], axis=0)[0] for i in (0, 1))
        return layer, column, x, 2.0 * (z - low) / (high - low) - 1.0


def axial_grid(
    medium: LayeredMedium,
    frequency: float,
    *,
    depth: tuple[float, float],
    radius: float,
    order: int,
    per_wavelength: float,
    ahead: float,
) -> AxialGrid:
    """Return a grid whose faces are the medium's interfaces.

    Parameters
    ----------
    medium
        Fluids and surfaces; beyond ``radius`` the surfaces go on flat.
    frequency
        Hz.
    depth, radius
        The range in z and r to solve in (m); absorbing rims are added outside.
    order
        Order of the elements.
    per_wavelength
        Points a wavelength.
    ahead
        z of a plane in the first fluid at which elements end, where there is room for it.

    Raises
    ------
    InputError
        If the surfaces are not round about the axis or cannot be layered.
    """
    waves = np.array([fluid.wavelength(frequency) for fluid in medium.fluids])
    size = waves * order / per_wavelength
    inner = np.linspace(0.0, radius, ceil(round(radius / size.min(), 9)) + 1)
    rim = RIM * waves.min()
    outer = np.linspace(radius, radius + rim, ceil(round(rim / size.min(), 9)) + 1)
    breaks = np.append(inner, outer[1:])
    nodes = nodes_of(breaks, order)
    inside = np.minimum(nodes, radius)
    heights = medium.heights(inside, 0.0)
    medium.check(inside, 0.0)
    _check_round(medium, inside, heights, size.min())
    room = 0.25 * size[0]
    if depth[0] + room < ahead < (heights[0].min() if len(heights) else depth[1]) - room:
        first = layer_faces(heights[:0], (depth[0], ahead), size[:1])
        rest = layer_faces(heights, (ahead, depth[1]), size)
        faces = np.concatenate([first.faces, rest.faces[1:]])
        region = np.append(first.region, rest.region)
    else:
        layers = layer_faces(heights, depth, size)
        faces, region = layers.faces, layers.region
    front = depth[0] - _rim_planes(waves[0], size[0], len(nodes))[::-1]
    back = depth[1] + _rim_planes(waves[-1], size[-1], len(nodes))
    regions = (np.zeros(len(front), np.intp), region, np.full(len(back), len(waves) - 1))
    return AxialGrid(
        order=order,
        breaks=breaks,
        faces=np.concatenate([front, faces, back]),
        region=np.concatenate(regions),
        radius=radius,
        depth=depth,
        rim_r=Rim(low=0.0, high=radius, width_low=rim, width_high=rim),
        rim_z=Rim(
            low=depth[0], high=depth[1], width_low=RIM * waves[0], width_high=RIM * waves[-1]
        ),
    )


def _rim_planes(wave: float, thickness: float, nodes: int) -> Floats:
    """Return the distances of the planes in a rim from where it begins, (n, nodes)."""
    n = ceil(round(RIM * wave / thickness, 9))
    return np.repeat(RIM * wave * np.arange(1, n + 1)[:, None] / n, nodes, axis=1)


def _check_round(medium: LayeredMedium, r: Floats, heights: Floats, size: float) -> None:
    """Check that the surfaces are the same all around."""
    for angle in (0.5 * np.pi, 0.8 * np.pi, 1.25 * np.pi):
        other = medium.heights(r * np.cos(angle), r * np.sin(angle))
        off = np.abs(other - heights)
        if (off > 1e-4 * size).any():
            k, i = np.unravel_index(np.nanargmax(off), off.shape)
            raise InputError(
                f"surface {k + 1} is not round about the beam axis: at r = {1e3 * r[i]:.3g} mm it "
                f"lies at z = {1e3 * heights[k, i]:.4g} and {1e3 * other[k, i]:.4g} mm; "
                "use the three-dimensional solver"
            )
