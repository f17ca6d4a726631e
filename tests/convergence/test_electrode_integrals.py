"""Orders of electrodes on a sphere: what pads cover, and ideal discs against their series."""

from collections.abc import Sequence

import numpy as np
import pytest

from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, Layer
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import lay
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc, Ring
from rheobase.meshes.placing.scalp import Scalp

pytestmark = pytest.mark.convergence

R = 0.06
RADIUS, INNER = 0.012, 0.006
EDGES = (9e-3, 6e-3, 4e-3)
NOTHING = (Layer(name="nothing", sigma=1e6, thickness_mm=1e-3),)


def order(edges: Sequence[float], errors: Sequence[float]) -> float:
    return float(np.polyfit(np.log(edges), np.log(errors), 1)[0])


def cap(radius: float) -> float:
    return float(2 * np.pi * R**2 * (1 - np.cos(radius / R)))


def test_discs_rings_and_their_field() -> None:
    sphere = LayeredSphere(radii=(R,), sigma=(0.33,))
    up, side = np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.8, 0.0])
    shapes: tuple[tuple[Disc | Ring, float, float], ...] = (
        (Disc(radius_mm=1e3 * RADIUS), 0.0, cap(RADIUS)),
        (
            Ring(inner_radius_mm=1e3 * INNER, outer_radius_mm=1e3 * RADIUS),
            INNER,
            cap(RADIUS) - cap(INNER),
        ),
    )
    area: dict[int, list[float]] = {0: [], 1: []}
    height: dict[int, list[float]] = {0: [], 1: []}
    impedance: dict[int, list[float]] = {0: [], 1: []}
    potential: dict[int, list[float]] = {0: [], 1: []}
    directions = np.random.default_rng(3).normal(size=(12, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    edges = []
    for edge in EDGES:
        conductor = Conductor(mesh_spheres((R,), (2,), edge), {2: 0.33})
        edges.append(conductor.mesh.volumes().mean() ** (1 / 3))
        scalp = Scalp(conductor.mesh)
        nodes = conductor.mesh.nodes
        deep = np.linalg.norm(nodes, axis=1) < 0.7 * R
        for k, (shape, inner, exact) in enumerate(shapes):
            pads = [lay(Electrode(name="a", centre=R * d, shape=shape), scalp) for d in directions]
            area[k].append(max(abs(p.area / exact - 1) for p in pads))
            # mean of the cosine to the axis over the pad: (1 + cos) / 2 of its rims
            cosine = 0.5 * (np.cos(RADIUS / R) + np.cos(inner / R))
            found = [
                p.m @ nodes[p.nodes] @ d / p.area / R for p, d in zip(pads, directions, strict=True)
            ]
            height[k].append(abs(np.mean(found) / cosine - 1))
            pair = Montage(
                name="pair",
                electrodes=tuple(
                    Electrode(name=n, centre=R * d, shape=shape, model="ideal", layers=NOTHING)
                    for n, d in (("up", up), ("side", side))
                ),
                currents=(1, -1),
            )
            basis = solve_conduction(conductor, pair)
            V, _ = sphere.even_electrodes(nodes[deep], up, side, radius=RADIUS, inner_radius=inner)
            wrong = basis.potential[0, deep] - V
            potential[k].append(np.linalg.norm(wrong - wrong.mean()) / np.linalg.norm(V))
            Z = sphere.even_impedance(up, side, radius=RADIUS, inner_radius=inner)
            impedance[k].append(1 - basis.report[0].impedance / Z)
    for k in (0, 1):
        assert order(edges, area[k]) > 1.8
        assert area[k][-1] < 1e-3
        assert order(edges, height[k]) > 1.8
        assert height[k][-1] < 1e-3
        assert order(edges, potential[k]) > 1.7  # h² log(h): the density jumps at the rim
        assert potential[k][-1] < 2e-3
        assert order(edges, impedance[k]) > 1.1
        assert 0 < impedance[k][-1] < 0.055  # linear elements are always too conductive
