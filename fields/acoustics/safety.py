"""What an exposure to ultrasound does, beside the levels of the ITRUSST consensus.

Mechanical index, intensities, thermal index, temperature and thermal dose by tissue. The levels and
their sources are data (``data/fus_safety.toml``): Aubry et al., Brain Stimul 18(6) (2025),
doi:10.1016/j.brs.2025.10.007. Its logic: the risk is non-significant if the mechanical index does
not exceed its level and any one of the thermal criteria is met.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from math import pi, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.fields.heat.result import Heating

Verdict = Literal["below", "above", "no level"]
Place = tuple[float, float, float]
_NO_GROUP = "no level of its own"


@dataclass(frozen=True, kw_only=True, slots=True)
class PressurePeak:
    """The largest pressure in a tissue at full amplitude.

    Parameters
    ----------
    pressure
        Amplitude (Pa), >= 0: in linear acoustics also the peak negative pressure.
    density, sound_speed
        Of the tissue there (kg/m³, m/s).
    at
        Where (m), None if not known.

    Raises
    ------
    InputError
        If a number is not finite or out of range.
    """

    pressure: float
    density: float
    sound_speed: float
    at: Place | None = None

    def __post_init__(self) -> None:
        """Reject impossible values."""
        if not (np.isfinite(self.pressure) and self.pressure >= 0):
            raise InputError(f"pressure must be finite and >= 0 Pa, got {self.pressure!r}")
        check_positive("density", self.density)
        check_positive("sound_speed", self.sound_speed)

    @property
    def intensity(self) -> float:
        """p²/(2 rho c) of a plane wave (W/m²)."""
        return self.pressure**2 / (2 * self.density * self.sound_speed)


@dataclass(frozen=True, kw_only=True, slots=True)
class SafetyRow:
    """One line of a safety table.

    Parameters
    ----------
    quantity, tissue
        What, and in which tissue ("" for the whole).
    value, unit
        How much.
    level
        Level of non-significant risk in the same unit, None where there is none.
    at
        Where (m), None if not known.
    remark
        What to know of the value.
    """

    quantity: str
    tissue: str
    value: float
    unit: str
    level: float | None = None
    at: Place | None = None
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the value exceeds its level ("above"); at the level is "below"."""
        if self.level is None:
            return "no level"
        return "below" if self.value <= self.level else "above"


