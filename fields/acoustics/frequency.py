"""The frequencies that this package takes for ultrasound."""

from __future__ import annotations

from rheobase._errors import InputError

LOWEST, HIGHEST = 20e3, 20e6
"""From the edge of hearing to the highest of imaging (Hz): anything else is a slip of units."""


def check_frequency(frequency: float, where: str = "ultrasound") -> float:
    """Return a frequency (Hz) that ultrasound can have.

    Raises
    ------
    InputError
        If it is not within `LOWEST` … `HIGHEST`, as a number of kHz or MHz is not.

    Examples
    --------
    >>> check_frequency(500e3)
    500000.0
    """
    if not LOWEST <= frequency <= HIGHEST:
        raise InputError(
            f"expected a frequency in Hz, within {LOWEST:g} … {HIGHEST:g}, got {frequency!r}: "
            f"{where}"
        )
    return float(frequency)
