"""Which reader takes which path: the one place where a file becomes a head.

A reader is a function with the path first and keyword options after it. `read_head` picks it by
what the path is and hands it the options that were given; one that the reader does not know is
refused with the nearest names.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase._progress import stage
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sizes import check_size, sizes
from rheobase.meshes.store import cached_head, kept_head, load_head, meshes_key
from rheobase.meshes.tissue_table import Source, TissueTable, tissue_table, with_tissues

#: What a head is read from: a path, or (for some readers) several, by tissue or in order.
Origin = Path | str | Sequence[Path | str] | Mapping[str, Path | str | Sequence[Path | str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A way to read a head.

    Parameters
    ----------
    kind
        What it reads, as told to people.
    module, function
        Where it is, under ``rheobase.meshes.heads``.
    cached
        Whether it meshes, so that its heads are worth keeping.
    preset
        Options that are other than the function's own defaults where none are given.
    """

    kind: str
    module: str
    function: str
    cached: bool = False
    preset: Mapping[str, Any] = field(default_factory=dict)

    def call(self) -> Callable[..., Head]:
        """Return the function."""
        module = importlib.import_module(f"rheobase.meshes.heads.{self.module}")
        found: Callable[..., Head] = getattr(module, self.function)
        return found

    def options(self) -> dict[str, inspect.Parameter]:
        """Return its keyword options by name."""
        known = inspect.signature(self.call()).parameters
        return {k: p for k, p in known.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


IMAGE = Reader(
    kind="a labelled image",
    module="from_image",
    function="head_from_image",
    cached=True,
    preset={"labels": "auto"},
)
MAPS = Reader(kind="probability maps", module="from_maps", function="head_from_maps", cached=True)
MSH = Reader(kind="a Gmsh mesh", module="from_msh", function="head_from_msh")
MESH = Reader(kind="a mesh with tags", module="from_mesh", function="head_from_mesh")
M2M = Reader(kind="a SimNIBS folder", module="from_m2m", function="head_from_m2m")
SURFACES = Reader(
    kind="surfaces", module="from_surfaces", function="head_from_surfaces", cached=True
)
READERS = (IMAGE, MAPS, MSH, MESH, M2M, SURFACES)

IMAGES = (".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh", ".jnii")
STORED = (".h5", ".hdf5")


def reader_of(origin: Origin) -> Reader | None:
    """Return the reader of ``origin``, None for a head that rheobase wrote.

    =========================================  =====================
    what                                       reader
    =========================================  =====================
    ``.h5``                                    `load_head`
    ``.nii(.gz)``, ``.mgz``, ``.jnii`` …       `head_from_image`
    several images, or one folder of them      `head_from_maps`
    ``.msh``                                   `head_from_msh`
    ``.vtu``, ``.vtk``, ``.xdmf``, ``.inp`` …  `head_from_mesh`
    ``m2m_ID``                                 `head_from_m2m`
    several surfaces, a folder or a ``.csv``   `head_from_surfaces`
    =========================================  =====================

    Raises
    ------
    InputError
        If there is no such file, or nothing here reads it.
    """
    if isinstance(origin, Mapping):
        return _of_several(_files(origin.values()))
    if not isinstance(origin, (str, Path)):
        return _of_several(_files(origin))
    path = Path(origin)
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.is_dir():
        from rheobase.meshes.heads.m2m import is_m2m

        if is_m2m(path):
            return M2M
        inside = sorted(p for p in path.iterdir() if p.is_file())
        if not inside:
            raise InputError(f"expected a folder of images or surfaces, got an empty one: {path}")
        return _of_several(inside)
    name = path.name.lower()
    if name.endswith(STORED):
        return None
    if name.endswith(IMAGES):
        return IMAGE
    if name.endswith(".msh"):
        return MSH
    if name.endswith(".csv"):
        return SURFACES
    from rheobase.meshes.heads.from_mesh import SUFFIXES

    if name.endswith(tuple(SUFFIXES)):
        return MESH
    from rheobase.meshes.files.surfaces import is_surface

    if is_surface(path):
        raise InputError(
            f"one surface makes no head, expected several, by tissue (a folder, or a .csv with the "
            f"columns tissue,file): {path}"
        )
    known = ", ".join((*IMAGES, ".msh", *sorted(SUFFIXES), *STORED))
    raise InputError(f"expected a head in a file ending in {known}, got {path}")


def _files(given: Iterable[Path | str | Sequence[Path | str]]) -> list[Path]:
    """Return all files of a list whose items may be lists."""
    found: list[Path] = []
    for item in given:
        found += [Path(item)] if isinstance(item, (str, Path)) else [Path(p) for p in item]
    return found


def _of_several(paths: Sequence[Path]) -> Reader:
    """Return the reader of several files: surfaces or maps."""
    from rheobase.meshes.files.surfaces import is_surface

    for path in paths:
        if not path.exists():
            raise InputError(f"no such file: {path}")
        if is_surface(path):
            return SURFACES
        if path.name.lower().endswith(IMAGES):
            return MAPS
    raise InputError(f"expected surfaces or images, got {', '.join(str(p) for p in paths[:5])}")


def check_reading(origin: Origin, options: Mapping[str, Any]) -> None:
    """Refuse options that the reader of ``origin`` does not know, before anything is read.

    Raises
    ------
    InputError
        With the nearest names, or with what the option belongs to.
    """
    reader = reader_of(origin)
    kind = "a head that rheobase wrote" if reader is None else reader.kind
    known = {} if reader is None else reader.options()
    for name, value in options.items():
        if name in known or name == "tissues":
            continue
        others = [r.kind for r in READERS if r is not reader and name in r.options()]
        if others:
            raise InputError(
                f"{name} = {value!r} belongs to {' or '.join(others)}, got {kind}: {origin}"
            )
        allowed = dict.fromkeys([*known, "tissues"])
        check_option("option", name, allowed, where=f"{kind}, {origin}")
    edge = options.get("edge_length_mm")
    if edge is not None and not (np.isfinite(edge) and edge > 0):
        raise InputError(f"edge_length_mm must be > 0, got {edge!r}: {origin}")


def read_head(origin: Origin, *, tissues: Source = None, **options: Any) -> Head:
    """Read a head from a file or a folder, whatever it is.

    Parameters
    ----------
    origin
        A labelled image, a mesh, a folder, or a head that `save_head` wrote (``.h5``).
    tissues
        Own tissues and values (:mod:`rheobase.meshes.tissue_table`): a file or a mapping.
    **options
        Options of that reader, such as ``labels``, ``species`` or ``edge_length_mm``.

    Returns
    -------
    Head

    Raises
    ------
    InputError
        If nothing here reads it, an option is unknown, or the reader refuses what it finds.
    """
    given = {k: v for k, v in options.items() if v is not None}
    check_reading(origin, given)
    reader = reader_of(origin)
    table = tissue_table(tissues)
    if reader is None:
        return with_tissues(load_head(str(origin)), table)
    check_option("species", given.get("species", "human"), sizes(), where=str(origin))
    given = {**reader.preset, **given}
    read = reader.call()

    def build() -> Head:
        with stage(f"reading {origin}"):
            return read(origin, **given, tissues=table.tissues)

    if reader.cached:
        head = cached_head(_key(reader, origin, given, table), _name(origin), build)
    else:
        head = build()
    check_size(np.ptp(head.mesh.nodes, axis=0), head.species, str(origin))
    return with_tissues(head, table)


def read_file(origin: Origin, *, tissues: Source = None, **options: Any) -> Path | None:
    """Return the file that a head is or would be read from again, None where it is not kept.

    Parameters as in `read_head`: a head that rheobase wrote is its own file, one that is meshed
    goes into the cache.
    """
    given = {k: v for k, v in options.items() if v is not None}
    reader = reader_of(origin)
    if reader is None:
        return Path(str(origin))
    if not reader.cached:
        return None
    given = {**reader.preset, **given}
    return kept_head(_key(reader, origin, given, tissue_table(tissues)), _name(origin))


def _key(reader: Reader, origin: Origin, given: Mapping[str, Any], table: TissueTable) -> str:
    own = {name: table.tissues[name].as_dict() for name in table.changed}
    return content_key(meshes_key(), reader.function, _plain(origin), _plain(given), own)


def _name(origin: Origin) -> str:
    """Return a word for the file name in the cache."""
    if isinstance(origin, (str, Path)):
        first = Path(origin)
    else:
        first = _files(origin.values() if isinstance(origin, Mapping) else origin)[0]
    return first.name.split(".")[0] or "head"


def _plain(value: Any) -> Any:
    """Return options as JSON has them; a file counts by its content."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (Path, str)) and Path(value).is_file():
        return content_key(Path(value))
    if isinstance(value, (Path, str)) and Path(value).is_dir():
        inside = sorted(p for p in Path(value).rglob("*") if p.is_file())
        return [[str(p.relative_to(value)), _stamp(p)] for p in inside]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _stamp(path: Path) -> list[int]:
    """Return size and time of a file: reading all of a subject's folder would take too long."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
