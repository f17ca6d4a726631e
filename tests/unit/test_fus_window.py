"""Windows of beams into heads: surfaces, layers, what is at a point, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid, fluid_of
from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.checks import check_outside
from rheobase.fields.acoustics.window.smoothing import smooth_heights
from rheobase.fields.acoustics.window.window import WindowMaterial, beam_window
from rheobase.meshes.head import Head
from rheobase.meshes.leads.medium import ImageMedium, nested_spheres
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.regions.parcels import LabelImage
from rheobase.meshes.tissues import Tissue, tissue

Floats = NDArray[np.float64]

RADII = (85e-3, 90e-3, 95e-3)
APEX = 0.12
NAMES = ("grey_matter", "skull", "scalp")
NAMES_OF_ONE_LAYER = ("grey_matter", "csf", "skull", "scalp")


def downwards(tilt: float = 0.0) -> Floats:
    """Return the frame of a beam to the origin, turned by ``tilt`` (rad) about y from -z."""
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    frame = np.eye(4)
    frame[:3, :3] = turn @ np.diag([1.0, -1.0, -1.0])
    frame[:3, 3] = turn @ [0.0, 0.0, APEX]
    return frame


def errors(window: WindowMaterial, radius: float, k: int) -> tuple[Floats, float]:
    """Return errors of height (mm) and root mean square error of normals (degrees) of a sphere."""
    x, y = window.rays.x[:, None], window.rays.y[None]
    fall = np.sqrt(radius**2 - x**2 - y**2)
    surface = window.layers.surfaces[k]
    gx, gy = surface.gradient(x, y)
    tilt = np.hypot(gx - x / fall, gy - y / fall) * (fall / radius) ** 2
    return 1e3 * (surface(x, y) - (APEX - fall)), float(np.degrees(np.sqrt((tilt**2).mean())))


@dataclass(frozen=True, eq=False)
class Made:
    """Flat layers along -z from the top (z = 0): scalp 5, skull 6 mm, brain; and changes of it."""

    change: Callable[[Floats, NDArray[np.int32]], None] = lambda x, labels: None
    names: tuple[str, ...] = ("grey_matter", "csf", "skull", "scalp", "spongy_bone", "air")
    tissues: Mapping[int, Tissue] = field(init=False)
    bounds: Floats | None = None

    def __post_init__(self) -> None:
        """Number the tissues from 1."""
        object.__setattr__(
            self, "tissues", {k: tissue(n) for k, n in enumerate(self.names, start=1)}
        )

    def labels(self, points: ArrayLike) -> NDArray[np.int32]:
        """See `rheobase.meshes.leads.medium.Medium`."""
        x = np.asarray(points)
        labels = np.zeros(len(x), np.int32)
        labels[x[:, 2] < 0] = 4
        labels[x[:, 2] < -5e-3] = 3
        labels[x[:, 2] < -11e-3] = 1
        self.change(x, labels)
        return labels

    def tensors(self, points: ArrayLike) -> None:
        """See `rheobase.meshes.leads.medium.Medium`."""


def window_of(head: Any, **options: Any) -> WindowMaterial:
    """Return a window into a flat head: 20 mm wide, from 10 mm before to 30 mm behind its top."""
    frame = np.diag([1.0, -1.0, -1.0, 1.0])
    options = {"half_width": 10e-3, "depth": (-10e-3, 30e-3), "spacing": 0.8e-3, **options}
    return beam_window(head, frame, **options)


def test_exact_spheres_give_exact_surfaces() -> None:
    """Rays find nested spheres to 10 nm; layers, fluids and angles are those of the spheres."""
    head = nested_spheres(RADII, [tissue(n) for n in NAMES])
    window = beam_window(head, downwards(), half_width=0.03, depth=(0.01, 0.06), spacing=2e-3)
    for k, radius in enumerate(RADII[::-1]):
        height, _ = errors(window, radius, k)
        assert np.abs(height).max() < 1e-5
    assert window.kinds == (Kind.OUTSIDE, Kind.SOFT, Kind.COMPACT, Kind.BRAIN)
    layered = window.layered
    assert layered is not None
    assert [f.name for f in layered.fluids] == ["water", "scalp", "skull", "grey_matter"]
    corner = np.degrees(np.arcsin(0.03 * np.sqrt(2) / 90e-3))
    assert window.report.incidence[2] == pytest.approx(corner, abs=0.2)
    assert window.report.critical == pytest.approx(np.degrees(np.arcsin(1610 / 2800)))
    assert window.report.conforming == 1.0
    assert "absorbed_fraction" in " ".join(window.notes)


def test_surfaces_out_of_a_mesh() -> None:
    """Heights to the sagitta of a facet, normals to 0.2°, thickness to 0.2 %."""
    radii, edge = (70e-3, 80e-3, 90e-3), 7.5e-3
    made = {t.label: t for t in map(tissue, NAMES)}
    mesh = mesh_spheres(list(radii), list(made), edge)
    head = Head(name="ball", species="human", space="sphere", mesh=mesh, tissues=made)
    box: dict[str, Any] = {"half_width": 0.03, "depth": (0.01, 0.08), "target": (0, 0, 0.05)}
    window = beam_window(head, downwards(0.3), **box)
    for k, radius in enumerate(radii[::-1]):
        height, tilt = errors(window, radius, k)
        assert np.abs(height).max() < 1e3 * edge**2 / (6.0 * radius)
        assert tilt < 0.2
    x, y = window.rays.x[:, None], window.rays.y[None]
    exact = np.sqrt(radii[1] ** 2 - x**2 - y**2) - np.sqrt(radii[0] ** 2 - x**2 - y**2)
    found = np.diff(window.layers.heights(x, y)[1:], axis=0)
    assert found.mean() == pytest.approx(exact.mean(), rel=2e-3)
    assert window.report.conforming == 1.0


def voxels(edge: float) -> ImageMedium:
    """Return the cap of nested spheres in cubes."""
    x = np.arange(-36e-3, 36e-3, edge)
    z = np.arange(40e-3, 99e-3, edge)
    r = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + z**2)
    made = [tissue(n) for n in NAMES]
    values = np.array([*(t.label for t in made), 0], np.int32)[np.searchsorted(RADII, r)]
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = x[0], x[0], z[0]
    image = LabelImage(values=values, affine=affine, space="head")
    return ImageMedium(image=image, tissues={t.label: t for t in made})


def test_surfaces_out_of_voxels() -> None:
    """Cubes of 1 mm: heights from 0.16 to 0.06 mm and normals from 10° to 1.5° by smoothing.

    A beam along the voxels is the worst: the top of the sphere is one terrace of 12 mm.
    """
    head = voxels(1e-3)
    options: dict[str, Any] = {"half_width": 0.025, "depth": (0.02, 0.06)}
    window = beam_window(head, downwards(), **options)
    rough = beam_window(head, downwards(), smoothing=0.0, **options)
    for k, radius in enumerate(RADII[::-1]):
        height, tilt = errors(window, radius, k)
        before, tilt_before = errors(rough, radius, k)
        assert np.sqrt((height**2).mean()) < min(0.06, 0.5 * np.sqrt((before**2).mean()))
        assert tilt < 1.5
        assert tilt_before > 8.0
    x, y = window.rays.x[:, None], window.rays.y[None]
    exact = np.sqrt(RADII[1] ** 2 - x**2 - y**2) - np.sqrt(RADII[0] ** 2 - x**2 - y**2)
    found = np.diff(window.layers.heights(x, y)[1:], axis=0)
    assert found.mean() == pytest.approx(exact.mean(), rel=0.01)


def test_smoothing_keeps_quadratics_and_fills_holes() -> None:
    """A paraboloid stays itself up to the border, through a hole and past an outlier."""
    x = np.linspace(-1.0, 1.0, 31)
    z = 1.0 + 0.3 * x[:, None] - 0.2 * x + 0.5 * x[:, None] ** 2 + 0.4 * x[:, None] * x
    weight = np.ones_like(z)
    weight[10:18, 12:20] = 0.0
    given = np.where(weight > 0, z, 99.0)
    np.testing.assert_allclose(smooth_heights(given, weight, (2.0, 2.0), 0.01), z, atol=2e-4)
    noisy = z + np.random.default_rng(0).normal(0.0, 0.01, z.shape)
    noisy[20, 20] += 5.0
    assert np.abs(smooth_heights(noisy, np.ones_like(z), (2.0, 2.0), 0.01) - z).max() < 0.02
    with pytest.raises(ValueError, match="a height somewhere"):
        smooth_heights(z, np.zeros_like(z), (2.0, 2.0), 0.01)


def test_tables_of_the_skull() -> None:
    """The benchmark's shares, the head's own labels, and where there is no spongy bone."""
    plain = Made(names=NAMES_OF_ONE_LAYER)
    tables = window_of(plain, skull="tables")
    z = 1e3 * tables.layers.heights(0.0, 0.0)
    np.testing.assert_allclose(z, [0, 5, 5 + 6 * 1.5 / 6.5, 11 - 6 / 6.5, 11], atol=1e-4)
    assert tables.layers.fluids[3] == fluid_of("spongy_bone")

    def diploe(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(x[:, 2] < -7e-3) & (x[:, 2] > -10e-3) & (x[:, 0] < 0)] = 5

    own = window_of(Made(diploe))
    assert own.kinds[2:5] == (Kind.COMPACT, Kind.SPONGY, Kind.COMPACT)
    np.testing.assert_allclose(1e3 * own.layers.heights(-5e-3, 0.0), [0, 5, 7, 10, 11], atol=1e-3)
    # without spongy bone: a layer of the least thickness in the middle of the skull
    beside = 1e3 * own.layers.heights(5e-3, 0.0)
    np.testing.assert_allclose(beside, [0, 5, 8, 8.3, 11], atol=1e-3)
    assert 0.4 < own.report.thickened < 0.6
    whole = window_of(Made(diploe), skull="whole")
    assert whole.kinds == (Kind.OUTSIDE, Kind.SOFT, Kind.COMPACT, Kind.BRAIN)
    with pytest.raises(InputError, match="spongy bone in the beam"):
        window_of(Made(), skull="labels")


def test_a_bare_skull_has_no_soft_layer() -> None:
    """Bone that meets the water has no skin before it."""

    def bare(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[labels == 4] = 0

    window = window_of(Made(bare))
    assert window.kinds == (Kind.OUTSIDE, Kind.COMPACT, Kind.BRAIN)
    assert 1e3 * window.layers.heights(0.0, 0.0) == pytest.approx([5.0, 11.0])


def test_holes_are_what_the_head_has_there() -> None:
    """Through a hole of the skull, the layers do not hold and points are brain; elsewhere bone."""

    def hole(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(labels == 3) & (np.hypot(x[:, 0], x[:, 1]) < 2e-3)] = 1

    window = window_of(Made(hole))
    assert not window.conforming(0.0, 0.0)
    assert window.conforming(5e-3, 5e-3)
    assert 0.02 < window.report.boneless < 0.05
    c, rho, _ = window.materials([[0.0, 0.0, 8e-3], [5e-3, 5e-3, 8e-3]], 500e3)
    assert c.tolist() == [1560.0, 2800.0]
    assert rho.tolist() == [1040.0, 1850.0]


def test_bone_behind_the_skull_and_tissues_of_points() -> None:
    """Far bone is bone; CSF is CSF if asked for, brain if not; heat is the absorbed share."""

    def more(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(x[:, 2] < -11e-3) & (x[:, 2] > -13e-3)] = 2
        labels[(x[:, 2] < -25e-3) & (x[:, 0] > 5e-3)] = 3

    points = [[0.0, 0.0, 12e-3], [8e-3, 0.0, 27e-3], [0.0, 0.0, 27e-3]]
    uniform = window_of(Made(more))
    assert uniform.materials(points, 500e3)[0].tolist() == [1560.0, 2800.0, 1560.0]
    fine = window_of(Made(more), inside="labels")
    assert fine.materials(points, 500e3)[0].tolist() == [1504.5, 2800.0, 1560.0]
    bone = fluid_of("skull")
    assert fine.sound(points, 500e3)[1, 3] == pytest.approx(bone.absorption(500e3))
    assert fine.report.far_bone == pytest.approx(0.25, abs=0.02)


def test_steep_and_repeated_bone_does_not_conform() -> None:
    """A ramp of 75° and a second sheet of bone are left to sampling."""

    def ramp(x: Floats, labels: NDArray[np.int32]) -> None:
        rise = np.clip(x[:, 0] - 4e-3, 0.0, None) * np.tan(np.radians(75))
        bone = (x[:, 2] < -5e-3 - rise) & (x[:, 2] > -11e-3 - rise)
        labels[x[:, 2] < -5e-3] = 1
        labels[(x[:, 2] < -5e-3) & (x[:, 2] > -11e-3 - rise)] = 4
        labels[bone] = 3

    window = window_of(Made(ramp), depth=(-10e-3, 40e-3))
    assert not window.conforming(8e-3, 0.0)
    assert window.conforming(-8e-3, 0.0)
    assert window.report.steep > 0.2

    def arch(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(np.abs(x[:, 0]) < 2e-3) & (x[:, 2] > -3e-3) & (x[:, 2] < -1e-3)] = 3

    window = window_of(Made(arch))
    assert window.report.repeated == pytest.approx(0.2, abs=0.05)  # to one row of rays
    assert not window.conforming(0.0, 0.0)
    # the skull is the bone before the brain, the arch is not
    assert 1e3 * window.layers.heights(0.0, 0.0)[1] == pytest.approx(5.0, abs=0.05)
    assert window.materials([[0.0, 0.0, 2e-3]], 500e3)[0].tolist() == [2800.0]


def test_layers_that_describe_less_than_half_are_not_given() -> None:
    """Repeated bone over most of the window: no layered medium, only sampling."""

    def sheet(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(x[:, 0] < 5e-3) & (x[:, 2] > -3e-3) & (x[:, 2] < -1e-3)] = 3

    window = window_of(Made(sheet))
    assert window.layered is None
    assert window.materials([[0.0, 0.0, 2e-3], [0.0, 0.0, 4e-3]], 500e3)[0].tolist() == [2800, 1610]


def test_air_in_the_beam() -> None:
    """Air in the middle is refused with its place; at the rim it is a note."""

    def sinus(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(np.hypot(x[:, 0], x[:, 1]) < 3e-3) & (x[:, 2] < -7e-3) & (x[:, 2] > -9e-3)] = 6

    with pytest.raises(InputError, match=r"no air in the beam, .* air inside the head, first at"):
        window_of(Made(sinus))

    def aside(x: Floats, labels: NDArray[np.int32]) -> None:
        sinus(x - [8e-3, 8e-3, 0.0], labels)

    window = window_of(Made(aside))
    assert any("air inside the head" in note for note in window.notes)
    assert not window.conforming(8e-3, -8e-3)
    assert window.conforming(8e-3, 8e-3)


def test_a_gap_in_the_skin_is_filled_with_water() -> None:
    """Behind an ear there is gel, not air: a note and water there, no refusal."""

    def ear(x: Floats, labels: NDArray[np.int32]) -> None:
        labels[(x[:, 0] < -3e-3) & (x[:, 2] > -4e-3) & (x[:, 2] < -2e-3)] = 0

    window = window_of(Made(ear))
    assert any("gap in the skin" in note for note in window.notes)
    points = [[-5e-3, 0.0, 1e-3], [-5e-3, 0.0, 3e-3], [-5e-3, 0.0, 8e-3]]
    assert window.materials(points, 500e3)[0].tolist() == [1610.0, 1500.0, 2800.0]


def test_windows_that_make_no_sense_are_refused() -> None:
    """Each refusal says what is wrong and what to change."""
    head = nested_spheres(RADII, [tissue(n) for n in NAMES])
    good: dict[str, Any] = {"half_width": 0.01, "depth": (0.01, 0.06), "spacing": 1e-3}
    aside = downwards()
    aside[0, 3] = 0.2
    cases: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (downwards(), {"depth": (0.03, 0.06)}, "start outside the head, 100%"),
        (aside, {}, "meets the head"),
        (downwards(), {"depth": (0.01, 0.028)}, "expected bone in the beam"),
        (downwards(), {"depth": (0.01, 0.24)}, "far side of the head"),
        (downwards(), {"target": (0.0, 0.0, 0.0)}, "target inside the window"),
        (downwards(), {"half_width": -1.0}, "half width"),
        (downwards(), {"half_width": 10.0}, "expected a window in metres, within 1 m, got 10"),
        (downwards(), {"depth": (0.06, 0.01)}, "that grow"),
        (2.0 * np.eye(4), {}, "rotation and a shift"),
        (downwards(), {"skull": "hole"}, "unknown skull"),
        (downwards(), {"inside": "tissue"}, "unknown inside"),
        (downwards(), {"smoothing": -1.0}, "expected smoothing"),
        (downwards(), {"spacing": 0.0}, "spacing of rays"),
        (downwards(), {"fluids": {"brain": fluid_of("grey_matter")}}, "got brain"),
    )
    for frame, change, message in cases:
        with pytest.raises(InputError, match=message):
            beam_window(head, frame, **{**good, **change})
    soft = nested_spheres(RADII[:2], [tissue("grey_matter"), tissue("scalp")])
    with pytest.raises(InputError, match="expected a head with bone"):
        beam_window(soft, downwards(), **good)


def test_given_fluids_and_unknown_soft_tissues() -> None:
    """A given fluid takes the place of the table's; muscle without values is told of."""
    head = Made(names=("grey_matter", "csf", "skull", "scalp", "muscle"))
    mine = Fluid(name="mine", sound_speed=2500.0, density=1900.0)
    window = window_of(head, fluids={"skull": mine})
    assert window.layers.fluids[2] is mine
    assert any("not fully known of muscle" in note for note in window.notes)


def test_transducers_inside_the_head_are_refused() -> None:
    """With how many points and where."""
    head = nested_spheres(RADII, [tissue(n) for n in NAMES])
    check_outside(head, [[0.0, 0.0, 0.1]])
    with pytest.raises(InputError, match=r"1 of its 2 points are inside, .* \[0.0, 0.0, 90.0\] mm"):
        check_outside(head, [[0.0, 0.0, 0.1], [0.0, 0.0, 0.09]])


def test_the_report_is_text_and_numbers() -> None:
    """Lines for people, plain values for JSON."""
    report = window_of(Made()).report
    assert "skull 6.0 mm along the beam" in str(report)
    assert report.as_dict()["thickness"][2] == pytest.approx(6e-3)
