"""The wave kernel against matrices assembled from Basix elements, and against a direct solve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.media import Fluid, LayeredMedium
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.kernel import WaveKernel, _native, lanes
from rheobase.fields.acoustics.wave.sources import source_load
from rheobase.fields.acoustics.wave.steady import solve_pressure, steps_per_period
from rheobase.fields.acoustics.wave.window import AcousticWindow, acoustic_window

Floats = NDArray[np.float64]
F = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
BONE = Fluid(name="bone", sound_speed=2800.0, density=1850.0, attenuation=80.0)
BRAIN = Fluid(name="brain", sound_speed=1560.0, density=1040.0, attenuation=7.0)


@dataclass(frozen=True)
class Hill:
    """A face that slopes both ways and bends."""

    z: float
    height: float

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Floats:
        x, y = np.asarray(x), np.asarray(y)
        bend: Floats = self.height * (np.sin(200.0 * x) * np.cos(150.0 * y) + 100.0 * y)
        return self.z + bend

    def gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        x, y = np.asarray(x), np.asarray(y)
        along_x: Floats = self.height * 200.0 * np.cos(200.0 * x) * np.cos(150.0 * y)
        along_y: Floats = self.height * (100.0 - 150.0 * np.sin(200.0 * x) * np.sin(150.0 * y))
        return along_x, along_y


SKULL = LayeredMedium((WATER, BONE, BRAIN), (Hill(2.2e-3, 0.5e-3), Hill(4.0e-3, 0.3e-3)))


def small(order: int = 5, **options: Any) -> AcousticWindow:
    half = (0.6e-3 * order / 4, 0.7e-3 * order / 4)
    return acoustic_window(
        SKULL, F, half_width=half, depth=(0.0, 6e-3), order=order, per_wavelength=1.3 * order,
        rim=1, **options,
    )  # fmt: skip


def graded(points: Floats) -> Floats:
    x, y, z = points.T
    c = 1900.0 + 5e4 * (x + y) + 3e4 * z
    return np.column_stack([c, 1000.0 + 2e5 * z, 5.0 + 1e3 * z, 3.0 + 0.0 * z])


def elements(window: AcousticWindow) -> Iterator[tuple[Any, ...]]:
    """Yield nodes, weights, slopes (3, q, node) and material of elements, made with Basix.

    From one-dimensional Basix elements and quadrature, and the whole Jacobian of the nodes' places.
    """
    import basix

    def line(order: int) -> tuple[Floats, Floats, Floats]:
        element = basix.create_element(
            basix.ElementFamily.P, basix.CellType.interval, order,
            basix.LagrangeVariant.gll_warped,
        )  # fmt: skip
        points, weights = basix.make_quadrature(
            basix.CellType.interval, 2 * order - 1, basix.QuadratureType.gll
        )
        ranks, rising = np.argsort(points[:, 0]), np.argsort(element.points[:, 0])
        table = element.tabulate(1, points[ranks])[:, :, rising, 0]
        return weights[ranks], table[0], table[1]

    grid, materials = window.grid, window.materials
    N = grid.order
    wx, bx, dx = line(N)
    number, points = np.arange(grid.size).reshape(grid.shape), grid.points()
    for layer, ey, ex in np.ndindex(grid.elements):
        wz, bz, dz = line(int(grid.orders[layer]))
        z0, z1, y, x = grid.first[layer], grid.first[layer + 1] + 1, ey * N, ex * N
        part = np.s_[z0:z1, y : y + N + 1, x : x + N + 1]
        nodes, X = number[part].ravel(), points[part].reshape(-1, 3)
        gradient = np.stack(
            [
                np.kron(np.kron(bz, bx), dx),
                np.kron(np.kron(bz, dx), bx),
                np.kron(np.kron(dz, bx), bx),
            ]
        )
        J = np.stack([D @ X for D in gradient], axis=1)  # (q, own coordinate, x)
        weight = np.kron(np.kron(wz, wx), wx) * np.linalg.det(J)
        at = int(materials.at[layer, ey, ex])
        if at < 0:
            names = ("sound_speed", "density", "loss")
            c, rho, a = (np.full(len(nodes), getattr(materials, k)[layer, ey, ex]) for k in names)
        else:
            c, rho, a = materials.nodal[:3, at : at + len(nodes)]
        slopes = np.einsum("qxd,dqn->xqn", np.linalg.inv(J), gradient)
        yield nodes, weight, slopes, c, rho, a


def matrix(window: AcousticWindow) -> Any:
    """Return the stiffness as a sparse matrix."""
    from scipy.sparse import coo_array

    rows, columns, entries = [], [], []
    for nodes, weight, slopes, _, rho, _ in elements(window):
        K = sum(slope.T @ ((weight / rho)[:, None] * slope) for slope in slopes)
        rows.append(np.repeat(nodes, len(nodes)))
        columns.append(np.tile(nodes, len(nodes)))
        entries.append(np.ravel(K))
    where = np.concatenate(rows), np.concatenate(columns)
    return coo_array((np.concatenate(entries), where), shape=(window.grid.size,) * 2).tocsr()


@pytest.mark.parametrize("order", [4, 5, 6, 7])
def test_kernel_has_the_matrices_of_basix(order: int) -> None:
    def some(grid: ColumnGrid) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = np.indices(grid.elements).sum(axis=0) % 5 == 0
        return chosen

    window = small(order, sampler=graded if order != 5 else None, sampled=some)
    if order == 5:
        assert len(set(window.grid.orders.tolist())) > 1  # layers of several orders
    kernel, random = WaveKernel(window), np.random.default_rng(order)
    v = random.standard_normal(window.grid.shape)
    expected, mass, damping = np.zeros((3, window.grid.size))
    for nodes, weight, slopes, c, rho, a in elements(window):
        for slope in slopes:
            expected[nodes] += slope.T @ (weight / rho * (slope @ v.ravel()[nodes]))
        mass[nodes] += weight * (c**-2 - (a / window.omega) ** 2) / rho
        damping[nodes] += weight * 2.0 * a / (rho * c)
    expected = expected.reshape(v.shape)
    found = kernel.stiffness_times(v)
    assert np.linalg.norm(found - expected) < 1e-6 * np.linalg.norm(expected)
    assert np.abs(kernel.packing.unpack(kernel.mass).ravel() / mass - 1.0).max() < 1e-6
    inner = tuple(slice(s.start + 1, s.stop - 1) for s in window.inner)
    apart = kernel.packing.unpack(kernel.damping)[inner] - damping.reshape(v.shape)[inner]
    assert np.abs(apart).max() < 1e-6 * damping.max()
    # a constant has no stiffness, and the matrix is symmetric
    still = kernel.stiffness_times(np.ones(v.shape))
    assert np.abs(still).max() < 1e-5 * np.abs(found).max()
    u = random.standard_normal(v.shape)
    both = (u * found).sum(), (v * kernel.stiffness_times(u)).sum()
    assert both[0] == pytest.approx(both[1], abs=1e-6 * np.linalg.norm(u) * np.linalg.norm(found))


def test_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    window, sums = small(), []
    v = np.random.default_rng(1).standard_normal(window.grid.shape)
    for count in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        sums.append(WaveKernel(window).stiffness_times(v))
    assert np.linalg.norm(sums[1] - sums[0]) < 1e-6 * np.linalg.norm(sums[0])
    assert np.linalg.norm(sums[2] - sums[0]) < 1e-6 * np.linalg.norm(sums[0])


def test_width_of_vectors_changes_nothing() -> None:
    window = small()
    v = np.random.default_rng(1).standard_normal(window.grid.shape)
    sums = [WaveKernel(window, w).stiffness_times(v) for w in (4, 8, 16) if w <= lanes()]
    for other in sums[1:]:
        assert np.linalg.norm(other - sums[0]) < 1e-6 * np.linalg.norm(sums[0])


def test_fewer_threads_than_asked_for_step_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    window = small(4)
    v = np.random.default_rng(1).standard_normal(window.grid.shape)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    kernel, openmp = WaveKernel(window), _native()  # which knows the names of its OpenMP, too
    whole = kernel.stiffness_times(v)
    if not hasattr(openmp, "omp_get_max_active_levels"):
        pytest.skip("built without OpenMP")
    levels = openmp.omp_get_max_active_levels()
    openmp.omp_set_max_active_levels(0)  # every region gets one thread, however many it asks for
    alone = kernel.stiffness_times(v)
    openmp.omp_set_max_active_levels(levels)
    assert np.linalg.norm(alone - whole) < 1e-6 * np.linalg.norm(whole)


def test_highest_frequency_is_a_tight_bound() -> None:
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    window = small(4)
    K, kernel = matrix(window), WaveKernel(window)
    root = diags_array(kernel.packing.unpack(kernel.mass).ravel().astype(np.float64) ** -0.5)
    exact = float(eigsh(root @ K @ root, k=1, return_eigenvectors=False, tol=1e-6)[0])
    assert exact < kernel.highest() < 1.05 * exact


def point(*at: float, flow: float = 1e-6) -> Source:
    return Source(
        points=np.array([at]), velocity=np.array([1.0 + 0.0j]), area=np.array([flow / 2.0]),
        normal=np.array([[0.0, 0.0, 1.0]]), element=np.zeros(1, np.intp),
    )  # fmt: skip


def test_steady_state_solves_the_helmholtz_problem_whatever_the_time_step() -> None:
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import spsolve

    window = small(4)
    K, kernel = matrix(window), WaveKernel(window)
    mass, damping = (
        kernel.packing.unpack(a).ravel().astype(np.float64) for a in (kernel.mass, kernel.damping)
    )
    source = point(0.3e-3, 0.2e-3, 1e-3)
    given, load = source_load(window, source), np.zeros(window.grid.size, np.complex128)
    load[given.nodes] = given.values
    w = window.omega
    A = (K + diags_array(-(w**2) * mass + 1j * w * damping)).tocsc()
    exact = spsolve(A, load).reshape(window.grid.shape)
    least = steps_per_period(kernel.highest(), w)
    for steps in (least, 2 * least):
        found = solve_pressure(window, source, steps=steps, tolerance=1e-5)
        error = np.linalg.norm(found.phasor - exact) / np.linalg.norm(exact)
        assert error < 3e-5, steps


def test_point_source_in_a_lossy_fluid_converges_to_its_closed_form() -> None:
    medium, errors = LayeredMedium((BRAIN,)), []
    c, rho, alpha = BRAIN.at(F)
    k = 2.0 * np.pi * F / c - 1j * alpha
    at = np.random.default_rng(0).uniform(-4.5e-3, 4.5e-3, (400, 3))
    r = np.linalg.norm(at, axis=1)
    at, r = at[r > 2.5e-3], r[r > 2.5e-3]
    exact = 1j * 2 * np.pi * F * rho * 1e-6 * np.exp(-1j * k * r) / (4 * np.pi * r)
    for per_wavelength in (5.5, 7.7):
        window = acoustic_window(
            medium, F, half_width=5e-3, depth=(-5e-3, 5e-3), order=5,
            per_wavelength=per_wavelength,
        )  # fmt: skip
        found = solve_pressure(window, point(0.0, 0.0, 0.0)).sample(at)
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert errors[0] < 0.010
    assert errors[1] < 0.0035
