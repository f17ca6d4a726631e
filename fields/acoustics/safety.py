"""What an exposure to ultrasound does, beside the levels of the ITRUSST consensus.

Mechanical index, intensities, thermal index, temperature and thermal dose by tissue. The levels and
their sources are data (``data/fus_safety.toml``): Aubry et al., Brain Stimul 18(6) (2025),
doi:10.1016/j.brs.2025.10.007. Its logic: the risk is non-significant if the mechanical index does
not exceed its level and any one of the thermal criteria is met. Where a part of the head or of its
heat was not computed, "below" would say more than is known: then nothing is judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from math import pi, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.fields.heat.deposit import Deposit
from rheobase.fields.heat.result import Heating

Verdict = Literal["below", "above", "no level", "not judged"]
Place = tuple[float, float, float]
DOSE_PER_KELVIN = 4.0
"""What one kelvin more does to CEM43 at most: 1/R below 43 °C."""
_REMARKS = {
    "brain": "of the simulated pressure behind the skull",
    "bone": "not judged: the index is not made for the pressure within bone",
}


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
        Verdicts of the consensus: all mechanical indices of soft tissue, and any one thermal
        criterion; "not judged" where what was computed is too little for "below".
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
    deposit: Deposit | None = None,
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
    deposit
        What ``heating`` was computed from (`rheobase.fields.heat.deposit.deposit`): whether all of
        the heat lies in the heated part. Without it "below" is not said.
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
    levels = {entry["name"]: float(entry["value"]) for entry in _data()["level"]}
    groups = {name: group for group, names in _data()["groups"].items() for name in names}
    tissues = {name: peak for name, peak in peaks.items() if name not in _data()["coupling"]}
    if not tissues:
        raise InputError("expected the pressure of at least one tissue, got none")
    rows = _mechanical(tissues, sonication, levels["MI"], groups)
    mechanical = _all(row.verdict for row in rows)
    rows += _intensities(tissues, sonication, groups)
    notes = [
        "linear acoustics: the peak negative pressure is the amplitude",
        "levels of non-significant risk (ITRUSST consensus 2025), not limits of safety; they "
        "assume no contrast agents and no special vulnerability",
        *sonication.notes,
    ]
    if mechanical != "above" and not any(groups.get(name) == "brain" for name in tissues):
        mechanical = "not judged"
        notes.append("no pressure in the brain was given: mechanical index not judged")
    if power is not None and beam_area is not None:
        check_positive("power", power)
        check_positive("beam_area", beam_area)
        rows.append(_cranial_index(power * sonication.train_power, beam_area))
        notes.append("TIC has no level here: the exposure times it allows could not be verified")
    thermal: Verdict = "not judged"
    if heating is None:
        notes.append("no temperature was computed: thermal criteria not judged")
    else:
        hot, dose = _thermal(heating, sonication.ripple(fastest), levels, groups)
        rows += hot + dose
        met = [any(row.verdict == "below" for row in hot), _all(r.verdict for r in dose) == "below"]
        missing = list(_not_heated(tissues, heating, deposit))
        if not any(met):
            thermal = "above"
        elif not missing:
            thermal = "below"
        notes += [f"{reason}: thermal criteria not judged" for reason in missing if any(met)]
        notes.append(_data()["heat"]["bone"])
        if bare := [row.tissue for row in dose if row.tissue not in groups]:
            notes.append(
                f"the strictest level of dose, that of brain, is used for {', '.join(bare)}"
            )
    return SafetyTable(rows=tuple(rows), mechanical=mechanical, thermal=thermal, notes=tuple(notes))


def _not_heated(tissues: Iterable[str], heating: Heating, deposit: Deposit | None) -> Iterator[str]:
    """Return why the temperature was not computed everywhere, one reason each."""
    if deposit is None:
        yield "whether all of the heat lies in the heated part is not known (no deposit given)"
    else:
        share = deposit.outside / (deposit.inside + deposit.outside or 1.0)
        if share > _data()["heat"]["most_lost"]:
            yield f"{share:.0%} of the absorbed power lies outside of the heated part"
    energy = heating.energy
    if energy.cut > _data()["heat"]["most_lost"] * energy.deposited:
        yield f"{energy.cut / energy.deposited:.0%} of the heat left through the cut of the region"
    if cold := sorted(set(tissues) - set(heating.by_tissue())):
        yield f"sound but no temperature was computed in {', '.join(cold)}"


def mechanical_index(pressure: float, frequency: float) -> float:
    """Return the peak negative pressure (Pa) in MPa over the root of the frequency (Hz) in MHz."""
    check_frequency(frequency, "mechanical index")
    return pressure * 1e-6 / sqrt(frequency * 1e-6)


def _mechanical(
    peaks: Mapping[str, PressurePeak],
    sonication: Sonication,
    level: float,
    groups: Mapping[str, str],
) -> list[SafetyRow]:
    rows = []
    for name, peak in peaks.items():
        group = groups.get(name)
        rows.append(
            SafetyRow(
                quantity="MItc" if group == "brain" else "MI in situ",
                tissue=name,
                value=mechanical_index(peak.pressure, sonication.frequency),
                unit="",
                level=None if group == "bone" else level,
                at=peak.at,
                remark=_REMARKS.get(group or "", ""),
            )
        )
    return rows


def _intensities(
    peaks: Mapping[str, PressurePeak], sonication: Sonication, groups: Mapping[str, str]
) -> list[SafetyRow]:
    """Return the rows of the largest intensity in the brain, bone, skin and each other tissue."""
    told = {
        entry["name"]: f"{entry['value']:g} {entry['unit']}: {entry['remark']}"
        for entry in _data()["reference"]
    }
    shares = (
        ("Isppa", sonication.pulse_power, 1e-4, "W/cm²", told["Isppa"]),
        ("Ispta of a train", sonication.train_power, 0.1, "mW/cm²", told["Ispta"]),
        ("Ispta of the whole", sonication.mean_power, 0.1, "mW/cm²", told["Ispta"]),
    )
    strongest: dict[str, str] = {}
    for name in sorted(peaks, key=lambda name: peaks[name].intensity):
        strongest[groups.get(name, name)] = name
    return [
        SafetyRow(
            quantity=quantity,
            tissue=name,
            value=share * scale * peaks[name].intensity,
            unit=unit,
            at=peaks[name].at,
            remark=remark,
        )
        for quantity, share, scale, unit, remark in shares
        for name in strongest.values()
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
    convex = DOSE_PER_KELVIN**more
    dose = [
        SafetyRow(
            quantity="CEM43",
            tissue=name,
            value=found.cem43 * convex,
            unit="min",
            level=levels[f"CEM43 {groups.get(name, 'brain')}"],
            at=found.cem43_at,
            remark=f"at most: {convex:.3g} times that of averaged pulses" if more else "",
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
