"""Which currents: the montage, or the two carriers, that do most to a target within limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.stations.aiming import aim, open_lead_field
from rheobase.stations.currents_book import Found, write_found
from rheobase.tables.optimise import OptimiseStudy, OptimiseTES

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.optimisation.tes import Optimum
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book

Floats = NDArray[np.float64]


def currents_station(study: OptimiseStudy, table: OptimiseTES, head: Head, book: Book) -> None:
    """Find the currents, write them, draw them with their field, tabulate them."""
    from rheobase.fields.optimisation.energy import off_target_energy
    from rheobase.fields.optimisation.target import rows

    target = aim(study.target, head)
    field = open_lead_field(table, head, study.target)
    with stage("what the electrodes do to the target"):
        C = rows(field, target)
        Q = off_target_energy(head, field, target, tissues=table.spare)
    with stage("optimisation"):
        found = _montage(table, field, C, Q)
    write_found(study, table, head, field, target, found, book)


def _montage(table: OptimiseTES, field: LeadField, C: Floats, Q: Floats) -> Found:
    from rheobase.fields.optimisation.tes import focal, lcmv, max_intensity, pareto

    limits, names = table.limits(), field.names
    strongest = max_intensity(C, limits, names=names, Q=Q)
    value = (table.field_V_per_m or strongest.value / 2) * (1 - 1e-12)
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
    return Found(
        names=names,
        currents=found.currents[None],
        carriers=(0.0,),
        quantity="mean field along the direction" if len(C) == 1 else "length of the mean field",
        value=found.value,
        proved=_proved(found),
        gap=found.gap,
        rms=float(np.sqrt(np.maximum(found.currents @ Q @ found.currents, 0.0))),
        active=found.active,
        strongest=strongest.value,
        fronts=fronts,
    )


def _proved(found: Optimum) -> str:
    """Return what is proved of an optimum."""
    if found.objective == "field":
        return f"No currents within the limits reach more than {found.bound:.4g} V/m"
    return (
        f"No currents within the limits that reach it have less than {found.bound:.4g} V/m (rms) "
        "off the target"
    )
