"""Which intensity: what a device does in a reference, and what repeats it on the head at hand."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.stations.aiming import aim, place_targets
from rheobase.stations.devices import Device, solve_device
from rheobase.stations.head import open_head
from rheobase.stations.inputs import open_inputs
from rheobase.stations.placing import Placed, place_device
from rheobase.study_file import load_study
from rheobase.tables.coil import TMS
from rheobase.tables.dose import OptimiseDose
from rheobase.tables.electrodes import TI
from rheobase.tables.results import ResultsTable

if TYPE_CHECKING:
    from rheobase.fields.dose import Dose, Exposure
    from rheobase.fields.optimisation.target import Target
    from rheobase.meshes.head import Head
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.inputs import Inputs
    from rheobase.tables.optimise import OptimiseStudy
    from rheobase.tables.target import TargetTable

Floats = NDArray[np.float64]

MICRO = 1e-6  # A/s to A/µs


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A device on a head and the target there, as asked for.

    Parameters
    ----------
    name
        "here" or "reference".
    study
        Head, device and, for a coil, intensity.
    target
        Where the field or the cells count.
    """

    name: str
    study: Study
    target: TargetTable


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Felt:
    """What a device does to its target.

    Parameters
    ----------
    case
        What was asked for.
    placed, device
        The device on the head, and its field.
    own
        Intensity at which ``device`` is (A of all sources, or A/s).
    target
        The target.
    exposure
        Field in it per unit intensity.
    cells
        Thresholds of cells in it, None where the field counts.
    depth
        Distance from the scalp to the nearest of the target (m).
    """

    case: Case
    placed: Placed
    device: Device
    own: float
    target: Target
    exposure: Exposure
    cells: Recruitment | None
    depth: float

    @property
    def head(self) -> Head:
        """The head."""
        return self.device.head


def dose_cases(study: OptimiseStudy) -> tuple[Case, Case | None]:
    """Return the device at hand and the reference, None where a plain number is wanted.

    Raises
    ------
    InputError
        If the study of the reference is none, or has another kind of device.
    """
    assert study.device is not None  # OptimiseStudy
    table, reference = study.optimise, study.reference
    assert isinstance(table, OptimiseDose)
    base = Study(title=study.title, seed=study.seed, head=study.head, device=study.device)
    here = Case(name="here", study=base, target=study.target)
    if reference is None:
        return here, None
    head, device, intensity = study.head, study.device, reference.intensity_A_per_us
    if reference.study is not None:
        known: Any = load_study(reference.study, kind="field").study
        head, device = known.head, known.device
        intensity = known.results.intensity_A_per_us if intensity is None else intensity
        if (device.kind == "tms") != (study.device.kind == "tms"):
            raise InputError(
                f"expected two coils or two sets of electrodes, got {study.device.kind!r} and "
                f"{device.kind!r}: reference.study"
            )
    head = head if reference.head is None else reference.head
    device = device if reference.device is None else reference.device
    if isinstance(device, TMS) and table.goal == "motor_threshold":
        intensity = None
    elif isinstance(device, TMS) and intensity is None:
        raise InputError(
            "expected the dI/dt whose effect is to be repeated, there is none: "
            "reference.intensity_A_per_us"
        )
    target = study.target if reference.target is None else reference.target
    if target.cells is None:
        target = target.model_copy(update={"cells": study.target.cells})
    if table.goal == "recruitment" and device.kind == "ti":
        raise InputError("cells have no calibrated threshold for carriers ('ti'): reference")
    other = Study(
        title=study.title,
        seed=study.seed,
        head=head,
        device=device,
        results=ResultsTable(intensity_A_per_us=intensity),
    )
    return here, Case(name="reference", study=other, target=target)


def check_dose(study: OptimiseStudy) -> dict[str, Path]:
    """Refuse what cannot be used before a head is built; return the files by their place.

    Raises
    ------
    InputError
        As `rheobase.stations.inputs.open_inputs` does for each of the two devices, or if the cell
        type is unknown, or a threshold in per cent is of a coil whose stimulator is not.
    """
    from rheobase.neurons.generate import cell_types

    here, reference = dose_cases(study)
    files: dict[str, Path] = {}
    for case in filter(None, (here, reference)):
        for key, path in case.target.files().items():
            files[f"{case.name}.target.{key}"] = path
        for place, path in files.items():
            if not path.exists():
                raise InputError(f"no such file {path}: {place}")
        inputs = open_inputs(case.study, case.target.positions())
        files |= {f"{case.name}.{place}": path for place, path in inputs.files.items()}
        if case.target.cells is not None:
            check_option("cell type", case.target.cells.type, cell_types(), where="target.cells")
        table = study.optimise
        if isinstance(table, OptimiseDose) and table.threshold_percent is not None:
            assert inputs.coil is not None  # a motor threshold is that of a coil
            if inputs.coil.dIdt_max is None:
                raise InputError(
                    "expected a coil whose largest dI/dt is known for a threshold in per cent, "
                    f"{inputs.coil.name!r} has none (give threshold_A_per_us): "
                    "optimise.threshold_percent"
                )
    return files


def dose_station(study: OptimiseStudy, head: Head) -> tuple[Felt, Felt | None, Dose]:
    """Return what the device does at hand, what it does in the reference, and the dose.

    Raises
    ------
    InputError
        If a device or a target does not fit its head, before anything is solved; if the field of
        the two differs in sign, or all or none of the reference's cells fire.
    """
    table = study.optimise
    assert isinstance(table, OptimiseDose)
    here, reference = dose_cases(study)
    other = None
    if reference is None:
        (mine,) = _feel(table, (here,), head)
    else:
        mine, other = _feel(table, (here, reference), head)
    return mine, other, _dose(table, mine, other)


