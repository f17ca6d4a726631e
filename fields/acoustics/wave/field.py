"""The complex pressure in a window, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.tables import lumped
from rheobase.fields.acoustics.wave.window import AcousticWindow

Complex = NDArray[np.complex128]


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
