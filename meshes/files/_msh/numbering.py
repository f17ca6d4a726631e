"""From the numbers that a file gives its nodes and elements to indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Ints = NDArray[np.integer[Any]]


class Numbering:
    """Indices of numbered things; index 0 has the lowest number.

    Parameters
    ----------
    numbers
        Number of each thing, in the order of the file; may leave gaps.
    what
        What is numbered and where, for messages.

    Raises
    ------
    InputError
        If a number comes twice.
    """

    def __init__(self, numbers: Ints, what: str) -> None:
        self.what = what
        ascending = bool((numbers[1:] > numbers[:-1]).all())
        self.order: NDArray[np.intp] | None = None
        if not ascending:
            self.order = np.argsort(numbers, kind="stable")
            numbers = numbers[self.order]
        self.sorted = numbers
        self.dense = len(numbers) > 0 and int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1
        if not ascending and (numbers[1:] == numbers[:-1]).any():
            twice = int(numbers[1:][numbers[1:] == numbers[:-1]][0])
            raise InputError(f"expected each number once, {twice} comes again: {what}")

    def arranged(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return ``rows``, which are in the order of the file, in the order of the numbers."""
        return rows if self.order is None else rows[self.order]

    def find(self, numbers: Ints) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the index of each number and whether there is one."""
        n = len(self.sorted)
        if n == 0:
            return np.zeros(numbers.shape, np.int32), np.zeros(numbers.shape, bool)
        if self.dense:
            first, last = self.sorted[0], self.sorted[-1]
            known = (numbers >= first) & (numbers <= last)
            return np.where(known, numbers - first, 0).astype(np.int32), known
        place = np.minimum(np.searchsorted(self.sorted, numbers), n - 1)
        return place.astype(np.int32), self.sorted[place] == numbers

    def of(self, numbers: Ints) -> NDArray[np.int32]:
        """Return the indices; every number must be known."""
        place, known = self.find(numbers)
        if not known.all():
            wrong = numbers[~known].ravel()[0]
            raise InputError(f"expected known numbers, got {wrong}: {self.what}")
        return place

    def scatter(self, numbers: Ints, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return ``values`` by index, NaN where there is none; None if no number is known."""
        place, known = self.find(numbers)
        if not known.any():
            return None
        out = np.full((len(self.sorted), *values.shape[1:]), np.nan)
        out[place[known]] = values[known]
        return out
