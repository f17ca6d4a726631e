"""How far the phase of a wave is off in spectral elements, and which orders keep it right."""

from __future__ import annotations

from math import factorial, pi

import numpy as np

from rheobase._errors import InputError, check_positive

#: A phase off by more than this part of a turn in a wavelength is refused.
PHASE_LIMIT = 0.01
#: Rows of equal elements reflect waves of which elements are half a wavelength or a multiple (a
#: stop band of the grid): larger elements (in wavelengths) are refused.
LARGEST = 0.95


def phase_error(order: int, turns: float) -> float:
    """Return the error of phase of a wave that crosses a spectral element (rad).

    Parameters
    ----------
    order
        Order N of the element.
    turns
        Size of the element in wavelengths.

    Notes
    -----
    Leading term of the dispersion of Gauss-Lobatto elements with their own quadrature (Ainsworth
    & Wajid 2009, DOI 10.1137/080724976): (N! / (2 N)!)^2 (kh)^(2 N + 1) / (2 N (2 N + 1)).

    Examples
    --------
    >>> round(phase_error(5, 0.8), 5)
    0.00051
    """
    ratio = factorial(order) / factorial(2 * order)
    return ratio**2 * (2.0 * pi * turns) ** (2 * order + 1) / (2 * order * (2 * order + 1))


def layer_order(turns: float, error: float, most: int) -> int:
    """Return the lowest order whose phase is off by at most ``error`` (rad) a wavelength."""
    for order in range(1, most):
        if phase_error(order, turns) <= error * turns:
            return order
    return most


def enough(order: int, per_wavelength: float) -> bool:
    """Return whether elements with so many nodes a wavelength may be used."""
    turns = order / per_wavelength
    return turns <= LARGEST and phase_error(order, turns) <= 2.0 * pi * PHASE_LIMIT * turns


def check_resolution(order: int, per_wavelength: float, frequency: float, shortest: float) -> None:
    """Refuse too few nodes a wavelength.

    Parameters
    ----------
    order, per_wavelength
        Order of the elements, nodes a wavelength.
    frequency, shortest
        Frequency (Hz) and shortest wavelength (m), for the message.

    Raises
    ------
    InputError
        Saying how many there are and what to set.
    """
    check_positive("nodes a wavelength", per_wavelength)
    if not enough(order, per_wavelength):
        least = next(p for p in np.arange(2.0, 40.0, 0.25) if enough(order, float(p)))
        raise InputError(
            f"expected at least {least:g} nodes a wavelength for elements of order {order}, got "
            f"{per_wavelength:g} at {frequency / 1e3:g} kHz, where the shortest wave has "
            f"{shortest * 1e3:.3g} mm: set per_wavelength"
        )
