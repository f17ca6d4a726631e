"""Pictures of networks: spikes, rates, currents and potentials around a stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.neurons.network.readout import Evoked

LABELLED = 0.03  # share of a column's cells from which on a population's name has room


def network_response(
    spikes: tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]],
    *,
    names: Sequence[str],
    excitatory: Sequence[bool],
    first: NDArray[np.int64],
    rates: tuple[Evoked, Evoked],
    wave: tuple[Evoked, Evoked],
) -> Figure:
    """Draw spikes, rates and the evoked wave of a network around a pulse.

    Parameters
    ----------
    spikes
        Times after the pulse (s), neurons and population of each, shape (n_spikes,) each.
    names, excitatory
        Name of each population and whether it excites.
    first
        First neuron of each population and the end, shape (n_populations + 1,).
    rates, wave
        Rate by population and synaptic current by layer, with and without the pulse.
    """
    figure = new_figure(13.5, 5.6)
    dots, lines, currents = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    times, ids, population = spikes
    for k in range(len(names)):
        of = population == k
        colour = COLOURS[0] if excitatory[k] else COLOURS[1]
        dots.plot(times[of] * 1e3, ids[of], ".", ms=1.0, color=colour)
    middle = (first[:-1] + first[1:]) / 2
    dots.set(yticks=middle, yticklabels=names, ylim=(first[-1], 0))
    dots.set_title("spikes (blue excites, red inhibits)", fontsize=10)
    step = float(rates[0].value.max())
    for k in range(len(names)):
        colour = COLOURS[0] if excitatory[k] else COLOURS[1]
        lines.plot(rates[1].time * 1e3, rates[1].value[k] / step - k, color="0.65", lw=1)
        lines.plot(rates[0].time * 1e3, rates[0].value[k] / step - k, color=colour, lw=1.2)
    lines.set(yticks=-np.arange(len(names)), yticklabels=names)
    lines.set_title(f"rate; distance between lines {step:.0f} Hz", fontsize=10)
    for k, layer in enumerate(wave[0].names):
        currents.plot(wave[1].time * 1e3, wave[1].value[k] * 1e9, color="0.75", lw=1)
        currents.plot(wave[0].time * 1e3, wave[0].value[k] * 1e9, color=COLOURS[k], label=layer)
    currents.set(ylabel="|I_E| + |I_I| of the excitatory cells (nA)")
    currents.legend(frameon=False, fontsize=8)
    currents.set_title("evoked wave by layer", fontsize=10)
    for panel in (dots, lines, currents):
        panel.set(xlabel="time after the pulse (ms)", xlim=(-20, 60))
        panel.axvline(0, color="k", lw=0.5)
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def columns_response(
    spikes: tuple[NDArray[np.float64], NDArray[np.int32]],
    *,
    names: Sequence[str],
    first: NDArray[np.int64],
    time: NDArray[np.float64],
    change: NDArray[np.float64],
    rates: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Figure:
    """Draw the spikes of one column around a pulse, and the mean response of all.

    Parameters
    ----------
    spikes
        Times after the pulse (s) and neurons of one column, shape (n_spikes,) each.
    names, first
        Populations of the column, and the first neuron of each and the end.
    time
        Ends of the bins after the pulse (s), shape (n_bins,).
    change
        Rate with less rate without pulses (Hz), shape (n_populations, n_bins).
    rates
        Mean rate over all cells with and without pulses (Hz), shape (n_bins,) each.
    """
    figure = new_figure(13.5, 5.6)
    dots, heat, lines = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1))
    times, ids = spikes
    population = np.searchsorted(first, ids, side="right") - 1
    for k, name in enumerate(names):
        of = population == k
        dots.plot(times[of] * 1e3, ids[of], ".", ms=1.5, color=_class_colour(name))
    large = np.flatnonzero(np.diff(first) >= LABELLED * (first[-1] - first[0]))
    dots.set(
        yticks=(first[large] + first[large + 1]) / 2,
        yticklabels=[names[int(k)] for k in large],
        ylim=(first[-1], first[0]),
        xlim=(-20, 60),
    )
    dots.tick_params(axis="y", labelsize=7)
    dots.set_title("spikes of one column around the first pulse", fontsize=10)
    shown = (time > -0.02) & (time <= 0.1)
    ms = time[shown] * 1e3
    limit = max(float(np.quantile(np.abs(change[:, shown]), 0.99)), 1e-9)
    image = heat.imshow(
        change[:, shown],
        aspect="auto",
        extent=(ms[0] - (ms[1] - ms[0]), ms[-1], len(names) - 0.5, -0.5),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
    )
    heat.set(yticks=range(len(names)), yticklabels=names)
    heat.tick_params(axis="y", labelsize=7)
    heat.set_title("change of the rate, mean over pulses and columns", fontsize=10)
    figure.colorbar(image, ax=heat, label="Hz", extend="both")
    lines.plot(time * 1e3, rates[1], color="0.65", lw=1, label="without pulses")
    lines.plot(time * 1e3, rates[0], color=COLOURS[0], lw=1.2, label="with pulses")
    lines.set(ylabel="mean rate of all cells (Hz)", xlim=(-20, 100), ylim=(0, None))
    lines.legend(frameon=False, fontsize=8)
    for panel in (dots, heat, lines):
        panel.set(xlabel="time after the pulse (ms)")
        panel.axvline(0, color="k", lw=0.5)
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def entrained(
    names: Sequence[str],
    strength: tuple[NDArray[np.float64], NDArray[np.float64]],
    chance: NDArray[np.float64],
    phase: NDArray[np.float64],
    *,
    histogram: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    title: str,
) -> Figure:
    """Draw how strongly, and at which phase, each population follows an alternating field.

    Parameters
    ----------
    names
        Populations, n of them.
    strength
        Phase-locking value with and without the field, shape (n,) each.
    chance
        Value that chance exceeds in 5 of 100 cases, shape (n,).
    phase
        Mean phase (rad), shape (n,).
    histogram
        Phases (rad) and mean rate of the pyramidal cells with and without the field (Hz), shape
        (n_bins,) each.
    title
        The field in words.
    """
    figure = new_figure(13.5, 4.8)
    bars, turned, course = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    y = np.arange(len(names))
    colours = [_class_colour(name) for name in names]
    bars.barh(y, strength[0], color=colours, height=0.7)
    bars.plot(strength[1], y, "o", color="0.5", ms=4, label="without the field")
    bars.plot(chance, y, "|", color="k", ms=9, mew=1.5, label="5 % level of chance")
    bars.set(yticks=y, yticklabels=names, ylim=(len(names) - 0.5, -0.5), xlim=(0, None))
    bars.tick_params(axis="y", labelsize=7)
    bars.set(xlabel="phase-locking value of the spikes (1)")
    bars.legend(frameon=False, fontsize=8)
    locked = strength[0] > chance
    turned.scatter(
        np.rad2deg(phase[locked]),
        y[locked],
        c=[c for c, on in zip(colours, locked, strict=True) if on],
    )
    turned.set(
        yticks=y,
        yticklabels=[],
        ylim=(len(names) - 0.5, -0.5),
        xlim=(-180, 180),
        xticks=range(-180, 181, 90),
        xlabel="mean phase after the crest (degrees)",
    )
    turned.axvline(0, color="k", lw=0.5)
    turned.set_title("populations above chance", fontsize=10)
    angle, driven, free = histogram
    course.step(np.rad2deg(angle), free, where="mid", color="0.65", label="without the field")
    course.step(np.rad2deg(angle), driven, where="mid", color=COLOURS[0], label="with the field")
    course.set(xlabel="phase of the field (degrees)", ylabel="rate of the pyramidal cells (Hz)")
    course.set(xticks=range(-180, 181, 90), ylim=(0, None))
    course.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    for panel in (bars, turned, course):
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def _class_colour(name: str) -> str:
    """Return the colour of the class that a population's name ends with."""
    return COLOURS[("PYR", "PV", "SST", "VIP", "NGC").index(name.rpartition("_")[2])]
