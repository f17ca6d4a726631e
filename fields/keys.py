"""What a solution on a head is made of, for the key of the file that it is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rheobase.fields.tensors import Tensors
from rheobase.meshes.head import Head


def head_parts(
    head: Head, *, sigma: Mapping[int, float] | None = None, tensors: Tensors | None = None
) -> list[Any]:
    """Return the mesh of a head and how it conducts, as `rheobase._files.content_key` takes them.

    Parameters
    ----------
    head
        The head.
    sigma
        Conductivity (S/m) of each label in place of that of the tissues.
    tensors
        Its anisotropy, None where it is isotropic.
    """
    mesh = head.mesh
    present = np.unique(mesh.labels).tolist()
    found = {label: t.sigma for label, t in head.tissues.items()} if sigma is None else sigma
    parts: list[Any] = [mesh.nodes, mesh.tets, mesh.labels]
    parts.append([[label, head.tissues[label].name, float(found[label])] for label in present])
    if tensors is not None and len(tensors.tets):
        parts += [tensors.tets, tensors.values]
    return parts
