"""Thresholds of placed cells in a field."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.meshes.tissues import tissue
from rheobase.neurons.activating import axon_graph, chance_thresholds
from rheobase.neurons.cable import factorise, largest_response
from rheobase.neurons.calibration import (
    calibration_error,
    criterion,
    is_calibrated,
    is_concentrated,
    second_difference_threshold,
)
from rheobase.neurons.generate import Cell
from rheobase.neurons.morphology import Floats
from rheobase.neurons.placement import Population
from rheobase.neurons.pulse import Drive, drive_of, is_carrier
from rheobase.neurons.recruitment import Recruitment
from rheobase.neurons.sample import Sampler
from rheobase.neurons.spiking import spiking_thresholds

Mode = Literal["cable", "af", "spiking"]
_CHUNK = 1024  # placements sampled at once
OUTSIDE_LIMIT = 0.05  # share of a cell outside the mesh above which its threshold is not known


def thresholds(
    population: Population,
    field: Any,
    *,
    waveform: Any,
    mode: Mode = "cable",
    weights: ArrayLike | None = None,
    unit: str | None = None,
    outside: Literal["flag", "error"] = "flag",
) -> Recruitment:
    """Return the threshold of every placement for the stimulus as given and reversed.

    Parameters
    ----------
    population
        The cells and where they stand.
    field
        Field per unit source: a field basis on a mesh, or anything with ``at(points)``.
    waveform
        Width of a rectangular pulse (s), or an object with samples ``t`` (s) and ``w`` (1). The
        stimulus at amplitude a is ``a * w(t)`` times the combined field.
    mode
        "cable" (default): the largest depolarisation of an axon site in the linear cable against
        V_th of cell type and pulse width. "af": the founding rule on the activating function
        (`rheobase.neurons.activating`), an indicator, not a predictor. "spiking": the full
        simulation (`rheobase.neurons.spiking`), some 20 ms of CPU for 1,000 compartments.
    weights
        Amplitude of each source in one unit of the stimulus, shape (k,).
    unit
        Unit of amplitude; the field's own (``field.unit``) when None, else "1".
    outside
        What a cell does that leaves the mesh: "flag" keeps the field of the last compartment
        inside, tells the share in the result, and gives NaN above 5 %; "error" raises.

    Raises
    ------
    InputError
        If the mode is unknown, sources have no weights, the waveform is not one, or a cell leaves
        the mesh under ``outside="error"``.

    Notes
    -----
    Reference of "cable" and "af" are full simulations of generated cells; their mean errors by type
    and width are in ``data/site_threshold.toml`` and in the result. Cells so near a source that the
    field along the axon peaks more sharply than in any of these runs are counted in the notes, and
    their error is NaN; so is the error of "spiking" under a carrier of a kHz or more.
    """
    check_option("activation mode", mode, get_args(Mode))
    check_option("policy for cells outside", outside, ("flag", "error"))
    drive = drive_of(waveform)
    sampler = Sampler.of(field, weights)
    n = len(population)
    out = np.full((2, n), np.inf)
    site = np.full((2, n), -1, dtype=np.int8)
    left = np.zeros(n)
    near = np.zeros(n, dtype=bool)
    draws = np.random.default_rng([population.seed, 77]).random(n)
    for k, cell in enumerate(track(population.cells, "thresholds", total=len(population.cells))):
        members = np.flatnonzero(population.cell == k)
        if mode == "spiking":
            prepared = _spiking(cell, waveform)
        else:
            prepared = _cable(cell, drive) if mode == "cable" else _af(cell, drive)
        for first in range(0, len(members), _CHUNK):
            i = members[first : first + _CHUNK]
            rise, lost = sampler.rises(
                cell.morphology, population.rotation[i], population.position[i]
            )
            left[i] = lost / len(cell.morphology)
            if mode != "spiking":
                near[i] = is_concentrated(cell.morphology, rise)[: len(i)]
            value, where = prepared(rise, draws[i])
            out[:, i] = value
            site[:, i] = np.where(where >= 0, cell.morphology.kind[where], -1)
    gone = left > 0
    if gone.any() and outside == "error":
        first = int(np.flatnonzero(gone)[0])
        raise InputError(
            f"cells must lie inside the mesh, got {gone.sum()} of {n} partly outside, the first "
            f"at {np.round(population.position[first], 4).tolist()} m"
        )
    out[:, left > OUTSIDE_LIMIT] = np.nan
    tissue_label = sampler.labels(population.position)
    if unit is None:
        unit = str(getattr(field, "unit", "1"))
    error = _errors(population, mode, drive)
    error[near] = np.nan
    carrier = mode == "spiking" and is_carrier(waveform, drive)
    if carrier:
        error[:] = np.nan
    return Recruitment(
        threshold=out,
        site=site,
        type=population.type,
        cell_class=population.cell_class,
        layer=population.layer,
        species=population.species,
        position=population.position,
        depth=population.depth,
        outside=left,
        tissue=tissue_label,
        unit=unit,
        mode=mode,
        error=error,
        notes=population.notes
        + (
            ()
            if mode == "spiking"
            else _calibration_notes(
                population, drive, error, _errors(population, mode, drive, "95")
            )
        )
        + _limits(near, carrier)
        + _notes(left, tissue_label),
    )


def _errors(
    population: Population, mode: Mode, drive: Drive, part: Literal["mean", "95"] = "mean"
) -> Floats:
    error = {c.name: calibration_error(mode, c.name, drive, part) for c in population.cells}
    return np.array([error[str(name)] for name in population.type])


def _cable(cell: Cell, drive: Drive) -> Any:
    tree = factorise(cell.morphology, drive.dt)
    fires = criterion(cell, drive)

    def of(rise: NDArray[np.float32], draws: Floats) -> tuple[Floats, NDArray[np.int32]]:
        response, where = largest_response(tree, rise, drive.amplitude, fires)
        m = len(draws)
        with np.errstate(divide="ignore"):
            return 1.0 / response[:, :m].astype(np.float64), where[:, :m]

    return of


def _af(cell: Cell, drive: Drive) -> Any:
    graph = axon_graph(cell.morphology)
    strongest = int(np.abs(drive.amplitude).argmax())
    peak = float(np.abs(drive.amplitude).max())
    level = float(second_difference_threshold(drive.width[strongest])) / peak
    reverse = drive.amplitude[strongest] < 0

    def of(rise: NDArray[np.float32], draws: Floats) -> tuple[Floats, NDArray[np.int32]]:
        value, where = chance_thresholds(graph, rise, level, draws)
        return (value[::-1], where[::-1]) if reverse else (value, where)

    return of


def _spiking(cell: Cell, waveform: Any) -> Any:
    def of(rise: NDArray[np.float32], draws: Floats) -> tuple[Floats, NDArray[np.int32]]:
        value, where = spiking_thresholds(cell, rise, waveform)
        return value[:, : len(draws)], where[:, : len(draws)]

    return of


def _calibration_notes(
    population: Population, drive: Drive, error: Floats, most: Floats
) -> tuple[str, ...]:
    notes = list(drive.notes)
    bare = sorted({c.name for c in population.cells if not is_calibrated(c.name)})
    if bare:
        notes.append(
            f"no threshold of its own for {', '.join(bare)}: taken over, see site_threshold.toml"
        )
    known = np.isfinite(error)
    if known.any():
        mean, within = (
            " to ".join(dict.fromkeys(f"{100 * x:.0f}" for x in (e[known].min(), e[known].max())))
            for e in (error, most)
        )
        notes.append(
            f"mean error of the calibration: {mean} % of a threshold, 95 % within {within} %"
        )
    return tuple(notes)


def _limits(near: NDArray[np.bool_], carrier: bool) -> tuple[str, ...]:
    notes = []
    if near.any():
        notes.append(
            f"{near.sum()} of {len(near)} cells stand closer to a source than in the calibration: "
            'their error is unknown, use mode="spiking"'
        )
    if carrier:
        notes.append(
            "a carrier of a kHz or more moves the membrane above 0 mV without a spike when it is "
            "large: whether these thresholds are those of spikes is unknown"
        )
    return tuple(notes)


def _notes(left: Floats, label: NDArray[np.int32]) -> tuple[str, ...]:
    notes = []
    count = Counter("over" if x > OUTSIDE_LIMIT else "under" for x in left.tolist() if x > 0)
    if count:
        notes.append(
            f"{count.total()} of {len(left)} cells lie partly outside the mesh, "
            f"{count['over']} of them by more than {OUTSIDE_LIMIT:.0%} (threshold unknown)"
        )
    stray = Counter(int(k) for k in label if k >= 0 and k != tissue("grey_matter").label)
    if stray and (label == tissue("grey_matter").label).any():
        where = ", ".join(f"{n} in label {k}" for k, n in sorted(stray.items()))
        notes.append(
            f"{stray.total()} of {len(label)} somata lie outside the mesh's grey matter ({where}): "
            "the cortical sheet is finer than the mesh"
        )
    return tuple(notes)
