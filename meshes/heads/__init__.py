"""Heads by name, and heads from files.

``build_head("mni152")`` builds a head on first use and reads it from the cache later; the key of
the cache covers the options, the code and the data of this layer, and the files of the packages
that a head is made of.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.meshes.head import Head
from rheobase.meshes.heads.from_image import head_from_image
from rheobase.meshes.heads.from_msh import head_from_msh
from rheobase.meshes.store import cached_head, meshes_key

__all__ = ["build_head", "head_from_image", "head_from_msh", "head_names"]

SPECIES = {
    "slab": ("human", "macaque", "rat", "mouse"),
    "parametric": ("macaque", "rat", "mouse"),
}
#: Module under ``rheobase.meshes.heads`` and fixed arguments of each head.
BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "mni152": ("mni152", {}),
    "sphere": ("sphere", {}),
    **{f"slab-{s}": ("slab", {"species": s}) for s in SPECIES["slab"]},
    **{s: ("parametric", {"species": s}) for s in SPECIES["parametric"]},
}


def head_names() -> tuple[str, ...]:
    """Return the names of the heads that `build_head` knows.

    Examples
    --------
    >>> head_names()[:2]
    ('mni152', 'sphere')
    """
    return tuple(BUILDERS)


def build_head(name: str, *, edge_length_mm: float | None = None, **options: Any) -> Head:
    """Build a head by name, or read it from the cache.

    Parameters
    ----------
    name
        One of `head_names`.
    edge_length_mm
        Mean edge of the (finest) tetrahedra (mm); a coarse one of the head's own if None.
    **options
        Further options of that head's ``build`` function, such as ``radii_mm`` of the sphere or
        ``area`` of the slabs.

    Returns
    -------
    Head

    Raises
    ------
    InputError
        If there is no such head or option, or a value makes no sense.
    """
    check_option("head", name, BUILDERS)
    module, fixed = BUILDERS[name]
    build: Callable[..., Head] = importlib.import_module(f"{__name__}.{module}").build
    known = [k for k in inspect.signature(build).parameters if k not in fixed]
    for option in options:
        check_option("option", option, known, where=f"head {name!r}")
    if edge_length_mm is not None:
        if not (np.isfinite(edge_length_mm) and edge_length_mm > 0):
            raise InputError(f"edge_length_mm must be > 0, got {edge_length_mm!r}: head {name!r}")
        options = {**options, "edge_length_mm": float(edge_length_mm)}
    key = content_key(name, options, meshes_key(), *_inputs(module))
    return cached_head(key, name, lambda: build(**fixed, **options))


def _inputs(module: str) -> list[Path]:
    """Return the files of other packages that a head is made of."""
    if module != "mni152":
        return []
    from rheobase.meshes.heads.mni152_template import sources

    return list(sources().values())
