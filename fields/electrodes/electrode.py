"""An electrode on the scalp: its outline, its place and the layer under it."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.placing.outlines import Disc, Rectangle, positive


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """The layer between metal and skin.

    Parameters
    ----------
    sigma
        Conductivity (S/m).
    thickness_mm
        Thickness.
    """

    sigma: float
    thickness_mm: float

    def __post_init__(self) -> None:
        """Check that the layer conducts and is thick."""
        positive("sigma", self.sigma)
        positive("thickness_mm", self.thickness_mm)

    @property
    def conductance(self) -> float:
        """Conductance per area (S/m²)."""
        return self.sigma / (self.thickness_mm * 1e-3)


@cache
def load_contacts() -> dict[str, Contact]:
    """Return the shipped contact layers by name."""
    text = files("rheobase.fields").joinpath("data/contacts.csv").read_text(encoding="utf-8")
    return {
        r["name"]: Contact(sigma=float(r["sigma_S_per_m"]), thickness_mm=float(r["thickness_mm"]))
        for r in csv.DictReader(text.splitlines())
    }


def contact(name: str) -> Contact:
    """Return the shipped contact layer ``name`` ("gel", "sponge").

    Raises
    ------
    InputError
        If there is none, with the nearest names.
    """
    table = load_contacts()
    return table[check_option("contact", name, table)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Electrode:
    """A pad on the scalp.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    centre
        Position (m), shape (3,); it is carried to the nearest point of the scalp.
    shape
        Outline of the pad.
    contact
        The layer between metal and skin.
    """

    name: str
    centre: NDArray[np.float64]
    shape: Disc | Rectangle = field(default_factory=Disc)
    contact: Contact = field(default_factory=lambda: contact("gel"))

    def __post_init__(self) -> None:
        """Check the position."""
        if np.shape(self.centre) != (3,) or not np.isfinite(self.centre).all():
            raise InputError(
                f"expected three finite coordinates (m), got {self.centre!r}: "
                f"electrode {self.name!r}"
            )
