"""Heads by name, and heads from files.

``build_head("mni152")`` builds a head on first use and reads it from the cache later; the key of
the cache covers the options, the code and the data of this layer, and the files of the packages
that a head is made of. ``read_head(path)`` reads whatever a lab has (``readers.py``).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.meshes.head import Head
from rheobase.meshes.heads.ear_shape import EAR_SITES
from rheobase.meshes.heads.readers import check_reading, read_head
from rheobase.meshes.placing.positions import TEN_TEN
from rheobase.meshes.store import cached_head, kept_head, meshes_key
from rheobase.meshes.tissue_table import Source, tissue_table, with_tissues

__all__ = [
    "BUILT_IN",
    "BuiltIn",
    "build_head",
    "built_file",
    "check_building",
    "check_reading",
    "head_from_image",
    "head_from_msh",
    "head_names",
    "read_head",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltIn:
    """A head that can be built by name.

    Parameters
    ----------
    what
        One line on it.
    species, space
        As those of the `Head`.
    module
        Module under ``rheobase.meshes.heads`` whose ``build`` makes it.
    fixed
        Arguments that the name stands for.
    positions
        Names of its electrode positions.
    """

    what: str
    species: str
    space: str
    module: str
    fixed: Mapping[str, Any]
    positions: tuple[str, ...]

    def build(self) -> Callable[..., Head]:
        """Return the function that builds it."""
        found: Callable[..., Head] = importlib.import_module(f"{__name__}.{self.module}").build
        return found


_LANDMARKS = ("nasion", "inion", "lpa", "rpa")
_SIDES = ("vertex", "front", "back", "left", "right")

BUILT_IN: dict[str, BuiltIn] = {
    "mni152": BuiltIn(
        what="average human head: MNI152 brain, fsaverage scalp, synthetic skull",
        species="human",
        space="MNI152NLin2009aSym",
        module="mni152",
        fixed={},
        positions=TEN_TEN + _LANDMARKS,
    ),
    "sphere": BuiltIn(
        what="concentric spheres, 85/90/95 mm unless chosen",
        species="human",
        space="sphere",
        module="sphere",
        fixed={},
        positions=TEN_TEN + _LANDMARKS,
    ),
    "ear": BuiltIn(
        what="parametric human ear on a block of the head",
        species="human",
        space="ear",
        module="ear",
        fixed={},
        positions=EAR_SITES,
    ),
    **{
        f"slab-{species}": BuiltIn(
            what=f"flat piece of {species} cortex between CSF and white matter",
            species=species,
            space="slab",
            module="slab",
            fixed={"species": species},
            positions=("top",),
        )
        for species in ("human", "macaque", "rat", "mouse")
    },
    **{
        species: BuiltIn(
            what=f"parametric {species} head: layers on an ellipsoid",
            species=species,
            space="parametric",
            module="parametric",
            fixed={"species": species},
            positions=_SIDES + (() if species == "macaque" else ("bregma", "lambda")),
        )
        for species in ("rat", "mouse", "macaque")
    },
}


def head_names() -> tuple[str, ...]:
    """Return the names of the heads that `build_head` knows.

    Examples
    --------
    >>> head_names()[:2]
    ('mni152', 'sphere')
    """
    return tuple(BUILT_IN)


def check_building(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a name or an option that `build_head` does not know, before anything is built.

    Raises
    ------
    InputError
        With the nearest names.
    """
    check_option("head", name, BUILT_IN)
    head = BUILT_IN[name]
    known = [k for k in inspect.signature(head.build()).parameters if k not in head.fixed]
    where = f"head {name!r}"
    for option, value in options.items():
        check_option("option", option, [*known, "tissues"], where=where)
        if option == "edge_length_mm" and not (np.isfinite(value) and value > 0):
            raise InputError(f"edge_length_mm must be > 0, got {value!r}: {where}")
        if option == "resolution":
            module = importlib.import_module(f"{__name__}.{head.module}")
            check_option("resolution", value, module.RESOLUTIONS, where=where)
    if {"edge_length_mm", "resolution"} <= options.keys():
        raise InputError(f"expected either resolution or edge_length_mm, got both: {where}")
    if head.module == "sphere":
        from rheobase.meshes.heads.sphere import checked

        checked(**{k: v for k, v in options.items() if k != "tissues"})


def build_head(name: str, *, tissues: Source = None, **options: Any) -> Head:
    """Build a head by name, or read it from the cache.

    Parameters
    ----------
    name
        One of `head_names`.
    tissues
        Own values of tissues (:mod:`rheobase.meshes.tissue_table`): a file or a mapping.
    **options
        Options of that head's ``build`` function: ``edge_length_mm`` (mean edge of the finest
        tetrahedra), ``resolution`` of mni152, ``radii_mm`` of the sphere, ``area`` of the slabs …;
        None counts as not given.

    Returns
    -------
    Head

    Raises
    ------
    InputError
        If there is no such head or option, or a value makes no sense.
    """
    given = {k: v for k, v in options.items() if v is not None}
    check_building(name, given)
    table = tissue_table(tissues)
    given = _exact(given)
    head = BUILT_IN[name]
    made = cached_head(_key(name, given), name, lambda: head.build()(**head.fixed, **given))
    return with_tissues(made, table)


def built_file(name: str, **options: Any) -> Path:
    """Return where the cache has, or would have, a head by name; parameters as in `build_head`."""
    given = {k: v for k, v in options.items() if v is not None}
    return kept_head(_key(name, _exact(given)), name)


def _exact(given: dict[str, Any]) -> dict[str, Any]:
    """Return options as they count: 4 mm are 4.0 mm."""
    return {k: float(v) if k == "edge_length_mm" else v for k, v in given.items()}


def _key(name: str, given: dict[str, Any]) -> str:
    return content_key(name, given, meshes_key(), *_inputs(BUILT_IN[name].module))


def _inputs(module: str) -> list[Path]:
    """Return the files of other packages that a head is made of."""
    if module != "mni152":
        return []
    from rheobase.meshes.heads.mni152_template import sources

    return list(sources().values())


def __getattr__(name: str) -> Any:
    """Find the readers by name without loading all of them first."""
    modules = {"head_from_image": "from_image", "head_from_msh": "from_msh"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{modules[name]}"), name)
