"""Heads on disk: one HDF5 file each, and the cache of built heads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError
from rheobase._files import cache_dir, package_key, whole_file
from rheobase._kept import kept
from rheobase.meshes.carving.lattice_file import StoredLattice, has_lattice, write_lattice
from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.spaces import Affine, Registration, Warp
from rheobase.meshes.tissues import Tissue

FORMAT = "rheobase head 2"


def write_mesh(file: Any, mesh: TetMesh) -> None:
    """Write a mesh into the group ``mesh`` of an open HDF5 file."""
    for name in ("nodes", "tets", "labels"):
        file[f"mesh/{name}"] = getattr(mesh, name)


def read_mesh(file: Any, known: TetMesh | None = None) -> TetMesh:
    """Return the mesh that `write_mesh` wrote; ``known`` itself where that is the same."""
    arrays = {name: data[()] for name, data in file["mesh"].items()}
    if known is not None and all(
        np.array_equal(array, getattr(known, name)) for name, array in arrays.items()
    ):
        return known
    return TetMesh(**arrays)


def save_head(path: Path | str, head: Head) -> None:
    """Write ``head`` to one HDF5 file, whole or not at all.

    The record of its lattice goes with it where it was made from an image.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import h5py

    with whole_file(Path(path)) as part, h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        for name in ("name", "species", "space"):
            file.attrs[name] = getattr(head, name)
        tissues = {str(label): t.as_dict() for label, t in head.tissues.items()}
        file.attrs["tissues"] = json.dumps(tissues)
        file.attrs["provenance"] = json.dumps(dict(head.provenance))
        write_mesh(file, head.mesh)
        for group, points in (("fiducials", head.fiducials), ("positions", head.positions)):
            file.create_group(group)
            for name, point in points.items():
                file[group].attrs[name] = point
        if head.cortex is not None:
            for name in ("pial", "white", "triangles", "area"):
                file[f"cortex/{name}"] = getattr(head.cortex, name)
        if isinstance(head.lattice, StoredLattice):
            write_lattice(file, head.lattice.read())
        elif head.lattice is not None:
            write_lattice(file, head.lattice)
        if head.mni is not None:
            for name in ("to_mni", "from_mni"):
                _write_transform(file, f"mni/{name}", getattr(head.mni, name))


def load_head(path: Path | str) -> Head:
    """Read a head that `save_head` wrote.

    Raises
    ------
    InputError
        If the file is missing, or is no such file, or is damaged.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a head file, found none: {path}")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"expected a file of format {FORMAT!r}: {path}")
            tissues = json.loads(file.attrs["tissues"])
            cortex = None
            if "cortex" in file:
                cortex = CorticalSheet(**{name: data[()] for name, data in file["cortex"].items()})
            mni = None
            if "mni" in file:
                mni = Registration(
                    **{name: _read_transform(group) for name, group in file["mni"].items()}
                )
            return Head(
                name=file.attrs["name"],
                species=file.attrs["species"],
                space=file.attrs["space"],
                mesh=read_mesh(file),
                tissues={int(label): Tissue.from_dict(t) for label, t in tissues.items()},
                fiducials=dict(file["fiducials"].attrs.items()),
                positions=dict(file["positions"].attrs.items()),
                cortex=cortex,
                mni=mni,
                lattice=StoredLattice(path=path) if has_lattice(file) else None,
                provenance=json.loads(file.attrs["provenance"]),
            )
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"expected a whole head file, got a damaged one: {path}: {error}"
        ) from None


def _write_transform(file: Any, name: str, transform: Affine | Warp | None) -> None:
    if isinstance(transform, Affine):
        file[f"{name}/matrix"] = transform.matrix
    elif transform is not None:
        file[f"{name}/affine"] = transform.affine
        file.create_dataset(
            f"{name}/coordinates",
            data=transform.coordinates,
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )


def _read_transform(group: Any) -> Affine | Warp:
    arrays = {name: data[()] for name, data in group.items()}
    return Affine(**arrays) if "matrix" in arrays else Warp(**arrays)


def cached_head(key: str, name: str, build: Callable[[], Head]) -> Head:
    """Return the head with content key ``key`` from the cache, building it when absent.

    A damaged file in the cache is built anew.
    """
    return kept(kept_head(key, name), build, load=load_head, save=save_head)


def kept_head(key: str, name: str) -> Path:
    """Return where the cache has, or would have, a head."""
    return cache_dir() / "heads" / f"{name}-{key}.h5"


def head_size(path: Path) -> tuple[int, int]:
    """Return the numbers of nodes and tetrahedra of a head that `save_head` wrote.

    Raises
    ------
    InputError
        If the file is missing, or is no such file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return len(file["mesh/nodes"]), len(file["mesh/tets"])
    except (OSError, KeyError) as error:
        raise InputError(f"expected a head file, got another: {path}: {error}") from None


def meshes_key() -> str:
    """Return the key of this layer's own code and data: a head is rebuilt when either changes."""
    return package_key("rheobase.meshes")
