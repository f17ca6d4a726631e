"""Drives: steering by path lengths, correction of aberration by phase conjugation, steering maps.

A drive is one complex normal velocity an element. The pressure at a point is the sum over elements
of drive times transfer, the pressure there at unit velocity (Pa per m/s). By reciprocity one
calculation gives the transfers to a target from all elements: a point at the target that gives the
volume velocity Q makes the pressure p at the elements, and

    transfer of e = 2/Q ∫_e p dS,

2 for the layer of twice the velocity that a source is. It holds for any fluid at rest between
them, lossy ones too. The drive with the conjugate phases adds up all elements at the target: gain
= sum of their moduli.

References: Fink, IEEE Trans Ultrason Ferroelectr Freq Control 39:555 (1992), doi:10.1109/58.156174;
Aubry et al., J Acoust Soc Am 113:84 (2003), doi:10.1121/1.1529663.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import WATER, Fluid
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.transducers.transducer import Transducer

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def delays(transducer: Transducer, point: ArrayLike, *, fluid: Fluid = WATER) -> Floats:
    """Return when each element fires (s) for all waves to meet at a point, 0 for the first.

    Parameters
    ----------
    transducer
        The transducer.
    point
        Where the waves meet, in the beam frame (m), shape (3,).
    fluid
        What is between.

    Returns
    -------
    ndarray
        From the mean path over the face of each element, shape (n_elements,).

    Raises
    ------
    InputError
        If the point is not finite or does not lie ahead of every element.
    """
    target = np.asarray(point, dtype=np.float64)
    if target.shape != (3,) or not np.isfinite(target).all():
        raise InputError(f"expected three finite coordinates, got {target.tolist()}: steering")
    source = transducer.source(velocity=1.0, fluid=fluid)
    way = target - source.points
    if not (np.einsum("ij,ij->i", way, source.normal) > 0).all():
        raise InputError(
            f"expected a point ahead of every element, got {(1e3 * target).round(1).tolist()} mm: "
            f"steering of {transducer.name!r}"
        )
    first = source.firsts[:-1]
    path = np.add.reduceat(source.area * np.linalg.norm(way, axis=1), first)
    path /= np.add.reduceat(source.area, first)
    late: Floats = (path.max() - path) / fluid.sound_speed
    return late


def focus_at(
    transducer: Transducer,
    point: ArrayLike,
    *,
    fluid: Fluid = WATER,
    apodisation: ArrayLike | None = None,
) -> Complexes:
    """Return the drive that focuses at a point in a homogeneous fluid, shape (n_elements,).

    Parameters
    ----------
    transducer, point, fluid
        As for `delays`.
    apodisation
        Amplitude of each element, 1 by default, shape (n_elements,).

    Returns
    -------
    ndarray
        e^{-iw delay} times the amplitude.

    Raises
    ------
    InputError
        As for `delays`, or if an amplitude is not finite and >= 0.
    """
    late = delays(transducer, point, fluid=fluid)
    phase: Complexes = np.exp(-2j * pi * transducer.frequency * late)
    return _amplitudes(apodisation, transducer.n_elements) * phase


def transfers(source: Source, pressure: ArrayLike, *, flow: complex) -> Complexes:
    """Return the pressure at a target per velocity of each element (Pa per m/s) by reciprocity.

    Parameters
    ----------
    source
        The elements.
    pressure
        At the points of the source (Pa), of a point source at the target, shape (n_points,).
    flow
        Volume velocity of that point source (m³/s): p = i w rho Q e^{-ikr}/(4 pi r) near it.

    Returns
    -------
    ndarray
        Shape (n_elements,).

    Raises
    ------
    InputError
        If the pressure has another shape or is not finite, or the flow is 0.
    """
    p = np.asarray(pressure, dtype=np.complex128)
    if p.shape != source.area.shape or not np.isfinite(p).all():
        raise InputError(
            f"expected a finite pressure of shape {source.area.shape}, got {p.shape}: transfers"
        )
    if not (np.isfinite(flow) and flow != 0):
        raise InputError(f"expected a volume velocity other than 0, got {flow}: transfers")
    sums: Complexes = np.add.reduceat(p * source.area, source.firsts[:-1]) * (2 / flow)
    return sums


@dataclass(frozen=True, eq=False)
class Conjugation:
    """Phase conjugation for one target.

    Parameters
    ----------
    transfer
        Pressure at the target per velocity of each element (Pa per m/s), shape (n_elements,).

    Raises
    ------
    InputError
        If it is not finite or 0 everywhere.
    """

    transfer: Complexes

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.transfer.ndim != 1 or not np.isfinite(self.transfer).all():
            raise InputError(
                f"expected finite transfers of shape (n_elements,), got {self.transfer.shape}: "
                "phase conjugation"
            )
        if not self.transfer.any():
            raise InputError("no element reaches the target: phase conjugation")

    @property
    def gain(self) -> float:
        """Largest pressure at the target when all elements move at 1 m/s (Pa per m/s)."""
        return float(np.abs(self.transfer).sum())

    def drive(self, velocity: ArrayLike = 1.0) -> Complexes:
        """Return the drive whose waves meet in phase 0 at the target (m/s), shape (n_elements,).

        Parameters
        ----------
        velocity
            Amplitude of each element (m/s), or one for all.

        Raises
        ------
        InputError
            If an amplitude is not finite and >= 0.
        """
        amplitude = _amplitudes(velocity, len(self.transfer))
        phase: Complexes = np.exp(-1j * np.angle(self.transfer))
        return amplitude * phase

    def at_target(self, drive: ArrayLike) -> complex:
        """Return the pressure P (Pa) that any drive makes at the target."""
        return complex(np.asarray(drive, dtype=np.complex128) @ self.transfer)

    def share(self, drive: ArrayLike) -> float:
        """Return what a drive reaches of what conjugation reaches with its amplitudes, 0 … 1.

        0 for a drive that moves nothing.
        """
        u = np.asarray(drive, dtype=np.complex128)
        most = np.abs(u) @ np.abs(self.transfer)
        return float(abs(self.at_target(u)) / most) if most else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SteeringMap:
    """What each steering target gets.

    Parameters
    ----------
    targets
        Shape (m, 3) (m).
    pressure
        Amplitude at each target (Pa), shape (m,).
    peak, position
        Largest amplitude anywhere on the points (Pa) and where (m), shapes (m,) and (m, 3).
    """

    targets: Floats
    pressure: Floats
    peak: Floats
    position: Floats

    @property
    def gain(self) -> Floats:
        """Pressure at each target over that of the best one, shape (m,)."""
        return self.pressure / self.pressure.max()

    @property
    def off_target(self) -> Floats:
        """Distance from each target to the peak (m), shape (m,)."""
        return np.linalg.norm(self.position - self.targets, axis=1)


def steering_map(
    points: ArrayLike,
    responses: ArrayLike,
    targets: ArrayLike,
    *,
    velocity: ArrayLike = 1.0,
    drives: ArrayLike | None = None,
) -> SteeringMap:
    """Return the pressure over steering targets by algebra on unit responses.

    Parameters
    ----------
    points
        Where the responses are known (m), shape (n, 3).
    responses
        Pressure of each element at unit velocity (Pa per m/s), shape (n_elements, n).
    targets
        Steering targets (m), each one of the points, shape (m, 3).
    velocity
        Amplitude of each element (m/s), or one for all.
    drives
        Drive of each target, shape (m, n_elements); phase conjugation by default.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite or a target is not among the points.
    """
    from scipy.spatial import cKDTree

    at = np.asarray(points, dtype=np.float64)
    G = np.asarray(responses, dtype=np.complex128)
    wanted = np.atleast_2d(np.asarray(targets, dtype=np.float64))
    if G.ndim != 2 or at.shape != (G.shape[1], 3) or wanted.shape[1:] != (3,) or not len(wanted):
        raise InputError(
            f"expected responses of shape (n_elements, n) at n points and targets of shape (m, 3), "
            f"got {G.shape} at {at.shape} and {wanted.shape}: steering map"
        )
    if not (np.isfinite(G).all() and np.isfinite(at).all() and np.isfinite(wanted).all()):
        raise InputError("points, responses and targets must be finite: steering map")
    away, place = (np.asarray(v) for v in cKDTree(at).query(wanted))
    if away.max() > 1e-6:
        worst = (1e3 * wanted[away.argmax()]).round(2).tolist()
        raise InputError(f"expected targets among the points, got {worst} mm: steering map")
    u = (
        _amplitudes(velocity, len(G)) * np.exp(-1j * np.angle(G[:, place].T))
        if drives is None
        else np.asarray(drives, dtype=np.complex128)
    )
    if u.shape != (len(wanted), len(G)) or not np.isfinite(u).all():
        raise InputError(
            f"expected finite drives of shape {(len(wanted), len(G))}, got {u.shape}: steering map"
        )
    field: Floats = np.abs(u @ G)
    top = field.argmax(axis=1)
    rows = np.arange(len(wanted))
    return SteeringMap(
        targets=wanted, pressure=field[rows, place], peak=field[rows, top], position=at[top]
    )


def _amplitudes(values: ArrayLike | None, n: int) -> Floats:
    """Return the amplitude of each element, shape (n,)."""
    a = np.asarray(1.0 if values is None else values, dtype=np.float64)
    if a.shape not in ((), (n,)) or not np.isfinite(a).all() or not (a >= 0).all():
        raise InputError(
            f"expected amplitudes >= 0, one or {n} of them, got shape {a.shape}: drive"
        )
    return np.broadcast_to(a, (n,))
