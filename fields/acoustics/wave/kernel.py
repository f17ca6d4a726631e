"""The compiled wave kernel, and the arrays it works on."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.grid.gll import differentiation, gll
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.window import AcousticWindow
from rheobase.fields.native import library

Singles = NDArray[np.float32]
MOST = 7  # highest order; tables of orders have MOST + 1 columns
LINE = 64  # bytes of a cache line


class _Wave(ctypes.Structure):
    """``Wave`` of _wave.c."""

    _fields_ = (
        *((n, ctypes.c_int32) for n in (
            "lateral", "elements", "rows", "layers", "pitch", "begin", "end", "threads",
        )),
        *((n, ctypes.c_void_p) for n in (
            "order", "first", "slopes", "slopes_z", "stiffness_x", "stiffness_y", "stiffness_z",
            "weight_xy", "weight_z",
        )),
        ("per_x", ctypes.c_float),
        ("per_y", ctypes.c_float),
        *((n, ctypes.c_void_p) for n in (
            "inverse_density", "metric_at", "metric", "inverse", "keep",
        )),
        ("sources", ctypes.c_int64),
        *((n, ctypes.c_void_p) for n in (
            "source_at", "source_cos", "source_sin", "now", "then",
        )),
    )  # fmt: skip


@cache
def _native() -> ctypes.CDLL:
    import rheobase.fields.acoustics.wave as room

    found = library(room.__path__, "_wave.so")
    found.wave_steps.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    return found


def lanes() -> int:
    """Return how many elements the kernel takes at a time on this processor."""
    return int(_native().wave_lanes())


def threads() -> int:
    """Return how many threads the kernel may use: OMP_NUM_THREADS, else the cores it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def aligned(shape: tuple[int, ...]) -> Singles:
    """Return zeros at the start of a cache line."""
    size = int(np.prod(shape)) * 4
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(np.float32).reshape(shape)


