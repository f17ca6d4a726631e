"""The box in which waves are computed: grid, materials and what absorbs at its rim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, factorial, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.grid.gll import nodes_of
from rheobase.fields.acoustics.grid.layering import layer_faces
from rheobase.fields.acoustics.media import Floats, LayeredMedium

ORDERS = (4, 5, 6, 7)
"""Lateral orders that the kernel is compiled for."""

#: Fewest nodes a wavelength that are let through, by order: the phase of a plane wave is then off
#: by 1 % of a turn in a wavelength.
PHASE_LIMIT = 0.01
#: Elements of half a wavelength or multiples of it reflect a little as a row (a stop band of the
#: grid); above this many wavelengths an element is refused.
LARGEST = 0.95

Sampler = Callable[[Floats], tuple[Floats, Floats, Floats, Floats]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Elementwise:
    """Material of the elements, shapes (L, Ey, Ex), and node by node where it varies in them.

    Parameters
    ----------
    sound_speed, density, loss, absorption
        m/s, kg/m³, Np/m, and the part of the loss that turns to heat (Np/m).
    at
        Where the nodes of an element begin in ``nodal``; -1 for elements of one material.
    nodal
        The four quantities at nodes of the others, shape (4, n).
    """

    sound_speed: Floats
    density: Floats
    loss: Floats
    absorption: Floats
    at: NDArray[np.int64]
    nodal: Floats

    def combined(
        self, rule: Callable[[Floats, Floats, Floats, Floats], Floats]
    ) -> tuple[Floats, Floats]:
        """Return a coefficient of the elements and of the nodes of the varying ones."""
        of_elements = rule(self.sound_speed, self.density, self.loss, self.absorption)
        return np.ascontiguousarray(of_elements), np.ascontiguousarray(rule(*self.nodal))


@dataclass(frozen=True, kw_only=True, eq=False)
class AcousticWindow:
    """A box of columns along a beam, for one frequency.

    Made by `acoustic_window`.

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
    notes: tuple[str, ...] = field(default=())

    @property
    def omega(self) -> float:
        """Angular frequency (rad/s)."""
        return 2.0 * pi * self.frequency

    @cached_property
    def points_per_wavelength(self) -> float:
        """Fewest nodes a wavelength along x or y, anywhere."""
        shortest = float(self.materials.sound_speed.min()) / self.frequency
        return self.grid.order * shortest / max(self.grid.spacing)

    def to_beam(self, points: ArrayLike) -> Floats:
        """Return points of the head frame (m) in the beam frame, shape (n, 3)."""
        inverse = np.linalg.inv(self.frame)
        return np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def to_head(self, points: ArrayLike) -> Floats:
        """Return points of the beam frame (m) in the head frame, shape (n, 3)."""
        return np.asarray(points, dtype=np.float64) @ self.frame[:3, :3].T + self.frame[:3, 3]


def phase_error(order: int, turns: float) -> float:
    """Return the error of phase of a wave that crosses a spectral element (rad).

    Parameters
    ----------
    order
        Order N of the element.
    turns
        Size of the element in wavelengths.

    Notes
    -----
    Leading term of the dispersion of Gauss-Lobatto elements with their own quadrature (Ainsworth
    & Wajid 2009, DOI 10.1137/080724976): (N! / (2 N)!)^2 (kh)^(2 N + 1) / (2 N (2 N + 1)).

    Examples
    --------
    >>> round(phase_error(5, 0.8), 5)
    0.00026
    """
    ratio = factorial(order) / factorial(2 * order)
    return ratio**2 * (2.0 * pi * turns) ** (2 * order + 1) / (2 * order * (2 * order + 1))


def layer_order(turns: float, error: float, most: int) -> int:
    """Return the lowest order whose phase is off by at most ``error`` (rad) a wavelength."""
    for order in range(1, most):
        if phase_error(order, turns) <= error * turns:
            return order
    return most


