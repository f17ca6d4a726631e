"""Sampled fields on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import CHUNK
from rheobase.fields.basis import Unit
from rheobase.fields.recovery import SplitNodes, split_nodes
from rheobase.fields.uncertainty.inputs import Inputs
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.store import read_mesh

FORMAT = "rheobase field samples 1"

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldSamples:
    """Fields of the same sources at samples of random inputs, read where they are asked for.

    Parameters
    ----------
    path
        The file.
    inputs
        The random inputs, d of them.
    x
        Their samples, shape (n, d).
    names
        Names of the sources, k of them.
    unit
        Unit of a source: "A" or "A/s".
    mesh
        The mesh.
    kept
        Split nodes (`rheobase.fields.recovery.split_nodes`) that have a field, ascending, shape
        (n_kept,).
    iterations
        Conjugate-gradient iterations of each sample, all solutions together, shape (n,).
    residual
        Largest true relative residual of each sample, shape (n,).
    """

    path: Path
    inputs: Inputs
    x: Floats
    names: tuple[str, ...]
    unit: Unit
    mesh: TetMesh
    kept: NDArray[np.int64]
    iterations: NDArray[np.int64] = field(repr=False)
    residual: Floats = field(repr=False)

    @cached_property
    def split(self) -> SplitNodes:
        """The split nodes of the mesh."""
        return split_nodes(self.mesh)

    @property
    def label(self) -> NDArray[np.int32]:
        """Tissue label of each kept split node, shape (n_kept,)."""
        return self.split.label[self.kept]

    @property
    def block(self) -> int:
        """Kept split nodes that `blocks` yields at a time."""
        return CHUNK

    def check_head(self, head: Head) -> None:
        """Check that a head has the mesh of the samples.

        Raises
        ------
        InputError
            If it has another one.
        """
        if not all(
            np.array_equal(getattr(self.mesh, a), getattr(head.mesh, a))
            for a in ("nodes", "tets", "labels")
        ):
            raise InputError(
                f"expected samples on the mesh of the head, got others: {self.path}, head "
                f"{head.name!r}"
            )

    def on_split(self, values: Floats) -> Floats:
        """Return values of the kept split nodes, shape (..., n_kept), at all of them, else NaN."""
        out = np.full((*values.shape[:-1], len(self.split.node)), np.nan)
        out[..., self.kept] = values
        return out

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield kept split nodes and their fields (V/m per unit), shape (n, k, m, 3)."""
        with opened(self.path) as file:
            for first in range(0, len(self.kept), CHUNK):
                some = slice(first, min(first + CHUNK, len(self.kept)))
                yield some, file["E"][:, some].swapaxes(1, 2).astype(np.float64)


def load_samples(path: Path | str) -> FieldSamples:
    """Return the samples that `sample_fields` wrote.

    Raises
    ------
    InputError
        If there is no such file, it holds something else or is not finished.
    """
    path = Path(path)
    with opened(path) as file:
        done = file["done"][:]
        if not done.all():
            raise InputError(
                f"expected finished samples, got {done.sum()} of {len(done)} (sample_fields goes "
                f"on): {path}"
            )
        return FieldSamples(
            path=path,
            inputs=Inputs.from_dict(json.loads(file.attrs["inputs"])),
            x=file["x"][:],
            names=tuple(json.loads(file.attrs["names"])),
            unit=cast(Unit, file.attrs["unit"]),
            mesh=read_mesh(file),
            kept=file["kept"][:],
            iterations=file["iterations"][:],
            residual=file["residual"][:],
        )


@contextmanager
def opened(path: Path, mode: str = "r") -> Iterator[Any]:
    """Open a file of samples.

    Raises
    ------
    InputError
        If it cannot be opened or read, or holds something else.
    """
    import h5py

    try:
        with h5py.File(path, mode) as file:
            kind = file.attrs.get("format", "")
            if kind != FORMAT:
                raise InputError(f"expected {FORMAT!r}, got {kind!r}: {path}")
            yield file
    except InputError:
        raise
    except (OSError, KeyError, TypeError) as error:
        raise InputError(f"cannot read sampled fields: {error}: {path}") from error
