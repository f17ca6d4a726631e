"""Surface stimulation of rat, mouse and human cortex: the founding study, in three modes.

Method of Komarov, Malerba, Golden, Nunez, Halgren & Bazhenov 2019
(doi:10.1371/journal.pcbi.1007277): cells of all types and layers stand at many places below a
square electrode on the pia, and the share of a type that fires is its probability of activation.
Here the field is solved with finite elements, cells are generated, and the rule that says whether a
cell fires is one of three: the activating function as there, the linear cable, the full simulation.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.naming import label
from rheobase.report import Section, Table
from rheobase.results import Result, finish, open_book
from rheobase.studies import figures
from rheobase.studies.findings import findings, findings_table, summary
from rheobase.studies.results import (
    MICRO,
    NEAR,
    Results,
    collect,
    compared,
    mode_table,
    threshold_table,
)
from rheobase.studies.thresholds import electrode_of, parts

if TYPE_CHECKING:
    from rheobase.stations.book import Book
    from rheobase.tables.cross_species import ConditionTable, CrossSpeciesStudy


def check_cross_species(study: CrossSpeciesStudy) -> None:
    """Refuse names and lengths that cannot be used, before anything is solved.

    Raises
    ------
    InputError
        If a type is unknown, two conditions would share a file, a cortex is thinner than that of
        its cells, or electrode and CSF make no sense.
    """
    from rheobase._errors import check_option
    from rheobase.meshes.cortex.layers import layer_table
    from rheobase.neurons.generate import cell_types, type_layer

    for name in study.cells.types:
        check_option("cell type", name, cell_types(), where="cells.types")
    files = [label(c.name).lower() for c in study.conditions]  # some disks know no case
    for condition, file in zip(study.conditions, files, strict=True):
        where = f"condition {condition.name!r}"
        if files.count(file) > 1:
            raise InputError(f"conditions need names of different letters and digits: {where}")
        own, there = layer_table(condition.cells), layer_table(condition.layers)
        for name in study.cells.chosen():
            own.layer(type_layer(name))
            there.layer(type_layer(name))
        if there.thickness < own.thickness:
            raise InputError(
                f"expected a cortex at least as thick as that of the {condition.cells} "
                f"({1e3 * own.thickness:.2f} mm), got {1e3 * there.thickness:.2f} mm: {where}"
            )
        electrode_of(study, condition)


def run_cross_species(
    study: CrossSpeciesStudy, *, text: str, out: Path, folder: Path | None = None
) -> Result:
    """Run the study and write its results into ``out``.

    Parameters
    ----------
    study, text
        The checked study and the text of its file.
    out
        Folder of the results. Thresholds of a condition and mode that are there already, of the
        same study and code, are not found again.
    folder
        Where the paths in the study start, for the record: a run is repeated from its results.

    Raises
    ------
    InputError
        As `check_cross_species`, and if ``out`` cannot be written to.
    """
    check_cross_species(study)
    with open_book(text, out, kind="cross-species", folder=folder) as book:
        found = collect(study, list(parts(study, partial(part_file, book))))
        with stage("writing results"):
            _write(study, found, book)
        _sections(study, found, book)
        _notes(study, found, book)
        return finish(
            book, title=study.title, question=study.question, text=text, seed=study.seed, read={}
        )


def part_file(book: Book, condition: ConditionTable, mode: str) -> Path:
    """Return the file of a condition's thresholds in a mode."""
    return book.path("thresholds", ".nc", desc=f"{condition.name} {mode}")


def _write(study: CrossSpeciesStudy, results: Results, book: Book) -> None:
    """Write the labelled arrays, and both tables of numbers as text."""
    for condition in study.conditions:
        for mode in study.cells.modes:
            words = f"Thresholds: {condition.name}, {mode}"
            book.has(part_file(book, condition, mode), title=words, role="cells")
    data = results.data
    probability = data["probability"].to_dataframe().dropna(subset="probability")
    for name, frame in (
        ("probability", probability[["probability"]]),
        ("thresholds", data["threshold"].to_dataframe()[["threshold"]].dropna()),
    ):
        with book.file(name, ".csv", title=name.capitalize(), role="statistics") as file:
            frame.to_csv(file, float_format="%.6g")
    with book.file("results", ".nc", title="Thresholds and probabilities", role="cells") as file:
        data.to_netcdf(file, engine="h5netcdf")


