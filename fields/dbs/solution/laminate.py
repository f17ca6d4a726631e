"""What a cell of several tissues conducts, still as a sum over tissues.

The mean of the conductivities of a cell is right along the boundary of two tissues and far too
large across it: a thin layer of bone would be short-circuited. So a mixed cell is taken as a
laminate. Across it the current is the same in all tissues, along it the field:

    E_t = L_t E,   L_t = 1 + n b_t,   b_t = c m / (kappa_t q_t) - p_t / q_t,
    p_t = T_t n,   q_t = n . p_t,   m = sum_t f_t p_t / q_t,   1 / c = sum_t f_t / (kappa_t q_t)

f_t is the share, T_t the relative tensor and kappa_t the conductivity of tissue t; n is normal to
the boundary. With the L_t held, the cell conducts sum_t kappa_t f_t L_t' T_t L_t: that of the
laminate at these kappa, and off by the square of their change elsewhere (the energy is stationary
in the L_t), so the matrix stays a sum over tissues.

n is the direction along which the places of the tissues are best told apart: the largest ratio of
their variance between tissues to all of it (Fisher 1936, doi:10.1111/j.1469-1809.1936.tb02137.x).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.tensors import components, matrices

Floats = NDArray[np.float64]

ISOTROPIC = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
#: Variance of the places along a flat direction, over that of all.
FLAT = 1e-3


def laminates(
    labels: NDArray[np.int32],
    places: Floats,
    weight: Floats,
    tensors: Floats | None,
    kappa: Mapping[int, float],
    air: float,
) -> dict[int, tuple[NDArray[np.bool_], Floats]]:
    """Return, by label, the cells with any of it and f L' T L there.

    Parameters
    ----------
    labels
        Label of the places in each cell, shape (n_cells, n_places); 0 is air.
    places
        Where they are (m), shape (n_cells, n_places, 3).
    weight
        How much volume each stands for, in any unit, shape (n_cells, n_places).
    tensors
        Relative tensors there, shape (n_cells, n_places, 6), None where all is isotropic.
    kappa
        Conductivity (S/m) of each label but 0.
    air
        Conductivity of air over the largest one of the tissues beside it.

    Returns
    -------
    dict
        (which cells (n_cells,), values (n_some, 6)) of each label that occurs.
    """
    here = np.unique(labels)
    part = weight / weight.sum(axis=1, keepdims=True)
    share = np.stack([np.where(labels == k, part, 0.0).sum(axis=1) for k in here], axis=1)
    n = normals(labels, places)
    sigma = share * np.array([kappa[k] if k else 0.0 for k in here.tolist()])
    sigma = np.where(share > 0, sigma / np.where(share > 0, share, 1.0), 1.0)
    if here[0] == 0:
        most = np.where(share[:, 1:] > 0, sigma[:, 1:], 0.0).max(axis=1, initial=0.0)
        sigma[:, 0] = np.where(most > 0, air * most, 1.0)
    T = np.tile(ISOTROPIC, (*share.shape, 1))
    if tensors is not None:
        for i, k in enumerate(here.tolist()):
            some = share[:, i] > 0
            if k:
                own = np.where(labels == k, part, 0.0)[some]
                T[some, i] = np.einsum("cp,cpk->ck", own, tensors[some]) / share[some, i, None]
    full = matrices(T)
    p = np.einsum("ctij,cj->cti", full, n)
    q = np.einsum("cti,ci->ct", p, n)
    c = 1.0 / (share / (sigma * q)).sum(axis=1)
    m = np.einsum("ct,cti->ci", share / q, p)
    b = (c[:, None] / (sigma * q))[..., None] * m[:, None] - p / q[..., None]
    L = np.eye(3) + n[:, None, :, None] * b[:, :, None]
    value = components(share[..., None, None] * (L.swapaxes(2, 3) @ full @ L))
    return {k: (share[:, i] > 0, value[share[:, i] > 0, i]) for i, k in enumerate(here.tolist())}


def normals(labels: NDArray[np.int32], places: Floats) -> Floats:
    """Return the unit vector across the boundary of the tissues in each cell, shape (n_cells, 3).

    Parameters
    ----------
    labels, places
        As in `laminates`.
    """
    x = places - places.mean(axis=1, keepdims=True)
    count = x.shape[1]
    between = np.zeros((len(x), 3, 3))
    for k in np.unique(labels):
        own = labels == k
        total = np.einsum("cp,cpi->ci", own, x)
        number = np.maximum(own.sum(axis=1), 1)
        between += np.einsum("ci,cj->cij", total, total) / number[:, None, None]
    whole = np.einsum("cpi,cpj->cij", x, x)
    flat = FLAT * np.trace(whole, axis1=1, axis2=2) / 3 + np.finfo(float).tiny * count
    whole += flat[:, None, None] * np.eye(3)
    root = np.linalg.inv(np.linalg.cholesky(whole))
    _, vectors = np.linalg.eigh(root @ between @ root.swapaxes(1, 2))
    n = np.einsum("cji,cj->ci", root, vectors[:, :, 2])
    unit: Floats = n / np.linalg.norm(n, axis=1, keepdims=True)
    return unit
