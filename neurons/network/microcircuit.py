"""The cortical microcircuit of Potjans & Diesmann (2014, 10.1093/cercor/bhs358).

Eight populations under 1 mm² of early sensory cortex. All constants are in
``data/microcircuit_pd14.toml``. A projection with connection probability C has
K = ln(1 - C)/ln(1 - 1/(N_pre N_post)) synapses, drawn with replacement.

At ``scale`` s < 1 numbers of neurons and of inputs per neuron shrink by s, weights grow by
1/sqrt(s), which keeps the variance of the input, and a direct current
(1 - sqrt(s)) tau_syn (sum_j K_ij w_ij r_j + K_ext w_ext r_ext) restores its mean, with the rates
r_j of the full network (van Albada, Helias & Diesmann 2015, 10.1371/journal.pcbi.1004490).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.network.model import LIF, LIFPopulation, Network
from rheobase.neurons.network.wiring import Projection, wire


@cache
def microcircuit_facts() -> dict[str, Any]:
    """Return the shipped table of the model, in the units its keys name."""
    text = files("rheobase.neurons").joinpath("data/microcircuit_pd14.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def microcircuit_synapses() -> NDArray[np.float64]:
    """Return the number of synapses of each projection at full scale, shape (target, source).

    Examples
    --------
    >>> float(microcircuit_synapses().sum())
    298880969.2
    """
    p = microcircuit_facts()
    N, C = np.array(p["sizes"]["N"], dtype=float), np.array(p["connectivity"]["C"])
    K: NDArray[np.float64] = np.log1p(-C) / np.log1p(-1 / np.outer(N, N))
    return K


def microcircuit(*, scale: float = 0.1, seed: int, dt: float = 1e-4) -> Network:
    """Build the microcircuit.

    Parameters
    ----------
    scale
        Part of the neurons and of their inputs to keep, 0 < scale <= 1.
    seed
        Seed (>= 0) of the synapses.
    dt
        Step (s).

    Raises
    ------
    InputError
        If ``scale`` is outside its range.
    """
    if not 0 < scale <= 1:
        raise InputError(f"scale must be > 0 and <= 1, got {scale}: microcircuit")
    p = microcircuit_facts()
    names: list[str] = p["populations"]
    c, s, external = p["neuron"], p["synapses"], p["external"]
    cell = LIF(
        C=c["C_m_pF"] * 1e-12,
        tau_m=c["tau_m_ms"] * 1e-3,
        E_L=c["E_L_mV"] * 1e-3,
        V_th=c["V_th_mV"] * 1e-3,
        V_reset=c["V_reset_mV"] * 1e-3,
        t_ref=c["t_ref_ms"] * 1e-3,
        tau_E=s["tau_syn_ms"] * 1e-3,
        tau_I=s["tau_syn_ms"] * 1e-3,
    )
    w = cell.psc(s["psp_mV"] * 1e-3)
    N, K = np.array(p["sizes"]["N"]), microcircuit_synapses()
    excites = np.array([name.endswith("E") for name in names])
    W = np.tile(np.where(excites, w, s["g_inhibitory"] * w), (len(names), 1))
    W[names.index("L23E"), names.index("L4E")] *= s["L4E_to_L23E_factor"]

    rates, rate_external = np.array(p["reference_rates"]["rate_Hz"]), external["rate_Hz"]
    K_external = np.array(external["K_ext"])
    arriving = (W * K / N[:, None]) @ rates + K_external * w * rate_external  # A/s
    root = np.sqrt(scale)
    direct = (1 - root) * arriving * s["tau_syn_ms"] * 1e-3
    populations = [
        LIFPopulation(
            name=name,
            layer=name[:-1],
            excitatory=bool(excites[i]),
            size=max(1, round(N[i] * scale)),
            neuron=cell,
            direct_current=float(direct[i]),
            external_rate=round(K_external[i] * scale) * rate_external,
            external_weight=w / root,
            V0_mean=c["V0_mean_mV"][i] * 1e-3,
            V0_sd=c["V0_sd_mV"][i] * 1e-3,
        )
        for i, name in enumerate(names)
    ]
    projections = [
        Projection(
            source=source,
            target=target,
            n_synapses=round(K[i, j] * scale * scale),
            weight_mean=W[i, j] / root,
            weight_sd=abs(W[i, j]) / root * s["weight_rel_sd"],
            delay_mean=s[f"delay_{source[-1]}_mean_ms"] * 1e-3,
            delay_sd=s[f"delay_{source[-1]}_sd_ms"] * 1e-3,
        )
        for i, target in enumerate(names)
        for j, source in enumerate(names)
        if round(K[i, j] * scale * scale) > 0
    ]
    return Network(
        populations=tuple(populations),
        synapses=wire(populations, projections, dt=dt, seed=seed),
        dt=dt,
    )


def microcircuit_probabilities(cells: Mapping[str, float]) -> dict[str, float]:
    """Return probabilities by population of the microcircuit from those by cell type.

    A cell type "L5_martinotti" belongs to the excitatory or inhibitory population of its layer as
    the table ``[cell_kinds]`` of the data file says. A population takes the plain mean of the types
    given for it; one for which none is given is left out and so is not driven.

    Parameters
    ----------
    cells
        Probability of activation (0..1) by "<layer>_<type>".

    Raises
    ------
    InputError
        If a layer or a type is unknown, with the nearest names.

    Examples
    --------
    >>> microcircuit_probabilities({"L23_pyramidal": 0.2, "L5_basket": 0.4, "L5_martinotti": 0.2})
    {'L23E': 0.2, 'L5I': 0.3}
    """
    kinds: dict[str, str] = microcircuit_facts()["cell_kinds"]["kind"]
    layers = {name[:-1] for name in microcircuit_facts()["populations"]}
    known = sorted(f"{layer}_{kind}" for layer in layers for kind in kinds)
    grouped: dict[str, list[float]] = {}
    for name, value in cells.items():
        check_option("cell type", name, known, where="microcircuit")
        layer, _, kind = name.partition("_")
        grouped.setdefault(layer + kinds[kind], []).append(value)
    return {name: sum(values) / len(values) for name, values in grouped.items()}
