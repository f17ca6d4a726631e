"""The compiled wave kernel bound to a window."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._memory import free_memory
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.tables import (
    MOST,
    Singles,
    aligned,
    blocks,
    diagonals,
    packing_of,
    tables,
)
from rheobase.fields.acoustics.wave.window import AcousticWindow
from rheobase.fields.native import library

#: Steps of Lanczos' method for the largest eigenvalue, and what is added to what they find.
LANCZOS, MARGIN = 24, 0.01
#: Arrays of packed nodes that a solution holds: two pressures, two of the step, mass, damping,
#: and two of the phasor.
PACKED = 8


class _Wave(ctypes.Structure):
    """``Wave`` of _wave.c."""

    _fields_ = (
        *((n, ctypes.c_int32) for n in (
            "lateral", "elements", "rows", "layers", "pitch", "begin", "end", "threads", "lanes",
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

    # threads that wait sleep: spinning, they would slow each other down on a busy machine. OpenMP
    # reads this when it is loaded.
    told = "OMP_WAIT_POLICY" in os.environ
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        found = library(room.__path__, "_wave.so")
    finally:
        if not told:
            del os.environ["OMP_WAIT_POLICY"]
    found.wave_steps.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    return found


def build() -> bytes:
    """Return the compiled kernel itself, for keys of what it made."""
    return Path(_native()._name).read_bytes()


def lanes() -> int:
    """Return how many elements the kernel takes at a time on this processor."""
    return int(_native().wave_lanes())


def threads() -> int:
    """Return how many threads the kernel may use: OMP_NUM_THREADS, else the cores it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def memory_needed(window: AcousticWindow) -> int:
    """Return the bytes that the arrays of a solution take."""
    grid, width = window.grid, lanes()
    packing = packing_of(window, width)
    plane = 4 * int(np.prod(packing.shape[1:]))
    faces, materials = grid.faces.nbytes, 6 * 8 * int(np.prod(grid.elements))
    sums = (MOST + 2) * plane * min(threads(), len(grid.orders))
    metric = 4 * blocks(window, width)[2]
    mixed = 2 * window.materials.nodal.nbytes
    phasor = 8 * grid.size
    return PACKED * plane * packing.shape[0] + faces + materials + sums + metric + mixed + phasor


def check_memory(window: AcousticWindow) -> int:
    """Return the bytes a solution takes, or refuse it where they are not free.

    Raises
    ------
    InputError
        If less memory is free.
    """
    needed, free = memory_needed(window), free_memory()
    if needed > free:
        raise InputError(
            f"the window of {window.grid.size / 1e6:.1f} M nodes needs {needed / 2**30:.2f} GiB of "
            f"memory and {free / 2**30:.2f} are free: make it smaller, or lower per_wavelength "
            f"({window.points_per_wavelength:.3g} now)"
        )
    return needed


