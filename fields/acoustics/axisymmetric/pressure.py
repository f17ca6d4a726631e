"""The pressure of an axisymmetric solution: values anywhere, other drives, where the power goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.axisymmetric.grid import AxialGrid
from rheobase.fields.acoustics.axisymmetric.loads import RingLoads
from rheobase.fields.acoustics.axisymmetric.source import AxialSource
from rheobase.fields.acoustics.grid.gll import lagrange, lagrange_slopes
from rheobase.fields.acoustics.media import LayeredMedium

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Ints = NDArray[np.intp]

#: Points that are evaluated at once.
CHUNK = 20_000


@dataclass(frozen=True, kw_only=True)
class AxialReport:
    """What a solution took.

    Attributes
    ----------
    unknowns
        Count of unknowns, absorbing rims included.
    columns, layers, order
        Elements along r and z, and their order.
    points_per_wavelength
        The least there are in any fluid.
    phase_error
        Estimated phase error over the depth of the domain (rad).
    seconds
        Wall time.
    notes
        What to know of the fluids.
    """

    unknowns: int
    columns: int
    layers: int
    order: int
    points_per_wavelength: float
    phase_error: float
    seconds: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.unknowns:,} unknowns ({self.columns} x {self.layers} elements of order "
            f"{self.order}, {self.points_per_wavelength:.1f} points a wavelength, phase within "
            f"{self.phase_error:.1e} rad) in {self.seconds:.2f} s"
        )


@dataclass(frozen=True, kw_only=True)
class PowerBalance:
    """Where the power of a source goes (W).

    Attributes
    ----------
    radiated
        What the source gives, 1/2 Re ∫ 2 u* P dS: to both sides, since it radiates to both.
    absorbed
        Lost in the fluids (scattered power counts as lost).
    back, front
        Through the plane where the depth range ends, and through the one where it begins, outwards.
    side
        Through the cylinder at the largest radius, outwards.
    """

    radiated: float
    absorbed: float
    back: float
    front: float
    side: float

    @property
    def defect(self) -> float:
        """Power that is unaccounted for, as a part of the radiated; 0 where there was none."""
        gone = self.absorbed + self.back + self.front + self.side
        return 1.0 - gone / self.radiated if self.radiated else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class AxialPressure:
    """Complex pressure round about a beam axis, P(r, z) exp(i w t), peak amplitude in Pa.

    Attributes
    ----------
    medium, source, frequency
        What was solved for; frequency in Hz.
    grid
        The elements.
    unit
        Pressure of each ring at 1 m/s at the nodes of elements, (layers, columns, nodes, rings)
        Pa s/m.
    loads
        The rings in the basis.
    report
        What it took.
    """

    medium: LayeredMedium
    source: AxialSource
    frequency: float
    grid: AxialGrid
    unit: Complexes
    loads: RingLoads
    report: AxialReport

    def driven(self, velocity: ArrayLike) -> AxialPressure:
        """Return the pressure with other normal velocities of the rings, (n_rings,) m/s.

        Raises
        ------
        InputError
            If there is not one velocity for each ring.
        """
        return replace(self, source=self.source.driven(velocity))

    def responses(self, r: ArrayLike, z: ArrayLike) -> Complexes:
        """Return the pressure of each ring at 1 m/s, (n_rings, ...) Pa s/m, ... of r and z.

        Raises
        ------
        InputError
            If a point lies outside the domain.
        """
        r, z = np.broadcast_arrays(np.asarray(r, dtype=float), np.asarray(z, dtype=float))
        return self._at(self.unit, r, z)

    def sample(self, r: ArrayLike, z: ArrayLike) -> Complexes:
        """Return the pressure at distances r from the axis and depths z (m), broadcast: Pa.

        Raises
        ------
        InputError
            If a point lies outside the domain.
        """
        r, z = np.broadcast_arrays(np.asarray(r, dtype=float), np.asarray(z, dtype=float))
        values: Complexes = self._at(self._values[..., None], r, z)[0]
        return values

    def on_axis(self, z: ArrayLike) -> Complexes:
        """Return the pressure on the axis at depths z (m): Pa."""
        return self.sample(0.0, z)

    def on_lattice(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Complexes:
        """Return the pressure on a lattice of lines x, y, z (m): (nx, ny, nz) Pa."""
        x, y, z = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, z))
        far = np.hypot(x[:, None], y)
        r, place = np.unique(far.round(12), return_inverse=True)
        return self.sample(r[:, None], z)[place.reshape(far.shape)]

    @cached_property
    def _values(self) -> Complexes:
        """Pressure at the nodes of elements, (layers, columns, nodes)."""
        values: Complexes = self.unit @ self.source.velocity
        return values

    def _at(self, values: Complexes, r: Floats, z: Floats) -> Complexes:
        """Return (n, *r.shape) from values at the nodes (layers, columns, nodes, n)."""
        grid = self.grid
        low, high = grid.depth
        slack = 1e-9 * (high - low)
        outside = ~(
            (r >= 0.0) & (r <= grid.radius + slack) & (z >= low - slack) & (z <= high + slack)
        )
        if outside.any():
            raise InputError(
                f"expected points with r within 0 … {1e3 * grid.radius:g} mm and z within "
                f"{1e3 * low:g} … {1e3 * high:g} mm, got (r, z) = "
                f"({1e3 * r[outside][0]:.4g}, {1e3 * z[outside][0]:.4g}) mm"
            )
        out = np.empty((values.shape[-1], r.size), complex)
        for start in range(0, r.size, CHUNK):
            part = slice(start, start + CHUNK)
            layer, column, x, y = grid.locate(r.ravel()[part], z.ravel()[part])
            out[:, part] = np.einsum(
                "pjin,pj,pi->np",
                values[layer, column].reshape(len(x), grid.order + 1, grid.order + 1, -1),
                lagrange(grid.order, y),
                lagrange(grid.order, x),
                optimize=True,
            )
        return out.reshape(len(out), *r.shape)

    def power(self) -> PowerBalance:
        """Return where the power goes; fluxes from the derivatives of the solution."""
        grid, n = self.grid, self.grid.order + 1
        points, weights = np.polynomial.legendre.leggauss(n + 1)
        basis = lagrange(grid.order, points)
        ends = lagrange(grid.order, [-1.0, 1.0]), lagrange_slopes(grid.order, [-1.0, 1.0])
        p = self._values.reshape(grid.layers, grid.columns, n, n)
        first, last = grid.inner_layers
        columns = grid.inner_columns
        half_r = 0.5 * np.diff(grid.breaks)[:columns, None]
        r = grid.breaks[:columns, None] + half_r * (1.0 + points)
        omega = 2.0 * np.pi * self.frequency
        c, rho, alpha = np.array([f.at(self.frequency) for f in self.medium.fluids]).T

        def plane(layer: int, end: int) -> float:
            """Return the power through a face of a layer between planes, towards +z."""
            thick = grid.faces[layer + 1, 0] - grid.faces[layer, 0]
            here = p[layer, :columns]
            value = np.einsum("cji,j,qi->cq", here, ends[0][end], basis)
            slope = np.einsum("cji,j,qi->cq", here, ends[1][end], basis) * 2.0 / thick
            flux = 0.5 * np.real(value * np.conj(1j * slope / (omega * rho[grid.region[layer]])))
            return float(2.0 * np.pi * (flux * r * half_r * weights).sum())

        nodes = np.arange(columns)[:, None] * grid.order + np.arange(n)
        thick = np.diff(grid.faces[first : last + 1][:, nodes], axis=0) @ basis.T  # (l, c, q)
        inside = np.einsum("lcji,sj,qi->lcsq", p[first:last, :columns], basis, basis, optimize=True)
        lost = (alpha / (rho * c))[grid.region[first:last], None, None]
        volume = np.pi * thick * r * half_r * weights
        rim = p[first:last, columns]  # beyond the radius, where layers lie flat
        value = rim[..., 0] @ basis.T
        slope = np.einsum("lji,sj,i->ls", rim, basis, ends[1][0])
        slope *= 2.0 / (grid.breaks[columns + 1] - grid.breaks[columns])
        rho_layer = rho[grid.region[first:last], None]
        side = 0.5 * np.real(value * np.conj(1j * slope / (omega * rho_layer)))
        tall = np.diff(grid.faces[first : last + 1, columns * grid.order])[:, None]
        loads = self.loads
        given = self._values[loads.layer, loads.column]
        work = (loads.values * given).sum(axis=1) * np.conj(self.source.velocity[loads.ring])
        return PowerBalance(
            radiated=float(np.pi * work.real.sum()),
            absorbed=float(
                (lost * volume * (np.abs(inside) ** 2 * weights[:, None]).sum(axis=2)).sum()
            ),
            back=plane(last, 0),
            front=-plane(first - 1, 1),
            side=float(np.pi * grid.radius * (side * weights * tall).sum()),
        )
