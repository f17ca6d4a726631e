"""Indicator functions: at a point the material with the largest one is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

#: Indicator of each material at points: (n, 3) in metres to (n, n_materials).
Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Indicators(Protocol):
    """What the mesher asks of indicator functions; material 0 is the outside."""

    @property
    def labels(self) -> tuple[int, ...]:
        """Label of each material."""

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Corrections that make a material larger, one each, 0 for the outside."""

    @property
    def reach(self) -> float:
        """How much the difference of two tied indicators changes by a unit of offset."""

    @property
    def most(self) -> float:
        """Largest offset that makes sense."""

    def chosen(self, points: NDArray[np.float64], which: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the indicators of some materials, offsets included.

        Parameters
        ----------
        points
            World coordinates (m), shape (n, 3).
        which
            Materials wanted at each, -1 for none, shape (n, k).

        Returns
        -------
        ndarray, shape (n, k)
            0 for none.
        """

    def gradients(
        self, points: NDArray[np.float64], which: NDArray[np.int32], step: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `chosen` and its gradients (1/m, shape (n, k, 3)); ``step`` (m) is a hint."""

    def material(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the material at world points (m), shape (n,)."""

    def places(self, materials: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a point (m) inside each of some materials, NaN where none is known, (n, 3)."""

    def with_offsets(self, offsets: NDArray[np.float64]) -> Self:
        """Return the same with other offsets, shape (n_materials,)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FunctionIndicators:
    """Indicators that a function gives all at once.

    Parameters
    ----------
    labels
        Label of each material; the first is the outside.
    function
        From points (m), shape (n, 3), to one column per material, best with a slope of about 1
        across each interface.
    offsets
        Added to each column (m).
    most
        Largest offset (m).
    """

    labels: tuple[int, ...]
    function: Function
    offsets: NDArray[np.float64]
    most: float
    reach: float = 1.0

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all indicators, shape (n, n_materials)."""
        values: NDArray[np.float64] = self.function(points) + self.offsets
        return values

    def chosen(self, points: NDArray[np.float64], which: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the indicators of some materials (`Indicators.chosen`)."""
        values = np.take_along_axis(self(points), np.maximum(which, 0).astype(np.int64), axis=1)
        return np.where(which >= 0, values, 0.0)

    def gradients(
        self, points: NDArray[np.float64], which: NDArray[np.int32], step: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `chosen` and its gradients by central differences."""
        out = np.empty((*which.shape, 3))
        for d in range(3):
            e = np.zeros(3)
            e[d] = step
            ahead = self.chosen(points + e, which) - self.chosen(points - e, which)
            out[..., d] = ahead / (2.0 * step)
        return self.chosen(points, which), out

    def material(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the material at points, shape (n,)."""
        return self(points).argmax(axis=1).astype(np.int32)

    def places(self, materials: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return NaN: a function does not say where its materials are."""
        return np.full((len(materials), 3), np.nan)

    def with_offsets(self, offsets: NDArray[np.float64]) -> FunctionIndicators:
        """Return the same with other offsets."""
        return replace(self, offsets=offsets)
