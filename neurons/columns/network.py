"""Seven columns as a network of spiking cells.

A column is a hexagonal prism of cortex, six stand around one. It has fewer cells than its piece of
cortex: a *sample*. In-degrees and weights are those of the tissue whatever the number of cells, so
that the mean and the variance of what a cell receives do not depend on it; what a smaller sample
changes are the correlations, as cells share more of their inputs.

The K synapses that a cell of column b receives on average from a population of column a are the
peak probability of that connection, times the cells of that population in a column of tissue, times
the mean of the lateral profile over pairs of points of the two columns. Sources and targets are
uniform within the columns. Weights are log-normal. The delay is the measured latency of the
connection and the distance of the two somata over the velocity of thin axons. Without short-term
plasticity the weights are those that it leaves at the rates at rest.

Input from outside is Poisson, at rates that hold each population at its rate at rest
(``data/columns_working_point.csv``; ``benchmarks/columns_working_point.py`` makes it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_seed
from rheobase.neurons.columns.circuit import Circuit, circuit, column_facts, read_table
from rheobase.neurons.columns.geometry import (
    draw_in_hexagon,
    hexagon_area,
    hexagon_centres,
    mean_profile,
)
from rheobase.neurons.network.model import LIFPopulation, Network, Synapses
from rheobase.neurons.network.wiring import Projection, wire

N_COLUMNS = 7
FEWEST, MOST = 200, 20_000  # cells of a column


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ColumnNetwork:
    """Seven columns: their network, and where and what each of its n cells is.

    Populations are named "C0_L23_PYR": column (0 the centre, 1 to 6 around it), layer and class.

    Parameters
    ----------
    network
        Populations and synapses.
    circuit
        What the columns were made of.
    positions
        Somata (m), shape (n, 3): lateral x and y from the centre of column 0, z = -depth.
    column
        Column of each cell, shape (n,).
    layer, cell_class
        Layer ("L23") and class ("NGC", "PYR", "PV", "SST", "VIP") of each cell, shape (n,).
    centres
        Centre of each column (m), shape (7, 2).
    radius
        Circumscribed radius (m) of a column.
    """

    network: Network
    circuit: Circuit
    positions: NDArray[np.float64]
    column: NDArray[np.int64]
    layer: NDArray[np.str_]
    cell_class: NDArray[np.str_]
    centres: NDArray[np.float64]
    radius: float

    @property
    def species(self) -> str:
        """Name of the species."""
        return self.circuit.species

    @property
    def depth(self) -> NDArray[np.float64]:
        """Depth of each soma below the pia (m), shape (n,)."""
        return -self.positions[:, 2]

    @property
    def layers(self) -> dict[str, tuple[float, float]]:
        """Top and bottom of each layer below the pia (m)."""
        return self.circuit.borders

    @property
    def target_rates(self) -> dict[str, float]:
        """Rate at rest (Hz) that the working point aims at, by population of the network."""
        rates = self.circuit.rates
        return {
            f"C{c}_{name}": float(rates[k])
            for c in range(N_COLUMNS)
            for k, name in enumerate(self.circuit.names)
        }

    def ids(
        self,
        *,
        column: int | None = None,
        layer: str | None = None,
        cell_class: str | None = None,
    ) -> NDArray[np.int64]:
        """Return the cells of a column, layer and class; None takes all.

        Raises
        ------
        InputError
            If there is no such column, layer or class.
        """
        if column is not None and column not in range(N_COLUMNS):
            raise InputError(f"column must be in 0..{N_COLUMNS - 1}, got {column}")
        chosen = np.ones(len(self.column), dtype=bool)
        if column is not None:
            chosen &= self.column == column
        if layer is not None:
            check_option("layer", layer, self.layers, where=f"columns of the {self.species}")
            chosen &= self.layer == layer
        if cell_class is not None:
            check_option("class", cell_class, sorted(set(self.circuit.cell_class)))
            chosen &= self.cell_class == cell_class
        return np.flatnonzero(chosen)

    def population(self, column: int, layer: str, cell_class: str) -> str:
        """Return the name of a population.

        Raises
        ------
        InputError
            If there is none, with the nearest names.
        """
        name = f"C{column}_{layer}_{cell_class}"
        return check_option("population", name, self.network.names, where="columns")


def columns(
    species: str,
    *,
    neurons_per_column: int = 2000,
    seed: int,
    dt: float = 1e-4,
    plasticity: bool = False,
) -> ColumnNetwork:
    """Build seven columns.

    Parameters
    ----------
    species
        "rat", "mouse" or "human".
    neurons_per_column
        Cells of a column, about: each population has at least one. The tissue of a column holds
        10,000 (mouse, human) to 17,000 (rat).
    seed
        Seed (>= 0) of positions and synapses.
    dt
        Step (s).
    plasticity
        Whether synapses are depressed and facilitated by their own spikes where it is known how.

    Raises
    ------
    InputError
        If the species is unknown, the number of cells outside 200..20000, or the seed negative.

    Examples
    --------
    >>> small = columns("mouse", neurons_per_column=300, seed=1)
    >>> small.network.names[:2], small.positions.shape
    (('C0_L1_NGC', 'C0_L23_PYR'), (2093, 3))
    """
    if not FEWEST <= neurons_per_column <= MOST:
        raise InputError(
            f"neurons_per_column must be in {FEWEST}..{MOST}, got {neurons_per_column}: columns"
        )
    check_seed(seed, where="columns")
    tissue = circuit(species)
    facts = column_facts()
    spacing = facts["geometry"]["spacing_um"] * 1e-6
    radius = spacing / np.sqrt(3)
    centres = hexagon_centres(spacing)
    sizes = sample_sizes(tissue, neurons_per_column)
    external = working_point(species)
    populations = [
        LIFPopulation(
            name=f"C{c}_{name}",
            layer=tissue.layer[k],
            excitatory=tissue.cell_class[k] == "PYR",
            size=int(sizes[k]),
            neuron=tissue.cells[k],
            external_rate=external["ring" if c else "centre"][name],
            external_weight=tissue.cells[k].psc(facts["weights"]["external_psp_mV"] * 1e-3),
            V0_mean=(tissue.cells[k].E_L + tissue.cells[k].V_th) / 2,
            V0_sd=facts["neuron_all"]["V0_sd_mV"] * 1e-3,
        )
        for c in range(N_COLUMNS)
        for k, name in enumerate(tissue.names)
    ]
    in_degree = in_degrees(tissue, centres, radius)
    weight = tissue.rested_weights()
    weight *= 1 / tissue.use() if plasticity else tissue.resting_factors()
    projections = [
        Projection(
            source=f"C{a}_{source}",
            target=f"C{b}_{target}",
            n_synapses=round(in_degree[a, b, i, j] * sizes[j]),
            weight_mean=weight[i, j],
            delay_mean=tissue.latency[i, j],
        )
        for a in range(N_COLUMNS)
        for b in range(N_COLUMNS)
        for i, source in enumerate(tissue.names)
        for j, target in enumerate(tissue.names)
        if round(in_degree[a, b, i, j] * sizes[j]) > 0
    ]
    positions = _positions(tissue, sizes, centres, radius, seed)
    synapses = _finished(wire(populations, projections, dt=dt, seed=seed), positions, dt, seed)
    changing = {
        (f"C{a}_{tissue.names[i]}", f"C{b}_{tissue.names[j]}"): constants
        for a in range(N_COLUMNS)
        for b in range(N_COLUMNS)
        for i, row in enumerate(tissue.plasticity)
        for j, constants in enumerate(row)
        if plasticity and constants is not None
    }
    return ColumnNetwork(
        network=Network(
            populations=tuple(populations), synapses=synapses, dt=dt, plasticity=changing
        ),
        circuit=tissue,
        positions=positions,
        column=np.repeat(np.arange(N_COLUMNS), sizes.sum()),
        layer=np.tile(np.repeat(tissue.layer, sizes), N_COLUMNS),
        cell_class=np.tile(np.repeat(tissue.cell_class, sizes), N_COLUMNS),
        centres=centres,
        radius=float(radius),
    )


def sample_sizes(tissue: Circuit, neurons_per_column: int) -> NDArray[np.int64]:
    """Return the cells of each population in a column, >= 1, shape (n_populations,)."""
    share = tissue.density / tissue.density.sum()
    return np.maximum(np.rint(share * neurons_per_column), 1).astype(np.int64)


def in_degrees(tissue: Circuit, centres: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return K, the mean number of synapses that a cell has from a population of a column.

    Returns
    -------
    ndarray, shape (source column, target column, source population, target population)
    """
    n = len(centres)
    cells = tissue.density * hexagon_area(radius)
    profile = np.empty((n, n, *tissue.sigma.shape))
    for sigma in np.unique(tissue.sigma):
        for a in range(n):
            for b in range(n):
                dx, dy = np.abs(centres[b] - centres[a]).round(9)
                mean = mean_profile(radius, (float(dx), float(dy)), float(sigma))
                profile[a, b][tissue.sigma == sigma] = mean
    out: NDArray[np.float64] = profile * tissue.peak * cells[:, None]
    return out


