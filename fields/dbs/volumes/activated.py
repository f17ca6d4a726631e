"""Volume of tissue that a steering activates: by the field, or by the curvature of the potential.

Both criteria are proportional to the current, so that where and how much is the algebra of fields
sampled once around the lead (`sample_lead`):

- `FieldCriterion`: |E| at or above a threshold (`rheobase.fields.dbs.volumes.thresholds`);
- `CurvatureCriterion`: the activating function, the second derivative of the potential along the
  fibres, or its largest eigenvalue where their directions are not known (Rattay, IEEE Trans Biomed
  Eng 33:974 (1986), doi:10.1109/TBME.1986.325670).

The surface of the volume runs through cells (`rheobase.fields.dbs.volumes.lattice`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage
from rheobase.fields.dbs.steering.steer import Steering, UnitResponses
from rheobase.fields.dbs.volumes.lattice import Lattice, lead_lattice

Floats = NDArray[np.float64]

LEAST = -0.5  # of a threshold; less is as good as that


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledLead:
    """Unit responses at the cells around a lead.

    Parameters
    ----------
    response
        The unit responses of N contacts.
    lattice
        The cells.
    E
        Fields (V/m per A), shape (N, n, 3); NaN where there is no tissue.
    """

    response: UnitResponses
    lattice: Lattice
    E: Floats

    @property
    def volumes(self) -> Floats:
        """Volume of each cell (m³), 0 where there is no tissue, shape (n,)."""
        return np.where(np.isfinite(self.E[0, :, 0]), self.lattice.volumes, 0.0)

    @cached_property
    def H(self) -> Floats:
        """Second derivatives of the potential (V/m² per A), symmetric, shape (N, n, 3, 3)."""
        minus = np.stack([self.lattice.gradient(self.E[..., i]) for i in range(3)], axis=-2)
        return -0.5 * (minus + minus.swapaxes(-1, -2))

    @property
    def points(self) -> Floats:
        """Middles of the cells in the head (m), shape (n, 3)."""
        return self.lattice.points

    def some(self, cells: NDArray[np.intp]) -> SomeCells:
        """Return the unit responses at some of the cells."""
        return SomeCells(
            E=self.E[:, cells], points=self.points[cells], curvature=lambda: self.H[:, cells]
        )


def sample_lead(response: UnitResponses, lattice: Lattice | None = None) -> SampledLead:
    """Return unit responses at cells around their lead.

    Parameters
    ----------
    response
        The unit responses.
    lattice
        The cells; those of `lead_lattice` if None.
    """
    if lattice is None:
        lattice = lead_lattice(response.lead, layer=response.layer)
    with stage("field around the lead"):
        return SampledLead(
            response=response, lattice=lattice, E=np.asarray(response.field(lattice.points))
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SomeCells:
    """Unit responses at some cells; what a `Criterion` asks of `SampledLead` too."""

    E: Floats
    points: Floats
    curvature: Callable[[], Floats]

    @cached_property
    def H(self) -> Floats:
        """Second derivatives of the potential (V/m² per A), shape (N, n, 3, 3)."""
        return self.curvature()


class Criterion(Protocol):
    """What counts as activated."""

    @property
    def falls(self) -> float:
        """Return p where the strength falls about as distance to the power -p."""
        ...

    @property
    def rough(self) -> bool:
        """Return whether jumps of the field at tissue boundaries make islands of it."""
        ...

    def strength(self, at: SampledLead | SomeCells, currents: Floats) -> Floats:
        """Return the strength at each cell, 1 at threshold, proportional to currents (A): (n,).

        It may be < 0; NaN where there is no tissue.
        """
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return the criterion as plain values, for JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class FieldCriterion:
    """|E| is at or above a threshold.

    Parameters
    ----------
    threshold
        In V/m; those of the literature: `rheobase.fields.dbs.volumes.thresholds.field_threshold`.

    Raises
    ------
    InputError
        If it is not > 0 V/m.
    """

    threshold: float
    falls = 2.0
    rough = False

    def __post_init__(self) -> None:
        """Check the threshold."""
        check_positive("threshold (V/m)", self.threshold)

    def strength(self, at: SampledLead | SomeCells, currents: Floats) -> Floats:
        """Return |E| over the threshold at each cell, shape (n,)."""
        E = np.tensordot(currents, at.E, axes=1)
        size: Floats = np.sqrt(np.einsum("ni,ni->n", E, E)) / self.threshold
        return size

    def as_dict(self) -> dict[str, Any]:
        """Return the criterion as plain values, for JSON."""
        return {"criterion": "field", "threshold_V_per_m": self.threshold}


@dataclass(frozen=True, kw_only=True, eq=False)
class CurvatureCriterion:
    """The potential curves up along a fibre by a threshold or more: its membrane is depolarised.

    The field jumps where conductivity does, and curvature has no bound there: islands of it that do
    not reach the lead do not count.

    Parameters
    ----------
    threshold
        Second derivative of the potential along the fibre (V/m²). A fibre with internodes of
        length L sees about L² times as much between its nodes (V).
    directions
        Along the fibres, of any length but 0: one of shape (3,), or what gives one for each point
        of shape (n, 3) in the head; the direction along which the potential curves most if None.

    Raises
    ------
    InputError
        If the threshold is not > 0 V/m² or a direction is 0.
    """

    threshold: float
    directions: ArrayLike | Callable[[Floats], ArrayLike] | None = None
    falls = 3.0
    rough = True

    def __post_init__(self) -> None:
        """Check the threshold."""
        check_positive("threshold (V/m²)", self.threshold)

    def strength(self, at: SampledLead | SomeCells, currents: Floats) -> Floats:
        """Return the curvature over the threshold at each cell, shape (n,)."""
        H = np.tensordot(currents, at.H, axes=1)
        known = np.isfinite(H).all(axis=(1, 2))
        if self.directions is None:
            most = np.full(len(H), np.nan)
            most[known] = np.linalg.eigvalsh(H[known])[:, -1]
        else:
            u = self._directions(at.points)
            most = np.einsum("ni,nij,nj->n", u, H, u)
        strength: Floats = most / self.threshold
        return strength

    def as_dict(self) -> dict[str, Any]:
        """Return the criterion as plain values, for JSON."""
        along = "largest eigenvalue" if self.directions is None else "given directions"
        return {"criterion": "curvature", "threshold_V_per_m2": self.threshold, "along": along}

    def _directions(self, points: Floats) -> Floats:
        given = self.directions(points) if callable(self.directions) else self.directions
        u = np.asarray(given, dtype=np.float64)
        if u.shape not in {(3,), points.shape}:
            raise InputError(
                f"expected one direction of a fibre or one for each of {len(points)} points, got "
                f"shape {u.shape}: curvature"
            )
        size = np.linalg.norm(u, axis=-1, keepdims=True)
        if not (np.isfinite(size) & (size > 0)).all():
            raise InputError("expected directions of fibres that are finite and not 0: curvature")
        along: Floats = np.broadcast_to(u / size, points.shape)
        return along


@dataclass(frozen=True, kw_only=True, eq=False)
class Activated:
    """A volume of tissue that one setting of a lead activates.

    Parameters
    ----------
    steering
        The setting.
    criterion
        What counts as activated.
    sampled
        The cells.
    strength
        Strength at each, 1 at threshold, shape (n,); NaN where there is no tissue.
    part
        Part of each cell that is activated, shape (n,).
    """

    steering: Steering
    criterion: Criterion
    sampled: SampledLead
    strength: Floats
    part: Floats

    @property
    def cells(self) -> Floats:
        """Activated volume within each cell (m³), shape (n,)."""
        return self.part * self.sampled.volumes

    @property
    def volume(self) -> float:
        """Activated volume (m³)."""
        return float(self.cells.sum())

    @property
    def centroid(self) -> Floats:
        """Middle of the volume in the head (m), shape (3,); NaN if nothing is activated."""
        if not self.volume > 0:
            return np.full(3, np.nan)
        middle: Floats = self.cells @ self.sampled.lattice.points / self.volume
        return middle

    @property
    def radii(self) -> Floats:
        """Half axes (m), ascending, of the ellipsoid with the same second moments, shape (3,)."""
        if not self.volume > 0:
            return np.zeros(3)
        away = self.sampled.lattice.points - self.centroid
        moments = (away * self.cells[:, None]).T @ away / self.volume
        return np.sqrt(5 * np.maximum(np.linalg.eigvalsh(moments), 0.0))

    @property
    def reach(self) -> float:
        """Largest distance of the volume from the axis of the lead (m)."""
        lattice = self.sampled.lattice
        open_ = self.part.reshape(lattice.shape).any(axis=(0, 2))
        if not open_.any():
            return 0.0
        k = int(np.flatnonzero(open_)[-1])
        lead = lattice.lead
        return float(lattice.t[k + 1] + lead.model.radius)

    def summary(self) -> dict[str, Any]:
        """Return its numbers as plain values, for tables and JSON (mm)."""
        return {
            **self.criterion.as_dict(),
            "volume_mm3": 1e9 * self.volume,
            "centroid_mm": (1e3 * self.centroid).tolist() if self.volume > 0 else None,
            "half_axes_mm": (1e3 * self.radii).tolist(),
            "reach_from_axis_mm": 1e3 * self.reach,
        }


def activated(
    steering: Steering, criterion: Criterion, sampled: SampledLead | None = None
) -> Activated:
    """Return the volume that a setting activates.

    Parameters
    ----------
    steering
        The setting.
    criterion
        What counts as activated.
    sampled
        Its lead at cells; at those of `lead_lattice` if None.

    Raises
    ------
    InputError
        If the volume reaches the last cells, or another lead was sampled.
    """
    if sampled is None:
        sampled = sample_lead(steering.response)
    if steering.response is not sampled.response:
        raise InputError("expected cells of the lead that is steered: activated volume")
    strength = criterion.strength(sampled, steering.currents)
    part = parts(sampled.lattice, strength, criterion)
    check_within(sampled.lattice, part)
    return Activated(
        steering=steering, criterion=criterion, sampled=sampled, strength=strength, part=part
    )


def parts(lattice: Lattice, strength: Floats, criterion: Criterion) -> Floats:
    """Return the part of each cell with a strength of 1 or more, shape (n,).

    Of a criterion that is ``rough``, what does not hang together with the lead is left out.
    """
    part = lattice.part_above(height(strength, criterion))
    return np.where(lattice.joined(part > 0), part, 0.0) if criterion.rough else part


def height(strength: Floats, criterion: Criterion) -> Floats:
    """Return a measure of strength that is 0 at threshold and runs evenly through space there.

    Where the strength S falls as distance to the power -p, 1 - S^(-1/p) is linear in distance. But
    S may be 0 or less nearby; 1 - (2 / (1 + S))^(1 + 2/p) has the same slope and bend at S = 1 and
    stays finite.
    """
    risen = 1 + np.maximum(strength, LEAST)
    found: Floats = 1 - (2 / risen) ** (1 + 2 / criterion.falls)
    return found


def strength_of(heights: Floats, criterion: Criterion) -> Floats:
    """Return the strengths that have these values of `height`."""
    found: Floats = 2 * (1 - heights) ** (-1 / (1 + 2 / criterion.falls)) - 1
    return found


def check_within(lattice: Lattice, part: Floats) -> None:
    """Check that a volume ends within the cells.

    Raises
    ------
    InputError
        If it reaches the last cells away from the lead or along it.
    """
    inside = part.reshape(lattice.shape)
    ends = [inside[:, -1], inside[-1]] + ([inside[0]] if lattice.s[0] > 0 else [])
    if any(end.any() for end in ends):
        reach = 1e3 * float(lattice.t[-1])
        raise InputError(
            f"expected a volume within {reach:g} mm of the lead and its contacts, got one that "
            "goes on beyond: take a smaller amplitude, or cells with a larger reach (lead_lattice)"
        )


def volume_curve(
    sampled: SampledLead, steering: Steering, criterion: Criterion, factors: ArrayLike
) -> Floats:
    """Return the volume (m³) at multiples of a setting, shape of ``factors``.

    Parameters
    ----------
    sampled, steering, criterion
        As for `activated`.
    factors
        Multiples > 0 of the setting, shape (k,).

    Raises
    ------
    InputError
        If a multiple is not > 0, or a volume reaches the last cells.
    """
    a = np.asarray(factors, dtype=np.float64)
    if a.ndim != 1 or not (np.isfinite(a) & (a > 0)).all():
        raise InputError("expected multiples > 0 of a setting: volume")
    strength = criterion.strength(sampled, steering.currents)
    found = []
    for factor in a:
        part = parts(sampled.lattice, factor * strength, criterion)
        check_within(sampled.lattice, part)
        found.append(float(part @ sampled.volumes))
    return np.array(found)
