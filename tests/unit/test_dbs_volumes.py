"""Activated volumes against exact ones, zones, voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.volumes.activated import (
    CurvatureCriterion,
    FieldCriterion,
    SampledLead,
    activated,
    sample_lead,
    volume_curve,
)
from rheobase.fields.dbs.volumes.lattice import lead_lattice, part_of_cube
from rheobase.fields.dbs.volumes.voxels import grid_around, on_grid, strength_at, write_volume
from rheobase.fields.dbs.volumes.zones import ball_zone, image_zone, overlap, region_zone
from rheobase.meshes.head import Head
from rheobase.meshes.leads.catalogue import custom_lead, lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.regions.region import ball as region_ball
from rheobase.meshes.regions.region import tissue_region
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting
from rheobase.validation.leadfield import ball
from rheobase.validation.point_sources import PointSources

Floats = NDArray[np.float64]

SIGMA, T = 0.2, 200.0
R = 0.635e-3
FIELD = FieldCriterion(threshold=T)


def ring(radius: float, inner: float = R) -> float:
    """Return the volume of a ball outside a cylinder through its middle."""
    return float(4 / 3 * np.pi * max(radius**2 - inner**2, 0.0) ** 1.5)


def ball_radius(current: float) -> float:
    """Return the radius at which a point source has the field of the threshold."""
    return float((current / (4 * np.pi * SIGMA * T)) ** 0.5)


@pytest.fixture(scope="module")
def sampled() -> SampledLead:
    """Return four point sources on the axis of an oblique lead at cells."""
    model = lead_model("Medtronic 3389")
    lead = place_lead(model, target=(0.01, 0.02, 0.03), direction=(0.3, -0.2, 1), contact=2)
    return sample_lead(PointSources(lead=lead, sigma=SIGMA), lead_lattice(lead, reach=6e-3))


def places(sampled: SampledLead) -> Floats:
    """Return the places of the point sources (m), shape (4, 3)."""
    assert isinstance(sampled.response, PointSources)
    return sampled.response.places


def test_parts_of_a_cube() -> None:
    parts = part_of_cube(
        np.array([0.0, 0.25, -1.0, 1.0, -0.5]),
        np.array([[1.0, 1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0]]),
    )
    assert parts == pytest.approx([0.5, 0.75, 1 / 48, 47 / 48, 1 / 8], abs=1e-3)
    rng = np.random.default_rng(0)
    points = rng.random((200_000, 3)) - 0.5
    for slope in rng.random((5, 3)):
        centre = 0.4 * (rng.random() - 0.5)
        exact = (centre + points @ slope > 0).mean()
        assert part_of_cube(np.array([centre]), slope[:, None])[0] == pytest.approx(exact, abs=4e-3)


def test_cells_fill_the_shell_around_the_lead(sampled: SampledLead) -> None:
    lattice = sampled.lattice
    t = lattice.t[-1]
    model = lattice.lead.model
    height = 9e-3 + 6e-3 - R
    shell = np.pi * ((R + t) ** 2 - R**2) * height + 2 / 3 * np.pi * ((R + t) ** 3 - R**3)
    assert lattice.s[0] == 0
    assert (np.diff(lattice.s) > 0).all()
    assert lattice.volumes.sum() == pytest.approx(shell, rel=1e-12)
    assert model.radius == pytest.approx(R)
    assert (lattice.lead.outside(lattice.points) > 0).all()


def test_planes_across_the_cap() -> None:
    """Cells on the cap widen towards its rim and away from it: the means of a height show it."""
    model = custom_lead("tip", diameter_mm=2e3 * R, layout="tip", tip_contact_mm=1.5)
    lead = Lead(model=model, tip=np.zeros(3), direction=np.array([0.0, 0.0, 1.0]))
    lattice = lead_lattice(lead, reach=1.5 * R)

    def below(z: float, radius: float) -> float:
        """Return the volume of a ball, the tip's middle its own, below a height."""
        h = max(z - R + radius, 0.0)
        return float(np.pi * h**2 * (radius - h / 3))

    heights = np.linspace(0.05, 0.95, 19) * R
    part = [lattice.part_above(z - lattice.points[:, 2]) @ lattice.volumes for z in heights]
    exact = [below(z, R + lattice.t[-1]) - below(z, R) for z in heights]
    error = np.array(part) / exact - 1
    assert abs(error.mean()) < 3e-4
    assert np.abs(error).max() < 2e-3


