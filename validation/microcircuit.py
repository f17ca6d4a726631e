"""Rates of the 10 % microcircuit against the same network in other simulators.

The reference is ten networks, each of its own seed, in NEST with the same downscaling, 5 s each
after 0.5 s. Ours are five networks, 5 s each after 0.5 s, with seeds of their own. Were they
further runs of NEST, the mean of m of them would differ from the mean of n in the reference by
s sqrt(1/n + 1/m) times Student's t with n - 1 degrees of freedom, s being the reference's deviation
from seed to seed. The limit is that difference at a chance of 1 % for all eight populations
together; nothing of our runs enters it.

Two older runs of the peers are single and 0.3 s long. They are compared in deviations of a 0.3 s
window of our runs, the largest of eight populations, again at a chance of 1 %.
"""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rheobase.neurons.network.microcircuit import microcircuit, microcircuit_facts
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.validation.case import Row

SEEDS = (101, 102, 103, 104, 105)
DISCARD, SECONDS = 0.5, 5.0
CHANCE = 0.01  # of a false alarm among all populations


def microcircuit_rates() -> list[Row]:
    """Compare mean rates by population with NEST and Brian2."""
    names: list[str] = microcircuit_facts()["populations"]
    table = files("rheobase.validation").joinpath("data/microcircuit_10_percent.csv")
    peers = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    rates = np.array([[float(peer[f"{n}_Hz"]) for n in names] for peer in peers])
    long = np.array([float(peer["seconds"]) == SECONDS for peer in peers])
    reference = rates[long]

    runs = [
        simulate(microcircuit(scale=0.1, seed=seed), DISCARD + SECONDS, seed=seed) for seed in SEEDS
    ]
    ours = np.array([window_rates(run, SECONDS)[0] for run in runs])
    n, m = len(reference), len(ours)
    t = stats.t.ppf(1 - CHANCE / len(names) / 2, n - 1)
    mean = reference.mean(axis=0)
    limit = t * reference.std(axis=0, ddof=1) * np.sqrt(1 / n + 1 / m) / mean
    rows = [
        Row(
            case="microcircuit-rates",
            quantity=f"rate of {name}, mean of {m} networks of 5 s at 10 %",
            value=float(ours[:, k].mean()),
            reference=float(mean[k]),
            error=float(abs(ours[:, k].mean() / mean[k] - 1)),
            limit=float(limit[k]),
            unit="Hz",
            source=f"{peers[0]['simulator']}, {n} networks of 5 s",
        )
        for k, name in enumerate(names)
    ]
    for peer, rate in zip(peers, rates, strict=True):
        length = float(peer["seconds"])
        if length == SECONDS:
            continue
        windows = np.concatenate([window_rates(run, length) for run in runs])
        z = (rate - windows.mean(axis=0)) / windows.std(axis=0, ddof=1)
        k = int(np.abs(z).argmax())
        rows.append(
            Row(
                case="microcircuit-rates",
                quantity=f"rate of {names[k]}, the farthest of 8 from one run of {length} s; error "
                f"in deviations of our {length} s windows",
                value=float(ours[:, k].mean()),
                reference=float(rate[k]),
                error=float(abs(z[k])),
                limit=float(stats.t.ppf(1 - CHANCE / len(names) / 2, len(windows) - 1)),
                unit="Hz",
                source=f"{peer['simulator']}, one run of {length} s",
            )
        )
    return rows


def window_rates(run: Spikes, length: float) -> NDArray[np.float64]:
    """Return rates (Hz) in windows of ``length`` (s) after the start, shape (n, n_populations)."""
    n = int((run.duration - DISCARD) / length + 1e-9)
    kept = (run.times > DISCARD) & (run.times <= DISCARD + n * length)
    count = np.histogram2d(
        run.times[kept], run.ids[kept], [DISCARD + length * np.arange(n + 1), run.first]
    )[0]
    return np.asarray(count / run.sizes / length)
