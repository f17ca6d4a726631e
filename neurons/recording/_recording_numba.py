# mypy: allow-untyped-defs
"""Kernels of the recordings: the passive cell stepped in time, and spikes turned into arrivals."""

from __future__ import annotations

import numpy as np
from numba import njit

from rheobase.neurons.network._network_numba import use

GAMMA = 2.0 - np.sqrt(2.0)  # both stages of TR-BDF2 then have the same matrix


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(parent, factor, inverse, x):
    """Replace the right-hand sides ``x`` (n, m) by the solutions of a factorised tree."""
    n, m = x.shape
    for c in range(n - 1, 0, -1):
        f, p = factor[c], parent[c]
        for k in range(m):
            x[p, k] += f * x[c, k]
    for k in range(m):
        x[0, k] *= inverse[0]
    for c in range(1, n):
        f, d, p = factor[c], inverse[c], parent[c]
        for k in range(m):
            x[c, k] = x[c, k] * d + f * x[p, k]


@njit(cache=True, nogil=True, error_model="numpy")
def outflow(parent, axial, v, out):
    """Write the axial current that leaves each compartment of potentials ``v`` (n, m) into out."""
    n, m = v.shape
    out[:] = 0.0
    for c in range(1, n):
        g, p = axial[c], parent[c]
        for k in range(m):
            i = g * (v[c, k] - v[p, k])
            out[c, k] += i
            out[p, k] -= i


@njit(cache=True, nogil=True, error_model="numpy")
def respond(parent, axial, leak, memory, factor, inverse, site, tau, h, every, low, part, out):
    """Step a passive cell through currents exp(-t/tau) at sites (TR-BDF2, Bank et al. 1985).

    Parameters
    ----------
    parent, axial, leak
        The cell: parents, axial conductances to them and conductances of the membrane (S), (n,).
    memory, factor, inverse
        2 C/(gamma h) (S), and the factorised tree of memory + leak, shape (n,).
    site
        Share of the current in each compartment at each site, shape (n, m).
    tau
        Decay of the current at each site (s), shape (m,).
    h, every
        Step (s), and steps between two rows of ``out``.
    low, part
        Node of the depth grid above each compartment, and the share of the node below it, (n,).
    out
        Filled: current out of the membrane at each node of the grid (A), row 0 at t = 0,
        shape (steps, nodes, m).
    """
    n, m = site.shape
    v, mid, flow = np.zeros((n, m)), np.empty((n, m)), np.empty((n, m))
    back = (1.0 - GAMMA) ** 2 / (GAMMA * (2.0 - GAMMA))
    ahead = 1.0 / (GAMMA * (2.0 - GAMMA))
    out[:] = 0.0
    step = 0
    for row in range(1, out.shape[0]):
        for _ in range(every):
            both = np.exp(-step * h / tau) + np.exp(-(step + GAMMA) * h / tau)
            step += 1
            after = np.exp(-step * h / tau)
            outflow(parent, axial, v, flow)
            for c in range(n):
                for k in range(m):
                    mid[c, k] = (memory[c] - leak[c]) * v[c, k] - flow[c, k]
                    mid[c, k] += both[k] * site[c, k]
            eliminate(parent, factor, inverse, mid)
            for c in range(n):
                for k in range(m):
                    v[c, k] = (
                        memory[c] * (ahead * mid[c, k] - back * v[c, k]) + after[k] * site[c, k]
                    )
            eliminate(parent, factor, inverse, v)
        outflow(parent, axial, v, flow)
        for c in range(n):
            for k in range(m):
                out[row, low[c], k] -= (1.0 - part[c]) * flow[c, k]
                out[row, low[c] + 1, k] -= part[c] * flow[c, k]


@njit(cache=True, nogil=True)
def arrive(step, neuron, count, start, target, weight, delay, population, group, plasticity, out):
    """Add what the synapses of spikes send to ``out``, shape (steps, targets, groups).

    Parameters
    ----------
    step, neuron, count
        Spikes: the step at whose end they happen, ascending, their source and number, shape (k,).
    start, target, weight, delay
        The synapses in compressed rows; delays in steps.
    population, group
        Population of each target neuron, and group of each source, shapes (n,) and (n_all,).
    plasticity
        Short-term plasticity as the engine lays it out, rested.
    """
    for s in range(len(step)):
        source, g = neuron[s], group[neuron[s]]
        if plasticity.offset.size > 0:
            use(source, step[s], count[s], plasticity)
        for j in range(start[source], start[source + 1]):
            k = step[s] + delay[j]
            if k >= out.shape[0]:
                continue
            p = population[target[j]]
            factor = np.float32(count[s])
            if plasticity.offset.size > 0:
                q = plasticity.pair[plasticity.population[source], p]
                if q >= 0:
                    factor = plasticity.sent[plasticity.offset[q] + source]
            out[k, p, g] += weight[j] * factor