@dataclass(frozen=True, slots=True)
class Packing:
    """How nodes (nz, ny, nx) lie in the kernel: [z][y][local x][element], padded."""

    shape: tuple[int, int, int]
    order: int
    pitch: int

    @property
    def column(self) -> NDArray[np.intp]:
        """Place in a line of each node along x, shape (nx,)."""
        i = np.arange(self.shape[2])
        return (i % self.order) * self.pitch + i // self.order

    def pack(self, values: ArrayLike) -> Singles:
        """Return nodal values as the kernel has them, 0 where padded."""
        out = aligned((*self.shape[:2], self.order * self.pitch))
        out[..., self.column] = values
        return out

    def unpack(self, packed: Singles) -> Singles:
        """Return values of the kernel at the nodes, shape (nz, ny, nx)."""
        out: Singles = packed[..., self.column]
        return out

    def places(self, nodes: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return places in the kernel's arrays of flat node numbers."""
        line, x = np.divmod(nodes, self.shape[2])
        return (line * self.order * self.pitch + self.column[x]).astype(np.int64)


class WaveKernel:
    """The kernel bound to a window: leapfrog steps of its pressure.

    Parameters
    ----------
    window
        Grid and materials.

    Attributes
    ----------
    mass, damping
        Diagonals of M (1/(rho c'^2) integrated) and C, shape (nz, ny, nx).
    packing
        Where nodes lie.
    """

    def __init__(self, window: AcousticWindow) -> None:
        self.window = window
        grid = window.grid
        width = lanes()
        pitch = -(-(grid.elements[2] + 1) // width) * width
        self.packing = Packing(grid.shape, grid.order, pitch)
        self.mass, self.damping = diagonals(window)
        self._arrays = _tables(window, pitch, width)
        hx, hy = grid.spacing
        layers, rows, elements = grid.elements
        shape = (*grid.shape[:2], grid.order * pitch)
        self._now, self._then = aligned(shape), aligned(shape)
        self._wave = _Wave(
            lateral=grid.order, elements=elements, rows=rows, layers=layers, pitch=pitch,
            begin=0, end=layers, threads=threads(), per_x=2.0 / hx, per_y=2.0 / hy,
            now=self._now.ctypes.data, then=self._then.ctypes.data,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )  # fmt: skip
        self._by_address = {a.ctypes.data: a for a in (self._now, self._then)}

    def _set(self, **arrays: NDArray[Any]) -> None:
        for name, array in arrays.items():
            self._arrays[name] = array
            setattr(self._wave, name, array.ctypes.data)

    def set_step(self, dt: float, scale: float = 1.0) -> None:
        """Set the time step (s); the damping is multiplied by ``scale``."""
        m, c = self.mass / dt**2, self.damping * (scale / (2.0 * dt))
        inverse = 1.0 / (m + c)
        self._set(
            inverse=self.packing.pack(inverse), keep=self.packing.pack(2.0 * m * inverse - 1.0)
        )

    def set_source(self, load: NDArray[np.complex128]) -> None:
        """Set the source: its real part goes with `step`'s cosine, its imaginary with sine.

        Parameters
        ----------
        load
            Right-hand side at the nodes, shape (nz, ny, nx).
        """
        nodes = np.flatnonzero(load)
        at = self.packing.places(nodes)
        value = load.ravel()[nodes] * self._arrays["inverse"].ravel()[at]
        self._set(
            source_at=at,
            source_cos=value.real.astype(np.float32),
            source_sin=value.imag.astype(np.float32),
        )
        self._wave.sources = len(at)

    def set_pressure(self, now: ArrayLike, before: ArrayLike) -> None:
        """Set the pressure (Pa) at this step and the one before, shape (nz, ny, nx)."""
        self._by_address[self._wave.now][...] = self.packing.pack(now)
        self._by_address[self._wave.then][...] = self.packing.pack(before)

    def steps(self, cosine: ArrayLike, sine: ArrayLike, active: tuple[int, int]) -> None:
        """Make a step for each entry of ``cosine`` and ``sine``, in the layers ``active``.

        Raises
        ------
        MemoryError
            If there is none for the sums of the threads.
        """
        a = np.ascontiguousarray(cosine, np.float32)
        b = np.ascontiguousarray(sine, np.float32)
        self._wave.begin, self._wave.end = active
        failed = _native().wave_steps(
            ctypes.byref(self._wave), len(a), a.ctypes.data, b.ctypes.data
        )
        if failed:
            raise MemoryError("no memory for the sums of the wave kernel")

    @property
    def pressure(self) -> Singles:
        """Pressure now (Pa), shape (nz, ny, nx)."""
        return self.packing.unpack(self._by_address[self._wave.now])

    @property
    def packed(self) -> Singles:
        """Pressure now (Pa) as the kernel has it."""
        return self._by_address[self._wave.now]

    def stiffness_times(self, values: ArrayLike) -> Floats:
        """Return K times nodal values, shape (nz, ny, nx); the pressure is lost."""
        zero, one = np.zeros(self.packing.shape), np.ones(self.packing.shape)
        kept = {n: self._arrays.get(n) for n in ("inverse", "keep")}
        sources, self._wave.sources = self._wave.sources, 0
        self._set(inverse=self.packing.pack(-one), keep=self.packing.pack(-one))
        self.set_pressure(values, zero)  # q = p - (p - q) + K p
        self.steps([0.0], [0.0], (0, self._wave.layers))
        out = self.pressure.astype(np.float64)
        self._set(**{n: a for n, a in kept.items() if a is not None})
        self._wave.sources = sources
        self.set_pressure(zero, zero)
        return out

    def highest(self, rounds: int = 30) -> float:
        """Return the largest eigenvalue of M^-1 K (1/s²), by power iteration, rounded up 4 %."""
        random = np.random.default_rng(0)
        v = random.standard_normal(self.packing.shape)
        value = 0.0
        for _ in range(rounds):
            v /= np.linalg.norm(v.ravel())
            w = self.stiffness_times(v) / self.mass
            value = float(np.linalg.norm(w.ravel()))
            v = w
        return 1.04 * value


def diagonals(window: AcousticWindow) -> tuple[Floats, Floats]:
    """Return mass M and damping C at the nodes: losses, rim and absorbing sides together."""
    from rheobase.fields.acoustics.grid._columns_numba import lump_sides

    grid, materials, omega = window.grid, window.materials, window.omega
    mass = lumped(
        window, *materials.combined(lambda c, rho, a, _: (c**-2.0 - (a / omega) ** 2) / rho)
    )
    damping = lumped(window, *materials.combined(lambda c, rho, a, _: 2.0 * a / (rho * c)))
    x, y, z = window.rim
    damping += 2.0 * mass * (z[:, None, None] + y[:, None] + x)
    admittance = materials.combined(lambda c, rho, a, _: 1.0 / (rho * c))[0]
    hx, hy = grid.spacing
    orders, first = grid.orders, grid.first
    lump_sides(
        damping, grid.faces, grid.order, orders, first, _weights(), 0.5 * hx, 0.5 * hy, admittance
    )
    across = gll(grid.order)[1]
    for plane, layer in ((0, 0), (-1, -1)):
        ends = np.zeros(grid.shape[1:])
        N = grid.order
        for j in range(N + 1):
            for i in range(N + 1):
                rows = slice(j, j + grid.elements[1] * N - N + 1, N)
                columns = slice(i, i + grid.elements[2] * N - N + 1, N)
                ends[rows, columns] += across[j] * across[i] * 0.25 * hx * hy * admittance[layer]
        damping[plane] += ends
    return mass, damping


def lumped(window: AcousticWindow, value: Floats, nodal: Floats) -> Floats:
    """Return the integrals of a coefficient times the basis functions, shape (nz, ny, nx)."""
    from rheobase.fields.acoustics.grid._columns_numba import lump

    grid = window.grid
    hx, hy = grid.spacing
    out = np.zeros(grid.shape)
    lump(
        out, grid.faces, grid.order, grid.orders, grid.first, _weights(), 0.25 * hx * hy, value,
        window.materials.at, nodal,
    )  # fmt: skip
    return out


@cache
def _weights() -> Floats:
    """Return Gauss-Lobatto weights by order, shape (8, 8)."""
    table = np.zeros((MOST + 1, MOST + 1))
    for n in range(1, MOST + 1):
        table[n, : n + 1] = gll(n)[1]
    return table


@cache
def _nodes() -> Floats:
    """Return Gauss-Lobatto nodes by order, shape (8, 8)."""
    table = np.zeros((MOST + 1, MOST + 1))
    for n in range(1, MOST + 1):
        table[n, : n + 1] = gll(n)[0]
    return table


def _stiffness(order: int, size: float) -> Floats:
    """Return W^-1 D^T W D (2 / size)^2 of a line of an element."""
    weights, D = gll(order)[1], differentiation(order)
    return (D.T * weights) @ D / weights[:, None] * (2.0 / size) ** 2


def _tables(window: AcousticWindow, pitch: int, width: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a window that the kernel reads."""
    from rheobase.fields.acoustics.grid._columns_numba import fill_metric

    grid, materials = window.grid, window.materials
    N, (layers, rows, elements) = grid.order, grid.elements
    hx, hy = grid.spacing
    thickness = np.diff(grid.faces, axis=0)
    even = np.median(thickness, axis=(1, 2))  # of the boxes of each layer
    flat = _flat(grid.faces, N, rows, elements, even) & (materials.at < 0)
    blocks = pitch // width
    padded = np.ones((layers, rows, pitch), bool)
    padded[..., :elements] = flat
    boxes = padded.reshape(layers, rows, blocks, width).all(axis=-1)
    sizes = (grid.orders + 1) * (N + 1) ** 2 * 4 * width
    count = np.where(boxes, 0, sizes[:, None, None])
    begin = np.cumsum(count).reshape(count.shape) - count
    metric_at = np.where(boxes, -1, begin).astype(np.int64)
    lightness, nodal = materials.combined(lambda c, rho, a, _: 1.0 / rho)
    metric = aligned((int(count.sum()),))
    if len(metric):
        fill_metric(
            metric, metric_at, width, grid.faces, *grid.slopes(), N, grid.orders, _weights(),
            _nodes(), 0.25 * hx * hy, lightness, materials.at, nodal,
        )  # fmt: skip
    inverse_density = aligned((layers, rows, pitch))
    inverse_density[..., :elements] = lightness
    slopes_z, stiffness_z = np.zeros((2, layers, MOST + 1, MOST + 1), np.float32)
    weight_z = np.zeros((layers, MOST + 1), np.float32)
    for layer, n in enumerate(grid.orders.tolist()):
        slopes_z[layer, : n + 1, : n + 1] = differentiation(n)
        stiffness_z[layer, : n + 1, : n + 1] = _stiffness(n, even[layer])
        weight_z[layer, : n + 1] = gll(n)[1] * 0.5 * even[layer]
    across = gll(N)[1]
    return {
        "order": np.ascontiguousarray(grid.orders, np.int32),
        "first": grid.first,
        "slopes": differentiation(N).astype(np.float32),
        "slopes_z": slopes_z,
        "stiffness_x": _stiffness(N, hx).astype(np.float32),
        "stiffness_y": _stiffness(N, hy).astype(np.float32),
        "stiffness_z": stiffness_z,
        "weight_xy": (np.outer(across, across) * 0.25 * hx * hy).astype(np.float32),
        "weight_z": weight_z,
        "inverse_density": inverse_density,
        "metric_at": metric_at,
        "metric": metric,
    }


def _flat(faces: Floats, order: int, rows: int, elements: int, even: Floats) -> NDArray[np.bool_]:
    """Return which elements are boxes of their layer's common thickness, shape (L, Ey, Ex)."""
    down = np.arange(rows)[:, None] * order + np.arange(order + 1)
    across = np.arange(elements)[:, None] * order + np.arange(order + 1)
    local = faces[:, down][:, :, :, across]
    low, high = local.min(axis=(2, 4)), local.max(axis=(2, 4))
    margin = 1e-9 * even[:, None, None]
    level = high - low
    return (
        (level[:-1] <= margin)
        & (level[1:] <= margin)
        & (np.abs(high[1:] - high[:-1] - even[:, None, None]) <= margin)
    )
