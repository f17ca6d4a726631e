"""The conduction problem around one lead: a matrix for each tissue on the nodes of its grid.

    K(kappa) = sum_t kappa_t K_t,    K_t[a, b] = ∫_t grad a . T grad b

kappa_t is the conductivity (or complex admittivity) of tissue t and T its relative tensor; which
tissue is where, `rheobase.fields.dbs.solution.shares` finds. Elements of air alone, and tissue
without a way to the return, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.dbs.grid.domains import Domain
from rheobase.fields.dbs.grid.layers import LeadGrid, lead_grid
from rheobase.fields.dbs.grid.polynomials import lobatto, polynomials, quadrature
from rheobase.fields.dbs.solution.shares import tissue_shares
from rheobase.meshes.leads.lead import Lead, check_lead
from rheobase.meshes.leads.medium import Medium
from rheobase.meshes.tissues import Tissue

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Label of the encapsulation among the tissues of a system.
ENCAPSULATION = 10_000


@dataclass(frozen=True, kw_only=True)
class Encapsulation:
    """The layer of scar around a lead.

    Parameters
    ----------
    thickness
        Its thickness (m), all round the tip too.
    tissue
        What it is made of, or its conductivity (S/m).

    Raises
    ------
    InputError
        If a number is not > 0.
    """

    thickness: float
    tissue: Tissue | float

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_positive("thickness (m) of the encapsulation", self.thickness)
        if not isinstance(self.tissue, Tissue):
            check_positive("conductivity (S/m) of the encapsulation", self.tissue)

    @property
    def labelled(self) -> Tissue:
        """The tissue with the label `ENCAPSULATION`."""
        if isinstance(self.tissue, Tissue):
            return replace(self.tissue, label=ENCAPSULATION)
        plain = Tissue(name="encapsulation", label=ENCAPSULATION)
        return plain.with_value("conductivity", self.tissue, source="given with the call")


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadSystem:
    """The matrices of one lead in its surroundings, over all nodes of tissue.

    Contacts are not merged and the nodes at 0 V not taken out.

    Parameters
    ----------
    lead
        The lead.
    grid
        Its grid.
    conn
        Node of each function of each element of the grid, -1 in elements that are left out, shape
        (n_elements, n_functions).
    position
        Coordinates (s, T, theta) of the nodes, shape (n, 3).
    grounded
        Nodes at 0 V.
    contact_nodes
        Nodes of each contact that is not insulated.
    insulated
        Names of the contacts that are.
    tissues
        Tissue of each label that occurs, `ENCAPSULATION` among them.
    parts
        Elements, and shares (m, n_q, 1) or tensors in the lead frame (m, n_q, 6) at their
        quadrature points, of each label.
    """

    lead: Lead
    grid: LeadGrid
    conn: Ints
    position: Floats
    grounded: NDArray[np.int64]
    contact_nodes: Mapping[str, NDArray[np.int64]]
    insulated: tuple[str, ...]
    tissues: Mapping[int, Tissue]
    parts: Mapping[int, tuple[NDArray[np.int64], NDArray[np.float32]]]

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.position)

    @property
    def contacts(self) -> tuple[str, ...]:
        """Names of the contacts that are not insulated, from the tip."""
        return tuple(self.contact_nodes)

    @property
    def areas(self) -> Floats:
        """Area of each of them (m²), shape (N,)."""
        return np.array([self.lead.model.area(name) for name in self.contacts])

    @property
    def sigma(self) -> dict[int, float]:
        """Quasi-static conductivity of each label (S/m)."""
        return {label: tissue.sigma for label, tissue in self.tissues.items()}

    @cached_property
    def stiffness(self) -> dict[int, csr_array]:
        """K_t of each label (m), each on its own sparsity, shape (n, n)."""
        return {label: self._matrix({label: 1.0}, self.conn, self.n) for label in self.parts}

    def matrix(self, kappa: Mapping[int, float] | None = None) -> csr_array:
        """Return K = sum_t kappa_t K_t (S) with conductivities by label, shape (n, n)."""
        return self._matrix(self.sigma if kappa is None else kappa, self.conn, self.n)

    def merged(
        self, kappa: Mapping[int, float] | None = None
    ) -> tuple[csr_array, Ints, NDArray[np.int64]]:
        """Return K with each contact one unknown and without the nodes at 0 V.

        Returns
        -------
        K : csr_array, shape (m, m)
        unknown : ndarray, shape (n,)
            Unknown of each node, -1 at 0 V.
        contacts : ndarray, shape (N,)
            Unknown of each contact.
        """
        unknown = np.zeros(self.n, np.int32)
        unknown[self.grounded] = -1
        for nodes in self.contact_nodes.values():
            unknown[nodes] = -1
        free = unknown == 0
        m = int(free.sum())
        unknown[free] = np.arange(m)
        for i, nodes in enumerate(self.contact_nodes.values()):
            unknown[nodes] = m + i
        contacts = m + np.arange(len(self.contact_nodes))
        m += len(contacts)
        conn = np.where(self.conn >= 0, unknown[self.conn], -1).astype(np.int32)
        return self._matrix(self.sigma if kappa is None else kappa, conn, m), unknown, contacts

    def _matrix(self, kappa: Mapping[int, float], conn: Ints, n: int) -> csr_array:
        """Assemble with given conductivities on given rows."""
        from scipy.sparse import csr_array

        from rheobase.fields.dbs.solution import _elements_numba as kernel

        grid = self.grid
        chosen = [self.parts[label] for label in kappa if label in self.parts]
        elements = np.unique(np.concatenate([rows for rows, _ in chosen]))
        width = max(shares.shape[2] for _, shares in chosen)
        points, weights = quadrature(grid.order)
        sigma = np.zeros((len(elements), len(points), width))
        for label, value in kappa.items():
            if label in self.parts:
                rows, shares = self.parts[label]
                at = np.searchsorted(elements, rows)
                part = np.multiply(value, shares, dtype=np.float64)
                if shares.shape[2] < width:
                    part = part * [1, 0, 0, 1, 0, 1]
                sigma[at] += part
        rows = np.ascontiguousarray(conn[elements])
        indptr, indices = kernel.pattern(rows, n)
        data = np.zeros(len(indices))
        kernel.stiffness(
            grid.chart.packed(),
            grid.boxes[elements],
            grid.outer_boxes[elements],
            rows,
            *(lobatto(p) for p in grid.order),
            points,
            weights,
            sigma,
            indptr,
            indices,
            data,
        )
        return csr_array((data, indices, indptr), shape=(n, n))

    @cached_property
    def surface(self) -> dict[str, csr_array]:
        """B_c = ∫ a b over each contact (m²), shape (n, n)."""
        from scipy.sparse import coo_array

        grid = self.grid
        ps, pt, pk = grid.order
        face = np.flatnonzero(np.indices((ps + 1, pt + 1, pk + 1))[1].ravel() == 0)
        gauss = [np.polynomial.legendre.leggauss(p + 1) for p in (ps, pk)]
        values = [polynomials(lobatto(p), x) for p, (x, _) in zip((ps, pk), gauss, strict=True)]
        # functions of the face at its quadrature points, shape (n_q, n_functions)
        V = np.einsum("qa,rc->qrac", *values).reshape(len(gauss[0][0]) * len(gauss[1][0]), -1)
        w = np.outer(gauss[0][1], gauss[1][1]).ravel()
        on_lead = np.flatnonzero(grid.boxes[:, 1, 0] == 0)
        R, arc = grid.chart.radius, grid.chart.arc
        out = {}
        for name, nodes in self.contact_nodes.items():
            inside = np.zeros(self.n, bool)
            inside[nodes] = True
            rows = self.conn[on_lead][:, face]
            elements = on_lead[(inside[rows] & (rows >= 0)).all(axis=1)]
            box = grid.boxes[elements]
            s = box[:, 0].mean(axis=1)[:, None] + 0.5 * np.diff(box[:, 0]) * gauss[0][0]
            size = 0.25 * np.diff(box[:, 0])[:, 0] * np.diff(box[:, 2])[:, 0]
            around = R * np.sin(np.minimum(s, arc) / R)
            weight = size[:, None] * np.repeat(around, len(gauss[1][0]), axis=1) * w
            mass = np.einsum("eq,qa,qb->eab", weight, V, V)
            i = self.conn[elements][:, face]
            rows, columns = np.broadcast_arrays(i[:, :, None], i[:, None])
            out[name] = coo_array(
                (mass.ravel(), (rows.ravel(), columns.ravel())), shape=(self.n, self.n)
            ).tocsr()
        return out

    def interpolation(self, points: ArrayLike) -> csr_array:
        """Return the matrix from nodal values to potentials at points (head frame, m).

        Returns
        -------
        csr_array, shape (n_points, n)
            Rows of points outside the tissue or inside the lead are NaN at column 0.
        """
        from scipy.sparse import csr_array

        from rheobase.fields.dbs.solution.evaluation import located

        rows, weights = located(self.grid, self.conn, self.lead, points)
        lost = rows[:, 0] < 0
        weights[lost] = 0.0
        weights[lost, 0] = np.nan
        n, k = rows.shape
        return csr_array(
            (weights.ravel(), np.maximum(rows, 0).ravel(), np.arange(n + 1) * k), (n, self.n)
        )


def assemble(
    lead: Lead,
    medium: Medium,
    domain: Domain,
    *,
    encapsulation: Encapsulation | None = None,
    insulated: Sequence[str | int] = (),
    resolution: float = 1.0,
    order: tuple[int, int, int] | None = None,
) -> LeadSystem:
    """Mesh the surroundings of a lead and ask which tissue is where.

    Parameters
    ----------
    lead
        The lead.
    medium
        The tissue around it.
    domain
        Where the grid ends and the current returns (`rheobase.fields.dbs.grid.domains`).
    encapsulation
        The layer of scar around the lead, none if None.
    insulated
        Contacts that do not exist: the lead is insulating there.
    resolution
        Of `rheobase.fields.dbs.grid.layers.lead_grid`.
    order
        Degree of the elements in s, T and theta; that of the grid if None.

    Raises
    ------
    InputError
        If a contact is unknown, lies outside the tissue or the domain, or the current has no way
        to the return.
    """
    off = {lead.model.contacts[lead.model.index(name)].name for name in insulated}
    if len(off) == len(lead.model.contacts):
        raise InputError(f"expected a contact that is not insulated: lead {lead.name!r}")
    check_lead(lead, medium)
    thickness = 0.0 if encapsulation is None else encapsulation.thickness
    options: dict[str, Any] = {} if order is None else {"order": order}
    grid = lead_grid(lead, domain, encapsulation=thickness, resolution=resolution, **options)
    shares = tissue_shares(grid, lead, medium)
    if len(grid.coated):
        n_q = len(quadrature(grid.order)[0])
        shares[ENCAPSULATION] = (grid.coated, np.ones((len(grid.coated), n_q, 1), np.float32))
    tissues = {label: medium.tissues[label] for label in shares if label != ENCAPSULATION}
    if encapsulation is not None:
        tissues[ENCAPSULATION] = encapsulation.labelled
    kept = np.zeros(grid.n_elements, bool)
    for rows, _ in shares.values():
        kept[rows] = True
    at_return = _at_return(grid, lead, medium)
    kept &= _connected(grid, kept, at_return)
    contact_nodes = {
        c.name: _nodes_of(grid, lead.model.arc_of(c.z), c.theta)
        for c in lead.model.contacts
        if c.name not in off
    }
    used = np.zeros(grid.n_nodes, bool)
    used[grid.conn[kept].ravel()] = True
    for name, nodes in contact_nodes.items():
        if not used[nodes].all():
            raise InputError(
                f"expected a way of the current from contact {name!r} to the return, the tissue "
                f"around it has none: lead {lead.name!r}"
            )
    new = np.where(used, np.cumsum(used) - 1, -1)
    parts = {}
    for label, (rows, values) in shares.items():
        some = kept[rows]
        if some.any():
            parts[label] = (rows[some], values[some])
    return LeadSystem(
        lead=lead,
        grid=grid,
        conn=np.where(kept[:, None], new[grid.conn], -1).astype(np.int32),
        position=grid.nodes[used],
        grounded=new[at_return & used],
        contact_nodes={name: new[nodes] for name, nodes in contact_nodes.items()},
        insulated=tuple(c.name for c in lead.model.contacts if c.name in off),
        tissues={label: tissues[label] for label in parts},
        parts=parts,
    )


def _at_return(grid: LeadGrid, lead: Lead, medium: Medium) -> NDArray[np.bool_]:
    """Return which nodes are in tissue on the part of the boundary at 0 V."""
    s, T, _ = grid.nodes.T
    nodes = np.flatnonzero((grid.layers[-1].T[-1] <= T) | (s >= grid.layers[0].s[-1]))
    points, _ = grid.chart.place(grid.nodes[nodes])
    domain = grid.chart.domain
    inside = domain.centre + (1 - 1e-6) * (points - domain.centre)
    out = np.zeros(grid.n_nodes, bool)
    out[nodes] = domain.on_return(points) & (medium.labels(lead.to_head(inside)) != 0)
    return out


def _nodes_of(grid: LeadGrid, s: Floats, theta: tuple[float, float] | None) -> NDArray[np.int64]:
    """Return the nodes of a contact between two arc lengths and angles."""
    at = grid.nodes
    slack = 1e-9 * grid.chart.radius
    on = (at[:, 1] == 0) & (at[:, 0] >= s[0] - slack) & (at[:, 0] <= s[1] + slack)
    if theta is not None:
        turned = (at[:, 2] - theta[0] + 1e-9) % (2 * np.pi)
        on &= turned <= theta[1] - theta[0] + 2e-9
    return np.flatnonzero(on)


def _connected(
    grid: LeadGrid, kept: NDArray[np.bool_], at_return: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the elements of the kept ones that share nodes, through others, with the return."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.flatnonzero(kept)
    conn = grid.conn[rows]
    n = grid.n_nodes
    star = coo_array(
        (
            np.ones(conn.size, np.int8),
            (np.repeat(n + np.arange(len(rows)), conn.shape[1]), conn.ravel()),
        ),
        shape=(n + len(rows), n + len(rows)),
    )
    _, part = connected_components(star.tocsr(), directed=False)
    live = np.zeros(part.max() + 1, bool)
    live[part[:n][at_return]] = True
    out = np.zeros(grid.n_elements, bool)
    out[rows] = live[part[n:]]
    return out
