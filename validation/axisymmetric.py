"""A lead in a grounded sphere by an axisymmetric hp finite-element method: a reference.

A cylinder with a hemispherical end stands on the axis of a sphere and leaves it at the top; its
contacts are full rings or cover its tip. The potential obeys div(kappa grad V) = 0 in the
half-plane (r, z) with the weight 2 pi r. At the rims of the contacts it goes like the square root
of the distance, so that elements shrink geometrically towards the rims while the order is high: the
error falls exponentially with the order (Guo & Babuska, Comput Mech 1:21 (1986),
doi:10.1007/BF00298636). Unknowns inside the elements are eliminated. Nothing is shared with
`rheobase.fields`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.validation.axisymmetric_mesh import Line, Mesh, Setting

Floats = NDArray[np.float64]
_BATCH = 64  # elements made at a time


class Reference:
    """Solutions of a setting for one ampere out of each contact back at the sphere.

    Parameters
    ----------
    setting
        What is solved.
    order
        Polynomial order, 2 to about 10.
    levels
        Geometric layers of elements at the rims.
    ratio
        Ratio of their sizes.

    Attributes
    ----------
    impedance
        Voltages of the metal (V) for 1 A out of each contact in turn (ohm), shape (n, n).
    unknowns
        Number of nodes.
    """

    def __init__(
        self, setting: Setting, *, order: int = 8, levels: int = 6, ratio: float = 0.17
    ) -> None:
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        self.setting, self.line = setting, Line(order)
        mesh = self.mesh = Mesh(setting, order, levels, ratio)
        self.columns, self.rows = len(mesh.a) - 1, len(mesh.b) - 1
        shape = (self.columns * order + 1, self.rows * order + 1)
        number = np.arange(shape[0] * shape[1]).reshape(shape)
        self.unknowns = number.size
        local = np.arange(order + 1)
        self.nodes = number[
            (np.arange(self.columns)[:, None] * order + local)[:, None, :, None],
            (np.arange(self.rows)[:, None] * order + local)[None, :, None, :],
        ].reshape(self.columns * self.rows, -1)
        edge = np.zeros((order + 1, order + 1), dtype=bool)
        edge[[0, -1], :] = edge[:, [0, -1]] = True
        rim, core = np.flatnonzero(edge), np.flatnonzero(~edge)
        kappa = self._kappa()
        K = self._element_matrices(kappa)
        lift = -np.linalg.solve(K[:, core[:, None], core], K[:, core[:, None], rim])
        small = K[:, rim[:, None], rim] + K[:, rim[:, None], core] @ lift

        n = len(setting.contacts)
        strips = [self._strip(k) for k in range(n)]
        ideal, admittance = setting.interface is None, setting.interface or 0.0
        # unknowns: free nodes on the edges of the elements, then the metals; -1 is the sphere
        used = np.zeros(self.unknowns, dtype=bool)
        used[self.nodes[:, rim]] = True
        used[number[-1, :]] = used[number[:, -1]] = False
        if ideal:
            used[np.concatenate([self._on_lead(strip).ravel() for strip in strips])] = False
        unknown = np.full(self.unknowns, -1)
        unknown[used] = np.arange(used.sum())
        size = int(used.sum()) + n
        metals = np.arange(size - n, size)
        parts: list[tuple[NDArray[np.int64], NDArray[np.number]]] = []
        for metal, strip in zip(metals, strips, strict=True):
            if ideal:
                unknown[self._on_lead(strip)] = metal
            else:
                dof = np.insert(unknown[self._on_lead(strip)], 0, metal, axis=1)
                parts.append((dof, admittance * self._contact_matrices(strip)))
        parts.append((unknown[self.nodes[:, rim]], small))
        i = np.concatenate([np.repeat(d, d.shape[1], axis=1).ravel() for d, _ in parts])
        j = np.concatenate([np.tile(d, (1, d.shape[1])).ravel() for d, _ in parts])
        v = np.concatenate([m.ravel() for _, m in parts])
        kept = (i >= 0) & (j >= 0)
        A = csc_array((v[kept], (i[kept], j[kept])), shape=(size, size))
        load = np.zeros((size, n), dtype=A.dtype)
        load[metals, np.arange(n)] = 1.0
        scale = 1 / np.sqrt(np.abs(A.diagonal()))
        A = csc_array(A.multiply(scale[:, None]).multiply(scale[None, :]))
        load *= scale[:, None]
        factor = splu(A, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        X = factor.solve(load)
        X = (X + factor.solve(load - A @ X)) * scale[:, None]
        self.impedance = X[metals]
        X = np.concatenate([X, np.zeros((1, n))])
        V = np.empty((*self.nodes.shape, n), dtype=X.dtype)
        V[:, rim] = X[unknown[self.nodes[:, rim]]]
        V[:, core] = lift @ V[:, rim]
        self._V = V.reshape(self.columns, self.rows, order + 1, order + 1, n)

    def _kappa(self) -> NDArray[np.number]:
        s, mesh = self.setting, self.mesh
        middle = 0.5 * (mesh.a[1:] + mesh.a[:-1])
        z = mesh.curves(middle)[0][0, 1]
        z[middle < 0] = -np.inf
        kappa = np.repeat(
            np.asarray(s.kappa)[np.searchsorted(s.planes, z)][:, None], self.rows, axis=1
        )
        if s.encapsulation:
            layer = mesh.b[1:] <= 1
            kappa = np.where(layer, s.kappa_encapsulation, kappa)
        return kappa.ravel()

    @cached_property
    def _rule(self) -> tuple[Floats, Floats, Floats, Floats]:
        x, w = np.polynomial.legendre.leggauss(self.mesh.order + 3)
        return x, w, *self.line(x)

    def _element_matrices(self, kappa: NDArray[np.number]) -> NDArray[np.number]:
        x, w, value, slope = self._rule
        q, n = len(x), self.mesh.order + 1
        along = np.einsum("qa,rb->qrab", slope, value).reshape(q * q, n * n)
        away = np.einsum("qa,rb->qrab", value, slope).reshape(q * q, n * n)
        w2 = np.outer(w, w).ravel()
        K = np.empty((len(kappa), n * n, n * n), dtype=kappa.dtype)
        for start in range(0, len(kappa), _BATCH):
            e = np.arange(start, min(start + _BATCH, len(kappa)))
            P, A, B, det = self._points(e, x, x)
            weight = 2 * np.pi * P[0] * np.abs(det) * w2 * kappa[e, None]
            gr = (B[1][..., None] * along - A[1][..., None] * away) / det[..., None]
            gz = (-B[0][..., None] * along + A[0][..., None] * away) / det[..., None]
            K[e] = (gr * weight[..., None]).swapaxes(1, 2) @ gr
            K[e] += (gz * weight[..., None]).swapaxes(1, 2) @ gz
        return K

    def _points(
        self, e: NDArray[np.int64], x: Floats, y: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return places (2, m, q), derivatives along both sides and determinants of elements."""
        a0, a1 = (self.mesh.a[k + e // self.rows][:, None] for k in (0, 1))
        b0, b1 = (self.mesh.b[k + e % self.rows][:, None] for k in (0, 1))
        u, v = (g.ravel() for g in np.meshgrid(x, y, indexing="ij"))
        P, A, B = self.mesh.place(
            0.5 * (a0 + a1) + 0.5 * (a1 - a0) * u,
            0.5 * (b0 + b1) + 0.5 * (b1 - b0) * v,
            b1 <= 1,
        )
        A, B = A * 0.5 * (a1 - a0), B * 0.5 * (b1 - b0)
        return P, A, B, A[0] * B[1] - A[1] * B[0]

    def _strip(self, contact: int) -> NDArray[np.int64]:
        """Return the elements that lie on a contact."""
        z = self.mesh.curves(0.5 * (self.mesh.a[1:] + self.mesh.a[:-1]))[0][0, 1]
        low, high = self.setting.contacts[contact]
        return np.flatnonzero((z > low) & (z < high)) * self.rows

    def _on_lead(self, strip: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the nodes on the lead's side of elements, shape (m, order + 1)."""
        nodes: NDArray[np.int64] = self.nodes[strip, :: self.mesh.order + 1]
        return nodes

    def _contact_matrices(self, strip: NDArray[np.int64]) -> Floats:
        """Return the integrals of (U - V)² over a contact's elements; U comes first."""
        x, w, value, _ = self._rule
        P, A, _, _ = self._points(strip, x, np.array([-1.0]))
        weight = 2 * np.pi * P[0] * np.hypot(*A) * w
        jump = np.insert(-value, 0, 1.0, axis=1)
        matrices: Floats = np.einsum("eq,qa,qb->eab", weight, jump, jump)
        return matrices

    def at(self, r: ArrayLike, z: ArrayLike) -> tuple[NDArray[np.number], NDArray[np.number]]:
        """Return V (V), shape (n, m), and (E_r, E_z) (V/m), shape (2, n, m), per ampere.

        Parameters
        ----------
        r, z
            Places (m) outside the lead and inside the sphere, shape (m,).
        """
        a, b = self.mesh.find(*(np.atleast_1d(np.asarray(c, dtype=float)) for c in (r, z)))
        mesh = self.mesh
        i = np.clip(np.searchsorted(mesh.a, a, side="right") - 1, 0, self.columns - 1)
        j = np.clip(np.searchsorted(mesh.b, b, side="right") - 1, 0, self.rows - 1)
        da, db = mesh.a[i + 1] - mesh.a[i], mesh.b[j + 1] - mesh.b[j]
        u, u1 = self.line(2 * (a - mesh.a[i]) / da - 1)
        v, v1 = self.line(2 * (b - mesh.b[j]) / db - 1)
        local = self._V[i, j]
        V = np.einsum("mabn,ma,mb->nm", local, u, v)
        Va = np.einsum("mabn,ma,mb->nm", local, u1, v) * 2 / da
        Vb = np.einsum("mabn,ma,mb->nm", local, u, v1) * 2 / db
        _, A, B = mesh.place(a, b, mesh.b[j + 1] <= 1)
        det = A[0] * B[1] - A[1] * B[0]
        E = -np.stack([Va * B[1] - Vb * A[1], Vb * A[0] - Va * B[0]]) / det
        return V, E

    def volumes(self, currents: ArrayLike, thresholds: ArrayLike, cuts: int = 24) -> Floats:
        """Return the volumes (m³) outside the lead where |E| exceeds thresholds (V/m), (m,).

        Along each line of constant a the places of crossing are sought; between them the volume is
        integrated exactly.

        Parameters
        ----------
        currents
            Current (A) out of each contact, shape (n,).
        thresholds
            Thresholds (V/m), shape (m,).
        cuts
            Intervals of an element's sides; a crossing is sought in each, on three lines for each.
        """
        y = np.linspace(-1, 1, cuts + 1)
        g, w = np.polynomial.legendre.leggauss(3)
        x = (0.5 * (y[1:] + y[:-1])[:, None] + 0.5 * (y[1] - y[0]) * g).ravel()
        w = np.tile(0.5 * (y[1] - y[0]) * w, cuts)
        along, away = (x, *self.line(x)), (y, *self.line(y))
        limits = np.atleast_1d(np.asarray(thresholds, dtype=float))
        n = self.mesh.order + 1
        V = (self._V @ np.asarray(currents)).reshape(-1, n, n)
        total = np.zeros(len(limits))
        inside = self.line.x[1:-1]
        rough = (inside, *self.line(inside))
        for column in range(self.columns):
            e = column * self.rows + np.arange(self.rows)
            E, _ = self._strength(V, e, rough, rough)
            e = e[E.max(axis=(1, 2)) > 0.5 * limits.min()]  # the others lie below
            E, density = self._strength(V, e, along, away)
            jacobian = density * w[None, :, None] * (y[1] - y[0])
            for k, limit in enumerate(limits):
                total[k] += _above(np.log(np.maximum(E, 1e-300) / limit), jacobian)
        return total

    def _strength(
        self,
        V: NDArray[np.number],
        e: NDArray[np.int64],
        along: tuple[Floats, Floats, Floats],
        away: tuple[Floats, Floats, Floats],
    ) -> tuple[Floats, Floats]:
        """Return |E| and the density of volume of elements on a lattice, each (m, q, r)."""
        (x, u, u1), (y, v, v1) = along, away
        P, A, B, det = (g.reshape(*g.shape[:-1], len(x), len(y)) for g in self._points(e, x, y))
        Va = np.einsum("eab,qa,rb->eqr", V[e], u1, v)
        Vb = np.einsum("eab,qa,rb->eqr", V[e], u, v1)
        E2 = np.abs(Va * B[1] - Vb * A[1]) ** 2 + np.abs(Vb * A[0] - Va * B[0]) ** 2
        E: Floats = np.sqrt(E2) / np.abs(det)
        return E, 2 * np.pi * P[0] * np.abs(det)


def _above(over: Floats, jacobian: Floats) -> float:
    """Integrate the Jacobian where ``over`` > 0, both linear between samples (last axis)."""
    f0, f1 = over[..., :-1], over[..., 1:]
    j0, j1 = jacobian[..., :-1], jacobian[..., 1:]
    span = np.where(f0 != f1, f0 - f1, 1.0)
    t = np.clip(f0 / span, 0, 1)  # where it is 0
    low = np.where(f0 > 0, 0.0, np.where(f1 > 0, t, 1.0))
    high = np.where(f1 > 0, 1.0, np.where(f0 > 0, t, 0.0))
    length = np.maximum(high - low, 0)
    return float((length * (j0 + 0.5 * (low + high) * (j1 - j0))).sum())
