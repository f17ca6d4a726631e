"""Mixed cells against laminates whose conduction is known in closed form."""

from typing import Any

import numpy as np
import pytest

from rheobase.fields.dbs.solution.laminate import ISOTROPIC, laminates, normals
from rheobase.fields.tensors import components, matrices


def scene(n: Any, bounds: Any, kinds: Any, number: Any = 8) -> Any:
    """Return labels, places and weights of one cube cut by planes across ``n``."""
    u = (np.arange(number) + 0.5) / number - 0.5
    x = np.stack(np.meshgrid(u, u, u, indexing="ij"), axis=-1).reshape(1, -1, 3)
    labels = np.array(kinds, np.int32)[np.searchsorted(bounds, x @ n)]
    return labels, 1e-3 * x, np.ones(labels.shape)


def total(made: Any, kappa: Any) -> Any:
    return sum(kappa[k] * matrices(value[0]) for k, (_, value) in made.items())


@pytest.mark.parametrize("n", [(0, 0, 1.0), (0, 1.0, 0)])
def test_layers_conduct_in_series_across_and_side_by_side_along(n: Any) -> None:
    n = np.array(n)
    kappa = {1: 0.2, 2: 1.65, 4: 0.01}
    labels, x, weight = scene(n, [-0.125, 0.25], [1, 2, 4])
    np.testing.assert_allclose(np.abs(normals(labels, x)[0]), n, atol=1e-6)
    K = total(laminates(labels, x, weight, None, kappa, 1e-4), kappa)
    share = np.array([0.375, 0.375, 0.25])
    sigma = np.array(list(kappa.values()))
    along = share @ sigma
    across = 1 / (share @ (1 / sigma))
    np.testing.assert_allclose(K, along * np.eye(3) + (across - along) * np.outer(n, n), atol=1e-6)


def test_oblique_anisotropic_layers_are_symmetric_and_stationary() -> None:
    rng = np.random.default_rng(0)
    n = np.array([0.36, 0.48, 0.8])
    labels, x, weight = scene(n, [0.0], [1, 2])
    R = rng.normal(size=(3, 3))
    T = components(R @ R.T + np.eye(3))
    tensors = np.where((labels == 1)[..., None], T, ISOTROPIC)
    kappa = {1: 0.126, 2: 1.65}
    made = laminates(labels, x, weight, tensors, kappa, 1e-4)
    m = normals(labels, x)[0]
    assert abs(m @ n) > 0.99
    share = {k: (labels == k).mean() for k in kappa}
    full = {1: 0.126 * matrices(T), 2: 1.65 * np.eye(3)}
    # unknowns: the jumps a_t of the gradient; equal flux across, no jump on the mean
    for E in np.eye(3):
        A = np.array([[m @ full[1] @ m, -m @ full[2] @ m], [share[1], share[2]]])
        a = np.linalg.solve(A, [m @ (full[2] - full[1]) @ E, 0.0])
        flux = sum(share[k] * full[k] @ (E + a[i] * m) for i, k in enumerate((1, 2)))
        np.testing.assert_allclose(total(made, kappa) @ E, flux, rtol=1e-9, atol=1e-12)
    # other conductivities with the same L: off by the square of the change
    exact, held = [], []
    for change in (0.1, 0.2):
        other = {1: 0.126 * (1 + change), 2: 1.65}
        exact.append(total(laminates(labels, x, weight, tensors, other, 1e-4), other))
        held.append(total(made, other))
    off = [np.abs(h - e).max() for h, e in zip(held, exact, strict=True)]
    assert off[0] < 2e-3 * np.abs(exact[0]).max()
    assert off[1] / off[0] == pytest.approx(4, rel=0.2)


def test_air_lets_nothing_across() -> None:
    labels, x, weight = scene(np.array([0, 0, 1.0]), [0.0], [1, 0])
    made = laminates(labels, x, weight, None, {1: 0.4}, 1e-4)
    K = 0.4 * (matrices(made[1][1][0]) + 1e-4 * matrices(made[0][1][0]))
    np.testing.assert_allclose(np.diag(K), [0.2, 0.2, 0.8e-4], rtol=1e-3)


def test_a_cell_of_one_tissue_is_left_alone() -> None:
    labels, x, weight = scene(np.array([0, 0, 1.0]), [], [3])
    (some, value) = laminates(labels, x, weight, None, {3: 1.65}, 1e-4)[3]
    assert some.all()
    np.testing.assert_allclose(value[0], ISOTROPIC, atol=1e-12)
