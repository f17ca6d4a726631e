"""Second station: the device and its field."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase._render import CURE, render
from rheobase.config import TI, TMS, Study
from rheobase.report import Picture, Section, Table
from rheobase.stations.devices import Device, Scene, device_on
from rheobase.views import slices

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book


def strength_of(study: Study, device: Device) -> tuple[NDArray[np.float64], str, str]:
    """Return the quantity that is drawn, on split nodes, with its name and unit."""
    table = study.device
    if isinstance(table, TMS):
        return device.basis.magnitude([1e6]), "E magnitude", "V/m per A/µs"
    if isinstance(table, TI):
        from rheobase.fields.interference import envelope_max

        a, b = (p.current_mA * 1e-3 for p in table.pairs)
        return (
            envelope_max([device.basis.E[0] * a, device.basis.E[1] * b]),
            "TI envelope, peak to peak, strongest direction",
            "V/m",
        )
    current = sum(e.current_mA for e in table.electrodes if e.current_mA > 0) * 1e-3
    return device.basis.magnitude([current]), "E magnitude", "V/m"


def field_station(study: Study, head: Head, book: Book) -> Device:
    """Solve for the field, write it, draw it, tabulate it."""
    with stage("field"):
        device = device_on(head, study.device)
    basis = device.basis
    strength, name, unit = strength_of(study, device)
    rows: list[tuple[str | float, ...]] = []
    for label, tissue in head.tissues.items():
        if label not in basis.split_label:
            continue
        q = basis.percentiles(strength, label, (50.0, 95.0, 99.0, 99.9))
        peak = basis.peak(strength, label)
        where = ", ".join(f"{c * 1e3:.0f}" for c in peak.position)
        rows.append((tissue.name, *map(float, q), peak.strength, where))
    statistics = Table(
        columns=("tissue", "median", "95 %", "99 %", "99.9 %", "peak", "peak at (mm)"), rows=rows
    )
    book.tables[f"{name} ({unit}) by tissue, volume-weighted"] = statistics
    solved = Table(
        columns=("source", "impedance (Ω)", "energy balance", "iterations", "residual"),
        rows=[
            (n, r.impedance, r.energy_balance, r.iterations, r.residual)
            for n, r in zip(basis.names, basis.report, strict=True)
        ],
    )
    delivered = Table(
        columns=("source", "electrode", "asked (A)", "delivered (A)"),
        rows=[
            (n, *row)
            for n, r in zip(basis.names, basis.report, strict=True)
            for row in zip(r.electrodes, r.asked, r.delivered, strict=True)
        ],
    )
    hot = hot_spot(head, device, strength)
    limit = float(basis.percentiles(strength, _grey(head), (99.9,))[0])
    with stage("pictures of the field"):
        pictures = _field_pictures(
            study, head, device, strength, f"{name} ({unit})", limit, hot, book
        )
        _write_vtu(book, device, strength, name)
    where = ", ".join(f"{c * 1e3:.0f}" for c in hot)
    book.sections.append(
        Section(
            title="Field",
            paragraphs=[
                f"{name} in {unit}; colours end at the 99.9th percentile of the grey matter "
                f"({limit:.3g} {unit}). The cross marks the strongest cortical column, at "
                f"({where}) mm."
            ],
            figures=pictures,
            tables=[statistics, solved, *([delivered] if delivered.rows else [])],
        )
    )
    book.notes.extend(device.notes)
    book.details["field"] = {
        "sources": list(basis.names),
        "unit": basis.unit,
        "report": [asdict(r) for r in basis.report],
        "hot_spot_m": hot,
    }
    return device


def _grey(head: Head) -> int:
    """Return the label of grey matter, or of the innermost tissue where there is none."""
    names = {t.name: label for label, t in head.tissues.items()}
    return names.get("grey_matter", min(head.tissues))


def _on_points(
    device: Device, strength: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Interpolate a quantity on split nodes to points; NaN outside the mesh."""
    basis = device.basis
    tet, weight = basis.locator.locate(points)
    value = np.einsum("ni,ni->n", strength[basis.split_of_tet[tet]], weight)
    value[tet < 0] = np.nan
    return value, tet


def hot_spot(head: Head, device: Device, strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the grey-matter point at mid-depth of the cortex where the quantity is largest."""
    if head.cortex is None:
        return device.basis.peak(strength, _grey(head)).position
    points = head.cortex.points(0.5)
    value, tet = _on_points(device, strength, points)
    value[head.mesh.labels[tet] != _grey(head)] = np.nan  # where sheet and mesh part company
    hot: NDArray[np.float64] = points[int(np.nanargmax(value))]
    return hot


def _field_pictures(
    study: Study,
    head: Head,
    device: Device,
    strength: NDArray[np.float64],
    title: str,
    limit: float,
    hot: NDArray[np.float64],
    book: Book,
) -> list[Picture]:
    pictures = []
    if head.cortex is not None:
        surface, triangles = head.cortex.points(0.0), head.cortex.triangles
        values, _ = _on_points(device, strength, head.cortex.points(0.5))
        path = book.out / "pictures" / "scene.png"
        scene: Scene = {
            "points": surface,
            "triangles": triangles,
            "values": np.nan_to_num(values),
            "limits": np.array([0.0, limit]),
            "shell_points": head.mesh.nodes,
            "shell_triangles": head.mesh.boundary(),
            "view": device.view,
            "title": np.array(title.replace(" per ", "\nper ")),
            **device.scene,
        }
        if render(scene, path):
            book.files.append(path)
            pictures.append(
                Picture(path=path, caption=f"{title} at mid-depth, drawn on the pial surface.")
            )
        else:
            book.notes.append(CURE)
    figure = slices(
        head,
        lambda points: _on_points(device, strength, points),
        centre=hot,
        title=title,
        limit=limit,
    )
    pictures.append(book.picture("slices", figure, f"{title} in grey and white matter."))
    return pictures


def _write_vtu(book: Book, device: Device, strength: NDArray[np.float64], name: str) -> None:
    from rheobase.fields.results.vtk import write_vtu

    path = book.out / "field.vtu"
    write_vtu(path, device.basis, {name: strength})
    book.files.append(path)
