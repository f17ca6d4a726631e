"""From cells to columns: whom a pulse fires, how far a weak field shifts whom.

Cells of the cell side have a type, a layer and a class; a population of the columns takes those of
its layer and class (layers 2 and 3 of human columns both those of layer 2/3). Their places are
those of a head or a slab, the columns' are not: without ``places`` all columns share one table,
with them each takes the placements nearest to its own place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.columns.circuit import cell_layer, cell_name, read_table
from rheobase.neurons.columns.network import N_COLUMNS, ColumnNetwork
from rheobase.neurons.network.drive import Drive, Polarisation
from rheobase.neurons.recruitment import POLARITIES, Recruitment

if TYPE_CHECKING:
    import xarray as xr

NEAREST = 30  # placements of a layer and class that a column takes


def column_places(
    columns: ColumnNetwork, centre: ArrayLike, normal: ArrayLike
) -> NDArray[np.float64]:
    """Return where the columns stand about a point of a cortex, shape (7, 3).

    Parameters
    ----------
    columns
        The columns.
    centre
        Place (m) of the middle column, shape (3,).
    normal
        Direction out of the cortex, shape (3,); the columns stand in the plane across it.

    Raises
    ------
    InputError
        If the normal has no direction.
    """
    n = np.asarray(normal, dtype=np.float64)
    if n.shape != (3,) or not np.linalg.norm(n) > 0:
        raise InputError(f"normal must be a direction in space, got {n.tolist()}: columns")
    n = n / np.linalg.norm(n)
    a = np.cross(n, np.eye(3)[np.argmin(np.abs(n))])
    a /= np.linalg.norm(a)
    place: NDArray[np.float64] = np.asarray(centre) + columns.centres @ np.array(
        [a, np.cross(n, a)]
    )
    return place


def drive_of(
    columns: ColumnNetwork,
    recruitment: Recruitment,
    amplitude: float,
    *,
    times: ArrayLike,
    polarity: str = "plus",
    places: ArrayLike | None = None,
    latency: float | None = None,
) -> Drive:
    """Return the pulses as the columns feel them.

    The probability of a population is the share of the placements of its layer and class whose
    threshold is at most the amplitude. Populations without placements are not driven.

    Parameters
    ----------
    columns
        The columns.
    recruitment
        Thresholds of placed cells of the same species.
    amplitude
        Amplitude of every pulse, in the recruitment's unit, >= 0.
    times
        Times of the pulses (s).
    polarity
        "plus" for the stimulus as given, "minus" for the reversed one.
    places
        Where the columns stand among the placements (m), shape (7, 3): see `column_places`.
    latency
        From pulse to spike (s) for all; None: median of each type in full simulations of a 200 us
        pulse at 1.2 times threshold (``data/columns_latency.csv``).

    Raises
    ------
    InputError
        If the recruitment has no classes, is of another species or names a layer and class that
        the columns have not; or the amplitude or the polarity is wrong.
    """
    if recruitment.cell_class is None:
        raise InputError(f"recruitment must know the classes of its cells, mode {recruitment.mode}")
    if not amplitude >= 0:
        raise InputError(f"amplitude must be >= 0 {recruitment.unit}, got {amplitude}: drive")
    row = POLARITIES.index(check_option("polarity", polarity, POLARITIES))
    threshold = recruitment.threshold[row]
    fires = np.where(np.isnan(threshold), np.nan, threshold <= amplitude)
    _check_species(columns, recruitment.species)
    members = _members(columns, recruitment.layer, recruitment.cell_class, fires)
    shares = _by_column(columns, members, fires, recruitment.position, places)
    return Drive(
        probability=shares,
        times=np.asarray(times, dtype=np.float64),
        latency=dict.fromkeys(shares, latency)
        if latency is not None
        else {name: _latency(columns, name) for name in shares},
    )


def polarisation_of(
    columns: ColumnNetwork,
    polarised: xr.Dataset | Mapping[str, float],
    *,
    start: float = 0.0,
    n_steps: int = 1,
    places: ArrayLike | None = None,
    positions: ArrayLike | None = None,
) -> tuple[Polarisation, ...]:
    """Return what a weak field does to the columns between ``start`` and n steps later.

    A steady field is one constant shift. One of frequency f takes two, of the parts in phase with
    sin(2 pi f t) and a quarter of a period ahead; each frequency has its own. The shifts of the
    cell side have passed the cells' own membranes. Those here are made such that the point
    neurons' membranes, tau_m, let just these through.

    Parameters
    ----------
    columns
        The columns.
    polarised
        Result of `neurons.polarisation` (its somata) with the currents of the sources as weights;
        or steady shift (V) by "layer_class" ("L5_PYR").
    start
        Time (s) of the first step.
    n_steps
        Steps of the network that follow.
    places
        As in `drive_of`; needs ``positions``.
    positions
        Somata of the placements (m), shape (n_placements, 3): ``population.position``.

    Raises
    ------
    InputError
        If species, layers or classes are not the columns', or a shift is unknown throughout.
    """
    import xarray as xr

    if not isinstance(polarised, xr.Dataset):
        for name in polarised:
            check_option("population", name, columns.circuit.names, where="polarisation")
        shift = {f"C{c}_{n}": float(polarised[n]) for c in range(N_COLUMNS) for n in polarised}
        return (Polarisation(shift=shift),)
    soma = polarised.sel(site="soma", statistic="mean")
    _check_species(columns, polarised["species"].to_numpy())
    layer, kind = polarised["layer"].to_numpy(), polarised["cell_class"].to_numpy()
    position = None if positions is None else np.asarray(positions, dtype=np.float64)
    time = start + columns.network.dt * (np.arange(n_steps) + 0.5)
    out: list[Polarisation] = []
    for f in np.atleast_1d(polarised["frequency"].to_numpy()).astype(float):
        at = soma.sel(frequency=f)
        phasor = at["amplitude"].to_numpy() * np.exp(1j * at["phase"].to_numpy())
        members = _members(columns, layer, kind, phasor.real)
        for part, wave in (
            (phasor.real, np.sin(2 * np.pi * f * time)),
            (phasor.imag, np.cos(2 * np.pi * f * time)),
        ):
            mean = _by_column(columns, members, part, position, places)
            out.append(Polarisation(shift=mean, waveform=wave if f else 1.0))
            if not f:
                break
        if f:
            out[-2:] = _undone(columns, out[-2], out[-1], f)
    return tuple(out)


def _undone(
    columns: ColumnNetwork, sine: Polarisation, cosine: Polarisation, f: float
) -> list[Polarisation]:
    """Return both parts times 1 + 2 pi i f tau_m, which the membranes' low-pass undoes."""
    shifts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    tau = {p.name: p.neuron.tau_m for p in columns.network.populations}
    for name in sine.shift:
        phasor = np.asarray(sine.shift[name]) + 1j * np.asarray(cosine.shift[name])
        phasor = phasor * (1 + 2j * np.pi * f * tau[name])
        shifts[0][name], shifts[1][name] = float(phasor.real), float(phasor.imag)
    return [
        Polarisation(shift=s, waveform=p.waveform)
        for s, p in zip(shifts, (sine, cosine), strict=True)
    ]


