"""Electrodes: outlines, places, models, delivered currents, impedances, errors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.conduction import delivered_currents, solve_conduction, solve_pads
from rheobase.fields.electrodes.electrode import Electrode, Layer, layer, place_electrode
from rheobase.fields.electrodes.montage import Montage, montage_1x1, montage_4x1
from rheobase.fields.electrodes.pads import Pad, lay, lay_montage, pad_contacts
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc, Outline, Polygon, Rectangle, Ring
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.spaces import Affine, Registration
from rheobase.meshes.tissues import tissue

R = 0.095
OUTLINES = [
    Disc(radius_mm=15),
    Ring(inner_radius_mm=8, outer_radius_mm=14),
    Rectangle(width_mm=30, height_mm=20),
    Rectangle(width_mm=30, height_mm=20, corner_radius_mm=6),
    Polygon(corners_mm=[(-12, -10), (14, -8), (0, 0), (10, 15), (-9, 12)]),
]


def on_sphere(theta: float, phi: float) -> np.ndarray:
    return R * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def turned(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    m = np.eye(4)
    i, j = (k for k in range(3) if k != axis)
    m[i, i], m[i, j], m[j, i], m[j, j] = c, -s, s, c
    return m


@pytest.fixture(scope="module")
def head() -> Head:
    to_mni = turned(0, 0.3)
    to_mni[:3, :3] *= 0.9
    to_mni[:3, 3] = [0.002, -0.018, 0.01]
    return Head(
        name="test sphere",
        species="human",
        space="sphere",
        mesh=mesh_spheres((0.07, 0.08, R), (2, 4, 5), 0.007),
        tissues={
            2: tissue("grey_matter").with_value("conductivity", 0.33, source="test"),
            4: tissue("skull"),
            5: tissue("scalp"),
        },
        positions={
            "Cz": on_sphere(0, 0),
            "C3": on_sphere(0.8, np.pi),
            "C4": on_sphere(0.8, 0),
            "Fp2": on_sphere(1.4, 1.2),
        },
        mni=Registration(to_mni=Affine(matrix=to_mni), from_mni=None),
    )


@pytest.fixture(scope="module")
def scalp(head: Head) -> Scalp:
    return Scalp(head.mesh)


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    return Conductor(head)


@pytest.fixture(scope="module")
def basis(head: Head, conductor: Conductor) -> FieldBasis:
    return solve_conduction(
        conductor,
        [
            montage_1x1(head, anode="C3", cathode="Fp2", current=2e-3),
            montage_4x1(head, centre="C4", current=1e-3),
        ],
    )


def at(shape: Outline, **options: Any) -> Electrode:
    return Electrode(name="a", centre=on_sphere(0.4, 1.0), shape=shape, **options)


# outlines


@pytest.mark.parametrize("shape", OUTLINES)
def test_signed_distance_and_area_belong_together(shape: Outline) -> None:
    line = 0.05e-3 * np.arange(-399.5, 400)
    uv = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    level = shape.outside(uv)
    assert (level < 0).mean() * 0.04**2 == pytest.approx(shape.area, rel=5e-3)
    assert np.linalg.norm(uv[level < 0], axis=1).max() == pytest.approx(shape.reach, rel=0.02)
    slope = np.abs(np.diff(level.reshape(800, 800), axis=1)) / (line[1] - line[0])
    assert slope.max() < 1 + 1e-6  # a distance


def test_outline_must_make_sense() -> None:
    for wrong, message in (
        (lambda: Disc(radius_mm=0), "radius_mm must be > 0"),
        (lambda: Ring(inner_radius_mm=5, outer_radius_mm=5), "outer_radius_mm must be > inner"),
        (lambda: Rectangle(width_mm=20, corner_radius_mm=11), "corner_radius_mm must be from 0 to"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 9), (9, 0), (0, 9)]), "sides 1 and 3 of"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 0), (9, 9), (4, 0)]), "cross or touch"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 0), (4, 0), (4, 9)]), "cross or touch"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 0), (9, 0), (4, 9)]), "cross or touch"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 0)]), "three or more"),
        (lambda: Polygon(corners_mm=[(0, 0), (9, 0), (4, 0)]), "cross or touch"),
    ):
        with pytest.raises(InputError, match=message):
            wrong()


def test_disc_covers_its_cap(scalp: Scalp) -> None:
    for radius in (4.0, 12.0, 30.0):
        pad = lay(at(Disc(radius_mm=radius)), scalp)
        cap = 2 * np.pi * R**2 * (1 - np.cos(radius * 1e-3 / R))
        assert pad.area == pytest.approx(cap, rel=0.01)
        assert pad.M.sum() == pytest.approx(pad.area, rel=1e-12)
        assert np.allclose(pad.M.sum(axis=1), pad.m, rtol=1e-10)


def test_pad_has_no_staircase(scalp: Scalp) -> None:
    areas = [
        lay(Electrode(name="a", centre=on_sphere(0.4, phi), shape=Disc(radius_mm=6.0)), scalp).area
        for phi in np.linspace(0, 0.3, 12)
    ]
    assert np.ptp(areas) < 0.02 * np.mean(areas)


def everywhere(pad: Pad, n: int) -> np.ndarray:
    m = np.zeros(n)
    m[pad.nodes] = pad.m
    return m


def test_ring_is_a_disc_without_a_disc(scalp: Scalp) -> None:
    n = len(scalp.nodes)
    ring, outer, inner = (
        lay(at(shape), scalp)
        for shape in (
            Ring(inner_radius_mm=9, outer_radius_mm=15),
            Disc(radius_mm=15),
            Disc(radius_mm=9),
        )
    )
    difference = everywhere(outer, n) - everywhere(inner, n)
    assert np.abs(everywhere(ring, n) - difference).max() < 1e-12 * outer.area
    assert ring.M.sum() == pytest.approx(outer.M.sum() - inner.M.sum(), rel=1e-12)


def test_custom_outline_of_a_rectangle_is_the_rectangle(scalp: Scalp) -> None:
    rectangle = lay(at(Rectangle(width_mm=30, height_mm=20), rotation_deg=25), scalp)
    corners = [(-15, -10), (15, -10), (15, 10), (-15, 10)]
    for order in (corners, corners[::-1], corners[1:] + corners[:1]):
        same = lay(at(Polygon(corners_mm=order), rotation_deg=25), scalp)
        assert (same.nodes == rectangle.nodes).all()
        assert np.abs(same.m - rectangle.m).max() < 1e-12 * rectangle.area
        assert np.abs((same.M - rectangle.M).data).max(initial=0) < 1e-12 * rectangle.area


# places and orientation


def long_axis(pad: Pad, scalp: Scalp) -> np.ndarray:
    """Unit vector along the longest extent of a pad, from its moments."""
    p = scalp.nodes[pad.nodes]
    d = p - pad.m @ p / pad.area
    axis: np.ndarray = np.linalg.eigh((pad.m * d.T) @ d)[1][:, -1]
    return axis


def test_rotation_is_anticlockwise_and_towards_points(head: Head, scalp: Scalp) -> None:
    shape = Rectangle(width_mm=12, height_mm=44)
    for degrees in (0, 30, 90, 150):
        pad = lay(
            Electrode(name="a", centre=on_sphere(0, 0), shape=shape, rotation_deg=degrees), scalp
        )
        a = np.deg2rad(degrees)
        assert abs(long_axis(pad, scalp) @ [-np.sin(a), np.cos(a), 0]) > 0.998
    for place, goal in (("C3", "Cz"), ("C4", "Fp2"), ("C3", on_sphere(1.0, 2.0))):
        e = place_electrode(head, place, shape=shape, towards=goal)
        goal = head.position(goal) if isinstance(goal, str) else goal
        away = goal - (goal @ e.centre) * e.centre / R**2
        assert abs(long_axis(lay(e, scalp), scalp) @ away) > 0.998 * np.linalg.norm(away)
        assert e.frame(scalp).front @ away > 0.99 * np.linalg.norm(away)
    across = place_electrode(head, "C4", shape=shape, towards="Cz", rotation_deg=90)
    assert abs(long_axis(lay(across, scalp), scalp)[1]) > 0.998
    with pytest.raises(InputError, match=r"to turn to away from the place itself.*electrode 'C3'"):
        place_electrode(head, "C3", towards="C3").frame(scalp)


def test_placed_by_name_by_scalp_point_and_by_mni(head: Head, scalp: Scalp) -> None:
    named = place_electrode(head, "C3")
    assert named.name == "C3"
    assert (named.centre == head.position("C3")).all()
    here = place_electrode(head, 1.08 * named.centre)
    assert np.linalg.norm(here.frame(scalp).origin - named.frame(scalp).origin) < 1e-3
    mni = head.to_mni(named.centre * 0.8)[0]  # 19 mm below the scalp
    below = place_electrode(head, mni, space="MNI", towards=head.to_mni(head.position("Cz"))[0])
    assert np.allclose(below.centre, 0.8 * named.centre, atol=1e-12)
    frame = below.frame(scalp)
    assert np.linalg.norm(frame.origin - named.frame(scalp).origin) < 1e-3
    assert np.allclose(
        frame.front, place_electrode(head, "C3", towards="Cz").frame(scalp).front, atol=0.02
    )
    assert below.name.endswith("mm MNI")
    with pytest.raises(InputError, match=r"within 10 mm of the scalp, got one 1[89]\.\d mm off it"):
        lay(replace(below, limit_mm=10.0), scalp)
    with pytest.raises(InputError, match="within 30 mm"):
        lay(place_electrode(head, head.to_mni([0, 0, 0.02])[0], space="MNI"), scalp)
    default = replace(head, space="MNI152NLin2009aSym", mni=None)  # as the default head
    assert (place_electrode(default, named.centre, space="MNI").centre == named.centre).all()
    with pytest.raises(InputError, match="no transform between MNI and space 'sphere'"):
        place_electrode(replace(head, mni=None), mni, space="MNI")
    with pytest.raises(InputError, match="three finite coordinates"):
        place_electrode(head, [0.0, 0.0])


# what the solutions are worth


def test_currents_are_delivered_and_energy_balances(basis: FieldBasis) -> None:
    for report in basis.report:
        assert sum(a for a in report.asked if a > 0) == pytest.approx(1.0)
        assert report.mismatch < 1e-7
        assert report.conservation < 1e-7
        assert report.energy_balance < 1e-9
        assert report.asymmetry < 1e-7
        assert report.residual <= 1e-8
    assert basis.names == ("C3-Fp2", "C4 4x1")
    pair = basis.report[0]
    assert pair.electrodes == ("C3", "Fp2")
    assert pair.impedance == pytest.approx(pair.pair_impedance[0][1], rel=1e-9)
    assert pair.impedance == pytest.approx(pair.voltages[0] - pair.voltages[1], rel=1e-9)


def test_impedance_of_every_pair_is_that_of_the_pair_alone(
    head: Head, conductor: Conductor, basis: FieldBasis
) -> None:
    montage = montage_4x1(head, centre="C4", current=1e-3)
    pads = lay_montage(montage, Scalp(head.mesh))
    pairs = np.array(basis.report[1].pair_impedance)
    assert np.allclose(pairs, pairs.T)
    for i, j in ((0, 4), (1, 3), (0, 2)):
        currents = np.zeros(5)
        currents[[i, j]] = 1.0, -1.0
        V, _ = solve_pads(conductor, pads, currents)  # the others are there and carry nothing
        U = [p.voltage(V[p.nodes], c) for p, c in zip(pads, currents, strict=True)]
        assert pairs[i, j] == pytest.approx(U[i] - U[j], rel=1e-7)


def test_each_return_of_the_ring_carries_a_quarter(head: Head, conductor: Conductor) -> None:
    montage = montage_4x1(head, centre="C4", current=1e-3, ring=0.04)
    pads = lay_montage(montage, Scalp(head.mesh))
    currents = np.array(montage.currents)
    V, _ = solve_pads(conductor, pads, currents)
    assert np.allclose(delivered_currents(conductor, pads, currents, V), currents, atol=1e-10)
    centre = montage.electrodes[0].centre
    angles = [e.centre @ centre / R**2 for e in montage.electrodes[1:]]
    assert np.arccos(angles) == pytest.approx(0.04 / R, rel=0.02)
    front, left, back, right = (e.centre - centre for e in montage.electrodes[1:])
    assert front[1] > 0.03 > -0.03 > back[1]
    assert left[0] < 0 < right[0]
    quarter = montage_4x1(head, centre="C4", current=1e-3, ring=0.04, rotation_deg=90)
    assert np.allclose(quarter.electrodes[1].centre, left + centre, atol=1e-6)


def test_delivered_current_is_told_apart_where_pads_share_nodes(
    conductor: Conductor, scalp: Scalp
) -> None:
    inner, outer = at(Disc(radius_mm=6)), at(Ring(inner_radius_mm=7, outer_radius_mm=12))
    outer, far = replace(outer, name="b"), Electrode(name="c", centre=on_sphere(1.2, 3.0))
    for model in ("complete", "ideal"):
        electrodes = tuple(replace(e, model=model) for e in (inner, outer, far))
        montage = Montage(name="rings", electrodes=electrodes, currents=(2e-3, -1e-3, -1e-3))
        pads = lay_montage(montage, scalp)
        assert len(np.intersect1d(pads[0].nodes, pads[1].nodes)) > 3
        report = solve_conduction(conductor, montage).report[0]
        assert report.mismatch < 1e-7
        assert report.energy_balance < 1e-9


def test_a_wrong_flux_is_seen(conductor: Conductor, head: Head, scalp: Scalp) -> None:
    pads = lay_montage(montage_1x1(head, anode="C3", cathode="C4", current=1e-3), scalp)
    V, _ = solve_pads(conductor, pads, np.array([1.0, -1.0]))
    V[pads[0].nodes] *= 1.01
    delivered = delivered_currents(conductor, pads, np.array([1.0, -1.0]), V)
    assert abs(delivered[0] - 1) > 0.01
    off = SourceReport(
        power=1, energy_balance=0, iterations=1, residual=0, asked=(1, -1), delivered=(0.998, -1)
    )
    assert off.mismatch == pytest.approx(2e-3)
    assert off.conservation == pytest.approx(2e-3)


# models


def test_contact_only_adds_its_resistance(head: Head, conductor: Conductor, scalp: Scalp) -> None:
    def impedance(*layers: Layer) -> float:
        montage = montage_1x1(head, anode="C3", cathode="C4", current=1e-3, layers=layers)
        return solve_conduction(conductor, montage).report[0].impedance

    area = (
        lay(place_electrode(head, "C3"), scalp).area + lay(place_electrode(head, "C4"), scalp).area
    )
    thick, thin = (Layer(name="x", sigma=s, thickness_mm=3.0) for s in (0.01, 0.02))
    added = 4 / area * (thick.resistance - thin.resistance)
    # a resistive layer spreads the flux evenly, so only its own resistance changes
    assert impedance(thick) - impedance(thin) == pytest.approx(added, rel=0.01)
    metal = Layer(name="metal", sigma=1e4, thickness_mm=1.0)
    assert impedance(metal) < impedance(layer("gel")) < impedance(thin)
    stack = impedance(layer("sponge", thickness_mm=2), layer("rubber", sigma=0.5, thickness_mm=2))
    same = impedance(Layer(name="both", sigma=4e-3 / (2e-3 / 1.0 + 2e-3 / 0.5), thickness_mm=4))
    assert stack == pytest.approx(same, rel=1e-9)


def test_ideal_electrode_is_the_limit_of_a_resistive_layer(
    head: Head, conductor: Conductor
) -> None:
    def solved(**options: Any) -> FieldBasis:
        montage = montage_1x1(head, anode="C3", cathode="C4", current=1e-3, **options)
        return solve_conduction(conductor, montage)

    resistive = (Layer(name="x", sigma=1e-4, thickness_mm=3.0),)
    ideal, limit, gel = solved(model="ideal", layers=resistive), solved(layers=resistive), solved()
    size = np.linalg.norm(ideal.potential)
    assert np.linalg.norm(limit.potential - ideal.potential) < 1e-3 * size
    assert np.linalg.norm(gel.potential - ideal.potential) > 1e-2 * size
    assert limit.report[0].impedance == pytest.approx(ideal.report[0].impedance, rel=1e-4)
    for basis in (ideal, limit):
        assert basis.report[0].energy_balance < 1e-9
        assert basis.report[0].mismatch < 1e-7


def test_ideal_pads_have_no_operator(head: Head, scalp: Scalp) -> None:
    montage = montage_1x1(head, anode="C3", cathode="C4", current=1e-3, model="ideal")
    pads = lay_montage(montage, scalp)
    assert pad_contacts(pads) is None
    mixed = [pads[0], lay(place_electrode(head, "C4"), scalp)]
    contacts = pad_contacts(mixed)
    assert contacts is not None
    assert (contacts.nodes == mixed[1].nodes).all()


def test_even_discs_on_a_sphere_are_means_of_points() -> None:
    sphere = LayeredSphere(radii=(0.07, 0.08, R), sigma=(0.33, 0.01, 0.4))
    radius, inner = 0.02, 0.012
    z, weight = np.polynomial.legendre.leggauss(12)
    turn = 2 * np.pi * np.arange(40) / 40
    x = np.array([[0.01, 0.02, 0.06], [0.0, 0.0, 0.0], [-0.03, 0.01, 0.07]])
    around = np.concatenate([x @ turned(2, a)[:3, :3] for a in turn])
    up, down = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, -1.0])
    for hole in (0.0, inner):
        ends = np.cos(radius / R), np.cos(hole / R)
        cosine = np.mean(ends) + 0.5 * np.diff(ends) * z
        points = np.stack([np.sqrt(1 - cosine**2), 0 * cosine, cosine], axis=1)
        V, E = sphere.even_electrodes(x, up, down, radius=radius, inner_radius=hole)
        # the mean over a ring of sources is that over a ring of points under one source
        mean_V, mean_E = np.zeros(3), np.zeros(3)
        for p, w in zip(points, weight / 2, strict=True):
            v, e = sphere.point_electrodes(around, p, -p)
            mean_V += w * v.reshape(40, 3).mean(axis=0)
            mean_E += w * e.reshape(40, 3, 3)[..., 2].mean(axis=0)
        assert np.allclose(V, mean_V, rtol=1e-6, atol=1e-9 * np.abs(V).max())
        assert np.allclose(E[:, 2], mean_E, rtol=1e-6)
        surface, _ = sphere.even_electrodes(
            R * points, up, down, radius=radius, inner_radius=hole, n_terms=2000
        )
        Z = sphere.even_impedance(up, down, radius=radius, inner_radius=hole)
        assert pytest.approx(weight @ surface, rel=1e-3) == Z
    with pytest.raises(ValueError, match="inner_radius < radius"):
        sphere.even_impedance(up, down, radius=0.01, inner_radius=0.01)


# errors


def test_errors_say_what_and_where(head: Head, scalp: Scalp) -> None:
    a, b = (Electrode(name=n, centre=head.position(n)) for n in ("C3", "C4"))
    with pytest.raises(InputError, match=r"current sums to 0\.4 mA, must be 0: montage 'F3-F4'"):
        Montage(name="F3-F4", electrodes=(a, b), currents=(2e-3, -1.6e-3))
    with pytest.raises(InputError, match="two electrodes are called 'C3'"):
        Montage(name="x", electrodes=(a, a), currents=(1e-3, -1e-3))
    with pytest.raises(InputError, match=r"unknown electrode position 'C33', nearest: C3"):
        montage_1x1(head, anode="C33", cathode="C4", current=1e-3)
    with pytest.raises(InputError, match="unknown electrode layer 'gell', nearest: gel"):
        layer("gell")
    with pytest.raises(InputError, match="unknown electrode model 'cem'"):
        place_electrode(head, "C3", model="cem")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="only model 'meshed' knows, got 'ideal': electrode 'C3'"):
        place_electrode(head, "C3", model="ideal", connector=Disc(radius_mm=3))
    with pytest.raises(InputError, match="layer 'rubber' has an outline"):
        place_electrode(head, "C3", layers=[layer("rubber", shape=Disc(radius_mm=3))])
    with pytest.raises(InputError, match="layer 'gel' reaches beyond the outline"):
        place_electrode(head, "C3", layers=[layer("gel", shape=Disc(radius_mm=13))], model="meshed")
    with pytest.raises(InputError, match="two layers are called 'gel'"):
        place_electrode(head, "C3", layers=[layer("gel"), layer("gel")])
    off = Electrode(name="n", centre=np.array([0.0, 0.0, 0.13]))
    with pytest.raises(InputError, match=r"35\.\d mm off it: electrode 'n'"):
        lay(off, scalp)


@pytest.mark.parametrize("gap_mm", [-12.0, -1.0, -0.3, 0.3, 1.0])
def test_overlap_is_seen_and_neighbours_are_not(head: Head, scalp: Scalp, gap_mm: float) -> None:
    shape = Disc(radius_mm=8)
    a = Electrode(name="a", centre=on_sphere(0.8, 0), shape=shape)
    b = Electrode(name="b", centre=on_sphere(0.8 + (16 + gap_mm) * 1e-3 / R, 0), shape=shape)
    montage = Montage(name="x", electrodes=(a, b), currents=(1e-3, -1e-3))
    if gap_mm > 0:
        assert len(lay_montage(montage, scalp)) == 2
    else:
        with pytest.raises(InputError, match="electrodes 'a' and 'b' overlap: montage 'x'"):
            lay_montage(montage, scalp)


def test_checks_come_before_the_matrix(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    def assembled(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("assembled before the electrodes were checked")

    monkeypatch.setattr("rheobase.fields.conduction.Conductor.__init__", assembled)
    a = place_electrode(head, "C3")
    near = replace(a, name="n", centre=a.centre + np.array([0.0, 0.015, 0.0]))
    off = replace(a, name="n", centre=1.2 * a.centre)
    for wrong, message in ((near, "overlap"), (off, "mm off it")):
        with pytest.raises(InputError, match=message):
            solve_conduction(head, Montage(name="x", electrodes=(a, wrong), currents=(1, -1)))
