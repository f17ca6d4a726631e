"""What the report says of a field in tables: statistics, errors, sources, electrodes."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.config import Study
from rheobase.report import Table
from rheobase.stations.field_errors import source_errors

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.electrodes.safety import Exposure
    from rheobase.meshes.regions.statistics import Row
    from rheobase.stations.devices import Device
    from rheobase.stations.inputs import Inputs
    from rheobase.stations.placing import Placed

BRAIN = ("grey_matter", "white_matter")  # where current densities have a level


def statistics(study: Study, device: Device, inputs: Inputs) -> tuple[list[Row], list[Row]]:
    """Return the statistics, and the estimated errors of every source, of the same places.

    Places are all tissues, regions and parcels. A source's field is that at its amplitude; the
    error of an envelope follows from those of all sources (`envelope_error`).
    """
    from rheobase.fields.error import envelope_error

    basis, a = device.basis, device.amplitudes
    each = source_errors(basis, a)
    if len(a) == 1:
        rows = _rows(study, device, inputs, device.strength, each[0])
        of_source = [rows]
    else:
        rows = _rows(study, device, inputs, device.strength, envelope_error(each))
        of_source = [
            _rows(study, device, inputs, np.linalg.norm(amplitude * E, axis=1), error)
            for amplitude, E, error in zip(a, basis.E, each, strict=True)
        ]
    names = {"volume_mm3": "volume_mm3", "rms": "E_rms", "error_rms": "error_rms"}
    names["relative_error"] = "relative"
    errors = [
        {"source": source, "kind": row["kind"], "region": row["region"]}
        | {new: row[old] for old, new in names.items() if old in row}
        for source, found in zip(basis.names, of_source, strict=True)
        for row in found
    ]
    return rows, errors


def _rows(
    study: Study,
    device: Device,
    inputs: Inputs,
    strength: NDArray[np.float64],
    error: NDArray[np.float64],
) -> list[Row]:
    """Return the statistics of every tissue, region and parcel."""
    from rheobase.fields.results.table import field_table

    options: dict[str, Any] = {"above": study.results.thresholds_V_per_m, "error": error}
    rows = field_table(device.basis, strength, device.head, regions=inputs.regions, **options)
    if inputs.atlas is not None:
        parcels = field_table(device.basis, strength, device.head, regions=inputs.atlas, **options)
        rows += [row for row in parcels if row["kind"] == "region"]
    return rows


def region_tables(rows: list[Row], name: str, unit: str) -> dict[str, Table]:
    """Return the statistics of tissues, and those of regions where there are any."""
    above = {
        key: key.removeprefix("volume_mm3_above_").replace("pct", " %")
        for key in rows[0]
        if key.startswith("volume_mm3_above_")
    }
    titles = {"tissue": "tissue, volume-weighted", "region": "region, within grey and white matter"}
    tables = {}
    for kind, title in titles.items():
        found = [row for row in rows if row["kind"] == kind and "mean" in row]
        if found:
            tables[f"{name} ({unit}) by {title}"] = Table(
                columns=(
                    kind,
                    *("median", "95 %", "99 %", "99.9 %", "peak", "peak at (mm)", "mean"),
                    "volume (cm³)",
                    *(f"cm³ above {v if '%' in v else v + ' V/m'}" for v in above.values()),
                ),
                rows=[
                    (
                        row["region"],
                        *(row[k] for k in ("p50", "p95", "p99", "p99.9", "max")),
                        ", ".join(str(round(float(row[f"peak_{c}_mm"]))) for c in "xyz"),
                        row["mean"],
                        *(float(row[k]) * 1e-3 for k in ("volume_mm3", *above)),
                    )
                    for row in found
                ],
            )
    return tables


def error_table_of(rows: list[Row]) -> Table:
    """Return the estimated errors for people."""
    return Table(
        columns=("source", "where", "E, rms (V/m)", "estimated error, rms (V/m)", "relative (%)"),
        rows=[
            (
                row["source"],
                row["region"],
                row["E_rms"],
                row["error_rms"],
                100 * float(row["relative"]),
            )
            for row in rows
            if "E_rms" in row
        ],
    )


def error_facts(device: Device, rows: list[Row], label: int) -> dict[str, str]:
    """Return what a reader wants first of the errors: of the field, and of the currents."""
    name = device.head.tissues[label].name
    facts = {}
    for row in rows:
        if row["region"] == name and "relative_error" in row:
            relative = 100 * float(row["relative_error"])
            facts["Estimated error"] = f"{relative:.2g} % of the field, rms, {name}"
    off = [
        abs(delivered - asked) / max(map(abs, report.asked))
        for report in device.basis.report
        for asked, delivered in zip(report.asked, report.delivered, strict=True)
    ]
    if off:
        facts["Currents"] = f"delivered within {100 * max(off):.2g} % of those asked for"
    return facts


def solver_table(basis: FieldBasis) -> Table:
    """Return how well each source was solved for."""
    return Table(
        columns=("source", "energy balance", "iterations", "residual"),
        rows=[
            (n, r.energy_balance, r.iterations, r.residual)
            for n, r in zip(basis.names, basis.report, strict=True)
        ],
    )


def electrode_table(device: Device) -> Table:
    """Return the current and voltage of every electrode at the amplitudes asked for."""
    basis = device.basis
    return Table(
        columns=("source", "electrode", "asked (mA)", "delivered (mA)", "off (%)", "voltage (V)"),
        rows=[
            (
                source,
                electrode,
                asked * amplitude * 1e3,
                delivered * amplitude * 1e3,
                100 * abs(delivered - asked) / max(map(abs, report.asked)),
                voltage * amplitude,
            )
            for source, report, amplitude in zip(
                basis.names, basis.report, device.amplitudes.tolist(), strict=True
            )
            for electrode, asked, delivered, voltage in zip(
                report.electrodes, report.asked, report.delivered, report.voltages, strict=True
            )
        ],
    )


def impedance_table(basis: FieldBasis) -> Table:
    """Return the impedance of every pair of electrodes of a source."""
    return Table(
        columns=("source", "from", "to", "impedance (Ω)"),
        rows=[
            (source, report.electrodes[i], report.electrodes[j], report.pair_impedance[i][j])
            for source, report in zip(basis.names, basis.report, strict=True)
            for i, j in combinations(range(len(report.electrodes)), 2)
        ],
    )


def exposures(study: Study, placed: Placed, device: Device) -> list[Exposure]:
    """Return what a montage is beside levels of direct current.

    Nothing for other devices, for animals, whom the levels are not made for, or where the study
    says that the current alternates. Densities in the brain are 99.9th percentiles, told where
    tissues conduct alike in all directions.
    """
    from rheobase.fields.electrodes.safety import direct_current_exposure

    alternates = study.cells is not None and study.cells.frequency_Hz > 0
    if len(placed.montages) != 1 or alternates or placed.head.species != "human":
        return []
    brain = {}
    for label, tissue in device.head.tissues.items() if placed.tensors is None else ():
        if tissue.name in BRAIN:
            strength = device.basis.percentiles(device.strength, label, (99.9,))[0]
            brain[tissue.name] = float(strength) * tissue.sigma
    return direct_current_exposure(placed.montages[0], brain=brain)


def exposure_table(found: list[Exposure]) -> Table:
    """Return exposures for people."""
    return Table(
        columns=("quantity", "where", "value", "level", "unit", "verdict", "what the level is"),
        rows=[
            (
                one.quantity,
                one.where or "all",
                one.value,
                one.level,
                one.unit,
                one.verdict,
                f"{one.remark}: {one.source}",
            )
            for one in found
        ],
    )
