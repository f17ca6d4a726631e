"""What a study reads besides its head: checked and opened before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import InputError, check_option
from rheobase.config import Study
from rheobase.stations.head import check_head
from rheobase.tables.coil import TMS, open_coil

if TYPE_CHECKING:
    from rheobase.fields.anisotropy import TensorImage
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.waveforms.waveform import Waveform
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.meshes.regions.region import Region


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inputs:
    """The opened inputs of a study.

    Parameters
    ----------
    coil, waveform
        The coil in its own frame and its pulse (dI/dt); None for electrodes.
    tensors
        Diffusion tensors, None for an isotropic head.
    atlas, regions
        Where statistics are asked for.
    files
        Every file named in the study, by the place that names it.
    """

    coil: Coil | None
    waveform: Waveform | None
    tensors: TensorImage | None
    atlas: Atlas | None
    regions: tuple[Region, ...]
    files: dict[str, Path]


def open_inputs(study: Study, also: Mapping[str, str] | None = None) -> Inputs:
    """Refuse what cannot be used, and open the rest.

    Parameters
    ----------
    study
        The study.
    also
        Positions that are used besides the study's own, by the place that names them.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest ones), or a file is missing, damaged or no such
        thing; before any long work.
    """
    named = {"head": study.head, "device": study.device, "results": study.results}
    files = {f"{t}.{k}": p for t, table in named.items() for k, p in table.files().items()}
    for place, path in files.items():
        if not path.exists():
            raise InputError(f"no such file {path}: {place}")
    check_head(study.head, {**study.positions(), **(also or {})})
    if study.cells:
        from rheobase.neurons.generate import cell_types

        for name in study.cells.types:
            check_option("cell type", name, cell_types(), where="cells.types")
    coil = waveform = None
    if isinstance(study.device, TMS):
        coil = open_coil(study.device.coil, study.device.deformations, where="device.coil")
        waveform = study.device.waveform.make(coil)
    return Inputs(
        coil=coil,
        waveform=waveform,
        tensors=_open_tensors(study),
        atlas=study.results.read_atlas(),
        regions=tuple(r.make() for r in study.results.regions),
        files=files,
    )


def _open_tensors(study: Study) -> TensorImage | None:
    from rheobase.fields.anisotropy import read_directions, read_tensors

    table = study.head.tensors
    if table is None:
        return None
    if table.content == "tensors":
        return read_tensors(table.file, axes=table.axes, order=table.order)
    assert table.ratio is not None  # the study file has it with directions
    return read_directions(table.file, ratio=table.ratio, axes=table.axes)
