"""Order of the body-fitted elements around a lead, against harmonic functions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.evaluation import gradient
from rheobase.fields.dbs.solution.factor import factorise
from rheobase.fields.dbs.solution.system import assemble
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import Lead
from rheobase.meshes.leads.medium import uniform

pytestmark = pytest.mark.convergence

LEAD = Lead(model=lead_model("Medtronic 3389"), tip=np.zeros(3), direction=np.array([0.0, 0, 1]))
SOURCE = np.array([0.0, 0.0, 4.25e-3])  # on the axis, inside the lead


def harmonic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point source inside the lead: harmonic around it."""
    return np.asarray(1e-3 / np.linalg.norm(x - SOURCE, axis=1))


def field_error(resolution: float, order: tuple[int, int, int]) -> float:
    """Solve with the function given on the lead and far away; return the error of its gradient."""
    system = assemble(
        LEAD, uniform(1.0), sphere_domain(0.04, (0, 0, 4.25e-3)), resolution=resolution, order=order
    )
    K = system.matrix()
    place, _ = system.grid.chart.place(system.position)
    u = harmonic(LEAD.to_head(place))
    given = system.position[:, 1] == 0
    given[system.grounded] = True
    free = np.flatnonzero(~given)
    rhs = -(K[free][:, np.flatnonzero(given)] @ u[given])
    u[free] = factorise(K[free][:, free].tocsr()).solve(rhs[:, None])[:, 0]
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4000, 3))
    points *= rng.uniform(2e-3, 6e-3, (4000, 1)) / np.linalg.norm(points, axis=1)[:, None]
    points += SOURCE
    found = gradient(system.grid, system.conn, LEAD, u[:, None], points)[0]
    away = points - SOURCE
    exact = -1e-3 * away / np.linalg.norm(away, axis=1)[:, None] ** 3
    inside = np.isfinite(found).all(axis=1)
    assert inside.mean() > 0.9
    return float(
        np.linalg.norm((found - exact)[inside], axis=1).mean()
        / np.linalg.norm(exact[inside], axis=1).mean()
    )


@pytest.mark.parametrize("degree", [1, 2])
def test_the_field_converges_with_the_degree(degree: int) -> None:
    steps = [0.4, 0.6, 0.9]
    errors = [field_error(r, (degree, degree, degree)) for r in steps]
    order = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order > degree - 0.3, errors
    assert errors[-1] < {1: 0.2, 2: 0.03}[degree]
