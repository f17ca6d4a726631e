"""The complex pressure in a window, and what follows from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.materials import Elementwise
from rheobase.fields.acoustics.wave.tables import lumped
from rheobase.fields.acoustics.wave.window import AcousticWindow

Complex = NDArray[np.complex128]

KIND = "rheobase pressure field 1"
GRID = ("x", "y", "faces", "orders", "region")
MATERIALS = ("sound_speed", "density", "loss", "absorption", "at", "nodal")


@dataclass(frozen=True, kw_only=True, eq=False)
class PressureField:
    """Steady pressure P at the nodes of a window: p(t) = Re(P e^{i w t}).

    Parameters
    ----------
    window
        Grid, materials, frame and frequency.
    phasor
        P (peak, Pa) at the nodes, shape (nz, ny, nx).
    report
        What the solution took.
    """

    window: AcousticWindow
    phasor: NDArray[np.complex64]
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def frequency(self) -> float:
        """Frequency (Hz)."""
        return self.window.frequency

    @property
    def frame(self) -> Floats:
        """Beam frame to head frame, shape (4, 4)."""
        return self.window.frame

    def sample(self, points: ArrayLike, *, head: bool = False) -> Complex:
        """Return P (Pa) at points (m) of the beam frame, or the head's; NaN outside, shape (n,)."""
        at = self.window.to_beam(points) if head else points
        return self.window.grid.locate(at).sample(self.phasor)

    def on_lattice(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Complex:
        """Return P (Pa) on a lattice of the beam frame (m), shape (nx, ny, nz)."""
        lines = [np.atleast_1d(np.asarray(line, dtype=np.float64)) for line in (x, y, z)]
        mesh = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
        return self.sample(mesh.reshape(-1, 3)).reshape(mesh.shape[:-1])

    def intensity(self, points: ArrayLike) -> Floats:
        """Return the time-mean power through a unit area (W/m²) at points (m), shape (n, 3).

        Re(P v*) / 2 with v = i grad P / (w rho), in the beam frame; NaN outside. In elements of
        mixed material the density is their mean.
        """
        found, density = self.window.grid.locate(points), self.window.materials.density
        rho = density[found.layer, found.iy, found.ix]
        v = 1j * found.gradient(self.phasor) / (self.window.omega * rho[:, None])
        return 0.5 * (found.sample(self.phasor)[:, None] * v.conj()).real

    def power_through(self, place: float, *, axis: str = "z") -> float:
        """Return the power (W) that goes through a plane of the inner box, upwards along its axis.

        Parameters
        ----------
        place
            Where the plane is on the axis (m).
        axis
            "x", "y" or "z" of the beam frame.

        Raises
        ------
        InputError
            If the plane is not in the inner box.
        """
        window, normal = self.window, "xyz".index(check_option("axis", axis, "xyz"))
        low, high = window.low, window.high
        if not low[normal] <= place <= high[normal]:
            raise InputError(
                f"expected a plane within {axis} = {low[normal] * 1e3:.1f} … "
                f"{high[normal] * 1e3:.1f} mm, got {place * 1e3:.1f} mm"
            )
        grid = window.grid
        x, wx = _gauss(grid.x.clip(low[0], high[0]), grid.order)
        y, wy = _gauss(grid.y.clip(low[1], high[1]), grid.order)
        if normal == 2:
            x, y = (line.ravel() for line in np.meshgrid(x, y, indexing="ij"))
            points, weights = np.stack([x, y, np.full(len(x), place)], axis=1), np.outer(wx, wy)
        else:  # the density jumps between layers: from face to face
            along = normal == 0
            x, y = (np.full(len(y), place), y) if along else (x, np.full(len(x), place))
            faces = grid.heights(x, y).clip(low[2], high[2])
            z, wz = _gauss(faces.T, int(grid.orders.max()))
            points = np.stack(np.broadcast_arrays(x[:, None], y[:, None], z), axis=-1)
            points, weights = points.reshape(-1, 3), wz * (wy if along else wx)[:, None]
        return float(weights.ravel() @ self.intensity(points)[:, normal])

    @cached_property
    def absorbing(self) -> Floats:
        """Absorption / (rho c) integrated around the nodes (W/Pa²), shape (nz, ny, nx)."""
        rule = self.window.materials.combined(lambda c, rho, _, a: a / (rho * c))
        return lumped(self.window, *rule)

    def heat_nodes(self) -> tuple[Floats, Floats]:
        """Return nodes of the inner box (m, head frame) and the power each takes up (W).

        Q = a |P|² / (rho c), a the part of the loss that turns to heat: the nodes are the points
        of Gauss-Lobatto quadrature.
        """
        window = self.window
        planes, rows, columns = window.inner
        part = np.s_[planes, rows, columns]
        power = (self.absorbing[part] * np.abs(self.phasor[part]) ** 2).reshape(-1)
        points = window.grid.points(np.arange(planes.start, planes.stop), rows, columns)
        keep = power > 0.0
        return window.to_head(points.reshape(-1, 3)[keep]), power[keep]

    def save(self, path: Path | str) -> None:
        """Write the field to an HDF5 file, with all of the window that sampling it takes.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        import h5py

        window, grid, materials = self.window, self.window.grid, self.window.materials
        with whole_file(path) as part, h5py.File(part, "w") as file:
            file.attrs["kind"] = KIND
            file.attrs["frequency"] = window.frequency
            file.attrs["rim_elements"] = window.rim_elements
            file.attrs["order"] = grid.order
            file.attrs["notes"] = json.dumps(window.notes)
            file.attrs["report"] = json.dumps(self.report)
            for name in GRID:
                file[f"grid/{name}"] = getattr(grid, name)
            for name in MATERIALS:
                file[f"materials/{name}"] = getattr(materials, name)
            for name in ("frame", "low", "high"):
                file[name] = getattr(window, name)
            for axis, line in zip("xyz", window.rim, strict=True):
                file[f"rim/{axis}"] = line
            file["phasor"] = self.phasor

    @classmethod
    def load(cls, path: Path | str) -> PressureField:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is no pressure field or is damaged.
        """
        import h5py

        try:
            with h5py.File(path) as file:
                if file.attrs.get("kind") != KIND:
                    raise InputError(f"expected a pressure field, got another file: {path}")
                grid = ColumnGrid(
                    order=int(file.attrs["order"]), **{n: file[f"grid/{n}"][()] for n in GRID}
                )
                window = AcousticWindow(
                    frequency=float(file.attrs["frequency"]),
                    grid=grid,
                    materials=Elementwise(**{n: file[f"materials/{n}"][()] for n in MATERIALS}),
                    rim=tuple(file[f"rim/{axis}"][()] for axis in "xyz"),
                    rim_elements=int(file.attrs["rim_elements"]),
                    notes=tuple(json.loads(file.attrs["notes"])),
                    **{n: file[n][()] for n in ("frame", "low", "high")},
                )
                report = json.loads(file.attrs["report"])
                return cls(window=window, phasor=file["phasor"][()], report=report)
        except (OSError, KeyError) as error:
            raise InputError(f"cannot read a pressure field from {path}: {error}") from error


def _gauss(ends: Floats, order: int) -> tuple[Floats, Floats]:
    """Return points and weights of a rule of order + 1 points between ends (..., k + 1)."""
    at, part = np.polynomial.legendre.leggauss(order + 1)
    half = 0.5 * np.diff(ends)[..., None]
    shape = (*ends.shape[:-1], -1)
    middle = 0.5 * (ends[..., 1:] + ends[..., :-1])[..., None]
    return (middle + half * at).reshape(shape), (half * part).reshape(shape)
