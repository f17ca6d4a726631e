"""Solving for the modes of a head, to a file that keeps what is finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import content_key, package_key, room_for, whole_file
from rheobase._progress import stage, track
from rheobase._threads import in_parts
from rheobase.fields.correction import correct
from rheobase.fields.keys import head_parts
from rheobase.fields.recovery import Recovery
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.fields.targeting.distance import ScalpDistance
from rheobase.fields.targeting.modes import FORMAT, CoilModes, load_coil_modes, opened
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.store import write_mesh

MODES = 400
RTOL = 1e-6  # of the solutions: far below what the modes leave out
OFFSET = 0.008  # from the scalp to the dipoles (m): copper is about as near
SPACING = 0.012  # of the dipoles (m): they are 18 mm from the cortex or more
SMALLEST = 1e-6  # singular value of a mode, relative to the largest
POINTS = 0.009  # of the places in the tissue (m)
_AT_ONCE = 64  # modes solved for at a time
_CHUNK = 256  # nodes whose potential is summed at a time
_PART = 64  # points of a thread's piece of work


def coil_modes(
    head: Head,
    path: Path | str,
    *,
    tissues: Sequence[str] = ("grey_matter",),
    modes: int = MODES,
    conductor: Conductor | None = None,
) -> CoilModes:
    """Solve for the modes of a head, or go on with a file that holds some of them.

    Parameters
    ----------
    head
        The head.
    path
        The file (HDF5). One that this call began and did not finish is gone on with; a finished
        one is returned.
    tissues
        Names of the tissues whose field is kept.
    modes
        How many; fewer where dipoles or places in the tissue do not tell so many apart.
    conductor
        Solver of this head where conductivities, tensors or a set-up at hand differ.

    Returns
    -------
    CoilModes

    Raises
    ------
    InputError
        If a tissue is unknown, the number makes no sense, or the file is another one or cannot be
        written.
    """
    path = Path(path)
    if not modes >= 1:
        raise InputError(f"expected 1 or more modes, got {modes!r}: head {head.name!r}")
    if not tissues:
        raise InputError(f"expected the name of a tissue to keep, got none: head {head.name!r}")
    labels = [head.label_of(name) for name in tissues]
    if conductor is not None and conductor.mesh is not head.mesh:
        raise InputError(f"expected a conductor of this head's mesh: head {head.name!r}")
    key = _key(head, conductor, [labels, modes])
    if path.exists():
        with opened(path) as file:
            if file.attrs["key"] != key:
                raise InputError(
                    "expected the modes of this head, conductivities, tissues and version, got "
                    f"others (delete the file or choose another name): {path}"
                )
            if file["done"][:].all():
                return load_coil_modes(path)
    conductor = conductor or Conductor(head, rtol=RTOL)
    if not path.exists():
        layer = _layer(head, labels, modes)
        kept = np.flatnonzero(np.isin(conductor.split.label, labels))
        _create(path, key, head, list(tissues), kept, layer)
    _go_on(path, conductor)
    return load_coil_modes(path)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Layer:
    """Dipoles around the head and the modes of their fields in the tissue."""

    dipoles: NDArray[np.float64]  # (n, 3) m
    normals: NDArray[np.float64]  # (n, 3)
    strengths: NDArray[np.float64]  # (k, n) A m² per T of the mode
    points: NDArray[np.float64]  # (p, 3) m
    modes: NDArray[np.float64]  # (k, 3 p)
    singular: NDArray[np.float64]  # (k,)


def _layer(head: Head, labels: list[int], count: int) -> _Layer:
    """Lay dipoles around the head and find the modes."""
    from scipy.linalg import eigh

    from rheobase.fields.targeting._modes_numba import dipole_field

    mesh = head.mesh
    with stage("modes of the incident field"):
        distance = ScalpDistance.of_scalp(Scalp(mesh))
        dipoles, normals = distance.surface(OFFSET, SPACING)
        nodes = mesh.nodes[np.unique(mesh.tets[np.isin(mesh.labels, labels)])]
        cells = np.floor(nodes / POINTS)
        points = nodes[np.unique(cells, axis=0, return_index=True)[1]]
        B = np.empty((len(points), 3, len(dipoles)))
        in_parts(
            lambda some: dipole_field(points[some], dipoles, normals, B[some]), len(points), _PART
        )
        B = MU0_OVER_4PI * B.reshape(-1, len(dipoles))
        n = len(dipoles)
        squares, vectors = eigh(B.T @ B, subset_by_index=(max(n - count, 0), n - 1))
        told = squares > SMALLEST**2 * squares[-1]  # the others are rounding
        singular = np.sqrt(squares[told][::-1])
        strengths = vectors.T[told][::-1] / singular[:, None]
        # once more, so that they are orthonormal to rounding
        modes, turn = np.linalg.qr(B @ strengths.T)
    return _Layer(
        dipoles=dipoles,
        normals=normals,
        strengths=np.linalg.solve(turn.T, strengths),
        points=points,
        modes=modes.T,
        singular=singular,
    )


def _key(head: Head, conductor: Conductor | None, choice: list[Any]) -> str:
    """Return the key of everything that decides what the file holds."""
    sigma, tensors, rtol = None, None, RTOL
    if conductor is not None:
        sigma, tensors, rtol = conductor.sigma, conductor.tensors, conductor.rtol
    return content_key(
        package_key("rheobase.fields"),
        *head_parts(head, sigma=sigma, tensors=tensors),
        [*choice, rtol],
    )


def _create(
    path: Path, key: str, head: Head, tissues: list[str], kept: NDArray[np.intp], layer: _Layer
) -> None:
    """Make the file with all its space and nothing solved."""
    import h5py

    k, n_kept = len(layer.singular), len(kept)
    mesh = head.mesh
    path.parent.mkdir(parents=True, exist_ok=True)
    room_for(path, 12 * k * n_kept + 8 * layer.modes.size + 24 * len(mesh.nodes))
    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["key"] = key
        file.attrs["tissues"] = json.dumps(tissues)
        write_mesh(file, mesh)
        file["kept"] = kept
        for name in ("dipoles", "normals", "strengths", "points", "modes", "singular"):
            file[name] = getattr(layer, name)
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        file.create_dataset("E", (k, n_kept, 3), dtype=np.float32, dcpl=how)
        file["done"] = np.zeros(k, dtype=np.bool_)


def _go_on(path: Path, conductor: Conductor) -> None:
    """Solve for what the file lacks."""
    import h5py

    try:
        file = h5py.File(path, "r+")
    except OSError as error:
        raise InputError(f"cannot go on with coil modes: {error}: {path}") from None
    with file:
        kept = file["kept"][:]
        fits = conductor.recovery
        some = Recovery(rows=fits.rows[kept], patch=fits.patch[kept], weight=fits.weight[kept])
        node = conductor.split.node[kept]
        missing = np.flatnonzero(~file["done"][:])
        batches = [missing[i : i + _AT_ONCE] for i in range(0, len(missing), _AT_ONCE)]
        for rows in track(batches, "coil modes", total=len(batches)):
            A = _potential(
                conductor.mesh.nodes,
                file["dipoles"][:],
                file["normals"][:],
                file["strengths"][rows],
            )
            V = conductor.solve(conductor.induced_load(A))[0]
            V += correct(conductor, V)
            for k, row in enumerate(rows):
                E = some.gradient(V[k])[0]
                E += A[k, node]
                file["E"][row] = -E
            file.flush()
            file["done"][rows] = True
            file.flush()


def _potential(
    nodes: NDArray[np.float64],
    dipoles: NDArray[np.float64],
    normals: NDArray[np.float64],
    strengths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return A of modes at the nodes, shape (k, n_nodes, 3): V s/m per T of the mode."""
    from rheobase.fields.targeting._modes_numba import dipole_potential

    A = np.empty((len(strengths), len(nodes), 3))
    weights = (MU0_OVER_4PI * strengths.T).astype(np.float32)
    one = np.empty((_CHUNK, 3, len(dipoles)), dtype=np.float32)

    def fill(points: NDArray[np.float64], out: NDArray[np.float32]) -> None:
        in_parts(
            lambda some: dipole_potential(points[some], dipoles, normals, out[some]),
            len(points),
            _PART,
        )

    with stage("vector potential of the modes"):
        for first in range(0, len(nodes), _CHUNK):
            some = nodes[first : first + _CHUNK]
            each = one[: len(some)]
            fill(some, each)
            A[:, first : first + len(some)] = (each.reshape(-1, len(dipoles)) @ weights).T.reshape(
                len(strengths), -1, 3
            )
    return A
