"""A small assembled system with the shape of a lead's: contacts on the floor of a box of tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

SIGMA = {-1: 0.1, 1: 0.1, 2: 0.06, 3: 2.0}
"""Quasi-static conductivity (S/m): encapsulation, grey matter, white matter, CSF."""


@dataclass(frozen=True, kw_only=True)
class Slab:
    """Trilinear hexahedra; 0 V on all faces but the floor, on which the contacts lie."""

    points: NDArray[np.float64]
    contacts: tuple[str, ...]
    stiffness: dict[int, csr_array]
    surface: dict[str, csr_array]
    contact_nodes: dict[str, NDArray[np.int64]]
    grounded: NDArray[np.int64]
    sigma: dict[int, float]


def slab(cells: int = 14, *, uniform: bool = False) -> Slab:
    """Return a box of 8 x 8 x 4 mm with three contacts of about 1 mm; four tissues unless uniform."""
    flat = np.linspace(-1, 1, cells + 1)
    x = 4e-3 * (0.6 * flat + 0.4 * flat**3)
    deep = np.linspace(0, 1, cells // 2 + 1)
    z = 4e-3 * (0.2 * deep + 0.8 * deep**2)
    shape = (len(x), len(x), len(z))
    X, Y, Z = np.meshgrid(x, x, z, indexing="ij")
    number = np.arange(X.size).reshape(shape)
    i, j, k = (g.ravel() for g in np.meshgrid(*(np.arange(n - 1) for n in shape), indexing="ij"))
    size = np.stack([np.diff(x)[i], np.diff(x)[j], np.diff(z)[k]], axis=1)
    corner = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    ids = np.stack([number[i + a, j + b, k + c] for a, b, c in corner], axis=1)
    bend, mass = np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[2.0, 1.0], [1.0, 2.0]]) / 6
    ke = np.zeros((len(i), 8, 8))
    for axis in range(3):
        part = np.ones((1, 1))
        scale = np.ones(len(i))
        for d in range(3):
            part = np.kron(part, bend if d == axis else mass)
            scale = scale * (1 / size[:, d] if d == axis else size[:, d])
        ke += scale[:, None, None] * part
    label = np.ones(len(i), dtype=int)
    if not uniform:
        middle = (z[k] + z[k + 1]) / 2
        side = (x[i] + x[i + 1]) / 2
        label[(side > 0.5e-3) & (middle > 0.6e-3)] = 2
        label[middle > 2.2e-3] = 3
        label[k == 0] = -1

    def gather(e: NDArray[np.float64], nodes: NDArray[np.int64]) -> csr_array:
        n = nodes.shape[1]
        rows, columns = np.repeat(nodes, n, axis=1).ravel(), np.tile(nodes, (1, n)).ravel()
        return coo_array((e.ravel(), (rows, columns)), shape=(X.size, X.size)).tocsr()

    stiffness = {
        int(t): gather(ke[label == t], ids[label == t]) for t in np.unique(label).tolist()
    }
    low = k == 0
    quad = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    floor = np.stack([number[i + a, j + b, k + c] for a, b, c in quad], axis=1)
    surface, on = {}, {}
    for name, centre in (("1", -1.6e-3), ("2", 0.0), ("3", 1.6e-3)):
        mx, my = (x[i] + x[i + 1]) / 2, (x[j] + x[j + 1]) / 2
        chosen = low & (np.abs(mx - centre) < 0.6e-3) & (np.abs(my) < 0.6e-3)
        area = (size[chosen, 0] * size[chosen, 1])[:, None, None]
        surface[name] = gather(area * np.kron(mass, mass), floor[chosen])
        on[name] = np.unique(floor[chosen])
    edge = np.zeros(shape, dtype=bool)
    edge[[0, -1]] = edge[:, [0, -1]] = edge[:, :, -1] = True
    return Slab(
        points=np.stack([X.ravel(), Y.ravel(), Z.ravel()], axis=1),
        contacts=("1", "2", "3"),
        stiffness=stiffness,
        surface=surface,
        contact_nodes=on,
        grounded=np.flatnonzero(edge.ravel()),
        sigma={label: SIGMA[label] for label in stiffness},
    )
