"""Closed forms of the linear cable and of the activating function.

Cable of length constant λ = sqrt(d / (4 ρ g)) and time constant τ = C/g; X = x/λ, T = t/τ.
Sealed cable of length L in a field E along it: v = λE sinh(X) / cosh(L/2λ), x from its middle.
Sealed end of a long cable after the field is switched on: v = λE erf(√T) at the end (a current
step into a semi-infinite cable; Jack, Noble & Tsien 1975). A step ΔV of the outside potential:
v = ∓ΔV/2 exp(-|X|) at rest and, after it is switched on,
∓ΔV/4 [exp(-|X|) erfc(|X|/2√T - √T) + exp(|X|) erfc(|X|/2√T + √T)].
"""

from __future__ import annotations

import math

import numpy as np

from rheobase.neurons.activating import activation_chance, second_difference
from rheobase.neurons.cable import injected, polarisation
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.fibres import bare_fibre, myelinated_fibre
from rheobase.neurons.morphology import Floats, Kind, Morphology
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.validation.case import Row

_DIAMETER = 1e-6


def _length_constant(diameter: float) -> float:
    c = cell_constants()
    return math.sqrt(diameter / (4 * c["axial_resistivity"] * c["membrane_conductance"]))


def _time_constant() -> float:
    c = cell_constants()
    return c["membrane_capacitance"] / c["membrane_conductance"]


def _row(
    case: str, quantity: str, got: Floats, want: Floats, limit: float, unit: str, source: str
) -> Row:
    """Compare arrays at the largest reference value; the error is relative to that value."""
    i = int(np.abs(want).argmax())
    return Row(
        case=case,
        quantity=quantity,
        value=float(got[i]),
        reference=float(want[i]),
        error=float(np.abs(got - want).max() / np.abs(want).max()),
        limit=limit,
        unit=unit,
        source=source,
    )


def branched_pair() -> tuple[Morphology, Morphology]:
    """Return a cable that forks by Rall's 3/2 rule and the cylinder it is equivalent to.

    Both are 3 λ long, of 300 compartments to each tip; the fork lies in the middle.
    """
    trunk = 2e-6
    branch = trunk / 2 ** (2 / 3)
    lam, n = _length_constant(trunk), 150
    whole = bare_fibre(3 * lam, trunk, 2 * n)
    ratio = math.sqrt(branch / trunk)  # λ goes with the square root of the diameter
    parent = np.concatenate([np.arange(-1, n), [n], np.arange(n + 1, 2 * n), [n]])
    parent = np.concatenate([parent, np.arange(2 * n + 1, 3 * n)])
    length = np.full(3 * n + 1, 3 * lam / (2 * n))
    length[n + 1 :] *= ratio
    length[n] = 0.0
    diameter = np.full(3 * n + 1, branch)
    diameter[: n + 1] = trunk
    zero = np.zeros((3 * n + 1, 3))
    fork = Morphology(
        parent=parent.astype(np.int32),
        start=zero,
        centre=zero,
        end=zero,
        length=length,
        diameter=diameter,
        kind=np.full(3 * n + 1, int(Kind.UNMYELINATED), dtype=np.int8),
        axon_diameter=diameter,
        site=np.ones(3 * n + 1, dtype=bool),
        resistivity=cell_constants()["axial_resistivity"],
    )
    return fork, whole


