"""The seven columns: rates at rest, synapses drawn, and a wave against its synapses' delays.

Rates are those of networks whose seeds the calibration of the working point has not seen, half as
many cells a column as it used. A population passes within 30 % of the mean rate that its source
gives: rates within a population differ from cell to cell by more than that.
"""

from __future__ import annotations

import numpy as np

from rheobase.neurons.columns.circuit import SPECIES, column_facts, read_table
from rheobase.neurons.columns.network import (
    N_COLUMNS,
    ColumnNetwork,
    columns,
    sample_sizes,
)
from rheobase.neurons.columns.pooled import pooled
from rheobase.neurons.columns.wave import column_wave
from rheobase.neurons.measures.propagation import radial_speed
from rheobase.neurons.measures.trains import count_correlation, interval_cv
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import simulate
from rheobase.validation.case import Row

SEED, CELLS = 11, 1000
DISCARD, SECONDS = 0.3, 2.5
PULSES = 0.3 + 0.08 * np.arange(80)  # s
RING = 50e-6  # m
SHARE = 0.3  # of the middle column's pyramidal cells that a pulse fires
VOLLEYS, SETTLED, STOP = np.array([0.3, 0.31, 0.32]), 0.45, 0.75  # s


def columns_rates() -> list[Row]:
    """Compare rates, irregularity and correlation of the three species with what they aim at."""
    rows = []
    for species in SPECIES:
        built = columns(species, neurons_per_column=CELLS, seed=SEED)
        run = pooled(built, simulate(built.network, DISCARD + SECONDS, seed=SEED))
        found = rates(run, start=DISCARD)
        aims = dict(zip(built.circuit.names, built.circuit.rates, strict=True))
        worst = max(aims, key=lambda name: abs(found[name] / aims[name] - 1))
        rows.append(
            Row(
                case="columns-rates",
                quantity=f"{species}, rate of {worst}, the farthest of {len(aims)} populations",
                value=found[worst],
                reference=float(aims[worst]),
                error=float(abs(found[worst] / aims[worst] - 1)),
                limit=0.3,
                unit="Hz",
                source="data/columns_populations.csv; the external rates were calibrated to it, "
                "with other seeds and sizes",
            )
        )
        cv = np.nanmean(list(interval_cv(run, start=DISCARD).values()))
        rows.append(
            Row(
                case="columns-rates",
                quantity=f"{species}, coefficient of variation of intervals, mean of populations",
                value=float(cv),
                reference=1.0,
                error=float(abs(cv - 1)),
                limit=0.5,
                unit="1",
                source="irregular: nearer to a Poisson process (1) than to a clock (0)",
            )
        )
        correlation = float(np.nanmean(list(count_correlation(run, start=DISCARD).values())))
        rows.append(
            Row(
                case="columns-rates",
                quantity=f"{species}, correlation of counts in 50 ms of two cells of a "
                "population, mean of populations; error absolute",
                value=correlation,
                reference=0.0,
                error=abs(correlation),
                limit=0.05,
                unit="1",
                source="asynchronous: 0",
            )
        )
        rows.append(_return(built))
    return rows


def _return(built: ColumnNetwork) -> Row:
    """Compare rates after volleys of all pyramidal cells with those at rest."""
    fired = {name: 1.0 for name in built.network.names if name.endswith("PYR")}
    drive = Drive(probability=fired, times=VOLLEYS, latency=1e-3)
    run = pooled(built, simulate(built.network, STOP, seed=SEED, drive=drive))
    found = rates(run, start=SETTLED)
    kinds = zip(built.circuit.names, built.circuit.cell_class, built.circuit.rates, strict=True)
    ratios = {name: found[name] / rate for name, kind, rate in kinds if kind in ("PYR", "PV")}
    worst = max(ratios, key=lambda name: abs(ratios[name] - 1))
    return Row(
        case="columns-rates",
        quantity=f"{built.species}, rate of {worst} over that at rest, 130 ms after three volleys "
        "of all pyramidal cells, the farthest of PYR and PV",
        value=float(ratios[worst]),
        reference=1.0,
        error=float(abs(ratios[worst] - 1)),
        limit=0.4,
        unit="1",
        source="the state at rest is the only one",
    )