def working_point(species: str) -> dict[str, dict[str, float]]:
    """Return the rate (Hz) of external spikes of a cell, by place ("centre", "ring") and name."""
    out: dict[str, dict[str, float]] = {"centre": {}, "ring": {}}
    for row in read_table("columns_working_point"):
        if row["species"] == species:
            out[row["place"]][row["population"]] = float(row["external_rate_Hz"])
    return out


def _positions(
    tissue: Circuit,
    sizes: NDArray[np.int64],
    centres: NDArray[np.float64],
    radius: float,
    seed: int,
) -> NDArray[np.float64]:
    """Draw the somata (m) evenly within the columns and layers, shape (n, 3)."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 5])))
    n = int(sizes.sum())
    borders = np.array([tissue.borders[layer] for layer in tissue.layer])
    top, bottom = np.repeat(borders, sizes, axis=0).T
    out = np.empty((len(centres) * n, 3))
    for c, centre in enumerate(centres):
        column = out[c * n : (c + 1) * n]
        column[:, :2] = centre + draw_in_hexagon(n, radius, rng)
        column[:, 2] = -rng.uniform(top, bottom)
    return out


def _finished(synapses: Synapses, positions: NDArray[np.float64], dt: float, seed: int) -> Synapses:
    """Return the synapses with log-normal weights and the time along the axon in their delays."""
    facts = column_facts()
    shape, velocity = facts["weights"]["shape"], facts["lateral"]["velocity_m_per_s"]
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 6])))
    weight = rng.standard_normal(len(synapses.weight), dtype=np.float32)
    weight = np.exp(shape * weight - shape**2 / 2, dtype=np.float32) * synapses.weight
    source = np.repeat(np.arange(len(positions), dtype=np.int32), np.diff(synapses.start))
    at = positions.astype(np.float32)
    along = at[source] - at[synapses.target]
    distance = np.sqrt(np.einsum("ij,ij->i", along, along))
    steps = synapses.delay + np.rint(distance / np.float32(velocity * dt)).astype(np.int64)
    kind = np.uint8 if steps.max(initial=1) < 256 else np.uint16
    return replace(synapses, weight=weight, delay=steps.astype(kind))
