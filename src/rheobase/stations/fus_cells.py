"""Which cells the sound fires: point neurons around the target, and cells of the cortex."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.report import Section, Table
from rheobase.stations.book import write_rows
from rheobase.stations.fus_focus import tissue_names

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book
    from rheobase.stations.fus_focus import Focused
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard
    from rheobase.tables.fus import UltrasoundStudy
    from rheobase.tables.fus_effect import NeuronTable

Floats = NDArray[np.float64]

DRAWN = 40  # points for each cell wanted: those in other tissue are left out
SPARE = 1.6  # cells of the sheet drawn for each one wanted
BRAIN = ("grey_matter", "white_matter", "brain")  # in the order in which cells are put there
FACTORS = np.linspace(0.0, 2.0, 201)  # of the drive
DUTIES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


def cells_station(study: UltrasoundStudy, scene: Scene, heard: Heard, focused: Focused,
                  book: Book) -> None:  # fmt: skip
    """Place the cells, find their thresholds, tabulate and draw what fires."""
    table = study.neurons
    assert table is not None  # fus_station
    found: dict[str, Recruitment] = {}
    if table.cells:
        found["target"] = _around_target(study, table, scene, heard, book)
    if table.types:
        found["cortex"] = _in_cortex(study, table, scene, heard)
    for name, recruited in found.items():
        words = f"Thresholds of cells, {name}"
        with book.file("recruitment", ".nc", desc=name, title=words, role="cells") as part:
            recruited.save(part)
        book.notes.extend(recruited.notes)
    _write(study, found, scene, heard, focused, book)


def _around_target(
    study: UltrasoundStudy, table: NeuronTable, scene: Scene, heard: Heard, book: Book
) -> Recruitment:
    """Return the thresholds of point neurons in a ball around the target."""
    from rheobase.neurons.morphology import Kind
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.neurons.sonic.response import threshold_pressure

    assert scene.head is not None  # UltrasoundStudy
    radius = study.target.radius if table.radius_mm is None else 1e-3 * table.radius_mm
    points, tissue = _in_ball(scene, radius, table.placements, study.seed)
    if tissue != BRAIN[0]:
        book.notes.append(
            f"Cells around the target stand in {tissue}: the head has no grey matter there."
        )
    amplitude = np.abs(heard.chosen.field.sample(points))
    with stage("thresholds of point neurons"):
        least = {
            name: threshold_pressure(name, scene.sonication, radius=1e-9 * table.sonophore_nm)
            for name in table.cells
        }
    with np.errstate(divide="ignore"):
        factor = np.concatenate([least[name] / amplitude for name in table.cells])
    n, kinds = len(points), len(table.cells)
    site = np.where(np.isfinite(factor), int(Kind.SOMA), -1).astype(np.int8)
    return Recruitment(
        threshold=np.stack([factor, factor]),
        site=np.stack([site, site]),
        type=np.repeat(table.cells, n),
        layer=np.full(n * kinds, study.target.title),
        species=np.full(n * kinds, scene.head.species),
        position=np.tile(scene.to_head(points), (kinds, 1)),
        depth=np.full(n * kinds, np.nan),
        outside=np.isnan(factor).astype(np.float64),
        tissue=np.full(n * kinds, scene.head.label_of(tissue), np.int32),
        unit="1",
        mode="sonic",
        notes=(
            "intramembrane cavitation in point neurons around the target: "
            + ", ".join(f"{k} {v / 1e3:.4g} kPa" for k, v in least.items())
            + "; they stand for cell types of cortex and thalamus, no species, shape or direction",
        ),
    )


def _in_ball(scene: Scene, radius: float, count: int, seed: int) -> tuple[Floats, str]:
    """Return points of the beam frame (m) in brain tissue around the target, and the tissue."""
    rng = np.random.default_rng(seed)
    away = rng.standard_normal((DRAWN * count, 3))
    away *= (radius * rng.random(len(away)) ** (1 / 3) / np.linalg.norm(away, axis=1))[:, None]
    points = scene.target_in_beam + away
    names = tissue_names(scene, points)
    for tissue in BRAIN:
        if np.count_nonzero(names == tissue) >= count:
            return points[names == tissue][:count], tissue
    raise InputError(
        f"expected brain within {1e3 * radius:g} mm of the target, there is "
        f"{', '.join(sorted(set(names.tolist()) - {''})) or 'nothing'}: neurons, target"
    )


def _in_cortex(
    study: UltrasoundStudy, table: NeuronTable, scene: Scene, heard: Heard
) -> Recruitment:
    """Return the thresholds of cells of the cortical sheet where it is sounded most."""
    from rheobase.neurons.placement import place_in_sheet
    from rheobase.neurons.sonic.recruit import recruit_ultrasound

    head = scene.head
    assert head is not None  # UltrasoundStudy
    assert head.cortex is not None  # check_cortex
    middle = scene.to_beam(head.cortex.points(0.5))
    inside = ((middle > scene.window.low) & (middle < scene.window.high)).all(axis=1)
    if not inside.any():
        raise InputError("expected cortex in the window, there is none: neurons.types")
    P = np.nan_to_num(np.abs(heard.chosen.field.sample(middle[inside])))
    loudest = scene.to_head(middle[inside][int(P.argmax())])
    with stage("placing the cells"):
        drawn = place_in_sheet(
            head.cortex,
            species=head.species,
            counts=dict.fromkeys(table.types, ceil(SPARE * table.placements)),
            seed=study.seed,
            centre=loudest,
            radius=1e-3 * (table.radius_mm or 5.0),
            area=table.area,
        )
        grey = tissue_names(scene, scene.to_beam(drawn.position)) == BRAIN[0]
        kept = [np.flatnonzero(grey & (drawn.type == t))[: table.placements]
                for t in np.unique(drawn.type)]  # fmt: skip
        if any(len(k) == 0 for k in kept):
            raise InputError("no soma lies in grey matter: choose a finer mesh, neurons.types")
        cells = drawn.select(np.sort(np.concatenate(kept)))
    with stage(f"thresholds of {len(cells):,} cells"):
        return recruit_ultrasound(
            cells,
            heard.chosen.field.sample(scene.to_beam(cells.position)),
            scene.sonication,
            radius=1e-9 * table.sonophore_nm,
        )


def check_cells(table: NeuronTable, head: Head) -> None:
    """Refuse cells that this head, species or area has no place for.

    Raises
    ------
    InputError
        If cells of the cortex are asked for, and the head has no sheet or no such layer.
    """
    from rheobase.meshes.cortex.layers import layer_table
    from rheobase.neurons.generate import type_layer

    if not table.types:
        return
    if head.cortex is None:
        raise InputError(
            f"neurons.types needs a head with a cortical sheet, {head.name!r} has none"
        )
    layers = layer_table(head.species, table.area)
    for name in table.types:
        layers.layer(type_layer(name))


def _write(
    study: UltrasoundStudy,
    found: dict[str, Recruitment],
    scene: Scene,
    heard: Heard,
    focused: Focused,
    book: Book,
) -> None:
    """Tabulate and draw what fires."""
    from rheobase.fus_views import draw_activation, draw_duty
    from rheobase.views import new_figure

    peak = focused.focus.peak
    curves: dict[str, Floats] = {}
    rows: list[tuple[str | float, ...]] = []
    lines: list[dict[str, Any]] = []
    for where, recruited in found.items():
        groups = recruited.probability(FACTORS, by=("type", "layer", "species"))
        now = recruited.probability([1.0], by=("type", "layer", "species"))
        middle = recruited.quantiles([0.05, 0.5], by=("type", "layer", "species"))
        for g, name in enumerate(groups["type"].values):
            p = groups.isel(group=g, polarity=0).values
            layer, species = (str(groups[k].values[g]) for k in ("layer", "species"))
            curves[f"{name}, {layer}"] = p
            rows.append(
                (
                    where,
                    str(name),
                    layer,
                    species,
                    int(groups["placements"].values[g]),
                    100 * float(now.isel(group=g, polarity=0).values[0]),
                    *(1e-3 * peak * float(q) for q in middle.isel(group=g, polarity=0).values),
                )
            )
            lines += [
                {
                    "where": where,
                    "type": str(name),
                    "layer": layer,
                    "species": species,
                    "drive": float(f),
                    "peak_kPa": 1e-3 * peak * float(f),
                    "probability": float(v),
                }
                for f, v in zip(FACTORS, p, strict=True)
            ]
    write_rows(book, "activation", lines, title="Share of cells that fire by drive")
    table = Table(
        columns=(
            *("where", "type", "layer", "species", "cells", "fire (%)"),
            *("5 % fire at a peak of (kPa)", "half fire at (kPa)"),
        ),
        rows=rows,
    )
    book.tables["Activation"] = table
    figure = new_figure(12.0, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    draw_activation(left, 1e-3 * peak * FACTORS, curves, mark=1e-3 * peak)
    duties, thresholds = _over_duty(study, scene)
    draw_duty(right, duties, thresholds, mark=scene.sonication.duty_cycle)
    book.sections.append(
        Section(
            title="Cells",
            paragraphs=[
                "Intramembrane cavitation (effective-variable model): a cell fires where the "
                "pressure at its soma exceeds the threshold of its type under this train. The "
                "curves are the share of the placed cells that fire when the drive grows, against "
                "the peak pressure in the brain; the line marks this study's.",
            ],
            figures=[
                book.picture(
                    "activation", figure, "Cells that fire, and thresholds over the duty cycle."
                )
            ],
            tables=[table],
        )
    )
    known = {k: [p if np.isfinite(p) else None for p in v] for k, v in thresholds.items()}
    book.details["neurons"] = {"threshold_Pa_by_duty": known, "duty": list(duties)}


def _over_duty(
    study: UltrasoundStudy, scene: Scene
) -> tuple[tuple[float, ...], dict[str, list[float]]]:
    """Return duty cycles and the thresholds (Pa) of the point neurons at each, same pulse rate."""
    from rheobase.fields.acoustics.sonication import Sonication
    from rheobase.neurons.sonic.cells import cell_of_type
    from rheobase.neurons.sonic.recruit import threshold_curve

    assert study.neurons is not None  # cells_station
    own = scene.sonication
    train = own.times[2]
    if own.times[1] >= train:  # one pulse: there is no rate
        sonications = [own]
    else:
        sonications = [
            Sonication.at_rate(
                own.frequency, pulse_rate=own.pulse_rate, duty_cycle=d, train_duration=train
            )
            for d in DUTIES
        ]
    names = [*study.neurons.cells, *(cell_of_type(t) for t in study.neurons.types)]
    radius = 1e-9 * study.neurons.sonophore_nm
    found = {
        name: threshold_curve(name, sonications, radius=radius).pressure.tolist()
        for name in dict.fromkeys(names)
    }
    return tuple(s.duty_cycle for s in sonications), found
