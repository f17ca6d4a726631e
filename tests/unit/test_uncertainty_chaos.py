"""Random inputs and polynomial chaos: closed forms, dense sampling, another library, bad input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.uncertainty.chaos import fit
from rheobase.fields.uncertainty.distributions import (
    Distribution,
    beta,
    distribution,
    lognormal,
    normal,
    of_quantity,
    polynomials,
    uniform,
)
from rheobase.fields.uncertainty.inputs import CoilShift, Conductivity, ElectrodeShift, Inputs
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]


def inputs(*laws: Distribution, **correlation: float) -> Inputs:
    """Return inputs a, b, … with these distributions; ``ab=0.5`` correlates a and b."""
    return Inputs(
        [Conductivity(tissue=n, distribution=d) for n, d in zip("abcd", laws, strict=False)],
        {(pair[0], pair[1]): r for pair, r in correlation.items()},
    )


@pytest.mark.parametrize(
    "law",
    [uniform(0.2, 0.5), beta(3, 3, 0.003, 0.012), normal(1, 0.3, low=0.1), lognormal(0.3, 1.5)],
    ids=str,
)
def test_quantiles_and_moments(law: Distribution) -> None:
    """Quantiles are those of the moments: mean and spread of even probabilities."""
    x = law.quantile((np.arange(20_000) + 0.5) / 20_000)
    assert law.positive
    assert law.low < x.min() < x.max() < law.high
    assert law.mean == pytest.approx(x.mean(), rel=1e-4)
    assert law.sd == pytest.approx(x.std(), rel=3e-3)
    assert distribution(**law.as_dict()) == law


def test_table_distributions() -> None:
    """A tissue's range is drawn from as its table says."""
    skull = tissue("skull").quantity("conductivity")
    assert of_quantity(skull, where="skull") == beta(3, 3, 0.003, 0.012)
    bone = tissue("compact_bone").quantity("conductivity")
    assert of_quantity(bone, where="bone") == uniform(0.0028, 0.0102)
    with pytest.raises(InputError, match="the table has none: eye"):
        of_quantity(tissue("eye").quantity("conductivity"), where="eye")


def test_linear_model_is_exact() -> None:
    """A sum of inputs: mean, variance and the indices in closed form, one sample to spare."""
    laws = inputs(uniform(1, 3), beta(2, 5, 0.1, 0.6), normal(5, 0.5, 1, 9))
    x = laws.sample(8)
    chaos = fit(laws, x, 1 + x @ [1.0, 4.0, 2.0], degree=1)
    a, b, c = laws.distributions
    parts = np.array([a.sd**2, 16 * b.sd**2, 4 * c.sd**2])
    assert chaos.mean == pytest.approx(1 + a.mean + 4 * b.mean + 2 * c.mean, rel=1e-9)
    assert chaos.variance == pytest.approx(parts.sum(), rel=1e-9)
    np.testing.assert_allclose(chaos.first(), parts / parts.sum(), rtol=1e-9)
    np.testing.assert_allclose(chaos.total(), parts / parts.sum(), rtol=1e-9)
    assert chaos.error < 1e-20


@pytest.mark.parametrize(
    "law", [normal(1, 1e-3, 0.998, 1.002), uniform(1, 1.001), beta(2, 5, 7, 7.01)], ids=str
)
def test_narrow_distributions(law: Distribution) -> None:
    """Polynomials stay orthonormal however far from 0 a narrow distribution lies."""
    psi = polynomials(law, 6, law.quantile((np.arange(1 << 15) + 0.5) / (1 << 15)))
    np.testing.assert_allclose(psi @ psi.T / (1 << 15), np.eye(7), atol=0.05)


def rough(x: Floats) -> Floats:
    """Return a model with curvature and interactions."""
    return 1 / (x[:, 0] + 2 * x[:, 1]) + x[:, 2] ** 2 * x[:, 0]


