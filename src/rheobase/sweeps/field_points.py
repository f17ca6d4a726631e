"""The numbers of a field study at a point, with all that points share worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.config import Cells, Study
from rheobase.stations.cells import MICRO, check_cortex
from rheobase.stations.recruited import centre_of, placed_cells
from rheobase.sweeps.design import Point
from rheobase.sweeps.settings import Base
from rheobase.sweeps.solved import (
    BLOCK,
    Recent,
    Solved,
    amplitude_of,
    geometry_key,
    head_key,
    solve_coils,
    solve_electrodes,
)
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TI
from rheobase.tables.sweep import OutputsTable

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.meshes.head import Head
    from rheobase.meshes.regions.region import Region
    from rheobase.neurons.placement import Population
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.devices import Device

BRAIN = ("grey_matter", "white_matter")
SIMPLE = ("mean", "sd", "min", "max")


class FieldPoints:
    """Works out points of a field study.

    Parameters
    ----------
    base
        The study.
    outputs
        What is asked of each point.
    out
        Folder of the sweep, for maps.
    points
        The points that will be asked for.
    """

    def __init__(
        self, base: Base, outputs: OutputsTable, out: Path, points: Sequence[Point]
    ) -> None:
        self.base, self.outputs, self.out = base, outputs, out
        self._geometries: dict[str, list[Study]] = {}
        for point in points:
            try:
                study = self._study(point)
            except InputError:
                continue  # the point's own error, when its turn comes
            self._geometries.setdefault(geometry_key(study), []).append(study)
        self._solved: dict[str, Solved | Exception] = {}
        self._made: dict[str, Any] = {}
        self._devices: Recent[Device] = Recent(1)

    def __call__(self, point: Point) -> xr.Dataset:
        """Return the numbers at a point."""
        import xarray as xr

        study = self._study(point)
        solved = self._of(study)
        found: dict[str, Any] = {"E": self._field(study, solved)}
        if study.cells is not None:
            found |= self._cells(study, solved)
        if self.outputs.maps:
            found["map"] = self._map(study, solved, point)
        return xr.Dataset(found)

    def _study(self, point: Point) -> Study:
        study = self.base.study(point)
        assert isinstance(study, Study)  # the kind of the base
        return study

    def _of(self, study: Study) -> Solved:
        """Return the solved geometry of a study, with the next ones where it is a coil's."""
        key = geometry_key(study)
        if key not in self._solved:
            if isinstance(study.device, TMS):
                head = head_key(study)
                waiting = [
                    studies[0]
                    for k, studies in self._geometries.items()
                    if k.startswith(head) and k not in self._solved and k != key
                ]
                self._keep_few()
                self._solved.update(solve_coils([study, *waiting[: BLOCK - 1]]))
            else:
                self._keep_few()
                self._solved[key] = solve_electrodes(self._geometries.get(key, [study]))
        found = self._solved[key]
        if isinstance(found, Exception):
            raise found
        return found

    def _keep_few(self) -> None:
        """Let go of fields, and of what was found from them, before the next ones come."""
        self._solved = {k: v for k, v in self._solved.items() if isinstance(v, Exception)}
        self._made.clear()
        self._devices.clear()

    def _once(self, make: Any, *key: Any) -> Any:
        """Return what was made under a key, or make it."""
        name = content_key(make.__name__, *key)
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _field(self, study: Study, solved: Solved) -> xr.DataArray:
        """Return statistics of the field in each place: in proportion to the amplitude."""
        import xarray as xr

        size, rest = amplitude_of(study)
        results = study.results.model_dump(mode="json", exclude={"intensity_A_per_us"})

        def statistics() -> tuple[list[str], Any]:
            names, values = field_statistics(self._device(study, solved), study, self.outputs)
            return names, values / size

        names, values = self._once(statistics, solved.key, rest, results)
        return xr.DataArray(
            values * size,
            dims=("place", "statistic"),
            coords={"place": names, "statistic": list(self.outputs.statistics)},
            attrs={"units": "V/m", "long_name": _quantity(study)},
        )

    def _device(self, study: Study, solved: Solved) -> Device:
        key = content_key(solved.key, *amplitude_of(study))
        return self._devices.get(key, lambda: solved.device(study))

    def _cells(self, study: Study, solved: Solved) -> dict[str, xr.DataArray]:
        assert study.cells is not None
        _, rest = amplitude_of(study)
        cells = study.cells.model_dump(mode="json")
        same = (solved.key, study.seed, cells, rest)

        def population() -> Population:
            check_cortex(study.cells, solved.head)  # type: ignore[arg-type]
            device = self._device(study, solved)
            table: Cells = study.cells  # type: ignore[assignment]
            return placed_cells(study, table, device, centre_of(table, device))

        placed = self._once(population, *same)
        if isinstance(study.device, TMS):
            return self._recruited(study, solved, placed, same)
        return {"polarisation": self._polarised(study, solved, placed, same)}

    def _recruited(
        self, study: Study, solved: Solved, placed: Population, same: tuple[Any, ...]
    ) -> dict[str, xr.DataArray]:
        """Return quantiles of the thresholds, and which share fires at intensities."""
        from rheobase.neurons.activation import thresholds

        assert study.cells is not None
        assert isinstance(study.device, TMS)
        pulse, mode = study.device.waveform, study.cells.mode

        def recruitment() -> Recruitment:
            waveform = pulse.make(solved.inputs.coil)
            return thresholds(placed, solved.basis, waveform=waveform, mode=mode)

        found: Recruitment = self._once(recruitment, *same, pulse.model_dump(mode="json"))
        named = {"group": "cell_type"}
        levels = found.quantiles(self.outputs.thresholds, by=("type",)) * MICRO
        levels = levels.rename(named).assign_attrs(
            units="A/µs", long_name="threshold, rate of change of the coil current"
        )
        asked = self.outputs.recruited_at_A_per_us
        own = study.results.intensity_A_per_us
        at = list(asked) or ([own] if own is not None else [])
        if not at:
            return {"threshold": levels}
        share = found.probability(np.array(at) / MICRO, by=("type",)).rename(named)
        share = share.drop_vars(["type", "placements", "amplitude"])
        share = share.assign_attrs(units="1", long_name="share of cells that fire")
        share = share.assign_coords(amplitude=at) if asked else share.isel(amplitude=0)
        names = {"amplitude": "intensity_A_per_us"} if asked else {}
        return {"threshold": levels, "recruited": share.rename(names)}

    def _polarised(
        self, study: Study, solved: Solved, placed: Population, same: tuple[Any, ...]
    ) -> xr.DataArray:
        """Return the median polarisation of the cells of each type, by site."""
        from rheobase.neurons.subthreshold import polarisation

        assert study.cells is not None
        ti = isinstance(study.device, TI)
        frequency = np.atleast_1d(
            study.device.carriers().frequencies if ti else study.cells.frequency_Hz  # type: ignore[union-attr]
        )
        size, _ = amplitude_of(study)

        def shift() -> xr.DataArray:
            device = self._device(study, solved)
            weights = np.diag(device.amplitudes) if ti else device.amplitudes
            found = polarisation(placed, device.basis, frequency=frequency, weights=weights)
            largest = found["amplitude"].sel(statistic="largest", drop=True)
            median = largest.groupby(found["type"]).median("placement")
            return median.rename(type="cell_type").drop_vars("frequency") / size

        by_type = self._once(shift, *same) * (1e3 * size)
        kept = by_type.rename(frequency="pair") if ti else by_type.isel(frequency=0)
        told: xr.DataArray = kept.assign_attrs(
            units="mV", long_name="median polarisation, of the strongest tip of a site"
        )
        return told

    def _map(self, study: Study, solved: Solved, point: Point) -> str:
        """Write the field in MNI space and return the name of the image."""
        from rheobase.sweeps.maps import write_map

        name = f"maps/{content_key(point)}.nii.gz"
        device = self._device(study, solved)
        write_map(
            self.out / name,
            device,
            voxel_mm=self.outputs.voxel_mm,
            tissues=self.outputs.map_tissues,
        )
        return name


