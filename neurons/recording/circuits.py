"""The circuits of this package as electrodes see them: cells, places of synapses, columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.meshes.cortex.layers import LayerTable, layer_table
from rheobase.neurons.columns.geometry import hexagon_area
from rheobase.neurons.columns.network import ColumnNetwork
from rheobase.neurons.generate import Cell, generate_cell, type_of
from rheobase.neurons.morphology import Floats
from rheobase.neurons.network.microcircuit import microcircuit_facts
from rheobase.neurons.network.model import LIF, Network
from rheobase.neurons.recording.kernels import Kernel, depth_grid, synaptic_kernel
from rheobase.neurons.recording.recorder import Recorder
from rheobase.neurons.recording.sites import (
    EXTERNAL,
    PLACE_OF_CLASS,
    layer_shares,
    site_at,
    site_in_layers,
)

MICROCIRCUIT_AREA = 1e-6  # m²
MICROCIRCUIT_CELLS: Mapping[str, str] = {
    "L23E": "L23_pyramidal",
    "L23I": "L23_basket",
    "L4E": "L4_star_pyramidal",
    "L4I": "L4_basket",
    "L5E": "L5_pyramidal",
    "L5I": "L5_basket",
    "L6E": "L6_pyramidal",
    "L6I": "L6_basket",
}
CELLS = 4  # whose kernels are averaged for each population


def microcircuit_recorder(
    network: Network, *, cells_per_population: int = CELLS, seed: int = 0
) -> Recorder:
    """Return the recorder of the Potjans-Diesmann microcircuit, at any scale.

    Cat visual cortex (layers, places of synapses), cells of rat size, one type a population, spread
    over the depths of their layer. Their membranes have the time constant of the point neurons.
    The network's cells, however few, stand for those under 1 mm².

    Parameters
    ----------
    network
        What `rheobase.neurons.network.microcircuit` built.
    cells_per_population
        Cells whose kernels are averaged, each of its own shape and depth.
    seed
        Of the shapes.

    Raises
    ------
    InputError
        If the network has other populations, or there is no cell.
    """
    facts = microcircuit_facts()
    names: tuple[str, ...] = tuple(facts["populations"])
    if network.names != names:
        raise InputError(f"expected the populations {', '.join(names)}, got {network.names!r}")
    layers = layer_table("cat")
    groups = (*names, EXTERNAL)
    excites = [name.endswith("E") or name == EXTERNAL for name in groups]
    kernels = {}
    for p in track(network.populations, "kernels of the recording", total=len(names)):
        cells = cells_between(
            MICROCIRCUIT_CELLS[p.name],
            "cat",
            *layers.layer(_table_name(p.layer)),
            n=cells_per_population,
            seed=seed,
            sizes="rat",
        )
        sites = [
            [
                _spread(cell, layers, p.name, g, soma=not e)
                for g, e in zip(groups, excites, strict=True)
            ]
            for cell in cells
        ]
        kernels[p.name] = mean_kernel(cells, sites, p.neuron, excites, layers, dt=network.dt)
    sizes = np.array([p.size for p in network.populations])
    return Recorder(
        network=network,
        groups=groups,
        group=range(len(names)),
        kernels=kernels,
        kind=names,
        column=[0] * len(names),
        centres=np.zeros((1, 2)),
        radius=float(np.sqrt(MICROCIRCUIT_AREA / np.pi)),
        stands_for=(np.array(facts["sizes"]["N"]) / sizes).tolist(),
    )


def columns_recorder(
    columns: ColumnNetwork, *, cells_per_population: int = CELLS, seed: int = 0
) -> Recorder:
    """Return the recorder of the seven columns of a species.

    Excitatory synapses sit in the layers where the cat's are, by layers of source and target;
    inhibitory ones where the class of their source ends (`rheobase.neurons.recording.sites`). The
    cells of a population stand for all those under its hexagon, which counts as a disc of the same
    area.

    Parameters
    ----------
    columns
        What `rheobase.neurons.columns` built.
    cells_per_population
        Cells whose kernels are averaged, each of its own shape and depth.
    seed
        Of the shapes.

    Raises
    ------
    InputError
        If there is no cell.
    """
    tissue, network = columns.circuit, columns.network
    layers = layer_table(columns.species)
    groups = (*tissue.names, EXTERNAL)
    excites = [c == "PYR" for c in tissue.cell_class] + [True]
    sources = list(zip(tissue.layer, tissue.cell_class, strict=True))
    kernels = {}
    for k, name in enumerate(track(tissue.names, "kernels of the recording", total=len(sources))):
        layer, cell_class = sources[k]
        target = _counted(layer, cell_class)
        cells = cells_between(
            type_of(cell_class, _table_name(layer)),
            columns.species,
            *(d / layers.thickness for d in tissue.borders[layer]),
            n=cells_per_population,
            seed=seed,
        )
        sites = [
            [
                site_at(cell, PLACE_OF_CLASS[c])
                if c in PLACE_OF_CLASS
                else _spread(cell, layers, target, _counted(where, c), soma=False)
                for where, c in sources
            ]
            + [_spread(cell, layers, target, EXTERNAL, soma=False)]
            for cell in cells
        ]
        kernels[name] = mean_kernel(cells, sites, tissue.cells[k], excites, layers, dt=network.dt)
    n, c = len(tissue.names), len(columns.centres)
    sizes = np.array([p.size for p in network.populations]).reshape(c, n)
    area = hexagon_area(columns.radius)
    return Recorder(
        network=network,
        groups=groups,
        group=list(range(n)) * c,
        kernels=kernels,
        kind=tissue.names * c,
        column=np.repeat(np.arange(c), n).tolist(),
        centres=columns.centres,
        radius=float(np.sqrt(area / np.pi)),
        stands_for=(tissue.density * area / sizes).ravel().tolist(),
    )


def cells_between(
    name: str,
    species: str,
    top: float,
    bottom: float,
    *,
    n: int,
    seed: int,
    sizes: str | None = None,
) -> list[Cell]:
    """Return ``n`` cells of a type whose somata are spread evenly between two depths.

    Parameters
    ----------
    name, species, sizes
        As for `generate_cell`.
    top, bottom
        Depths as fractions of the cortex, within the layer of the type.
    n
        How many.
    seed
        Of the first; the others have the next ones.

    Raises
    ------
    InputError
        If ``n`` is not >= 1, or as from `generate_cell`.
    """
    if n < 1:
        raise InputError(f"expected one or more cells of {name!r}, got {n}")
    depths = top + (bottom - top) * (np.arange(n) + 0.5) / n
    return [
        generate_cell(name, species, seed=seed + k, depth=float(d), sizes=sizes)
        for k, d in enumerate(depths)
    ]


def mean_kernel(
    cells: Sequence[Cell],
    sites: Sequence[Sequence[Floats]],
    neuron: LIF,
    excites: Sequence[bool],
    layers: LayerTable,
    *,
    dt: float,
) -> Kernel:
    """Return the mean kernel of cells that stand for a population of point neurons.

    Parameters
    ----------
    cells
        The cells of `cells_between`; each stands for all depths of its part.
    sites
        For each cell the sites of the groups, shape (groups, n).
    neuron
        The point neuron, whose time constants the membrane and the synapses take.
    excites
        Whether each group excites.
    layers
        Of the cortex, for the depth grid.
    dt
        Step (s).
    """
    grid = depth_grid(layers.thickness)
    tau: NDArray[np.float64] = np.where(excites, neuron.tau_E, neuron.tau_I)
    depths = np.array([cell.depth * cell.thickness for cell in cells])
    height = float(np.diff(depths).mean()) if len(cells) > 1 else 0.0
    return Kernel.mean(
        [
            synaptic_kernel(cell, s, tau=tau, dt=dt, tau_m=neuron.tau_m, depth=grid).spread(height)
            for cell, s in zip(cells, sites, strict=True)
        ]
    )


def _spread(cell: Cell, layers: LayerTable, target: str, source: str, *, soma: bool) -> Floats:
    """Return the site of the synapses from a source that the cat's table knows."""
    return site_in_layers(cell, layers, layer_shares().get((target, source), {}), soma=soma)


def _table_name(layer: str) -> str:
    """Return what the layer tables call a layer of a circuit."""
    return "L2/3" if layer in ("L2", "L3", "L23") else layer


def _counted(layer: str, cell_class: str) -> str:
    """Return the population of the cat's table that stands for a class in a layer."""
    return ("L23" if layer in ("L2", "L3") else layer) + ("E" if cell_class == "PYR" else "I")
