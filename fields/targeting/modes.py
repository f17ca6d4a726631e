"""The field in the cortex of any coil at any pose, at interactive speed.

Inside the head the magnetic field of every coil is harmonic, and what currents far from it make is
smooth: a few hundred fields span them all. A layer of magnetic dipoles on a closed surface outside
the scalp makes every such field (Huygens' principle). The singular vectors of the map from dipoles
to the field B at places all over the tissue, the largest first, are the modes; each is solved for
once, its E in the tissue kept (`rheobase.fields.targeting.modes_solve`). For a coil at a pose

    c_k = <b_k, B>,   E = sum_k c_k E_k,

where the b_k are orthonormal, so that what is left of B, |B - sum_k c_k b_k|/|B|, tells how far the
modes fall short of this coil at this pose.

References: Daneshzand et al., NeuroImage 237:118097 (2021), doi:10.1016/j.neuroimage.2021.118097;
Hasan et al., Imaging Neurosci (2025), doi:10.1162/imag_a_00412.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts
from rheobase.fields.coils.coil import Coil, checked_pose
from rheobase.fields.recovery import SplitNodes, split_nodes
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.fields.targeting.equivalent import equivalent
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.store import read_mesh

FORMAT = "rheobase coil modes 1"
_PART = 4  # poses of a thread's piece of work
_STEP = 0.002  # half the step of the differences that B of a sampled A is taken by (m)


@dataclass(frozen=True, kw_only=True, eq=False)
class CoilModes:
    """Modes of a head: fields that add up to that of any coil.

    Parameters
    ----------
    path
        The file.
    mesh
        The mesh.
    tissues
        Names of the tissues whose field is kept.
    kept
        Split nodes (`rheobase.fields.recovery.split_nodes`) that have a field, ascending, shape
        (n_kept,).
    points
        Where B is looked at (m), shape (p, 3).
    modes
        B of the modes there, orthonormal, shape (k, 3 p).
    singular
        Singular value of each mode: T per A m² of dipoles, shape (k,).
    """

    path: Path
    mesh: TetMesh
    tissues: tuple[str, ...]
    kept: NDArray[np.int64]
    points: NDArray[np.float64] = field(repr=False)
    modes: NDArray[np.float64] = field(repr=False)
    singular: NDArray[np.float64] = field(repr=False)

    @cached_property
    def split(self) -> SplitNodes:
        """The split nodes of the mesh."""
        return split_nodes(self.mesh)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the ``kept`` split nodes (m), shape (n_kept, 3)."""
        position: NDArray[np.float64] = self.mesh.nodes[self.split.node[self.kept]]
        return position

    @cached_property
    def E(self) -> NDArray[np.float32]:
        """Field of each mode (V/m per T/s) at the ``kept`` split nodes, (k, n_kept, 3)."""
        with opened(self.path) as file:
            E: NDArray[np.float32] = file["E"][:]
        return E

    def at(self, index: ArrayLike) -> NDArray[np.float64]:
        """Return the fields of all modes at some places in ``kept``, shape (k, m, 3)."""
        return self.E[:, np.asarray(index)].astype(np.float64)

    def coefficients(
        self, coil: Coil, poses: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each mode contributes to the field of a coil.

        Parameters
        ----------
        coil
            The coil in its own frame, or in head coordinates if there are no poses.
        poses
            From the coil's frame to the head (m), shape (4, 4) or (n, 4, 4).

        Returns
        -------
        c : ndarray, shape (n, k)
            T/A: times E it is the field at dI/dt = 1 A/s.
        missing : ndarray, shape (n,)
            Estimated relative error of the field in the tissue: the part of B that no mode has.

        Raises
        ------
        InputError
            If a pose is not a rotation and a shift.
        """
        given = np.eye(4) if poses is None else np.asarray(poses, dtype=np.float64)
        if given.shape[-2:] != (4, 4) or given.ndim > 3:
            raise InputError(
                f"expected poses of shape (4, 4) or (n, 4, 4), got {given.shape}: {coil.name!r}"
            )
        at = np.stack([checked_pose(p, where=coil.name) for p in given.reshape(-1, 4, 4)])
        B = magnetic_field(coil, self.points, at).reshape(len(at), -1)
        c = B @ self.modes.T
        whole = (B**2).sum(axis=1)
        rest = np.maximum(whole - (c**2).sum(axis=1), 0.0)
        missing = np.sqrt(np.divide(rest, whole, out=np.zeros_like(rest), where=whole > 0))
        return c, missing

    def field(self, coil: Coil, pose: ArrayLike | None = None) -> tuple[NDArray[np.float32], float]:
        """Return the field of a coil at a pose.

        Parameters
        ----------
        coil, pose
            As in `coefficients`, one pose.

        Returns
        -------
        E : ndarray, shape (n_kept, 3)
            V/m at dI/dt = 1 A/s.
        missing : float
            Its estimated relative error in the tissue.
        """
        c, missing = self.coefficients(coil, pose)
        if len(c) != 1:
            raise InputError(f"expected one pose, got {len(c)}: coil {coil.name!r}")
        # one pass over all modes: as fast as they come out of memory
        E = c[0].astype(np.float32) @ self.E.reshape(len(self.singular), -1)
        return E.reshape(-1, 3), float(missing[0])


def magnetic_field(
    coil: Coil, points: NDArray[np.float64], poses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return B = curl A of a coil at poses (n, 4, 4): T/A at points (p, 3), shape (n, p, 3).

    Elements and dipoles go through `equivalent`; of sampled fields differences are taken.
    """
    from dataclasses import replace

    from rheobase.fields.targeting._modes_numba import line_field

    out = np.zeros((len(poses), len(points), 3))
    if len(coil.elements):
        few, _ = equivalent(replace(coil, sampled=()) if coil.sampled else coil)
        positions, segments = map(np.ascontiguousarray, (few.positions, few.segments))
        in_parts(
            lambda some: line_field(points, positions, segments, poses[some], out[some]),
            len(poses),
            _PART,
        )
        out *= MU0_OVER_4PI
    for B, pose in zip(out, poses, strict=True):
        for one in coil.sampled:
            moved = one.moved(pose)
            where = f"coil {coil.name!r}"
            # derivative of A along each axis, shape (3, p, 3)
            d = np.stack(
                [
                    moved.at(points + e, where=where) - moved.at(points - e, where=where)
                    for e in _STEP * np.eye(3)
                ]
            ) / (2 * _STEP)
            B += np.stack(
                [d[1, :, 2] - d[2, :, 1], d[2, :, 0] - d[0, :, 2], d[0, :, 1] - d[1, :, 0]], axis=1
            )
    return out


def load_coil_modes(path: Path | str) -> CoilModes:
    """Read what `rheobase.fields.targeting.modes_solve.coil_modes` wrote.

    Raises
    ------
    InputError
        If there is no such file, it holds no modes, or it is not finished.
    """
    path = Path(path)
    with opened(path) as file:
        done = file["done"][:]
        if not done.all():
            raise InputError(
                f"the file holds {np.count_nonzero(done)} of {len(done)} modes: call coil_modes "
                f"again to finish it: {path}"
            )
        return CoilModes(
            path=path,
            mesh=read_mesh(file),
            tissues=tuple(json.loads(file.attrs["tissues"])),
            kept=file["kept"][:],
            points=file["points"][:],
            modes=file["modes"][:],
            singular=file["singular"][:],
        )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file of modes for reading; what h5py says of a damaged one becomes a sentence."""
    import h5py

    if not path.is_file():
        raise InputError(f"expected coil modes, found no file: {path}")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"expected a file of format {FORMAT!r}: {path}")
            yield file
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read coil modes: {error}: {path}") from error
