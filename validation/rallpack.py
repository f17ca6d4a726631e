"""Rallpack 1 and 2: passive trees under a current into one end, against the exact series.

A current I into the end of a sealed cylinder of length L λ raises it by (Rall 1969, Biophys J
9:1483), with R = 2 sqrt(ρ r) / (π d^1.5), X = x/λ, T = t/τ, and the resistivities ρ of axoplasm
(ohm m) and r of membrane (ohm m²),

    I R (cosh(L - X) / sinh(L) - exp(-T) / L [1 + 2 Σ cos(nπX/L) exp(-(nπ/L)² T) / (1 + (nπ/L)²)]).

Case 1 (Bhalla, Bilitch & Bower 1992, Trends Neurosci 15:453) is such a cylinder, case 2 a tree that
forks by the 3/2 rule and is equivalent to one. Both are run by the linear cable's kernel (first
order in time) and by that of the spiking cells (second order).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.neurons.constants import cell_constants
from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.membrane import Circuit, circuit
from rheobase.neurons.morphology import Floats, Kind, Morphology
from rheobase.neurons.spiking import simulate
from rheobase.validation.case import Row

CURRENT, DURATION = 0.1e-9, 0.25  # A, s
_STEP = 50e-6  # s, as the cases ask
_RESISTANCE, _CAPACITANCE = 4.0, 0.01  # of the membrane: ohm m², F/m²
_TERMS = 400  # of the series: enough from the first step on
_SOURCE = "exact series (Rall 1969) of Rallpack {} (Bhalla, Bilitch & Bower 1992)"


def series(t: ArrayLike, x: float, length: float, diameter: float) -> Floats:
    """Return the rise of a sealed cylinder at ``x`` from the end that `CURRENT` enters (V).

    Parameters
    ----------
    t
        Times after the current is switched on (s), shape (n,).
    x, length, diameter
        Place and sizes (m).
    """
    rho = cell_constants()["axial_resistivity"]
    lam = math.sqrt(_RESISTANCE * diameter / (4 * rho))
    L, X, T = length / lam, x / lam, np.asarray(t)[:, None] / (_RESISTANCE * _CAPACITANCE)
    k = 1 + (np.arange(1, _TERMS) * math.pi / L) ** 2
    shape = np.cos(np.arange(1, _TERMS) * math.pi * X / L) / k
    with np.errstate(under="ignore"):
        fading = np.exp(-T[:, 0]) + 2 * np.exp(-T * k) @ shape
    end = 2 * math.sqrt(rho * _RESISTANCE) / (math.pi * diameter**1.5)
    out: Floats = CURRENT * end * (math.cosh(L - X) / math.sinh(L) - fading / L)
    return out


def branching_tree(forks: int = 9) -> Morphology:
    """Return the tree of case 2: every branch 0.008 λ long, one compartment and one for its fork.

    From one branch to the next the diameter falls by 2^(2/3), the length by 2^(1/3), from 16 and
    32 µm on; levels follow one another, so that parents come first.
    """
    parent, level = [-1], [0]
    tips = [0]
    for depth in range(forks + 1):
        grown = []
        for tip in tips:
            if depth:
                parent.append(tip)
                level.append(depth)
                tip = len(parent) - 1
            if depth < forks:  # a fork has no length, and two branches
                parent.append(tip)
                level.append(depth)
                grown += [len(parent) - 1] * 2
        tips = grown
    at = np.array(level)
    fork = np.zeros(len(at), dtype=bool)
    fork[1:] = at[1:] == at[np.array(parent[1:])]
    diameter, length = 16e-6 * 2 ** (-at * 2 / 3), np.where(fork, 0.0, 32e-6 * 2 ** (-at / 3))
    nowhere = np.zeros((len(at), 3))
    return Morphology(
        parent=np.array(parent, dtype=np.int32),
        start=nowhere,
        centre=nowhere,
        end=nowhere,
        length=length,
        diameter=diameter,
        kind=np.full(len(at), int(Kind.UNMYELINATED), dtype=np.int8),
        axon_diameter=diameter,
        site=np.ones(len(at), dtype=bool),
        resistivity=cell_constants()["axial_resistivity"],
    )


def passive(shape: Morphology) -> Circuit:
    """Return a tree with the passive membrane of the cases."""
    return dataclasses.replace(circuit(shape, "rallpack_3"), density={})


def rallpack() -> list[Row]:
    """Return the rows of case ``rallpack``; errors over 250 ms relative to the largest rise."""
    cable = bare_fibre(1e-3, 1e-6, 1000)
    tree = branching_tree()
    end, step = cable.length[0] / 2, 0.004 * 4e-3  # half a compartment, in the equivalent cylinder
    whole = 20 * step
    return [
        *_rows(1, cable, [0, 999], [end, 1e-3 - end], 1e-3, 1e-6),
        *_rows(2, tree, [0, len(tree) - 1], [step, whole - step], whole, 16e-6),
    ]


def _rows(
    case: int, shape: Morphology, seen: list[int], x: list[float], length: float, diameter: float
) -> Iterator[Row]:
    """Compare at both ends, with both kernels."""
    of = passive(shape)
    for kernel, (t, v) in {
        "linear cable": _linear(of, seen),
        "spiking cells": _spiking(of, seen),
    }.items():
        for place, c in enumerate(("where the current enters", "at the far end")):
            want = series(t, x[place], length, diameter)
            yield Row(
                case="rallpack",
                quantity=f"Rallpack {case}, {c}, kernel of the {kernel}: rise after 250 ms",
                value=float(v[-1, place]),
                reference=float(want[-1]),
                error=float(np.abs(v[:, place] - want).max() / want.max()),
                limit=5e-3,
                unit="V",
                source=_SOURCE.format(case),
            )


def _linear(of: Circuit, seen: list[int]) -> tuple[Floats, Floats]:
    """Step with the linear cable's kernel; times (s) and rises (V), shape (steps, seen)."""
    from rheobase.neurons._cable_numba import factorise, step_double

    steps = round(DURATION / _STEP)
    joined = of.axial.copy()
    np.add.at(joined, of.parent[1:], of.axial[1:])
    memory = of.capacitance[None] / _STEP
    factor, inverse = np.empty_like(memory), np.empty_like(memory)
    factorise(of.parent, of.axial, memory[0] + of.leak + joined, factor[0], inverse[0])
    always: NDArray[np.int64] = np.zeros(steps, dtype=np.int64)
    v: Floats = step_double(
        of.parent,
        always,
        factor,
        inverse,
        memory,
        _into_root(of),
        np.ones(steps),
        np.zeros(len(of)),
    )
    t: Floats = np.linspace(_STEP, DURATION, steps)
    return t, v[:, seen]


def _spiking(of: Circuit, seen: list[int]) -> tuple[Floats, Floats]:
    """Step with the kernel of the spiking cells."""
    t, v = simulate(of, _into_root(of), DURATION, 1.0, DURATION, dt=_STEP, record=seen)
    inside = t <= DURATION
    rise: Floats = v[inside] - of.leak_reversal[0]
    return t[inside], rise


def _into_root(of: Circuit) -> Floats:
    current: Floats = np.zeros(len(of))
    current[0] = CURRENT
    return current
