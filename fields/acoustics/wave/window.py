"""The box in which waves are computed: grid, materials and what absorbs at its rim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.grid.dispersion import check_resolution, layer_order, phase_error
from rheobase.fields.acoustics.grid.gll import nodes_of
from rheobase.fields.acoustics.grid.layering import layer_faces
from rheobase.fields.acoustics.media import Floats, LayeredMedium
from rheobase.fields.acoustics.wave.materials import Elementwise, Sampler, fill

ORDERS = (4, 5, 6, 7)
"""Lateral orders that the kernel is compiled for."""

#: Damping at the end of the rim over the angular frequency; it rises with the square of the depth.
#: Of powers 1 to 4 and strengths 0.05 to 1 this reflects least over 0 to 55 degrees.
RIM_DAMPING = 0.5

#: Part of the whole way's error of phase that all layers of a region may add: with all of it, the
#: resonance of a plate of bone is 0.7 % off (ITRUSST 4 at normal incidence), with this 0.05 %.
THIN = 0.05

Chooser = Callable[[ColumnGrid], NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True, eq=False)
class AcousticWindow:
    """A box of columns along a beam, for one frequency.

    Made by `acoustic_window`, or by `rheobase.fields.acoustics.wave.head_window.head_window`.

    Parameters
    ----------
    frequency
        Hz.
    frame
        4 x 4 matrix from the beam frame (z into the head) to the head's.
    grid, materials
        Elements and what fills them.
    low, high
        Corners of the inner box, without the absorbing rim (m, beam frame), shape (3,).
    rim
        Damping of the rim along x, y and z at lines of nodes (1/s).
    rim_elements
        Elements of the rim on every side.
    notes
        What to know of the materials.
    """

    frequency: float
    frame: Floats
    grid: ColumnGrid
    materials: Elementwise
    low: Floats
    high: Floats
    rim: tuple[Floats, Floats, Floats]
    rim_elements: int
    notes: tuple[str, ...] = field(default=())

    @property
    def omega(self) -> float:
        """Angular frequency (rad/s)."""
        return 2.0 * pi * self.frequency

    @cached_property
    def slowest(self) -> float:
        """Lowest sound speed of an element, a mixed one's mean (m/s)."""
        return float(self.materials.sound_speed.min())

    @property
    def points_per_wavelength(self) -> float:
        """Fewest nodes a wavelength along x or y, anywhere."""
        return self.grid.order * self.slowest / self.frequency / max(self.grid.spacing)

    @property
    def inner(self) -> tuple[slice, slice, slice]:
        """Planes, rows and columns of the nodes of the inner box."""
        grid, edge = self.grid, self.rim_elements * self.grid.order
        first, last = grid.first[self.rim_elements], grid.first[-1 - self.rim_elements]
        _, ny, nx = grid.shape
        return slice(int(first), int(last) + 1), slice(edge, ny - edge), slice(edge, nx - edge)

    def to_beam(self, points: ArrayLike) -> Floats:
        """Return points of the head frame (m) in the beam frame, shape (n, 3)."""
        inverse = np.linalg.inv(self.frame)
        return np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def to_head(self, points: ArrayLike) -> Floats:
        """Return points of the beam frame (m) in the head frame, shape (n, 3)."""
        return np.asarray(points, dtype=np.float64) @ self.frame[:3, :3].T + self.frame[:3, 3]


