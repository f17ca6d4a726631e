"""Distributions of one random number: uniform, beta, normal (truncated or not), lognormal.

Quantiles, moments and orthogonal polynomials come from chaospy.

Reference: Feinberg & Langtangen, J Comput Sci 11:46 (2015), doi:10.1016/j.jocs.2015.08.008.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.tissues import Quantity


@dataclass(frozen=True, slots=True)
class Distribution:
    """The distribution of a number, made by `uniform`, `beta`, `normal` or `lognormal`.

    Parameters
    ----------
    kind
        Name of the function that made it.
    numbers
        The arguments of that function.
    low, high
        Ends of the support; it reaches them unless they are infinite or ``kind`` is "lognormal".
    """

    kind: str
    numbers: tuple[float, ...]
    low: float
    high: float

    @property
    def positive(self) -> bool:
        """Whether every value is > 0."""
        return self.low > 0 or self.kind == "lognormal"

    @property
    def mean(self) -> float:
        """Mean."""
        return float(_moments(self)[0])

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return float(_moments(self)[1])

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        """Return the values that are not exceeded with probability ``u``, from 0 to 1."""
        return np.asarray(made(self).inv(np.asarray(u, dtype=np.float64)), dtype=np.float64)

    def as_dict(self) -> dict[str, Any]:
        """Return the distribution as plain values, for JSON and TOML; infinite ends are left out.

        Examples
        --------
        >>> uniform(0.2, 0.4).as_dict()
        {'kind': 'uniform', 'low': 0.2, 'high': 0.4}
        """
        names = signature(KINDS[self.kind]).parameters
        given = zip(names, self.numbers, strict=True)
        return {"kind": self.kind} | {name: x for name, x in given if np.isfinite(x)}

    def __str__(self) -> str:
        """Return it as it is written in Python."""
        numbers = ", ".join(f"{k}={v:g}" for k, v in self.as_dict().items() if k != "kind")
        return f"{self.kind}({numbers})"


def uniform(low: float, high: float) -> Distribution:
    """Return the distribution that is even between ``low`` and ``high``.

    Raises
    ------
    InputError
        If an end is not finite or they are not in order.
    """
    _check("uniform", low=low, high=high)
    if not low < high:
        raise InputError(f"expected low < high, got {low:g} and {high:g}: uniform distribution")
    return Distribution("uniform", (float(low), float(high)), float(low), float(high))


def beta(p: float, q: float, low: float, high: float) -> Distribution:
    """Return the beta distribution between ``low`` and ``high``: (x - low)^(p-1) (high - x)^(q-1).

    Raises
    ------
    InputError
        If a shape is not > 0, or the ends are not finite and in order.
    """
    _check("beta", p=p, q=q, low=low, high=high)
    if not (p > 0 and q > 0):
        raise InputError(f"expected shapes p, q > 0, got {p:g} and {q:g}: beta distribution")
    if not low < high:
        raise InputError(f"expected low < high, got {low:g} and {high:g}: beta distribution")
    numbers = (float(p), float(q), float(low), float(high))
    return Distribution("beta", numbers, float(low), float(high))


def normal(mean: float, sd: float, low: float = -np.inf, high: float = np.inf) -> Distribution:
    """Return a normal distribution, cut off below ``low`` and above ``high``.

    ``mean`` and ``sd`` are those before it is cut.

    Raises
    ------
    InputError
        If ``sd`` is not > 0, or the cuts are not in order or more than 8 ``sd`` off on one side.
    """
    _check("normal", mean=mean, sd=sd)
    if not sd > 0:
        raise InputError(f"expected sd > 0, got {sd:g}: normal distribution")
    for end in (low, high):
        if not isinstance(end, Real):
            raise InputError(f"expected a number as a cut, got {end!r}: normal distribution")
    if not (low < high and low < mean + 8 * sd and high > mean - 8 * sd):
        raise InputError(
            f"expected cuts low < high around the mean {mean:g}, got {low:g} and {high:g}: "
            "normal distribution"
        )
    numbers = (float(mean), float(sd), float(low), float(high))
    return Distribution("normal", numbers, float(low), float(high))


def lognormal(median: float, factor: float) -> Distribution:
    """Return a lognormal distribution: 68 % lie from ``median / factor`` to ``median * factor``.

    Raises
    ------
    InputError
        If the median is not > 0 or the factor not > 1.
    """
    _check("lognormal", median=median, factor=factor)
    if not (median > 0 and factor > 1):
        raise InputError(
            f"expected median > 0 and factor > 1, got {median:g} and {factor:g}: "
            "lognormal distribution"
        )
    return Distribution("lognormal", (float(median), float(factor)), 0.0, np.inf)


KINDS: Mapping[str, Callable[..., Distribution]] = {
    f.__name__: f for f in (uniform, beta, normal, lognormal)
}


def distribution(kind: str, *, where: str = "", **numbers: float) -> Distribution:
    """Return the distribution called ``kind`` with the arguments of its function.

    Raises
    ------
    InputError
        If there is no such kind, or a number is unknown, lacking or impossible.

    Examples
    --------
    >>> distribution("normal", mean=0.3, sd=0.05, low=0.1).low
    0.1
    """
    make = KINDS[check_option("distribution", kind, KINDS, where=where)]
    at = f": {where}" if where else ""
    parameters = signature(make).parameters
    for name in numbers:
        check_option(f"number of a {kind} distribution", name, parameters, where=where)
    lacking = [n for n, p in parameters.items() if p.default is p.empty and n not in numbers]
    if lacking:
        raise InputError(f"expected {', '.join(lacking)} of a {kind} distribution, got none{at}")
    try:
        return make(**numbers)
    except InputError as error:
        raise InputError(f"{error}{at}") from None


def of_quantity(quantity: Quantity, *, where: str) -> Distribution:
    """Return what a tissue table says of a value: its distribution, or its range evenly.

    Raises
    ------
    InputError
        If no range is known or its distribution has another name.
    """
    low, high = quantity.low, quantity.high
    if low is None or high is None:
        raise InputError(f"expected a range to draw from, the table has none: {where}")
    if not quantity.distribution:
        return uniform(low, high)
    if quantity.distribution == "normal":
        return normal((low + high) / 2, (high - low) / 2)
    shapes = re.fullmatch(r"beta\(([\d.]+), ?([\d.]+)\)", quantity.distribution)
    if shapes is None:
        raise InputError(
            f"expected 'beta(p, q)', 'normal' or '', got {quantity.distribution!r}: {where}"
        )
    return beta(float(shapes[1]), float(shapes[2]), low, high)


@cache
def made(d: Distribution) -> Any:
    """Return chaospy's distribution."""
    import chaospy

    match d.kind:
        case "uniform":
            return chaospy.Uniform(d.low, d.high)
        case "beta":
            return chaospy.Beta(*d.numbers)
        case "normal":
            mean, sd, low, high = d.numbers
            if np.isinf([low, high]).all():
                return chaospy.Normal(mean, sd)
            far = mean - 9 * sd, mean + 9 * sd  # 1e-19 lie beyond
            return chaospy.TruncNormal(
                lower=max(low, far[0]), upper=min(high, far[1]), mu=mean, sigma=sd
            )
        case _:
            median, factor = d.numbers
            return chaospy.LogNormal(np.log(median), np.log(factor))


