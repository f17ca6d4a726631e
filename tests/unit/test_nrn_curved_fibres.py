"""Fibres along curves: places, potentials, thresholds."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.meshes.mesh import TetMesh
from rheobase.neurons.cable import polarisation
from rheobase.neurons.fibres import bare_fibre, lay_along, myelinated_fibre, potential_along
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.placing import PlacedAxons, place_axons
from rheobase.neurons.pathways.sampled import sample_axons
from rheobase.neurons.sample import PointSource, UniformField, rises_along

SIGMA = 0.2


class FieldOnly:
    """A point source that knows its field but not its potential."""

    def __init__(self, place: Any) -> None:
        self.source = PointSource(position=place, conductivity=SIGMA)

    def at(self, points: Floats) -> tuple[Floats, NDArray[Any]]:
        return self.source.at(points)


def arc(radius: float, length: float, points: int = 2001) -> Floats:
    """Arc in the plane z = 0 through the origin, its middle there, its centre at y = radius."""
    angle = np.linspace(-0.5, 0.5, points) * length / radius
    along, across = np.sin(angle), 1 - np.cos(angle)
    out: Floats = radius * np.stack([along, across, 0 * angle], axis=1)
    return out


def rotation(seed: int = 3) -> Floats:
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    q *= np.sign(np.diag(r))
    out: Floats = q * np.sign(np.linalg.det(q))
    return out


def axons(line: Floats, phase: float = 0.5) -> PlacedAxons:
    return place_axons([line], 10e-6, compartments=True, phase=phase)


def threshold(line: Floats, source: Any, width: float = 100e-6) -> float:
    sampled = sample_axons(axons(line), source)
    found = mrg_thresholds(sampled.axons.axon, [-sampled.potential[0]], width, tolerance=1e-4)
    return float(found.amplitude[0])


def test_nodes_lie_at_their_arc_lengths() -> None:
    line = arc(8e-3, 40e-3)
    placed = axons(line)
    node = placed.points[::11]
    angle = np.diff(placed.along[::11]) / 8e-3
    assert placed.along[0] == pytest.approx(0.5 * placed.axon.internode)
    assert angle == pytest.approx(np.full(len(node) - 1, 1.15e-3 / 8e-3))
    chord = np.linalg.norm(np.diff(node, axis=0), axis=1)
    assert chord == pytest.approx(2 * 8e-3 * np.sin(0.5 * angle), rel=1e-5)
    assert np.linalg.norm(node - [0, 8e-3, 0], axis=1) == pytest.approx(8e-3, rel=1e-5)


def test_the_threshold_does_not_depend_on_the_frame() -> None:
    line, place = arc(8e-3, 40e-3), np.array([0.3e-3, -1e-3, 0.2e-3])
    turn, shift = rotation(), np.array([0.03, -0.1, 0.2])
    there = threshold(
        line @ turn.T + shift, PointSource(position=turn @ place + shift, conductivity=SIGMA)
    )
    here = threshold(line, PointSource(position=place, conductivity=SIGMA))
    assert there == pytest.approx(here, rel=1e-6)


def test_a_gentle_curve_is_straight() -> None:
    source = PointSource(position=[0.0, -1e-3, 0.0], conductivity=SIGMA)
    straight = threshold(np.array([[-0.02, 0.0, 0.0], [0.02, 0.0, 0.0]]), source)
    off = [abs(threshold(arc(R, 40e-3), source) / straight - 1) for R in (0.01, 0.1, 1.0)]
    assert off[0] > 0.01
    assert off[2] < 2e-3
    assert off[2] < off[1] < off[0]


def test_an_arc_around_a_source_feels_nothing_but_its_ends() -> None:
    line = arc(8e-3, 40e-3)
    V = sample_axons(axons(line), PointSource(position=[0, 8e-3, 0], conductivity=SIGMA)).potential
    assert np.ptp(V) < 1e-5 * V.mean()


@pytest.mark.parametrize("place", [[0.3e-3, -1e-3, 0.2e-3], [1e-3, 3e-3, 0.0]])
def test_a_field_gives_what_its_potential_gives(place: Any) -> None:
    line = arc(8e-3, 40e-3)
    source = PointSource(position=place, conductivity=SIGMA)
    want = sample_axons(axons(line), source).potential[0]
    got = sample_axons(axons(line), FieldOnly(place)).potential[0]
    assert np.diff(got) == pytest.approx(np.diff(want), abs=2e-3 * np.abs(np.diff(want)).max())
    assert threshold(line, FieldOnly(place)) == pytest.approx(threshold(line, source), rel=3e-3)


def test_a_field_on_a_mesh() -> None:
    # V = 2 x² - y² - z² + x y in five tetrahedra: its field is linear, so nothing is lost on them
    nodes = 0.03 * np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    tets = np.array([[0, 4, 2, 1], [6, 2, 4, 7], [5, 1, 7, 4], [3, 1, 2, 7], [1, 2, 7, 4]])
    edge = nodes[tets[:, 1:]] - nodes[tets[:, :1]]
    turned = np.linalg.det(edge) < 0
    tets[turned, :2] = tets[turned, 1::-1]
    mesh = TetMesh(nodes=nodes, tets=tets.astype(np.int32), labels=np.ones(5, dtype=np.int32))
    x, y, z = nodes.T
    none: Any = (None,)
    basis = FieldBasis(
        mesh=mesh,
        names=("one",),
        unit="A",
        E=-np.stack([4 * x + y, -2 * y + x, -2 * z], axis=1)[None],
        potential=np.zeros((1, 8)),
        split_of_tet=mesh.tets,
        split_node=np.arange(8, dtype=np.int32),
        split_label=np.ones(8, dtype=np.int32),
        report=none,
        anisotropic=(),
    )
    placed = axons(arc(8e-3, 40e-3) + np.array([0.0, -8e-3, 1e-3]))
    V = sample_axons(placed, basis).potential[0]
    x, y, z = placed.points.T
    want = 2 * x**2 - y**2 - z**2 + x * y
    assert V - V[0] == pytest.approx(want - want[0], abs=1e-6 * np.ptp(want))


def test_only_a_bend_feels_a_uniform_field() -> None:
    corner = np.array([[-0.02, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.02, 0.0]])
    V = sample_axons(axons(corner), UniformField(E=[1.0, 0.0, 0.0])).potential[0]
    node = np.diff(V[::11], n=2)
    bend = np.flatnonzero(np.abs(node) > 1e-12)
    assert np.ptp(bend) == 1  # the corner lies between these two nodes
    assert node.sum() == pytest.approx(1.15e-3)  # E over an internode
    assert V[0] - V[-1] == pytest.approx(0.02 - 0.5 * 1.15e-3)


def test_outside_is_not_a_number() -> None:
    class Half:
        def at(self, points: Floats) -> tuple[Floats, NDArray[Any]]:
            inside = points[:, 0] < 1e-3
            E = np.where(inside[:, None], [[1.0, 0.0, 0.0]], np.nan)[None]
            return E, np.where(inside, 0, -1)

    line = np.array([[0.0, 0, 0], [2e-3, 0, 0]])
    V = potential_along([line], [np.array([0.0, 0.5e-3, 1.5e-3])], Half())[0]
    assert V[:2] == pytest.approx([0.0, -0.5e-3])
    assert np.isnan(V[2])


def test_a_single_cable_along_a_line_is_the_same_cable() -> None:
    for fibre in (bare_fibre(4e-3, 1e-6, 200), myelinated_fibre(2e-6, 15)):
        line = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        middle = 1.0 - 0.5 * fibre.length.sum()
        same = lay_along(fibre, line, start=middle)
        assert same.centre == pytest.approx(fibre.centre, abs=1e-12)
        bent = lay_along(fibre, arc(2e-3, 10e-3), start=1e-3)
        assert bent.axial == pytest.approx(fibre.axial)
        assert np.linalg.norm(bent.centre - [0, 2e-3, 0], axis=1) == pytest.approx(2e-3, rel=1e-5)


def test_a_bent_cable_in_a_turned_frame() -> None:
    turn, fibre = rotation(5), bare_fibre(4e-3, 1e-6, 200)
    line, place = arc(2e-3, 10e-3), np.array([0.0, -0.5e-3, 0.1e-3])

    def response(path: Floats, where: Floats) -> Floats:
        cell = lay_along(fibre, path, start=1e-3)
        rise = rises_along(cell, PointSource(position=where, conductivity=SIGMA))
        v: Floats = polarisation(cell, rise, [1.0], 100e-6)[0]
        return v

    here = response(line, place)
    there = response(line @ turn.T, turn @ place)
    assert there == pytest.approx(here, abs=1e-9 * np.abs(here).max())


def test_bad_input() -> None:
    fibre = bare_fibre(4e-3, 1e-6, 20)
    with pytest.raises(InputError, match=r"from 0 to 0\.004 m, got one of 0\.003 m"):
        lay_along(fibre, [[0.0, 0.0, 0.0], [3e-3, 0.0, 0.0]])
    with pytest.raises(InputError, match="finite points"):
        lay_along(fibre, [[0, 0, 0]])
    with pytest.raises(InputError, match="one phase or 1 of 0 to 1"):
        place_axons([np.array([[0.0, 0, 0], [1, 0, 0]])], 10e-6, phase=[0.1, 0.2])