def field_statistics(device: Device, study: Study, outputs: OutputsTable) -> tuple[list[str], Any]:
    """Return the names of places, and the statistics of the field there, shape (places, stats).

    Raises
    ------
    InputError
        If the head has no such place, or nothing lies in it.
    """
    from rheobase.meshes.regions.region import tissue_region
    from rheobase.meshes.regions.statistics import region_table

    head = device.head
    tissues, regions = _places(head, study, outputs)
    brain = [n for n in BRAIN if any(t.name == n for t in head.tissues.values())]
    percentiles = [float(s[1:]) for s in outputs.statistics if s not in SIMPLE]
    within = tissue_region(*(brain or [_innermost(head)]))
    rows = []
    for asked, inside, levels in ((tissues, None, 0), (regions, within, 1)):
        if asked:
            rows += region_table(
                asked,
                head,
                device.strength,
                corners=device.basis.split_of_tet,
                within=inside,
                levels=levels,
                percentiles=percentiles,
            )
    for row in rows:
        if "mean" not in row:
            raise InputError(f"no field in {row['region']!r}: head {head.name!r}")
    names = [str(row["region"]) for row in rows]
    keys = [s if s in SIMPLE else f"p{float(s[1:]):g}" for s in outputs.statistics]
    return names, np.array([[float(row[k]) for k in keys] for row in rows])


def _places(head: Head, study: Study, outputs: OutputsTable) -> tuple[list[Region], list[Region]]:
    """Return the tissues and the other regions that statistics are asked for."""
    from rheobase.meshes.regions.region import tissue_region

    regions = {r.name: r.make() for r in study.results.regions}
    if not outputs.places:
        return [tissue_region(_innermost(head))], list(regions.values())
    present = set(np.unique(head.mesh.labels).tolist())
    tissues = [t.name for label, t in head.tissues.items() if label in present]
    atlas = study.results.read_atlas()
    parcels = list(atlas.names.values()) if atlas is not None else []
    found: tuple[list[Region], list[Region]] = ([], [])
    for name in outputs.places:
        where = f"outputs.places, head {head.name!r}"
        check_option("place", name, [*tissues, *regions, *parcels], where=where)
        if name in tissues:
            found[0].append(tissue_region(name))
        elif name in regions:
            found[1].append(regions[name])
        else:
            assert atlas is not None
            found[1].append(atlas.region(name))
    return found


def _innermost(head: Head) -> str:
    """Return grey matter, or the innermost tissue where there is none."""
    names = {t.name: label for label, t in head.tissues.items()}
    return "grey_matter" if "grey_matter" in names else head.tissues[min(head.tissues)].name


def _quantity(study: Study) -> str:
    return "TI envelope, peak to peak" if isinstance(study.device, TI) else "|E|"