def _check_species(columns: ColumnNetwork, species: NDArray[Any]) -> None:
    """Raise InputError if any cell is of another species."""
    others = sorted(set(species.astype(str)) - {columns.species})
    if others:
        raise InputError(
            f"cells must be of the columns' species {columns.species!r}, got {others[0]!r}: columns"
        )


def _members(
    columns: ColumnNetwork,
    layer: NDArray[Any],
    kind: NDArray[Any],
    known: NDArray[np.float64],
) -> dict[str, NDArray[np.intp]]:
    """Return the placements, of known value, that each population of a column takes."""
    of_layer = np.char.replace(layer.astype(str), "/", "")
    labels = np.char.add(np.char.add(of_layer, "_"), kind.astype(str))
    names = columns.circuit.names
    as_cells = [cell_name(n) for n in names]
    for label in dict.fromkeys(labels.tolist()):
        check_option("layer and class", label, sorted(set(as_cells)), where="columns")
    known = ~np.isnan(known)
    found = {
        name: np.flatnonzero((labels == label) & known)
        for name, label in zip(names, as_cells, strict=True)
    }
    return {name: which for name, which in found.items() if len(which)}


def _by_column(
    columns: ColumnNetwork,
    members: dict[str, NDArray[np.intp]],
    value: NDArray[np.float64],
    position: NDArray[np.float64] | None,
    places: ArrayLike | None,
) -> dict[str, float]:
    """Return the mean value of each population of each column, over all or the nearest."""
    if places is None:
        return {
            f"C{c}_{name}": float(value[which].mean())
            for c in range(N_COLUMNS)
            for name, which in members.items()
        }
    at = np.asarray(places, dtype=np.float64)
    if at.shape != (N_COLUMNS, 3) or position is None:
        raise InputError(
            f"places must have shape ({N_COLUMNS}, 3) and cells positions, got {at.shape}: columns"
        )
    out: dict[str, float] = {}
    for c, place in enumerate(at):
        for name, which in members.items():
            distance = np.linalg.norm(position[which] - place, axis=1)
            near = which[np.argsort(distance, kind="stable")[:NEAREST]]
            out[f"C{c}_{name}"] = float(value[near].mean())
    return out


def _latency(columns: ColumnNetwork, name: str) -> float:
    """Return the time (s) from a pulse to the spike of the soma of a population "C0_L5_PYR"."""
    _, layer, kind = name.split("_")
    key = (columns.species, cell_layer(layer), kind)
    rows = {(r["species"], r["layer"], r["class"]): r for r in read_table("columns_latency")}
    return float(rows[key]["latency_ms"]) * 1e-3
