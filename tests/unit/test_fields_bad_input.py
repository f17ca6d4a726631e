"""What makes no sense is refused in one sentence, before anything is solved or written."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.anisotropy import TensorImage
from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.coils.files import read_coil
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage, montage_4x1
from rheobase.fields.error import envelope_error, error_table, estimate_error
from rheobase.fields.focality import tissue_focality
from rheobase.fields.induction import solve_induction
from rheobase.fields.interference import Carriers
from rheobase.fields.results.table import field_table
from rheobase.fields.results.write import write_results
from rheobase.fields.solver import Conductor
from rheobase.fields.tensors import Tensors
from rheobase.fields.waveforms.files import read_waveform
from rheobase.fields.waveforms.shapes import sine
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.regions.region import ball
from rheobase.meshes.tissues import tissue

TENSOR = [2.0, 0.0, 0.0, 0.5, 0.0, 1.0]


def sphere(edge: float) -> Head:
    return Head(
        name="ball",
        species="human",
        space="sphere",
        mesh=mesh_spheres((0.06, 0.09), (2, 5), edge),
        tissues={2: tissue("grey_matter"), 5: tissue("scalp")},
    )


@pytest.fixture(scope="module")
def head() -> Head:
    return sphere(0.012)


@pytest.fixture(scope="module")
def basis(head: Head) -> FieldBasis:
    """Two coils over a sphere whose inner part is anisotropic."""
    inside = np.flatnonzero(head.mesh.labels == 2).astype(np.int32)
    tensors = Tensors(tets=inside, values=np.tile(TENSOR, (len(inside), 1)))
    coils = [magnetic_dipole([0, 0, z], [1.0, 0, 0], name=f"{z:g}") for z in (0.11, 0.15)]
    return solve_induction(Conductor(head, {2: 0.3, 5: 0.3}, tensors=tensors), coils)


def test_a_basis_knows_its_anisotropic_tissues(basis: FieldBasis, tmp_path: Path) -> None:
    assert basis.anisotropic == (2,)
    basis.save(tmp_path / "basis.h5")
    assert load_basis(tmp_path / "basis.h5").anisotropic == (2,)
    forgotten = estimate_error(replace(basis, anisotropic=()), [1.0, 0.0])
    right = estimate_error(basis, [1.0, 0.0])
    inside = basis.split_label == 2
    ratio = np.linalg.norm(forgotten[inside]) / np.linalg.norm(right[inside])
    assert ratio < 0.95  # too small, silently
    assert np.array_equal(forgotten[~inside], right[~inside])


def test_several_estimates_at_once(basis: FieldBasis) -> None:
    rows = [[1.0, 0.0], [0.0, 2.0], [1.0, -3.0]]
    together = estimate_error(basis, rows)
    assert np.allclose(together, [estimate_error(basis, r) for r in rows], rtol=1e-9, atol=0)


def test_every_table_has_its_error(head: Head, basis: FieldBasis, tmp_path: Path) -> None:
    a, spot = np.array([1.0, 2.0]), ball([0, 0, 0.04], 0.02, name="spot")
    error = estimate_error(basis, a)
    rows = field_table(basis, basis.magnitude(a), head, regions=[spot], error=error)
    expected = error_table(basis, a, head=head, regions=[spot])
    tissues = error_table(basis, a, head=head)
    for row, wanted in zip(rows, [*tissues, *expected], strict=True):
        assert row["region"] == wanted["region"]
        same = 1e-9 if row["kind"] == "tissue" else 0.02  # regions are taken within the brain
        assert row["rms"] == pytest.approx(wanted["E_rms"], rel=same)
        assert row["error_rms"] == pytest.approx(wanted["error_rms"], rel=same)
        assert row["relative_error"] == pytest.approx(float(row["error_rms"]) / float(row["rms"]))
    (plain,) = write_results(basis, a, head, tmp_path / "E", formats=["csv"])
    assert "relative_error" in plain.read_text(encoding="utf-8").splitlines()[0]
    beat = Carriers(frequencies=(1000.0, 1010.0))
    files = write_results(basis, a, head, tmp_path / "TI", formats=["csv"], carriers=beat)
    assert [f.name for f in files] == ["field_maxTI.csv", "field_max_carrier.csv"]
    for f in files:
        assert "relative_error" in f.read_text(encoding="utf-8").splitlines()[0]
    (bare,) = write_results(
        replace(basis, correction=None), a, head, tmp_path / "bare", formats=["csv"]
    )
    assert "error" not in bare.read_text(encoding="utf-8").splitlines()[0]


def test_the_error_of_an_envelope_bounds_what_wrong_fields_do() -> None:
    from rheobase.fields.interference import envelope_max

    rng = np.random.default_rng(4)
    E, wrong = rng.standard_normal((2, 300, 3)), 0.1 * rng.standard_normal((2, 300, 3))
    change = np.abs(envelope_max(E + wrong) - envelope_max(E))
    estimate = envelope_error(np.linalg.norm(wrong, axis=2))
    assert (change <= estimate * (1 + 1e-9)).all()
    assert change.max() > 0.3 * estimate.max()


def test_thresholds_that_meet_a_fraction_are_both_in_the_table(
    head: Head, basis: FieldBasis
) -> None:
    strength = np.ones(len(basis.split_node))
    row = field_table(basis, strength, head, above=(0.5,))[0]
    assert row["volume_mm3_above_0.5"] == row["volume_mm3_above_50pct"] == row["volume_mm3"]


@pytest.mark.parametrize(
    ("what", "match"),
    [
        (lambda b, h: field_table(b, np.zeros(len(b.split_node)), h), "a field above 0"),
        (lambda b, h: field_table(b, np.ones(3), h), "a value for each of"),
        (lambda b, h: field_table(b, b.magnitude([1, 1]), sphere(0.02)), "mesh of the head"),
        (lambda b, h: tissue_focality(b, np.ones(3), h), "a value for each of"),
        (lambda b, h: tissue_focality(b, b.magnitude([1, 1]), sphere(0.02)), "mesh of the head"),
        (lambda b, h: error_table(b, [1, 1], head=sphere(0.02)), "mesh of the head"),
        (lambda b, h: b.percentiles(np.ones(3), 2, [50]), "a value for each of"),
        (lambda b, h: b.peak(np.full(len(b.split_node), np.nan), 2), "expected finite values"),
        (lambda b, h: b.combine([np.nan, 1]), "expected finite amplitudes"),
        (
            lambda b, h: estimate_error(b, np.array([[1, 1], [np.inf, 1]])),
            "expected finite amplitudes",
        ),
        (lambda b, h: b.magnitude(["a", "b"]), "expected numbers as amplitudes"),
    ],
)
def test_fields_that_fit_nothing(
    what: Callable[[FieldBasis, Head], object], match: str, basis: FieldBasis, head: Head
) -> None:
    with pytest.raises(InputError, match=match):
        what(basis, head)


def two(*currents: float) -> Montage:
    pads = tuple(Electrode(name=n, centre=np.zeros(3)) for n in "ab")
    return Montage(name="a-b", electrodes=pads, currents=currents)


def image(affine: object) -> TensorImage:
    return TensorImage(values=np.ones((2, 2, 2, 6)), affine=np.asarray(affine, dtype=float))


@pytest.mark.parametrize(
    ("what", "match"),
    [
        (lambda: two(np.nan, -np.nan), r"finite currents \(A\), got \(nan, nan\)"),
        (lambda: two("1", "-1"), "finite currents"),  # type: ignore[arg-type]
        (lambda: Electrode(name="a", centre=np.zeros(3), shape="disc"), "got 'disc'"),  # type: ignore[arg-type]
        (lambda: Disc(radius_mm="12"), "radius_mm must be > 0, got '12'"),  # type: ignore[arg-type]
        (lambda: image(np.full((4, 4), np.nan)), "an invertible affine"),
        (lambda: image(np.diag([1.0, 1.0, 0.0, 1.0])), "an invertible affine"),
        (lambda: sine(10.0).samples(1e-15), "at most 50,000,000 samples"),
        (lambda: sine(10.0).samples(np.nan), "dt must be > 0"),
        (lambda: sine("10"), "frequency must be > 0, got '10'"),  # type: ignore[arg-type]
        (lambda: replace(magnetic_dipole([0, 0, 1], [1, 0, 0]), dIdt_max=np.nan), "dIdt_max > 0"),
    ],
)
def test_numbers_that_make_no_sense(what: Callable[[], object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        what()


def test_rings_of_4x1() -> None:
    layers = ["grey_matter", "scalp"]
    head = build_head(
        "sphere", edge_length_mm=11.0, radii_mm=[80, 92], layers=layers, sigma_S_per_m=[0.33, 0.33]
    )
    for ring, match in (
        (np.nan, "ring around 'Cz' must be > 0"),
        (-0.05, "ring around 'Cz' must be > 0"),
        ("C3C4", "expected four ring positions or a distance"),
        (("C3", "C4"), "expected four ring positions or a distance"),
    ):
        with pytest.raises(InputError, match=match):
            montage_4x1(head, centre="Cz", current=1e-3, ring=ring)
    one, other = (
        montage_4x1(head, centre="Cz", current=1e-3, ring=ring).electrodes[1].centre
        for ring in (0.05, cast(float, np.float32(0.05)))
    )
    assert np.allclose(one, other, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.ccd", "# x\n²\n0 0 0 0 0 1\n", "expected the number of dipoles, got '²'"),
        ("b.ccd", "# x\n1\n0 0 1e300 0 0 1\n", "a place within 1000 m"),
        ("c.ccd", "# x\n1\n0 0 0 0 0 1e9\n", "a moment of at most 1e"),
        ("d.csv", "time (s), I (kA)\n0,1\n1,1e308\n", "expected a finite time and 'I'"),
        ("e.csv", "time (s), I (A)\n-1e308,1\n1e308,1\n", "expected a finite time and 'I'"),
        ("f.tcd", "NaN", "dIdt_max > 0 A/s or None, got nan"),
    ],
)
def test_files_with_absurd_numbers(name: str, text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "f.tcd":
        element = {"type": 1, "stimulator": 0, "points": [[0, 0, 0]], "values": [[0, 0, 1]]}
        tree = {
            "coilElementList": [element],
            "stimulatorList": [{"name": "s", "maxdIdt": float(text)}],
        }
        text = json.dumps(tree)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=match) as caught:
        (read_waveform if name.endswith(".csv") else read_coil)(path)
    assert re.search(re.escape(str(path)), str(caught.value))
