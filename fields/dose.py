"""Individual dose: the intensity that does to one head what another intensity does to a reference.

Fields are linear in the amplitude, so that the dose with the same field statistic is

    a_other = a_reference · S_reference / S_other,

S the statistic per unit amplitude in the target of each. Reference and other may be two people, two
species, two coils or poses, or two targets of one head: with the motor cortex at motor threshold as
the reference it is field-based dosing of TMS (Numssen et al. 2024, Imaging Neurosci. 2,
doi:10.1162/imag_a_00106), which presumes that cortex elsewhere is as excitable as motor cortex.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, as_numbers
from rheobase.fields.leadfield import LeadField
from rheobase.fields.optimisation.target import Target, fields_at
from rheobase.meshes.regions.statistics import weighted_percentiles

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Exposure:
    """A quantity in a target per unit amplitude; it must grow in proportion to the amplitude.

    Parameters
    ----------
    name
        Of the head, device and target, for messages.
    values
        The quantity (V/m per unit amplitude): field strength, a component, an envelope; shape (m,).
    weights
        Volume or part that each value stands for, >= 0, shape (m,).
    unit
        Of an amplitude ("A", "A/s").

    Raises
    ------
    InputError
        If shapes differ, nothing has a weight or a value is not finite.
    """

    name: str
    values: Floats
    weights: Floats
    unit: str

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if self.values.ndim != 1 or self.values.shape != self.weights.shape:
            raise InputError(
                f"expected one weight for each value, got {self.values.shape} and "
                f"{self.weights.shape}: exposure {self.name!r}"
            )
        if not (self.weights >= 0).all() or not self.weights.any():
            raise InputError(f"expected weights >= 0, not all 0: exposure {self.name!r}")
        if not np.isfinite(self.values).all():
            raise InputError(f"expected finite values: exposure {self.name!r}")

    def statistic(self, which: str | float = "mean") -> float:
        """Return a statistic over the target (V/m per unit amplitude).

        Parameters
        ----------
        which
            "mean", or a percentage from 0 to 100 for a percentile.

        Raises
        ------
        InputError
            If it is neither.
        """
        if which == "mean":
            return float(np.average(self.values, weights=self.weights))
        if isinstance(which, str) or not 0 <= which <= 100:
            raise InputError(f'expected "mean" or a percentile from 0 to 100, got {which!r}: dose')
        return float(weighted_percentiles(self.values, self.weights, which))


@dataclass(frozen=True, kw_only=True, slots=True)
class Dose:
    """An intensity for one head from that of a reference.

    Parameters
    ----------
    amplitude
        The intensity (``unit``).
    unit
        Its unit.
    factor
        ``amplitude`` over that of the reference.
    held
        What is the same in both, in words.
    value
        Its value.
    interval
        Range (``unit``) that sampling leaves open, None where nothing was sampled.
    """

    amplitude: float
    unit: str
    factor: float
    held: str
    value: float
    interval: tuple[float, float] | None = None


def exposure(
    source: FieldBasis | LeadField,
    amplitudes: ArrayLike,
    target: Target,
    *,
    name: str | None = None,
) -> Exposure:
    """Return the field of combined sources in a target: its strength, or its component.

    Parameters
    ----------
    source
        Field basis or lead field.
    amplitudes
        Amplitude of each source in one unit of the dose, shape (k,): 1 and -1 for a pair, say.
    target
        Where; the component along the target's directions where it has some, else the strength.
    name
        The target's if None.

    Raises
    ------
    InputError
        If the amplitudes do not fit the sources, or the target's field is not stored.
    """
    a = as_numbers(amplitudes, "amplitudes")
    if a.shape != (len(source.names),) or not np.isfinite(a).all():
        raise InputError(
            f"expected finite amplitudes for {len(source.names)} sources, got shape {a.shape}: dose"
        )
    E = np.tensordot(a, fields_at(source, target), axes=1)
    along = target.direction
    values = np.linalg.norm(E, axis=1) if along is None else (E * along).sum(axis=1)
    return Exposure(
        name=target.name if name is None else name,
        values=values,
        weights=target.weights,
        unit=source.unit if isinstance(source, FieldBasis) else "A",
    )


def same_field_dose(
    reference: Exposure,
    other: Exposure,
    *,
    amplitude: float,
    statistic: str | float = "mean",
) -> Dose:
    """Return the amplitude that gives ``other`` the field that the reference has.

    Parameters
    ----------
    reference, other
        Per unit amplitude.
    amplitude
        Of the reference (its unit); its sign is kept.
    statistic
        "mean", or a percentage for a percentile.

    Raises
    ------
    InputError
        If the units differ, the amplitude is 0, or a statistic is 0 or of the other sign.

    Examples
    --------
    >>> one = Exposure(name="a", values=np.array([0.2]), weights=np.ones(1), unit="A")
    >>> two = Exposure(name="b", values=np.array([0.1]), weights=np.ones(1), unit="A")
    >>> same_field_dose(one, two, amplitude=1e-3).amplitude
    0.002
    """
    if not (np.isfinite(amplitude) and amplitude != 0):
        raise InputError(f"expected an amplitude that is not 0, got {amplitude!r}: dose")
    if reference.unit != other.unit:
        raise InputError(
            f"expected one unit of amplitude, got {reference.unit!r} and {other.unit!r}: dose of "
            f"{reference.name!r} and {other.name!r}"
        )
    s, t = reference.statistic(statistic), other.statistic(statistic)
    if not s * t > 0:
        raise InputError(
            f"expected fields of one sign, got {s:g} and {t:g} V/m per {other.unit}: dose of "
            f"{reference.name!r} and {other.name!r}"
        )
    what = "mean" if statistic == "mean" else f"{statistic:g} % percentile"
    return Dose(
        amplitude=amplitude * (s / t),
        unit=other.unit,
        factor=s / t,
        held=f"{what} of the field (V/m)",
        value=amplitude * s,
    )


def motor_threshold_dose(
    threshold: float,
    *,
    fraction: float = 1.0,
    motor: Exposure,
    target: Exposure,
    statistic: str | float = "mean",
) -> Dose:
    """Return the coil's rate of change of current that repeats at a target the field at threshold.

    Parameters
    ----------
    threshold
        Motor threshold, measured (A/s).
    fraction
        Of the motor threshold's field wanted at the target.
    motor, target
        Field in the motor cortex with the coil over the hot spot, and in the target with the coil
        over the target, per A/s.
    statistic
        As for `same_field_dose`.

    Raises
    ------
    InputError
        If threshold or fraction are not > 0, or the exposures are not those of a coil.
    """
    if not (0 < threshold < np.inf and 0 < fraction < np.inf):
        raise InputError(
            f"threshold and fraction must be > 0, got {threshold!r} A/s and {fraction!r}: dose"
        )
    if motor.unit != "A/s":
        raise InputError(f"expected the field of a coil, per A/s, got per {motor.unit}: dose")
    return same_field_dose(motor, target, amplitude=fraction * threshold, statistic=statistic)


def distance_adjusted(threshold_percent: float, *, motor: float, target: float) -> float:
    """Return a motor threshold adjusted to the depth of another target by the linear rule.

    ``threshold + gradient · (target - motor)``: a rule of thumb from measurements over motor cortex
    on one kind of stimulator, in per cent of its output (Stokes et al. 2005, J. Neurophysiol.
    94:4520, doi:10.1152/jn.00067.2005). It knows no angle, shape nor tissue: `motor_threshold_dose`
    does.

    Parameters
    ----------
    threshold_percent
        Motor threshold (% of the stimulator's output).
    motor, target
        Distance from the coil, or the scalp, to the cortex of the hot spot and of the target (m).

    Raises
    ------
    InputError
        If the threshold is not > 0 and <= 100 % or a distance is not >= 0 m.

    Examples
    --------
    >>> round(distance_adjusted(50.0, motor=14e-3, target=18e-3), 6)
    62.0
    """
    if not 0 < threshold_percent <= 100:
        raise InputError(f"expected a threshold > 0 and <= 100 %, got {threshold_percent!r}: dose")
    if not (0 <= motor < 1 and 0 <= target < 1):
        raise InputError(f"expected distances in m, 0 to 1, got {motor!r} and {target!r}: dose")
    per_metre = 1e3 * float(_facts()["distance_gradient"]["percent_per_mm"])
    return threshold_percent + per_metre * (target - motor)


@cache
def _facts() -> dict[str, Any]:
    text = files("rheobase.fields").joinpath("data/tms_dosing.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
