"""The record of a lattice in the file of its head, read when it is needed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.carved import LatticeRecord
from rheobase.meshes.carving.image_indicators import ImageIndicators
from rheobase.meshes.carving.lattice import Octree
from rheobase.meshes.carving.leaves import Leaves

_ARRAYS = ("material", "kept", "snapped", "frozen", "lattice_node", "cut_edge", "cut_at", "tets")
_LEAVES = ("origin", "cell", "box", "leaves", "xyz")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLattice:
    """The record of a lattice in a head's file.

    Parameters
    ----------
    path
        The file.
    """

    path: Path

    def read(self) -> LatticeRecord:
        """Return the record.

        Raises
        ------
        InputError
            If the file is gone or damaged.
        """
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                return _read(file["lattice"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"expected the lattice of a head, got none or a damaged one: {self.path}: {error}"
            ) from None


def has_lattice(file: Any) -> bool:
    """Return whether a head's open HDF5 file holds the record of a lattice."""
    return "lattice" in file


def write_lattice(file: Any, record: LatticeRecord) -> None:
    """Write the record of a lattice into a head's open HDF5 file, if it was made from an image.

    Other indicators are functions, and bodies know the scalp they were laid on: a mesh that has
    those keeps its record in memory only.
    """
    if not isinstance(record.indicators, ImageIndicators):
        return
    group = file.create_group("lattice")
    octree = record.octree
    leaves = Leaves.of_octree(octree) if isinstance(octree, Octree) else octree
    for name in _LEAVES:
        _write(group, f"leaves/{name}", getattr(leaves, name))
    for name in _ARRAYS:
        _write(group, name, getattr(record, name))
    _write(group, "parent", np.diff(record.parent, prepend=record.parent.dtype.type(0)))
    moved = np.flatnonzero((record.points != leaves.nodes(leaves.xyz)).any(axis=1))
    _write(group, "moved/node", moved.astype(np.int32))
    _write(group, "moved/point", record.points[moved])
    group.attrs["labels"] = record.labels
    group.attrs["edge_length"] = record.edge_length
    image = group.create_group("image")
    for field in fields(ImageIndicators):
        value = getattr(record.indicators, field.name)
        if isinstance(value, np.ndarray):
            _write(image, field.name, value)
    image.attrs["smoothing"] = record.indicators.smoothing


def _write(group: Any, name: str, values: NDArray[Any]) -> None:
    if values.size:
        group.create_dataset(
            name, data=values, compression="gzip", compression_opts=1, shuffle=True
        )
    else:
        group[name] = values


def _read(group: Any) -> LatticeRecord:
    leaves = Leaves(**{name: data[()] for name, data in group["leaves"].items()})
    labels = tuple(int(label) for label in group.attrs["labels"])
    points = leaves.nodes(leaves.xyz)
    points[group["moved/node"][()]] = group["moved/point"][()]
    image = {name: data[()] for name, data in group["image"].items()}
    return LatticeRecord(
        octree=leaves,
        labels=labels,
        indicators=ImageIndicators(
            labels=labels,
            smoothing=float(group["image"].attrs["smoothing"]),
            voxels={},
            touching=frozenset(),
            **image,
        ),
        edge_length=float(group.attrs["edge_length"]),
        points=points,
        parent=np.cumsum(group["parent"][()], dtype=np.int32),
        **{name: group[name][()] for name in _ARRAYS},
    )
