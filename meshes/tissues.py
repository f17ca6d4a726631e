"""Tissues and their electrical properties, shipped as data, each row with its source."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rheobase._errors import check_option


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """One tissue of a head.

    Parameters
    ----------
    name
        Name, as in ``data/tissues.csv`` ("grey_matter").
    label
        Label in meshes and images; those of SimNIBS where it has one (1 white … 5 scalp).
    sigma
        Quasi-static conductivity (S/m).
    sigma_low, sigma_high
        Plausible range (S/m), None where none is known.
    source, status, remark
        Where the value comes from, how sure it is, and what to know of it.

    Raises
    ------
    ValueError
        If ``sigma`` is not > 0 or lies outside its own range.
    """

    name: str
    label: int
    sigma: float
    sigma_low: float | None = None
    sigma_high: float | None = None
    source: str
    status: str
    remark: str = ""

    def __post_init__(self) -> None:
        """Reject a tissue that does not conduct."""
        if not self.sigma > 0:
            raise ValueError(f"sigma must be > 0 S/m, got {self.sigma!r}: tissue {self.name!r}")
        low, high = self.sigma_low, self.sigma_high
        if low is not None and high is not None and not low <= self.sigma <= high:
            raise ValueError(
                f"sigma {self.sigma} S/m lies outside {low}..{high}: tissue {self.name!r}"
            )


@cache
def load_tissues() -> dict[str, Tissue]:
    """Return the shipped tissues by name."""
    text = files("rheobase.meshes").joinpath("data/tissues.csv").read_text(encoding="utf-8")

    def number(cell: str) -> float | None:
        return float(cell) if cell else None

    return {
        r["name"]: Tissue(
            name=r["name"],
            label=int(r["label"]),
            sigma=float(r["sigma_S_per_m"]),
            sigma_low=number(r["sigma_low_S_per_m"]),
            sigma_high=number(r["sigma_high_S_per_m"]),
            source=r["source"],
            status=r["status"],
            remark=r["remark"],
        )
        for r in csv.DictReader(text.splitlines())
    }


def tissue(name: str) -> Tissue:
    """Return the shipped tissue ``name``.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> tissue("grey_matter").sigma
    0.275
    """
    table = load_tissues()
    return table[check_option("tissue", name, table)]
