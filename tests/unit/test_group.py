"""Statistics over subjects: exact on heads that are deformed copies with known fields."""

from itertools import permutations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.recovery import split_nodes
from rheobase.fields.report import SourceReport
from rheobase.fields.results.nifti import Grid, write_image
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.spaces import Affine, Registration
from rheobase.meshes.tissues import tissue
from rheobase.stations.devices import Device
from rheobase.sweeps.group import group_statistics
from rheobase.sweeps.group_results import paired, run_group, subject_images
from rheobase.sweeps.maps import map_of, template_grid

Floats = NDArray[np.float64]

STRENGTHS = (1.0, 1.5, 2.5, 0.5)  # of the subjects, times the common field
SLOPE = np.array([4.0, -3.0, 2.0])  # V/m per metre
CENTRE = np.array([0.004, -0.02, 0.015])  # of the standard head in MNI space (m)


def common(x: Floats) -> Floats:
    """Return the strength of the common field at points of MNI space, linear in them."""
    strength: Floats = 2.0 + x @ SLOPE
    return strength


def deformed(k: int) -> Affine:
    """Return how subject k's space maps to MNI space."""
    rng = np.random.default_rng(k)
    matrix = np.eye(4)
    matrix[:3, :3] += 0.15 * rng.uniform(-1, 1, (3, 3))
    matrix[:3, 3] = CENTRE + 0.01 * rng.uniform(-1, 1, 3)
    return Affine(matrix=matrix)


