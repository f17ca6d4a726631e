"""Structural connectomes: which regions are joined, how strongly, and how far apart.

The shipped one is human: the 100 cortical parcels of Schaefer et al. 2018
(10.1093/cercor/bhx179) with streamlines and tract lengths of a group of the Human Connectome
Project; provenance and terms are in ``data/brain.toml``.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option

Floats = NDArray[np.float64]

NORMALISATIONS = ("rows", "maximum", "log")


@cache
def brain_facts() -> dict[str, Any]:
    """Return the shipped constants, in the units their keys name."""
    text = files("rheobase.neurons").joinpath("data/brain.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Connectome:
    """Regions and what joins them.

    Parameters
    ----------
    names
        Name of each region, shape (n,).
    weights
        Strength of the connection from region j (column) to region i (row), >= 0, shape (n, n);
        the diagonal is 0: what a region does to itself is for its model.
    lengths
        Length of the tract (m), shape (n, n); looked at where the weight is not 0.
    centres
        Middle of each region (m, MNI), shape (n, 3); None where not known.

    Raises
    ------
    InputError
        If shapes differ, a weight or a length is negative or not finite, a name occurs twice, or a
        connection has no length.
    """

    names: tuple[str, ...]
    weights: Floats
    lengths: Floats
    centres: Floats | None = None

    def __post_init__(self) -> None:
        """Check shapes and values."""
        n = len(self.names)
        object.__setattr__(self, "names", tuple(self.names))
        if n == 0 or len(set(self.names)) != n:
            raise InputError(f"expected regions with names of their own, got {n} names: connectome")
        for what in ("weights", "lengths"):
            values = np.array(getattr(self, what), dtype=np.float64)
            if values.shape != (n, n):
                raise InputError(
                    f"{what} must have shape ({n}, {n}) for {n} regions, got {values.shape}: "
                    "connectome"
                )
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise InputError(f"{what} must be finite and >= 0, got others: connectome")
            object.__setattr__(self, what, values)
        np.fill_diagonal(self.weights, 0.0)
        missing = np.argwhere((self.weights > 0) & (self.lengths == 0))
        if len(missing):
            i, j = missing[0]
            raise InputError(
                f"expected a length > 0 of each connection, got 0 from {self.names[j]!r} to "
                f"{self.names[i]!r}: connectome"
            )
        if self.centres is not None:
            centres = np.array(self.centres, dtype=np.float64)
            if centres.shape != (n, 3) or not np.isfinite(centres).all():
                raise InputError(
                    f"centres must be finite with shape ({n}, 3), got {centres.shape}: connectome"
                )
            object.__setattr__(self, "centres", centres)

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the row of a region.

        Raises
        ------
        InputError
            If there is no such region, with the nearest names.
        """
        return self.names.index(check_option("region", name, self.names, where="connectome"))

    def normalised(self, how: str = "rows") -> Connectome:
        """Return the connectome with other weights.

        Parameters
        ----------
        how
            "rows": the connections into each region sum to 1 (regions without any keep none);
            "maximum": the largest weight is 1; "log": log(1 + w), then the largest is 1.

        Raises
        ------
        InputError
            If ``how`` is unknown, or no regions are connected.
        """
        check_option("normalisation", how, NORMALISATIONS, where="connectome")
        w = np.log1p(self.weights) if how == "log" else self.weights
        if not w.any():
            raise InputError("expected connected regions, got weights of 0 only: connectome")
        if how == "rows":
            into = w.sum(axis=1, keepdims=True)
            return replace(self, weights=w / np.where(into > 0, into, 1.0))
        return replace(self, weights=w / w.max())

    def cut(self, regions: Sequence[str]) -> Connectome:
        """Return the connectome with all connections from and to ``regions`` cut (a lesion).

        Raises
        ------
        InputError
            If a region is unknown.
        """
        weights = self.weights.copy()
        for k in (self.index(name) for name in regions):
            weights[k] = weights[:, k] = 0.0
        return replace(self, weights=weights)

    def distance(self, region: str) -> Floats:
        """Return the straight distance of every region from ``region`` (m), shape (n,).

        Raises
        ------
        InputError
            If the region is unknown or the centres are not.
        """
        k = self.index(region)
        if self.centres is None:
            raise InputError("distances need the centres of the regions: connectome")
        d: Floats = np.linalg.norm(self.centres - self.centres[k], axis=1)
        return d

    def path(self, region: str) -> Floats:
        """Return the shortest length (m) along connections from ``region``, shape (n,).

        inf where no chain of connections leads.

        Raises
        ------
        InputError
            If the region is unknown.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        steps = csr_array(np.where(self.weights > 0, self.lengths, 0.0).T)
        away: Floats = dijkstra(steps, indices=self.index(region))
        return away


@cache
def load_connectome(name: str = "hcp-schaefer100") -> Connectome:
    """Return a shipped connectome, weights in streamlines.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    check_option("connectome", name, (str(brain_facts()["connectome"]["name"]),))
    rows = schaefer100_table()
    n = len(rows)
    arrays = schaefer100_arrays()
    upper = np.triu_indices(n, 1)
    weights, lengths = np.zeros((n, n)), np.zeros((n, n))
    weights[upper] = arrays["strength"]
    lengths[upper] = arrays["length_mm"] * 1e-3
    return Connectome(
        names=tuple(row["name"] for row in rows),
        weights=weights + weights.T,
        lengths=lengths + lengths.T,
        centres=1e-3 * np.array([[float(row[f"{x}_mm"]) for x in "xyz"] for row in rows]),
    )


@cache
def schaefer100_table() -> list[dict[str, str]]:
    """Return the shipped table of regions: name, network, centre (mm, MNI) and area (cm²)."""
    table = files("rheobase.neurons").joinpath("data/regions_schaefer100.csv")
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


@cache
def schaefer100_arrays() -> dict[str, NDArray[Any]]:
    """Return the shipped arrays: "strength", "length_mm" (upper triangles) and "fsaverage5"."""
    with files("rheobase.neurons").joinpath("data/connectome_schaefer100.npz").open("rb") as file:
        return dict(np.load(file))
