"""Which placed cells fire: placed and asked once for each field, then kept."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._kept import kept, kept_path, load_arrays, save_arrays
from rheobase._progress import stage
from rheobase.config import Cells, Study
from rheobase.stations.field import hot_spot

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.fields.waveforms.waveform import Waveform
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.devices import Device

#: What decides which cells stand where and when they fire, the choices of this module included.
CODE = ("rheobase.meshes", "rheobase.fields", "rheobase.neurons", "rheobase.stations.recruited")
SPARE = 1.6  # cells drawn for each one wanted: those outside the mesh's grey matter are left out
FARTHEST = 0.05  # a scalp position is that near to the cortex (m)
_WORDS = ("unit", "mode")


def recruited_cells(
    study: Study, table: Cells, pulse: Waveform, device: Device
) -> tuple[Recruitment, NDArray[np.float64]]:
    """Return the thresholds of the cells of a study, and the point around which they stand.

    Parameters
    ----------
    study, table
        The study and its cells.
    pulse
        Rate of change of the coil's current.
    device
        The field.

    Raises
    ------
    InputError
        As `placed_cells`.
    """
    from rheobase.neurons.activation import thresholds

    centre = centre_of(table, device)

    def make() -> Recruitment:
        population = placed_cells(study, table, device, centre)
        with stage(f"thresholds of {len(population):,} cells"):
            return thresholds(population, device.basis, waveform=pulse, mode=table.mode)

    path = kept_file(study, table, pulse, device, centre)
    return kept(path, make, load=_load, save=_save), centre


def kept_file(
    study: Study,
    table: Cells,
    pulse: Waveform,
    device: Device,
    centre: NDArray[np.float64],
) -> Path:
    """Return where the cache has, or would have, the thresholds of the cells of a study."""
    head, basis = device.head, device.basis
    sheet = head.cortex
    assert sheet is not None  # check_cortex
    drawn: dict[str, Any] = {
        "species": head.species,
        "types": list(table.types),
        "placements": table.placements,
        "radius_mm": table.radius_mm,
        "area": table.area,
        "mode": table.mode,
        "seed": study.seed,
        "grey": head.label_of("grey_matter"),
        "unit": basis.unit,
        "pulse": [pulse.name, pulse.pulse, pulse.peak, pulse.unit],
    }
    arrays = [centre, sheet.pial, sheet.white, sheet.triangles, sheet.area, pulse.t, pulse.w]
    arrays += [basis.mesh.nodes, basis.mesh.tets, basis.mesh.labels, basis.E, basis.split_of_tet]
    return kept_path("cells", head.name, drawn, *arrays, code=CODE)


def placed_cells(
    study: Study, table: Cells, device: Device, centre: NDArray[np.float64]
) -> Population:
    """Return the cells of a study, placed around a point (m), shape (3,).

    Raises
    ------
    InputError
        If no soma lies in grey matter there.
    """
    from rheobase.neurons.placement import place_in_sheet

    head = device.head
    assert head.cortex is not None  # check_cortex
    with stage("placing the cells"):
        drawn = place_in_sheet(
            head.cortex,
            species=head.species,
            counts=dict.fromkeys(table.types, ceil(SPARE * table.placements)),
            seed=study.seed,
            centre=centre,
            radius=table.radius_mm * 1e-3,
            area=table.area,
        )
        return _in_grey(drawn, head, device, table.placements)


def layers_note(table: Cells, head: Head) -> str:
    """Return what a reader must know of how cells were placed."""
    from rheobase.meshes.cortex.layers import layer_table

    layers = layer_table(head.species, table.area)
    return (
        f"Cortical layers are those of {head.species} {layers.area} ({layers.source}); cells whose "
        "soma fell outside the mesh's grey matter were drawn anew."
    )


def _in_grey(drawn: Population, head: Head, device: Device, count: int) -> Population:
    """Return the first ``count`` cells of each type whose soma lies in the mesh's grey matter.

    Where the mesh is coarser than the cortical sheet, part of the sheet lies in its white matter or
    CSF, whose field is not that of the cells there.
    """
    tet, _ = device.basis.locator.locate(drawn.position)
    grey = (tet >= 0) & (head.mesh.labels[tet] == head.label_of("grey_matter"))
    kept = [np.flatnonzero(grey & (drawn.type == t))[:count] for t in np.unique(drawn.type)]
    if any(len(k) == 0 for k in kept):
        raise InputError("no soma lies in grey matter: choose another centre or a finer mesh")
    return drawn.select(np.sort(np.concatenate(kept)))


def centre_of(table: Cells, device: Device) -> NDArray[np.float64]:
    """Return the point around which cells are placed: given, or where the field is strongest.

    Raises
    ------
    InputError
        If a given point is far from the cortex.
    """
    head = device.head
    if table.centre is None:
        return hot_spot(head, device, device.strength)
    if isinstance(table.centre, str):
        point = head.position(table.centre)
    else:
        point = np.array(table.centre) * 1e-3
    assert head.cortex is not None  # check_cortex
    middle = head.cortex.points(0.5)
    away = np.linalg.norm(middle - point, axis=1)
    if away.min() > FARTHEST:
        raise InputError(
            f"cells.centre must lie near the cortex, got a point {away.min() * 1e3:.0f} mm from it"
        )
    nearest: NDArray[np.float64] = middle[int(away.argmin())]
    return nearest


def _save(path: Path, found: Recruitment) -> None:
    from dataclasses import fields

    values = {f.name: getattr(found, f.name) for f in fields(found)}
    save_arrays(path, {k: np.asarray(v) for k, v in values.items() if v is not None})


def _load(path: Path) -> Recruitment:
    from rheobase.neurons.recruitment import Recruitment

    found: dict[str, Any] = load_arrays(path)
    words = {name: str(found[name]) for name in _WORDS}
    return Recruitment(**found | words | {"notes": tuple(found["notes"].tolist())})
