"""What is told of a dose: tables, sentences, plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.report import Table
from rheobase.stations.dose import Felt, motor_threshold
from rheobase.stations.field import grey_label
from rheobase.tables.dose import OptimiseDose
from rheobase.tables.electrodes import TI

if TYPE_CHECKING:
    from rheobase.fields.dose import Dose
    from rheobase.tables.optimise import OptimiseStudy

Floats = NDArray[np.float64]

UNITS = {"A": ("mA", 1e3), "A/s": ("A/µs", 1e-6)}  # of an intensity, as it is shown


def of_reference(table: OptimiseDose, other: Felt) -> float:
    """Return the intensity of the reference (A/s or A)."""
    if table.goal == "motor_threshold":
        return motor_threshold(table, other) * (table.fraction or 1.0)
    return other.own


def peak(felt: Felt) -> float:
    """Return the 99.9th percentile of the grey matter at the device's own intensity (V/m)."""
    basis, strength = felt.device.basis, felt.device.strength
    return float(basis.percentiles(strength, grey_label(felt.head), (99.9,))[0])


def quantity(felt: Felt) -> str:
    """Return what of the field counts."""
    name = "envelope" if isinstance(felt.case.study.device, TI) else "|E|"
    return name if felt.target.direction is None else f"{name} along the direction"


def _statistics(table: OptimiseDose) -> dict[str, str | float]:
    """Return the statistics that are compared, that of the goal first."""
    own = {} if table.goal == "recruitment" else {named(table.statistic): table.statistic}
    return {**own, "mean": "mean", "median": 50.0, "99 % percentile": 99.0}


def named(statistic: str | float) -> str:
    """Return a statistic in words."""
    if isinstance(statistic, str):
        return statistic
    return "median" if statistic == 50 else f"{statistic:g} % percentile"


def dose_table(table: OptimiseDose, here: Felt, other: Felt | None, dose: Dose) -> Table:
    """Return the intensity, how sure it is, and the motor threshold's rule of thumb."""
    from rheobase.fields.dose import distance_adjusted

    unit, step = UNITS[dose.unit]
    rows: list[tuple[str, float, str]] = [("intensity", dose.amplitude * step, unit)]
    if other is not None:
        rows.append(("over that of the reference", dose.factor, "1"))
    elif unit == "mA":
        rows.append(("over that of [device]", dose.factor, "1"))
    if dose.interval is not None:
        rows += [
            ("… with cells drawn anew, 5 %", dose.interval[0] * step, unit),
            ("… with cells drawn anew, 95 %", dose.interval[1] * step, unit),
        ]
    coil = here.placed.coil
    if coil is not None and coil.dIdt_max is not None:
        rows.append(("of what the stimulator gives", 100 * dose.amplitude / coil.dIdt_max, "%"))
    if other is not None and table.threshold_percent is not None:
        rule = distance_adjusted(table.threshold_percent, motor=other.depth, target=here.depth)
        name = "rule of 3 % a millimetre instead (Stokes 2005)"
        rows.append((name, rule * (table.fraction or 1.0), "%"))
    return Table(columns=("quantity", "value", "unit"), rows=rows)


def compared(table: OptimiseDose, felts: list[tuple[Felt, float]]) -> Table:
    """Return what each intensity does to its target."""
    unit, step = UNITS[felts[0][0].exposure.unit]
    rows: list[tuple[str | float, ...]] = [
        ("head", *(f.head.name for f, _ in felts)),
        ("target", *(f.case.target.title for f, _ in felts)),
        ("from the scalp to the target (mm)", *(f.depth * 1e3 for f, _ in felts)),
        (f"intensity ({unit})", *(a * step for _, a in felts)),
    ]
    name = quantity(felts[0][0])
    for words, which in _statistics(table).items():
        per = [f.exposure.statistic(which) for f, _ in felts]
        rows.append((f"{name}, {words}, per {unit} (V/m)", *(p / step for p in per)))
        values = [p * a for p, (_, a) in zip(per, felts, strict=True)]
        rows.append((f"{name}, {words}, at the intensity (V/m)", *values))
    if felts[0][0].cells is not None:
        rows.append(("cells of known threshold", *(len(known_thresholds(f)) for f, _ in felts)))
        rows.append(
            (
                f"median threshold ({unit})",
                *(
                    float(np.quantile(known_thresholds(f), 0.5, method="inverted_cdf")) * step
                    for f, _ in felts
                ),
            )
        )
        shares = [100 * float(np.mean(known_thresholds(f) <= a)) for f, a in felts]
        rows.append(("cells that fire at the intensity (%)", *shares))
    peaks = [peak(f) * a / f.own for f, a in felts]
    rows.append(("99.9 % of the grey matter at the intensity (V/m)", *peaks))
    return Table(columns=("quantity", *(f.case.name for f, _ in felts)), rows=rows)


