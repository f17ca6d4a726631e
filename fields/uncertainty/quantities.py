"""What is asked of a sampled field: its strength, a component, or a modulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import as_numbers
from rheobase.fields.interference import envelope_max

Floats = NDArray[np.float64]

#: From fields (V/m per unit) of n samples of k sources at m points, shape (n, k, m, 3), to a number
#: for each sample and point, shape (n, m).
Quantity = Callable[[Floats], Floats]


def strength(amplitudes: ArrayLike) -> Quantity:
    """Return |sum_k a_k E_k| (V/m).

    Parameters
    ----------
    amplitudes
        One amplitude per source (A or A/s), shape (k,).
    """
    combined = _combined(amplitudes)
    return lambda E: np.linalg.norm(combined(E), axis=-1)


def component(amplitudes: ArrayLike, direction: ArrayLike) -> Quantity:
    """Return the component of sum_k a_k E_k (V/m) along a direction, shape (3,).

    Raises
    ------
    InputError
        If the direction has no length.
    """
    combined, d = _combined(amplitudes), as_numbers(direction, "direction")
    if d.shape != (3,) or not np.linalg.norm(d) > 0:
        raise InputError(f"expected a direction of three numbers, got {d.tolist()}")
    return lambda E: combined(E) @ (d / np.linalg.norm(d))


def modulation(amplitudes: ArrayLike) -> Quantity:
    """Return the largest modulation (V/m, peak to peak) of two sources over all directions.

    Parameters
    ----------
    amplitudes
        Amplitude of each of the two carriers (A), shape (2,).

    Raises
    ------
    InputError
        If there are not two.
    """
    a = as_numbers(amplitudes, "amplitudes")
    if a.shape != (2,):
        raise InputError(f"expected the amplitudes of two carriers, got {a.size}")

    def largest(E: Floats) -> Floats:
        n, k, m, _ = E.shape
        fields = (a[:, None, None, None] * E.swapaxes(0, 1)).reshape(k, n * m, 3)
        return envelope_max(fields).reshape(n, m)

    return largest


def _combined(amplitudes: ArrayLike) -> Callable[[Floats], Floats]:
    a = np.atleast_1d(as_numbers(amplitudes, "amplitudes"))

    def combine(E: Floats) -> Floats:
        if a.shape != (E.shape[1],):
            raise InputError(f"expected {E.shape[1]} amplitudes, got {a.size}")
        found: Floats = np.einsum("k,nkmi->nmi", a, E)
        return found

    return combine