def columns_connectivity() -> list[Row]:
    """Compare the synapses drawn with pairs of random points, and two builds of one seed.

    The reference needs nothing of the network's code: peak probability and density from the tables,
    and the mean of the lateral profile over random points of two hexagons.
    """
    species = "mouse"
    built = columns(species, neurons_per_column=CELLS, seed=SEED)
    names = built.circuit.names
    drawn = _synapses(built)
    peak = {r["source"]: r for r in read_table(f"columns_connectivity_{species}")}
    density = {
        f"{r['layer']}_{r['class']}": float(r["density_per_mm2"])
        for r in read_table("columns_populations")
        if r["species"] == species
    }
    facts = column_facts()
    spacing = facts["geometry"]["spacing_um"] * 1e-3  # mm
    area = np.sqrt(3) / 2 * spacing**2
    sizes = sample_sizes(built.circuit, CELLS)
    kind = ["E" if n.endswith("PYR") else "I" for n in names]
    rows = []
    for place, b, far in (("the same column", 0, 0.0), ("the next one", 1, spacing)):
        x, y = (_in_hexagon(spacing, seed) for seed in (1, 2))
        distance = np.linalg.norm(x - y - np.array([far, 0.0]), axis=1)
        profile = {
            pair: np.exp(-0.5 * (distance / (sigma * 1e-3)) ** 2)
            for pair, sigma in facts["lateral"]["sigma_um"].items()
        }
        wanted = sum(
            float(peak[a][c]) * density[a] * area * profile[f"{ka}_{kc}"].mean() * size
            for a, ka in zip(names, kind, strict=True)
            for c, kc, size in zip(names, kind, sizes, strict=True)
        )
        found = float(drawn[0, b].sum())
        rows.append(
            Row(
                case="columns-connectivity",
                quantity=f"{species}, synapses from the middle column into {place}",
                value=found,
                reference=wanted,
                error=abs(found / wanted - 1),
                limit=0.01,
                unit="synapses",
                source="tables, profile over 400,000 pairs of random points",
            )
        )
    again = columns(species, neurons_per_column=CELLS, seed=SEED).network.synapses
    same = all(
        np.array_equal(getattr(again, k), getattr(built.network.synapses, k))
        for k in ("start", "target", "weight", "delay")
    )
    rows.append(
        Row(
            case="columns-connectivity",
            quantity=f"{species}, two builds with one seed, synapses that differ",
            value=0.0 if same else float(len(again.target)),
            reference=0.0,
            error=0.0 if same else 1.0,
            limit=0.0,
            unit="1",
            source="reproducible",
        )
    )
    return rows


def columns_wave() -> list[Row]:
    """Compare the speed of a volley's response in PV cells with that of the mean delay to them.

    Axons run obliquely, from cells spread over a column and its layers, so that the mean delay
    grows more slowly with lateral distance than at the axons' velocity.
    """
    built = columns("mouse", neurons_per_column=2 * CELLS, seed=SEED)
    fired = {
        f"C0_{name}": SHARE
        for name, kind in zip(built.circuit.names, built.circuit.cell_class, strict=True)
        if kind == "PYR"
    }
    drive = Drive(probability=fired, times=PULSES, latency=0.9e-3)
    run = simulate(built.network, float(PULSES[-1]) + 0.1, seed=SEED, drive=drive)
    wave = column_wave(built, run, PULSES, ring=RING)
    synapses = built.network.synapses
    source = np.repeat(np.arange(built.network.size), np.diff(synapses.start))
    taken = np.isin(source, built.ids(column=0, cell_class="PYR")) & np.isin(
        synapses.target, built.ids(cell_class="PV")
    )
    away = np.linalg.norm(built.positions[synapses.target[taken], :2], axis=1)
    ring = np.floor((away - built.radius) / RING).astype(int)
    delay = [
        float(synapses.delay[taken][ring == k].mean()) * built.network.dt
        for k in range(len(wave.distance))
    ]
    reference = radial_speed(wave.distance, delay).speed
    interval = f"{wave.speed.low:.2f} to {wave.speed.high:.2f} m/s"
    return [
        Row(
            case="columns-wave",
            quantity="mouse, speed at which the response of PV cells to volleys in the middle "
            f"column leaves it (95 % interval {interval})",
            value=wave.speed.speed,
            reference=reference,
            error=abs(wave.speed.speed / reference - 1),
            limit=0.25,
            unit="m/s",
            source="lateral distance over the mean delay of the synapses",
        )
    ]


def _in_hexagon(spacing: float, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Draw 400,000 points of a hexagon ``spacing`` across, of six triangles about its middle."""
    rng = np.random.default_rng(seed)
    n = 400_000
    corner = spacing / np.sqrt(3) * np.exp(1j * (np.pi / 6 + np.pi / 3 * np.arange(7)))
    a, b = rng.random((2, n))
    folded = a + b > 1
    a, b = np.where(folded, 1 - a, a), np.where(folded, 1 - b, b)
    k = rng.integers(0, 6, n)
    z = a * corner[k] + b * corner[k + 1]
    return np.column_stack([z.real, z.imag])


def _synapses(built: ColumnNetwork) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Count the synapses, shape (source column, target column, source, target population)."""
    synapses = built.network.synapses
    names = built.circuit.names
    population = np.repeat(np.arange(len(names) * N_COLUMNS), np.diff(built.network.first))
    source = np.repeat(population, np.diff(synapses.start))
    n = len(names) * N_COLUMNS
    flat = np.bincount(source * n + population[synapses.target], minlength=n * n)
    shape = (N_COLUMNS, len(names), N_COLUMNS, len(names))
    return flat.reshape(shape).transpose(0, 2, 1, 3).astype(np.float64)
