"""The interface between metal and tissue: a constant-phase element on the surface of a contact.

    Z(f) = k / (i 2 pi f)^alpha                     on the whole contact (ohm)
    g(f) = (i 2 pi f)^alpha / (k A)                 per area (S/m²): it is spread over the surface

alpha = 1 is a capacitor, alpha = 0 a resistor. It passes no direct current (alpha > 0), and it is
linear: good for small voltages across it only. Values and sources:
``data/electrode_interface.toml``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Constant-phase element of a contact.

    Parameters
    ----------
    k
        Size (ohm s^-alpha).
    alpha
        Exponent, 0 to 1.
    area
        Area (m²) on which ``k`` was measured: the same surface on a contact of another size has
        another impedance. None: ``k`` is that of any whole contact, whatever its area.
    name, source, status
        Name, where the values come from and how sure they are.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    k: float
    alpha: float
    area: float | None = None
    name: str = "given"
    source: str = ""
    status: str = "given"

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_positive("k of the interface", self.k)
        if not (isfinite(self.alpha) and 0 <= self.alpha <= 1):
            raise InputError(f"alpha of the interface must be 0..1, got {self.alpha!r}")
        if self.area is not None:
            check_positive("area of the interface", self.area)

    def impedance(self, frequency: ArrayLike, area: float) -> NDArray[np.complex128]:
        """Return the impedance (ohm) of the interface of a contact of ``area`` (m²).

        Raises
        ------
        InputError
            If a frequency (Hz) is not > 0.

        Examples
        --------
        >>> abs(interface("day 1").impedance(130.0, 6e-6)).round(1)
        np.float64(7020.9)
        """
        scale = 1.0 if self.area is None else self.area / area
        return np.asarray(scale / self.admittance(frequency))

    def admittance(self, frequency: ArrayLike) -> NDArray[np.complex128]:
        """Return the admittance (S) at ``frequency`` (Hz) on ``area``, or on a contact without one.

        Raises
        ------
        InputError
            If a frequency is not > 0.
        """
        f = np.asarray(frequency, dtype=np.float64)
        if not (np.isfinite(f).all() and (f > 0).all()):
            raise InputError(
                f"expected frequencies > 0 Hz, got {f.min():g} .. {f.max():g} Hz: interface of a "
                "contact"
            )
        return np.asarray((2j * np.pi * f) ** self.alpha / self.k)


@cache
def load_interfaces() -> dict[str, Interface]:
    """Return the shipped interfaces by name."""
    text = (
        files("rheobase.fields")
        .joinpath("data/electrode_interface.toml")
        .read_text(encoding="utf-8")
    )
    return {entry["name"]: Interface(**entry) for entry in tomllib.loads(text)["cpe"]}


def interface(name: str) -> Interface:
    """Return the shipped interface ``name``.

    Raises
    ------
    InputError
        If there is none, with the nearest names.
    """
    known = load_interfaces()
    return known[check_option("interface", name, known)]
