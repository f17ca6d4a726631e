r"""Polarisation of resting cells by weak fields: steady (tDCS) and oscillating (tACS).

A field too weak to make a cell fire shifts its membrane in proportion. With the deviation
v exp(iωt) from rest and the quasi-potential V_e outside, compartment c and its neighbours j keep

    Y_c(ω) v_c + sum_j G_cj [(v_c + V_e,c) - (v_j + V_e,j)] = 0,

one complex tree solve a placement. Y is the admittance of the cell's own membrane at its own rest
(`rheobase.neurons.membrane.linear`): capacitance, leak, channels, and gates that follow. A dendrite
or axon is looked at where it ends: the potential inside is level towards a sealed end, so from the
middle of the last compartment on v changes by what the outside potential does.

The membrane is linear. It answers at the frequencies of the field, each for itself: two carriers
that beat leave nothing at their beat, and a steady field changes no excitability but by its
polarisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.neurons.activation import OUTSIDE_LIMIT
from rheobase.neurons.cable import injected
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.circuit import Circuit, circuit
from rheobase.neurons.membrane.linear import Complexes, Gates, admittance
from rheobase.neurons.morphology import Floats, Kind, Morphology
from rheobase.neurons.placement import Population, place_cells, upright
from rheobase.neurons.sample import Sampler, UniformField
from rheobase.neurons.spiking import resting_state

if TYPE_CHECKING:
    import xarray as xr

SITES = ("soma", "initial_segment", "basal", "apical", "terminal")
STATISTICS = ("largest", "mean")
_CHUNK = 1024  # placements sampled at once
_BEAT = 500.0  # Hz: carriers closer than this beat slowly enough for someone to ask


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Response:
    """The factorised tree of a cell at one frequency.

    Parameters
    ----------
    morphology
        The cell, n compartments.
    factor, inverse
        G/d to the parent (1) and 1/d (ohm) of the eliminated tree, shape (n,).
    """

    morphology: Morphology
    factor: Complexes
    inverse: Complexes

    @classmethod
    def of(cls, morphology: Morphology, membrane: ArrayLike) -> Response:
        """Eliminate the tree with a membrane of admittance ``membrane`` (S), shape (n,)."""
        from rheobase.neurons._cable_numba import factorise

        joined = morphology.axial.copy()
        np.add.at(joined, morphology.parent[1:], morphology.axial[1:])
        diagonal: Complexes = np.asarray(membrane, dtype=np.complex128) + joined
        factor, inverse = np.empty_like(diagonal), np.empty_like(diagonal)
        factorise(morphology.parent, morphology.axial, diagonal, factor, inverse)
        return cls(morphology=morphology, factor=factor, inverse=inverse)

    def deviation(self, rise: ArrayLike) -> Complexes:
        """Return the deviation from rest of every compartment (V), shape (n,).

        Parameters
        ----------
        rise
            Rise of the outside potential from the parent (V), shape (n,).

        Raises
        ------
        InputError
            If the shape differs.
        """
        up, cell = np.array(rise, dtype=np.float64), self.morphology
        if up.shape != (len(cell),):
            raise InputError(f"rise must have shape ({len(cell)},), got {up.shape}")
        return self._solve(injected(cell, up))

    def influence(self, compartment: int) -> Complexes:
        """Return what each rise adds to the deviation of one compartment, shape (n,).

        The matrix is symmetric: the cell's answer to a current into the compartment gives the row.
        ``influence(c) @ rise`` is ``deviation(rise)[c]``.
        """
        u = self.impedance(compartment)
        out: Complexes = self.morphology.axial * (u[self.morphology.parent] - u)
        out[0] = 0.0
        return out

    def impedance(self, compartment: int) -> Complexes:
        """Return what 1 A into one compartment deviates every compartment by (ohm), shape (n,)."""
        current = np.zeros(len(self.morphology))
        current[compartment] = 1.0
        return self._solve(current)

    def answer(self, current: ArrayLike) -> Complexes:
        """Return the deviation (V) under currents into the compartments (A), shape (n,) each.

        Raises
        ------
        InputError
            If the shape differs.
        """
        i, n = np.array(current, dtype=np.float64), len(self.morphology)
        if i.shape != (n,):
            raise InputError(f"current must have shape ({n},), got {i.shape}")
        return self._solve(i)

    def _solve(self, current: Floats) -> Complexes:
        from rheobase.neurons._cable_numba import solve_double

        x: Complexes = current.astype(np.complex128)
        solve_double(self.morphology.parent, self.factor, self.inverse, x)
        return x


def responses(cell: Cell, frequencies: ArrayLike, *, gates: Gates = "moving") -> list[Response]:
    """Return the factorised trees of a cell at its rest, one for each frequency.

    Parameters
    ----------
    cell
        The cell, with its membrane.
    frequencies
        In Hz, shape (f,).
    gates
        "moving": gates of the channels follow the potential, as they do in the full simulation of a
        small deviation. "frozen": conductances stay those of rest.

    Raises
    ------
    InputError
        If a frequency is negative, or the cell finds no rest.
    """
    f = _frequencies(frequencies)
    of: Circuit = circuit(cell)
    rest = resting_state(of)
    shape = cell.morphology
    return [Response.of(shape, admittance(of, rest, float(x), gates=gates)) for x in f]


def ends(morphology: Morphology) -> tuple[NDArray[np.int8], Floats]:
    """Return which compartment counts for which of `SITES`, and where it is looked at.

    Returns
    -------
    site
        Index in `SITES`, -1 for none, shape (n,): soma, initial segment, tips of basal and apical
        dendrites, ends of the axon but none that the model cut.
    reach
        Part of the rise from the parent by which the outside potential goes on from the middle to
        the end, shape (n,); 0 for soma and initial segment, which are taken in the middle.
    """
    kind, parent, length = morphology.kind, morphology.parent, morphology.length
    tip = np.ones(len(morphology), dtype=bool)
    tip[parent[1:]] = False
    site = np.full(len(morphology), -1, dtype=np.int8)
    site[kind == Kind.SOMA] = SITES.index("soma")
    site[kind == Kind.INITIAL_SEGMENT] = SITES.index("initial_segment")
    site[tip & (kind == Kind.BASAL)] = SITES.index("basal")
    site[tip & (kind == Kind.APICAL)] = SITES.index("apical")
    site[tip & morphology.is_axon & morphology.site] = SITES.index("terminal")
    point = (parent == 0) & (kind[0] == Kind.SOMA)  # an isopotential soma has no half to cross
    before = np.where(point, 0.0, length[parent])
    both = np.maximum(length + before, np.finfo(float).tiny)
    reach = np.where(tip & (site >= 0), length / both, 0.0)
    return site, reach


def polarisation(
    population: Population,
    field: Any,
    *,
    frequency: ArrayLike = 0.0,
    weights: ArrayLike | None = None,
    gates: Gates = "moving",
    unit: str | None = None,
) -> xr.Dataset:
    """Return how far a weak field shifts the membrane of placed cells.

    Parameters
    ----------
    population
        The cells and where they stand.
    field
        Field per unit source: a field basis on a mesh, what `rheobase.neurons.nearby.nearby` makes
        of a lead field, or anything with ``at(points)``. Induced fields need no potential.
    frequency
        Of the stimulus (Hz), 0 for a steady one; one or shape (f,).
    weights
        Amplitude of each source in one unit of the stimulus, shape (k,), or shape (f, k) where each
        frequency has its own (the carriers of temporal interference).
    gates
        As for `responses`.
    unit
        Unit of amplitude; when None "1" where weights make the stimulus, else the field's own
        (``field.unit``).

    Returns
    -------
    Dataset, dims (frequency, placement, site, statistic)
        ``amplitude`` (V per unit amplitude; signed at 0 Hz, > 0 depolarises) and ``phase`` (rad,
        against the field) of each of `SITES`: of the one of largest amplitude among the cell's
        tips of that kind, and of the mean over them. NaN where a cell has none, or lies outside the
        mesh by more than 5 %. ``outside`` is that share. Type, class, layer, species and depth are
        coordinates: ``amplitude.groupby(["type", "species"]).mean()``.

    Raises
    ------
    InputError
        If the field is none, a frequency is negative, shapes differ, or ``gates`` is unknown.

    Notes
    -----
    ``attrs["notes"]`` tells what the numbers do not say: nothing is demodulated, and where
    compartments are long for the frequency.
    """
    check_option("behaviour of gates", gates, get_args(Gates))
    f = _frequencies(frequency)
    if not hasattr(field, "at") and not hasattr(field, "sampler"):
        raise InputError(
            "expected a field of vectors (a field basis, anything with at(points), a lead field "
            f"through rheobase.neurons.nearby), got {type(field).__name__}: the envelope of "
            "carriers is no field"
        )
    samplers, which = _samplers(field, weights, len(f))
    shape = (len(f), len(population), len(SITES), len(STATISTICS))
    out = np.full(shape, np.nan + 0j)
    left = np.zeros(len(population))
    coarse = np.zeros(len(f))
    for k, cell in enumerate(track(population.cells, "polarisation", total=len(population.cells))):
        members = np.flatnonzero(population.cell == k)
        if len(members) == 0:
            continue
        trees = responses(cell, f, gates=gates)
        coarse = np.maximum(coarse, [_coarseness(cell, float(x)) for x in f])
        for first in range(0, len(members), _CHUNK):
            i = members[first : first + _CHUNK]
            for s, sampler in enumerate(samplers):
                rise, lost = sampler.rises(
                    cell.morphology, population.rotation[i], population.position[i]
                )
                left[i] = lost / len(cell.morphology)
                for j in np.flatnonzero(which == s):
                    out[j, i] = at_sites(trees[j], rise)[: len(i)]
    out[:, left > OUTSIDE_LIMIT] = np.nan
    if unit is None:
        unit = "1" if weights is not None else str(getattr(field, "unit", "1"))
    notes = (*population.notes, *_notes(f, len(samplers) > 1, coarse, left))
    return _dataset(population, f, out, left, "V" if unit == "1" else f"V/({unit})", gates, notes)


def polarisation_length(
    cells: Sequence[Cell],
    *,
    frequency: ArrayLike = 0.0,
    angle: ArrayLike = 0.0,
    azimuths: int = 8,
    gates: Gates = "moving",
) -> xr.Dataset:
    """Return the polarisation lengths of cells: what one V/m of a uniform field shifts, in V.

    Parameters
    ----------
    cells
        The cells, upright.
    frequency
        Of the field (Hz), one or shape (f,).
    angle
        Between the field and the axis from pia to white matter (rad), one or shape (a,): at 0 the
        field enters the cortex, as under an anode.
    azimuths
        Directions around that axis, evenly spread.
    gates
        As for `responses`.

    Returns
    -------
    Dataset, dims (angle, azimuth, frequency, placement, site, statistic)
        As from `polarisation`, in m (V per V/m); a placement is a cell.

    Raises
    ------
    InputError
        If there are no cells, or as from `polarisation`.
    """
    import xarray as xr

    if len(cells) == 0 or azimuths < 1:
        raise InputError(f"expected cells and azimuths, got {len(cells)} and {azimuths}")
    turns = 2 * np.pi * np.arange(azimuths) / azimuths
    angles = np.atleast_1d(np.asarray(angle, dtype=np.float64))
    n = len(cells)
    every = place_cells(
        cells, position=[0, 0, 0], normal=[0, 0, 1], cell=np.repeat(np.arange(n), azimuths)
    )
    every = replace(
        every, rotation=upright(np.tile([0.0, 0.0, 1.0], (n * azimuths, 1)), np.tile(turns, n))
    )
    parts = []
    for a in angles:
        field = UniformField(E=[np.sin(a), 0.0, -np.cos(a)])
        got = polarisation(every, field, frequency=frequency, gates=gates, unit="V/m")
        parts.append([got.isel(placement=slice(t, None, azimuths)) for t in range(azimuths)])
    out: xr.Dataset = xr.combine_nested(
        parts,
        concat_dim=["angle", "azimuth"],
        coords="minimal",
        compat="override",
        combine_attrs="override",
    )
    out = out.transpose("angle", "azimuth", ...).drop_vars("outside")
    out = out.assign_coords(angle=angles, azimuth=turns)
    out["amplitude"].attrs["units"] = "m"
    for name in ("angle", "azimuth"):
        out[name].attrs["units"] = "rad"
    return out


def _frequencies(frequency: ArrayLike) -> Floats:
    f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
    if f.ndim != 1 or len(f) == 0 or not (np.isfinite(f) & (f >= 0)).all():
        raise InputError(f"frequencies must be >= 0 Hz, one or a list, got {frequency!r}")
    return f


def _samplers(
    field: Any, weights: ArrayLike | None, frequencies: int
) -> tuple[list[Sampler], NDArray[np.intp]]:
    """Return the different fields, and which of them each frequency has."""
    if weights is None or np.ndim(weights) == 1:
        return [Sampler.of(field, weights)], np.zeros(frequencies, dtype=np.intp)
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or len(w) != frequencies:
        raise InputError(
            f"weights must have shape (k,) or ({frequencies}, k) for {frequencies} frequencies, "
            f"got {w.shape}"
        )
    return [Sampler.of(field, row) for row in w], np.arange(frequencies)


def at_sites(tree: Response, rise: NDArray[np.float32]) -> Complexes:
    """Return the deviation at the sites, shape (lanes of all blocks, sites, statistics)."""
    from rheobase.neurons._subthreshold_numba import respond_sites

    cell = tree.morphology
    site, reach = ends(cell)
    count = np.bincount(site[site >= 0], minlength=len(SITES))
    share = np.where(site >= 0, 1.0 / np.maximum(count, 1)[site], 0.0)
    blocks, _, lanes = rise.shape
    largest = np.zeros((blocks, len(SITES), lanes), dtype=np.complex128)
    mean = np.zeros_like(largest)
    respond_sites(
        cell.parent, cell.axial, tree.factor, tree.inverse, reach, site, share, rise, largest, mean
    )
    out: Complexes = np.stack([largest, mean], axis=3)
    out[:, count == 0] = np.nan
    return out.transpose(0, 2, 1, 3).reshape(blocks * lanes, len(SITES), len(STATISTICS))


def _coarseness(cell: Cell, frequency: float) -> float:
    """Return the longest compartment over the length of an oscillation along it, |λ|."""
    m = cell.morphology
    real = m.area > 0
    omega_c = 2 * np.pi * frequency * (m.capacitance[real] / m.area[real])
    lam = np.sqrt(m.diameter[real] / (4 * m.resistivity * np.maximum(omega_c, 1e-12)))
    return float((m.length[real] / lam).max())


def _notes(f: Floats, own_sources: bool, coarse: Floats, left: Floats) -> Iterator[str]:
    if own_sources:
        for low, high in pairwise(np.unique(f)):
            if low > 0 and high - low <= _BEAT:
                yield (
                    f"carriers of {low:g} and {high:g} Hz: each polarises at its own frequency and "
                    f"nothing at the beat of {high - low:g} Hz, since a linear membrane does not "
                    "demodulate; whether cells do is for full simulations"
                )
    long = np.flatnonzero(coarse > 1.0)
    if len(long):
        yield (
            f"at {f[long].max():g} Hz compartments are up to {coarse.max():.1f} length constants "
            "long and tips of dendrites some per cent off: cut the cells finer"
        )
    gone = np.count_nonzero(left > OUTSIDE_LIMIT)
    if gone:
        yield f"{gone} of {len(left)} cells lie outside the mesh by more than {OUTSIDE_LIMIT:.0%}"


def _dataset(
    population: Population,
    f: Floats,
    v: Complexes,
    left: Floats,
    unit: str,
    gates: str,
    notes: Sequence[str],
) -> xr.Dataset:
    import xarray as xr

    dims = ("frequency", "placement", "site", "statistic")
    steady = (f == 0).reshape(-1, 1, 1, 1)
    amplitude = np.where(steady, v.real, np.abs(v))
    phase = np.where(steady & ~np.isnan(v), 0.0, np.angle(v))
    return xr.Dataset(
        {
            "amplitude": (
                dims,
                amplitude,
                {"units": unit, "long_name": "deviation from rest; signed at 0 Hz"},
            ),
            "phase": (dims, phase, {"units": "rad", "long_name": "phase against the field"}),
            "outside": ("placement", left, {"units": "1", "long_name": "share outside the mesh"}),
        },
        coords={
            "frequency": ("frequency", f, {"units": "Hz"}),
            "site": list(SITES),
            "statistic": list(STATISTICS),
            "type": ("placement", population.type),
            "cell_class": ("placement", population.cell_class),
            "layer": ("placement", population.layer),
            "species": ("placement", population.species),
            "depth": ("placement", population.depth, {"units": "1"}),
        },
        attrs={"gates": gates, "notes": "; ".join(notes)},
    )
