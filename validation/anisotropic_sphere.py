"""A sphere whose skull conducts better along than across it, against its exact solution.

In a layer of radial conductivity sigma_r and tangential sigma_t the potential of degree n is
a r^v + b r^-(v + 1) with v (v + 1) = (sigma_t / sigma_r) n (n + 1); potential and radial current
pass from layer to layer.

Reference: de Munck, J Appl Phys 64:464 (1988).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.solver import Conductor
from rheobase.fields.tensors import Tensors, components
from rheobase.meshes.mesher import mesh_spheres
from rheobase.validation.case import Row
from rheobase.validation.sphere import LABELS, RADII, SIGMA, compare

TANGENTIAL = 10.0  # conductivity of the skull along it over that across it


def potential(
    points: NDArray[np.float64],
    ends: NDArray[np.float64],
    *,
    radii: Sequence[float],
    radial: Sequence[float],
    tangential: Sequence[float],
    n_terms: int = 250,
) -> NDArray[np.float64]:
    """Return V (V) of 1 A between two points of a layered sphere, 0 on average on spheres.

    Parameters
    ----------
    points
        Positions (m) inside, shape (n, 3).
    ends
        Directions of source and sink from the centre, shape (2, 3).
    radii
        Outer radius of each layer (m), ascending.
    radial, tangential
        Conductivities of each layer (S/m); equal in the innermost one.
    n_terms
        Degrees summed.
    """
    from scipy.special import eval_legendre

    n = np.arange(1, n_terms + 1)
    R = np.asarray(radii)
    inner = np.concatenate([[0.0], R[:-1]])
    degrees, shares, heights = [], [], []  # v, b/a and V at the inner radius over a
    admittance = np.zeros(n_terms)
    outer = np.ones(n_terms)
    for sr, st, low, high in zip(radial, tangential, inner, R, strict=True):
        v = (np.sqrt(1 + 4 * st / sr * n * (n + 1)) - 1) / 2
        q = low / high
        share = q**v * (sr * v - admittance) / (sr * (v + 1) + admittance)
        share[:] *= low > 0
        outer = 1 + share * q ** (v + 1)
        admittance = sr * (v - share * (v + 1) * q ** (v + 1)) / outer
        degrees.append(v)
        shares.append(share)
        heights.append((q**v + share, outer))
    V_out = (2 * n + 1) / (4 * np.pi * R[-1]) / admittance
    r = np.linalg.norm(points, axis=1)
    up = points / np.maximum(r, 1e-300)[:, None]
    axis = ends / np.linalg.norm(ends, axis=1, keepdims=True)
    c1, c2 = up @ axis[0], up @ axis[1]
    layer = np.searchsorted(R * (1 + 1e-12), r)
    V = np.zeros(len(points))
    for s in range(len(R) - 1, -1, -1):
        a = V_out / heights[s][1]
        of = np.flatnonzero(layer == s)
        for k in range(n_terms):
            value = a[k] * (r[of] / R[s]) ** degrees[s][k]
            if s > 0:
                value += a[k] * shares[s][k] * (inner[s] / r[of]) ** (degrees[s][k] + 1)
            V[of] += value * (eval_legendre(n[k], c1[of]) - eval_legendre(n[k], c2[of]))
        V_out = a * heights[s][0]
    return V


def anisotropic_skull(edge: float = 4e-3) -> list[Row]:
    """Point electrodes on a sphere with a skull of ratio 10: potential in the brain."""
    mesh = mesh_spheres(RADII, LABELS, edge)
    skull = np.flatnonzero(mesh.labels == LABELS[1])
    up = mesh.centroids()[skull]
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    R = TANGENTIAL * np.eye(3) + (1 - TANGENTIAL) * up[:, :, None] * up[:, None, :]
    c = Conductor(
        mesh,
        dict(zip(LABELS, SIGMA, strict=True)),
        tensors=Tensors(tets=skull.astype(np.int32), values=components(R)),
    )
    nodes = mesh.nodes
    ends = [int(((nodes - p) ** 2).sum(1).argmin()) for p in ([0, 0, 0.095], [0, 0.095, 0])]
    b = np.zeros(len(nodes))
    b[ends] = 1.0, -1.0
    V = c.solve(b)[0][0]
    brain = np.unique(mesh.tets[mesh.labels == LABELS[0]])
    tangential = (SIGMA[0], TANGENTIAL * SIGMA[1], SIGMA[2])
    exact = potential(nodes[brain], nodes[ends], radii=RADII, radial=SIGMA, tangential=tangential)
    rdm, magnitude = compare(V[brain], exact)
    size = f"{len(mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"

    def row(quantity: str, value: float, reference: float) -> Row:
        return Row(
            case="anisotropic-sphere",
            quantity=f"{quantity}, skull {TANGENTIAL:g} : 1 along : across ({size})",
            value=value,
            reference=reference,
            error=abs(value - reference),
            limit=0.005,
            unit="1",
            source="series of Legendre functions, de Munck 1988",
        )

    return [
        row("relative difference measure of V in the brain", rdm, 0.0),
        row("magnitude of V in the brain", magnitude, 1.0),
    ]
