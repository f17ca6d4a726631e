"""How sure a field is: samples of what is not known, what they do to regions, and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.dosing_views import draw_sobol, draw_spread
from rheobase.field_views import draw_cortex, on_sheet
from rheobase.report import Picture, Section, Table
from rheobase.stations.device_book import write_device
from rheobase.stations.devices import Device, solve_device
from rheobase.stations.field import hot_spot
from rheobase.tables.electrodes import TI
from rheobase.tables.uncertainty import UncertaintyTable
from rheobase.views import new_figure, slices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.uncertainty.inputs import Input
    from rheobase.fields.uncertainty.inputs import Inputs as RandomInputs
    from rheobase.fields.uncertainty.maps import UncertaintyMaps
    from rheobase.fields.uncertainty.quantities import Quantity
    from rheobase.fields.uncertainty.samples import FieldSamples
    from rheobase.meshes.head import Head
    from rheobase.meshes.regions.statistics import Row
    from rheobase.stations.book import Book
    from rheobase.stations.inputs import Inputs
    from rheobase.stations.placing import Placed

Floats = NDArray[np.float64]


def uncertainty_station(study: Study, placed: Placed, inputs: Inputs, book: Book) -> None:
    """Sample the field, write maps and tables, draw them."""
    from rheobase.fields.solver import Conductor
    from rheobase.fields.uncertainty.chaos import check_samples
    from rheobase.fields.uncertainty.maps import region_values, uncertainty_maps, uncertainty_table
    from rheobase.fields.uncertainty.sampling import sample_fields
    from rheobase.meshes.regions.region import tissue_region
    from rheobase.meshes.regions.statistics import write_table

    table = study.uncertainty or UncertaintyTable()
    random = random_inputs(table, placed.head)
    check_samples(table.samples, len(random))
    device_quantity(study, np.ones(max(len(placed.montages), 1)))
    if placed.meshed is not None:
        raise InputError("expected electrodes of the complete or the ideal model: [uncertainty]")
    sources: Any = [placed.coil] if placed.coil is not None else list(placed.montages)
    conductor = None
    if placed.tensors is not None:
        conductor = Conductor(placed.head, tensors=placed.tensors)
    kept = book.path("samples", ".h5", desc="field")
    samples = sample_fields(
        placed.head,
        sources,
        random,
        kept,
        n=table.samples,
        seed=study.seed,
        tissues=table.field_in,
        conductor=conductor,
    )
    write_device(placed, book)
    device = solve_device(study, placed)
    quantity = device_quantity(study, device.amplitudes)
    regions = [*inputs.regions, *map(tissue_region, table.field_in)]
    levels = table.quantiles
    with stage("regions"):
        rows = uncertainty_table(samples, quantity, placed.head, regions, quantiles=levels)
        if inputs.atlas is not None:
            rows += uncertainty_table(
                samples, quantity, placed.head, inputs.atlas, quantiles=levels
            )
        names, _, values = region_values(samples, quantity, placed.head, regions[:1])
    with stage("maps"):
        maps = uncertainty_maps(samples, quantity, quantiles=levels)
    book.has(kept, title="Fields of all samples", role="samples")
    words = "Uncertainty of tissues and regions"
    with book.file("uncertainty", ".csv", desc="field", title=words, role="statistics") as part:
        write_table(part, rows)
    unit = f"V/m at {device.at}" if device.at else "V/m"
    tables = _tables(rows, random, levels, f"{device.name} ({unit})")
    book.tables.update(tables)
    with stage("pictures"):
        pictures = _pictures(samples, device, maps, rows, (names[0], values[:, 0]), levels, book)
    _write_maps(samples, device, maps, book)
    worst = max(float(row["error"]) for row in rows)
    book.sections.append(
        Section(
            title="Uncertainty",
            paragraphs=[
                f"{len(samples.x)} samples (Sobol' points) of {len(random)} inputs; polynomial "
                f"chaos of degree {rows[0]['degree']}, whose leave-one-out error is at most "
                f"{worst:.2g} of the variance of a region. Solutions down to a residual of "
                f"{samples.residual.max():.1g}.",
                "A Sobol index is the share of the variance that goes with an input, alone or with "
                "all its interactions. It says what the ranges that were given do, no more: what "
                "is not varied (anatomy, segmentation, the other tissues) is not in it.",
            ],
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    book.notes.extend(placed.notes)
    book.details["uncertainty"] = {
        **random.as_dict(),
        "samples": len(samples.x),
        "seed": study.seed,
        "degree": maps.degree,
        "leave_one_out_error": worst,
        "largest_residual": float(samples.residual.max()),
    }


def random_inputs(table: UncertaintyTable, head: Head) -> RandomInputs:
    """Return the random inputs of a study on a head.

    Raises
    ------
    InputError
        If the head has no such tissue or no range is known of it, a conductivity may be <= 0, or
        correlations cannot occur together.
    """
    from rheobase.fields.uncertainty.inputs import Inputs, conductivities

    made: list[Input] = [one.make() for one in table.conductivities]
    made += [one.make() for one in table.electrodes]
    made += [one.make() for one in table.coil]
    if table.tissues is not None or not made:
        made += conductivities(head, table.tissues)
    return Inputs(made, {c.between: c.r for c in table.correlations})


def device_quantity(study: Study, amplitudes: Floats) -> Quantity:
    """Return what is asked of the samples: |E|, or the envelope of two pairs.

    Raises
    ------
    InputError
        If there are more pairs, or the envelope is asked for along a direction.
    """
    from rheobase.fields.uncertainty.quantities import modulation, strength

    if not isinstance(study.device, TI):
        return strength(amplitudes)
    if len(study.device.pairs) != 2 or study.device.direction is not None:
        raise InputError(
            "expected two pairs and no direction, of whose envelope the uncertainty is known, got "
            f"{len(study.device.pairs)} pairs: [device]"
        )
    return modulation(amplitudes)


def _tables(
    rows: list[Row], random: RandomInputs, levels: tuple[float, ...], name: str
) -> dict[str, Table]:
    """Return spread and indices of every region, and what was varied."""
    return {
        f"{name}, mean of the region": Table(
            columns=("region", "mean", "sd", "sd (%)", *(f"{q:.0%}" for q in levels)),
            rows=[
                (
                    row["region"],
                    row["mean"],
                    row["sd"],
                    100 * float(row["sd"]) / float(row["mean"]),
                    *(row[f"q{100 * q:g}"] for q in levels),
                )
                for row in rows
            ],
        ),
        "Share of the variance (Sobol index, total)": Table(
            columns=("region", *random.names),
            rows=[(row["region"], *(row[f"total_{n}"] for n in random.names)) for row in rows],
        ),
        "Inputs": Table(
            columns=("input", "unit", "distribution", "mean", "sd"),
            rows=[
                (one.name, one.unit, str(law), law.mean, law.sd)
                for one, law in zip(random.inputs, random.distributions, strict=True)
            ],
        ),
    }


def _pictures(
    samples: FieldSamples,
    device: Device,
    maps: UncertaintyMaps,
    rows: list[Row],
    chosen: tuple[str, Floats],
    levels: tuple[float, ...],
    book: Book,
) -> list[Picture]:
    unit = f"V/m at {device.at}" if device.at else "V/m"
    name, values = chosen
    pictures = [
        book.picture(
            "spread",
            _spread(device, rows[0], values, maps.names, levels, unit),
            f"{device.name} in {name}: all samples, with the quantiles of the polynomial chaos, "
            "and what the variance is made of.",
        )
    ]
    relative = np.divide(maps.sd, maps.mean, out=np.zeros_like(maps.sd), where=maps.mean > 0)
    shown = {
        f"mean of {device.name} ({unit})": maps.mean,
        "standard deviation (% of the mean)": 100 * relative,
    }
    if device.head.cortex is not None:
        pictures.append(
            book.picture(
                "cortex",
                _cortex(samples, device, shown),
                "Mean and relative standard deviation at mid-depth, on the pial surface.",
            )
        )
    title, value = list(shown.items())[1]
    on_split = np.nan_to_num(samples.on_split(value))
    figure = slices(
        device.head,
        lambda points: device.basis.interpolate(on_split, points),
        centre=hot_spot(device.head, device, device.strength),
        title=title,
        limit=float(np.percentile(value, 99)),
    )
    pictures.append(book.picture("slices", figure, f"The {title}, in grey and white matter."))
    return pictures


def _spread(
    device: Device,
    row: Row,
    values: Floats,
    names: tuple[str, ...],
    levels: tuple[float, ...],
    unit: str,
) -> Figure:
    figure = new_figure(10.5, 4.2)
    spread, shares = figure.subplots(1, 2)
    draw_spread(
        spread,
        values,
        xlabel=f"mean {device.name} ({unit})",
        quantiles={q: float(row[f"q{100 * q:g}"]) for q in levels},
    )
    draw_sobol(
        shares,
        {n: float(row[f"first_{n}"]) for n in names},
        {n: float(row[f"total_{n}"]) for n in names},
        title=str(row["region"]),
    )
    return figure


def _cortex(samples: FieldSamples, device: Device, shown: dict[str, Floats]) -> Figure:
    stored = [device.head.tissues[k].name for k in np.unique(samples.label).tolist()]
    figure = new_figure(12.0, 4.8)
    for panel, (title, value) in zip(figure.subplots(1, 2), shown.items(), strict=True):
        on_cortex = on_sheet(device.head, device.basis, samples.on_split(value), stored)
        limit = float(np.nanpercentile(on_cortex, 99.5))
        colours = draw_cortex(panel, device.head, on_cortex, limit=limit, view=(-0.7, 0.3, 0.65))
        figure.colorbar(colours, ax=panel, label=title, shrink=0.8, extend="max")
    return figure


def _write_maps(samples: FieldSamples, device: Device, maps: UncertaintyMaps, book: Book) -> None:
    """Write mean, spread, quantiles and total indices; what has no stored field is 0."""
    from rheobase.fields.results.write import write_fields

    values = {"mean": maps.mean, "sd": maps.sd}
    values |= {f"q{100 * q:g}": v for q, v in zip(maps.levels, maps.quantiles, strict=True)}
    values |= {f"total_{n}": v for n, v in zip(maps.names, maps.total, strict=True)}
    on_split = {k: np.nan_to_num(samples.on_split(v)) for k, v in values.items()}
    door = book.door("uncertainty", title="Mean, spread and Sobol indices", role="field")
    write_fields(device.basis, on_split, device.head, door, formats=("vtu",))
