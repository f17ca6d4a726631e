"""What cells feel as rows of numbers: objectives for whoever chooses currents or coil poses.

The cable is linear. The depolarisation of a compartment at a given time of the pulse is therefore a
row of numbers C over the sources of a field, and with their amplitudes a it is C @ a. The response
of a cell (1 over its threshold) is the largest of such rows, each over its V_th,

    R(a) = max over sites and steps of v(a) / V_th,

convex and piecewise linear in a: several sources have no one row for R, but one that touches it at
any given a, the *critical* row there, and stays below it at every other a. (One thing is left out
here: a deviation counts only while it grows, so that one that decays from an earlier phase is not
judged again, see docs/cells.md. A row may therefore lie above R where its own site decays; of 200
cells in a ball, one at most was told to fire for this reason: benchmarks/dosing.py.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.fields.functionals import Functionals, stacked
from rheobase.meshes.locate import Locator
from rheobase.neurons.activation import OUTSIDE_LIMIT, thresholds
from rheobase.neurons.cable import CableFactor, factorise, influence, largest_response
from rheobase.neurons.calibration import criterion
from rheobase.neurons.generate import Cell
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.nearby import NearbyField, nearby
from rheobase.neurons.placement import Population
from rheobase.neurons.pulse import Drive, drive_of
from rheobase.neurons.recruitment import Recruitment
from rheobase.neurons.sample import Field, Sampler, count_sources, source_rises
from rheobase.neurons.subthreshold import responses

Polarity = Literal["plus", "minus"]
Ints = NDArray[np.int64]

_CHUNK = 64  # rows gathered at once
_STEPS = 10  # of a pulse at whose end a polarisation is taken
_KEYS = ("type", "layer", "species")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SiteRows:
    """m linear functionals of the field, each of one compartment of a placed cell.

    Parameters
    ----------
    C
        Value per unit source, shape (m, k).
    placement, compartment
        Of each row, shape (m,); compartment -1 for a placement that has no row (C is 0).
    population
        The cells.
    unit
        Of C times an amplitude: "V", or "1" for parts of the threshold.
    functionals
        The same as functionals of the field at split nodes; None away from a mesh.
    """

    C: Floats
    placement: Ints
    compartment: Ints
    population: Population
    unit: str
    functionals: Functionals | None

    def select(self, which: ArrayLike) -> SiteRows:
        """Return the rows chosen by a mask or by indices."""
        i, f = np.asarray(which), self.functionals
        return replace(
            self,
            C=self.C[i],
            placement=self.placement[i],
            compartment=self.compartment[i],
            functionals=None if f is None else replace(f, weights=f.weights[i]),
        )

    def mean(self, by: Sequence[str] = ("type", "layer")) -> dict[tuple[str, ...], GroupRow]:
        """Return the mean row of each group of cells, in order of first appearance.

        Parameters
        ----------
        by
            Labels that form the groups: "type", "layer", "species".

        Raises
        ------
        InputError
            If a label is unknown.
        """
        columns = [getattr(self.population, check_option("label", b, _KEYS)) for b in by]
        keys = [tuple(str(c[i]) for c in columns) for i in self.placement]
        out = {}
        for key in dict.fromkeys(keys):
            i = np.array([j for j, other in enumerate(keys) if other == key])
            f = self.functionals
            if f is not None:
                share = type(f.weights)(np.full((1, len(i)), 1.0 / len(i)))
                f = replace(f, name="/".join(key), weights=share @ f.weights[i])
            mean = self.C[i].mean(axis=0, keepdims=True)
            out[key] = GroupRow(C=mean, count=len(i), unit=self.unit, functionals=f)
        return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GroupRow:
    """The mean of the rows of a group.

    Parameters
    ----------
    C
        Value per unit source, shape (1, k).
    count
        Rows in the mean.
    unit, functionals
        As in `SiteRows`.
    """

    C: Floats
    count: int
    unit: str
    functionals: Functionals | None


def polarisation_rows(
    population: Population,
    source: Any,
    *,
    site: str = "soma",
    duration: float = np.inf,
    locator: Locator | None = None,
) -> SiteRows:
    """Return the polarisation of compartments of a kind by unit currents (V per unit source).

    Parameters
    ----------
    population
        The cells.
    source
        Lead field, field basis, or anything with ``at(points)``.
    site
        Kind of compartment: "soma", "basal", "apical", "initial_segment", "unmyelinated",
        "internode", "node" or "terminal"; a row for each compartment of it, by placement.
    duration
        Of a rectangular pulse (s), at whose end the polarisation of the passive cable is taken; inf
        for a steady field, to which the cell's own membrane answers
        (`rheobase.neurons.subthreshold`).
    locator
        Of the mesh, if at hand.

    Raises
    ------
    InputError
        If the kind is unknown, a cell type has none of it, or the duration is not > 0 s.
    """
    kinds = {k.name.lower(): k for k in Kind}
    kind = kinds[check_option("kind of compartment", site, kinds)]
    if not duration > 0:
        raise InputError(f"duration must be > 0 s, got {duration!r}")
    field = _field(population, source, locator)
    asked: list[tuple[int, int, Floats | None]] = []
    for k, cell in enumerate(population.cells):
        where = np.flatnonzero(cell.morphology.kind == kind)
        members = np.flatnonzero(population.cell == k)
        if len(members) == 0:
            continue
        if len(where) == 0:
            raise InputError(f"expected cells with compartments {site!r}, {cell.name} has none")
        if np.isinf(duration):
            (still,) = responses(cell, 0.0)
            gains = [still.influence(int(c)).real for c in where]
        else:
            tree = factorise(cell.morphology, np.full(_STEPS, duration / _STEPS))
            gains = [influence(tree, int(c), np.ones(_STEPS)) for c in where]
        asked += [(int(i), int(c), g) for i in members for c, g in zip(where, gains, strict=True)]
    return _site_rows(population, field, sorted(asked, key=_first), unit="V")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CellObjective:
    """Cells, the sources that may drive them, and the pulse: thresholds of any combination.

    Parameters
    ----------
    population
        The cells.
    field
        Where they are, of k sources; a field with ``at`` or what `nearby` returns.
    waveform
        As for `rheobase.neurons.thresholds`.

    See Also
    --------
    objective : Makes one.
    """

    population: Population
    field: Any
    waveform: Any

    def __len__(self) -> int:
        """Return the number of placements."""
        return len(self.population)

    @property
    def unit(self) -> str:
        """Unit of amplitude of a source."""
        return str(getattr(self.field, "unit", "1"))

    def thresholds(self, weights: ArrayLike | None = None) -> Recruitment:
        """Return the thresholds for sources combined with ``weights``, shape (k,).

        They are those of `rheobase.neurons.thresholds`: amplitudes that multiply the weights. With
        weights in A the cells of threshold <= 1 fire.
        """
        return thresholds(
            self.population,
            self.field,
            waveform=self.waveform,
            weights=weights,
        )

    def critical(
        self, weights: ArrayLike | None = None, *, polarity: Polarity = "plus"
    ) -> SiteRows:
        """Return the critical row of each placement at ``weights``: ``C @ weights`` = 1/threshold.

        Parameters
        ----------
        weights
            Amplitude of each source, shape (k,).
        polarity
            Of the stimulus as given ("plus") or reversed ("minus").

        Returns
        -------
        SiteRows
            n rows in the order of the population; 0 for cells that nothing depolarises, or of
            which too much lies outside the mesh.
        """
        check_option("polarity", polarity, get_args(Polarity))
        sign = 1.0 if polarity == "plus" else -1.0
        drive = drive_of(self.waveform)
        sampler = Sampler.of(self.field, weights)
        asked: list[tuple[int, int, Floats | None]] = []
        for k, cell in enumerate(self.population.cells):
            members = np.flatnonzero(self.population.cell == k)
            if len(members):
                asked += _critical(self.population, cell, members, sampler, drive, sign)
        return _site_rows(self.population, self.field, sorted(asked, key=_first), unit="1")


def objective(
    population: Population,
    source: Any,
    *,
    waveform: Any,
    locator: Locator | None = None,
) -> CellObjective:
    """Prepare cells and sources for many stimuli.

    Parameters
    ----------
    population
        The cells.
    source
        Lead field, field basis (of electrodes, or of the modes from which a coil's poses are made),
        or anything with ``at(points)``.
    waveform
        As for `rheobase.neurons.thresholds`.
    locator
        Of the mesh, if at hand.

    Raises
    ------
    InputError
        If there are no cells, the waveform is none, or cells reach where no field is kept.
    """
    if len(population) == 0:
        raise InputError("expected cells, got a population of none")
    drive_of(waveform)
    return CellObjective(
        population=population,
        field=_field(population, source, locator),
        waveform=waveform,
    )


def _first(row: tuple[int, int, Floats | None]) -> int:
    return row[0]


def _field(population: Population, source: Any, locator: Locator | None) -> NearbyField | Field:
    """Return the field near the cells where there is a mesh, else the field itself."""
    if hasattr(source, "mesh"):
        return nearby(population, source, locator=locator)
    field: Field = source
    return field


def _critical(
    population: Population,
    cell: Cell,
    members: NDArray[np.intp],
    sampler: Sampler,
    drive: Drive,
    sign: float,
) -> Iterator[tuple[int, int, Floats | None]]:
    """Yield placement, compartment and weights of the rises of each critical row of a cell."""
    tree: CableFactor = factorise(cell.morphology, drive.dt)
    fires = criterion(cell, drive)
    rise, lost = sampler.rises(
        cell.morphology, population.rotation[members], population.position[members]
    )
    _, where = largest_response(tree, rise, drive.amplitude, fires)
    lanes, side = rise.shape[2], 0 if sign > 0 else 1
    known: dict[int, tuple[Floats, Floats]] = {}
    steps = range(len(drive.dt))
    for j, i in enumerate(members):
        c = int(where[side, j])
        if c < 0 or lost[j] > OUTSIDE_LIMIT * len(cell.morphology):
            yield int(i), -1, None
            continue
        if c not in known:
            both = np.zeros(len(cell.morphology))
            np.add.at(both, [c, fires.near[c]], [1.0, fires.share])
            known[c] = (
                np.stack([influence(tree, c, drive.amplitude, s) for s in steps]),
                np.stack([influence(tree, both, drive.amplitude, s) for s in steps]),
            )
        v, felt = (sign * (k @ rise[j // lanes, :, j % lanes]) for k in known[c])
        counts = ~fires.grows | (v > np.concatenate([[0.0], v[:-1]]))
        s = int(np.where(counts, fires.weight[:, c] * felt, 0.0).argmax())
        yield int(i), c, sign * fires.weight[s, c] * known[c][1][s]


def _site_rows(
    population: Population,
    field: NearbyField | Field,
    asked: Sequence[tuple[int, int, Floats | None]],
    *,
    unit: str,
) -> SiteRows:
    """Turn weights of rises into rows over the sources."""
    sources = len(field.E) if isinstance(field, NearbyField) else count_sources(field)
    C = np.zeros((len(asked), sources))
    placement = np.array([a[0] for a in asked])
    compartment = np.array([a[1] for a in asked])
    parts, order = [], []
    for number in track(np.unique(population.cell[placement]), "rows of cells"):
        mine = np.flatnonzero((population.cell[placement] == number) & (compartment >= 0))
        for first in range(0, len(mine), _CHUNK):
            which = mine[first : first + _CHUNK]
            gain = np.stack([np.asarray(asked[w][2]) for w in which])
            f, C[which] = _gathered(population, number, placement[which], gain, field)
            if f is not None:
                parts.append(f)
                order.append(which)
    functionals = None
    if parts:
        joined = stacked(parts, name=f"{len(asked)} sites")
        w = joined.weights
        back = type(w)(
            (np.ones(w.shape[0]), (np.concatenate(order), np.arange(w.shape[0]))),
            shape=(len(asked), w.shape[0]),
        )
        functionals = replace(joined, weights=back @ w)
    return SiteRows(
        C=C,
        placement=placement,
        compartment=compartment,
        population=population,
        unit=unit,
        functionals=functionals,
    )


def _gathered(
    population: Population,
    number: int,
    placement: Ints,
    gain: Floats,
    field: NearbyField | Field,
) -> tuple[Functionals | None, Floats]:
    """Return the rows of placements of one cell from the weights of their rises, (rows, n)."""
    from rheobase.neurons._sample_numba import place

    cell = population.cells[number].morphology
    points = np.empty((len(placement), len(cell), 3))
    place(cell.centre, population.rotation[placement], population.position[placement], points)
    if isinstance(field, NearbyField):
        f = field.along(cell, points, gain, name=population.cells[number].name)
        return f, field.rows(f)
    rise, _ = source_rises(field, cell.parent, points)
    return None, np.einsum("rn,krn->rk", gain, rise)
