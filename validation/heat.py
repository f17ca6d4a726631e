"""Heat against closed forms: Pennes' equation without conduction, its kernel, thermal dose."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.safety import PressurePeak
from rheobase.fields.heat.bioheat import Bioheat
from rheobase.fields.heat.dose import cem43
from rheobase.fields.heat.phases import Phase
from rheobase.fields.heat.properties import Thermal
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_indicators
from rheobase.meshes.tissues import tissue
from rheobase.validation.case import Row

Floats = NDArray[np.float64]
_LIMIT = 1e-3


def uniform() -> list[Row]:
    """Heat a block everywhere alike, 1 MPa at 500 kHz in brain: a step, and its decay."""
    tissue_like = Fluid.from_decibels("brain", 1560.0, 1040.0, 0.3, frequency=500e3)
    peak = PressurePeak(pressure=1e6, density=1040.0, sound_speed=1560.0)
    Q = 2 * tissue_like.absorption(500e3) * peak.intensity
    grey = tissue("grey_matter")
    brain = Thermal(
        heat_capacity=1046.0 * 3630.0, conductivity=0.5, cooling=Thermal.of(grey).cooling
    )
    mesh = block(0.02, 4e-3)
    load = Q * np.bincount(mesh.tets.ravel(), np.repeat(mesh.volumes() / 4, 4))
    # 1 ms is as good as no perfusion: exp(-1e-5)
    short = Bioheat(mesh, {1: brain}).heat(load, [Phase(start=0, end=1e-3, power=1)], cooling=0)
    long = Bioheat(mesh, {1: brain}).heat(load, [Phase(start=0, end=60, power=1)], cooling=60)
    rate = brain.cooling / brain.heat_capacity
    hot = Q / brain.cooling * (1 - exp(-60 * rate))
    rows = [
        ("absorbed power at 1 MPa, 500 kHz", Q, 2.128869e6, "W/m^3"),
        ("rise a second, at first", short.peak_rise.mean() / 1e-3, 0.560674, "K/s"),
        ("rise after 60 s, largest of all nodes", long.peak_rise.max(), hot, "K"),
        ("rise after 60 s, smallest of all nodes", long.peak_rise.min(), hot, "K"),
        ("rise 60 s later", long.final_rise.mean(), hot * exp(-60 * rate), "K"),
        ("heat that blood carried off", long.energy.perfused, _carried(Q, rate, 0.02**3), "J"),
    ]
    return [
        _row("pennes-uniform", what, value, reference, unit, "closed form without conduction")
        for what, value, reference, unit in rows
    ]


def _carried(Q: float, rate: float, volume: float) -> float:
    """Return the heat (J) that blood takes in 60 s of heating and 60 s after."""
    left = (1 - exp(-60 * rate)) / rate * exp(-60 * rate)  # of 1 W for a minute, a minute later
    return Q * volume * (60 - left)


def gaussian(finest: float = 24.0) -> list[Row]:
    """Let a Gaussian of heat spread in perfused grey matter: the heat kernel.

    One octant, insulated by symmetry, ``finest`` edges for its radius in the middle.
    """
    brain = Thermal.of(tissue("grey_matter"))
    D, rate = brain.conductivity / brain.heat_capacity, brain.cooling / brain.heat_capacity
    s, end, pulse = 3e-3, 5.0, 1e-3
    mesh = block(
        4.5 * s, s / finest, lambda x: s / finest * np.maximum(1, np.linalg.norm(x, axis=1) / s)
    )

    def kernel(x: Floats, t: float) -> Floats:
        wide = s**2 + 4 * D * t
        grown: Floats = (s**2 / wide) ** 1.5 * np.exp(-(x**2).sum(axis=-1) / wide - rate * t)
        return grown

    load = project(mesh, lambda x: brain.heat_capacity / pulse * kernel(x, 0.0))
    probes = s * np.array([[1e-6, 1e-6, 1e-6], [0.5, 0.5, 0.5], [1.0, 0.3, 0.6]])
    heating = Bioheat(mesh, {1: brain}).heat(
        load, [Phase(start=0, end=pulse, power=1)], step=0.25, cooling=end, probes=probes
    )
    exact = kernel(mesh.nodes, end + pulse / 2)
    weight = np.bincount(mesh.tets.ravel(), np.repeat(mesh.volumes() / 4, 4))
    distance = sqrt(weight @ (heating.final_rise - exact) ** 2 / (weight @ exact**2))
    size = f"{len(mesh.tets) / 1e6:.2f} M tetrahedra, {finest:g} edges a radius of 3 mm"
    rows = [
        (f"rise {np.round(x / s, 1).tolist()} radii from the middle after 5 s", rise, ref, "K")
        for x, rise, ref in zip(
            probes, heating.probe_rise[-1], kernel(probes, end + pulse / 2), strict=True
        )
    ]
    peak = int(np.argmin(np.abs(heating.times - 1.0)))
    rows.append(
        (
            "rise in the middle after 1 s",
            heating.probe_rise[peak, 0],
            float(kernel(probes[0], heating.times[peak] - pulse / 2)),
            "K",
        )
    )
    stored = brain.heat_capacity * (sqrt(pi) * s / 2) ** 3 * exp(-rate * end)
    rows.append(("heat left after 5 s", heating.energy.stored, stored, "J"))
    source = "heat kernel with perfusion"
    return [
        _row("pennes-gaussian", f"{what} ({size})", value, ref, unit, source)
        for what, value, ref, unit in rows
    ] + [
        Row(
            case="pennes-gaussian",
            quantity=f"rise after 5 s, relative L2 ({size})",
            value=distance,
            reference=0.0,
            error=distance,
            limit=_LIMIT,
            unit="1",
            source=source,
        )
    ]


def dose() -> list[Row]:
    """Thermal dose at constant temperatures and along a ramp through 43 °C."""
    source = "Sapareto & Dewey 1984, doi:10.1016/0360-3016(84)90379-1"
    rows = [
        (f"CEM43 of 60 s at {T} °C", float(cem43([0, 60], [T, T])), reference)
        for T, reference in ((45, 4.0), (42, 0.25), (41, 0.0625))
    ]
    # 37 to 47 °C in 10 min, a degree a minute: 4^-x below and 2^x above, integrated
    ramp = (1 - 4.0**-6) / log(4) + (2.0**4 - 1) / log(2)
    rows.append(("CEM43 of a ramp from 37 to 47 °C", float(cem43([0, 600], [37, 47])), ramp))
    return [_row("cem43", what, value, ref, "min", source) for what, value, ref in rows]


def block(length: float, edge: float, size: Callable[[Floats], Floats] | None = None) -> TetMesh:
    """Mesh the cube from 0 to ``length`` (m) with mean edges of ``edge``, or of a size (m)."""

    def indicators(x: Floats) -> Floats:
        inside = np.ones(len(x))
        return np.column_stack([-inside, inside])

    return mesh_indicators([0, 1], indicators, np.array([[0.0] * 3, [length] * 3]), edge, size=size)


def project(mesh: TetMesh, density: Callable[[Floats], Floats]) -> Floats:
    """Return ∫ Q phi_i (W) of a power density Q (W/m³), by 64 points a tetrahedron."""
    x, w = np.polynomial.legendre.leggauss(4)
    x, w = (x + 1) / 2, w / 2
    a, b, c = (v.ravel() for v in np.meshgrid(x, x, x, indexing="ij"))
    weight = (w[:, None, None] * w[:, None] * w).ravel() * 6 * (1 - a) ** 2 * (1 - b)
    bary = np.column_stack([(1 - a) * (1 - b) * (1 - c), a, b * (1 - a), c * (1 - a) * (1 - b)])
    load = np.zeros(len(mesh.nodes))
    corners, volumes = mesh.nodes[mesh.tets], mesh.volumes()
    for share, part in zip(bary, weight, strict=True):
        power = part * volumes * density(np.einsum("v,tvd->td", share, corners))
        load += np.bincount(
            mesh.tets.ravel(), (power[:, None] * share).ravel(), minlength=len(load)
        )
    return load


def _row(case: str, quantity: str, value: float, reference: float, unit: str, source: str) -> Row:
    return Row(
        case=case,
        quantity=quantity,
        value=float(value),
        reference=float(reference),
        error=abs(float(value) / float(reference) - 1),
        limit=_LIMIT,
        unit=unit,
        source=source,
    )