def acoustic_window(
    medium: LayeredMedium,
    frequency: float,
    *,
    half_width: float | Sequence[float],
    depth: tuple[float, float],
    frame: ArrayLike | None = None,
    order: int = 6,
    per_wavelength: float = 7.0,
    rim: int = 3,
    sampler: Sampler | None = None,
    sampled: Chooser | None = None,
) -> AcousticWindow:
    """Lay a window of columns over a layered medium.

    Parameters
    ----------
    medium
        Fluids along the beam; the faces of elements follow its surfaces.
    frequency
        Hz.
    half_width
        Half of the width of the window along x and y, or both (m).
    depth
        Where the window begins and ends along the beam (m).
    frame
        4 x 4 matrix from the beam frame to the head's; the head's own by default.
    order
        Order of elements along x and y, 4 to 7.
    per_wavelength
        Nodes a wavelength of the slowest fluid.
    rim
        Elements of the absorbing rim outside of ``half_width`` and ``depth``, on every side.
    sampler
        Material at points (n, 3) of the beam frame, for elements that do not follow the layers:
        sound speed (m/s), density (kg/m³), loss and absorption (Np/m), shape (n, 4). Outside of
        the inner box it is asked at the nearest point inside.
    sampled
        Tells which elements of the grid the sampler fills, shape (L, Ey, Ex); all by default.

    Raises
    ------
    InputError
        If the window is empty, the order is not available, nodes a wavelength are too few,
        surfaces cross or leave the window, or a material is impossible.
    """
    check_positive("frequency (Hz)", frequency)
    widths = np.broadcast_to(np.asarray(half_width, dtype=np.float64), (2,))
    half_x, half_y = float(widths[0]), float(widths[1])
    check_positive("half width of the window (m)", half_x)
    check_positive("half width of the window (m)", half_y)
    if not depth[1] > depth[0]:
        raise InputError(
            f"expected a window whose depth grows, got {depth[0] * 1e3:g} to {depth[1] * 1e3:g} mm"
        )
    if order not in ORDERS:
        raise InputError(f"expected an order of {ORDERS[0]} to {ORDERS[-1]}, got {order}")
    if rim < 1:
        raise InputError(f"expected a rim of at least 1 element, got {rim}")
    wavelengths = np.array([fluid.wavelength(frequency) for fluid in medium.fluids])
    check_resolution(order, per_wavelength, frequency, wavelengths.min())
    if sampler is not None:  # any fluid may be in any layer
        wavelengths[:] = wavelengths.min()
    size = order / per_wavelength * wavelengths.min()
    x, y = (_ends(half, size, rim) for half in (half_x, half_y))
    grid = _grid(medium, x, y, (half_x, half_y), depth, wavelengths, order, per_wavelength, rim)
    low, high = np.array([-half_x, -half_y, depth[0]]), np.array([half_x, half_y, depth[1]])
    chosen = np.zeros(grid.elements, bool)
    inside: Sampler | None = None
    if sampler is not None:
        chosen = np.ones(grid.elements, bool) if sampled is None else sampled(grid)
        of_points = sampler

        def inside(points: Floats) -> Floats:
            return of_points(np.clip(points, low, high))

    window = AcousticWindow(
        frequency=frequency,
        frame=np.eye(4) if frame is None else np.array(frame, dtype=np.float64),
        grid=grid,
        materials=fill(grid, medium, frequency, inside, chosen),
        low=low,
        high=high,
        rim=_damping(grid, rim, 2.0 * pi * frequency),
        rim_elements=rim,
        notes=medium.notes,
    )
    check_resolution(order, window.points_per_wavelength, frequency, window.slowest / frequency)
    return window


def _grid(
    medium: LayeredMedium,
    x: Floats,
    y: Floats,
    half: tuple[float, float],
    depth: tuple[float, float],
    wavelengths: Floats,
    order: int,
    per_wavelength: float,
    rim: int,
) -> ColumnGrid:
    """Return the grid: layers along the surfaces, and flat ones of the rim before and behind."""
    X, Y = np.meshgrid(
        *(np.clip(nodes_of(e, order), -h, h) for e, h in zip((x, y), half, strict=True))
    )
    medium.check(X, Y)
    targets = order / per_wavelength * wavelengths
    layers = layer_faces(medium.heights(X, Y), depth, targets)
    beyond: Floats = np.arange(1, rim + 1)[:, None, None] * np.ones_like(X)
    faces = np.concatenate(
        [depth[0] - targets[0] * beyond[::-1], layers.faces, depth[1] + targets[-1] * beyond]
    )
    last = len(wavelengths) - 1
    region = np.concatenate([np.zeros(rim, np.intp), layers.region, np.full(rim, last, np.intp)])
    # thin bone need not be of high order, but sound goes to and fro in it
    turns = np.diff(faces, axis=0).max(axis=(1, 2)) / wavelengths[region]
    way = np.bincount(region, turns)
    error = phase_error(order, order / per_wavelength) * per_wavelength / order
    allowed = THIN * error * way.sum() / way
    orders = [max(2, layer_order(t, allowed[r], order)) for t, r in zip(turns, region, strict=True)]
    return ColumnGrid(
        x=x, y=y, order=order, faces=faces, orders=np.array(orders, np.int32), region=region
    )


def _ends(half: float, size: float, rim: int) -> Floats:
    """Return ends of equal elements over -half … half and a rim on both sides."""
    n = ceil(2.0 * half / size - 1e-9)
    ends: Floats = 2.0 * half / n * (np.arange(n + 2.0 * rim + 1.0) - 0.5 * n - rim)
    return ends


def _damping(grid: ColumnGrid, rim: int, omega: float) -> tuple[Floats, Floats, Floats]:
    """Return the damping of the rim along lines of nodes (1/s): 0 inside, rising outwards."""
    lines: list[Floats] = []
    z = np.arange(len(grid.orders) + 1.0)  # in layers: those of the rim are all of one thickness
    planes = np.concatenate(
        [*(nodes_of(z[i : i + 2], n)[:-1] for i, n in enumerate(grid.orders.tolist())), z[-1:]]
    )
    for line, ends in (
        (grid.lateral_nodes[0], grid.x),
        (grid.lateral_nodes[1], grid.y),
        (planes, z),
    ):
        low, high = ends[rim], ends[-1 - rim]
        depth = np.maximum((low - line) / (low - ends[0]), (line - high) / (ends[-1] - high))
        lines.append(np.asarray(RIM_DAMPING * omega * np.maximum(depth, 0.0) ** 2))
    return lines[0], lines[1], lines[2]
