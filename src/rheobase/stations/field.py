"""Second station: the device and its field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.config import Study
from rheobase.report import Picture, Section
from rheobase.scenes.head import frame_of
from rheobase.scenes.network import region_quantity
from rheobase.scenes.picture import CURE, picture
from rheobase.scenes.scene import Layer, Scene
from rheobase.scenes.study import CORTEX, field_layers
from rheobase.stations.device_book import write_device
from rheobase.stations.devices import Device, solve_device
from rheobase.stations.field_tables import (
    electrode_table,
    error_facts,
    error_table_of,
    exposure_table,
    exposures,
    impedance_table,
    region_tables,
    solver_table,
    statistics,
)
from rheobase.views import slices

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.meshes.head import Head
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.stations.book import Book
    from rheobase.stations.inputs import Inputs
    from rheobase.stations.placing import Placed


def field_station(study: Study, placed: Placed, inputs: Inputs, book: Book) -> Device:
    """Solve for the field, write it, draw it, tabulate it."""
    from rheobase.meshes.regions.statistics import write_table

    write_device(placed, book)
    with stage("field"):
        device = solve_device(study, placed)
    basis, strength = device.basis, device.strength
    unit = f"V/m at {device.at}" if device.at else "V/m"
    with stage("statistics of the field"):
        rows, errors = statistics(study, device, inputs)
    words = {"statistics": "Statistics of tissues and regions", "errors": "Estimated errors"}
    for suffix, found in (("statistics", rows), ("errors", errors)):
        with book.file(
            suffix, ".csv", desc="field", title=words[suffix], role="statistics"
        ) as part:
            write_table(part, found)
    hot = hot_spot(device.head, device, strength)
    limit = float(basis.percentiles(strength, grey_label(device.head), (99.9,))[0])
    with stage("pictures of the field"):
        pictures = field_pictures(
            device.head,
            device.basis,
            strength,
            name=device.name,
            unit=unit,
            limit=limit,
            centre=hot,
            E=device.quantities.get("E"),
            atlas=inputs.atlas,
            devices=placed.layers,
            view=placed.view,
            book=book,
        )
    _write_fields(study, device, book)
    tables = region_tables(rows, device.name, unit)
    book.tables.update(tables)
    exposed = exposures(study, placed, device)
    sources = {
        "Estimated error": error_table_of(errors),
        "Sources": solver_table(basis),
        "Electrodes": electrode_table(device),
        "Impedances": impedance_table(basis),
        "Safety: levels of direct current": exposure_table(exposed),
    }
    book.tables.update({k: t for k, t in sources.items() if t.rows and k != "Sources"})
    where = ", ".join(str(round(c * 1e3)) for c in hot.tolist())
    book.facts["Field"] = (
        f"{device.name} {limit:.3g} {unit} (99.9th percentile of the grey matter), strongest in "
        f"the cortex at ({where}) mm"
    )
    book.facts.update(error_facts(device, rows, grey_label(device.head)))
    book.sections.append(
        Section(
            title="Field",
            paragraphs=[
                f"{device.name} in {unit}; colours end at the 99.9th percentile of the grey matter "
                f"({limit:.3g} V/m). The cross marks the strongest cortical column, at "
                f"({where}) mm.",
                "Volumes above a percentage: of the 99.9th percentile of the grey matter. The "
                "estimated error is that of solving on this mesh; those of the geometry, the "
                "conductivities and the device come on top.",
            ],
            figures=pictures,
            tables=[replace(t, title=name) for name, t in {**tables, **sources}.items() if t.rows],
        )
    )
    book.notes.extend(placed.notes)
    book.notes.extend(
        f"{one.quantity} {one.value:.3g} {one.unit} is above {one.level:g}, a level of direct "
        f"current ({one.source}): {one.where or 'all electrodes'}"
        for one in exposed
        if one.verdict == "above"
    )
    book.details["field"] = {
        "sources": list(basis.names),
        "amplitudes": device.amplitudes,
        "unit": basis.unit,
        "report": [asdict(r) for r in basis.report],
        "hot_spot_m": hot,
    }
    return device


def _write_fields(study: Study, device: Device, book: Book) -> None:
    """Write the result files that the study asks for."""
    from rheobase.fields.results.nifti import head_grid
    from rheobase.fields.results.write import write_fields

    wanted = study.results
    formats = list(dict.fromkeys([*wanted.formats, *(["nifti_mni"] if wanted.mni else [])]))
    potential = None
    if len(device.basis.names) == 1:
        potential = device.amplitudes @ device.basis.potential
    write_fields(
        device.basis,
        device.quantities,
        device.head,
        book.door("field", title=f"{device.name}", role="field"),
        formats=formats,
        grid=head_grid(device.head, wanted.voxel_mm) if "nifti" in formats else None,
        potential=potential,
        later=book.later,
    )


def grey_label(head: Head) -> int:
    """Return the label of grey matter, or of the innermost tissue where there is none."""
    names = {t.name: label for label, t in head.tissues.items()}
    return names.get("grey_matter", min(head.tissues))


def hot_spot(head: Head, device: Device, strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the grey-matter point at mid-depth of the cortex where the quantity is largest."""
    if head.cortex is not None:
        points = head.cortex.points(0.5)
        value, tet = device.basis.interpolate(strength, points)
        value[head.mesh.labels[tet] != grey_label(head)] = np.nan  # where sheet and mesh differ
    if head.cortex is None or not np.isfinite(value).any():
        return device.basis.peak(strength, grey_label(head)).position
    hot: NDArray[np.float64] = points[int(np.nanargmax(value))]
    return hot


