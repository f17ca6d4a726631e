"""Where the cache has the responses of a head that many studies share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._kept import kept_path

if TYPE_CHECKING:
    from rheobase.fields.tensors import Tensors
    from rheobase.meshes.head import Head

CODE = ("rheobase.fields", "rheobase.meshes")


def lead_field_file(
    head: Head, names: Sequence[str], tissues: Sequence[str], tensors: Tensors | None = None
) -> Path:
    """Return where the cache has, or would have, a lead field.

    Parameters
    ----------
    head, tensors
        The head, and its anisotropy.
    names
        Positions of the electrodes; where they are counts too.
    tissues
        Those whose field is kept.
    """
    from rheobase.fields.keys import head_parts

    places = [[name, *head.position(name).tolist()] for name in names]
    parts = [*head_parts(head, tensors=tensors), [places, list(tissues)]]
    return kept_path("lead_fields", head.name, *parts, code=CODE, extension=".h5")


def modes_file(
    head: Head, tissues: Sequence[str], count: int, tensors: Tensors | None = None
) -> Path:
    """Return where the cache has, or would have, the modes of coils.

    Parameters
    ----------
    head, tensors
        The head, and its anisotropy.
    tissues
        Those whose field is kept.
    count
        Number of modes.
    """
    from rheobase.fields.keys import head_parts

    parts = [*head_parts(head, tensors=tensors), [list(tissues), count]]
    return kept_path("coil_modes", head.name, *parts, code=CODE, extension=".h5")