def known_thresholds(felt: Felt) -> Floats:
    """Return the known thresholds of the cells for the stimulus as given."""
    assert felt.cells is not None  # asked for where there are some
    known: Floats = felt.cells.threshold[0]
    return known[~np.isnan(known)]


def paragraphs(
    table: OptimiseDose, felts: list[tuple[Felt, float]], dose: Dose, amount: str
) -> list[str]:
    """Return what was done, in sentences."""
    here, _ = felts[-1]
    what = f"the {dose.held.removesuffix(' (V/m)')} in the target"
    value = f"{dose.value:.1%}" if table.goal == "recruitment" else f"{dose.value:.4g} V/m"
    where = ", ".join(f"{c * 1e3:.0f}" for c in here.target.centre)
    size = f"{here.target.volume * 1e6:.2f} cm³ of {', '.join(here.case.target.tissues)}"
    text = [f"Target: {here.case.target.title}, {size} around ({where}) mm."]
    if here.cells is not None:
        kind, layer = here.cells.type[0], here.cells.layer[0]
        text.append(
            f"{len(here.cells)} cells of type {kind} ({layer}, {here.cells.species[0]}): "
            "thresholds from the linear cable. The interval is what the number of cells leaves "
            "open; that they share a few shapes, and the model itself, are not in it."
        )
    if len(felts) == 1:
        text.append(f"{amount} make {what} {value}.")
        return text
    other, at = felts[0]
    unit, step = UNITS[dose.unit]
    text.append(
        f"{at * step:.4g} {unit} in the reference ({other.head.name}, {other.case.target.title}) "
        f"make it {value}; here {amount} do the same: {dose.factor:.3g} times as much."
    )
    if table.goal == "motor_threshold":
        text.append(
            "This repeats the field that the motor cortex has at threshold. It presumes that "
            "cortex elsewhere is as excitable as motor cortex; nobody has measured that it is."
        )
    return text


def facts_of(
    study: OptimiseStudy, table: OptimiseDose, felts: list[tuple[Felt, float]], dose: Dose
) -> dict[str, Any]:
    """Return everything as plain values (A, A/s, V/m, m)."""
    interval = dose.interval
    alone = len(felts) == 1 and dose.unit == "A/s"  # nothing that the factor is over
    return {
        "title": study.title,
        "kind": "dose",
        "goal": table.goal,
        "intensity": dose.amplitude,
        "unit": dose.unit,
        "factor": None if alone else dose.factor,
        "interval": None if interval is None else [x if np.isfinite(x) else None for x in interval],
        "held": dose.held,
        "value": dose.value,
        "cases": [
            {
                "name": f.case.name,
                "head": f.head.name,
                "species": f.head.species,
                "nodes": len(f.head.mesh.nodes),
                "tetrahedra": len(f.head.mesh.tets),
                "target": f.case.target.title,
                "target_centre_m": f.target.centre.tolist(),
                "target_depth_m": f.depth,
                "intensity": a,
                "field_V_per_m_per_unit": {
                    words: f.exposure.statistic(which)
                    for words, which in _statistics(table).items()
                },
                **({} if f.cells is None else {"share": float(np.mean(known_thresholds(f) <= a))}),
            }
            for f, a in felts
        ],
    }