class WaveKernel:
    """Leapfrog steps of the pressure in a window.

    Parameters
    ----------
    window
        Grid and materials.
    width
        Elements that are taken at a time: 4, 8 or 16, at most `lanes`, which is the default.

    Attributes
    ----------
    packing
        Where nodes lie.
    mass, damping
        Diagonals of M (1/(rho c'^2) integrated) and C, as nodes lie.
    """

    def __init__(self, window: AcousticWindow, width: int | None = None) -> None:
        self.window = window
        grid, width = window.grid, width or lanes()
        self.packing = packing_of(window, width)
        self.mass, self.damping = diagonals(window, self.packing)
        self._arrays = tables(window, width)
        hx, hy = grid.spacing
        layers, rows, elements = grid.elements
        shape = self.packing.shape
        for name in ("inverse", "keep"):
            self._arrays[name] = aligned(shape)
        now, then = aligned(shape), aligned(shape)
        self._wave = _Wave(
            lateral=grid.order, elements=elements, rows=rows, layers=layers,
            pitch=self.packing.pitch, begin=0, end=layers, threads=threads(), lanes=width,
            per_x=2.0 / hx, per_y=2.0 / hy, now=now.ctypes.data, then=then.ctypes.data,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )  # fmt: skip
        self._by_address = {a.ctypes.data: a for a in (now, then)}

    @property
    def metric_size(self) -> int:
        """Numbers of the metric of elements that are no boxes."""
        return len(self._arrays["metric"])

    @property
    def packed(self) -> Singles:
        """Pressure now (Pa), as nodes lie: a view that the next steps change."""
        return self._by_address[self._wave.now]

    @property
    def packed_before(self) -> Singles:
        """Pressure a step before (Pa), as nodes lie."""
        return self._by_address[self._wave.then]

    @property
    def pressure(self) -> Singles:
        """Pressure now (Pa), shape (nz, ny, nx)."""
        return self.packing.unpack(self.packed)

    def set_step(self, dt: float, scale: float = 1.0) -> None:
        """Set the time step (s); the damping is multiplied by ``scale``."""
        inverse, keep = self._arrays["inverse"], self._arrays["keep"]
        with np.errstate(divide="ignore", invalid="ignore"):
            for m, c, i, k in zip(self.mass, self.damping, inverse, keep, strict=True):
                whole = m / dt**2 + c * (scale / (2.0 * dt))
                i[:] = np.where(m > 0.0, 1.0 / whole, 0.0)
                k[:] = np.where(m > 0.0, 2.0 * m / dt**2 / whole - 1.0, 0.0)

    def set_source(self, nodes: NDArray[np.intp], load: NDArray[np.complex128]) -> None:
        """Set the source: its real part goes with `steps`' cosine, its imaginary with sine.

        Parameters
        ----------
        nodes, load
            Flat numbers of nodes, and the right-hand side there.
        """
        at = self.packing.places(nodes)
        value = load * self._arrays["inverse"].ravel()[at]
        for name, array in (
            ("source_at", at),
            ("source_cos", value.real.astype(np.float32)),
            ("source_sin", value.imag.astype(np.float32)),
        ):
            self._arrays[name] = array
            setattr(self._wave, name, array.ctypes.data)
        self._wave.sources = len(at)

    def set_pressure(self, now: ArrayLike, before: ArrayLike) -> None:
        """Set the pressure (Pa) at this step and the one before, shape (nz, ny, nx)."""
        self.packed[:] = self.packing.pack(now)
        self.packed_before[:] = self.packing.pack(before)

    def steps(
        self, cosine: ArrayLike, sine: ArrayLike, active: tuple[int, int] | None = None
    ) -> None:
        """Make a step for each entry of ``cosine`` and ``sine``, in the layers ``active``.

        Raises
        ------
        MemoryError
            If there is none for the sums of the threads.
        """
        a = np.ascontiguousarray(cosine, np.float32)
        b = np.ascontiguousarray(sine, np.float32)
        self._wave.begin, self._wave.end = active or (0, self._wave.layers)
        failed = _native().wave_steps(
            ctypes.byref(self._wave), len(a), a.ctypes.data, b.ctypes.data
        )
        if failed:
            raise MemoryError("no memory for the sums of the wave kernel")

    def _set_operator(self) -> None:
        """Let a step from (v, 0) give (M^-1 K v, v), but for the sign; sources are left out."""
        inverse = self._arrays["inverse"]
        with np.errstate(divide="ignore"):
            for m, i in zip(self.mass, inverse, strict=True):
                i[:] = np.where(m > 0.0, 1.0 / m, 0.0)
        self._arrays["keep"][:] = -1.0
        self._wave.sources = 0

    def stiffness_times(self, values: ArrayLike) -> Floats:
        """Return K times nodal values, shape (nz, ny, nx); step and source are lost."""
        self._set_operator()
        self.set_pressure(values, 0.0)
        self.steps([0.0], [0.0])
        out = -self.packing.unpack(self.packed * self.mass).astype(np.float64)
        self.set_pressure(0.0, 0.0)
        return out

    def highest(self) -> float:
        """Return the largest eigenvalue of M^-1 K (1/s²), rounded up; step and source are lost.

        Lanczos' method in the inner product of M, from a random vector: the largest Ritz value,
        with its residual and 1 % added.
        """
        self._set_operator()
        v = self.packing.pack(
            np.random.default_rng(0).standard_normal(self.window.grid.shape, np.float32)
        )
        last, mass = np.zeros_like(v), self.mass
        v /= np.sqrt(_dot(v, v, mass))
        diagonal, beside = [], [0.0]
        for _ in range(LANCZOS):
            self.packed[:], self.packed_before[:] = v, 0.0
            self.steps([0.0], [0.0])
            w = self.packed  # -M^-1 K v
            diagonal.append(-_dot(w, v, mass))
            w += diagonal[-1] * v
            w += beside[-1] * last
            beside.append(float(np.sqrt(_dot(w, w, mass))))
            last, v = v, last
            np.multiply(w, -1.0 / beside[-1], out=v)
        self.packed[:] = self.packed_before[:] = 0.0
        from scipy.linalg import eigh_tridiagonal

        values, vectors = eigh_tridiagonal(diagonal, beside[1:-1])
        return float(values[-1] + beside[-1] * abs(vectors[-1, -1])) * (1.0 + MARGIN)


def _dot(a: Singles, b: Singles, mass: Singles) -> float:
    """Return the inner product of M, summed over planes in double precision."""
    return float(sum(float(np.vdot(x, y * m)) for x, y, m in zip(a, b, mass, strict=True)))