@pytest.mark.parametrize("name", ["NeuroPace DL-344-10", "DIXI D08-18AM", "FHC WU rat"])
@pytest.mark.parametrize("reach", [1e-3, 10e-3])
def test_cells_around_every_kind_of_lead(name: str, reach: float) -> None:
    model = lead_model(name)
    lead = place_lead(model, target=(0, 0, 0), direction=(0, 0, 1), contact=model.names[-1])
    lattice = lead_lattice(lead, reach=reach, contacts=model.names[-1:], sectors=8)
    assert all((np.diff(x) > 0).all() for x in (lattice.s, lattice.t, lattice.theta))
    assert lattice.s[-1] == pytest.approx(float(model.arc_of(model.contacts[-1].z[1])) + reach)
    radius = model.radius + min(reach / 2, 2 * model.radius)
    sampled = sample_lead(PointSources(lead=lead, sigma=SIGMA), lattice)
    current = 4 * np.pi * SIGMA * T * radius**2
    found = activated(steer(sampled.response, {model.names[-1]: current}), FIELD, sampled)
    assert found.volume == pytest.approx(ring(radius, model.radius), rel=5e-3)


def test_gradients_are_those_of_the_head(sampled: SampledLead) -> None:
    lattice = sampled.lattice
    a = np.array([0.3, -1.0, 2.0])
    g = lattice.gradient(lattice.points @ a)
    assert np.linalg.norm(g - a, axis=1).max() < 0.02 * np.linalg.norm(a)


@pytest.mark.parametrize(("current", "limit"), [(1e-3, 5e-4), (2e-3, 2e-4), (3e-3, 2e-4)])
def test_ball_around_a_point_source(sampled: SampledLead, current: float, limit: float) -> None:
    found = activated(steer(sampled.response, {2: -current}), FIELD, sampled)
    r = ball_radius(current)
    assert found.volume == pytest.approx(ring(r), rel=limit)
    assert found.centroid == pytest.approx(places(sampled)[1], abs=5e-5)
    assert found.reach == pytest.approx(r, abs=2e-4)
    assert found.summary()["volume_mm3"] == pytest.approx(1e9 * found.volume)
    h = (r**2 - R**2) ** 0.5  # half the height of the ring
    across = np.pi / 2 * h * (2 * (r**4 - R**4) - 4 / 3 * r**2 * h**2 + 2 / 5 * h**4) / ring(r)
    assert found.radii == pytest.approx([h, *2 * [(2.5 * across) ** 0.5]], rel=5e-3)


def test_curve_of_volumes(sampled: SampledLead) -> None:
    s = steer(sampled.response, {2: -1e-3})
    found = volume_curve(sampled, s, FIELD, [0.3, 1.0, 3.0])
    exact = [ring(ball_radius(current)) for current in (0.3e-3, 1e-3, 3e-3)]
    assert found == pytest.approx(exact, rel=1e-2)
    with pytest.raises(InputError, match="multiples > 0"):
        volume_curve(sampled, s, FIELD, [0.0])


def test_largest_curvature_of_a_cathode(sampled: SampledLead) -> None:
    """V = -k/r curves by -2 k/r^3 along r and by k/r^3 across: a cathode depolarises."""
    k, r = 3e-3 / (4 * np.pi * SIGMA), 2.2e-3
    s = steer(sampled.response, {2: -3e-3})
    criterion = CurvatureCriterion(threshold=k / r**3)
    assert activated(s, criterion, sampled).volume == pytest.approx(ring(r), rel=5e-3)
    anode = CurvatureCriterion(threshold=2 * k / r**3)
    found = activated(steer(sampled.response, {2: 3e-3}), anode, sampled)
    assert found.volume == pytest.approx(ring(r), rel=5e-3)


