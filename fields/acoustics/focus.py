"""The focus in a pressure on a rectilinear lattice: where, how strong, how large.

Widths and volume are those of half the peak pressure (-6 dB), as in the ITRUSST benchmark: full
width by linear interpolation along the lines of the lattice through the peak, volume of the
connected component that holds the peak (Aubry et al., J Acoust Soc Am 152:1003 (2022),
doi:10.1121/10.0013426). Peak and position are those of the parabola through the logarithms of the
largest sample and its neighbours. For the volume the amplitude is first refined by cubic splines,
then each cell is cut into tetrahedra in which it is linear: no staircase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
HALF = 0.5  # of the peak pressure: -6 dB
REFINE = 4  # lattice cells are split by this for the volume
MOST_NODES = 20_000_000  # of the refined lattice
AXES = "xyz"
#: The six tetrahedra of a cube around its diagonal, as corners numbered 4 i + 2 j + k.
TETRAHEDRA = ((0, 4, 6, 7), (0, 4, 5, 7), (0, 2, 6, 7), (0, 2, 3, 7), (0, 1, 5, 7), (0, 1, 3, 7))


@dataclass(frozen=True, kw_only=True, eq=False)
class Focus:
    """Metrics of a focus.

    Parameters
    ----------
    peak
        Largest pressure amplitude (Pa).
    position
        Where (m), shape (3,).
    widths
        Full widths at half the peak along x, y and z (m), shape (3,); NaN where half the peak is
        not reached within the lattice and that was allowed.
    volume
        Of the connected component above half the peak that holds it (m³); NaN likewise.
    centroid
        Of that component (m), shape (3,).
    """

    peak: float
    position: Floats
    widths: Floats
    volume: float
    centroid: Floats

    @property
    def axial(self) -> float:
        """Width along the beam, z (m)."""
        return float(self.widths[2])

    @property
    def lateral(self) -> tuple[float, float]:
        """Widths along x and y (m)."""
        return float(self.widths[0]), float(self.widths[1])


def focus_metrics(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    pressure: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    allow_cut: bool = False,
) -> Focus:
    """Return the metrics of the focus.

    Parameters
    ----------
    x, y, z
        Lattice (m), ascending, at least three each.
    pressure
        Pressure, complex, or its amplitude (Pa), shape (nx, ny, nz).
    mask
        Where the focus is looked for (the brain), and what counts for its volume, shape
        (nx, ny, nz); everywhere by default.
    allow_cut
        Give NaN for a width or volume that the lattice cuts, instead of an error.

    Raises
    ------
    InputError
        If the lattice is impossible, a pressure is not finite, the mask is empty, the peak lies on
        the side of the lattice, or the lattice cuts the focus.
    """
    axes, A, inside = _checked(x, y, z, pressure, mask)
    at = _largest(A, inside)
    if not A[at] > 0:
        raise InputError("the pressure is 0 everywhere: focus")
    for axis, i in enumerate(at):
        if i in (0, A.shape[axis] - 1):
            raise InputError(
                f"the largest pressure lies on the {'lower' if i == 0 else 'upper'} "
                f"{AXES[axis]} side of the lattice, {1e3 * axes[axis][i]:.2f} mm: the focus is "
                "cut, enlarge the lattice"
            )
    position, tops = np.empty(3), np.empty(3)
    for axis, i in enumerate(at):
        line = A[_line(at, axis)]
        position[axis], tops[axis] = _summit(axes[axis][i - 1 : i + 2], line[i - 1 : i + 2])
    peak = float(A[at] * (tops / A[at]).prod())
    widths = np.array(
        [_width(axes[a], A[_line(at, a)], i, HALF * tops[a]) for a, i in enumerate(at)]
    )
    volume, centroid = _component(axes, np.where(inside, A, 0.0), at, HALF * peak)
    if not allow_cut:
        short = [AXES[a] for a in range(3) if not np.isfinite(widths[a])]
        if short or not np.isfinite(volume):
            raise InputError(
                "the lattice cuts the focus "
                + (f"along {' and '.join(short)}" if short else "off its axes")
                + ": half the peak pressure lies outside, enlarge the lattice"
            )
    return Focus(peak=peak, position=position, widths=widths, volume=volume, centroid=centroid)


class Transmission(NamedTuple):
    """What arrives of the field in water: pressure and intensity as shares, and in decibels."""

    pressure: float
    intensity: float
    decibels: float


def transmission(
    pressure: float, water_pressure: float, *, fluid: Fluid, water: Fluid
) -> Transmission:
    """Return how much arrives through the skull.

    Parameters
    ----------
    pressure, water_pressure
        Amplitudes (Pa) with the head and in water alone, both at the target or both at the peak.
    fluid, water
        What is at the focus, and the water: intensity is |P|²/(2 rho c) of each.

    Raises
    ------
    InputError
        If an amplitude is not finite and > 0.
    """
    for name, value in (("pressure", pressure), ("pressure in water", water_pressure)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"expected a {name} > 0 Pa, got {value}: transmission")
    ratio = pressure / water_pressure
    return Transmission(
        pressure=ratio,
        intensity=ratio**2 * water.impedance / fluid.impedance,
        decibels=float(20 * np.log10(ratio)),
    )


class Difference(NamedTuple):
    """How a field differs from a reference: shares of the reference, and metres."""

    l2: float
    linf: float
    peak: float
    position: float


def difference(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    reference: ArrayLike,
    other: ArrayLike,
    *,
    beyond: float = -np.inf,
    mask: ArrayLike | None = None,
) -> Difference:
    """Return the differences of two amplitudes as the ITRUSST benchmark defines them.

    Parameters
    ----------
    x, y, z
        Lattice (m), shapes (nx,), (ny,) and (nz,).
    reference, other
        Pressures, complex, or their amplitudes (Pa), shape (nx, ny, nz).
    beyond
        Only z from here on is compared: the plane at which the source ends (m).
    mask
        Where the peaks are looked for, shape (nx, ny, nz).

    Returns
    -------
    Difference
        ||d||/||ref||, max|d|/max|ref|, the difference of the peaks over the reference's (with its
        sign) and the distance between the largest samples.

    Raises
    ------
    InputError
        If the lattice is impossible, a pressure is not finite, or nothing is left to compare.
    """
    axes, A, inside = _checked(x, y, z, reference, mask)
    B = _checked(x, y, z, other, mask)[1]
    deep = axes[2] >= beyond
    if not deep.any() or not A[:, :, deep].any():
        raise InputError(f"expected a reference other than 0 beyond z = {beyond:g} m: difference")
    a, b = A[:, :, deep], B[:, :, deep]
    peaks = [_largest(f, inside) for f in (A, B)]
    first, second = (np.array([axes[c][p[c]] for c in range(3)]) for p in peaks)
    return Difference(
        l2=float(np.linalg.norm(b - a) / np.linalg.norm(a)),
        linf=float(np.abs(b - a).max() / a.max()),
        peak=float(B[peaks[1]] / A[peaks[0]] - 1),
        position=float(np.linalg.norm(second - first)),
    )


def _checked(
    x: ArrayLike, y: ArrayLike, z: ArrayLike, pressure: ArrayLike, mask: ArrayLike | None
) -> tuple[list[Floats], Floats, Bools]:
    """Return axes, amplitude and mask, checked."""
    axes = [np.asarray(v, dtype=np.float64) for v in (x, y, z)]
    for name, v in zip(AXES, axes, strict=True):
        if v.ndim != 1 or not np.isfinite(v).all() or not (np.diff(v) > 0).all():
            raise InputError(f"expected ascending finite {name}: lattice of the focus")
    shape = tuple(len(v) for v in axes)
    A = np.abs(np.asarray(pressure)).astype(np.float64)
    if A.shape != shape:
        raise InputError(f"expected a pressure of shape {shape}, got {A.shape}: focus")
    bad = np.count_nonzero(~np.isfinite(A))
    if bad:
        raise InputError(f"expected finite pressures, {bad:,} of {A.size:,} are not: focus")
    inside = np.ones(shape, bool) if mask is None else np.asarray(mask, dtype=bool)
    if inside.shape != shape or not inside.any():
        raise InputError(
            f"expected a mask of shape {shape} that is not empty, got {inside.shape} with "
            f"{np.count_nonzero(inside):,} points: focus"
        )
    return axes, A, inside


def _largest(A: Floats, inside: Bools) -> tuple[int, ...]:
    """Return the index of the largest sample inside a mask."""
    return tuple(int(i) for i in np.unravel_index(np.where(inside, A, -1.0).argmax(), A.shape))


def _line(at: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """Return the index of the line of the lattice through ``at`` along ``axis``."""
    return tuple(slice(None) if a == axis else i for a, i in enumerate(at))


def _summit(x: Floats, f: Floats) -> tuple[float, float]:
    """Return where the parabola through three logarithms is largest, and the value there.

    A focus is nearly a Gaussian, for which this is exact, however few samples it has.
    """
    if not (f[1] >= f[0] > 0 and f[1] >= f[2] > 0):  # a mask may hide a larger neighbour
        return float(x[1]), float(f[1])
    g = np.log(f / f[1])
    low, high = -g[0] / (x[1] - x[0]), g[2] / (x[2] - x[1])
    bend = (high - low) / (x[2] - x[0])
    if bend == 0:
        return float(x[1]), float(f[1])
    top = 0.5 * (x[0] + x[1] - low / bend)
    value = g[0] + (top - x[0]) * (low + bend * (top - x[1]))
    return float(top), float(f[1] * np.exp(value))


def _width(x: Floats, f: Floats, i: int, level: float) -> float:
    """Return the width of ``f`` around sample ``i`` at a level, NaN where it is not reached."""
    below = np.flatnonzero(f < level)
    left, right = below[below < i], below[below > i]
    if not (len(left) and len(right)):
        return float("nan")
    ends = []
    for a, b in ((left[-1], left[-1] + 1), (right[0] - 1, right[0])):
        ends.append(x[a] + (level - f[a]) / (f[b] - f[a]) * (x[b] - x[a]))
    return float(ends[1] - ends[0])


def _component(
    axes: list[Floats], A: Floats, at: tuple[int, ...], level: float
) -> tuple[float, Floats]:
    """Return volume (m³) and centroid (m) of the component above a level that holds a sample."""
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import find_objects, label

    high = np.greater_equal(A, level)
    parts, _ = label(high)
    box = find_objects((parts == parts[at]).astype(np.int8))[0]
    cut = any(s.start == 0 or s.stop == n for s, n in zip(box, A.shape, strict=True))
    grown = tuple(
        slice(max(s.start - 2, 0), min(s.stop + 2, n)) for s, n in zip(box, A.shape, strict=True)
    )
    values, fine = A[grown], []
    each = min(REFINE, max(1, int((MOST_NODES / values.size) ** (1 / 3))))
    for axis in range(3):
        x = axes[axis][grown[axis]]
        new = np.interp(np.arange((len(x) - 1) * each + 1) / each, np.arange(len(x)), x)
        values = CubicSpline(x, values, axis=axis)(new)
        fine.append(new)
    high = np.greater_equal(values, level)
    parts, _ = label(high)
    centre = tuple((i - s.start) * each for i, s in zip(at, grown, strict=True))
    values[high & (parts != parts[centre])] = level  # of other components: nothing
    volume, moment = _above(fine, values - level)
    return (float("nan") if cut else volume), moment / volume


def _above(axes: list[Floats], f: Floats) -> tuple[float, Floats]:
    """Return the volume where the piecewise linear f is > 0, and its first moment.

    Cells that 0 crosses are cut into six tetrahedra; see `_tetrahedron`.
    """
    corners = [
        f[i : f.shape[0] - 1 + i, j : f.shape[1] - 1 + j, k : f.shape[2] - 1 + k]
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    most, least = np.max(corners, axis=0), np.min(corners, axis=0)
    cell = np.einsum("i,j,k->ijk", *(np.diff(x) for x in axes))
    middle = [0.5 * (x[1:] + x[:-1]) for x in axes]
    share = (least > 0).astype(np.float64)
    mixed = (most > 0) & (least <= 0)
    v = np.stack([c[mixed] for c in corners])
    share[mixed] = np.mean([_tetrahedron(v[list(t)]) for t in TETRAHEDRA], axis=0)
    weight = cell * share
    volume = float(weight.sum())
    moment = np.array(
        [weight.sum(axis=tuple(b for b in range(3) if b != a)) @ middle[a] for a in range(3)]
    )
    return volume, moment


def _tetrahedron(f: Floats) -> Floats:
    """Return the share of tetrahedra where a linear function is > 0 from its corners, (4, n)."""
    a, b, c, d = np.sort(f, axis=0)[::-1]
    out = np.zeros(a.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = a**3 / ((a - b) * (a - c) * (a - d))
        three = 1 + d**3 / ((a - d) * (b - d) * (c - d))
        # two corners above: the prism between the edges that cross 0
        p, q, r, s = a / (a - c), a / (a - d), b / (b - c), b / (b - d)
        two = p * q * (1 - s) + p * s * (1 - r) + r * s
    above = (f > 0).sum(axis=0)
    for n, value in ((1, one), (2, two), (3, three)):
        out[above == n] = value[above == n]
    out[above == 4] = 1.0
    return out