def test_against_scipy() -> None:
    """Sobol indices are those of Saltelli's estimator in SciPy, on 200 times as many samples."""
    from scipy.stats import sobol_indices, uniform

    laws = inputs(
        distribution("uniform", low=1, high=3), beta(3, 3, 0.1, 0.6), normal(0.6, 0.1, low=0.1)
    )
    chaos = fit(laws, laws.sample(128), rough(laws.sample(128)))
    cube: Any = [uniform()] * 3  # the stubs know no frozen distributions
    expected = sobol_indices(
        func=lambda u: rough(laws.values(u.T)),
        n=1 << 13,
        dists=cube,
        rng=1,
    )
    np.testing.assert_allclose(chaos.first(), expected.first_order, atol=0.01)
    np.testing.assert_allclose(chaos.total(), expected.total_order, atol=0.01)
    dense = rough(laws.sample(1 << 14, seed=5))
    assert chaos.sd == pytest.approx(dense.std(), rel=3e-3)
    np.testing.assert_allclose(
        chaos.quantiles([0.05, 0.5, 0.95]), np.quantile(dense, [0.05, 0.5, 0.95]), rtol=5e-3
    )


@pytest.mark.parametrize(("factor", "rel"), [(1.5, 0.01), (2.0, 0.03)])
def test_wide_lognormal(factor: float, rel: float) -> None:
    """The spread of a model of lognormal inputs is that of dense sampling."""
    laws = inputs(lognormal(0.3, factor), lognormal(0.2, factor), lognormal(1.0, factor))

    def model(x: Floats) -> Floats:
        return 1 / (1 + x[:, 0] / x[:, 1]) + 0.1 / np.sqrt(x[:, 2])

    chaos = fit(laws, laws.sample(200), model(laws.sample(200)))
    dense = model(laws.sample(1 << 15, seed=2))
    assert chaos.mean == pytest.approx(dense.mean(), rel=rel)
    assert chaos.sd == pytest.approx(dense.std(), rel=rel)
    assert chaos.first()[0] == pytest.approx(chaos.first()[1], abs=0.02)


def test_correlated_normal_inputs() -> None:
    """A sum of correlated normal inputs: first and total indices in closed form."""
    r = 0.6
    laws = inputs(*[normal(10, 1, low=1)] * 3, ab=r)
    x = laws.sample(64)
    np.testing.assert_allclose(float(np.asarray(np.corrcoef(x.T))[0, 1]), r, atol=0.03)
    chaos = fit(laws, x, x @ [1.0, 2.0, 3.0])
    variance = 1 + 4 + 9 + 4 * r
    assert chaos.variance == pytest.approx(variance, rel=3e-3)
    first = [(1 + 2 * r) ** 2 / variance, (2 + r) ** 2 / variance, 9 / variance]
    total = [(1 - r**2) / variance, 4 * (1 - r**2) / variance, 9 / variance]
    np.testing.assert_allclose(chaos.first(), first, atol=3e-3)
    np.testing.assert_allclose(chaos.total(), total, atol=3e-3)


def test_shapes_and_constants() -> None:
    """Quantities of any shape are fitted; one that does not vary has no indices and no error."""
    laws = inputs(uniform(1, 2), uniform(1, 2))
    x = laws.sample(32)
    y = np.stack([x[:, 0], np.full(32, 3.0)], axis=1)[:, :, None] * np.ones(4)
    chaos = fit(laws, x, y)
    assert chaos.mean.shape == chaos.sd.shape == chaos.error.shape == (2, 4)
    assert chaos.first().shape == (2, 2, 4)
    assert chaos.quantiles([0.1, 0.9]).shape == (2, 2, 4)
    assert chaos([[1.5, 1.0]]).shape == (1, 2, 4)
    np.testing.assert_allclose(chaos.first()[:, 0, 0], [1, 0], atol=1e-9)
    np.testing.assert_allclose(chaos.mean[1], 3.0)
    assert (chaos.total()[:, 1] < 1e-9).all()