def test_curvature_along_fibres(sampled: SampledLead) -> None:
    """Across the axis from a cathode, fibres up the lead see k (r² - 3 z²) / r^5."""
    lead, k = sampled.lattice.lead, 3e-3 / (4 * np.pi * SIGMA)
    up = lead.direction
    s = steer(sampled.response, {2: -3e-3})
    one = CurvatureCriterion(threshold=k / (2.2e-3) ** 3, directions=up)
    each = CurvatureCriterion(
        threshold=k / (2.2e-3) ** 3, directions=lambda x: np.tile(-2 * up, (len(x), 1))
    )
    v = activated(s, one, sampled).volume
    assert v == pytest.approx(activated(s, each, sampled).volume, rel=1e-12)
    rng = np.random.default_rng(0)
    box = 2.3e-3
    x = box * (2 * rng.random((400_000, 3)) - 1)
    r = np.linalg.norm(x, axis=1)
    inside = (r**2 - 3 * x[:, 2] ** 2 >= r**5 / (2.2e-3) ** 3) & (np.hypot(*x[:, :2].T) > R)
    assert v == pytest.approx(inside.mean() * (2 * box) ** 3, rel=0.015)
    with pytest.raises(InputError, match="not 0"):
        activated(s, CurvatureCriterion(threshold=1.0, directions=(0, 0, 0)), sampled)
    with pytest.raises(InputError, match="one direction"):
        activated(s, CurvatureCriterion(threshold=1.0, directions=np.ones((3, 3))), sampled)


def test_islands_of_curvature_do_not_count(sampled: SampledLead) -> None:
    lattice = sampled.lattice
    some = np.zeros(lattice.shape, dtype=bool)
    some[40:44, :3, -1] = True  # at the lead, on one side of theta = 0
    some[40, 2:5, 0] = True  # its neighbours across
    some[60, 5:8, 10] = True  # an island
    kept = lattice.joined(some.ravel()).reshape(lattice.shape)
    assert kept[40:44, :3, -1].all()
    assert kept[40, 2:5, 0].all()
    assert not kept[60].any()
    assert kept.sum() == some.sum() - 3
    assert not lattice.joined(np.zeros(some.size, dtype=bool)).any()


class Jump(PointSources):
    """Point sources with a field four times as large within a layer."""

    layer = 0.2e-3

    def field(self, points: ArrayLike) -> Floats:
        E = super().field(points)
        return np.where((self.lead.outside(points) < self.layer)[:, None], 4 * E, E)


def test_volume_across_an_encapsulation(sampled: SampledLead) -> None:
    response = Jump(lead=sampled.lattice.lead, sigma=SIGMA)
    found = activated(steer(response, {2: -1e-3}), FIELD)
    r, outer = ball_radius(1e-3), R + 0.2e-3
    exact = ring(r, outer) + ring(2 * r) - ring(2 * r, outer)
    assert found.volume == pytest.approx(exact, rel=2e-3)


class Half(PointSources):
    """Point sources with tissue on one side of a plane alone."""

    def field(self, points: ArrayLike) -> Floats:
        away = (np.asarray(points) - self.places[1]) @ self.lead.frame[:3, 0]
        return np.where((away > 0)[:, None], super().field(points), np.nan)


def test_nothing_is_activated_outside_the_tissue(sampled: SampledLead) -> None:
    lattice = lead_lattice(sampled.lattice.lead, reach=6e-3)
    half = Half(lead=lattice.lead, sigma=SIGMA)
    found = activated(steer(half, {2: -2e-3}), FIELD, sample_lead(half, lattice))
    assert found.volume == pytest.approx(0.5 * ring(ball_radius(2e-3)), rel=2e-3)
    tissue = np.isfinite(found.strength)
    assert 0.4 < tissue.mean() < 0.6
    assert found.sampled.volumes[tissue] == pytest.approx(lattice.volumes[tissue], rel=1e-12)
    assert not found.sampled.volumes[~tissue].any()
    assert not found.cells[~tissue].any()


