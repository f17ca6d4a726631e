"""Exact potentials of current dipoles: in layered spheres, in one sphere, in a passive cable.

**Layers.** In layer s the potential of degree n is a_s (r/R)^n + b_s (R/r)^(n+1); the innermost has
the dipole's own b. Potential and radial current pass from layer to layer, and none leaves the
surface: one linear system a degree, solved numerically. It shares nothing with
`rheobase.fields.spheres` but the physics (four layers: Næss et al. 2017,
doi:10.3389/fnhum.2017.00490).

**One sphere.** The surface potential has a closed form (Brody, Terry & Ideker 1973, IEEE Trans
Biomed Eng 20:141).

**Cable.** A uniform stick has the dipole moment (V_foot - V_tip)/r_i, and what enters the soma at
its foot goes half a soma farther. The potentials are hyperbolic functions of the Laplace variable,
brought back to time along Talbot's contour (Abate & Valkó 2004, doi:10.1002/nme.995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def surface_potential(
    points: Floats,
    position: Floats,
    moment: Floats,
    *,
    radii: Sequence[float],
    sigma: Sequence[float],
    n_terms: int = 200,
) -> Floats:
    """Return V (V) of a dipole in the innermost layer at points of the surface, zero mean there.

    Parameters
    ----------
    points
        Directions from the centre, shape (n, 3).
    position, moment
        Dipole (m, A m), shape (3,), not at the centre.
    radii, sigma
        Outer radius (m) and conductivity (S/m) of each layer, from the inside.
    n_terms
        Degrees summed.
    """
    R = radii[-1]
    r0 = float(np.linalg.norm(position))
    axis = position / r0
    up = points / np.linalg.norm(points, axis=1, keepdims=True)
    c = up @ axis
    radial = float(moment @ axis)
    across = (up - c[:, None] * axis) @ (moment - radial * axis)  # p_t sin(gamma) cos(phi)
    p0, p1, d0, d1 = np.ones_like(c), c.copy(), np.zeros_like(c), np.ones_like(c)
    V = np.zeros_like(c)
    for n in range(1, n_terms + 1):
        gain = _surface_gain(n, np.asarray(radii) / R, np.asarray(sigma, dtype=np.float64))
        # in an unbounded medium: sum r0^(n-1) (n p_r P_n + p_t P_n') / (4 pi sigma r^(n+1))
        V += gain * (r0 / R) ** (n - 1) * (n * radial * p1 + across * d1)
        p0, p1 = p1, ((2 * n + 1) * c * p1 - n * p0) / (n + 1)
        d0, d1 = d1, d0 + (2 * n + 1) * p0
    return V / (4 * np.pi * sigma[0] * R**2)


def _surface_gain(n: int, x: Floats, sigma: Floats) -> float:
    """Return the potential of degree n at r = 1 for a source 1/r^(n+1) in the innermost layer."""
    layers = len(x)
    A, rhs = np.zeros((2 * layers - 1, 2 * layers - 1)), np.zeros(2 * layers - 1)
    # unknowns: a of every layer, scaled to its outer radius; b of all but the innermost, scaled
    # to its inner radius

    def value(s: int, r: float) -> tuple[Floats, Floats]:
        """Return potential and sigma dV/dr at r of layer s, as rows over the unknowns."""
        V, J = np.zeros(2 * layers - 1), np.zeros(2 * layers - 1)
        V[s] = (r / x[s]) ** n
        J[s] = sigma[s] * n * V[s] / r
        if s > 0:
            V[layers + s - 1] = (x[s - 1] / r) ** (n + 1)
            J[layers + s - 1] = -sigma[s] * (n + 1) * V[layers + s - 1] / r
        return V, J

    row = 0
    for s in range(layers - 1):
        V, J = value(s, x[s])
        W, K = value(s + 1, x[s])
        A[row], A[row + 1] = V - W, J - K
        if s == 0:
            rhs[row] = -(x[0] ** -(n + 1.0))
            rhs[row + 1] = sigma[0] * (n + 1) * x[0] ** -(n + 2.0)
        row += 2
    V, J = value(layers - 1, 1.0)
    A[row] = J
    own = 0.0
    if layers == 1:
        rhs[row], own = sigma[0] * (n + 1), 1.0
    scale = np.abs(A).max(axis=1)
    solution = np.linalg.solve(A / scale[:, None], rhs / scale)
    return float(V @ solution + own)


def one_sphere(
    points: Floats, position: Floats, moment: Floats, *, radius: float, sigma: float
) -> Floats:
    """Return V (V) of a dipole at points (n, 3) of the surface of a homogeneous sphere."""
    away = points - position
    d = np.linalg.norm(away, axis=1, keepdims=True)
    near = radius**2 - points @ position + radius * d[:, 0]
    image = (points + radius * away / d) / (radius * near[:, None])
    V: Floats = (2 * away / d**3 + image) @ moment / (4 * np.pi * sigma)
    return V


def stick_dipole(
    time: Floats,
    *,
    place: float,
    length: float,
    diameter: float,
    soma_radius: float,
    soma_capacitance: float,
    resistivity: float,
    capacitance: float,
    tau_m: float,
    tau: float,
) -> Floats:
    """Return the dipole moment (A m) of ball and stick for a current exp(-t/tau) A into the stick.

    Parameters
    ----------
    time
        Times (s), > 0, shape (t,).
    place
        Where on the stick the current enters (m), from its foot.
    length, diameter
        Of the stick (m), from the surface of the soma.
    soma_radius, soma_capacitance
        Of the soma (m, F), which is at one potential.
    resistivity, capacitance
        Axial resistivity (ohm m) and capacitance of the stick's membrane (F/m²).
    tau_m
        Time constant of all membrane (s).
    tau
        Decay of the current (s).

    Returns
    -------
    ndarray, shape (t,)
        Along the stick; a current into its far half makes it < 0.
    """
    r_i = resistivity / (0.25 * np.pi * diameter**2)

    def of(s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        membrane = s + 1 / tau_m
        q = np.sqrt(r_i * capacitance * np.pi * diameter * membrane)
        soma = soma_capacitance * membrane
        foot = r_i * soma / q  # V'(0)/(q V(0))
        ch, sh = np.cosh(q * place), np.sinh(q * place)
        beyond = np.tanh(q * (length - place))
        at_place = r_i / (q * ((sh + foot * ch) / (ch + foot * sh) + beyond))
        V_foot = at_place / (ch + foot * sh)
        V_tip = at_place / np.cosh(q * (length - place))
        moment = (V_foot - V_tip) / r_i - soma_radius * soma * V_foot
        out: NDArray[np.complex128] = moment / (s + 1 / tau)
        return out

    return np.array([_talbot(of, float(t)) for t in time])


def _talbot(
    of: Callable[[NDArray[np.complex128]], NDArray[np.complex128]], t: float, nodes: int = 32
) -> float:
    """Return the inverse Laplace transform of ``of`` at ``t`` (Abate & Valkó 2004)."""
    r = 2 * nodes / (5 * t)
    theta = np.arange(1, nodes) * np.pi / nodes
    cot = 1 / np.tan(theta)
    s = r * theta * (cot + 1j)
    slope = 1 + 1j * (theta + (theta * cot - 1) * cot)
    total = 0.5 * np.exp(r * t) * of(np.array([r + 0j]))[0]
    total += (np.exp(s * t) * of(s) * slope).sum()
    return float(r / nodes * total.real)
