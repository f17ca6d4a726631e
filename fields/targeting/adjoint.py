"""The transpose of the whole chain from a coil's vector potential to the field delivered.

For dA/dt at the nodes, A, the field at the split nodes is (`rheobase.fields.induction`)

    b = B A,   K V = b,   K W = D V,   E = -R (V + W) - P A,

with the load B, the defect D = K - M R (`rheobase.fields.correction`), the recovery R and the
values P at the nodes. A linear functional J = sum_s w_s · E_s of it is a sum over the nodes,

    J = sum_i a_i · A_i,   a = B^T K^-1 (q + D^T K^-1 q) - P^T w,   q = -R^T w,

and because K is symmetric D^T K^-1 q = q - R^T M^T K^-1 q: two solutions a functional, whatever the
coil. It is the discrete chain that is transposed, so J is that of a full solution to the tolerance
of the solver. The a_i (A m per unit of w) are the current that a source at the target drives in the
head (Helmholtz reciprocity), with its sign turned.

Reference: Heller & van Hulsteyn, Biophys J 63:129 (1992), doi:10.1016/S0006-3495(92)81587-4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.solver import Conductor


def adjoint_currents(
    conductor: Conductor, weights: NDArray[np.float64], *, rtol: float | None = None
) -> NDArray[np.float64]:
    """Return what to weight a coil's A at the nodes with to get functionals of its field.

    Parameters
    ----------
    conductor
        The conductor.
    weights
        w of r functionals J = sum_s w_s · E_s over the split nodes, shape (r, n_split, 3).
    rtol
        As for `Conductor.solve`.

    Returns
    -------
    ndarray, shape (r, n_nodes, 3)
        a: J = sum_i a_i · A_i for dA/dt (V/m) at the nodes.

    Raises
    ------
    InputError
        If a weight is not finite or all are 0.
    """
    from rheobase.fields.targeting import _adjoint_numba as kernel

    mesh, split, fits = conductor.mesh, conductor.split, conductor.recovery
    w = np.ascontiguousarray(weights, dtype=np.float64)
    if w.ndim != 3 or w.shape[1:] != (len(split.node), 3):
        raise ValueError(f"weights must have shape (r, {len(split.node)}, 3), got {w.shape}")
    if not np.isfinite(w).all() or not w.any(axis=(1, 2)).all():
        raise InputError("expected finite weights that are not all 0 in each functional")
    elements = (conductor.sigma_of_tet, conductor.tensors.rows(len(mesh.tets)))
    R = conductor.tensors.values

    def transposed_recovery(v: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros((len(v), len(mesh.nodes)))
        for row, into in zip(v, out, strict=True):
            kernel.transposed_gradient(fits.rows, fits.patch, fits.weight, row, into)
        return out

    def shared_flux(
        v: NDArray[np.float64], corners: NDArray[np.int32], n: int
    ) -> NDArray[np.float64]:
        out = np.zeros((len(v), n, 3))
        for row, into in zip(v, out, strict=True):
            kernel.shared_flux(mesh.nodes, mesh.tets, corners, *elements, R, row, into)
        return out

    with stage("adjoint solutions"):
        q = -transposed_recovery(w)
        first = conductor.solve(q, rtol=rtol)[0]
        q *= 2.0
        q -= transposed_recovery(shared_flux(first, split.of_tet, len(split.node)))
        second = conductor.solve(q, rtol=rtol)[0]
        a = -shared_flux(second, mesh.tets, len(mesh.nodes))
        for row, into in zip(w, a, strict=True):
            np.subtract.at(into, split.node, row)
    return a
