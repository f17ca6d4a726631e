"""Anisotropic conductivity: the tensor of a tetrahedron over the conductivity of its tissue.

    sigma_T = sigma_tissue R_T,   R symmetric and positive definite (1 where isotropic).

Keeping R apart from sigma_tissue keeps K = sum_t sigma_t K_t: other conductivities of a tissue
cost one pass, with or without tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

_FULL = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])  # place of each component in the six


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tensors:
    """Relative conductivity tensors of some tetrahedra; the others are isotropic.

    Parameters
    ----------
    tets
        Tetrahedra that have one, distinct, shape (m,), int32.
    values
        Components xx, xy, xz, yy, yz, zz of R (1) along the axes of the mesh, shape (m, 6).

    Raises
    ------
    InputError
        If a tensor is not finite or not positive definite.
    ValueError
        If the shapes do not fit or a tetrahedron comes twice.
    """

    tets: NDArray[np.int32]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes and positive definiteness."""
        set_ = object.__setattr__
        set_(self, "tets", np.ascontiguousarray(self.tets, dtype=np.int32))
        set_(self, "values", np.ascontiguousarray(self.values, dtype=np.float64))
        if self.tets.ndim != 1 or self.values.shape != (len(self.tets), 6):
            raise ValueError(
                f"tets and values must have shapes (m,) and (m, 6), got {self.tets.shape} "
                f"and {self.values.shape}"
            )
        if len(np.unique(self.tets)) < len(self.tets):
            raise ValueError("a tetrahedron has two tensors")
        bad = ~positive_definite(self.values)
        if bad.any():
            raise InputError(
                "conductivity tensors must be positive definite, "
                f"{np.count_nonzero(bad)} of {len(bad)} are not: tetrahedron "
                f"{self.tets[bad.argmax()]}"
            )

    def rows(self, n_tets: int) -> NDArray[np.int32]:
        """Return the row of each tetrahedron in ``values``, -1 where isotropic, shape (n_tets,).

        Raises
        ------
        InputError
            If there is a tensor for a tetrahedron that the mesh lacks.
        """
        if len(self.tets) and not (self.tets.min() >= 0 and self.tets.max() < n_tets):
            raise InputError(
                f"expected tensors of tetrahedra 0 to {n_tets - 1}, got "
                f"{self.tets.min()} to {self.tets.max()}: they belong to another mesh"
            )
        rows = np.full(n_tets, -1, dtype=np.int32)
        rows[self.tets] = np.arange(len(self.tets), dtype=np.int32)
        return rows


def isotropic() -> Tensors:
    """Return no tensors: every tetrahedron conducts alike in all directions."""
    return Tensors(tets=np.empty(0, np.int32), values=np.empty((0, 6)))


def matrices(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 3 × 3 matrices of components (xx, xy, xz, yy, yz, zz), shape (..., 3, 3)."""
    return np.asarray(values, dtype=np.float64)[..., _FULL]


def components(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the components (xx, xy, xz, yy, yz, zz) of symmetric matrices, shape (..., 6)."""
    return np.stack(
        [matrices[..., i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))], axis=-1
    )


def positive_definite(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each tensor (..., 6) is finite and positive definite (Sylvester)."""
    xx, xy, xz, yy, yz, zz = np.moveaxis(np.asarray(values, dtype=np.float64), -1, 0)
    size = np.abs(values).max(axis=-1, initial=0.0)
    minor = xx * yy - xy**2
    whole = xx * (yy * zz - yz**2) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    good: NDArray[np.bool_] = (
        np.isfinite(values).all(axis=-1)
        & (xx > 0)
        & (minor > 1e-12 * size**2)
        & (whole > 1e-18 * size**3)
    )
    return good
