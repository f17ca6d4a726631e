"""Meshes of exact geometry, by Netgen: what an image-made mesh is compared with.

Schöberl, Comput Visual Sci 1:41 (1997), doi:10.1007/s007910050004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import check_spheres

_MM = 1e3  # Netgen's tolerances are absolute: it works in millimetres


def cad_spheres(
    radii: Sequence[float], labels: Sequence[int], edge_length: float, *, refinements: int = 0
) -> TetMesh:
    """Mesh concentric spheres around the origin from their equations, with straight elements.

    Parameters
    ----------
    radii
        Radii (m), increasing, shape (n,).
    labels
        Label inside each radius, innermost first, shape (n,).
    edge_length
        Largest edge before the refinements (m).
    refinements
        How often each tetrahedron is then split into eight; new nodes move onto the spheres.

    Returns
    -------
    TetMesh
        Its interface nodes lie on the spheres.

    Raises
    ------
    InputError
        If the radii do not increase from above 0, or do not match the labels.
    """
    r = check_spheres(radii, labels)
    if not (np.isfinite(edge_length) and edge_length > 0):
        raise InputError(f"edge_length must be > 0 m, got {edge_length!r}")
    from netgen.csg import CSGeometry, Pnt, Sphere

    geometry = CSGeometry()
    inner = None
    for radius in r:
        ball = Sphere(Pnt(0, 0, 0), float(radius) * _MM)
        geometry.Add(ball if inner is None else ball - inner)
        inner = ball
    mesh = geometry.GenerateMesh(maxh=edge_length * _MM)
    for _ in range(refinements):
        mesh.Refine()
    elements = mesh.Elements3D().NumPy()
    tets = elements["nodes"][:, [0, 2, 1, 3]] - 1  # Netgen counts from 1 and turns the other way
    return TetMesh(
        nodes=mesh.Coordinates() / _MM,
        tets=tets,
        labels=np.asarray(labels)[elements["index"] - 1],
    )