def field_pictures(
    head: Head,
    basis: FieldBasis,
    strength: NDArray[np.float64],
    *,
    name: str,
    unit: str,
    limit: float,
    centre: NDArray[np.float64],
    devices: Sequence[Layer],
    view: NDArray[np.float64],
    book: Book,
    E: NDArray[np.float64] | None = None,
    atlas: Atlas | None = None,
) -> list[Picture]:
    """Draw a quantity on the cortex under its device, and in three sections.

    Its layers and those of the head go into the scene of the book.

    Parameters
    ----------
    head, basis, strength
        The quantity at the split nodes of the basis, shape (n_split,).
    name, unit
        Its name in words and its unit.
    limit
        Top of the colour scale.
    centre
        Point that the sections go through (m), shape (3,).
    devices, view
        The device, and the unit vector from the head to where it is seen from.
    book
        Takes the files.
    E
        The field where the quantity is its size, shape (n_split, 3); None elsewhere.
    atlas
        Parcels that the scene names; those of `region_quantity` if None.
    """
    title = f"{name} ({unit})"
    pictures = []
    layers = field_layers(
        head,
        basis,
        strength,
        name=name,
        unit=unit,
        limit=limit,
        E=E,
        regions=region_quantity(head, atlas),
    )
    book.scene.extend([*layers, *devices])
    book.frame.update(frame_of(head, view=view, point=centre, focus=(CORTEX,)))
    if head.cortex is not None:
        shown = Scene(title=title, layers=tuple(book.scene), **book.frame)
        if picture(shown, book.figure_path("scene")):
            words = f"{title} at mid-depth, drawn on the pial surface."
            pictures.append(book.has_figure("scene", words))
        else:
            book.notes.append(CURE)
    mesh, names = head.mesh, {k: t.name for k, t in head.tissues.items()}
    sliced = book.drawn(
        "slices",
        f"{title} in grey and white matter.",
        slices,
        head,
        lambda points: basis.interpolate(strength, points),
        centre=centre,
        title=title,
        limit=limit,
        made_of=[
            *(mesh.nodes, mesh.tets, mesh.labels, names, basis.split_of_tet),
            *(strength, centre, title, limit),
        ],
        code=("rheobase.fields", "rheobase.meshes", "rheobase.stations.field"),
    )
    return [*pictures, sliced]
