"""Transforms between coordinate spaces: affine maps, warps given on a grid, and their inverses.

A warp is a voxel grid of *target* coordinates: the point of the source space at voxel (i, j, k)
goes to ``coordinates[i, j, k]``, linearly in between. SimNIBS stores two of them for each subject,
in mm: ``toMNI/Conform2MNI_nonl.nii.gz`` lies on the subject's grid and holds MNI coordinates,
``toMNI/MNI2Conform_nonl.nii.gz`` lies on the MNI grid and holds the subject's. SPM's ``y_`` images
follow the same rule; the displacement fields of ANTs and FSL do not and are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]

EDGE = 1e-6  # voxels beyond the outermost voxel centres that still count as inside (rounding)
CLOSE = 1e-7  # m; an inverse is found when the warp of it comes this near
STEPS = 60  # of the inverse
MILLIMETRES = np.array([1e3, 1e3, 1e3, 1.0])


class Transform(Protocol):
    """Anything that takes points of one space to another."""

    def __call__(self, points: ArrayLike) -> Floats:
        """Return the images of ``points`` (m), shape (n, 3); NaN where there is none."""
        ...

    def inverse(self) -> Transform:
        """Return the transform back."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Affine:
    """x -> matrix · (x, 1).

    Parameters
    ----------
    matrix
        Metres to metres, shape (4, 4).

    Raises
    ------
    InputError
        If the matrix is not an invertible affine map.
    """

    matrix: Floats

    def __post_init__(self) -> None:
        """Check the matrix."""
        m = np.array(self.matrix, dtype=np.float64)
        object.__setattr__(self, "matrix", m)
        if m.shape != (4, 4) or not np.isfinite(m).all() or not (m[3] == [0, 0, 0, 1]).all():
            raise InputError(
                f"expected a finite 4 x 4 affine map with the last row 0 0 0 1, got {m.tolist()}"
            )
        size = np.linalg.norm(m[:3, :3], axis=0).prod()
        if not abs(np.linalg.det(m[:3, :3])) > 1e-9 * size:
            raise InputError(f"expected an invertible affine map, got {m.tolist()}")

    def __call__(self, points: ArrayLike) -> Floats:
        """Return the images of ``points`` (m), shape (n, 3)."""
        moved: Floats = checked(points) @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return moved

    def inverse(self) -> Affine:
        """Return the map back."""
        back = np.linalg.inv(self.matrix)
        back[3] = [0.0, 0.0, 0.0, 1.0]
        return Affine(matrix=back)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Warp:
    """A non-linear map given by target coordinates on a grid, linear in between.

    Parameters
    ----------
    coordinates
        Target coordinates (m) of each voxel centre, shape (nx, ny, nz, 3), float32; NaN where the
        map is not known.
    affine
        Voxel indices to source coordinates (m), shape (4, 4).

    Raises
    ------
    InputError
        If the grid is no map: wrong shape, hardly any finite value, or displacements in place of
        coordinates.
    """

    coordinates: NDArray[np.float32]
    affine: Floats

    def __post_init__(self) -> None:
        """Check the grid."""
        set_ = object.__setattr__
        set_(self, "coordinates", np.asarray(self.coordinates, dtype=np.float32))
        set_(self, "affine", Affine(matrix=self.affine).matrix)
        shape = self.coordinates.shape
        if len(shape) != 4 or shape[3] != 3 or min(shape[:3]) < 2:
            raise InputError(f"expected a warp of shape (nx, ny, nz, 3), got {shape}")
        linear = self.nearest_affine().matrix[:3, :3]
        if not np.linalg.svd(linear, compute_uv=False).min() > 0.2:
            raise InputError(
                "expected a warp that holds target coordinates, got values that hardly follow the "
                "position, as displacement fields do"
            )

    def __call__(self, points: ArrayLike) -> Floats:
        """Return the images of ``points`` (m), shape (n, 3); NaN outside the grid."""
        x = checked(points)
        index = self._index(x)
        out = self._at(np.nan_to_num(index), self.coordinates)
        out[~self._inside(index)] = np.nan
        return out

    def inverse(self) -> InverseWarp:
        """Return the map back."""
        return InverseWarp(warp=self)

    def nearest_affine(self) -> Affine:
        """Return the affine map nearest to the warp in the least-squares sense."""
        every = tuple(slice(None, None, max(1, n // 24)) for n in self.coordinates.shape[:3])
        values = self.coordinates[every].reshape(-1, 3).astype(np.float64)
        grid = np.stack(
            np.meshgrid(
                *(np.arange(n)[s] for n, s in zip(self.coordinates.shape, every, strict=False)),
                indexing="ij",
            ),
            axis=-1,
        ).reshape(-1, 3)
        known = np.isfinite(values).all(axis=1)
        if np.count_nonzero(known) < 4:
            raise InputError("expected a warp with finite coordinates, found next to none")
        x = grid[known] @ self.affine[:3, :3].T + self.affine[:3, 3]
        centre, middle = x.mean(axis=0), values[known].mean(axis=0)
        linear = np.linalg.lstsq(x - centre, values[known] - middle, rcond=None)[0].T
        if not np.linalg.matrix_rank(linear, tol=1e-6) == 3:
            raise InputError("expected a warp that fills space, got one that flattens it")
        matrix = np.eye(4)
        matrix[:3, :3] = linear
        matrix[:3, 3] = middle - linear @ centre
        return Affine(matrix=matrix)

    def thinned(self, tolerance: float) -> Warp:
        """Return the warp on every second voxel as often as interpolation restores the rest.

        Parameters
        ----------
        tolerance
            Largest change of any voxel's target (m), over all halvings together.
        """
        c, matrix, left = self.coordinates, self.affine.copy(), tolerance
        for axis in (0, 1, 2) * 3:
            c = np.moveaxis(c, axis, 0)
            if len(c) >= 5:
                if len(c) % 2 == 0:  # one plane more, so that the last one is restored exactly
                    c = np.concatenate([c, 2 * c[-1:] - c[-2:-1]])
                change = np.abs(0.5 * (c[:-1:2] + c[2::2]) - c[1::2])
                worst = float(np.nanmax(change)) if np.isfinite(change).any() else np.inf
                lost = (np.isnan(change) & np.isfinite(c[1::2])).any()
                if worst <= left and not lost:
                    left -= worst
                    c = c[::2]
                    matrix[:3, axis] *= 2.0
            c = np.moveaxis(c, 0, axis)
        return Warp(coordinates=np.ascontiguousarray(c), affine=matrix)

    def _index(self, x: Floats) -> Floats:
        inverse = np.linalg.inv(self.affine)
        index: Floats = x @ inverse[:3, :3].T + inverse[:3, 3]
        return index

    def _inside(self, index: Floats) -> NDArray[np.bool_]:
        top = np.array(self.coordinates.shape[:3]) - 1
        inside: NDArray[np.bool_] = ((index >= -EDGE) & (index <= top + EDGE)).all(axis=1)
        return inside

    @staticmethod
    def _at(index: Floats, grid: NDArray[np.float32]) -> Floats:
        from scipy.ndimage import map_coordinates

        out = np.empty((len(index), 3))
        for k in range(3):
            map_coordinates(grid[..., k], index.T, output=out[:, k], order=1, mode="nearest")
        return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class InverseWarp:
    """The inverse of a warp, found point by point.

    Solves W(x) = y by x <- x - s J(x)⁻¹ (W(x) - y), with J from central differences over a voxel
    and s halved for a point whose residual does not fall; it starts from the inverse of the nearest
    affine map. Beyond its grid W is continued with that map, so that the iteration may leave the
    grid and come back.

    Parameters
    ----------
    warp
        The map to invert; it must not fold (a registration does not).
    """

    warp: Warp

    def __call__(self, points: ArrayLike) -> Floats:
        """Return the points (m) that the warp takes to ``points``, shape (n, 3); NaN for none."""
        y = checked(points)
        out = np.full(y.shape, np.nan)
        near = self.warp.nearest_affine()
        grid = self._filled(near)
        todo = np.flatnonzero(np.isfinite(y).all(axis=1))
        x = near.inverse()(y[todo])
        step = np.ones(len(todo))
        left = self._value(x, near, grid) - y[todo]
        for _ in range(STEPS):
            size = np.linalg.norm(left, axis=1)
            done = size <= CLOSE
            out[todo[done]] = x[done]
            keep = ~done
            todo, x, step, left, size = todo[keep], x[keep], step[keep], left[keep], size[keep]
            if not len(todo):
                break
            move = self._newton(x, left, near, grid)
            new = x - step[:, None] * move
            after = self._value(new, near, grid) - y[todo]
            better = np.linalg.norm(after, axis=1) < size
            x[better], left[better] = new[better], after[better]
            step = np.where(better, np.minimum(2.0 * step, 1.0), 0.5 * step)
        # what the continuation gave, or what hangs on unknown voxels, is no answer
        found = np.isfinite(out).all(axis=1)
        image = self.warp(out[found])
        bad = ~(np.abs(image - y[found]).max(axis=1, initial=0.0) <= 10 * CLOSE)
        out[np.flatnonzero(found)[bad]] = np.nan
        return out

    def inverse(self) -> Warp:
        """Return the warp itself."""
        return self.warp

    def _filled(self, near: Affine) -> NDArray[np.float32]:
        """Return the grid with the nearest affine map in place of unknown values."""
        grid = self.warp.coordinates
        unknown = ~np.isfinite(grid).all(axis=3)
        if not unknown.any():
            return grid
        grid = grid.copy()
        x = np.argwhere(unknown) @ self.warp.affine[:3, :3].T + self.warp.affine[:3, 3]
        grid[unknown] = near(x)
        return grid

    def _value(self, x: Floats, near: Affine, grid: NDArray[np.float32]) -> Floats:
        index = self.warp._index(x)
        held = np.clip(index, 0, np.array(grid.shape[:3]) - 1)
        beyond = (index - held) @ self.warp.affine[:3, :3].T
        value: Floats = self.warp._at(held, grid) + beyond @ near.matrix[:3, :3].T
        return value

    def _newton(self, x: Floats, left: Floats, near: Affine, grid: NDArray[np.float32]) -> Floats:
        """Return J⁻¹ times the residual; the affine map's where J is close to singular."""
        h = 0.5 * float(np.linalg.norm(self.warp.affine[:3, :3], axis=0).min())
        jacobian = np.empty((len(x), 3, 3))
        for k in range(3):
            d = h * np.eye(3)[k]
            ahead = self._value(x + d, near, grid)
            jacobian[:, :, k] = (ahead - self._value(x - d, near, grid)) / (2 * h)
        flat = np.abs(np.linalg.det(jacobian)) < 1e-3 * abs(np.linalg.det(near.matrix[:3, :3]))
        jacobian[flat] = near.matrix[:3, :3]
        move: Floats = np.linalg.solve(jacobian, left[:, :, None])[:, :, 0]
        return move


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Registration:
    """How a head's own space and MNI space map to each other.

    Parameters
    ----------
    to_mni, from_mni
        Points of the head to MNI and back (m). One may be None: it is then the other's inverse.

    Raises
    ------
    InputError
        If both are None.
    """

    to_mni: Affine | Warp | None = None
    from_mni: Affine | Warp | None = None

    def __post_init__(self) -> None:
        """Check that there is one."""
        if self.to_mni is None and self.from_mni is None:
            raise InputError("expected a transform to MNI or from MNI, got neither")

    def forward(self) -> Transform:
        """Return the transform from the head to MNI."""
        if self.to_mni is not None:
            return self.to_mni
        assert self.from_mni is not None  # __post_init__
        return self.from_mni.inverse()

    def backward(self) -> Transform:
        """Return the transform from MNI to the head."""
        if self.from_mni is not None:
            return self.from_mni
        assert self.to_mni is not None  # __post_init__
        return self.to_mni.inverse()


def is_mni(space: str) -> bool:
    """Return whether ``space`` is one of the MNI spaces; they are taken as one.

    Its versions (2006, 2009a, 2009c; symmetric or not) differ by a few mm at most.

    Examples
    --------
    >>> is_mni("MNI152NLin2009cAsym"), is_mni("scanner")
    (True, False)
    """
    return space.upper().startswith("MNI")


def checked(points: ArrayLike) -> Floats:
    """Return ``points`` as floats of shape (n, 3).

    Raises
    ------
    InputError
        If they have another shape.
    """
    x = np.atleast_2d(np.asarray(points, dtype=np.float64))
    if x.ndim != 2 or x.shape[1] != 3:
        raise InputError(f"points must have shape (n, 3), got {x.shape}")
    return x


def read_affine(path: Path | str) -> Affine:
    """Read a 4 x 4 matrix in mm from a text file, as ``toMNI/MNI2conform_12DOF.txt`` of SimNIBS.

    Raises
    ------
    InputError
        If the file is missing or holds no such matrix.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a file with a 4 x 4 matrix, found none: {path}")
    try:
        numbers = np.array(path.read_text("utf-8").replace(",", " ").split(), dtype=np.float64)
        matrix = numbers.reshape(4, 4)
    except ValueError:
        raise InputError(f"expected a text file with the 16 numbers of a matrix: {path}") from None
    try:
        return Affine(matrix=matrix * MILLIMETRES / MILLIMETRES[:, None])
    except InputError as error:
        raise InputError(f"{error}: {path}") from None


def read_warp(path: Path | str, *, tolerance_mm: float = 0.05) -> Warp:
    """Read a warp: a NIfTI grid of target coordinates in mm.

    Parameters
    ----------
    path
        Image of shape (nx, ny, nz, 3) or (nx, ny, nz, 1, 3).
    tolerance_mm
        The grid is thinned as far as this changes no target by more (warps are smooth, and a full
        one takes 200 MB); 0 keeps it whole.

    Raises
    ------
    InputError
        If the file is missing, damaged or no such image.
    """
    from rheobase.meshes.files.volumes import read_volume

    volume = read_volume(path)
    try:
        warp = Warp(coordinates=volume.values * np.float32(1e-3), affine=volume.affine)
    except InputError as error:
        raise InputError(f"{error}: {path}") from None
    return warp.thinned(tolerance_mm * 1e-3) if tolerance_mm > 0 else warp
