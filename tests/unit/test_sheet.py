"""The cortical sheet: areas, volumes, layers and positions against exact ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.curvature import angle_deficit, curvature
from rheobase.meshes.cortex.layers import (
    borders,
    cortical_layers,
    equivolume,
    layer_table,
    waehnert,
)
from rheobase.meshes.cortex.sheet import (
    CorticalSheet,
    join_sheets,
    sheet_from_central,
    sheet_from_surfaces,
)
from rheobase.meshes.cortex.sites import sample_sites
from rheobase.meshes.heads.slab import flat_sheet
from rheobase.meshes.heads.sphere import shell_sheet, unit_sphere

Floats = NDArray[np.float64]
INNER, OUTER = 7e-3, 10e-3


@pytest.fixture(scope="module")
def shell() -> CorticalSheet:
    return shell_sheet(OUTER, OUTER - INNER)


def cylinder(n: int) -> CorticalSheet:
    """A shell around z, 20 mm long, of ``n`` facets."""
    angle, z = np.arange(n) * 2 * np.pi / n, np.linspace(0.0, 20e-3, 9)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    points = np.concatenate([OUTER * ring + [0, 0, h] for h in z])
    inner = np.concatenate([INNER * ring + [0, 0, h] for h in z])
    k = np.arange(n * 8).reshape(8, n)
    right = np.roll(k, -1, axis=1)
    faces = np.concatenate(
        [
            np.stack([k, right, right + n], axis=-1).reshape(-1, 3),
            np.stack([k, right + n, k + n], axis=-1).reshape(-1, 3),
        ]
    )
    return sheet_from_surfaces(points, inner, faces)


def prisms(sheet: CorticalSheet) -> float:
    """Volume between the two surfaces by the divergence theorem, bilinear sides closed."""
    assert angle_deficit(sheet.pial, sheet.triangles).sum() == pytest.approx(4 * np.pi)

    def enclosed(points: Floats) -> float:
        a, b, c = (points[sheet.triangles[:, k]] for k in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)

    return enclosed(sheet.pial) - enclosed(sheet.white)


def test_volume_of_a_closed_sheet_is_that_between_its_surfaces(shell: CorticalSheet) -> None:
    assert shell.volume().sum() == pytest.approx(prisms(shell), rel=1e-12)
    # the same where columns lean and their ends are far from parallel
    rng = np.random.default_rng(3)
    crooked = sheet_from_surfaces(
        shell.pial * [1.3, 1.0, 0.9] + 3e-4 * rng.normal(size=shell.pial.shape),
        shell.white,
        shell.triangles,
    )
    assert crooked.volume().sum() == pytest.approx(prisms(crooked), rel=1e-12)


def test_areas_and_volume_of_a_shell_approach_the_sphere(shell: CorticalSheet) -> None:
    for depth, r in ((0.0, OUTER), (0.5, 0.5 * (OUTER + INNER)), (1.0, INNER)):
        assert shell.area_at(depth).sum() == pytest.approx(4 * np.pi * r**2, rel=1e-3)
    np.testing.assert_allclose(shell.area_at(0.5), shell.area, rtol=1e-12)
    exact = 4 / 3 * np.pi * (OUTER**3 - INNER**3)
    assert shell.volume().sum() == pytest.approx(exact, rel=1e-3)
    assert (shell.volume() > 0).all()


def test_layers_of_a_spherical_shell_are_exact(shell: CorticalSheet) -> None:
    found = borders(shell, "human")
    f = layer_table("human").fractions
    exact = (OUTER - np.cbrt(OUTER**3 - f * (OUTER**3 - INNER**3))) / (OUTER - INNER)
    np.testing.assert_allclose(found, np.broadcast_to(exact, found.shape), atol=1e-9)
    # Waehnert's square root, exact on a cylinder, is off here by a few hundredths of a layer
    square = waehnert(f, [OUTER**2], [INNER**2])
    assert 1e-4 < np.abs(square - exact).max() < 1e-2


def test_layers_of_a_cylinder_are_waehnerts() -> None:
    sheet = cylinder(24)
    found = cortical_layers(sheet, "rat")
    f = layer_table("rat").fractions
    exact = (OUTER - np.sqrt(OUTER**2 - f * (OUTER**2 - INNER**2))) / (OUTER - INNER)
    np.testing.assert_allclose(found.borders, np.broadcast_to(exact, found.borders.shape), 1e-9)
    np.testing.assert_allclose(waehnert(f, [OUTER], [INNER])[0], exact, atol=1e-12)
    assert not found.folded.any()


def test_layers_of_a_slab_are_those_of_the_table() -> None:
    sheet = flat_sheet(4e-3, 2e-3, 4e-4)
    f = layer_table("mouse").fractions
    found = borders(sheet, "mouse")
    np.testing.assert_allclose(found, np.broadcast_to(f, found.shape), atol=1e-12)
    np.testing.assert_allclose(waehnert(f, [2.0], [2.0])[0], f, atol=1e-15)


def test_each_layer_holds_its_share_of_every_column(shell: CorticalSheet) -> None:
    stretched = sheet_from_surfaces(
        shell.pial * [1.2, 1.0, 0.9], shell.white * [0.9, 1.0, 1.1], shell.triangles
    )
    layers = cortical_layers(stretched, "human")
    across = stretched.sections()
    x, w = np.polynomial.legendre.leggauss(3)
    for k, name in enumerate(layers.names):
        top, bottom = layers.borders[:, k], layers.borders[:, k + 1]
        share = np.zeros(len(top))
        for node, weight in zip(x, w, strict=True):
            d = 0.5 * (top + bottom) + 0.5 * (bottom - top) * node
            basis = np.stack([(1 - d) * (1 - 2 * d), 4 * d * (1 - d), d * (2 * d - 1)], axis=1)
            share += 0.5 * weight * (bottom - top) * np.einsum("ij,ij->i", basis, across)
        whole = across @ np.array([1.0, 4.0, 1.0]) / 6
        low, high = layer_table("human").layer(name)
        np.testing.assert_allclose(share / whole, high - low, rtol=1e-9)
    assert layers.borders[:, 3].std() > 0.005  # they do follow the folds


def test_names_and_depths_of_layers(shell: CorticalSheet) -> None:
    layers = cortical_layers(shell, "human", "FA (M1)")
    assert layers.names == ("L1", "L2/3", "L5", "L6")
    for name in layers.names:
        assert (layers.layer_of(layers.depth(name, 0.5)) == name).all()
        assert (layers.layer_of(layers.depth(name, 0.001)) == name).all()
    assert (layers.layer_of(0.0) == "L1").all()
    assert (layers.layer_of(1.0) == "L6").all()
    with pytest.raises(InputError, match="no layer 'L4' in human FA"):
        layers.depth("L4")
    with pytest.raises(InputError, match="species"):
        borders(shell, "dog")
    assert layer_table("macaque").thickness == pytest.approx(1.985e-3)


def test_folded_columns_are_marked_and_divided_by_depth() -> None:
    sheet = flat_sheet(1e-3, 1e-3, 2e-4)
    white = sheet.white.copy()
    white[:, 0] *= -0.5  # the white surface runs backwards: every column crosses its neighbours
    layers = cortical_layers(
        CorticalSheet(pial=sheet.pial, white=white, triangles=sheet.triangles, area=sheet.area),
        "rat",
    )
    assert layers.folded.all()
    np.testing.assert_allclose(layers.borders, layer_table("rat").fractions[None].repeat(36, 0))


def test_equivolume_holds_at_extreme_ratios() -> None:
    rng = np.random.default_rng(0)
    across = 10.0 ** rng.uniform(-3, 3, (500, 2))
    middle = (0.5 * (np.sqrt(across[:, 0]) + np.sqrt(across[:, 1]))) ** 2
    across = np.stack([across[:, 0], middle, across[:, 1]], axis=1)
    f = np.linspace(0, 1, 12)
    d = equivolume(f, across)
    assert (np.diff(d, axis=1) > 0).all()
    assert (d[:, 0] == 0).all()
    assert (d[:, -1] == 1).all()
    r0, r1 = np.sqrt(across[:, :1]), np.sqrt(across[:, 2:])  # a sphere between these two radii
    r = r0 + d * (r1 - r0)
    np.testing.assert_allclose((r**3 - r0**3) / (r1**3 - r0**3), f[None].repeat(500, 0), atol=1e-9)


def test_sheet_of_given_surfaces() -> None:
    points, faces = unit_sphere(3)
    inward = faces[:, ::-1]
    sheet = sheet_from_surfaces(OUTER * points, INNER * points, inward)
    np.testing.assert_array_equal(sheet.triangles, faces)  # turned to face the pia
    wall = points[:, 0] > 0.8
    white = np.where(wall[:, None], OUTER * points, INNER * points)
    open_sheet = sheet_from_surfaces(OUTER * points, white, faces)
    assert len(open_sheet) == np.count_nonzero(~wall)
    assert open_sheet.triangles.max() < len(open_sheet)
    both = join_sheets(sheet, open_sheet)
    assert both.volume().sum() == pytest.approx(sheet.volume().sum() + open_sheet.volume().sum())
    middle = 0.5 * (OUTER + INNER)
    central = sheet_from_central(middle * points, np.full(len(points), OUTER - INNER), faces)
    np.testing.assert_allclose(central.pial, OUTER * points, atol=0.02 * (OUTER - INNER))
    np.testing.assert_allclose(central.thickness, OUTER - INNER, rtol=1e-12)


def test_real_surfaces_of_freesurfer() -> None:
    """fsaverage5, which nilearn ships: thickness, folds and curvature as FreeSurfer has them."""
    import nibabel as nib

    from rheobase.meshes.heads.mni152_template import sources

    def arrays(path: Path) -> list[NDArray[Any]]:
        image: Any = nib.load(path)
        return [a.data for a in image.darrays]

    files = sources()
    folder = files["pial_left"].parent
    sheets = []
    for side in ("left", "right"):
        pial, triangles = arrays(files[f"pial_{side}"])
        white, thick = (arrays(files[f"{k}_{side}"])[0] for k in ("white", "thick"))
        bent = arrays(folder / f"curv_{side}.gii.gz")[0]
        wall = thick <= 0
        sheet = sheet_from_surfaces(1e-3 * pial, 1e-3 * white, triangles, keep=~wall)
        # a vertex at the wall none of whose triangles is whole goes too
        assert len(sheet) == pytest.approx(np.count_nonzero(~wall), abs=50)
        mean, _ = curvature(1e-3 * white.astype(np.float64), triangles)
        assert np.corrcoef(mean[~wall], bent[~wall])[0, 1] < -0.85  # its sign is the other way
        sheets.append(sheet)
    both = join_sheets(*sheets)
    # vertex to vertex is never shorter than FreeSurfer's mean of nearest distances (2.34 mm here)
    assert 2.3e-3 < both.thickness.mean() < 2.8e-3
    areas = [both.area_at(d).sum() * 1e4 for d in (0.0, 0.5, 1.0)]
    assert areas == pytest.approx([1471, 1366, 1274], rel=0.01)
    assert both.volume().sum() == pytest.approx(327.6e-6, rel=0.01)
    layers = cortical_layers(both, "human")
    assert layers.folded.mean() < 2e-3
    # crowns: more area outside, so the upper layers are thinner there than in the bottoms of sulci
    crown = both.area_at(0.0) > 1.5 * both.area_at(1.0)
    bottom = both.area_at(1.0) > 1.1 * both.area_at(0.0)
    flat = layer_table("human").fractions[3]
    assert layers.borders[crown, 3].mean() < flat - 0.05
    assert layers.borders[bottom, 3].mean() > flat + 0.02


@pytest.mark.parametrize(
    ("pial", "white", "faces", "match"),
    [
        (np.zeros((4, 3)), np.zeros((5, 3)), [[0, 1, 2]], "as many pial as white"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), [[0, 1, 2]], "finite"),
        (np.zeros((4, 3)), np.zeros((4, 3)), [[0, 1, 2]], "found none"),
        (np.ones((4, 3)), np.zeros((4, 3)), [[0, 1, 4]], "over 4 vertices, got 0 to 4"),
        (np.ones((4, 3)), np.zeros((4, 3)), [[0, 1]], r"shape \(m, 3\)"),
    ],
)
def test_surfaces_that_are_no_sheet(
    pial: Floats, white: Floats, faces: list[list[int]], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        sheet_from_surfaces(pial, white, faces)


def test_positions_share_the_area(shell: CorticalSheet) -> None:
    n = 4000
    sites = sample_sites(shell, count=n, seed=1)
    assert len(sites) == n
    up = sites.normal
    np.testing.assert_allclose(np.linalg.norm(sites.position, axis=1), 8.5e-3, rtol=2e-3)
    assert np.einsum("ij,ij->i", up, sites.position).min() > 8.4e-3
    # octants: a random draw would be off by 21 in each
    octant = (sites.position > 0) @ [1, 2, 4]
    assert np.abs(np.bincount(octant, minlength=8) - n / 8).max() < 12
    again = sample_sites(shell, count=n, seed=1)
    np.testing.assert_array_equal(again.position, sites.position)
    other = sample_sites(shell, count=n, seed=2)
    assert np.abs(other.position - sites.position).max() > 1e-3
    # any first part of them is spread over the whole too
    assert np.abs(np.bincount(octant[:800], minlength=8) - 100).max() < 40


def test_positions_in_a_layer_of_some_columns(shell: CorticalSheet) -> None:
    north = shell.pial[:, 2] > 2e-3
    layers = cortical_layers(shell, "human")
    sites = sample_sites(shell, per_mm2=2.0, seed=4, columns=north, layers=layers, layer="L5")
    area = 2 * np.pi * 8.5e-3 * (8.5e-3 - 0.85 * 2e-3) * 1e6
    assert len(sites) == pytest.approx(2 * area, rel=0.05)
    assert north[sites.column].all()
    top, bottom = layers.borders[0, 3:5]
    assert top <= sites.depth.min() < top + 0.02 * (bottom - top)
    assert bottom >= sites.depth.max() > bottom - 0.02 * (bottom - top)
    nearest = np.linalg.norm(
        sites.pial[:, None] - shell.pial[None, sites.column[:50]], axis=2
    ).argmin(axis=1)[:50]
    assert (sites.column[:50][nearest] == sites.column[:50]).mean() > 0.9


def test_position_refusals(shell: CorticalSheet) -> None:
    with pytest.raises(InputError, match="both or neither"):
        sample_sites(shell, seed=0)
    with pytest.raises(InputError, match="both or neither"):
        sample_sites(shell, seed=0, count=3, per_mm2=1.0)
    with pytest.raises(InputError, match="positions in the cortex"):
        sample_sites(shell, seed=0, per_mm2=1e9)
    with pytest.raises(InputError, match="must hold a triangle"):
        sample_sites(shell, seed=0, count=3, columns=np.zeros(len(shell), bool))
    with pytest.raises(InputError, match="shape"):
        sample_sites(shell, seed=0, count=3, columns=[True])
    with pytest.raises(InputError, match="depth must lie"):
        sample_sites(shell, seed=0, count=3, depth=1.5)
    with pytest.raises(InputError, match="one of the two"):
        sample_sites(shell, seed=0, count=3, layer="L5")
    assert len(sample_sites(shell, seed=0, count=0)) == 0