def test_inputs_survive_json() -> None:
    """Inputs come back from their plain values, correlation included."""
    made = Inputs(
        [
            Conductivity(tissue="skull", distribution=lognormal(0.01, 1.5)),
            ElectrodeShift(electrode="C3", axis="front", distribution=normal(0, 3)),
            CoilShift(axis="turn", distribution=normal(0, 10, -20, 20)),
        ],
        {("skull", "C3 front"): -0.4},
    )
    again = Inputs.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again.as_dict() == made.as_dict()
    np.testing.assert_array_equal(again.sample(16), made.sample(16))
    assert [one.unit for one in made.inputs] == ["S/m", "mm", "deg"]


@pytest.mark.parametrize(
    ("law", "told"),
    [
        (uniform(-0.1, 0.4), "reaches down to -0.1: tissue 'skull'"),
        (uniform(0, 0.4), "reaches down to 0: tissue 'skull'"),
        (normal(0.3, 0.01), r"normal\(mean=0.3, sd=0.01\), which reaches down to -inf"),
    ],
)
def test_conductivity_must_be_positive(law: Distribution, told: str) -> None:
    """A distribution that allows a conductivity <= 0 is refused."""
    with pytest.raises(InputError, match=told):
        Conductivity(tissue="skull", distribution=law)


def test_bad_distributions() -> None:
    """Impossible numbers and unknown names are told in one sentence."""
    with pytest.raises(InputError, match="expected low < high, got 2 and 1"):
        uniform(2, 1)
    with pytest.raises(InputError, match="shapes p, q > 0"):
        beta(0, 1, 0.1, 0.2)
    with pytest.raises(InputError, match="expected sd > 0"):
        normal(1, 0)
    with pytest.raises(InputError, match="cuts low < high around the mean"):
        normal(1, 0.1, low=5)
    with pytest.raises(InputError, match="factor > 1"):
        lognormal(1, 0.5)
    with pytest.raises(InputError, match="finite mean, got nan"):
        normal(float("nan"), 1)
    with pytest.raises(InputError, match=r"unknown distribution 'gauss'.*: \[uncertainty\]"):
        distribution("gauss", where="[uncertainty]", mean=0)
    with pytest.raises(InputError, match="expected sd of a normal distribution, got none"):
        distribution("normal", mean=1)
    with pytest.raises(InputError, match="unknown number of a uniform distribution 'hi'"):
        distribution("uniform", low=1, hi=2)


def test_bad_inputs() -> None:
    """Inputs that come twice, and correlations that cannot be, are refused."""
    a, b, c = (Conductivity(tissue=n, distribution=uniform(1, 2)) for n in "abc")
    with pytest.raises(InputError, match="one random input or more"):
        Inputs([])
    with pytest.raises(InputError, match="two random inputs are called 'a'"):
        Inputs([a, a])
    with pytest.raises(InputError, match="unknown random input 'x'"):
        Inputs([a, b], {("a", "x"): 0.5})
    with pytest.raises(InputError, match="between -1 and 1"):
        Inputs([a, b], {("a", "b"): 1.0})
    with pytest.raises(InputError, match="not positive definite: a-b, b-c, a-c"):
        Inputs([a, b, c], {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9})
    with pytest.raises(InputError, match="a number for two names"):
        Inputs([a, b], {("a", "b"): "x"})  # type: ignore[dict-item]
    for n in (0, 2.5):
        with pytest.raises(InputError, match="one sample or more"):
            Inputs([a]).sample(n)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown axis 'up'"):
        CoilShift(axis="up", distribution=uniform(1, 2))  # type: ignore[arg-type]


def test_too_few_samples() -> None:
    """A fit needs more samples than polynomials; the sentence says how many."""
    laws = inputs(uniform(1, 2), uniform(1, 2))
    with pytest.raises(InputError, match=r"expected 8 samples or more .* degree 2 in 2 .*got 7"):
        fit(laws, laws.sample(7), np.ones(7), degree=2)
    with pytest.raises(InputError, match="a degree from 0 to 6, got 9"):
        fit(laws, laws.sample(7), np.ones(7), degree=9)
    with pytest.raises(InputError, match="finite samples"):
        fit(laws, laws.sample(8), np.full(8, np.nan))
    with pytest.raises(InputError, match="as many values"):
        fit(laws, laws.sample(8), np.ones(7))