@dataclass(frozen=True, kw_only=True, slots=True)
class SafetyTable:
    """Rows beside their levels, and what follows from them.

    Parameters
    ----------
    rows
        The lines.
    mechanical, thermal
        Verdicts of the consensus: all mechanical indices, and any one thermal criterion.
    notes
        What the table is not.
    """

    rows: tuple[SafetyRow, ...]
    mechanical: Verdict
    thermal: Verdict
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain values, for JSON."""
        return {
            "rows": [asdict(row) | {"verdict": row.verdict} for row in self.rows],
            "mechanical": self.mechanical,
            "thermal": self.thermal,
            "notes": list(self.notes),
        }

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = ["| quantity | tissue | value | level | verdict |", "|---|---|---|---|---|"]
        for row in self.rows:
            level = "–" if row.level is None else f"{row.level:g} {row.unit}"
            lines.append(
                f"| {row.quantity} | {row.tissue or 'all'} | {row.value:.3g} {row.unit}".rstrip()
                + f" | {level.rstrip()} | {row.verdict} |"
            )
        lines += ["", f"Mechanical: {self.mechanical}. Thermal: {self.thermal}.", ""]
        return "\n".join(lines + [f"- {note}" for note in self.notes]) + "\n"


def pressure_peaks(
    tissues: ArrayLike,
    amplitude: ArrayLike,
    density: ArrayLike,
    sound_speed: ArrayLike,
    points: ArrayLike | None = None,
) -> dict[str, PressurePeak]:
    """Return the largest pressure in each tissue out of values at points.

    Parameters
    ----------
    tissues
        Name of the tissue of each point, shape (n,).
    amplitude, density, sound_speed
        There: Pa, kg/m³, m/s, shape (n,).
    points
        The points (m), shape (n, 3), if places are wanted.

    Raises
    ------
    InputError
        If the shapes differ or a number is not finite.
    """
    names = np.asarray(tissues, dtype=np.str_)
    values = [np.asarray(v, dtype=np.float64) for v in (amplitude, density, sound_speed)]
    x = None if points is None else np.asarray(points, dtype=np.float64)
    if any(v.shape != names.shape for v in values) or (x is not None and len(x) != len(names)):
        raise InputError(f"expected one value for each of {names.shape} points")
    if not np.isfinite(values[0]).all():
        raise InputError(f"amplitude must be finite, got {(~np.isfinite(values[0])).sum()} others")
    out = {}
    for name in np.unique(names).tolist():
        here = np.flatnonzero(names == name)
        k = here[values[0][here].argmax()]
        at = None if x is None else (float(x[k, 0]), float(x[k, 1]), float(x[k, 2]))
        p, rho, c = (float(v[k]) for v in values)
        out[name] = PressurePeak(pressure=p, density=rho, sound_speed=c, at=at)
    return out


def safety_table(
    peaks: Mapping[str, PressurePeak],
    sonication: Sonication,
    heating: Heating | None = None,
    *,
    power: float | None = None,
    beam_area: float | None = None,
    fastest: float = 1.0,
) -> SafetyTable:
    """Hold an exposure against the levels.

    Parameters
    ----------
    peaks
        Largest pressure in situ by tissue, at full amplitude (`pressure_peaks`).
    sonication
        Its timing.
    heating
        Its heat; the thermal criteria are not judged without.
    power
        Acoustic output power at full amplitude (W), for the cranial thermal index.
    beam_area
        Area of the beam where it meets the bone (m²), for the same.
    fastest
        That given to `Sonication.phases` for the heating (Hz).

    Raises
    ------
    InputError
        If there is no pressure, or power or area is not > 0.
    """
    if not peaks:
        raise InputError("expected the pressure of at least one tissue, got none")
    levels = {entry["name"]: float(entry["value"]) for entry in _data()["level"]}
    groups = {name: group for group, names in _data()["groups"].items() for name in names}
    rows = _mechanical(peaks, sonication, levels["MI"], groups)
    mechanical = _all(row.verdict for row in rows)
    rows += _intensities(peaks, sonication)
    notes = [
        "linear acoustics: the peak negative pressure is the amplitude",
        "levels of non-significant risk (ITRUSST consensus 2025), not limits of safety; they "
        "assume no contrast agents and no special vulnerability",
    ]
    if power is not None and beam_area is not None:
        check_positive("power", power)
        check_positive("beam_area", beam_area)
        rows.append(_cranial_index(power * sonication.train_power, beam_area))
        notes.append("TIC has no level here: the exposure times it allows could not be verified")
    thermal: Verdict = "no level"
    if heating is None:
        notes.append("no temperature was computed: thermal criteria not judged")
    else:
        hot, dose = _thermal(heating, sonication.ripple(fastest), levels, groups)
        rows += hot + dose
        met = [any(row.verdict == "below" for row in hot), _all(r.verdict for r in dose) == "below"]
        thermal = "below" if any(met) else "above"
        if bare := [row.tissue for row in dose if row.remark == _NO_GROUP]:
            notes.append(
                f"the strictest level of dose, that of brain, is used for {', '.join(bare)}"
            )
    return SafetyTable(rows=tuple(rows), mechanical=mechanical, thermal=thermal, notes=tuple(notes))


def mechanical_index(pressure: float, frequency: float) -> float:
    """Return the peak negative pressure in MPa over the root of the frequency in MHz."""
    return pressure * 1e-6 / sqrt(frequency * 1e-6)


def _mechanical(
    peaks: Mapping[str, PressurePeak],
    sonication: Sonication,
    level: float,
    groups: Mapping[str, str],
) -> list[SafetyRow]:
    rows = []
    for name, peak in peaks.items():
        brain = groups.get(name) == "brain"
        rows.append(
            SafetyRow(
                quantity="MItc" if brain else "MI in situ",
                tissue=name,
                value=mechanical_index(peak.pressure, sonication.frequency),
                unit="",
                level=level,
                at=peak.at,
                remark="of the simulated pressure behind the skull" if brain else "",
            )
        )
    return rows


def _intensities(peaks: Mapping[str, PressurePeak], sonication: Sonication) -> list[SafetyRow]:
    name, peak = max(peaks.items(), key=lambda item: item[1].intensity)
    told = {
        entry["name"]: f"{entry['value']:g} {entry['unit']}: {entry['remark']}"
        for entry in _data()["reference"]
    }
    shares = (
        ("Isppa", sonication.pulse_power, 1e-4, "W/cm²", told["Isppa"]),
        ("Ispta of a train", sonication.train_power, 0.1, "mW/cm²", told["Ispta"]),
        ("Ispta of the whole", sonication.mean_power, 0.1, "mW/cm²", told["Ispta"]),
    )
    return [
        SafetyRow(
            quantity=quantity,
            tissue=name,
            value=share * scale * peak.intensity,
            unit=unit,
            at=peak.at,
            remark=remark,
        )
        for quantity, share, scale, unit, remark in shares
    ]


def _cranial_index(power: float, area: float) -> SafetyRow:
    """Return the cranial thermal index of a time-average power (W) through an area (m²)."""
    data = _data()["tic"]
    diameter_cm = 100 * sqrt(4 * area / pi)
    return SafetyRow(
        quantity="TIC",
        tissue="",
        value=1e3 * power / (diameter_cm * data["power_per_diameter_mW_per_cm"]),
        unit="",
        remark=data["formula"],
    )


def _thermal(
    heating: Heating, ripple: float, levels: Mapping[str, float], groups: Mapping[str, str]
) -> tuple[list[SafetyRow], list[SafetyRow]]:
    """Return the rows of temperature (either one is enough) and of dose (all are needed)."""
    tissues = heating.by_tissue()
    more = ripple * heating.fastest_rise
    remark = f"up to {more:.2g} K of it for pulses that were averaged" if more else ""
    warmest = max(tissues, key=lambda name: tissues[name].peak_rise)
    hottest = max(tissues, key=lambda name: tissues[name].peak_temperature)
    hot = [
        SafetyRow(
            quantity="temperature rise",
            tissue=warmest,
            value=tissues[warmest].peak_rise + more,
            unit="K",
            level=levels["temperature rise"],
            at=tissues[warmest].peak_rise_at,
            remark=remark,
        ),
        SafetyRow(
            quantity="temperature",
            tissue=hottest,
            value=tissues[hottest].peak_temperature + more,
            unit="°C",
            level=levels["temperature"],
            remark=remark,
        ),
    ]
    dose = [
        SafetyRow(
            quantity="CEM43",
            tissue=name,
            value=found.cem43,
            unit="min",
            level=levels[f"CEM43 {groups.get(name, 'brain')}"],
            at=found.cem43_at,
            remark="" if name in groups else _NO_GROUP,
        )
        for name, found in tissues.items()
    ]
    return hot, dose


def _all(verdicts: Iterable[Verdict]) -> Verdict:
    """Return "above" if one is, else "below" if one is."""
    found = set(verdicts)
    return "above" if "above" in found else "below" if "below" in found else "no level"


@cache
def _data() -> dict[str, Any]:
    text = files("rheobase.fields").joinpath("data", "fus_safety.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
