"""What a lead does per ampere out of each of its contacts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._progress import stage
from rheobase.fields.dbs.grid.domains import Domain
from rheobase.fields.dbs.grid.layers import LeadGrid
from rheobase.fields.dbs.solution.evaluation import gradient, potential
from rheobase.fields.dbs.solution.factor import factorise
from rheobase.fields.dbs.solution.system import Encapsulation, LeadSystem, assemble
from rheobase.meshes.leads.lead import Lead
from rheobase.meshes.leads.medium import Medium

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseReport:
    """What the unit responses of a lead are worth.

    Parameters
    ----------
    unknowns
        Number of unknowns.
    residual
        Largest true relative residual of the solutions.
    conservation
        Largest difference between the current out of a contact and that into the return as the
        elements balance it, relative to the current: what the linear solution leaves.
    asymmetry
        Largest |Z - Z'| relative to the largest |Z|.
    seconds
        CPU time of mesh, tissue and matrix; factor; solutions (s).
    """

    unknowns: int
    residual: float
    conservation: float
    asymmetry: float
    seconds: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadResponse:
    """Potential and field per ampere out of each contact of a lead, back at 0 V.

    Contacts that carry no current float: the metal is at one potential and no net current leaves.

    Parameters
    ----------
    lead
        The lead.
    contacts
        Names of the contacts that conduct, from the tip, N of them.
    insulated
        Names of those that do not.
    grid, conn
        The elements, and the node of each of their functions (-1: element left out).
    values
        Potential of each node per ampere (V/A), shape (n_nodes, N).
    Z
        Potential of each contact (row) per ampere out of each (column) (ohm), shape (N, N).
    report
        What it is worth.
    """

    lead: Lead
    contacts: tuple[str, ...]
    insulated: tuple[str, ...]
    grid: LeadGrid
    conn: Ints
    values: Floats
    Z: Floats
    report: ResponseReport

    @cached_property
    def areas(self) -> Floats:
        """Area of each contact (m²), shape (N,)."""
        return np.array([self.lead.model.area(name) for name in self.contacts])

    @property
    def layer(self) -> float:
        """Thickness of the encapsulation (m), 0 without one."""
        return self.grid.encapsulation

    def potential(self, points: ArrayLike) -> Floats:
        """Return the potentials (V/A) at points (n, 3) of the head, shape (N, n).

        NaN inside the lead, outside the domain and in elements without tissue.
        """
        return potential(self.grid, self.conn, self.lead, self.values, points)

    def field(self, points: ArrayLike) -> Floats:
        """Return the fields -grad V (V/m per A) at points (n, 3) of the head, shape (N, n, 3).

        NaN inside the lead, outside the domain and in elements without tissue.
        """
        E = gradient(self.grid, self.conn, self.lead, self.values, points)
        np.negative(E, out=E)
        return E

    def save(self, path: Path | str) -> None:
        """Write it to one HDF5 file; `rheobase.fields.dbs.load_response` reads it.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from rheobase.fields.dbs.solution.store import save_response

        save_response(self, path)


def unit_responses(
    lead: Lead,
    medium: Medium,
    domain: Domain,
    *,
    encapsulation: Encapsulation | None = None,
    insulated: Sequence[str | int] = (),
    resolution: float = 1.0,
    order: tuple[int, int, int] | None = None,
) -> LeadResponse:
    """Solve for the current of each contact of a lead: one factor, N right-hand sides.

    Parameters
    ----------
    lead, medium, domain, encapsulation, insulated, resolution, order
        As in `rheobase.fields.dbs.solution.system.assemble`.

    Raises
    ------
    InputError
        As `rheobase.fields.dbs.solution.system.assemble`.
    RuntimeError
        If the solutions do not hold what they must.
    """
    start = time.process_time()
    with stage("meshing around the lead"):
        system = assemble(
            lead,
            medium,
            domain,
            encapsulation=encapsulation,
            insulated=insulated,
            resolution=resolution,
            order=order,
        )
    return respond(system, start=start)


def respond(system: LeadSystem, *, start: float | None = None) -> LeadResponse:
    """Return the unit responses of a system with its quasi-static conductivities.

    Parameters
    ----------
    system
        The system.
    start
        CPU clock at which the work on it began (s); now if None.
    """
    begin = time.process_time() if start is None else start
    with stage("assembling"):
        K, unknown, contacts = system.merged()
    assembled = time.process_time()
    with stage("factorising"):
        factor = factorise(K)
    factorised = time.process_time()
    b = np.zeros((K.shape[0], len(contacts)))
    b[contacts, np.arange(len(contacts))] = 1.0
    with stage("solving"):
        x = factor.solve(b)
    left = K @ x - b
    residual = float(np.linalg.norm(left, axis=0).max())
    Z = x[contacts]
    asymmetry = float(np.abs(Z - Z.T).max() / np.abs(Z).max())
    # the rows of K at 0 V, whose sum is minus that of all others, take what enters
    conservation = float(np.abs((K @ x).sum(axis=0) - 1.0).max())
    if not (residual < 1e-6 and asymmetry < 1e-6 and conservation < 1e-3):
        raise RuntimeError(
            f"the solutions miss their limits: residual {residual:.1e}, asymmetry "
            f"{asymmetry:.1e}, current balance {conservation:.1e}"
        )
    values = np.where(unknown[:, None] >= 0, x[unknown], 0.0)
    for i, nodes in enumerate(system.contact_nodes.values()):
        values[nodes] = x[contacts[i]]
    return LeadResponse(
        lead=system.lead,
        contacts=system.contacts,
        insulated=system.insulated,
        grid=system.grid,
        conn=system.conn,
        values=np.ascontiguousarray(values),
        Z=0.5 * (Z + Z.T),
        report=ResponseReport(
            unknowns=K.shape[0],
            residual=residual,
            conservation=conservation,
            asymmetry=asymmetry,
            seconds=(
                assembled - begin,
                factorised - assembled,
                time.process_time() - factorised,
            ),
        ),
    )
