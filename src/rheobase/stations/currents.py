"""Which currents: the montage, or the two carriers, that do most to a target within limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.stations.aiming import aim, open_lead_field, place_targets
from rheobase.stations.currents_book import Found, write_found
from rheobase.stations.recruiting import recruiting
from rheobase.tables.optimise import OptimiseStudy, OptimiseTES, OptimiseTI

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.optimisation.target import Target
    from rheobase.fields.optimisation.tes import Optimum
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.stations.book import Book
    from rheobase.tables.target import TargetTable

Floats = NDArray[np.float64]


def currents_station(
    study: OptimiseStudy, table: OptimiseTES | OptimiseTI, head: Head, book: Book
) -> None:
    """Find the currents, write them, draw them with their field, tabulate them."""
    from rheobase.fields.optimisation.target import rows

    target = aim(study.target, head)
    cells = place_targets(study.target, head, study.seed)
    field = open_lead_field(table, head, study.target)
    if table.lead_field is not None:
        book.notes.append(
            f"The lead field was taken from {table.lead_field.name} as it is: its mesh is that of "
            "the head; its conductivities, and the version that made it, are not known."
        )
    if isinstance(table, OptimiseTES) and table.goal == "recruitment":
        assert cells is not None  # OptimiseStudy
        found = recruiting(table, head, field, target, cells)
        write_found(study, table, head, field, target, found, book)
        return
    with stage("what the electrodes do to the target"):
        C = rows(field, target) if cells is None else _polarised(cells, study.target, field)
    if isinstance(table, OptimiseTES):
        found = _montage(table, head, field, target, C, cells)
    else:
        found = _carriers(table, head, field, target, C, study.seed)
    write_found(study, table, head, field, target, found, book)


def _polarised(cells: Population, table: TargetTable, field: LeadField) -> Floats:
    """Return the mean polarisation of cells (mV per A), shape (1, n)."""
    from rheobase.neurons.objectives import polarisation_rows

    assert table.cells is not None  # there are cells
    found = polarisation_rows(cells, field, site=table.cells.site).mean(by=("type",))
    C: Floats = next(iter(found.values())).C * 1e3
    return C


def _montage(
    table: OptimiseTES,
    head: Head,
    field: LeadField,
    target: Target,
    C: Floats,
    cells: Population | None,
) -> Found:
    from rheobase.fields.optimisation.energy import off_target_energy
    from rheobase.fields.optimisation.tes import focal, lcmv, max_intensity, pareto

    Q = off_target_energy(head, field, target, tissues=table.spare)
    limits, names = table.limits(), field.names
    strongest = max_intensity(C, limits, names=names, Q=Q)
    asked = table.field_V_per_m or table.polarisation_mV
    value = (asked or strongest.value / 2) * (1 - 1e-12)
    if table.goal == "focality":
        found = focal(C, Q, limits, value=value, names=names)
    elif table.goal == "lcmv":
        wanted = value * strongest.field / np.linalg.norm(strongest.field)
        found = lcmv(C, Q, limits, wanted=wanted, names=names)
    else:
        found = strongest
    fronts = {}
    if table.front:
        whole = replace(limits, electrodes=None)
        front = pareto(C, Q, whole, names=names, points=table.front)
        fronts["HD-tES, any number of electrodes"] = (front.value, front.rms)
    quantity, unit = "length of the mean field", "V/m"
    if cells is not None:
        quantity, unit = f"mean polarisation of {len(cells):,} {cells.type[0]} cells", "mV"
    elif len(C) == 1:
        quantity = "mean field along the direction"
    return Found(
        names=names,
        currents=found.currents[None],
        carriers=(0.0,),
        quantity=quantity,
        unit=unit,
        value=found.value,
        proved=_proved(found, unit),
        gap=found.gap,
        rms=float(np.sqrt(np.maximum(found.currents @ Q @ found.currents, 0.0))),
        active=found.active,
        strongest=strongest.value,
        fronts=fronts,
    )


def _carriers(
    table: OptimiseTI, head: Head, field: LeadField, target: Target, C: Floats, seed: int
) -> Found:
    from rheobase.fields.interference import envelope_max
    from rheobase.fields.optimisation.interference import strongest_modulation
    from rheobase.fields.optimisation.interference_focal import focal_modulation
    from rheobase.fields.optimisation.interference_front import modulation_front, sampled_nodes
    from rheobase.fields.optimisation.interference_pairs import focal_pairs, strongest_pairs

    limits, names = table.limits(), field.names
    pairs = table.through == "pairs"
    along = "."
    if len(C) == 3:  # pairs and fronts want one: that of the largest field
        best = strongest_modulation(C, limits, names=names).currents.sum(axis=0)
        C = (C @ best / np.linalg.norm(C @ best) @ C)[None]
        along = " (along the strongest field that HD-tES has there)."
    E, volumes = sampled_nodes(head, field, target, tissues=table.spare, seed=seed)
    if pairs:
        found = strongest = strongest_pairs(C, limits, names=names)
    else:
        found = strongest = strongest_modulation(C, limits, names=names, shared=False)
    if table.goal == "focality":
        value = (table.field_V_per_m or strongest.value / 2) * (1 - 1e-12)
        if pairs:
            found = focal_pairs(C, E, volumes, limits, value=value, names=names)
        else:
            found = focal_modulation(
                C, E, volumes, limits, value=value, names=names, starts=table.starts, seed=seed
            ).optimum
    fronts = {}
    if table.front:
        front = modulation_front(
            C,
            E,
            volumes,
            replace(limits, electrodes=None),
            names=names,
            points=table.front,
            starts=table.starts,
            seed=seed,
        )
        fronts["two carriers, any electrodes"] = (front.value, front.rms)
        fronts["HD-tES, amplitude modulated"] = (front.single.value, front.single.rms)
        has = np.isfinite(front.pairs_rms)
        fronts["two pairs"] = (front.value[has], front.pairs_rms[has])
    rms = found.rms
    if rms is None:
        T = envelope_max(np.tensordot(found.currents, E, axes=1))
        rms = float(np.sqrt(T**2 @ volumes / volumes.sum()))
    proved = "Nothing is proved of its focality: it is the best of several starts"
    if found.bound is not None:
        proved = f"No currents within the limits beat by more than {found.bound:.4g} V/m"
    elif pairs:
        proved = "No two pairs within the limits that reach it have less off the target"
    return Found(
        names=names,
        currents=found.currents,
        carriers=table.carriers_Hz,
        quantity="modulation, peak to peak",
        unit="V/m",
        value=found.value,
        proved=proved + along,
        gap=found.gap,
        rms=rms,
        active=found.active,
        strongest=strongest.value,
        fronts=fronts,
    )


def _proved(found: Optimum, unit: str) -> str:
    """Return what is proved of an optimum."""
    if found.objective == "field":
        return f"No currents within the limits reach more than {found.bound:.4g} {unit}."
    return (
        f"No currents within the limits that reach it have less than {found.bound:.4g} V/m (rms) "
        "off the target."
    )
