"""Thresholds of every condition in every mode, kept in the folder of the results as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rheobase._files import content_key, package_key, whole_file
from rheobase._progress import announce, stage
from rheobase.studies.placing import distance, place, spread

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.electrodes.cortical import CorticalElectrode
    from rheobase.neurons.placement import Population
    from rheobase.tables.cross_species import ConditionTable, CrossSpeciesStudy, Mode

PACKAGES = ("rheobase.meshes", "rheobase.fields", "rheobase.neurons")
DEEPEST = 4e-3  # of the profile below the electrode (m)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Thresholds of the cells of one condition in one mode.

    Parameters
    ----------
    condition
        The condition.
    mode
        "cable", "af" or "spiking".
    data
        What `rheobase.neurons.recruitment.Recruitment.to_xarray` gives, with the class of each
        cell, its distance from the middle of the electrode (m), its number among the placements of
        the condition, and the field below the electrode (V/m per A). Polarity "plus" is the anode.
    """

    condition: ConditionTable
    mode: str
    data: xr.Dataset


def parts(
    study: CrossSpeciesStudy, where: Callable[[ConditionTable, Mode], Path]
) -> Iterator[Part]:
    """Find the thresholds of each condition in each mode, or read those that are there already.

    Parameters
    ----------
    study
        The study.
    where
        Gives the file of each part, which is written as soon as it is found.
    """
    fields: dict[str, FieldBasis] = {}
    for condition in study.conditions:
        scene = Scene(study, condition, fields)
        for mode in study.cells.modes:
            path = where(condition, mode)
            key = key_of(study, condition, mode)
            found = _read(path, key)
            if found is None:
                found = scene.find(mode).assign_attrs(key=key)
                with whole_file(path) as part:
                    found.to_netcdf(part, engine="h5netcdf")
            else:
                announce(f"  {condition.name}, {mode}: kept from an earlier run")
            yield Part(condition=condition, mode=mode, data=found)


@dataclass(frozen=True, eq=False)
class Scene:
    """A condition with its cells and its field, each made when it is first needed.

    Parameters
    ----------
    study, condition
        The study and the condition.
    fields
        Fields that are there already, by their electrode; new ones are added.
    """

    study: CrossSpeciesStudy
    condition: ConditionTable
    fields: dict[str, FieldBasis]

    @cached_property
    def population(self) -> Population:
        """The cells."""
        with stage(f"{self.condition.name}: placing cells"):
            return place(self.study, self.condition)

    @cached_property
    def field(self) -> FieldBasis:
        """The field of 1 A."""
        electrode = electrode_of(self.study, self.condition)
        size = f"{1e3 * electrode.side:g} mm on {1e3 * electrode.thickness:.2f} mm of cortex"
        if repr(electrode) not in self.fields:
            with stage(f"field of {size}"):
                self.fields[repr(electrode)] = electrode.solve()
        return self.fields[repr(electrode)]

    def find(self, mode: Mode) -> xr.Dataset:
        """Find the thresholds in a mode; see `Part`."""
        from rheobase.neurons.activation import thresholds

        members = np.arange(len(self.population))
        if mode == "spiking":
            members = spread(self.population, self.study.cells.spiking)
        cells, basis = self.population.select(members), self.field
        with stage(f"{self.condition.name}, {mode}: thresholds of {len(cells):,} cells"):
            width = 1e-6 * self.study.pulse.width_us
            recruited = thresholds(cells, basis, waveform=width, mode=mode)
        deep = np.linspace(0.0, DEEPEST, 201)[1:]
        below = np.stack([np.zeros_like(deep), np.zeros_like(deep), -deep], axis=1)
        return recruited.to_xarray().assign(
            member=("placement", members),
            distance=("placement", distance(cells.position), {"units": "m"}),
            field_below=("below", basis.at(below)[0][0, :, 2], {"units": "V/m per A"}),
            below=("below", deep, {"units": "m"}),
        )


def electrode_of(study: CrossSpeciesStudy, condition: ConditionTable) -> CorticalElectrode:
    """Return the electrode of a condition on its cortex."""
    from rheobase.fields.electrodes.cortical import CorticalElectrode
    from rheobase.meshes.cortex.layers import layer_table

    return CorticalElectrode(
        side=1e-3 * condition.electrode_mm,
        thickness=layer_table(condition.layers).thickness,
        csf=1e-3 * condition.csf_mm,
        sigma=study.tissue.sigma(),
        steps=study.steps,
    )


def key_of(study: CrossSpeciesStudy, condition: ConditionTable, mode: str) -> str:
    """Return a key of all that the thresholds of a condition depend on, the code included."""
    cells = study.cells.model_dump(exclude={"modes", "bins"})
    if mode != "spiking":
        del cells["spiking"]
    where = condition.model_dump(exclude={"name", "largest_uA"})
    return content_key(
        cells,
        where,
        study.tissue.sigma(),
        study.pulse.width_us,
        study.seed,
        study.steps,
        mode,
        _code(),
    )


@cache
def _code() -> list[str]:
    own = [files("rheobase.studies").joinpath(f"{name}.py") for name in ("placing", "thresholds")]
    return [*(package_key(p) for p in PACKAGES), *(content_key(p.read_bytes()) for p in own)]


def _read(path: Path, key: str) -> xr.Dataset | None:
    """Return the thresholds of a file of that key, None if it is not there."""
    import xarray as xr

    if not path.is_file():
        return None
    with xr.open_dataset(path, engine="h5netcdf") as file:
        return file.load() if file.attrs.get("key") == key else None
