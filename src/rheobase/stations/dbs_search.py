"""Which contacts and how much current reach one thing and spare others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.dbs_views import draw_contacts, draw_recruitment
from rheobase.report import Section, Table
from rheobase.stations.book import write_record
from rheobase.views import new_figure

if TYPE_CHECKING:
    from rheobase.fields.dbs.steering.goals import Fibres, Goal
    from rheobase.fields.dbs.volumes.activated import Criterion
    from rheobase.fields.dbs.volumes.zones import Zone
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_fibres import Recruited
    from rheobase.stations.dbs_solve import Active
    from rheobase.tables.dbs import SearchTable

BEST = 8  # splits that are told
STEPS = 61  # of the amplitude in the picture


def search_station(
    table: SearchTable,
    actives: Sequence[Active],
    zones: Sequence[Zone],
    found: Sequence[Recruited],
    criterion: Criterion,
    book: Book,
) -> None:
    """Search the steering of one lead, tell the best ones, draw the window of amplitudes.

    Raises
    ------
    InputError
        If a goal is not near the lead.
    """
    from rheobase.fields.dbs.steering.dosing import search, therapeutic_window
    from rheobase.fields.dbs.steering.goals import Goal, shares
    from rheobase.fields.dbs.steering.patterns import splits
    from rheobase.fields.optimisation.limits import Limits

    a = next(x for x in actives if table.lead in {None, x.lead.name})
    near: dict[str, Zone | Fibres] = {zone.name: zone for zone in zones}
    near |= {
        r.model.name: r.model
        for r in found
        if r.lead == a.lead.name and len(r.model.sampled.judged)
    }
    for name in (table.target, *table.spare):
        if name not in near:
            raise InputError(f"expected goals near lead {a.lead.name!r}, {name!r} is not: dosing")
    goals: list[Goal] = [Goal(of=near[table.target])]
    goals += [Goal(of=near[name], weight=-1.0) for name in table.spare]
    each = None if table.each_mA is None else table.each_mA * 1e-3
    limits = Limits(total=table.total_mA * 1e-3, each=each, electrodes=table.contacts + 1)
    names = a.response.contacts
    result = search(
        a.sampled,
        goals,
        limits,
        criterion=criterion,
        patterns=splits(len(names), cathodes=table.contacts),
    )
    book.tables["Steering found"] = Table(
        columns=("score", "current (mA)", "contacts (mA)", *(f"{g.name} (%)" for g in goals)),
        rows=[
            (
                dose.score,
                dose.amplitude * 1e3,
                ", ".join(
                    f"{n}: {i * dose.amplitude * 1e3:+.3g}"
                    for n, i in zip(names, dose.pattern.tolist(), strict=True)
                    if i
                ),
                *(100 * share for share in dose.shares.values()),
            )
            for dose in result.doses[:BEST]
        ],
    )
    best = result.steering
    record = {"lead": a.lead.name, "considered": result.considered, "found": result.rows(BEST)}
    figures = []
    if best is not None:
        amplitudes = np.linspace(0.0, table.total_mA, STEPS)
        factors = amplitudes * 1e-3 / best.total
        with stage("window of amplitudes"):
            reached = {
                g.name: shares(g.of, best, factors, criterion=criterion, sampled=a.sampled)
                for g in goals
            }
        unwanted = np.max([reached[n] for n in table.spare] or [np.zeros(STEPS)], axis=0)
        window = therapeutic_window(amplitudes, reached[table.target], unwanted)
        record["window_mA"] = [
            x if np.isfinite(x) else None for x in (window.gain, window.side_effect)
        ]
        figure = new_figure(11.0, 4.6)
        curve, unrolled = figure.subplots(1, 2, width_ratios=(2, 1))
        draw_recruitment(
            curve,
            {name: (amplitudes, 100 * share) for name, share in reached.items()},
            xlabel="current of the setting found (mA)",
            marks={"the best": best.total * 1e3},
            window=(window.gain, window.side_effect) if table.spare else None,
        )
        currents = dict(zip(best.names, best.currents.tolist(), strict=True))
        draw_contacts(unrolled, a.lead.model, currents)
        words = (
            f"Shares with the best split for {table.target}; shaded: from half of it to a tenth of "
            "what is to be spared."
        )
        figures.append(book.picture("window", figure, words))
    write_record(book, "dosing", record, title="Currents that were found")
    book.details["dosing"] = record
    book.sections.append(
        Section(
            title="Steering found",
            paragraphs=[
                f"{result.considered:,} splits of the current over at most {table.contacts} "
                f"cathodes of {a.lead.name}, case as anode, {table.total_mA:g} mA at most. Score: "
                f"share of {table.target}"
                + "".join(f" minus share of {name}" for name in table.spare)
                + ".",
            ],
            figures=figures,
            tables=[book.tables["Steering found"]],
        )
    )
