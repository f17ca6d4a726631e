"""Pathways near a lead: which fibres fire, at which amplitude, and what became of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.dbs_views import draw_recruitment
from rheobase.report import Section, Table
from rheobase.stations.book import write_rows
from rheobase.tables.base import metres
from rheobase.views import new_figure

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.meshes.leads.lead import Lead
    from rheobase.neurons.pathways.activation import PathwayActivation, PathwayModel
    from rheobase.neurons.pathways.placing import PlacedAxons
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_solve import Active
    from rheobase.tables.dbs import DeepStudy
    from rheobase.tables.dbs_effect import PathwayTable

Floats = NDArray[np.float64]

AMPLITUDES = 61  # of a curve
BEYOND = 2.0  # times the amplitude of the setting: where curves end
NEAR = 30e-3  # m from the contacts; what starts beyond and stays there is no pathway of a lead


@dataclass(frozen=True, slots=True, eq=False)
class Shafts:
    """All leads of a study, for the fibres that one of them crosses."""

    leads: Sequence[Lead]

    def outside(self, points: Floats) -> Floats:
        """Return the distance of points (m) from the nearest lead, < 0 inside, shape (n,)."""
        nearest: Floats = np.stack([lead.outside(points) for lead in self.leads]).min(axis=0)
        return nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recruited:
    """A pathway and a lead.

    Parameters
    ----------
    lead
        Name of the lead.
    model
        Thresholds for any setting of it.
    activation
        Thresholds (mA in all) for its setting.
    """

    lead: str
    model: PathwayModel
    activation: PathwayActivation

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.model.name}, {self.lead}"

    def percent(self, amplitudes_mA: Floats) -> Floats:
        """Return the percentage of fibres that fire at amplitudes (mA), shape (n,)."""
        curve: Floats = self.activation.percent(amplitudes_mA).values[0]
        return curve


def open_lines(table: PathwayTable, head: Head, seed: int) -> list[Floats]:
    """Return the lines of a pathway in a head (m), shape (n, 3) each.

    Raises
    ------
    InputError
        If the file holds no fibres, or a point of MNI space is not in the head's map.
    """
    from rheobase.neurons.pathways.bundle import bundle
    from rheobase.neurons.pathways.tracts import read_tracts

    if table.file is not None:
        lines = read_tracts(table.file)
        if table.space == "MNI":
            moved = head.from_mni(np.concatenate(lines))
            lines = np.split(moved, np.cumsum([len(x) for x in lines])[:-1])
        return lines
    points = np.array([metres(p) for p in table.through_mni_mm or table.through_mm or ()])
    if table.through_mni_mm is not None:
        points = head.from_mni(points)
    return bundle(
        points[0],
        points[-1],
        table.fibres,
        via=list(points[1:-1]),
        spread=table.radius_mm * 1e-3,
        seed=seed,
    )


def place_pathways(study: DeepStudy, head: Head) -> dict[str, PlacedAxons]:
    """Return the axons of every pathway in a head, by its name.

    Raises
    ------
    InputError
        As `open_lines`, or if no line is long enough for an axon.
    """
    from rheobase.neurons.pathways.placing import place_axons

    found = {}
    for table in study.pathways:
        lines = open_lines(table, head, study.seed)
        axons = place_axons(
            lines,
            table.fibre_um * 1e-6,
            name=table.name,
            compartments=table.model == "mrg",
            seed=study.seed,
        )
        if not len(axons.points):
            raise InputError(
                f"expected fibres that are long enough for an axon of {table.fibre_um:g} µm, none "
                f"of {len(lines)} is: pathway {table.name!r}"
            )
        found[table.name] = axons
    return found


def recruit(
    study: DeepStudy, pathways: Mapping[str, PlacedAxons], actives: Sequence[Active], book: Book
) -> list[Recruited]:
    """Return which fibres of every pathway each lead that is near it fires."""
    from rheobase.neurons.pathways.activation import pathway_model
    from rheobase.neurons.pathways.sampled import sample_axons

    found = []
    pulse = study.pulse
    stimulus: Any = pulse.width_us * 1e-6
    if pulse.recharge != "none":
        stimulus = pulse.make().waveform()
    shafts = Shafts([a.lead for a in actives])
    for table in study.pathways:
        axons = pathways[table.name]
        for a in actives:
            middle = a.volume.sampled.lattice.points.mean(axis=0)
            away = float(np.linalg.norm(axons.points - middle, axis=1).min())
            if away > NEAR:
                book.notes.append(
                    f"{table.name}: its nearest fibre is {away * 1e3:.0f} mm from {a.lead.name}, "
                    f"which is not asked about fibres beyond {NEAR * 1e3:g} mm"
                )
                continue
            with stage(f"{table.name} at {a.lead.name}"):
                sampled = sample_axons(
                    axons, a.response, lead=shafts, encapsulation=a.response.layer
                )
                model = pathway_model(
                    sampled, stimulus, "mrg" if table.model == "mrg" else "linear"
                )
                unit = a.steering.currents / (a.steering.total * 1e3)  # of 1 mA in all
                activation = model.activation(unit, unit="mA")
            found.append(Recruited(lead=a.lead.name, model=model, activation=activation))
    return found


def write_fibres(
    study: DeepStudy, found: Sequence[Recruited], actives: Sequence[Active], book: Book
) -> None:
    """Tabulate and draw what fires, and tell the fate of every fibre."""
    totals = {a.lead.name: a.steering.total * 1e3 for a in actives}
    axes = {k: np.linspace(0.0, BEYOND * most, AMPLITUDES) for k, most in totals.items()}
    curves = {r.name: (axes[r.lead], r.percent(axes[r.lead])) for r in found}
    write_rows(
        book,
        "recruitment",
        [
            {"pathway": r.model.name, "lead": r.lead, "amplitude_mA": x, "activated_percent": y}
            for r in found
            for x, y in zip(*(c.tolist() for c in curves[r.name]), strict=True)
        ],
        title="Fibres activated by current",
    )
    rows: list[tuple[str | float, ...]] = []
    for r in found:
        known = r.activation.threshold[0][np.isfinite(r.activation.threshold[0])]
        half = float(np.median(known)) if len(known) else float("nan")
        fates = r.activation.fates
        here = float(r.percent(np.array([totals[r.lead]]))[0])
        rows.append(
            (r.model.name, r.lead, totals[r.lead], here, half, sum(fates.values()), *fates.values())
        )
    names = list(found[0].activation.fates)
    table = Table(
        columns=(
            *("pathway", "lead", "setting (mA)", "activated (%)"),
            *("median threshold (mA)", "fibres", *names),
        ),
        rows=rows,
    )
    book.tables["Pathways"] = table
    figure = new_figure(8.5, 4.6)
    draw_recruitment(figure.subplots(), curves, xlabel="current of the setting (mA)", marks=totals)
    kinds = {f"{p.name}: {p.fibre_um:g} µm, {p.model}" for p in study.pathways}
    book.sections.append(
        Section(
            title="Pathways",
            paragraphs=[
                f"Myelinated fibres under one pulse ({study.pulse.make().name}): "
                f"{'; '.join(sorted(kinds))}. The currents of a "
                "setting grow together; percentages are of the fibres that are whole or cut short "
                "by the end of the tissue. Fibres that the lead or its encapsulation crosses are "
                "damaged, those outside the tissue or too short for an axon are counted apart.",
            ],
            figures=[book.picture("recruitment", figure, "Fibres activated against the current.")],
            tables=[Table(columns=table.columns, rows=table.rows, title="Pathways")],
        )
    )
    unsure = [
        f"{r.model.name}: the linear rule for axons errs by {r.model.weights.median:.1%} (median) "
        f"and {r.model.weights.p95:.1%} (95th percentile) against the double-cable model"
        for r in found
        if r.model.model == "linear"
    ]
    book.notes.extend(dict.fromkeys(unsure))
    book.details["pathways"] = [
        {
            "pathway": r.model.name,
            "lead": r.lead,
            "model": r.model.model,
            "fates": r.activation.fates,
            "activated_percent": float(r.percent(np.array([totals[r.lead]]))[0]),
        }
        for r in found
    ]