def _sections(study: CrossSpeciesStudy, results: Results, book: Book) -> None:
    """Put the report together."""
    said = findings(results)
    verdicts, thresholds = findings_table(said), threshold_table(results)
    book.tables["Published and here"] = verdicts
    agree = sum(f.verdict == "agrees" for f in said)
    book.facts["Species"] = ", ".join(c.name for c in study.conditions)
    book.facts["Findings"] = f"{agree} of {len(said)} published statements agree"
    book.sections.append(
        Section(
            title="What agrees with the published summary",
            paragraphs=summary(results, said),
            tables=[verdicts],
        )
    )
    book.sections.append(
        Section(
            title="Electrodes and field",
            paragraphs=[
                "A square electrode with an insulated back lies on the pia and feeds its current "
                "evenly; CSF covers the pia beside it. The anode is positive: current flows out of "
                "it. The field is linear in the current, so one threshold a cell gives its "
                "probability at every amplitude."
            ],
            figures=[
                book.picture(
                    "field",
                    figures.field_below(results, study.tissue.sigma()["grey_matter"]),
                    "Field below the middle of the electrode, per mA; dashed: closed form for grey "
                    "matter alone.",
                )
            ],
            tables=[_conditions(study)],
        )
    )
    for mode in study.cells.modes:
        if mode != "spiking":  # too few in a ring
            book.sections.append(_by_distance(results, mode, book))
    order = book.picture(
        "order",
        figures.order(results),
        f"Thresholds of the cells within {1e3 * NEAR:g} mm of the middle: median (dot), 5 to 95 % "
        "(line); types sorted by the cathodal median; dotted: the largest amplitude.",
    )
    book.sections.append(Section(title="Recruitment order", figures=[order], tables=[thresholds]))
    book.tables["Thresholds"] = thresholds
    shares = book.picture(
        "species",
        figures.species(results),
        f"Share of the cells within {1e3 * NEAR:g} mm that fire, mean over the layers of a class.",
    )
    book.sections.append(Section(title="Species", figures=[shares]))
    figure = figures.modes(results)
    if figure is not None:
        reference, others = compared(results)
        errors = mode_table(results)
        book.tables["Modes"] = errors
        scatter = book.picture(
            "modes", figure, f"The same placements in {' and '.join(others)} and in {reference}."
        )
        book.sections.append(Section(title="Modes", figures=[scatter], tables=[errors]))


def _by_distance(results: Results, mode: str, book: Book) -> Section:
    picture = book.picture(
        f"distance-{mode}",
        figures.by_distance(results, mode),
        "Solid: anodal, dashed: cathodal; a row a layer of the soma, grey: below the electrode.",
    )
    return Section(title=f"Probability by distance: {mode}", figures=[picture])


def _conditions(study: CrossSpeciesStudy) -> Table:
    from rheobase.meshes.cortex.layers import layer_table

    width = MICRO * study.pulse.width_us
    return Table(
        columns=(
            "condition",
            "cells",
            "cortex",
            "thickness (mm)",
            "electrode (mm)",
            "CSF (mm)",
            "largest current (µA)",
            "charge density (µC/cm²)",
        ),
        rows=[
            (
                c.name,
                c.cells,
                f"{c.layers} {layer_table(c.layers).area}",
                1e3 * layer_table(c.layers).thickness,
                c.electrode_mm,
                c.csf_mm,
                c.largest_uA,
                c.largest_uA * width / (0.1 * c.electrode_mm) ** 2,
            )
            for c in study.conditions
        ],
    )


def _notes(study: CrossSpeciesStudy, results: Results, book: Book) -> None:
    """Tell what a reader must know."""
    book.notes.extend(
        (
            "The cells are generated, not reconstructed; axons of all types are myelinated by "
            "their diameter, while many interneurons' are bare (bare ones fire later).",
            "Sides of the electrodes and heights of the CSF are choices, not published values.",
            "Mode af is the founding rule with one threshold; it is an indicator, not a predictor.",
        )
    )
    for part in results.parts:
        book.notes.extend(n for n in str(part.data.attrs["notes"]).split("; ") if n)
    book.details["cross_species"] = {
        "conditions": [c.name for c in study.conditions],
        "modes": list(study.cells.modes),
        "conductivity_S_per_m": study.tissue.sigma(),
        "cells": {
            f"{p.condition.name}, {p.mode}": int(p.data.sizes["placement"]) for p in results.parts
        },
    }
