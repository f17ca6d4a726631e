"""What is known of a species' cortex: layers, densities, connections and cells by layer and class.

Tables and constants are in ``neurons/data/columns*``, each with its source and status. Mouse
connectivity is measured by layer and class; the rat's lacks the cells of layer 1 and the VIP cells
of layers 4 to 6, which have the mouse's in-degrees; the human's is *assembled*: classes of layer
2/3 times the layers of Potjans & Diesmann (2014).
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import check_option
from rheobase.neurons.columns.geometry import mean_profile
from rheobase.neurons.network.microcircuit import microcircuit_facts
from rheobase.neurons.network.model import LIF
from rheobase.neurons.network.plasticity import ShortTerm

SPECIES = ("rat", "mouse", "human")
CLASSES = ("NGC", "PYR", "PV", "SST", "VIP")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Circuit:
    """A species' cortex by population, a population being a class of cells in a layer.

    Parameters
    ----------
    species
        "rat", "mouse" or "human".
    names, layer, cell_class
        Name ("L23_PYR"), layer ("L23") and class of each of the n populations.
    density
        Cells under a unit of cortical surface (1/m²), shape (n,).
    peak
        Probability that two cells with no lateral distance are connected, shape (source, target).
    sigma
        Lateral decay (m): the probability falls as exp(-r²/(2 sigma²)), shape (source, target).
    psp
        Peak of the potential (V) that a spike makes in a cell at rest after a long pause, < 0
        where it inhibits, shape (source, target).
    plasticity
        Short-term plasticity of each connection, None where it is not known.
    latency
        From spike to the begin of the potential in a near cell (s), shape (source, target).
    cells
        Constants of the cells of each population.
    rates
        Rate (Hz) of each population at rest that the working point aims at, shape (n,).
    borders
        Top and bottom (m) of each layer below the pia.
    """

    species: str
    names: tuple[str, ...]
    layer: tuple[str, ...]
    cell_class: tuple[str, ...]
    density: NDArray[np.float64]
    peak: NDArray[np.float64]
    sigma: NDArray[np.float64]
    psp: NDArray[np.float64]
    plasticity: tuple[tuple[ShortTerm | None, ...], ...]
    latency: NDArray[np.float64]
    cells: tuple[LIF, ...]
    rates: NDArray[np.float64]
    borders: dict[str, tuple[float, float]]

    def rested_weights(self) -> NDArray[np.float64]:
        """Return the weight (A) of each connection after a pause, shape (source, target).

        The potentials' peaks, with the excitation of pyramidal and VIP cells scaled as the data
        file says.
        """
        weight = np.empty_like(self.psp)
        for k, cell in enumerate(self.cells):
            excites = cell.psc(1.0)
            inhibits = replace(cell, tau_E=cell.tau_I).psc(1.0)
            psp = self.psp[:, k]
            weight[:, k] = np.where(psp > 0, psp * excites, psp * inhibits)
            if self.cell_class[k] in ("PYR", "VIP"):
                weight[psp > 0, k] *= column_facts()["weights"]["excitation"][self.species]
        return weight

    def use(self) -> NDArray[np.float64]:
        """Return U of each connection, 1 where it is not plastic, shape (source, target)."""
        return np.array([[1.0 if s is None else s.U for s in row] for row in self.plasticity])

    def resting_factors(self) -> NDArray[np.float64]:
        """Return by how much each connection is depressed or facilitated at ``rates``.

        Stationary mean of u x over U for Poisson spikes (Tsodyks, Pawelzik & Markram 1998,
        10.1162/089976698300017502): u = U (1 + r tau_facil)/(1 + U r tau_facil),
        x = 1/(1 + u r tau_rec). Shape (source, target).
        """
        out = np.ones_like(self.psp)
        for i, (rate, row) in enumerate(zip(self.rates, self.plasticity, strict=True)):
            for j, s in enumerate(row):
                if s is not None:
                    u = (1 + rate * s.tau_facil) / (1 + s.U * rate * s.tau_facil)
                    out[i, j] = u / (1 + u * s.U * rate * s.tau_rec)
        return out


def cell_layer(layer: str) -> str:
    """Return the layer under which cells of ``layer`` are known: "L23" for human L2 and L3."""
    return "L23" if layer in ("L2", "L3") else layer


def cell_name(population: str) -> str:
    """Return the population "L23_PYR" under which the cells of one ("L2_PYR") are known."""
    layer, _, kind = population.partition("_")
    return f"{cell_layer(layer)}_{kind}"


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of ``neurons/data/<name>.csv``."""
    text = files("rheobase.neurons").joinpath(f"data/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def column_facts() -> dict[str, Any]:
    """Return ``neurons/data/columns.toml``, in the units its keys name."""
    text = files("rheobase.neurons").joinpath("data/columns.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def circuit(species: str) -> Circuit:
    """Return what is known of ``species``.

    Raises
    ------
    InputError
        If the species is none of "rat", "mouse" and "human".

    Examples
    --------
    >>> mouse = circuit("mouse")
    >>> len(mouse.names), mouse.names[:3]
    (17, ('L1_NGC', 'L23_PYR', 'L23_PV'))
    >>> source, target = mouse.names.index("L23_PV"), mouse.names.index("L23_PYR")
    >>> float(mouse.peak[source, target])
    0.6758
    """
    check_option("species of the columns", species, SPECIES)
    facts = column_facts()
    rows = [r for r in read_table("columns_populations") if r["species"] == species]
    layer, kind = tuple(r["layer"] for r in rows), tuple(r["class"] for r in rows)
    names = tuple(f"{a}_{b}" for a, b in zip(layer, kind, strict=True))
    density = np.array([float(r["density_per_mm2"]) * 1e6 for r in rows])
    by_class = ["VIP" if c == "NGC" else c for c in kind]
    excites = ["E" if c == "PYR" else "I" for c in kind]
    synapses = {(r["source"], r["target"]): r for r in read_table("columns_synapses")}
    changing = {(r["source"], r["target"]): r for r in read_table("columns_plasticity")}
    sigma = facts["lateral"]["sigma_um"]
    latency = facts["latency_human_ms"] if species == "human" else None

    def between(value: Any) -> NDArray[np.float64]:
        n = range(len(names))
        return np.array([[value(i, j) for j in n] for i in n], dtype=np.float64)

    def delay(i: int, j: int) -> float:
        if latency is not None:
            return float(latency[f"{excites[i]}_{excites[j]}"])
        return float(synapses[by_class[i], by_class[j]]["latency_ms"])

    def short_term(i: int, j: int) -> ShortTerm | None:
        a, b = cell_name(names[i]), cell_name(names[j])
        found = changing.get((a, b), changing.get((by_class[i], by_class[j])))
        if found is None:
            return None
        return ShortTerm(
            U=float(found["U"]),
            tau_rec=float(found["tau_rec_ms"]) * 1e-3,
            tau_facil=float(found["tau_facil_ms"]) * 1e-3,
        )

    return Circuit(
        species=species,
        names=names,
        layer=layer,
        cell_class=kind,
        density=density,
        peak={"mouse": _mouse, "rat": _rat, "human": _human}[species](names, density),
        sigma=between(lambda i, j: sigma[f"{excites[i]}_{excites[j]}"] * 1e-6),
        psp=between(lambda i, j: float(synapses[by_class[i], by_class[j]]["psp_mV"]) * 1e-3),
        plasticity=tuple(
            tuple(short_term(i, j) for j in range(len(names))) for i in range(len(names))
        ),
        latency=between(delay) * 1e-3,
        cells=tuple(_cell(c) for c in by_class),
        rates=np.array([float(r["rate_Hz"]) for r in rows]),
        borders={
            k: (top * 1e-6, bottom * 1e-6)
            for k, (top, bottom) in facts["layers_um"][species].items()
        },
    )


def _cell(cell_class: str) -> LIF:
    """Return the constants of a class, its synaptic decays those of its main inputs."""
    facts = column_facts()
    c, shared = facts["neuron"][cell_class], facts["neuron_all"]
    decay = {
        r["source"]: float(r["psc_decay_ms"]) * 1e-3
        for r in read_table("columns_synapses")
        if r["target"] == cell_class
    }
    tau, R = c["tau_m_ms"] * 1e-3, c["R_MOhm"] * 1e6
    E_L = c["E_L_mV"] * 1e-3
    return LIF(
        C=tau / R,
        tau_m=tau,
        E_L=E_L,
        V_th=E_L + R * c["rheobase_pA"] * 1e-12,
        V_reset=E_L,
        t_ref=shared["t_ref_ms"] * 1e-3,
        tau_E=decay["PYR"],
        tau_I=(decay["PV"] + decay["SST"]) / 2,
    )


def _matrix(species: str) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names and the values of ``columns_connectivity_<species>.csv``."""
    rows = read_table(f"columns_connectivity_{species}")
    names = [r["source"] for r in rows]
    return names, np.array([[float(r[n]) for n in names] for r in rows])


def _mouse(names: tuple[str, ...], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the measured matrix, shape (source, target), scaled to the in-degrees of the mouse."""
    known, matrix = _matrix("mouse")
    rows = {
        f"{r['layer']}_{r['class']}": float(r["density_per_mm2"]) * 1e6
        for r in read_table("columns_populations")
        if r["species"] == "mouse"
    }
    stand_in = [cell_name(n) for n in names]
    index = [known.index(n) for n in stand_in]
    total = np.array([density[[m == n for m in stand_in]].sum() for n in stand_in])
    theirs = np.array([rows[n] for n in stand_in])
    scaled: NDArray[np.float64] = matrix[np.ix_(index, index)] * (theirs / total)[:, None]
    return scaled


def _rat(names: tuple[str, ...], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the BBP matrix as a peak of the lateral profile; what it lacks is as in the mouse.

    The mean over all pairs of the BBP column is a known share of the probability of near pairs.
    """
    out = _mouse(names, density)
    facts = column_facts()
    radius = facts["rat"]["column_radius_um"] * 1e-6
    known, matrix = _matrix("rat")
    for i, source in enumerate(known):
        a = "E" if source.endswith("PYR") else "I"
        for j, target in enumerate(known):
            b = "E" if target.endswith("PYR") else "I"
            sigma = facts["lateral"]["sigma_um"][f"{a}_{b}"] * 1e-6
            factor = facts["rat"]["column_share"][a] / mean_profile(radius, (0.0, 0.0), sigma)
            out[names.index(source), names.index(target)] = factor * matrix[i, j]
    return out


def _human(names: tuple[str, ...], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return classes of layer 2/3 times layers of the microcircuit; layer 1 as in the mouse."""
    known, matrix = _matrix("human")
    facts = microcircuit_facts()
    index: dict[str, int] = {n: k for k, n in enumerate(facts["populations"])}
    C = np.array(facts["connectivity"]["C"]).T  # (source, target)
    out = _mouse(names, density)
    for i, source in enumerate(names):
        a, p = _in_microcircuit(source)
        for j, target in enumerate(names):
            b, q = _in_microcircuit(target)
            if p in index and q in index:
                ratio = C[index[p], index[q]] / C[index["L23" + p[-1]], index["L23" + q[-1]]]
                out[i, j] = matrix[known.index(a), known.index(b)] * ratio
    return out


def _in_microcircuit(name: str) -> tuple[str, str]:
    """Return class and the population of the microcircuit that a population belongs to."""
    layer, kind = cell_name(name).split("_")
    return kind, layer + ("E" if kind == "PYR" else "I")
