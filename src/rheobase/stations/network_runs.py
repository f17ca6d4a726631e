"""Runs of the local circuit, kept in the cache: one and the same seed gives the same spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from rheobase._files import cache_dir, content_key, keep, package_key, whole_file

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

    key = content_key(package_key("rheobase.neurons"), duration, scale, seed, _plain(drive))
    path = cache_dir() / "networks" / f"microcircuit-{key}.npz"
    found = _load(path, duration=duration, dt=network.dt, seed=seed)
    if found is None:
        found = simulate(network, duration, seed=seed, drive=drive, record_currents=True)
        run = found
        keep(path, lambda path: _save(path, run))
    return found


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

    with whole_file(path) as part, part.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            **{name: np.asarray(getattr(run, name)) for name in (*_ARRAYS, *_WORDS)},
        )


def _load(path: Path, **more: Any) -> Spikes | None:
    """Return the run of a file, None where there is none or it is damaged."""
    import numpy as np

    from rheobase.neurons.network.simulation import Spikes

    try:
        with np.load(path, allow_pickle=False) as file:
            parts: dict[str, Any] = {name: file[name] for name in _ARRAYS}
            parts |= {name: tuple(file[name].tolist()) for name in _WORDS}
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
    return Spikes(**parts, **more)
