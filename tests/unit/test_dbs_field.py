"""The body-fitted grid of a lead, its matrices and its unit responses, on coarse grids."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.grid.breaks import coarser, graded
from rheobase.fields.dbs.grid.chart import lead_chart
from rheobase.fields.dbs.grid.domains import Domain, box_domain, ellipsoid_domain, sphere_domain
from rheobase.fields.dbs.solution.evaluation import gradient, potential
from rheobase.fields.dbs.solution.response import LeadResponse, unit_responses
from rheobase.fields.dbs.solution.shares import tissue_shares
from rheobase.fields.dbs.solution.store import load_response
from rheobase.fields.dbs.solution.system import ENCAPSULATION, Encapsulation, assemble
from rheobase.fields.tensors import matrices
from rheobase.meshes.leads.catalogue import custom_lead, lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.leads.medium import nested_spheres, uniform

COARSE = 0.5
UP = np.array([0.0, 0.0, 1.0])
LEAD = Lead(model=lead_model("Medtronic 3389"), tip=np.zeros(3), direction=UP)
BALL = sphere_domain(0.04, (0, 0, 4.25e-3))
TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
DOMAINS = (
    BALL,
    ellipsoid_domain((0.04, 0.05, 0.06), (2e-3, 0, 8e-3), TURN),
    box_domain((0.04, 0.05, 0.06), (2e-3, 0, 8e-3), TURN),
)
SEGMENTED = custom_lead(
    "small", diameter_mm=1.3, layout="tip-3", contact_mm=1.5, gaps_mm=0.5, tip_contact_mm=1.5
)


@pytest.fixture(scope="module")
def response() -> LeadResponse:
    return unit_responses(LEAD, uniform(0.2), BALL, resolution=COARSE)


def test_breaks() -> None:
    x = graded([0, 1, 2], [1], first=0.01, ratio=3.0, cap=lambda x: np.full_like(x, 0.5))
    assert {0.0, 1.0, 2.0} <= set(x.tolist())
    h = np.diff(x)
    assert (h > 0).all()
    assert h.max() <= 0.55
    assert h.min() == pytest.approx(0.01, rel=0.4)
    few = coarser(x, 0.3, kept=[1.0])
    assert set(few.tolist()) <= set(x.tolist())
    assert {0.0, 1.0, 2.0} <= set(few.tolist())
    assert len(few) < len(x)


@pytest.mark.parametrize("domain", DOMAINS)
def test_coordinates(domain: Domain) -> None:
    from rheobase.fields.dbs.grid import _chart_numba as kernel

    lead = place_lead(LEAD.model, target=[1e-3, 0, 0], direction=[0.2, -0.1, 1], rotation_deg=20)
    chart = lead_chart(lead, domain)
    rng = np.random.default_rng(1)
    n = 400
    T = np.where(
        rng.random(n) < 0.5,
        rng.uniform(0, chart.reach, n),
        chart.reach + rng.uniform(0.02, 0.98, n),
    )
    at = np.stack([rng.uniform(0.01, 0.99, n) * chart.s_top, T, rng.uniform(-3.1, 3.1, n)], axis=1)
    points, density = chart.place(at)
    assert (density > 0).all()
    np.testing.assert_allclose(chart.coordinates(points), at, atol=1e-10)
    c = chart.packed()
    for row in at[::20]:
        found = np.array(kernel.chart(c, *row))
        step = np.array([1e-9, 1e-9 if row[1] < chart.reach else 1e-6, 1e-6])
        for j in range(3):
            d = step * (np.arange(3) == j)
            ahead, behind = (np.array(kernel.chart(c, *(row + s * d))) for s in (1, -1))
            slope = (ahead - behind)[:2] / (2 * step[j])
            np.testing.assert_allclose(slope, found[[2 + j, 5 + j]], rtol=1e-4, atol=2e-6)


def test_outside_and_inside() -> None:
    chart = lead_chart(LEAD, BALL)
    s, T, theta = chart.coordinates(np.array([[0, 0, 2e-3], [0.05, 0, 0], [1e-3, 0, 2e-3]])).T
    assert T[0] < 0
    assert np.isnan(T[1])
    assert T[2] == pytest.approx(1e-3 - LEAD.model.radius)
    assert s[2] == pytest.approx(float(LEAD.model.arc_of(2e-3)))
    assert theta[2] == 0


@pytest.mark.parametrize("domain", DOMAINS)
def test_volume(domain: Domain) -> None:
    system = assemble(LEAD, uniform(0.2), domain, resolution=COARSE)
    K = system.stiffness[1]
    place, _ = system.grid.chart.place(system.position)
    whole = float(np.prod(2 * domain.half)) * (1.0 if domain.kind == "box" else np.pi / 6)
    # the gradient of z is 1 everywhere: its energy is the volume; the edges of a box, far away,
    # run through elements that a coarse quadrature cuts off
    z = place[:, 2]
    assert z @ (K @ z) == pytest.approx(whole, rel=0.06 if domain.kind == "box" else 2e-3)
    assert np.abs(K @ np.ones(system.n)).max() < 1e-12
    assert abs(K - K.T).max() < 1e-12


def test_areas_of_contacts() -> None:
    lead = Lead(model=SEGMENTED, tip=np.zeros(3), direction=UP)
    system = assemble(lead, uniform(0.2), BALL, insulated=["3"], resolution=COARSE)
    assert system.contacts == ("1", "2", "4")
    assert system.insulated == ("3",)
    for name, area in zip(system.contacts, system.areas, strict=True):
        assert system.surface[name].sum() == pytest.approx(area, rel=1e-4)


def test_functions_are_continuous() -> None:
    lead = Lead(model=SEGMENTED, tip=np.zeros(3), direction=UP)
    system = assemble(lead, uniform(0.2), BALL, resolution=COARSE)
    grid = system.grid
    assert len(grid.layers) > 2
    rng = np.random.default_rng(2)
    values = rng.normal(size=(system.n, 2))
    n = 300
    for layer in grid.layers[:-1]:
        at = np.stack(
            [rng.uniform(0, 1, n) * layer.s[-1], np.full(n, layer.T[-1]), rng.uniform(0, 6, n)], 1
        )
        off = np.array([0.0, 1e-9 * grid.chart.radius, 0.0])
        beside = [grid.chart.place(at + side * off)[0] for side in (-1, 1)]
        sides = [potential(grid, system.conn, lead, values, points) for points in beside]
        np.testing.assert_allclose(sides[0], sides[1], atol=1e-4)


def test_interpolation_and_gradient(response: LeadResponse) -> None:
    system = assemble(LEAD, uniform(0.2), BALL, resolution=COARSE)
    rng = np.random.default_rng(3)
    points = rng.normal(size=(50, 3)) * 5e-3
    points[0] = 0, 0, 3e-3  # inside the lead
    points[1] = 0.1, 0, 0  # outside the domain
    V = response.potential(points)
    np.testing.assert_allclose((system.interpolation(points) @ response.values).T, V, atol=1e-9)
    assert np.isnan(V[:, :2]).all()
    E = response.field(points)
    assert np.isnan(E[:, :2]).all()
    kept = ~np.isnan(V[0])
    h = 1e-8
    for j in range(3):
        d = h * (np.arange(3) == j)
        slope = (response.potential(points + d) - response.potential(points - d)) / (2 * h)
        np.testing.assert_allclose(
            -slope[:, kept], E[:, kept, j], atol=2e-4 * np.abs(E[:, kept]).max()
        )
    place, _ = system.grid.chart.place(system.position)
    straight = LEAD.to_head(place) @ [[1.0], [2.0], [-1.0]]
    slope = gradient(system.grid, system.conn, LEAD, straight, points[kept])[0]
    np.testing.assert_allclose(slope[:, 2], -1, atol=0.05)
    np.testing.assert_allclose(slope[:, :2], np.tile([1, 2], (kept.sum(), 1)), atol=0.2)


def test_responses(response: LeadResponse) -> None:
    report = response.report
    assert report.asymmetry < 1e-6
    assert report.conservation < 1e-3
    assert report.residual < 1e-8
    # the four floating contacts of a 3389 in a ball of 40 mm: independent axisymmetric solution
    # (`rheobase.validation.axisymmetric`)
    exact = [553.4048, 175.5105, 91.4819, 58.8827]
    np.testing.assert_allclose(response.Z[0], exact, rtol=5e-3)
    np.testing.assert_allclose(response.areas, np.pi * 1.27e-3 * 1.5e-3)
    at = LEAD.surface([0.75e-3, 4.25e-3], 1.0, off=1e-9)
    assert response.potential(at[1:])[:, 0] == pytest.approx(response.Z[1], rel=1e-5)


def test_a_ring_of_current_far_away_is_a_point(response: LeadResponse) -> None:
    # in the middle of a grounded ball: V = I / (4 pi sigma) (1/r - 1/R)
    r = np.array([[0.015, 0, 4.25e-3], [0, -0.02, 4.25e-3]])
    away = np.array([0.015, 0.02])
    exact = (1 / away - 1 / 0.04) / (4 * np.pi * 0.2)
    V = response.potential(r)
    np.testing.assert_allclose(V[1], exact, rtol=0.02)


@pytest.mark.parametrize("layout", ["tip", "1"])
def test_a_rim_may_be_where_the_shaft_begins(layout: str) -> None:
    contact = {"tip_contact_mm": 0.5} if layout == "tip" else {"tip_mm": 0.5, "contact_mm": 0.5}
    given: dict[str, Any] = {"diameter_mm": 1.0, "layout": layout, **contact}
    lead = Lead(model=custom_lead("thin", **given), tip=np.zeros(3), direction=UP)
    made = unit_responses(lead, uniform(0.2), sphere_domain(0.04), resolution=COARSE)
    point = (1 / 0.02 - 1 / 0.04) / (4 * np.pi * 0.2)
    beside = made.potential([[0.02, 0, 0], [0, 0.02, 0]])[0]
    assert beside == pytest.approx([point, point], rel=3e-3)


def test_encapsulation_of_the_same_tissue_changes_nothing(response: LeadResponse) -> None:
    coat = Encapsulation(thickness=0.3e-3, tissue=0.2)
    coated = unit_responses(LEAD, uniform(0.2), BALL, encapsulation=coat, resolution=COARSE)
    np.testing.assert_allclose(coated.Z, response.Z, rtol=1e-3)
    assert coated.layer == 0.3e-3


class Tensors:
    """A medium with a tensor that is the same everywhere."""

    def __init__(self, tensor: list[float]) -> None:
        self.tissues = uniform(0.1).tissues
        self.bounds = None
        self.tensor = tensor

    def labels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        return np.ones(len(points), np.int32)

    def tensors(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tile(self.tensor, (len(points), 1))


def impedance(lead: Lead, medium: Any) -> NDArray[np.float64]:
    return unit_responses(lead, medium, sphere_domain(0.04), insulated=["3"], resolution=0.4).Z


def test_tensors() -> None:
    up = Lead(model=SEGMENTED, tip=np.zeros(3), direction=UP)
    plain, twice = impedance(up, uniform(0.2)), impedance(up, Tensors([2, 0, 0, 2, 0, 2]))
    np.testing.assert_allclose(twice, plain, rtol=1e-6)
    # lead and tensor turned together about the centre of the ball: the same problem
    lead = place_lead(SEGMENTED, target=[0, 0, 0], direction=[0.3, 0.2, 1])
    along = impedance(up, Tensors([1, 0, 0, 2, 0, 4]))
    turn = lead.frame[:3, :3] @ up.frame[:3, :3].T
    T = turn @ np.diag([1.0, 2.0, 4.0]) @ turn.T
    turned = Tensors([T[0, 0], T[0, 1], T[0, 2], T[1, 1], T[1, 2], T[2, 2]])
    np.testing.assert_allclose(impedance(lead, turned), along, rtol=1e-5)
    assert abs(along[1, 1] / along[2, 2] - 1) > 0.01


def test_several_tissues() -> None:
    # a ball around the whole lead's contacts and a coat: current through both; of one conductivity,
    # so that mixed cells share the uniform field of z
    medium = nested_spheres([8e-3, 0.1], [0.1, 0.1], centre=[0, 0, 4.25e-3])
    system = assemble(
        LEAD,
        medium,
        BALL,
        encapsulation=Encapsulation(thickness=0.2e-3, tissue=0.05),
        resolution=0.7,
    )
    assert sorted(system.parts) == [1, 2, ENCAPSULATION]
    assert system.sigma[ENCAPSULATION] == 0.05
    place, _ = system.grid.chart.place(system.position)
    z = place[:, 2]
    volume = {k: float(z @ (K @ z)) for k, K in system.stiffness.items()}
    R = LEAD.model.radius
    shell = 2 * np.pi / 3 * ((R + 0.2e-3) ** 3 - R**3)
    shell += np.pi * ((R + 0.2e-3) ** 2 - R**2) * (4.25e-3 + 0.04 - R)
    assert volume[ENCAPSULATION] == pytest.approx(shell, rel=2e-3)
    ball = 4 / 3 * np.pi * 8e-3**3 - np.pi * (R + 0.2e-3) ** 2 * 12.25e-3
    assert volume[1] == pytest.approx(ball, rel=0.02)
    K = system.matrix()
    b = np.random.default_rng(5).normal(size=system.n)
    parts = np.sum([system.sigma[k] * (system.stiffness[k] @ b) for k in system.parts], axis=0)
    np.testing.assert_allclose(K @ b, parts, atol=1e-12 * np.abs(parts).max())


def test_air_in_elements_with_tissue_conducts_a_little() -> None:
    system = assemble(LEAD, uniform(0.2), BALL, resolution=COARSE)
    medium = nested_spheres([0.02], [0.2], centre=[0, 0, 4.25e-3])
    some, tensors = tissue_shares(system.grid, LEAD, medium)[1]
    assert len(some) < system.grid.n_elements  # those of air alone are left out
    share = np.linalg.eigvalsh(matrices(tensors.astype(np.float64)))
    assert share.min() == pytest.approx(1e-4, rel=1e-4)
    assert share.max() == pytest.approx(1.0, rel=1e-6)


def test_a_thick_encapsulation_is_all_there() -> None:
    # eight radii thick: all that matters near a thin lead is the layer
    thin = replace(LEAD.model, diameter=0.2e-3)
    lead = Lead(model=thin, tip=np.zeros(3), direction=UP)
    layer = Encapsulation(thickness=0.8e-3, tissue=0.05)
    system = assemble(lead, uniform(0.2), BALL, encapsulation=layer, resolution=COARSE)
    place, _ = system.grid.chart.place(system.position)
    z, K = place[:, 2], system.stiffness[ENCAPSULATION]
    R = thin.radius
    shell = 2 * np.pi / 3 * ((R + 0.8e-3) ** 3 - R**3)
    shell += np.pi * ((R + 0.8e-3) ** 2 - R**2) * (4.25e-3 + 0.04 - R)
    assert z @ (K @ z) == pytest.approx(shell, rel=5e-3)


def neck_domain() -> Domain:
    return replace(box_domain((0.06, 0.06, 0.05), (0, 0, 0)), grounded="lowest")


def test_current_leaves_through_the_lowest_face() -> None:
    lead = Lead(model=LEAD.model, tip=np.zeros(3), direction=UP)
    head = nested_spheres([0.055], [0.3], centre=[0, 0, 0])
    found = unit_responses(lead, head, neck_domain(), resolution=COARSE)
    V = found.potential([[0, 0, -0.0499], [0, 0, -0.03], [0.03, 0, 0]])
    assert abs(V[1, 0]) < 0.01 * V[1, 1]
    assert V[1, 2] > 1.3 * V[1, 1]
    assert found.report.conservation < 1e-3


def test_bad_input(tmp_path: Path) -> None:
    ask: Any = {"resolution": COARSE}
    with pytest.raises(InputError, match="a contact from 1 to 4, got 5"):
        unit_responses(LEAD, uniform(0.2), BALL, insulated=[5], **ask)
    with pytest.raises(InputError, match="not insulated"):
        unit_responses(LEAD, uniform(0.2), BALL, insulated=[1, 2, 3, 4], **ask)
    with pytest.raises(InputError, match="inside the domain"):
        unit_responses(LEAD, uniform(0.2), sphere_domain(0.01), **ask)
    with pytest.raises(InputError, match="in tissue"):
        unit_responses(LEAD, nested_spheres([5e-3], [0.3], centre=[0.1, 0, 0]), BALL, **ask)
    with pytest.raises(InputError, match="way of the current"):
        assemble(LEAD, nested_spheres([0.03], [0.3]), neck_domain(), **ask)
    with pytest.raises(InputError, match="resolution"):
        unit_responses(LEAD, uniform(0.2), BALL, resolution=0.0)
    with pytest.raises(InputError, match="a degree from 1 to 8"):
        unit_responses(LEAD, uniform(0.2), BALL, order=(0, 1, 1))
    with pytest.raises(InputError, match="thickness"):
        Encapsulation(thickness=-1.0, tissue=0.1)
    with pytest.raises(InputError, match="lengths of a domain"):
        Domain(kind="box", half=np.zeros(3), centre=np.zeros(3))
    with pytest.raises(InputError, match="unit responses"):
        load_response(tmp_path / "none.h5")


def test_file(response: LeadResponse, tmp_path: Path) -> None:
    response.save(str(tmp_path / "lead.h5"))
    again = load_response(str(tmp_path / "lead.h5"))
    points = np.random.default_rng(4).normal(size=(20, 3)) * 5e-3
    np.testing.assert_array_equal(again.field(points), response.field(points))
    np.testing.assert_array_equal(again.Z, response.Z)
    assert again.lead.model == response.lead.model
    assert again.report == response.report
    assert again.contacts == response.contacts
