"""Which cells a sonication fires: thresholds by cell type as a `Recruitment`.

A cell of one compartment feels the pressure amplitude at its soma and nothing else of the field:
neither direction nor polarity nor species enter. A placement fires at the factor on the drive that
brings its pressure to the threshold of the point neuron that stands for its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.placement import Population
from rheobase.neurons.recruitment import Recruitment
from rheobase.neurons.sonic.averages import CYCLES
from rheobase.neurons.sonic.cells import cell_of_type
from rheobase.neurons.sonic.lookup import HIGHEST, EffectiveTable, effective_table
from rheobase.neurons.sonic.response import respond, threshold_pressure

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ThresholdCurve:
    """Threshold pressures of one point neuron under several sonications.

    Parameters
    ----------
    cell
        Name of the point neuron.
    radius
        Of the sonophore (m).
    sonications
        What was tried, k of them.
    pressure
        Least peak pressure that fires the cell (Pa), inf where none of the table does, shape (k,).
    """

    cell: str
    radius: float
    sonications: tuple[Sonication, ...]
    pressure: Floats

    def to_xarray(self) -> xr.DataArray:
        """Return the thresholds (Pa) with frequency, pulse rate, duty cycle and train duration."""
        import xarray as xr

        names = ("frequency", "pulse_rate", "duty_cycle", "train_duration")
        units = ("Hz", "Hz", "1", "s")
        coords = {
            name: ("sonication", [getattr(s, name) for s in self.sonications], {"units": unit})
            for name, unit in zip(names, units, strict=True)
        }
        return xr.DataArray(
            self.pressure,
            dims=("sonication",),
            coords=coords,
            name="threshold",
            attrs={"units": "Pa", "cell": self.cell, "sonophore_radius": self.radius},
        )


def threshold_curve(
    cell: str, sonications: Iterable[Sonication], *, radius: float = 32e-9
) -> ThresholdCurve:
    """Return the threshold pressure of a point neuron under each sonication.

    Parameters
    ----------
    cell
        Name of a point neuron ("RS").
    sonications
        For instance of several duty cycles.
    radius
        Of the sonophore (m).
    """
    tried = tuple(sonications)
    pressure = [
        threshold_pressure(cell, s, radius=radius)
        for s in track(tried, f"thresholds of {cell}", total=len(tried))
    ]
    return ThresholdCurve(
        cell=cell, radius=radius, sonications=tried, pressure=np.array(pressure, dtype=np.float64)
    )


def recruit_ultrasound(
    population: Population,
    pressure: ArrayLike,
    sonication: Sonication,
    *,
    tables: Mapping[str, EffectiveTable] | None = None,
    radius: float = 32e-9,
    tissue: NDArray[np.int32] | None = None,
) -> Recruitment:
    """Return the drive at which every placement fires at least once in a train.

    Parameters
    ----------
    population
        The cells and where they stand.
    pressure
        Amplitude of the pressure at the somata per unit of the drive (Pa, real or complex), shape
        (n,); NaN where it is not known.
    sonication
        Its frequency and the timing of one train.
    tables
        Effective tables by name of point neuron, in place of those that are made on first use.
    radius
        Of the sonophores (m).
    tissue
        Label of the tetrahedron around each soma, shape (n,), if known.

    Returns
    -------
    Recruitment
        Of ``mode`` "sonic" and ``unit`` "1": factors on the drive that ``pressure`` belongs to.
        Both polarities are equal; the site is the soma, the model's only compartment; NaN where
        the pressure is not known.

    Raises
    ------
    InputError
        If pressures do not match the placements or are infinite, or a type has no point neuron
        (`rheobase.neurons.sonic.cells.cell_of_type`).
    """
    n = len(population)
    amplitude = np.abs(np.asarray(pressure))
    if amplitude.shape != (n,) or np.isinf(amplitude).any():
        raise InputError(
            f"expected a finite or NaN pressure for each of {n} cells, got shape {amplitude.shape}"
        )
    types = population.type
    stands = {t: cell_of_type(t) for t in dict.fromkeys(types.tolist())}
    chosen = tables or {}
    least = {
        cell: threshold_pressure(chosen.get(cell, cell), sonication, radius=radius)
        for cell in dict.fromkeys(stands.values())
    }
    needed = np.array([least[stands[t]] for t in types.tolist()], dtype=np.float64)
    with np.errstate(divide="ignore"):
        factor = needed / amplitude
    factor[amplitude == 0] = np.inf
    site = np.where(np.isfinite(factor), int(Kind.SOMA), -1).astype(np.int8)
    return Recruitment(
        threshold=np.stack([factor, factor]),
        site=np.stack([site, site]),
        type=types,
        layer=population.layer,
        species=population.species,
        position=population.position,
        depth=population.depth,
        outside=np.isnan(amplitude).astype(np.float64),
        tissue=np.full(n, -1, dtype=np.int32) if tissue is None else tissue,
        unit="1",
        mode="sonic",
        notes=population.notes
        + _notes(stands, least, chosen, sonication, int(np.isnan(amplitude).sum())),
    )


def spike_times(
    cell_type: str,
    sonication: Sonication,
    amplitude: float,
    *,
    tables: Mapping[str, EffectiveTable] | None = None,
    radius: float = 32e-9,
) -> Floats:
    """Return the spikes (s) of a cell type in a train at a peak pressure (Pa), shape (k,).

    A network is driven by them as pulses: `rheobase.neurons.network.drive.Drive` with these
    ``times`` and the probability of the recruitment at the drive in use.
    """
    cell = cell_of_type(cell_type)
    table = (tables or {}).get(cell)
    if table is None:
        table = effective_table(cell, frequency=sonication.frequency, radius=radius)
    return respond(table, sonication, amplitude).spikes


def _notes(
    stands: Mapping[str, str],
    least: Mapping[str, float],
    tables: Mapping[str, EffectiveTable],
    sonication: Sonication,
    unknown: int,
) -> tuple[str, ...]:
    def told(cell: str) -> str:
        if np.isfinite(least[cell]):
            return f"{least[cell] / 1e3:.4g} kPa"
        top = float(tables[cell].amplitudes[-1]) if cell in tables else HIGHEST
        return f"none up to {top / 1e3:.4g} kPa"

    pairs = ", ".join(f"{t} as {c} ({told(c)})" for t, c in stands.items())
    notes = [
        f"intramembrane cavitation, point neurons: {pairs}; sonophores over the whole membrane; "
        "the model knows no species, shape or direction, and above its threshold a cell counts as "
        "firing"
    ]
    cycles = sonication.pulse_duration * sonication.frequency
    if cycles < CYCLES:
        notes.append(
            f"pulses of {cycles:.3g} cycles: the averages are those of settled cycles, which takes "
            f"up to {CYCLES}"
        )
    if sonication.ramp_duration > 0:
        notes.append("pulses are taken as rectangular: ramps are left out")
    if sonication.trains > 1:
        notes.append(f"one of {sonication.trains} trains is computed, from rest")
    if unknown:
        notes.append(f"the pressure at {unknown} cells is not known")
    return tuple(notes)
