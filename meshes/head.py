"""The head: a mesh with tissues, landmarks, electrode positions and a cortical sheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.carving.carved import LatticeRecord
from rheobase.meshes.carving.lattice_file import StoredLattice
from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.spaces import Registration, checked, is_mni
from rheobase.meshes.tissues import Tissue

Species = Literal["human", "macaque", "rat", "mouse"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Head:
    """A meshed head.

    Parameters
    ----------
    name
        Name ("mni152").
    species
        Species of the head; chooses layers and cells.
    space
        Name of the coordinate space ("MNI152NLin2009aSym", "scanner", "sphere"). Axes point to
        the right, to the front and upwards (RAS); the unit is the metre.
    mesh
        The tetrahedra.
    tissues
        Tissue of each label in the mesh.
    fiducials
        Landmarks (m): "nasion", "lpa", "rpa", "inion" where known, shape (3,) each.
    positions
        10-10 electrode positions on this scalp (m), shape (3,) each.
    cortex
        Cortical sheet, None where the head has none.
    mni
        How its space and MNI space map to each other, None where that is not known (or where the
        space is MNI already).
    lattice
        How the mesh came out of its lattice (`rheobase.meshes.insertion.insert`), None where it did
        not or where that is not known.
    provenance
        How the head was made: inputs, options, notes on what it is not.
    """

    name: str
    species: Species
    space: str
    mesh: TetMesh
    tissues: Mapping[int, Tissue]
    fiducials: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    positions: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    cortex: CorticalSheet | None = None
    mni: Registration | None = None
    lattice: LatticeRecord | StoredLattice | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Every label of the mesh must have a tissue."""
        labels, counts = np.unique(self.mesh.labels, return_counts=True)
        for label, count in zip(labels, counts, strict=True):
            if int(label) not in self.tissues:
                raise InputError(
                    f"no tissue for label {label} ({count} tetrahedra): head {self.name!r}"
                )

    def sigma(self) -> NDArray[np.float64]:
        """Return the conductivity of each tetrahedron (S/m), shape (n_tets,).

        Raises
        ------
        InputError
            If a tissue of the mesh has none.
        """
        table = np.full(max(self.tissues) + 1, np.nan)
        for label in np.unique(self.mesh.labels).tolist():
            table[label] = self.tissues[label].sigma
        sigma: NDArray[np.float64] = table[self.mesh.labels]
        return sigma

    def to_mni(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return ``points`` of this head (m) in MNI space (m), shape (n, 3); NaN off its grid.

        Raises
        ------
        InputError
            If the head has no transform to MNI space.
        """
        if self.mni is None and is_mni(self.space):
            return checked(points)
        return self._registration().forward()(points)

    def from_mni(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return ``points`` of MNI space (m) in this head (m), shape (n, 3).

        Raises
        ------
        InputError
            If the head has no transform from MNI space, or a point has no image in it.
        """
        x = checked(points)
        if self.mni is None and is_mni(self.space):
            return x
        moved = self._registration().backward()(x)
        lost = ~np.isfinite(moved).all(axis=1)
        if lost.any():
            first = (x[lost][0] * 1e3).round(1).tolist()
            raise InputError(
                f"expected points inside the map from MNI, got {first} mm "
                f"({lost.sum()} of {len(x)} outside): head {self.name!r}"
            )
        return moved

    def _registration(self) -> Registration:
        if self.mni is None:
            raise InputError(
                f"no transform between MNI and space {self.space!r}: head {self.name!r}"
            )
        return self.mni

    def label_of(self, tissue: str) -> int:
        """Return the mesh label of the tissue called ``tissue``."""
        names = {t.name: label for label, t in self.tissues.items()}
        return names[check_option("tissue", tissue, names, where=f"head {self.name!r}")]

    def position(self, name: str) -> NDArray[np.float64]:
        """Return the 10-10 position or fiducial ``name`` (m), shape (3,).

        Raises
        ------
        InputError
            If the head has no such position, with the nearest names.
        """
        known = {**self.fiducials, **self.positions}
        return known[check_option("electrode position", name, known, where=f"head {self.name!r}")]
