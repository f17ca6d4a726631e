"""Fibre pathways: reading, making, placing, sampling, activation."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.fields.waveforms.trains import dbs_pulse
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.neurons.fibres.mrg_stimulus import Courses
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.activation import (
    pathway_model,
    thresholds_over_time,
)
from rheobase.neurons.pathways.bundle import bundle
from rheobase.neurons.pathways.placing import place_axons
from rheobase.neurons.pathways.sampled import Fate, sample_axons
from rheobase.neurons.pathways.tracts import read_tracts
from rheobase.neurons.sample import PointSource


def moved(line: Floats, *shift: float) -> Floats:
    out: Floats = line + np.array(shift)
    return out


STRAIGHT = np.array([[0.0, 0.0, -0.02], [0.0, 0.0, 0.02]])


def lines(*distances: float) -> list[Floats]:
    return [moved(STRAIGHT, d, 0.0, 0.0) for d in distances]


class Poles:
    """Point sources, NaN beyond a plane."""

    def __init__(self, *places: ArrayLike, top: float = np.inf) -> None:
        self.sources = [PointSource(position=p, conductivity=0.2) for p in places]
        self.top = top

    def potential(self, points: Floats) -> Floats:
        V = np.stack([s.potential(points) for s in self.sources])
        V[:, points[:, 2] > self.top] = np.nan
        return V


def test_tractograms(tmp_path: Path) -> None:
    from nibabel.streamlines import save
    from nibabel.streamlines.tractogram import Tractogram

    some = [STRAIGHT * 1e3, np.array([[1.0, 2, 3], [1, 2, 3], [4, 5, 6]], dtype=np.float32)]
    for kind in ("trk", "tck"):
        path = tmp_path / f"fibres.{kind}"
        save(Tractogram(some, affine_to_rasmm=np.eye(4)), str(path))
        got = read_tracts(path)
        assert len(got) == 2
        assert got[0] == pytest.approx(STRAIGHT, abs=1e-8)
        assert got[1] == pytest.approx(np.array([[1, 2, 3], [4, 5, 6]]) * 1e-3, abs=1e-8)


def test_tractograms_that_are_none(tmp_path: Path) -> None:
    from nibabel.streamlines import save
    from nibabel.streamlines.tractogram import Tractogram

    with pytest.raises(InputError, match="found no file"):
        read_tracts(tmp_path / "none.trk")
    with pytest.raises(InputError, match=r"unknown kind of tractogram"):
        read_tracts(tmp_path / "fibres.vtk")
    broken = tmp_path / "broken.tck"
    broken.write_bytes(b"mrtrix tracks\n")
    with pytest.raises(InputError, match="cannot read the tractogram"):
        read_tracts(broken)
    empty = tmp_path / "empty.tck"
    save(Tractogram([], affine_to_rasmm=np.eye(4)), str(empty))
    with pytest.raises(InputError, match="none with two different points"):
        read_tracts(empty)
    trx = tmp_path / "fibres.trx"
    trx.write_bytes(b"PK")
    with pytest.raises(InputError, match="trx"):
        read_tracts(trx)


def test_bundle_keeps_its_ends_and_seed() -> None:
    ends = [0, 0, 0], [0.02, 0.01, 0.03]
    made = bundle(*ends, 200, via=[[0.0, 0.015, 0.015]], spread=(1e-3, 2e-3, 0.5e-3), seed=3)
    again = bundle(*ends, 200, via=[[0.0, 0.015, 0.015]], spread=(1e-3, 2e-3, 0.5e-3), seed=3)
    assert all((a == b).all() for a, b in zip(made, again, strict=True))
    first = np.array([line[0] for line in made])
    last = np.array([line[-1] for line in made])
    assert np.linalg.norm(first - ends[0], axis=1).max() < 1.5e-3
    assert np.linalg.norm(last - ends[1], axis=1).max() < 0.75e-3
    assert first.std(axis=0).max() == pytest.approx(0.5e-3, rel=0.15)
    middle = [np.linalg.norm(line - [0.0, 0.015, 0.015], axis=1).min() for line in made]
    assert max(middle) < 3e-3
    steps = np.concatenate([np.linalg.norm(np.diff(line, axis=0), axis=1) for line in made])
    assert steps.max() <= 0.5e-3


def test_axons_on_lines() -> None:
    axons = place_axons([*lines(1e-3, 2e-3), STRAIGHT * 0.01], 5.7e-6, compartments=True, seed=1)
    assert axons.axon.internode == 0.5e-3
    assert axons.nodes[:2].tolist() == [80, 80]
    assert axons.nodes[2] <= 1
    first = axons.points[axons.first[0] : axons.first[1]]
    assert np.diff(first[::11, 2]) == pytest.approx(0.5e-3)
    assert first[:, 2] - first[0, 2] == pytest.approx(axons.axon.compartments(80), abs=1e-12)
    phases = [axons.points[i, 2] + 0.02 for i in axons.first[:2]]
    assert 0 <= min(phases) < max(phases) < 0.5e-3
    assert place_axons(lines(0.0), 4e-6).axon.sizes == "interpolated"


def test_fates() -> None:
    lead = place_lead(lead_model("Medtronic 3389"), target=[0, 0, 0], direction=[0, 0, 1])
    across = np.array([[-0.01, 0, 5e-3], [0.01, 0, 5e-3]])
    some = [
        moved(across, 0, 2e-3, 0),
        moved(across, 0, 0.3e-3, 0),  # through the lead (radius .635 mm)
        moved(across, 0, 0.8e-3, 0),  # through its encapsulation alone
        moved(across, 0, 0, 0.03),
        np.array([[3e-3, 0, -0.02], [3e-3, 0, 0.03]]),
        np.array([[-0.01, 0, 5e-3], [-0.009, 0, 5e-3]]),
    ]
    axons = place_axons(some, 5.7e-6, name="test")
    source = Poles([0, 0, 5e-3], top=0.02)
    sampled = sample_axons(axons, source, lead=lead, encapsulation=0.25e-3)
    F = Fate
    assert sampled.fate.tolist() == [F.WHOLE, F.DAMAGED, F.DAMAGED, F.DAMAGED, F.CUT, F.SHORT]
    assert sample_axons(axons, source, lead=lead).fate.tolist()[:3] == [F.WHOLE, F.DAMAGED, F.WHOLE]
    assert sample_axons(axons, source).fate.tolist()[3] == F.OUTSIDE
    beside = place_lead(lead.model, target=[0, 2e-3, 0], direction=[0, 0, 1])
    both = sample_axons(axons, source, lead=(lead, beside)).fate.tolist()
    assert both[:3] == [F.DAMAGED, F.DAMAGED, F.WHOLE]
    assert sampled.fates == {"whole": 1, "cut": 1, "damaged": 3, "outside": 0, "short": 1}
    a, b = sampled.span[4]
    assert np.isfinite(sampled.potential[:, a:b]).all()
    assert axons.points[b - 1, 2] > 0.019
    found = pathway_model(sampled, 60e-6).thresholds([-1e-3])
    assert np.isfinite(found[0]).tolist() == [True, False, False, False, True, False]
    curve = pathway_model(sampled, 60e-6).activation([-1e-3]).percent([0.0, 1e6])
    assert curve.values[0].tolist() == [0.0, 100.0]
    assert curve.attrs["damaged"] == 3


def test_linear_against_the_double_cable() -> None:
    axons = place_axons(lines(1e-3, 1.5e-3, 2.5e-3, 4e-3), 10e-6, compartments=True, seed=4)
    sampled = sample_axons(axons, Poles([0, 0, 0], [0, 0, 3e-3]))
    patterns = [[-1e-3, 0.0], [-1e-3, 1e-3], [1e-3, 0.0]]
    linear = pathway_model(sampled, 60e-6)
    full = pathway_model(sampled, 60e-6, "mrg")
    a, b = linear.thresholds(patterns), full.thresholds(patterns)
    assert np.median(np.abs(a / b - 1)) < 0.05
    assert np.abs(a / b - 1).max() < 0.15
    assert (np.diff(b[0]) > 0).all()  # farther is harder
    pulse = dbs_pulse(60e-6, None, recharge="symmetric").waveform()
    c, d = (pathway_model(sampled, pulse, m).thresholds(patterns) for m in ("linear", "mrg"))
    assert np.median(np.abs(c / d - 1)) < 0.05
    assert np.abs(c / d - 1).max() < 0.15
    assert (d[2] < 2 * d[0]).all()  # the second phase fires what the first does not
    both = full.activation(patterns[0], unit="mA")
    assert both.threshold[0] == pytest.approx(b[0], rel=2e-3)
    assert (both.threshold[1] > 3 * both.threshold[0]).all()
    curves = both.percent([0.5, 5.0])
    assert curves.dims == ("polarity", "amplitude")
    assert curves.sel(polarity="as given").values[1] == 100.0


def test_potentials_over_time() -> None:
    axons = place_axons(lines(1e-3, 2e-3), 10e-6, compartments=True)
    source = Poles([0, 0, 0])
    sampled = sample_axons(axons, source)
    t = np.linspace(0, 60e-6, 13)
    V = -1e-3 * np.outer(np.ones(13), source.potential(axons.points)[0])
    found = thresholds_over_time(sampled, t, V)
    want = pathway_model(sampled, Courses(t=t, w=np.ones((1, 13))), "mrg").thresholds([-1e-3])[0]
    assert found == pytest.approx(want, rel=2e-3)


def test_bad_input() -> None:
    axons = place_axons(lines(1e-3), 10e-6)
    with pytest.raises(InputError, match="all 1 outside"):
        sample_axons(axons, Poles([0, 0, 0], top=-1.0))
    sampled = sample_axons(axons, Poles([0, 0, 0]))
    with pytest.raises(InputError, match="all compartments"):
        pathway_model(sampled, 60e-6, "mrg")
    with pytest.raises(InputError, match="patterns of 1"):
        pathway_model(sampled, 60e-6).thresholds("a")
    with pytest.raises(InputError, match="patterns of 1"):
        pathway_model(sampled, 60e-6).thresholds([1.0, 2.0])
    with pytest.raises(InputError, match="at nodes alone"):
        thresholds_over_time(sampled, [0.0, 1.0], np.zeros((2, 3)))
    with pytest.raises(InputError, match="must differ"):
        bundle([0, 0, 0], [0, 0, 0], 3)
    with pytest.raises(InputError, match=r"finite points of shape \(n, 3\)"):
        place_axons([np.zeros((3, 2))], 10e-6)