@pytest.fixture(scope="module")
def ball() -> Head:
    """Return grey matter in a box of scalp: cubes of 10 mm, six tetrahedra each."""
    n = 17
    axis = np.linspace(-0.08, 0.08, n)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    first = np.stack(np.meshgrid(*[np.arange(n - 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = np.array([n * n, n, 1])
    tets = []
    for order in permutations(range(3)):  # from one corner to the other along the edges
        path = np.concatenate([[0], np.cumsum(steps[list(order)])])
        odd = np.linalg.det(np.eye(3)[list(order)]) < 0
        tets.append((first @ steps)[:, None] + (path[[0, 2, 1, 3]] if odd else path))
    found = np.concatenate(tets).astype(np.int32)
    grey = np.linalg.norm(nodes[found].mean(axis=1), axis=1) < 0.06
    mesh = TetMesh(nodes=nodes, tets=found, labels=np.where(grey, 1, 2).astype(np.int32))
    tissues = {1: tissue("grey_matter"), 2: tissue("scalp")}
    return Head(name="box", species="human", space="scanner", mesh=mesh, tissues=tissues)


def subject(ball: Head, k: int) -> Device:
    """Return a head that is a deformed copy, with the common field times its strength on it."""
    to_mni = deformed(k)
    standard = ball.mesh.nodes + CENTRE
    mesh = TetMesh(nodes=to_mni.inverse()(standard), tets=ball.mesh.tets, labels=ball.mesh.labels)
    head = Head(
        name=f"s{k}",
        species="human",
        space="scanner",
        mesh=mesh,
        tissues=ball.tissues,
        mni=Registration(to_mni=to_mni),
    )
    split = split_nodes(mesh)
    strength = STRENGTHS[k] * common(standard[split.node])
    return Device(
        head=head,
        basis=bare(mesh, split),
        amplitudes=np.ones(1),
        quantities={},
        strength=strength,
        name="E magnitude",
        at="",
    )


def bare(mesh: TetMesh, split: Any) -> FieldBasis:
    report = SourceReport(power=0.0, energy_balance=0.0, iterations=0, residual=0.0)
    return make_basis(
        mesh,
        split,
        names=["x"],
        unit="A",
        E=np.zeros((1, len(split.node), 3)),
        potential=np.zeros((1, len(mesh.nodes))),
        report=[report],
        anisotropic=(),
    )


GRID = Grid(
    shape=(9, 8, 7),
    affine=np.array(
        [[0.008, 0, 0, -0.028], [0, 0.008, 0, -0.05], [0, 0, 0.008, -0.01], [0, 0, 0, 1.0]]
    ),
)


@pytest.fixture(scope="module")
def maps(ball: Head) -> Floats:
    return np.stack([map_of(subject(ball, k), GRID, ["grey_matter"]) for k in range(4)])


def test_fields_of_deformed_heads_meet_in_the_common_space(maps: Floats) -> None:
    known = np.isfinite(maps)
    points = GRID.points(0, 9 * 8 * 7)
    inside = np.linalg.norm(points - CENTRE, axis=1) < 0.048  # well within the grey ball
    assert known.reshape(4, -1)[:, inside].all()
    beyond = np.linalg.norm(points - CENTRE, axis=1) > 0.072
    assert not known.reshape(4, -1)[:, beyond].any()  # the scalp does not count
    found = group_statistics(maps.reshape(4, -1))
    field, a = common(points[inside]), np.array(STRENGTHS)
    close = 1e-6  # images are float32
    np.testing.assert_allclose(found.mean[inside], a.mean() * field, rtol=close)
    np.testing.assert_allclose(found.sd[inside], a.std(ddof=1) * field, rtol=close)
    t = a.mean() / a.std(ddof=1) * 2.0
    np.testing.assert_allclose(found.t[inside], t, rtol=1e-5)
    assert found.count[inside].tolist() == [4] * inside.sum()
    assert found.flips == 16
    np.testing.assert_array_equal(found.p_family[inside], 2 / 16)  # signs all alike, of 16
    assert np.isnan(found.mean[beyond]).all()


def test_difference_of_conditions_and_reference() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(5.0, 1.0, (12, 40))
    x[:, :4] += 3.0
    other = rng.normal(5.0, 1.0, (12, 40))
    found = group_statistics(x, against=other, seed=1)
    assert found.flips >= 2000
    assert (found.p_family[:4] < 0.01).all()
    assert (found.p_family[4:] > 0.01).all()
    assert (found.q_rate[:4] < 0.05).all()
    np.testing.assert_allclose(found.mean, (x - other).mean(axis=0))
    assert found.consistency[:4].min() > 0.9
    shifted = group_statistics(x, reference=5.0)
    expected = (x.mean(axis=0) - 5) / (x.std(axis=0, ddof=1) / np.sqrt(12))
    np.testing.assert_allclose(shifted.t, expected)
    np.testing.assert_allclose(shifted.mean, x.mean(axis=0))


def test_chance_of_any_false_place_is_the_level() -> None:
    """Of 400 groups of 9 subjects without any effect, at 60 places that hang together."""
    rng = np.random.default_rng(7)
    hits = 0
    for k in range(400):
        raw = rng.standard_normal((9, 62))
        smooth = raw[:, :-2] + raw[:, 1:-1] + raw[:, 2:]
        found = group_statistics(smooth, flips=200, seed=k)
        hits += bool((found.p_family <= 0.05).any())
    assert abs(hits / 400 - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)


def test_places_that_few_subjects_have_are_left_out() -> None:
    x = np.array([[1.0, np.nan, 2.0], [3.0, 1.0, np.nan], [5.0, np.nan, 4.0]])
    found = group_statistics(x)
    assert np.isfinite(found.mean).tolist() == [True, False, False]
    some = group_statistics(x, least=0.6)
    assert some.count.tolist() == [3, 1, 2]
    np.testing.assert_allclose(some.mean, [3.0, np.nan, 3.0])
    np.testing.assert_allclose(some.sd[2], np.sqrt(2))
    np.testing.assert_allclose(some.t[2], 3.0)


def test_consistency_counts_subjects_by_their_own_strong_field() -> None:
    x = np.array([[10.0, 6.0, 1.0], [1.0, 0.4, 0.1], [4.0, 3.0, 2.5]])
    assert group_statistics(x).consistency.tolist() == [1.0, 2 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: group_statistics([[1.0, 2.0]]), "two subjects or more"),
        (lambda: group_statistics(np.ones((3, 2)), against=np.ones((2, 2))), "both conditions"),
        (lambda: group_statistics(np.full((3, 2), np.nan)), "found none"),
        (lambda: group_statistics(np.ones((3, 2)), least=2.0), "least must be from 0 to 1"),
    ],
)
def test_impossible_groups_are_refused(call: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.slow  # pictures
def test_images_in_statistical_maps_and_a_table_out(tmp_path: Path, maps: Floats) -> None:
    paths = [tmp_path / f"sub-{k}.nii.gz" for k in range(4)]
    for path, one in zip(paths, maps, strict=True):
        write_image(path, lambda one=one: one, GRID, space="MNI", description="x")  # type: ignore[misc]
    labels = np.zeros(GRID.shape, np.int16)
    labels[:4], labels[4:8] = 1, 2
    write_image(tmp_path / "atlas.nii.gz", lambda: labels, GRID, space="MNI", description="x")
    (tmp_path / "names.csv").write_text("label,name\n1,left\n2,right\n")
    result = run_group(
        paths,
        tmp_path / "out",
        atlas=tmp_path / "atlas.nii.gz",
        atlas_names=tmp_path / "names.csv",
        least=0.5,
    )
    (mean,) = [p for p in result.files if "stat-mean" in p.name]
    image: Any = nib.load(mean)
    found = np.asarray(image.dataobj)
    several = np.isfinite(maps).sum(axis=0) >= 2
    np.testing.assert_allclose(found[several], np.nanmean(maps, axis=0)[several], rtol=1e-5)
    assert np.isnan(found[~several]).all()
    np.testing.assert_allclose(image.affine[:3, 3], GRID.affine[:3, 3] * 1e3)
    table = {str(row[0]): row for row in result.tables["Regions"].rows}
    at = result.tables["Regions"].columns.index("mean")
    for name, part in (("left", slice(0, 4)), ("right", slice(4, 8))):
        each = np.nanmean(maps[:, part].reshape(4, -1), axis=1)
        assert table[name][at] == pytest.approx(each.mean(), rel=1e-5)
    assert "is positive in every subject" in (tmp_path / "out/report.html").read_text()
    with pytest.raises(InputError, match="expected two subjects or more, got 1"):
        run_group(paths[:1], tmp_path / "one")
    with pytest.raises(InputError, match="in one only: sub-3: --against"):
        run_group(paths, tmp_path / "two", against=paths[:3])
    moved = GRID.affine.copy()
    moved[0, 3] += 0.001
    other = Grid(shape=GRID.shape, affine=moved)
    write_image(tmp_path / "far.nii", lambda: maps[0], other, space="MNI", description="x")
    with pytest.raises(InputError, match="expected images on one grid"):
        run_group([paths[0], tmp_path / "far.nii"], tmp_path / "three")
    with pytest.raises(InputError, match="found no"):
        run_group([tmp_path], tmp_path / "four")


def test_conditions_are_paired_by_subject(tmp_path: Path) -> None:
    def images(folder: str, *names: str) -> dict[str, Path]:
        (tmp_path / folder).mkdir(exist_ok=True)
        paths = [tmp_path / folder / f"{name}.nii" for name in names]
        for path in paths:
            path.touch()
        return subject_images(paths, {})

    first = images("a", "sub-01_magnE", "sub-02_magnE", "sub-10_magnE")
    assert list(first) == ["sub-01", "sub-02", "sub-10"]
    turned = images("b", "sub-10_other", "sub-01_other", "sub-02_other")
    others, notes = paired(list(first), turned)
    assert list(others.items()) == [(name, turned[name]) for name in first]
    assert not notes
    for names, words in (
        (("sub-01_x", "sub-02_x", "sub-03_x"), "in one only: sub-03, sub-10"),
        (("sub-01_x", "sub-02_x"), "in one only: sub-10"),
        (("sub-4_x", "sub-5_x", "sub-6_x"), "in one only: sub-01, sub-02"),
    ):
        with pytest.raises(InputError, match=words):
            paired(list(first), images("c", *names))
    plain = images("d", "anna", "ben", "carl")
    with pytest.raises(InputError, match="got 3 and 2: --against"):
        paired(list(plain), images("e", "anna2", "ben2"))
    others, notes = paired(list(plain), images("f", "x", "y", "z"))
    assert [path.stem for path in others.values()] == ["x", "y", "z"]
    assert "anna with x, ben with y, carl with z" in notes[0]


def test_maps_of_a_sweep_are_chosen_by_their_axes(tmp_path: Path) -> None:
    names = np.array([["maps/a.nii", "maps/b.nii"], ["maps/c.nii", ""]])
    coords = {"head": ["s1", "s2"], "device.current_mA": [1.0, 2.0]}
    data = xr.Dataset({"map": (tuple(coords), names)}, coords=coords)
    (tmp_path / "group").mkdir()
    data.to_netcdf(tmp_path / "group/sweep.nc", engine="h5netcdf")
    found = subject_images([tmp_path], {"device.current_mA": 1})
    assert found == {"s1": tmp_path / "maps/a.nii", "s2": tmp_path / "maps/c.nii"}
    for at, words in (
        ({"device.current_mA": 2}, "there is no map of s2"),
        ({"device.current_mA": 3}, r"one of 1.0, 2.0, got 3"),
        ({"device.curent": 3}, "unknown axis 'device.curent'"),
        ({}, "varies device.current_mA too"),
    ):
        with pytest.raises(InputError, match=words):
            subject_images([tmp_path], at)
    xr.Dataset({"map": ("head", names[:, 0])}).to_netcdf(
        tmp_path / "group/sweep.nc", engine="h5netcdf"
    )
    with pytest.raises(InputError, match="varies the heads alone, got 'x'"):
        subject_images([tmp_path], {"x": 1})
    with pytest.raises(InputError, match="reference must be finite"):
        run_group([tmp_path], tmp_path / "out", reference=float("nan"))


def test_template_grid_covers_the_template() -> None:
    grid = template_grid(2.0)
    first, last = grid.points(0, 1)[0], grid.points(99 * 117 * 95 - 1, 99 * 117 * 95)[0]
    np.testing.assert_allclose(first, [-0.098, -0.134, -0.072])
    np.testing.assert_allclose(last, [0.098, 0.098, 0.116])
