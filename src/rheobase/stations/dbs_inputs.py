"""What a study of deep brain stimulation reads besides its head, checked before long work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import InputError
from rheobase.stations.dbs_solve import criterion_of
from rheobase.stations.head import check_head

if TYPE_CHECKING:
    from rheobase.meshes.leads.model import LeadModel
    from rheobase.meshes.regions.region import Region
    from rheobase.tables.dbs import DeepStudy


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeepInputs:
    """The opened inputs of a study.

    Parameters
    ----------
    models
        Model of every lead.
    regions
        The regions.
    files
        Every file named in the study, by the place that names it.
    """

    models: tuple[LeadModel, ...]
    regions: tuple[Region, ...]
    files: dict[str, Path]


def open_deep(study: DeepStudy) -> DeepInputs:
    """Refuse what cannot be used, and open the rest.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest ones), a file is missing, damaged or no such thing,
        contacts are out of range, currents do not sum to 0 with the case, or a built-in head has
        no transform to the MNI space that a place is given in; before any long work.
    """
    from rheobase.meshes.heads import BUILT_IN
    from rheobase.meshes.spaces import is_mni

    named = [("head", study.head), *((f"regions.{k}", r) for k, r in enumerate(study.regions))]
    named += [(f"pathways.{k}", p) for k, p in enumerate(study.pathways)]
    files = {f"{t}.{k}": p for t, table in named for k, p in table.files().items()}
    for place, path in files.items():
        if not path.exists():
            raise InputError(f"no such file {path}: {place}")
    check_head(study.head, {})
    space = None if study.head.name is None else BUILT_IN[study.head.name].space
    for place, needs in study.in_mni().items():
        if needs and space is not None and not is_mni(space):
            raise InputError(
                f"no transform between MNI and space {space!r}, give the place in the head's own "
                f"coordinates: {place}, head {study.head.name!r}"
            )
    models = tuple(lead.open() for lead in study.leads)
    _check_physics(study)
    return DeepInputs(models=models, regions=tuple(r.make() for r in study.regions), files=files)


def _check_physics(study: DeepStudy) -> None:
    """Refuse interfaces, thresholds and frequencies that are not known."""
    from rheobase.fields.dbs.spectrum.dielectrics import admittivity
    from rheobase.fields.dbs.spectrum.interface import interface
    from rheobase.meshes.dispersion import load_dispersions

    tissue = study.tissue
    if tissue.interface is not None:
        interface(tissue.interface)
    if tissue.dispersion is not None:
        for name, known in load_dispersions().items():
            if tissue.dispersion in known:
                admittivity(known[tissue.dispersion], study.pulse.rate_Hz, where=name)
    criterion_of(study)
