"""Coils: line elements, magnetic dipoles or sampled fields, and the frame they are given in.

Vector potential per ampere of coil current,

    A(r) = mu0/4pi [ sum_j dl_j/|r - r_j| + sum_k m_k × (r - r_k)/|r - r_k|³ ] + sampled fields.

Frame of a coil: the origin is the middle of the face that the coil turns to the head, +z points
away from the head, +y is the direction of the handle. Positive current flows towards the handle in
the middle of a figure-of-eight; the field in the tissue is opposed to a growing current, so a
positive dI/dt drives current in the brain *away from* the handle. A file keeps the sign it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.fields.waveforms.waveform import Waveform

_PART = 1024  # points of a thread's piece of work


def _none() -> NDArray[np.float64]:
    return np.empty((0, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Coil:
    """A coil: what makes its field, and what of it must stay outside the head.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    positions, segments
        Middle (m) and vector (m) of each line element, shape (n, 3).
    dipoles, moments
        Position (m) and moment per ampere (m²) of each magnetic dipole, shape (n, 3).
    sampled
        Fields given on grids.
    outline
        Points (m) of the casing, or before the copper where no casing is known, shape (n, 3).
    pose
        From the coil's frame to that of ``positions``, shape (4, 4).
    dIdt_max
        Largest rate of change of the current that the stimulator gives (A/s), None if unknown.
    stimulator, brand
        Of the coil, "" if unknown.
    waveforms
        dI/dt of the stimulator, where the coil's file holds some.
    notes
        What was done to the coil that a reader must know.

    Raises
    ------
    InputError
        If there is nothing that makes a field, a number is not finite, or ``dIdt_max`` not > 0.
    """

    name: str
    positions: NDArray[np.float64] = field(default_factory=_none)
    segments: NDArray[np.float64] = field(default_factory=_none)
    dipoles: NDArray[np.float64] = field(default_factory=_none)
    moments: NDArray[np.float64] = field(default_factory=_none)
    sampled: tuple[SampledPotential, ...] = ()
    outline: NDArray[np.float64] = field(default_factory=_none)
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    dIdt_max: float | None = None
    stimulator: str = ""
    brand: str = ""
    waveforms: tuple[Waveform, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        for a, b in (("positions", "segments"), ("dipoles", "moments"), ("outline", "outline")):
            x, y = getattr(self, a), getattr(self, b)
            if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 3:
                raise InputError(
                    f"expected {a} and {b} of shape (n, 3), got {x.shape} and {y.shape}: "
                    f"coil {self.name!r}"
                )
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                raise InputError(f"{a} and {b} must be finite: coil {self.name!r}")
        if len(self.positions) + len(self.dipoles) + len(self.sampled) == 0:
            raise InputError(
                f"expected line elements, dipoles or a sampled field, got none: coil {self.name!r}"
            )
        if self.dIdt_max is not None and not 0 < self.dIdt_max < np.inf:
            raise InputError(
                f"expected dIdt_max > 0 A/s or None, got {self.dIdt_max!r}: coil {self.name!r}"
            )

    @property
    def elements(self) -> NDArray[np.float64]:
        """Positions of all line elements and dipoles (m), shape (n, 3)."""
        return np.concatenate([self.positions, self.dipoles])

    def lines(self) -> list[NDArray[np.float64]]:
        """Return the runs of line elements that follow each other (m), shape (n, 3) each.

        A run that comes back to its start is closed.
        """
        if not len(self.positions):
            return []
        step = np.diff(self.positions, axis=0)
        along = 0.5 * (self.segments[1:] + self.segments[:-1])
        size = np.linalg.norm(along, axis=1)
        ends = np.flatnonzero(np.linalg.norm(step - along, axis=1) > 0.1 * size) + 1
        runs = []
        for at, by in zip(
            np.split(self.positions, ends), np.split(self.segments, ends), strict=True
        ):
            gap = np.linalg.norm(at[0] - at[-1] - 0.5 * (by[0] + by[-1]))
            runs.append(np.vstack([at, at[:1]]) if gap < 0.1 * np.linalg.norm(by[0]) else at)
        return runs

    def vector_potential(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return A (V s/m per ampere) at points (m), shape (n, 3).

        Raises
        ------
        InputError
            If points lie outside a sampled field.
        """
        from rheobase.fields.coils._potential_numba import vector_potential

        p = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
        A = np.empty_like(p)
        elements = [
            np.ascontiguousarray(each)
            for each in (self.positions, self.segments, self.dipoles, self.moments)
        ]
        in_parts(lambda some: vector_potential(p[some], *elements, A[some]), len(p), _PART)
        A *= MU0_OVER_4PI
        for one in self.sampled:
            A += one.at(p, where=f"coil {self.name!r}")
        return A

    def moved(self, pose: ArrayLike) -> Coil:
        """Return the coil moved by a rigid transform (m), shape (4, 4).

        Raises
        ------
        InputError
            If ``pose`` is not a rotation and a shift.
        """
        move = checked_pose(pose, where=f"coil {self.name!r}")
        R, shift = move[:3, :3], move[:3, 3]
        return replace(
            self,
            positions=self.positions @ R.T + shift,
            segments=self.segments @ R.T,
            dipoles=self.dipoles @ R.T + shift,
            moments=self.moments @ R.T,
            sampled=tuple(s.moved(move) for s in self.sampled),
            outline=self.outline @ R.T + shift,
            pose=move @ self.pose,
        )


def checked_pose(pose: ArrayLike, *, where: str) -> NDArray[np.float64]:
    """Return ``pose`` as a rigid transform, shape (4, 4).

    Raises
    ------
    InputError
        If it is not a rotation and a shift.
    """
    matrix = np.asarray(pose, dtype=np.float64)
    if (
        matrix.shape != (4, 4)
        or not np.isfinite(matrix).all()
        or not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-5)
        or not np.linalg.det(matrix[:3, :3]) > 0
        or not np.array_equal(matrix[3], [0.0, 0.0, 0.0, 1.0])
    ):
        raise InputError(
            "expected a rotation and a shift as a 4 x 4 matrix with the last row 0 0 0 1, got "
            f"{matrix.round(4).tolist()}: pose of {where}"
        )
    return matrix


def magnetic_dipole(position: ArrayLike, moment: ArrayLike, *, name: str = "dipole") -> Coil:
    """Return a magnetic dipole in head coordinates.

    Parameters
    ----------
    position
        Position (m), shape (3,).
    moment
        Moment per ampere (m²), shape (3,).
    name
        Name of the coil.
    """
    return Coil(
        name=name,
        dipoles=np.atleast_2d(np.asarray(position, dtype=np.float64)),
        moments=np.atleast_2d(np.asarray(moment, dtype=np.float64)),
    )
