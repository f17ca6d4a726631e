"""How sure an activated volume is: where the lead stands, what conducts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

from rheobase._files import content_key
from rheobase.dosing_views import draw_sobol, draw_spread
from rheobase.report import Section, Table
from rheobase.stations.book import write_record
from rheobase.views import new_figure

if TYPE_CHECKING:
    from rheobase.fields.dbs.steering.uncertainty import LeadSample
    from rheobase.fields.dbs.volumes.activated import Criterion
    from rheobase.fields.dbs.volumes.zones import Zone
    from rheobase.fields.uncertainty.inputs import Input
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_solve import Active, Surroundings
    from rheobase.tables.dbs import DeepStudy, SpreadTable

TISSUES = ("white_matter", "grey_matter", "csf")  # that vary when a study names none
COARSE = 0.5  # resolution of the samples
VOLUME = "volume (mm³)"
SCAR = 0.18  # S/m, of a random encapsulation where the study has none


def check_spread(table: SpreadTable, around: Surroundings) -> None:
    """Refuse random inputs that cannot be, and samples that are too few for them.

    Raises
    ------
    InputError
        Before anything is solved.
    """
    from rheobase.fields.uncertainty.chaos import check_samples

    check_samples(table.samples, len(_inputs(table, around)))


def spread_station(
    study: DeepStudy,
    table: SpreadTable,
    actives: Sequence[Active],
    around: Surroundings,
    zones: Sequence[Zone],
    criterion: Criterion,
    book: Book,
) -> None:
    """Sample every lead over what is not known exactly; tell spread and what it is made of."""
    from rheobase.fields.dbs.steering.uncertainty import sample_quantities
    from rheobase.fields.uncertainty.inputs import Inputs

    rows, pictures = [], []
    for a in actives:

        def evaluate(sample: LeadSample, a: Active = a) -> Mapping[str, float]:
            return _evaluate(sample, a, around, zones, criterion)

        mesh = around.head.mesh
        path = book.path("samples", ".h5", desc=a.slug)
        samples = sample_quantities(
            evaluate,
            a.lead,
            Inputs(_inputs(table, around)),
            path,
            n=table.samples,
            seed=study.seed,
            key=content_key(mesh.nodes.tobytes(), mesh.labels.tobytes(), study.model_dump_json()),
        )
        book.has(path, title=f"{a.lead.name}: all samples", role="samples")
        found = samples.rows()
        rows += [{"lead": a.lead.name, **row} for row in found]
        of_volume = next(row for row in found if row["quantity"] == VOLUME)
        figure = new_figure(10.5, 4.2)
        spread, shares = figure.subplots(1, 2)
        draw_spread(
            spread,
            samples.values[VOLUME],
            xlabel="activated volume (mm³)",
            quantiles={0.05: of_volume["q05"], 0.95: of_volume["q95"]},
            nominal=a.volume.volume * 1e9,
        )
        draw_sobol(shares, of_volume["first"], of_volume["total"], title=a.lead.name)
        words = f"{a.lead.name}: activated volume in all samples, and what its variance is made of."
        pictures.append(book.picture(f"spread_{a.slug}", figure, words))
    keys = ("lead", "quantity", "mean", "sd", "q05", "median", "q95", "leave_one_out_error")
    names = ("lead", "quantity", "mean", "sd", "5 %", "median", "95 %", "leave-one-out error")
    result = Table(columns=names, rows=[tuple(row[k] for k in keys) for row in rows])
    book.tables["Uncertainty"] = result
    write_record(book, "uncertainty", {"rows": rows}, title="Uncertainty of the leads")
    book.sections.append(
        Section(
            title="Uncertainty",
            paragraphs=[
                f"{table.samples} samples (Sobol' points), each solved for on a coarse grid; the "
                "leave-one-out error is the part of the variance that the polynomials miss.",
            ],
            figures=pictures,
            tables=[result],
        )
    )


def _inputs(table: SpreadTable, around: Surroundings) -> list[Input]:
    from rheobase.fields.uncertainty.distributions import normal, uniform
    from rheobase.fields.uncertainty.inputs import (
        EncapsulationThickness,
        LeadShift,
        conductivities,
    )

    made: list[Input] = []
    if table.position_mm:
        made += [LeadShift(axis=x, distribution=normal(0, table.position_mm)) for x in ("x", "y")]
        made.append(LeadShift(axis="z", distribution=normal(0, table.position_mm)))
    if table.rotation_deg:
        made.append(LeadShift(axis="turn", distribution=normal(0, table.rotation_deg)))
    if table.encapsulation_mm is not None:
        low, high = table.encapsulation_mm
        made.append(EncapsulationThickness(distribution=uniform(low, high)))
    if table.conductivities:
        made += [c.make() for c in table.conductivities]
    else:
        present = {t.name for t in around.head.tissues.values()}
        made += conductivities(around.head, tuple(t for t in TISSUES if t in present))
    return made


def _evaluate(
    sample: LeadSample,
    a: Active,
    around: Surroundings,
    zones: Sequence[Zone],
    criterion: Criterion,
) -> dict[str, float]:
    """Return volume, load and shares of the regions in one sample."""
    from rheobase.fields.dbs.solution.response import unit_responses
    from rheobase.fields.dbs.solution.system import Encapsulation
    from rheobase.fields.dbs.steering.steer import steer
    from rheobase.fields.dbs.volumes.activated import activated
    from rheobase.fields.dbs.volumes.zones import overlap

    medium = copy(around.medium)
    medium.tissues = {  # type: ignore[misc]
        label: t.with_value("conductivity", sample.sigma[t.name], source="sample")
        if t.name in sample.sigma
        else t
        for label, t in around.medium.tissues.items()
    }
    layer = around.encapsulation
    if sample.encapsulation is not None:
        tissue = layer.tissue if layer else SCAR
        layer = Encapsulation(thickness=sample.encapsulation, tissue=tissue)
    setting = a.table.setting()
    response = unit_responses(
        sample.lead,
        medium,
        around.domain,
        encapsulation=layer,
        insulated=setting.off,
        resolution=COARSE,
    )
    steering = steer(response, setting.currents, voltages=setting.voltages, case=setting.case)
    volume = activated(steering, criterion)
    found = {VOLUME: volume.volume * 1e9, "load (Ω)": steering.impedance}
    return found | {f"share of {z.name} (%)": 100 * overlap(volume, z).share for z in zones}
