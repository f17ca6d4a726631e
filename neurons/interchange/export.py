"""A network as a folder that another simulator runs: SONATA files and a script of its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase.neurons.interchange.write import write_sonata
from rheobase.neurons.network.model import Network

_SCRIPTS = {"nest": "run_nest.py", "pynn": "run_pynn.py"}


def export_network(
    folder: Path | str,
    network: Network,
    simulator: str,
    *,
    duration: float = 1.0,
    seed: int = 0,
    trains: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    positions: ArrayLike | None = None,
) -> Path:
    """Write a network and its run as a folder that NEST or PyNN runs.

    The folder is that of `write_sonata`, without the index by target. The script needs neither
    rheobase nor libsonata; its spikes are for `read_spikes`.

    Parameters
    ----------
    folder
        Where to write.
    network
        Network.
    simulator
        "nest" or "pynn".
    duration, seed, trains, positions
        As for `write_sonata`.

    Returns
    -------
    Path
        The script.

    Raises
    ------
    InputError
        If there is no such simulator, PyNN is to run short-term plasticity (which means another
        model in each of its simulators), or the folder cannot be written.
    """
    check_option("simulator", simulator, _SCRIPTS, where="export of a network")
    if simulator == "pynn" and network.plasticity:
        raise InputError(
            "short-term plasticity is another model in each of PyNN's simulators, "
            "expected a network without: export to 'pynn'"
        )
    write_sonata(
        folder,
        network,
        duration=duration,
        seed=seed,
        trains=trains,
        positions=positions,
        target_index=False,
    )
    script = Path(folder) / _SCRIPTS[simulator]
    template = files("rheobase.neurons.interchange").joinpath("template", f"{script.name}.txt")
    with whole_file(script) as part:
        part.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    return script
