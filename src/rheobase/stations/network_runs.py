"""Runs of the local circuit, kept in the cache: one and the same seed gives the same spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase._kept import kept, kept_path, load_arrays, save_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.neurons.network.drive import Drive
    from rheobase.neurons.network.model import Network
    from rheobase.neurons.network.simulation import Spikes

_ARRAYS = ("times", "ids", "first", "currents", "potentials")
_WORDS = ("names", "layers", "excitatory")


def run_microcircuit(
    network: Network, duration: float, *, scale: float, seed: int, drive: Drive | None = None
) -> Spikes:
    """Simulate the microcircuit with its synaptic currents, or take what was simulated before.

    Parameters
    ----------
    network
        ``microcircuit(scale=scale, seed=seed)``.
    duration
        Of the run (s).
    scale, seed
        What the network was made with; the seed is that of the run too.
    drive
        What makes cells fire directly.
    """
    from rheobase.neurons.network.simulation import simulate

    made = [duration, scale, seed, *_plain(drive)]
    return kept(
        kept_path("networks", "microcircuit", made, code=("rheobase.neurons",)),
        lambda: simulate(network, duration, seed=seed, drive=drive, record_currents=True),
        load=lambda path: _load(path, duration=duration, dt=network.dt, seed=seed),
        save=_save,
    )


def _plain(drive: Drive | None) -> list[Any]:
    """Return a drive as plain values."""
    import numpy as np

    if drive is None:
        return []
    latency = drive.latency if isinstance(drive.latency, dict) else {"": drive.latency}
    maps = (drive.probability, latency)
    parts = [{name: np.asarray(v).tolist() for name, v in one.items()} for one in maps]
    return [*parts, drive.times.tolist()]


def _save(path: Path, run: Spikes) -> None:
    import numpy as np

    save_arrays(path, {name: np.asarray(getattr(run, name)) for name in (*_ARRAYS, *_WORDS)})


def _load(path: Path, **more: Any) -> Spikes:
    from rheobase.neurons.network.simulation import Spikes

    parts = load_arrays(path)
    return Spikes(**parts | {name: tuple(parts[name].tolist()) for name in _WORDS}, **more)
