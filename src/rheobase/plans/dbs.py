"""The plan of a study of deep brain stimulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.plans.costs import cost
from rheobase.plans.field import THOUSAND, report, start
from rheobase.plans.head import plan_head
from rheobase.plans.plan import Plan, Step

if TYPE_CHECKING:
    from rheobase.tables.dbs import DeepStudy

UNKNOWNS = 100.0  # thousands around a lead at resolution 1, in a head
FROM_FILE = 500  # fibres of a file, whose number is not known before it is read


def plan_dbs(study: DeepStudy) -> Plan:
    """Return what running a study takes: head, leads, pathways, dosing, uncertainty."""
    head = plan_head(study.head)
    dispersive = study.tissue.dispersive
    field = cost("dbs.dispersive" if dispersive else "dbs.lead")
    size = UNKNOWNS * study.resolution**2.7  # unknowns by resolution, docs/dbs_field.md
    leads = len(study.leads)
    steps = [
        start(),
        head.step,
        Step(
            what="fields of the leads",
            size=f"{leads} lead{'s' if leads > 1 else ''}, about {size:.0f} k unknowns each",
            seconds=leads * field.seconds(size / UNKNOWNS),
            bytes=field.bytes(size / UNKNOWNS),
        ),
    ]
    for table in study.pathways:
        one = cost(f"dbs.pathway_{table.model}")
        fibres = FROM_FILE if table.file is not None else table.fibres
        steps.append(
            Step(
                what=f"pathway {table.name}",
                size=f"{'about ' if table.file is not None else ''}{fibres} fibres, {table.model}",
                seconds=leads * one.seconds(fibres / THOUSAND),
                bytes=one.bytes(),
            )
        )
    if study.dosing is not None:
        one = cost("dbs.dosing")
        steps.append(
            Step(
                what="dosing",
                size=f"at most {study.dosing.contacts} contacts",
                seconds=one.seconds(),
                bytes=one.bytes(),
            )
        )
    if study.uncertainty is not None:
        one = cost("dbs.sample")
        samples = study.uncertainty.samples
        steps.append(
            Step(
                what="uncertainty",
                size=f"{samples} samples of {leads} lead{'s' if leads > 1 else ''}",
                seconds=one.seconds(samples * leads),
                bytes=one.bytes(),
            )
        )
    pictures = cost("dbs.pictures")
    steps.append(
        Step(
            what="volumes, pictures, voxels",
            size="",
            seconds=pictures.seconds(leads),
            bytes=pictures.bytes(),
        )
    )
    note = "leads of this head that the cache has are not solved for again"
    return Plan(steps=[*steps, report(head.millions)], notes=(*head.notes, note))