def acoustic_window(
    medium: LayeredMedium,
    frequency: float,
    *,
    half_width: float | Sequence[float],
    depth: tuple[float, float],
    frame: ArrayLike | None = None,
    order: int = 5,
    per_wavelength: float = 6.25,
    rim: int = 2,
    sampler: Sampler | None = None,
    sampled: Sequence[int] = (),
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
        Material at points (n, 3) of the beam frame: sound speed, density, loss, absorption. Asked
        at the nodes of the layers in the regions ``sampled``.
    sampled
        Regions of ``medium`` (0 before its first surface) whose material ``sampler`` gives.

    Raises
    ------
    InputError
        If the window is empty, the order is not available, nodes a wavelength are too few, or
        surfaces cross or leave the window.
    """
    check_positive("frequency (Hz)", frequency)
    half_x, half_y = (half_width, half_width) if np.ndim(half_width) == 0 else half_width  # type: ignore[misc]
    check_positive("half width of the window (m)", half_x)
    check_positive("half width of the window (m)", half_y)
    if not depth[1] > depth[0]:
        raise InputError(
            f"expected a window whose depth grows, got {depth[0] * 1e3:g} to {depth[1] * 1e3:g} mm"
        )
    if order not in ORDERS:
        raise InputError(f"expected an order of {ORDERS[0]} to {ORDERS[-1]}, got {order}")
    wavelengths = np.array([fluid.wavelength(frequency) for fluid in medium.fluids])
    size = order / per_wavelength * wavelengths.min()
    _check_resolution(order, per_wavelength, frequency, wavelengths.min())
    x, y = (_ends(half, size, rim) for half in (half_x, half_y))
    X, Y = np.meshgrid(
        np.clip(nodes_of(x, order), -half_x, half_x), np.clip(nodes_of(y, order), -half_y, half_y)
    )
    medium.check(X, Y)
    targets = order / per_wavelength * wavelengths
    low = depth[0] - rim * targets[0]
    high = depth[1] + rim * targets[-1]
    layers = layer_faces(medium.heights(X, Y), (low, high), targets)
    thickest = np.diff(layers.faces, axis=0).max(axis=(1, 2))
    allowed = phase_error(order, order / per_wavelength) * per_wavelength / order
    orders = np.array(
        [
            max(2, layer_order(t / wavelengths[r], allowed, order))
            for t, r in zip(thickest, layers.region, strict=True)
        ],
        dtype=np.int32,
    )
    grid = ColumnGrid(
        x=x, y=y, order=order, faces=layers.faces, orders=orders, region=layers.region
    )
    inner = (np.array([-half_x, -half_y, depth[0]]), np.array([half_x, half_y, depth[1]]))
    omega = 2.0 * pi * frequency
    lines = (*grid.lateral_nodes, grid.depths[:, 0, 0])
    widths = ((x[1] - x[0],) * 2, (y[1] - y[0],) * 2, (targets[0], targets[-1]))
    damping = tuple(
        omega * _rising(line, inner[0][i], inner[1][i], rim * np.array(widths[i]))
        for i, line in enumerate(lines)
    )
    return AcousticWindow(
        frequency=frequency,
        frame=np.eye(4) if frame is None else np.array(frame, dtype=np.float64),
        grid=grid,
        materials=_fill(grid, medium, frequency, sampler, sampled),
        low=inner[0],
        high=inner[1],
        rim=damping,  # type: ignore[arg-type]
        notes=medium.notes,
    )


def _check_resolution(order: int, per_wavelength: float, frequency: float, shortest: float) -> None:
    """Refuse too few nodes a wavelength."""
    check_positive("nodes a wavelength", per_wavelength)
    turns = order / per_wavelength
    if turns > LARGEST or phase_error(order, turns) / turns > 2.0 * pi * PHASE_LIMIT:
        enough = next(
            p
            for p in np.arange(2.0, 40.0, 0.25)
            if order / p <= LARGEST and phase_error(order, order / p) * p / order <= 2 * pi * 0.01
        )
        raise InputError(
            f"expected at least {enough:g} nodes a wavelength for elements of order {order}, got "
            f"{per_wavelength:g} at {frequency / 1e3:g} kHz, where the shortest wave has "
            f"{shortest * 1e3:.3g} mm: set per_wavelength"
        )


def _ends(half: float, size: float, rim: int) -> Floats:
    """Return ends of equal elements over -half … half and a rim on both sides."""
    n = ceil(2.0 * half / size - 1e-9)
    return 2.0 * half / n * (np.arange(n + 2 * rim + 1) - 0.5 * n - rim)


def _rising(line: Floats, low: float, high: float, width: Floats) -> Floats:
    """Return the share of damping along a line of nodes: 0 inside, rising with the cube to 1."""
    if width[0] == 0.0:
        return np.zeros_like(line)
    depth = np.maximum(np.maximum((low - line) / width[0], (line - high) / width[1]), 0.0)
    rising: Floats = depth**3
    return rising


def _fill(
    grid: ColumnGrid,
    medium: LayeredMedium,
    frequency: float,
    sampler: Sampler | None,
    sampled: Sequence[int],
) -> Elementwise:
    """Return the materials of a grid."""
    table = np.array([[*f.at(frequency), f.absorption(frequency)] for f in medium.fluids])
    shape = grid.elements
    of_layers = table[grid.region]
    whole = [np.broadcast_to(of_layers[:, i, None, None], shape).copy() for i in range(4)]
    at = np.full(shape, -1, np.int64)
    nodal = np.empty((4, 0))
    if sampler is not None and len(sampled):
        parts, begin = [], 0
        for layer in np.flatnonzero(np.isin(grid.region, sampled)):
            points = element_nodes(grid, int(layer))
            values = np.array(sampler(points.reshape(-1, 3))).reshape(4, *points.shape[:-1])
            varies = (np.ptp(values, axis=-1) > 0).any(axis=0)
            for whole_, value in zip(whole, values, strict=True):
                whole_[layer][~varies] = value[~varies, 0]
                whole_[layer][varies] = value[varies].mean(axis=-1)
            n = points.shape[-2]
            at[layer][varies] = begin + n * np.arange(varies.sum())
            parts.append(values[:, varies].reshape(4, -1))
            begin += parts[-1].shape[1]
        nodal = np.concatenate(parts, axis=1)
    for name, value in zip(("sound speed", "density"), nodal[:2], strict=True):
        if not (np.isfinite(value).all() and (value > 0.0).all()):
            raise InputError(
                f"expected {name} > 0 everywhere, got {value[~(value > 0.0)][0]:g} in the image"
            )
    return Elementwise(
        sound_speed=whole[0], density=whole[1], loss=whole[2], absorption=whole[3],
        at=at, nodal=nodal,
    )  # fmt: skip


def element_nodes(grid: ColumnGrid, layer: int) -> Floats:
    """Return the nodes of a layer by element (m): (Ey, Ex, (n + 1)(N + 1)(N + 1), 3), x fastest."""
    N, n, (_, ey, ex) = grid.order, int(grid.orders[layer]), grid.elements
    x, y = grid.lateral_nodes
    down = np.arange(ey)[:, None] * N + np.arange(N + 1)
    across = np.arange(ex)[:, None] * N + np.arange(N + 1)
    z = grid.depths[grid.first[layer] : grid.first[layer + 1] + 1]
    local = z[:, down][:, :, :, across]  # (n+1, ey, N+1, ex, N+1)
    out = np.empty((ey, ex, n + 1, N + 1, N + 1, 3))
    out[..., 2] = local.transpose(1, 3, 0, 2, 4)
    out[..., 0] = x[across][None, :, None, None, :]
    out[..., 1] = y[down][:, None, None, :, None]
    return out.reshape(ey, ex, -1, 3)