def _feel(table: OptimiseDose, cases: tuple[Case, ...], head: Head) -> list[Felt]:
    """Place everything, then solve, then look at the targets."""
    prepared: list[tuple[Head, Inputs, Placed, Target, Any]] = []
    for case in cases:
        on = head
        if case.study.head != cases[0].study.head:
            with stage(f"head of the {case.name}"):
                on = open_head(case.study.head)
        inputs = open_inputs(case.study, case.target.positions())
        target = aim(case.target, on)
        cells = place_targets(case.target, on, case.study.seed)
        prepared.append((on, inputs, place_device(case.study, on, inputs), target, cells))
    found: list[Felt] = []
    for case, (on, inputs, placed, target, cells) in zip(cases, prepared, strict=True):
        with stage(f"field, {case.name}"):
            device = solve_device(case.study, placed)
        found.append(_felt(table, case, on, inputs, placed, device, target, cells))
    return found


def _felt(
    table: OptimiseDose,
    case: Case,
    head: Head,
    inputs: Inputs,
    placed: Placed,
    device: Device,
    target: Target,
    cells: Any,
) -> Felt:
    from rheobase.meshes.files.surface_tree import SurfaceTree
    from rheobase.meshes.placing.scalp import Scalp
    from rheobase.neurons.activation import thresholds

    own = float(device.amplitudes.sum())
    fired = None
    if cells is not None:
        pulse: Any = inputs.waveform
        if pulse is None:
            assert table.pulse_us is not None  # OptimiseDose.check
            pulse = table.pulse_us * 1e-6
        with stage(f"thresholds of {len(cells):,} cells"):
            fired = thresholds(cells, device.basis, waveform=pulse, weights=device.amplitudes / own)
    scalp = Scalp(head.mesh)
    over = SurfaceTree.of_triangles(scalp.nodes[scalp.triangles]).nearest(target.positions)
    return Felt(
        case=case,
        placed=placed,
        device=device,
        own=own,
        target=target,
        exposure=_exposure(case, device, target, own),
        cells=fired,
        depth=float(np.linalg.norm(over - target.positions, axis=1).min()),
    )


def _exposure(case: Case, device: Device, target: Target, own: float) -> Exposure:
    """Return the field of a device in a target per unit of its intensity."""
    from rheobase.fields.dose import Exposure, exposure
    from rheobase.fields.interference import envelope_along, envelope_max
    from rheobase.fields.optimisation.target import fields_at

    table = case.study.device
    if not isinstance(table, TI):
        return exposure(device.basis, device.amplitudes / own, target, name=case.name)
    E = (device.amplitudes / own)[:, None, None] * fields_at(device.basis, target)
    carriers = table.carriers()
    if target.direction is None:
        values = envelope_max(E, carriers)
    else:
        values = envelope_along(E, target.direction, carriers)
    return Exposure(name=case.name, values=values, weights=target.weights, unit="A")


def _dose(table: OptimiseDose, here: Felt, reference: Felt | None) -> Dose:
    """Return the intensity for the device at hand."""
    from rheobase.fields.dose import Dose, motor_threshold_dose, same_field_dose
    from rheobase.neurons.dose import amplitude_of_share, same_recruitment_dose

    unit = here.exposure.unit
    if reference is None and here.cells is not None:
        assert table.share is not None  # OptimiseDose.check
        amplitude, interval = amplitude_of_share(here.cells, table.share)
        return Dose(
            amplitude=amplitude,
            unit=unit,
            factor=amplitude / here.own,
            held="share of the cells that fire",
            value=table.share,
            interval=interval,
        )
    if reference is None:
        wanted = table.field_V_per_m
        assert wanted is not None  # OptimiseDose.check
        value = here.exposure.statistic(table.statistic)
        if not 0 < value < inf:
            raise InputError(
                f"expected a field along the direction of the target, got {value:g} V/m per {unit}:"
                " optimise.field_V_per_m"
            )
        which = "mean" if table.statistic == "mean" else f"{table.statistic:g} % percentile"
        return Dose(
            amplitude=wanted / value,
            unit=unit,
            factor=wanted / value / here.own,
            held=f"{which} of the field (V/m)",
            value=wanted,
        )
    if here.cells is not None and reference.cells is not None:
        return same_recruitment_dose(reference.cells, here.cells, amplitude=reference.own)
    if table.goal == "motor_threshold":
        return motor_threshold_dose(
            motor_threshold(table, reference),
            fraction=table.fraction or 1.0,
            motor=reference.exposure,
            target=here.exposure,
            statistic=table.statistic,
        )
    return same_field_dose(
        reference.exposure, here.exposure, amplitude=reference.own, statistic=table.statistic
    )


def motor_threshold(table: OptimiseDose, reference: Felt) -> float:
    """Return the motor threshold (A/s)."""
    if table.threshold_A_per_us is not None:
        return table.threshold_A_per_us / MICRO
    coil = reference.placed.coil
    assert coil is not None  # check_dose
    assert coil.dIdt_max is not None
    assert table.threshold_percent is not None  # OptimiseDose
    return table.threshold_percent / 100 * coil.dIdt_max