def cable_closed_form() -> list[Row]:
    """Return the rows of case ``cable-closed-form``; errors relative to the largest value."""
    from scipy.special import erf, erfc

    case, limit = "cable-closed-form", 5e-3
    lam, tau = _length_constant(_DIAMETER), _time_constant()
    theory = "cable theory (Jack, Noble & Tsien 1975)"
    E = 1.0
    rows = []

    fibre = bare_fibre(2 * lam, _DIAMETER, 200)
    v = polarisation(fibre, rises_along(fibre, UniformField(E=[E, 0, 0])), [1.0])[0]
    X = fibre.centre[:, 0] / lam
    want = lam * E * np.sinh(X) / math.cosh(1.0)
    rows.append(_row(case, "sealed cable of 2 λ in 1 V/m, at rest", v, want, limit, "V", theory))

    fibre = bare_fibre(8 * lam, _DIAMETER, 1600)
    v = polarisation(fibre, rises_along(fibre, UniformField(E=[E, 0, 0])), [1.0])[0]
    rows.append(
        _row(
            case,
            "end of a sealed cable of 8 λ in 1 V/m tends to λE",
            v[-1:],
            np.array([lam * E]),
            limit,
            "V",
            "Arlotti 2012; λE tanh(L/2λ)",
        )
    )

    n = 4000
    fibre = bare_fibre(20 * lam, _DIAMETER, n)
    X = fibre.centre[:, 0] / lam
    rise = np.zeros(n)
    rise[n // 2] = 1e-3  # the outside potential steps up by 1 mV in the middle
    v = polarisation(fibre, rise, [1.0])[0]
    side = -np.sign(X)
    want = side * 0.5e-3 * np.exp(-np.abs(X))
    rows.append(
        _row(case, "infinite cable, step of 1 mV outside, at rest", v, want, limit, "V", theory)
    )

    steps, T = 2000, 0.5
    v = polarisation(fibre, rise, np.ones(steps), dt=T * tau / steps)[-1]
    a, r = np.abs(X), math.sqrt(T)
    with np.errstate(over="ignore", under="ignore"):
        second = np.where(a < 15, np.exp(np.minimum(a, 15)) * erfc(a / (2 * r) + r), 0.0)
    want = side * 0.25e-3 * (np.exp(-a) * erfc(a / (2 * r) - r) + second)
    rows.append(_row(case, "the same 0.5 τ after it is switched on", v, want, limit, "V", theory))

    # a 200 us pulse is short: the disturbance reaches 0.15 λ, so the compartments must be finer
    pulse = 200e-6
    fibre = bare_fibre(4 * lam, _DIAMETER, 4000)
    rise = rises_along(fibre, UniformField(E=[E, 0, 0]))
    v = polarisation(fibre, rise, np.ones(500), dt=pulse / 500)[-1]
    end = 0.5 * fibre.length[-1] / lam  # the last unknown sits half a compartment inside
    r = math.sqrt(pulse / tau)
    exact = 0.5 * (
        math.exp(-end) * erfc(end / (2 * r) - r) - math.exp(end) * erfc(end / (2 * r) + r)
    )
    rows.append(
        _row(
            case,
            f"sealed end after 200 us in 1 V/m (λE erf√T = {lam * E * erf(r) * 1e6:.3f} uV)",
            v[-1:],
            np.array([lam * E * exact]),
            limit,
            "V",
            theory,
        )
    )

    fork, whole = branched_pair()
    n = len(whole) // 2
    jump = np.zeros(len(whole))
    jump[n // 2] = 1e-3
    want = polarisation(whole, jump, [1.0])[0]
    jump = np.zeros(len(fork))
    jump[n // 2] = 1e-3
    v = polarisation(fork, jump, [1.0])[0]
    got = np.concatenate([v[:n], v[n + 1 : 2 * n + 1]])
    rows.append(
        _row(
            case,
            "fork by the 3/2 rule against its equivalent cylinder",
            got,
            want,
            limit,
            "V",
            "Rall 1959",
        )
    )
    return rows


def activating_function() -> list[Row]:
    """Return the rows of case ``activating-function``; errors relative to the largest value."""
    case, c = "activating-function", cell_constants()
    z, current, sigma = 1e-3, -1e-3, 0.3
    rows = []

    n, half = 8001, 2e-3
    fibre = bare_fibre(2 * half, _DIAMETER, n)
    source = PointSource(position=[0, 0, z], conductivity=sigma)
    per_area = injected(fibre, current * rises_along(fibre, source)) / fibre.area
    x = fibre.centre[:, 0]
    r2 = x**2 + z**2
    curvature = current / (4 * math.pi * sigma) * (2 * x**2 - z**2) / r2**2.5
    want = _DIAMETER / (4 * c["axial_resistivity"]) * curvature
    rows.append(
        _row(
            case,
            "point source 1 mm over a fibre, -1 mA, 0.3 S/m: membrane current density",
            per_area[1:-1],
            want[1:-1],
            1e-6,
            "A/m2",
            "Rattay 1986; (d/4ρ) d²V/ds²",
        )
    )

    straight = bare_fibre(1e-3, _DIAMETER, 100)
    flat = injected(straight, rises_along(straight, UniformField(E=[1.0, 0, 0])))
    h = straight.length[0]
    rows.append(
        _row(
            case,
            "sealed end in 1 V/m: current density (d/4ρ) E/h",
            flat[-1:] / straight.area[-1:],
            np.array([_DIAMETER / (4 * c["axial_resistivity"]) / h]),
            1e-6,
            "A/m2",
            "Rattay 1986; current balance of the end",
        )
    )

    axon = myelinated_fibre(2e-6, 21)
    V = current * source.potential(axon.centre)
    rise = np.concatenate([[0.0], np.diff(V)])
    node = np.flatnonzero(axon.kind == Kind.NODE)
    x = axon.centre[:, 0]
    f = second_difference(axon, rise)[node]
    # second difference of V over half internodes, scaled to one internode
    left, right = V[node - 1] - V[node], V[node + 1] - V[node]
    step = x[node + 1] - x[node]
    internode = axon.length[node + 1]
    rows.append(
        _row(
            case,
            "second difference at the nodes of a myelinated fibre, over one internode",
            f,
            internode**2 * (left + right) / step**2,
            1e-6,
            "V",
            "McNeal 1976",
        )
    )

    # triangles of 2 at the top: above the level 1 over half an edge on either side
    edge, inl = 50e-6, 200e-6
    length = [0.0, *[edge] * 6]
    chance = activation_chance(range(-1, 6), length, [inl] * 7, [0, 2, 0, 0, 0, 2, 0], 1.0)
    expected = 1 - (1 - edge / inl) ** 2
    rows.append(
        Row(
            case=case,
            quantity="chance that two stretches of a quarter internode hold a node",
            value=chance,
            reference=expected,
            error=abs(chance - expected) / expected,
            limit=1e-6,
            unit="1",
            source="1 - prod(1 - min(1, L/INL))",
        )
    )
    return rows
