"""Neurons and synapses in the words of NEST, which SONATA uses for point neurons.

Parameters of ``iaf_psc_exp``, ``iaf_cond_exp`` and ``tsodyks2_synapse`` and the values that NEST
takes for those not given are those of NEST 3.10 (``nest.GetDefaults``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rheobase._errors import InputError, check_option
from rheobase.neurons.interchange.numbers import shifted, unshifted
from rheobase.neurons.network.model import LIF, LIFPopulation
from rheobase.neurons.network.plasticity import ShortTerm

CURRENT, CONDUCTANCE = "iaf_psc_exp", "iaf_cond_exp"
STATIC, SHORT_TERM = "static_synapse", "tsodyks2_synapse"

#: By our name: NEST's name, the power of ten from SI to its unit, and its default.
_SHARED = {
    "C": ("C_m", 12, 250.0),
    "E_L": ("E_L", 3, -70.0),
    "V_th": ("V_th", 3, -55.0),
    "t_ref": ("t_ref", 3, 2.0),
}
_NEURON = {
    CURRENT: _SHARED
    | {
        "tau_m": ("tau_m", 3, 10.0),
        "V_reset": ("V_reset", 3, -70.0),
        "tau_E": ("tau_syn_ex", 3, 2.0),
        "tau_I": ("tau_syn_in", 3, 2.0),
    },
    CONDUCTANCE: _SHARED
    | {
        "V_reset": ("V_reset", 3, -60.0),
        "tau_E": ("tau_syn_ex", 3, 0.2),
        "tau_I": ("tau_syn_in", 3, 2.0),
        "E_E": ("E_ex", 3, 0.0),
        "E_I": ("E_in", 3, -85.0),
    },
}
_LEAK = 16.6667  # nS, default of g_L
_SYNAPSE = {
    "U": ("U", 0, 0.5),
    "tau_rec": ("tau_rec", 3, 800.0),
    "tau_facil": ("tau_fac", 3, 0.0),
}


def model_name(cell: LIF) -> str:
    """Return the name of NEST's model."""
    return CURRENT if cell.E_E is None else CONDUCTANCE


def weight_power(model: str) -> int:
    """Return the power of ten from a weight in A or S to pA or nS."""
    return 12 if model == CURRENT else 9


def neuron_parameters(population: LIFPopulation) -> dict[str, Decimal]:
    """Return NEST's parameters of the neurons; ``V_m`` is the mean initial potential.

    The leak conductance of ``iaf_cond_exp`` is given with 28 digits, so that C/g is ``tau_m``.
    """
    cell = population.neuron
    model = model_name(cell)
    values = {
        name: shifted(getattr(cell, ours), power)
        for ours, (name, power, _) in _NEURON[model].items()
    }
    if model == CONDUCTANCE:
        values["g_L"] = values["C_m"] / shifted(cell.tau_m, 3)
    values["V_m"] = shifted(population.V0_mean, 3)
    values["I_e"] = shifted(population.direct_current, 12)
    return values


def neuron(model: str, given: Mapping[str, Any], *, where: str) -> tuple[LIF, float, float]:
    """Return the neuron, its initial potential (V) and its direct current (A).

    Raises
    ------
    InputError
        If the model or a parameter is not one of those that the engine has.
    """
    check_option("neuron model", model, _NEURON, where=where)
    known = {name for name, _, _ in _NEURON[model].values()} | {"V_m", "I_e"}
    leak = {"g_L"} if model == CONDUCTANCE else set()
    _check_numbers(given, known | leak, where)
    values = {
        ours: unshifted(given.get(name, default), power)
        for ours, (name, power, default) in _NEURON[model].items()
    }
    if model == CONDUCTANCE:
        C = Decimal(str(given.get("C_m", _NEURON[model]["C"][2])))
        values["tau_m"] = unshifted(C / Decimal(str(given.get("g_L", _LEAK))), 3)
    cell = LIF(**values)
    start = unshifted(given["V_m"], 3) if "V_m" in given else cell.E_L
    return cell, start, unshifted(given.get("I_e", 0.0), 12)


def synapse_parameters(short_term: ShortTerm) -> dict[str, Decimal]:
    """Return the parameters of ``tsodyks2_synapse``.

    Its state before the first spike goes with them: NEST's u is 0.5 there, whatever U is.
    """
    values = {
        name: shifted(getattr(short_term, ours), power)
        for ours, (name, power, _) in _SYNAPSE.items()
    }
    return values | {"u": values["U"], "x": Decimal(1)}


def synapse(model: str, given: Mapping[str, Any], *, where: str) -> ShortTerm | None:
    """Return the short-term plasticity, None where the weight is constant.

    Raises
    ------
    InputError
        If the model or a parameter is not one of those that the engine has.
    """
    check_option("synapse model", model, (STATIC, SHORT_TERM), where=where)
    if model == STATIC:
        _check_numbers(given, (), where)
        return None
    _check_numbers(given, {name for name, _, _ in _SYNAPSE.values()} | {"u", "x"}, where)
    values = {
        ours: unshifted(given.get(name, default), power)
        for ours, (name, power, default) in _SYNAPSE.items()
    }
    short_term = ShortTerm(**values)
    if (unshifted(given.get("u", short_term.U), 0), given.get("x", 1)) != (short_term.U, 1):
        raise InputError(f"synapses must be rested at the start, u = U and x = 1: {where}")
    return short_term


def _check_numbers(given: Mapping[str, Any], known: Any, where: str) -> None:
    for name, value in given.items():
        check_option("parameter", name, known, where=where)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise InputError(f"{name} must be a number, got {value!r}: {where}")
