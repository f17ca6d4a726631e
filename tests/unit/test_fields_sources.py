"""Field bases: algebra, statistics, interpolation, files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.montage import montage_1x1, montage_4x1
from rheobase.fields.results.vtk import write_vtu
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
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


def test_any_quantity_is_interpolated_as_the_field_is(basis: FieldBasis) -> None:
    inner = np.flatnonzero(np.linalg.norm(basis.split_position, axis=1) < 0.065)[::50]
    between = 0.7 * basis.split_position[inner] + 0.3 * basis.split_position[inner[::-1]]
    points = np.vstack([between, [[0.0, 0.0, 0.2]]])
    E, tet = basis.at(points)
    value, same = basis.interpolate(basis.E[0, :, 2], points)
    assert np.array_equal(tet, same)
    assert np.allclose(value[:-1], E[0, :-1, 2], rtol=1e-12, atol=1e-15)
    assert np.isnan(value[-1])
    with pytest.raises(InputError, match="split nodes"):
        basis.interpolate(np.ones(3), points)


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
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "rheobase field basis 1"
    with pytest.raises(InputError, match=r"got an older one, 'rheobase field basis 1': solve anew"):
        load_basis(path)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "rheobase head 2"
    with pytest.raises(InputError, match="got another HDF5 file"):
        load_basis(path)


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
