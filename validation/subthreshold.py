"""Weak fields: the polarised cable at any frequency, and small deviations of whole cells.

A sealed passive cable of length L in a field E exp(iωt) along it deviates from rest by (x from its
middle)

    v = λE sinh(x/λ) / cosh(L/2λ),   λ² = d / (4 ρ (g + iωc)),

λE tanh(L/2λ) at its end (at rest: Arlotti 2012, doi:10.1109/EMBC.2012.6346985), which for high
frequencies tends to λE with λ² = d / (4 ρ iωc).

Cells with all their channels have no closed form. There the linear answer is compared with the full
simulation of a small deviation, and with the way its rest moves under a small steady current.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons._cable_numba import LANES
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.membrane import circuit
from rheobase.neurons.membrane.linear import Complexes
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.sample import UniformField, rises_along
from rheobase.neurons.spiking import resting_state, simulate_cell
from rheobase.neurons.subthreshold import SITES, Response, at_sites, ends, responses
from rheobase.validation.case import Row

_CASE, _LIMIT = "subthreshold", 5e-3
_DIAMETER = 1e-6
_THEORY = "cable theory: λE sinh(x/λ)/cosh(L/2λ), complex λ"
_FREQUENCY, _PERIODS, _STEPS = 100.0, 6, 200  # of the full simulation: Hz, run, steps in a period
_CURRENT = 1e-12  # A


def complex_length(diameter: float, frequency: float) -> complex:
    """Return the length constant of a passive cable at a frequency (m)."""
    c = cell_constants()
    membrane = c["membrane_conductance"] + 2j * np.pi * frequency * c["membrane_capacitance"]
    return complex(np.sqrt(diameter / (4 * c["axial_resistivity"] * membrane)))


def passive_response(shape: Morphology, frequency: float) -> Response:
    """Return the answer of a tree with its capacitance and its leak."""
    return Response.of(shape, shape.leak + 2j * np.pi * frequency * shape.capacitance)


def subthreshold() -> list[Row]:
    """Return the rows of case ``subthreshold``; errors relative to the largest modulus."""
    rows = [*_cable()]
    for name in ("L5_pyramidal", "L4_basket"):
        cell = generate_cell(name, "rat", seed=1)
        rows += [*_whole(cell)]
    return rows


def _row(quantity: str, got: Complexes, want: Complexes, limit: float, unit: str, ref: str) -> Row:
    """Compare arrays; the values shown are the moduli where the reference is largest."""
    i = int(np.abs(want).argmax())
    return Row(
        case=_CASE,
        quantity=quantity,
        value=float(np.abs(got[i])),
        reference=float(np.abs(want[i])),
        error=float(np.abs(got - want).max() / np.abs(want).max()),
        limit=limit,
        unit=unit,
        source=ref,
    )


def _cable() -> Iterator[Row]:
    """Compare a cable of two length constants over frequency, inside and at its end."""
    c = cell_constants()
    steady = complex_length(_DIAMETER, 0.0).real
    corner = c["membrane_conductance"] / c["membrane_capacitance"] / (2 * np.pi)
    fibre = bare_fibre(2 * steady, _DIAMETER, 800)
    rise = rises_along(fibre, UniformField(E=[1.0, 0.0, 0.0]))
    x, half = fibre.centre[:, 0], steady
    lanes = np.zeros((1, len(fibre), LANES), dtype=np.float32)
    lanes[0, :, 0] = rise
    terminal = SITES.index("terminal")
    for times in (0.0, 1.0, 10.0, 100.0):
        f = times * corner
        lam, answer = complex_length(_DIAMETER, f), passive_response(fibre, f)
        with np.errstate(under="ignore"):
            want = lam * np.sinh(x / lam) / np.cosh(half / lam)
        where = f"sealed cable of 2 λ in 1 V/m, ωτ = {times:g}"
        yield _row(where, answer.deviation(rise), want, _LIMIT, "V", _THEORY)
        end = at_sites(answer, lanes)[:1, terminal, 0]
        theory = "Arlotti 2012, Rahman 2013: λE tanh(L/2λ)"
        want = np.array([lam * np.tanh(half / lam)])
        yield _row(f"{where}: its end, batched", end, want, _LIMIT, "V", theory)
    f = 1e4 * corner
    fine = bare_fibre(0.2 * steady, _DIAMETER, 4000)
    answer = passive_response(fine, f)
    lanes = np.zeros((1, len(fine), LANES), dtype=np.float32)
    lanes[0, :, 0] = rises_along(fine, UniformField(E=[1.0, 0.0, 0.0]))
    charge = 2j * np.pi * f * c["membrane_capacitance"]
    want = np.array([np.sqrt(_DIAMETER / (4 * c["axial_resistivity"] * charge))])
    yield _row(
        "end of a cable, ωτ = 1e4: the capacitance alone rules",
        at_sites(answer, lanes)[:1, terminal, 0],
        want,
        _LIMIT,
        "V",
        "limit λ² = d/(4ρ iωc)",
    )


def _whole(cell: Cell) -> Iterator[Row]:
    """Compare a cell with its own rows, its full simulation, and its rest under a current."""
    rise = rises_along(cell.morphology, UniformField(E=[0.0, 0.0, -1.0]))
    site, _ = ends(cell.morphology)
    seen = np.flatnonzero(site >= 0)
    still, moving = responses(cell, [0.0, _FREQUENCY])
    solved = moving.deviation(rise)[seen]
    by_row = np.array([moving.influence(int(c)) @ rise for c in seen])
    name = f"{cell.name}, rat, 1 V/m into the cortex"
    yield _row(
        f"{name}, {_FREQUENCY:g} Hz: reciprocal rows of {len(seen)} sites against one solution",
        by_row,
        solved,
        1e-9,
        "V",
        "symmetry of the tree's matrix",
    )
    yield _row(
        f"{name}, {_FREQUENCY:g} Hz: soma and ends, linear against the full simulation",
        solved,
        _simulated(cell, rise, seen),
        _LIMIT,
        "V",
        "spiking mode of this package",
    )
    yield _row(
        f"{cell.name}, rat: steady, 1 pA into the soma, linear against the rest that moves",
        _CURRENT * still.impedance(0),
        _moved(cell).astype(np.complex128),
        _LIMIT,
        "V",
        "resting state of the spiking mode",
    )


def _simulated(cell: Cell, rise: Floats, seen: NDArray[np.intp]) -> Complexes:
    """Return the oscillation that a full simulation of 1 V/m ends in (V), shape (seen,)."""
    t = np.arange(_PERIODS * _STEPS * 2 + 1) / (2 * _STEPS * _FREQUENCY)
    omega = 2 * np.pi * _FREQUENCY
    wave = SimpleNamespace(t=t, w=np.sin(omega * t))
    dt = 1 / (_STEPS * _FREQUENCY)
    ends_at, v = simulate_cell(cell, rise, wave, 1.0, float(t[-1]), dt=dt, record=seen)
    last = ends_at > t[-1] - 1 / _FREQUENCY + 0.5 * dt
    x = omega * ends_at[last]
    basis = np.stack([np.sin(x), np.cos(x), np.ones(len(x))], axis=1)
    a, b, _ = np.linalg.lstsq(basis, v[last], rcond=None)[0]
    out: Complexes = a + 1j * b
    return out


def _moved(cell: Cell) -> Floats:
    """Return how far a small current into the soma moves the rest (V), shape (n,)."""
    of = circuit(cell)
    shifted = of.leak_reversal.copy()
    shifted[0] += _CURRENT / of.leak[0]
    out: Floats = resting_state(replace(of, leak_reversal=shifted)) - resting_state(of)
    return out
