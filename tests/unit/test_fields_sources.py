"""Electrodes, coils, bases: geometry, conservation, errors."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ellipe, ellipk

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.coils.placing import place_coil
from rheobase.fields.coils.windings import coil, load_windings
from rheobase.fields.conduction import delivered_currents, solve_conduction, solve_pads
from rheobase.fields.electrodes.electrode import Contact, Electrode, contact
from rheobase.fields.electrodes.montage import Montage, montage_1x1, montage_4x1
from rheobase.fields.electrodes.pads import lay, lay_montage
from rheobase.fields.induction import solve_induction
from rheobase.fields.results.vtk import write_vtu
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc, Rectangle
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.tissues import tissue

R = 0.095


def on_sphere(theta: float, phi: float) -> np.ndarray:
    return R * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


@pytest.fixture(scope="module")
def head() -> Head:
    tissues = {
        2: tissue("grey_matter").with_value("conductivity", 0.33, source="test"),
        4: tissue("skull"),
        5: tissue("scalp"),
    }
    positions = {
        "Cz": on_sphere(0, 0),
        "C3": on_sphere(0.8, np.pi),
        "C4": on_sphere(0.8, 0),
        "Fp2": on_sphere(1.4, 1.2),
        "Oz": on_sphere(1.5, -np.pi / 2),
        "Pz": on_sphere(0.7, -np.pi / 2),
    }
    return Head(
        name="test sphere",
        species="human",
        space="sphere",
        mesh=mesh_spheres((0.07, 0.08, R), (2, 4, 5), 0.007),
        tissues=tissues,
        positions=positions,
    )


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


def test_disc_covers_its_cap(head: Head) -> None:
    scalp = Scalp(head.mesh)
    for radius in (4.0, 12.0, 30.0):
        pad = lay(
            Electrode(name="a", centre=on_sphere(0.4, 1.0), shape=Disc(radius_mm=radius)), scalp
        )
        cap = 2 * np.pi * R**2 * (1 - np.cos(radius * 1e-3 / R))
        assert pad.area == pytest.approx(cap, rel=0.01)
        assert pad.M.sum() == pytest.approx(pad.area, rel=1e-12)


def test_pad_has_no_staircase(head: Head) -> None:
    scalp = Scalp(head.mesh)
    areas = [
        lay(Electrode(name="a", centre=on_sphere(0.4, phi), shape=Disc(radius_mm=6.0)), scalp).area
        for phi in np.linspace(0, 0.3, 12)
    ]
    assert np.ptp(areas) < 0.02 * np.mean(areas)


def test_rectangle_turns_anticlockwise(head: Head) -> None:
    frame = Scalp(head.mesh).frame(on_sphere(0, 0), where="test")
    assert np.allclose([frame.right, frame.front, frame.normal], np.eye(3), atol=0.02)
    shape = Rectangle(width_mm=20, height_mm=60, rotation_deg=90)
    inside = shape.outside(np.array([[0.029, 0.0], [0.0, 0.029], [-0.029, 0.009]]))
    assert (inside < 0).tolist() == [True, False, True]
    shape = Rectangle(width_mm=20, height_mm=60, rotation_deg=30)
    along = 0.029 * np.array([-np.sin(np.pi / 6), np.cos(np.pi / 6)])
    assert shape.outside(along[None])[0] < 0 < shape.outside(along[None] * [-1, 1])[0]


def test_currents_are_delivered_and_energy_balances(basis: FieldBasis) -> None:
    for report in basis.report:
        assert report.asked == pytest.approx(1.0)
        assert report.delivered == pytest.approx(report.asked, rel=1e-6)
        assert report.energy_balance < 1e-9
        assert report.residual <= 1e-8
    assert basis.names == ("C3-Fp2", "C4 4x1")


def test_each_return_of_the_ring_carries_a_quarter(head: Head, conductor: Conductor) -> None:
    montage = montage_4x1(head, centre="C4", current=1e-3, ring=0.04)
    pads = lay_montage(montage, Scalp(head.mesh))
    V, _ = solve_pads(conductor, pads, np.array(montage.currents))
    assert np.allclose(delivered_currents(conductor, pads, V), montage.currents, atol=1e-10)
    centre = montage.electrodes[0].centre
    angles = [e.centre @ centre / R**2 for e in montage.electrodes[1:]]
    assert np.arccos(angles) == pytest.approx(0.04 / R, rel=0.02)
    front, left, back, right = (e.centre - centre for e in montage.electrodes[1:])
    assert front[1] > 0.03 > -0.03 > back[1]
    assert left[0] < 0 < right[0]


def test_contact_only_adds_its_resistance(head: Head, conductor: Conductor) -> None:
    scalp = Scalp(head.mesh)

    def impedance(layer: Contact) -> float:
        pads = [
            lay(Electrode(name=n, centre=head.position(n), contact=layer), scalp)
            for n in ("C3", "C4")
        ]
        V, _ = solve_pads(conductor, pads, np.array([1.0, -1.0]))
        U = [p.voltage(V[p.nodes], i) for p, i in zip(pads, (1.0, -1.0), strict=True)]
        return float(U[0] - U[1])

    thick, thin = Contact(sigma=0.01, thickness_mm=3.0), Contact(sigma=0.02, thickness_mm=3.0)
    area = lay(Electrode(name="C3", centre=head.position("C3")), scalp).area
    added = 2 / area * (1 / thick.conductance - 1 / thin.conductance)
    # a resistive layer spreads the flux evenly, so only its own resistance changes
    assert impedance(thick) - impedance(thin) == pytest.approx(added, rel=0.01)
    ideal = Contact(sigma=1e4, thickness_mm=1.0)
    assert impedance(ideal) < impedance(contact("gel")) < impedance(thin)


def test_errors_say_what_and_where(head: Head, conductor: Conductor) -> None:
    a, b = (Electrode(name=n, centre=head.position(n)) for n in ("C3", "C4"))
    with pytest.raises(InputError, match=r"current sums to 0\.4 mA, must be 0: montage 'F3-F4'"):
        Montage(name="F3-F4", electrodes=(a, b), currents=(2e-3, -1.6e-3))
    with pytest.raises(InputError, match="two electrodes are called 'C3'"):
        Montage(name="x", electrodes=(a, a), currents=(1e-3, -1e-3))
    with pytest.raises(InputError, match=r"unknown electrode position 'C33', nearest: C3"):
        montage_1x1(head, anode="C33", cathode="C4", current=1e-3)
    near = Electrode(name="n", centre=a.centre + np.array([0.0, 0.015, 0.0]))
    with pytest.raises(InputError, match="electrodes 'C3' and 'n' overlap: montage 'x'"):
        solve_conduction(conductor, Montage(name="x", electrodes=(a, near), currents=(1, -1)))
    off = Electrode(name="n", centre=np.array([0.0, 0.0, 0.13]))
    with pytest.raises(InputError, match=r"35\.\d mm off it: electrode 'n'"):
        lay(off, Scalp(head.mesh))
    with pytest.raises(InputError, match="radius_mm must be > 0"):
        Disc(radius_mm=0)
    with pytest.raises(InputError, match="unknown coil"):
        coil("magstim")
    with pytest.raises(InputError, match="unknown contact"):
        contact("glue")


def test_superposition_and_statistics(basis: FieldBasis) -> None:
    both = basis.combine([2e-3, -1e-3])
    assert np.allclose(both, 2e-3 * basis.E[0] - 1e-3 * basis.E[1])
    strength = basis.magnitude([2e-3, 0.0])
    low, middle, high = basis.percentiles(strength, 2, [0, 50, 100])
    inside = strength[basis.split_label == 2]
    assert (low, high) == (inside.min(), inside.max())
    assert low < middle < high
    peak = basis.peak(strength, 2)
    assert peak.strength == inside.max()
    assert np.linalg.norm(peak.position) <= 0.07 + 1e-9
    volumes = basis.mesh.tissue_volumes()
    assert basis.split_volume[basis.split_label == 4].sum() == pytest.approx(volumes[4])
    with pytest.raises(InputError, match="expected 2 amplitudes"):
        basis.combine([1.0])


def test_interpolation_agrees_at_nodes_and_says_outside(basis: FieldBasis) -> None:
    inner = np.flatnonzero(np.linalg.norm(basis.split_position, axis=1) < 0.06)[::50]
    E, tet = basis.at(basis.split_position[inner])
    assert (tet >= 0).all()
    assert np.allclose(E, basis.E[:, inner], rtol=1e-6, atol=1e-9 * np.abs(basis.E).max())
    E, tet = basis.at([[0.0, 0.0, 0.2]])
    assert tet[0] == -1
    assert np.isnan(E).all()


def test_basis_survives_the_file(basis: FieldBasis, tmp_path: Path) -> None:
    path = tmp_path / "basis.h5"
    basis.save(path)
    again = load_basis(path)
    assert again.names == basis.names
    assert again.report == basis.report
    assert again.unit == "A"
    assert (again.E == basis.E).all()
    assert (again.mesh.tets == basis.mesh.tets).all()
    with pytest.raises(InputError, match="cannot read a field basis"):
        load_basis(tmp_path / "none.h5")


def test_vtu_holds_the_field(basis: FieldBasis, tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    strength = basis.magnitude([2e-3, 0.0])
    for path in (tmp_path / "field.vtu", tmp_path / "field.vtkhdf"):
        write_vtu(path, basis, {"strength_V_per_m": strength})
        grid = pyvista.read(path)
        assert grid.n_cells == len(basis.mesh.tets)
        assert np.allclose(grid["strength_V_per_m"], strength, rtol=1e-5)
    write_vtu(tmp_path / "units.vtu", basis)
    assert "E C3-Fp2 V_per_m_per_A" in pyvista.read(tmp_path / "units.vtu").point_data
    with pytest.raises(InputError, match="ending in"):
        write_vtu(tmp_path / "field.txt", basis)


def test_loop_agrees_with_elliptic_integrals() -> None:
    turns = coil("magstim-70mm-figure8")
    a = load_windings()["magstim-70mm-figure8"]
    radii = np.linspace(
        a.inner_diameter_mm / 2 + a.wire_width_mm / 2,
        a.outer_diameter_mm / 2 - a.wire_width_mm / 2,
        a.turns_per_layer,
    )
    points = np.array([[0.01, 0.02, -0.008], [0.0, 0.0, -0.02], [0.06, 0.01, -0.05]])
    exact = np.zeros_like(points)
    for x, sense in ((-0.0435, 1.0), (0.0435, -1.0)):
        d = points - [x, 0, 0]
        rho = np.hypot(d[:, 0], d[:, 1])
        for r in radii * 1e-3:
            m = 4 * r * rho / ((r + rho) ** 2 + d[:, 2] ** 2)
            size = 4e-7 / np.sqrt(m) * np.sqrt(r / rho) * ((1 - m / 2) * ellipk(m) - ellipe(m))
            exact += sense * (size / rho)[:, None] * np.stack([-d[:, 1], d[:, 0], 0 * rho], 1)
    assert np.allclose(turns.vector_potential(points), exact, rtol=1e-6, atol=1e-12)


def test_far_winding_is_a_dipole() -> None:
    n = 200
    angle = 2 * np.pi * np.arange(n) / n
    c, s = np.cos(angle), np.sin(angle)
    r = 0.01
    loop = Coil(
        name="loop",
        positions=r * np.stack([c, s, 0 * c], 1),
        segments=2 * np.pi * r / n * np.stack([-s, c, 0 * c], 1),
    )
    dipole = magnetic_dipole([0, 0, 0], [0, 0, np.pi * r**2])
    far = np.array([[0.5, 0.2, 0.4]])
    assert np.allclose(
        loop.vector_potential(far), dipole.vector_potential(far), rtol=1e-3, atol=1e-15
    )


def test_handle_points_where_it_is_told(head: Head) -> None:
    tool = coil("magstim-70mm-figure8")
    for position, lateral in (("C3", -1.0), ("C4", 1.0)):
        back = place_coil(tool, head, position=position, handle_angle_deg=0)
        side = place_coil(tool, head, position=position, handle_angle_deg=90)
        between = place_coil(tool, head, position=position, handle_angle_deg=45)
        assert back.pose[1, 1] < -0.99
        assert np.sign(side.pose[0, 1]) == lateral
        assert np.allclose(between.pose[:3, 1], (back.pose + side.pose)[:3, 1] / 2**0.5)
        gap = (between.pose[:3, 3] - head.position(position)) @ between.pose[:3, 2]
        assert gap == pytest.approx(0.007 + 0.003, abs=1e-4)
        assert np.isclose(np.linalg.det(between.pose[:3, :3]), 1.0)


def test_growing_current_drives_the_brain_away_from_the_handle(
    head: Head, conductor: Conductor
) -> None:
    tool = place_coil(coil("magstim-70mm-figure8"), head, position="C3")
    basis = solve_induction(conductor, tool)
    point = head.position("C3") * 0.065 / R
    E, _ = basis.at(point)
    assert E[0, 0] @ tool.pose[:3, 1] < -0.9 * np.linalg.norm(E[0, 0])
    assert basis.unit == "A/s"
    assert basis.report[0].energy_balance < 1e-9


def test_coil_may_not_cut_the_head(head: Head, conductor: Conductor) -> None:
    tool = coil("magstim-70mm-figure8")
    pose = np.eye(4)
    pose[2, 3] = R - 0.002
    with pytest.raises(InputError, match=r"cuts the head, raise distance_mm by 4\.9"):
        solve_induction(conductor, tool.moved(pose))
    with pytest.raises(InputError, match="inside the head"):
        solve_induction(conductor, magnetic_dipole([0, 0, 0.05], [1, 0, 0]))
    with pytest.raises(InputError, match="distance_mm must be >= 0"):
        place_coil(tool, head, position="C3", distance_mm=-1)
    with pytest.raises(InputError, match="expected a rotation"):
        tool.moved(2 * np.eye(4))