@dataclass
class Axisymmetric:
    """One contact in a sphere by an independent solution of high order."""

    lead: Lead
    reference: Reference
    contacts = ("2",)
    insulated = ("1", "3", "4")
    layer = 0.0

    @property
    def areas(self) -> Floats:
        return np.array([self.lead.model.area(name) for name in self.contacts])

    @property
    def Z(self) -> Floats:
        return np.real(self.reference.impedance)

    def potential(self, points: ArrayLike) -> Floats:
        return self._at(points)[0]

    def field(self, points: ArrayLike) -> Floats:
        return self._at(points)[1]

    def _at(self, points: ArrayLike) -> tuple[Floats, Floats]:
        at = self.lead.to_lead(points)
        r = np.hypot(at[:, 0], at[:, 1])
        place, back = np.unique(np.round([r, at[:, 2]], 12), axis=1, return_inverse=True)
        V, E = self.reference.at(*place)
        Er, Ez = np.real(E)[:, :, back.ravel()]
        local = np.stack([Er * at[:, 0] / r, Er * at[:, 1] / r, Ez], axis=-1)
        return np.real(V)[:, back.ravel()], local @ self.lead.frame[:3, :3].T


def test_case_a_of_the_axisymmetric_reference() -> None:
    """Volumes of the finite-element reference on its own field, so that cells alone err."""
    lead = Lead(
        model=lead_model("Medtronic 3389"), tip=np.zeros(3), direction=np.array([0, 0, 1.0])
    )
    response = Axisymmetric(lead, Reference(Setting(contacts=((3.5e-3, 5e-3),))))
    sampled = sample_lead(response, lead_lattice(lead, reach=6e-3, sectors=12))
    for current, volume in ((1e-3, 10.133), (2e-3, 31.04), (3e-3, 58.32)):
        found = activated(steer(response, {2: current}), FIELD, sampled)
        assert 1e9 * found.volume == pytest.approx(volume, rel=1e-3)
    found = activated(steer(response, voltages={2: 1.0}), FIELD, sampled)
    assert 1e9 * found.volume == pytest.approx(25.734, rel=1e-3)


def test_a_volume_must_end_within_the_cells(sampled: SampledLead) -> None:
    with pytest.raises(InputError, match="larger reach"):
        activated(steer(sampled.response, {2: -30e-3}), FIELD, sampled)
    other = PointSources(lead=sampled.lattice.lead, sigma=SIGMA)
    with pytest.raises(InputError, match="lead that is steered"):
        activated(steer(other, {2: -1e-3}), FIELD, sampled)
    with pytest.raises(InputError, match="inner"):
        lead_lattice(sampled.lattice.lead, inner=0.02)
    with pytest.raises(InputError, match="step"):
        lead_lattice(sampled.lattice.lead, step=-1.0)
    with pytest.raises(InputError, match="sectors"):
        lead_lattice(sampled.lattice.lead, sectors=3)
    with pytest.raises(InputError, match="threshold"):
        FieldCriterion(threshold=-1.0)


def test_an_encapsulation_can_be_left_out(sampled: SampledLead) -> None:
    lead = sampled.lattice.lead
    without = sample_lead(sampled.response, lead_lattice(lead, reach=6e-3, inner=0.5e-3))
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, without)
    assert found.volume == pytest.approx(ring(ball_radius(3e-3), R + 0.5e-3), rel=3e-4)


def test_voxels_hold_the_volume(sampled: SampledLead, tmp_path: Path) -> None:
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, sampled)
    for voxel, limit in ((0.25e-3, 2e-3), (0.5e-3, 2e-3), (1e-3, 1e-2)):
        grid = grid_around(found, voxel)
        parts = on_grid(found, grid)
        assert parts.min() >= 0
        assert parts.max() <= 1
        assert parts.sum() * voxel**3 == pytest.approx(found.volume, rel=limit)
    path = tmp_path / "volume.nii.gz"
    write_volume(path, found, grid)
    image: Any = nib.load(path)
    assert np.abs(image.affine[:3, 3] - 1e3 * grid.affine[:3, 3]).max() < 1e-4
    assert np.abs(np.asarray(image.dataobj) - parts).max() < 1e-6
    with pytest.raises(InputError, match="nii"):
        write_volume(tmp_path / "volume.img", found)
    with pytest.raises(InputError, match="nothing is activated"):
        grid_around(activated(steer(sampled.response, {2: -1e-6}), FIELD, sampled))


