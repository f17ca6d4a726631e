"""Which points a sweep visits: a grid, samples of ranges, or a list.

A design is made of dimensions, and each point takes one place along every one of them. An axis of a
grid is a dimension of its own; keys that vary together share one; sampled ranges share the
dimension ``sample``, the rows of a list the dimension ``point``.

References: McKay, Beckman & Conover, Technometrics 21:239 (1979), doi:10.2307/1268522 (Latin
hypercube); Sobol', USSR Comput Math Math Phys 7:86 (1967), doi:10.1016/0041-5553(67)90144-9; Owen,
J Complexity 14:466 (1998), doi:10.1006/jcom.1998.0487 (scrambling). `scipy.stats.qmc` makes them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import isfinite, prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_seed

type Value = (
    Any  # what JSON can hold: numbers, texts, booleans; lists and tables of them in studies
)
type Point = dict[str, Value]
type Method = Literal["grid", "latin_hypercube", "sobol", "list"]

SAMPLED = ("latin_hypercube", "sobol")
SAMPLE, POINT = "sample", "point"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An interval that samples are drawn from.

    Parameters
    ----------
    low, high
        Ends.
    scale
        "linear", or "log" where every factor is as likely as the next.
    whole
        Whether only whole numbers count.

    Raises
    ------
    InputError
        If the ends are not finite and in order, or not above 0 on a logarithmic scale.
    """

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"
    whole: bool = False

    def __post_init__(self) -> None:
        """Check the ends."""
        check_option("scale", self.scale, ("linear", "log"), where="range")
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise InputError(f"expected low < high, got {self.low:g} and {self.high:g}: range")
        if self.scale == "log" and not self.low > 0:
            raise InputError(f"expected low > 0 on a logarithmic scale, got {self.low:g}: range")
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise InputError(f"expected whole ends, got {self.low:g} and {self.high:g}: range")

    def at(self, u: NDArray[np.float64]) -> list[float] | list[int]:
        """Return the values at ``u`` from 0 to 1, shape (n,).

        Examples
        --------
        >>> Range(low=1.0, high=100.0, scale="log").at(np.array([0.0, 0.5]))
        [1.0, 10.0]
        >>> Range(low=1, high=3, whole=True).at(np.array([0.0, 0.4, 0.99]))
        [1, 2, 3]
        >>> Range(low=1, high=99, scale="log", whole=True).at(np.array([0.0, 0.5, 0.99]))
        [1, 10, 95]
        """
        if self.whole:  # each number has what lies between it and the next
            above = self.high + 1
            if self.scale == "log":
                x = self.low * (above / self.low) ** u
            else:
                x = self.low + (above - self.low) * u
            return [int(k) for k in np.clip(np.floor(x), self.low, self.high)]
        if self.scale == "log":
            found: list[float] = (self.low * (self.high / self.low) ** u).tolist()
        else:
            found = (self.low + (self.high - self.low) * u).tolist()
        return found

    def ends(self) -> list[float]:
        """Return both ends, whole where only whole numbers count."""
        return [int(x) if self.whole else x for x in (self.low, self.high)]

    def unit(self, values: Sequence[float]) -> NDArray[np.float64]:
        """Return where values lie between the ends, from 0 to 1, shape (n,)."""
        x = np.asarray(values, dtype=np.float64)
        low, high = self.low, self.high
        if self.whole:  # the middle of what `at` gives a number for
            x, high = x + 0.5, high + 1
        if self.scale == "log":
            x, low, high = np.log(x), np.log(low), np.log(high)
        part: NDArray[np.float64] = (x - low) / (high - low)
        return part


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """The points of a sweep.

    Parameters
    ----------
    dims
        By name of each dimension the keys that vary along it, and their values, as many of each.
    method
        How it was made.
    ranges
        The sampled ranges, by key.
    notes
        What a reader must know of the choice of the points.

    Raises
    ------
    InputError
        If there is no dimension, a key or a point comes twice, keys of a dimension have not as many
        values, or a value is none that JSON can hold.
    """

    dims: Mapping[str, Mapping[str, list[Value]]]
    method: Method = "grid"
    ranges: Mapping[str, Range] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the dimensions."""
        if not self.dims:
            raise InputError("expected an axis, got none: sweep")
        keys = [key for own in self.dims.values() for key in own]
        for key in keys:
            if keys.count(key) > 1:
                raise InputError(f"{key!r} comes twice: axes")
        for dim, own in self.dims.items():
            sizes = {key: len(values) for key, values in own.items()}
            if len(set(sizes.values())) != 1 or not min(sizes.values()):
                told = ", ".join(f"{n} of {k!r}" for k, n in sizes.items()) or "no key"
                raise InputError(f"expected as many values of each key, got {told}: axis {dim!r}")
            places = list(zip(*own.values(), strict=True))
            if dim != SAMPLE and len({_text(place) for place in places}) < len(places):
                raise InputError(f"values must be distinct, got one twice: axis {dim!r}")

    def __len__(self) -> int:
        """Return the number of points."""
        return prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Places along each dimension."""
        return tuple(len(next(iter(own.values()))) for own in self.dims.values())

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, in the order of the dimensions."""
        return tuple(key for own in self.dims.values() for key in own)

    @cached_property
    def points(self) -> list[Point]:
        """All points, the last dimension running fastest."""
        places = [
            [dict(zip(own, values, strict=True)) for values in zip(*own.values(), strict=True)]
            for own in self.dims.values()
        ]
        return [{k: v for part in parts for k, v in part.items()} for parts in product(*places)]

    def coordinates(self) -> dict[str, tuple[str, list[Any]]]:
        """Return the dimension and the labels of each key, as xarray wants them."""
        return {
            key: (dim, [label(v) for v in values])
            for dim, own in self.dims.items()
            for key, values in own.items()
        }


def label(value: Value) -> str | bool | int | float:
    """Return a value as it stands on an axis: lists and tables as text.

    Examples
    --------
    >>> label(2.5), label([1, 2.5]), label({"name": "sphere"})
    (2.5, '[1, 2.5]', '{"name": "sphere"}')
    """
    if isinstance(value, str | bool | int | float):
        return value
    return _text(value)


def grid(axes: Mapping[str, Any]) -> Design:
    """Return all combinations of values.

    Parameters
    ----------
    axes
        Values (a list or array, or one) by key; or, by a name, a table of several keys that vary
        together.

    Raises
    ------
    InputError
        As `Design`, and if a value is a range, which only samples are drawn from.

    Examples
    --------
    >>> design = grid({"angle": [0, 45], "pair": {"a": [1, 2], "b": [3, 4]}})
    >>> design.shape, design.points[-1]
    ((2, 2), {'angle': 45, 'a': 2, 'b': 4})
    """
    for key, values in axes.items():
        if isinstance(values, Range):
            raise InputError(
                f"expected values, got a range, for method 'grid': axis {key!r} (ranges are for "
                "'latin_hypercube' and 'sobol')"
            )
    return Design(dims={name: _own(name, values) for name, values in axes.items()})


def sampled(axes: Mapping[str, Any], n: int, *, method: str = "sobol", seed: int = 0) -> Design:
    """Return ``n`` samples of the ranges, each with all combinations of the other axes.

    Parameters
    ----------
    axes
        A `Range` by key, or values as for `grid`; at least one range.
    n
        Samples. Sobol' points are balanced where it is a power of two.
    method
        "sobol" (scrambled) or "latin_hypercube".
    seed
        Of the scrambling or the draw.

    Raises
    ------
    InputError
        As `Design`, and if there is no range or ``n`` is not > 0.

    Examples
    --------
    >>> design = sampled({"x": Range(low=0.0, high=1.0), "head": ["a", "b"]}, 4, seed=1)
    >>> design.shape
    (4, 2)
    """
    from scipy.stats import qmc

    check_option("method", method, SAMPLED, where="sweep")
    check_seed(seed, where="sweep")
    if n < 1:
        raise InputError(f"expected samples >= 1, got {n}: method {method!r}")
    ranges = {key: values for key, values in axes.items() if isinstance(values, Range)}
    if not ranges:
        raise InputError(f"expected a range (low, high) on some axis, got none: method {method!r}")
    notes: tuple[str, ...] = ()
    rng = np.random.default_rng(seed)
    if method == "sobol":
        with warnings.catch_warnings():  # told below
            warnings.simplefilter("ignore", UserWarning)
            u = qmc.Sobol(len(ranges), scramble=True, rng=rng).random(n)
        if n & (n - 1):
            lower = 1 << (n.bit_length() - 1)
            notes = (
                f"{n} samples are no power of two: Sobol' points are balanced at {lower} and "
                f"{2 * lower}.",
            )
    else:
        u = qmc.LatinHypercube(len(ranges), rng=rng).random(n)
    drawn: dict[str, list[Value]] = {
        key: list(one.at(column)) for (key, one), column in zip(ranges.items(), u.T, strict=True)
    }
    others = {k: _own(k, values) for k, values in axes.items() if k not in ranges}
    if SAMPLE in others:
        raise InputError(f"an axis must not be called {SAMPLE!r}, as the samples are: sweep")
    return Design(
        dims={SAMPLE: drawn, **others},
        method="sobol" if method == "sobol" else "latin_hypercube",
        ranges=ranges,
        notes=notes,
    )


def listed(rows: Iterable[Mapping[str, Value]], axes: Mapping[str, Any] | None = None) -> Design:
    """Return the points of a list, each with all combinations of further axes.

    Parameters
    ----------
    rows
        A value by key for each point; every row has the same keys.
    axes
        As for `grid`.

    Raises
    ------
    InputError
        As `Design`, and if a row has other keys than the first.
    """
    plain = [dict(row) for row in rows]
    if not plain:
        raise InputError("expected points, got none: method 'list'")
    for k, row in enumerate(plain):
        if set(row) != set(plain[0]):
            raise InputError(
                f"expected the keys {', '.join(plain[0])}, got {', '.join(row) or 'none'}: "
                f"points.{k}"
            )
    dims = {POINT: {key: [_checked(key, row[key]) for row in plain] for key in plain[0]}}
    others = {name: _own(name, values) for name, values in (axes or {}).items()}
    return Design(dims={**dims, **others}, method="list")


def _own(name: str, values: Any) -> dict[str, list[Value]]:
    """Return the keys of one axis with their values."""
    if isinstance(values, Mapping):
        return {str(key): _values(str(key), own) for key, own in values.items()}
    return {name: _values(name, values)}


def _values(name: str, values: Any) -> list[Value]:
    if isinstance(values, np.ndarray | np.generic):
        values = values.tolist()
    if not isinstance(values, list | tuple):
        values = [values]
    if not values:
        raise InputError(f"expected values, got {values!r}: axis {name!r}")
    return [_checked(name, v) for v in values]


def _checked(name: str, value: Any) -> Value:
    """Return a value as JSON has it."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_checked(name, v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _checked(name, v) for k, v in value.items()}
    if isinstance(value, str | bool) or (isinstance(value, int | float) and isfinite(value)):
        return value
    raise InputError(
        "values must be finite numbers, strings or booleans, or lists and tables of them, got "
        f"{value!r}: axis {name!r}"
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