def polynomials(d: Distribution, degree: int, x: ArrayLike) -> NDArray[np.float64]:
    """Return the orthonormal polynomials of a distribution at values, shape (degree + 1, n).

    Those of a lognormal distribution are polynomials in log(x), the Hermite ones: polynomials in x
    itself are not complete there (Ernst, Mugler, Starkloff & Ullmann, ESAIM Math Model Numer Anal
    46:317 (2012), doi:10.1051/m2an/2011045).

    Parameters
    ----------
    d
        The distribution.
    degree
        Highest degree.
    x
        Values, shape (n,).
    """
    values = np.asarray(x, dtype=np.float64)
    if d.kind == "lognormal":
        median, factor = d.numbers
        d, z = normal(0.0, 1.0), np.log(values / median) / np.log(factor)
    elif d.kind == "normal":
        mean, sd, low, high = d.numbers
        d, z = normal(0.0, 1.0, (low - mean) / sd, (high - mean) / sd), (values - mean) / sd
    else:
        z = (2 * values - d.low - d.high) / (d.high - d.low)
        d = KINDS[d.kind](*d.numbers[:-2], -1.0, 1.0)
    return np.asarray(_expansion(d, degree)(z), dtype=np.float64)


@cache
def _expansion(d: Distribution, degree: int) -> Any:
    import chaospy

    return chaospy.generate_expansion(degree, made(d), normed=True)


@cache
def _moments(d: Distribution) -> tuple[float, float]:
    import chaospy

    return float(chaospy.E(made(d))), float(chaospy.Std(made(d)))


def _check(kind: str, **numbers: object) -> None:
    for name, x in numbers.items():
        if isinstance(x, bool) or not isinstance(x, Real) or not np.isfinite(float(x)):
            raise InputError(f"expected a finite {name}, got {x!r}: {kind} distribution")
