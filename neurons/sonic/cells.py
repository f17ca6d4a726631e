"""Point neurons of one compartment: gates, currents, resting state."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import check_option
from rheobase.neurons.gating import transition_rate
from rheobase.neurons.morphology import Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SonicCell:
    """A point neuron: I = Σ_k g_k Π_j x_j^w_kj (V - E_k), dx_j/dt = α_j(V)(1 - x_j) - β_j(V) x_j.

    Parameters
    ----------
    name
        "RS", "FS", "LTS" or "IB".
    rest
        Resting potential (V).
    capacitance
        Of the resting membrane (F/m²).
    gates
        Names of the g gates.
    conductance, reversal
        Of each current (S/m², V), shape (k,).
    power
        Exponent of each gate in each current, shape (k, g).
    constants
        The numbers of the cell that its gates refer to (mV, ms).
    """

    name: str
    rest: float
    capacitance: float
    gates: tuple[str, ...]
    conductance: Floats
    reversal: Floats
    power: NDArray[np.int64]
    constants: Mapping[str, Any]

    @property
    def rest_charge(self) -> float:
        """Charge density of the resting membrane (C/m²)."""
        return self.capacitance * self.rest

    def rates(self, potential: ArrayLike) -> tuple[Floats, Floats]:
        """Return opening and closing rates (1/s) of the gates, shape (g, …) each.

        Parameters
        ----------
        potential
            Membrane potential (V), any shape.
        """
        v = 1e3 * np.asarray(potential, dtype=np.float64)
        opening, closing = np.empty((2, len(self.gates), *v.shape))
        for j, name in enumerate(self.gates):
            gate = sonic_data()["gates"][name]
            shift = self.constants[gate["shift"]] if "shift" in gate else 0.0
            u = v - shift
            if "alpha" in gate:
                opening[j] = transition_rate(u, **gate["alpha"])
                closing[j] = transition_rate(u, **gate["beta"])
            else:
                steady = transition_rate(u, **gate["steady"])
                time = self._time(u, **gate["time"])
                opening[j], closing[j] = steady / time, (1 - steady) / time
        return 1e3 * opening, 1e3 * closing

    def steady(self, potential: ArrayLike) -> Floats:
        """Return the steady state of the gates at a potential (V), shape (g, …)."""
        opening, closing = self.rates(potential)
        out: Floats = opening / (opening + closing)
        return out

    def current(self, potential: ArrayLike, state: Floats) -> Floats:
        """Return the ionic current (A/m²), outward > 0, at a potential (V) and gates (g, …)."""
        V = np.asarray(potential, dtype=np.float64)
        total = np.zeros_like(V)
        for g, E, w in zip(self.conductance, self.reversal, self.power, strict=True):
            total = total + g * (V - E) * np.prod([x**k for x, k in zip(state, w, strict=True)], 0)
        return total

    def _time(
        self,
        v: Floats,
        *,
        base: float,
        weight: float | str,
        sum: list[list[float]],  # noqa: A002
        divisor: float = 1.0,
        below: float = -np.inf,
        below_sum: list[list[float]] | None = None,
    ) -> Floats:
        """Return a time constant (ms): base + weight / Σ A exp((v + B) / C)."""
        scale = self.constants[weight] if isinstance(weight, str) else weight

        def term(parts: list[list[float]]) -> Floats:
            total = np.zeros_like(v)
            for A, B, C in parts:
                total = total + A * np.exp((v + B) / C)
            return scale / total

        out = base + term(sum)
        if below_sum is not None:
            out = np.where(v < below, term(below_sum), out)
        return np.asarray(out / divisor)


@cache
def sonic_data() -> dict[str, Any]:
    """Return the shipped table of cells and sonophore, in the units its keys name."""
    text = files("rheobase.neurons").joinpath("data/sonic_cells.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def sonic_cells() -> tuple[str, ...]:
    """Return the names of the point neurons."""
    return tuple(sonic_data()["cells"])


@cache
def sonic_cell(name: str) -> SonicCell:
    """Return a point neuron by name.

    Raises
    ------
    InputError
        If there is no such cell.

    Examples
    --------
    >>> sonic_cell("LTS").gates
    ('m', 'h', 'n', 'p', 's', 'u')
    """
    cells = sonic_data()["cells"]
    c = cells[check_option("point neuron", name, cells)]
    currents = c["currents"]
    gates = tuple(g for g in sonic_data()["gates"] if any(g in i["gates"] for i in currents))
    return SonicCell(
        name=name,
        rest=c["rest_mV"] * 1e-3,
        capacitance=c["capacitance_uF_cm2"] * 1e-2,
        gates=gates,
        conductance=np.array([i["g_S_m2"] for i in currents]),
        reversal=np.array([i["E_mV"] * 1e-3 for i in currents]),
        power=np.array([[i["gates"].get(g, 0) for g in gates] for i in currents]),
        constants=c,
    )


def cell_of_type(cell_type: str) -> str:
    """Return the point neuron that stands for a cell type such as "L5_pyramidal".

    Pyramidal and spiny stellate cells are regular spiking, basket (parvalbumin) cells fast spiking,
    Martinotti (somatostatin) cells low-threshold spiking. A type that is not in the table is an
    error: for cells of vasoactive intestinal peptide, say, no published model of this kind exists.

    Raises
    ------
    InputError
        If the type has no point neuron.

    Examples
    --------
    >>> cell_of_type("L5_martinotti")
    'LTS'
    """
    kinds = {k: v for k, v in sonic_data()["kinds"].items() if v in sonic_data()["cells"]}
    kind = cell_type.partition("_")[2] or cell_type
    return str(kinds[check_option("cell type with a point neuron", kind, kinds)])
