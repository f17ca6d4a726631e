"""Which reader takes which path: the one place where a file becomes a head.

A reader is a function with the path first and keyword options after it. `read_head` picks it by
what the path is and hands it the options that were given; one that the reader does not know is
refused with the nearest names.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase._progress import stage
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sizes import check_size, sizes
from rheobase.meshes.store import cached_head, load_head, meshes_key
from rheobase.meshes.tissue_table import Source, tissue_table, with_tissues

#: What a head is read from: a path, or (for some readers) several, by tissue or in order.
Origin = Path | str | Sequence[Path | str] | Mapping[str, Path | str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A way to read a head.

    Parameters
    ----------
    kind
        What it reads, as told to people.
    module, function
        Where it is, under ``rheobase.meshes.heads``.
    suffixes
        Ends of the file names it takes.
    cached
        Whether it meshes, so that its heads are worth keeping.
    """

    kind: str
    module: str
    function: str
    suffixes: tuple[str, ...] = ()
    cached: bool = False

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
    suffixes=(".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh"),
    cached=True,
)
MSH = Reader(kind="a Gmsh mesh", module="from_msh", function="head_from_msh", suffixes=(".msh",))
READERS = (IMAGE, MSH)
STORED = (".h5", ".hdf5")


def reader_of(origin: Origin) -> Reader | None:
    """Return the reader of ``origin``, None for a head that rheobase wrote.

    Raises
    ------
    InputError
        If there is no such file, or nothing here reads it.
    """
    path = Path(str(origin))
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    name = path.name.lower()
    if name.endswith(STORED):
        return None
    for reader in READERS:
        if name.endswith(reader.suffixes):
            return reader
    known = ", ".join(s for r in READERS for s in r.suffixes)
    raise InputError(f"expected a head in a file ending in {known} or .h5, got {path}")


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
        check_option("option", name, [*known, "tissues"], where=f"{kind}, {origin}")
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
    check_reading(origin, options)
    reader = reader_of(origin)
    table = tissue_table(tissues)
    if reader is None:
        return with_tissues(load_head(str(origin)), table)
    species = options.get("species", "human")
    check_option("species", species, sizes(), where=str(origin))
    known = reader.options()
    if "edge_length_mm" in known and known["edge_length_mm"].default is inspect.Parameter.empty:
        options.setdefault("edge_length_mm", sizes()[species].edge_length_mm)
    given = {k: v for k, v in options.items() if v is not None}
    if "tissues" in known:
        given["tissues"] = table.tissues
    read = reader.call()

    def build() -> Head:
        with stage(f"reading {origin}"):
            return read(origin, **given)

    if reader.cached:
        path = Path(str(origin))
        own = {name: table.tissues[name].as_dict() for name in table.changed}
        key = content_key(meshes_key(), reader.function, path, _plain(options), own)
        head = cached_head(key, path.name.split(".")[0], build)
    else:
        head = build()
    check_size(np.ptp(head.mesh.nodes, axis=0), head.species, str(origin))
    return with_tissues(head, table)


def _plain(value: Any) -> Any:
    """Return options as JSON has them; a file counts by its content."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (Path, str)) and Path(value).is_file():
        return content_key(Path(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
