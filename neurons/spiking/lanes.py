"""Placements of one cell side by side, ready to be stepped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.fibres.mrg_stimulus import Plan
from rheobase.neurons.membrane.channels import CHANNELS, TEMPERATURE
from rheobase.neurons.membrane.circuit import Circuit
from rheobase.neurons.morphology import Floats
from rheobase.neurons.spiking._layout import FINENESS, LANES, LOWEST, ROWS

SPIKING_COMPARTMENTS = 3  # that cross 0 V make a spike (own runs with the ModelDB 241165 cells)
_QUIET = 6e-3  # V over rest: a cell below it everywhere after the stimulus will not fire
_NOTHING = np.zeros(0, dtype=np.int64), np.empty((0, 0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lanes:
    """Up to `LANES` placements; arrays as `rheobase.neurons.spiking._spiking_numba` reads them."""

    tree: tuple[Any, ...]
    channels: tuple[Any, ...]
    table: Floats
    steps: Floats
    plan: NDArray[np.int64]
    wave: Floats
    watched: NDArray[np.int8]
    level: float
    rest: Floats
    resting_gate: Floats
    calm: int
    most: int
    source: Floats
    state: tuple[Floats, Floats, Floats]
    crossed: NDArray[np.bool_]
    count: NDArray[np.int64]
    site: NDArray[np.int64]
    began: Floats
    step: NDArray[np.int64]
    amplitude: Floats
    verdict: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        cell: Circuit,
        rest: Floats,
        plan: Plan,
        *,
        calm: int,
        most: int,
        counted: NDArray[np.bool_] | None = None,
        level: float = 0.0,
        temperature: float = TEMPERATURE,
    ) -> Lanes:
        """Make room for placements of ``cell``.

        Parameters
        ----------
        rest
            Potential at rest (V), shape (n,).
        plan
            Steps of the stimulus; `Plan.wave` of one source.
        calm, most
            Step from which a quiet lane is given up, and steps at most.
        counted
            Compartments in which a spike is looked for, shape (n,); those of ``cell`` if None.
        level
            Potential that they must cross (V).
        temperature
            Of the channels (°C).
        """
        n = len(cell)
        names = list(cell.density)
        kinds = [CHANNELS[name] for name in names]
        conductance = np.array([cell.density[name] * cell.area for name in names]).reshape(-1, n)
        which, where = np.nonzero(conductance)
        order = np.lexsort((which, where))
        which, where = which[order], where[order]
        first = np.searchsorted(where, np.arange(n + 1))
        power = np.array([c.power for c in kinds], dtype=np.int64)
        reversal: Floats = np.array([c.reversal for c in kinds])
        resting_gate = np.ones((len(which), 2))
        for k, channel in enumerate(kinds):
            for g, (steady, _) in enumerate(channel.kinetics(rest[where[which == k]], temperature)):
                resting_gate[which == k, g] = steady
        dt, ratio = plan.dt, plan.ratio
        alpha = (1 + 2 * ratio) / (1 + ratio) / dt
        steps = np.stack(
            [(1 + ratio) / dt, ratio**2 / (1 + ratio) / dt, alpha, 0.5 * ratio], axis=1
        )
        v = LOWEST + np.arange(ROWS) / FINENESS
        table = np.zeros((len(dt), len(kinds), ROWS, 8))
        table[..., 2:4] = 1.0  # a gate that is not there stays open
        for k, channel in enumerate(kinds):
            for g, (steady, tau) in enumerate(channel.kinetics(v, temperature)):
                table[:, k, :, g] = -steady * np.expm1(-dt[:, None] / tau)
                table[:, k, :, 2 + g] = np.exp(-dt[:, None] / tau)
        table[:, :, :-1, 4:] = np.diff(table[..., :4], axis=2)
        return cls(
            tree=(
                cell.parent,
                cell.axial,
                cell.capacitance,
                cell.leak,
                cell.leak * cell.leak_reversal,
            ),
            channels=(first, which, conductance[which, where], power, reversal),
            table=table.reshape(-1, 8),
            steps=steps,
            plan=plan.kind,
            wave=np.ascontiguousarray(plan.wave[:, 0]),
            watched=np.where(cell.counted if counted is None else counted, 2, cell.counted).astype(
                np.int8
            ),
            level=level,
            rest=np.array(rest),
            resting_gate=resting_gate,
            calm=calm,
            most=most,
            source=np.zeros((n, LANES)),
            state=(
                np.repeat(rest[:, None], LANES, axis=1),
                np.repeat(rest[:, None], LANES, axis=1),
                np.repeat(resting_gate[:, None, :], LANES, axis=1),
            ),
            crossed=np.zeros((n, LANES), dtype=bool),
            count=np.zeros(LANES, dtype=np.int64),
            site=np.full(LANES, -1, dtype=np.int64),
            began=np.zeros(LANES),
            step=np.zeros(LANES, dtype=np.int64),
            amplitude=np.zeros(LANES),
            verdict=np.zeros(LANES, dtype=np.int64),
        )

    def load(self, lane: int, rise: NDArray[Any], sign: float) -> None:
        """Put a placement with ``rise`` (V per unit amplitude), shape (n,), into a lane."""
        from rheobase.neurons.spiking._spiking_numba import load

        load(lane, self.tree[0], self.tree[1], rise, sign, self.source)

    def restart(self, lane: int, amplitude: float) -> None:
        """Begin again in a lane, from rest and with ``amplitude``; 0 leaves it idle."""
        from rheobase.neurons.spiking._spiking_numba import restart

        self.amplitude[lane] = amplitude
        restart(
            lane, self.rest, self.resting_gate, self.state, self.crossed, self.count, self.site,
            self.step, self.verdict,
        )  # fmt: skip

    def advance(
        self,
        limit: int,
        record: NDArray[np.int64] = _NOTHING[0],
        trace: Floats = _NOTHING[1],
        needed: int = SPIKING_COMPARTMENTS,
    ) -> int:
        """Step until a lane is decided or ``limit`` steps are done; return how many were."""
        from rheobase.neurons.spiking._spiking_numba import advance

        done: int = advance(
            self.tree, self.channels, self.table, self.steps, self.plan, self.wave, self.watched,
            self.rest, self.calm, self.most, _QUIET, self.level, needed, self.step, self.amplitude,
            self.source, self.state, self.crossed, self.count, self.site, self.began,
            self.verdict, limit, record, trace,
        )  # fmt: skip
        return done