def test_strength_between_the_cells(sampled: SampledLead) -> None:
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, sampled)
    rng = np.random.default_rng(0)
    u = rng.standard_normal((200, 3))
    u /= np.linalg.norm(u, axis=1)[:, None]
    x = places(sampled)[1] + 2.5e-3 * u
    r = ball_radius(3e-3)
    out = sampled.lattice.lead.outside(x) > 0.1e-3
    assert strength_at(found, x[out]) == pytest.approx((r / 2.5e-3) ** 2, rel=5e-3)
    assert strength_at(found, places(sampled)[1] + 0.1 * u).tolist() == [0] * 200


def test_overlap_with_balls(sampled: SampledLead) -> None:
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, sampled)
    centre = places(sampled)[1]
    small = overlap(found, ball_zone(centre, 2e-3, name="small"))
    assert small.common == pytest.approx(ring(2e-3), rel=1e-2)
    assert small.share == pytest.approx(ring(2e-3) / (4 / 3 * np.pi * 8e-9), rel=1e-2)
    assert small.spill == pytest.approx(found.volume - small.common)
    both = found.volume + small.zone_volume
    assert small.dice == pytest.approx(2 * small.common / both)
    large = overlap(found, ball_zone(centre, 4e-3))
    assert large.common == pytest.approx(found.volume, rel=1e-9)
    assert large.spill == pytest.approx(0, abs=1e-15)
    assert overlap(found, ball_zone(centre + 0.02, 2e-3)).share == 0
    assert large.as_dict()["zone"].startswith("4 mm around")
    with pytest.raises(InputError, match="radius"):
        ball_zone(centre, 0.0)


def test_volumes_of_two_leads_count_once(sampled: SampledLead) -> None:
    s = steer(sampled.response, {2: -3e-3})
    found = activated(s, FIELD, sampled)
    zone = ball_zone(places(sampled)[1], 4e-3)
    twice = overlap([found, found], zone)
    assert twice.volume == pytest.approx(found.volume, rel=1e-3)
    assert on_grid([found, found], grid_around(found)).max() == 1


def test_zone_of_an_image(sampled: SampledLead, tmp_path: Path) -> None:
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, sampled)
    centre = places(sampled)[1]
    values = np.zeros((20, 20, 20), dtype=np.float32)
    values[10:] = 0.5
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = 1e3 * centre - 0.5 * 9.5
    path = tmp_path / "nucleus.nii"
    nib.save(nib.Nifti1Image(values, affine), path)
    zone = image_zone(path)
    assert zone.volume == pytest.approx(0.5 * 4000 * 0.125e-9)
    lying = overlap(found, zone)
    assert lying.zone == "nucleus"
    assert lying.common == pytest.approx(0.25 * found.volume, rel=5e-3)
    nib.save(nib.Nifti1Image(3 * values, affine), path)
    with pytest.raises(InputError, match="from 0 to 1"):
        image_zone(path)


def test_zone_of_a_region(sampled: SampledLead) -> None:
    head = ball(20e-3)
    zone = region_zone(region_ball((0.01, 0.02, 0.03), 2e-3, name="nucleus"), head)
    assert zone.volume == pytest.approx(4 / 3 * np.pi * 8e-9, rel=0.05)
    found = activated(steer(sampled.response, {2: -3e-3}), FIELD, sampled)
    same = overlap(found, ball_zone((0.01, 0.02, 0.03), 2e-3))
    assert overlap(found, zone).common == pytest.approx(same.common, rel=1e-9)
    whole = region_zone(tissue_region("skull"), head, step=4e-3)
    assert whole.volume == pytest.approx(region_volume(head), rel=0.03)
    with pytest.raises(InputError, match="no point"):
        region_zone(region_ball((0.5, 0.0, 0.0), 2e-3) & tissue_region("skull"), head)
    with pytest.raises(InputError, match="larger step"):
        region_zone(tissue_region("skull"), head, step=0.2e-3)


def region_volume(head: Head) -> float:
    """Return the volume of the skull of a head (m³)."""
    return float(head.mesh.volumes()[head.mesh.labels == head.label_of("skull")].sum())
