"""Fields of random heads and placements: against solutions of their own, files, maps, bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Model, place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.induction import solve_induction
from rheobase.fields.interference import envelope_max
from rheobase.fields.solver import Conductor
from rheobase.fields.tensors import Tensors
from rheobase.fields.uncertainty.distributions import normal, uniform
from rheobase.fields.uncertainty.family import Family, Recycled
from rheobase.fields.uncertainty.inputs import (
    CoilShift,
    Conductivity,
    ElectrodeShift,
    Inputs,
    conductivities,
)
from rheobase.fields.uncertainty.maps import region_values, uncertainty_maps, uncertainty_table
from rheobase.fields.uncertainty.placements import shifted_coil, shifted_electrode
from rheobase.fields.uncertainty.quantities import component, modulation, strength
from rheobase.fields.uncertainty.samples import FieldSamples, load_samples, opened
from rheobase.fields.uncertainty.sampling import sample_fields
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.leadfield import NAMES, ball

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def head() -> Head:
    """Return a coarse three-layer ball."""
    return ball(0.02)


def montage(head: Head, *names: str, model: Model = "ideal") -> Montage:
    """Return 1 mA from the first position to the second."""
    pads = [place_electrode(head, n, shape=Disc(radius_mm=10.0), model=model) for n in names]
    return Montage(name="-".join(names), electrodes=tuple(pads), currents=(1e-3, -1e-3))


def fields(samples: FieldSamples) -> Floats:
    """Return every field, shape (n, k, n_kept, 3)."""
    return np.concatenate([E for _, E in samples.blocks()], axis=2)


def sigma_of(head: Head, inputs: Inputs, row: Floats) -> dict[int, float]:
    """Return the conductivities of one sample."""
    drawn = dict(zip(inputs.names, row.tolist(), strict=True))
    return {label: drawn.get(t.name, t.sigma) for label, t in head.tissues.items()}


def off(found: Floats, exact: Floats) -> float:
    """Return a relative L2 difference."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize("model", ["ideal", "complete"])
def test_samples_are_their_own_solutions(head: Head, tmp_path: Path, model: Model) -> None:
    """Two montages with conductivities and places random: each sample is solve_conduction's."""
    montages = [montage(head, "Cz", "T8", model=model), montage(head, "Fpz", "Oz", model=model)]
    inputs = Inputs(
        [
            *conductivities(head, ["skull", "scalp"]),
            ElectrodeShift(electrode="Cz", axis="front", distribution=normal(0, 4)),
            ElectrodeShift(electrode="Cz", axis="right", distribution=normal(0, 4)),
        ]
    )
    samples = sample_fields(head, montages, inputs, tmp_path / "a.h5", n=10)
    assert samples.residual.max() <= 1e-6
    found, scalp = fields(samples), Scalp(head.mesh)
    for i in (0, 9):
        shift = {"front": samples.x[i, 2], "right": samples.x[i, 3]}
        cz, t8 = montages[0].electrodes
        moved = replace(montages[0], electrodes=(shifted_electrode(cz, scalp, shift), t8))
        own = solve_conduction(
            Conductor(head, sigma_of(head, inputs, samples.x[i])), [moved, montages[1]]
        )
        assert off(found[i], own.E) < 2e-6


def test_coils_and_tensors(head: Head, tmp_path: Path) -> None:
    """A coil off its pose in a head with tensors: each sample is solve_induction's."""
    tets = np.flatnonzero(head.mesh.labels == head.label_of("grey_matter"))[::2].astype(np.int32)
    stretched = np.tile([2.0, 0.1, 0, 0.8, 0, 0.7], (len(tets), 1))
    conductor = Conductor(head, tensors=Tensors(tets=tets, values=stretched))
    dipole = above(0.12)
    inputs = Inputs(
        [
            *conductivities(head, ["grey_matter"]),
            CoilShift(axis="x", distribution=normal(0, 5)),
            CoilShift(axis="pitch", distribution=normal(0, 5)),
        ]
    )
    samples = sample_fields(head, dipole, inputs, tmp_path / "a.h5", n=9, conductor=conductor)
    i = 8
    moved = shifted_coil(dipole, Scalp(head.mesh), {"x": samples.x[i, 1], "pitch": samples.x[i, 2]})
    own = solve_induction(
        Conductor(head, sigma_of(head, inputs, samples.x[i]), tensors=conductor.tensors), moved
    )
    assert off(fields(samples)[i], own.E) < 5e-6


def above(height: float) -> Coil:
    """Return a dipole along x at a height (m) on the z axis, with its pose there."""
    pose = np.eye(4)
    pose[2, 3] = height
    return replace(magnetic_dipole([0, 0, height], [1, 0, 0]), pose=pose)


def test_shifts() -> None:
    """Shifts have the length they should; a coil is turned in its own frame and lifted out."""
    head = ball(0.008)
    scalp = Scalp(head.mesh)
    pad = place_electrode(head, "C3")
    moved = shifted_electrode(pad, scalp, {"front": 6.0, "turn": 30.0})
    way = moved.frame(scalp).origin - pad.frame(scalp).origin
    assert np.linalg.norm(way) == pytest.approx(6e-3, rel=0.03)
    assert way[1] / np.linalg.norm(way) > 0.98
    assert moved.rotation_deg == 30.0
    turned = shifted_coil(above(0.12), scalp, {"y": 3.0, "turn": 90.0})
    np.testing.assert_allclose(turned.dipoles, [[0, 0.003, 0.12]], atol=1e-12)
    np.testing.assert_allclose(turned.moments, [[0, 1, 0]], atol=1e-12)
    lifted = shifted_coil(above(0.095), scalp, {"z": -10.0})
    assert 0.09 < lifted.dipoles[0, 2] < 0.0922
    np.testing.assert_allclose(lifted.moments, [[1, 0, 0]], atol=1e-12)


def test_earlier_solutions_are_used(head: Head) -> None:
    """The Galerkin start is exact in the span, and saves iterations next to it."""
    conductor = Conductor(head)
    family = Family(conductor)
    b = conductor.induced_load(above(0.12).vector_potential(head.mesh.nodes)[None])
    b = np.repeat(b, 5, axis=0)
    scale = np.array([[1, 1, 1], [1, 2, 1], [1, 0.5, 1.2], [0.8, 1, 2], [1.1, 1.2, 0.9]])
    sigma = family.mean * scale
    x = np.zeros_like(b)
    contacts = [None] * 5
    cold = family.solve(b, sigma, contacts=contacts, start=x, rtol=1e-9)
    for row, s in zip(x, sigma, strict=True):
        own = Conductor(head, dict(zip(family.labels.tolist(), s.tolist(), strict=True)))
        assert off(row, own.solve(b[0], rtol=1e-9)[0][0]) < 1e-7
    recycled = Recycled(family)
    for row in x[:4]:
        recycled.add(row)
    assert off(recycled.start(b[0], sigma[2], None), x[2]) < 1e-6
    assert off(recycled.start(b[0], 3 * sigma[2], None), x[2] / 3) < 1e-6
    recycled.add(x[1])  # nothing new: the span stays as it is
    start = recycled.start(b[0], sigma[4], None)
    assert off(start, x[4]) < 0.05
    warm = family.solve(
        b[4:], sigma[4:], contacts=contacts[4:], start=start[None].copy(), rtol=1e-9
    )
    assert warm[0].iterations < cold[4].iterations


@pytest.fixture(scope="module")
def sampled(head: Head, tmp_path_factory: pytest.TempPathFactory) -> FieldSamples:
    """Return the field of two montages with random conductivities, in the brain."""
    montages = [montage(head, "Cz", "T8"), montage(head, "Fpz", "Oz")]
    inputs = Inputs(conductivities(head, NAMES), {("skull", "scalp"): 0.5})
    path = tmp_path_factory.mktemp("samples") / "a.h5"
    return sample_fields(head, montages, inputs, path, n=40, tissues=["grey_matter"])


def test_file_is_gone_on_with(head: Head, sampled: FieldSamples, tmp_path: Path) -> None:
    """What a file lacks is solved for again, the rest is left; another study is refused."""
    path = tmp_path / "b.h5"
    path.write_bytes(sampled.path.read_bytes())
    montages = [montage(head, "Cz", "T8"), montage(head, "Fpz", "Oz")]
    with opened(path, "r+") as file:
        file["done"][30:] = False
        file["E"][30:] = 0.0
        file["E"][0] += 1.0
    with pytest.raises(InputError, match="expected finished samples, got 30 of 40"):
        load_samples(path)
    again = sample_fields(head, montages, sampled.inputs, path, n=40, tissues=["grey_matter"])
    assert off(fields(again)[1:], fields(sampled)[1:]) < 1e-6
    np.testing.assert_allclose(fields(again)[0], fields(sampled)[0] + 1.0, rtol=1e-6)
    with pytest.raises(InputError, match="expected samples of this head, sources, inputs"):
        sample_fields(head, montages, sampled.inputs, path, n=41, tissues=["grey_matter"])
    other = tmp_path / "c.h5"
    other.write_text("no HDF5")
    with pytest.raises(InputError, match="cannot read sampled fields"):
        load_samples(other)


def test_maps_and_tables(head: Head, sampled: FieldSamples) -> None:
    """Maps and tables are the moments of the samples; quantities are those of the fields."""
    E = fields(sampled)
    a = [2e-3, 1e-3]
    y = np.linalg.norm(a[0] * E[:, 0] + a[1] * E[:, 1], axis=2)
    maps = uncertainty_maps(sampled, strength(a))
    assert off(maps.mean, y.mean(axis=0)) < 0.01
    assert off(maps.sd, y.std(axis=0)) < 0.1
    assert off(maps.quantiles[1], np.median(y, axis=0)) < 0.02
    assert (np.diff(maps.quantiles, axis=0) >= 0).all()
    assert np.median(maps.error) < 0.02
    assert (maps.first >= 0).all()
    assert (maps.total <= 1).all()
    everywhere = sampled.on_split(maps.mean)
    assert np.isnan(everywhere).sum() == len(everywhere) - len(sampled.kept)
    target = ball_region([0.02, 0, 0.04], 0.02, name="target")
    names, volume, values = region_values(sampled, strength(a), head, [target])
    assert names == ["target"]
    assert volume[0] == pytest.approx(4 / 3 * np.pi * 0.02**3, rel=0.1)
    row = uncertainty_table(sampled, strength(a), head, [target])[0]
    assert row["mean"] == pytest.approx(values.mean(), rel=0.01)
    assert row["sd"] == pytest.approx(values.std(), rel=0.1)
    assert float(row["first_grey_matter"]) > 0.5
    brain = uncertainty_table(sampled, strength(a), head)[0]
    p99 = uncertainty_table(sampled, strength(a), head, percentile=99)[0]
    assert brain["region"] == p99["region"] == "grey_matter"
    assert float(p99["mean"]) > 2 * float(brain["mean"])
    np.testing.assert_allclose(
        component(a, [0, 0, 3])(E), 2e-3 * E[:, 0, :, 2] + 1e-3 * E[:, 1, :, 2]
    )
    beat = modulation(a)(E[:2, :, :50])
    np.testing.assert_allclose(
        beat[1], envelope_max(np.stack([2e-3 * E[1, 0, :50], 1e-3 * E[1, 1, :50]]))
    )


def test_bad_sampling(head: Head, tmp_path: Path) -> None:
    """What does not fit is told before anything is solved."""
    path = tmp_path / "a.h5"
    skull = Inputs(conductivities(head, ["skull"]))
    pair = montage(head, "Cz", "T8")

    def shift(name: str, width: float = 1.0) -> Inputs:
        law = uniform(0, width)
        return Inputs([ElectrodeShift(electrode=name, axis="front", distribution=law)])

    bone = Inputs([Conductivity(tissue="compact_bone", distribution=uniform(1, 2))])
    with pytest.raises(InputError, match=r"unknown tissue 'compact_bone'.*head 'ball'"):
        sample_fields(head, pair, bone, path)
    with pytest.raises(InputError, match="unknown electrode 'C4'"):
        sample_fields(head, pair, shift("C4"), path)
    with pytest.raises(InputError, match="random places of coils, got 'Cz front'"):
        sample_fields(head, above(0.12), shift("Cz"), path)
    with pytest.raises(InputError, match=r"overlap.*in a sample with Cz front"):
        sample_fields(head, montage(head, "Cz", "Fz"), shift("Cz", 60.0), path)
    with pytest.raises(InputError, match="montages or coils"):
        sample_fields(head, [pair, above(0.12)], skull, path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="different names"):
        sample_fields(head, [pair, pair], skull, path)
    with pytest.raises(InputError, match="ideal or the complete model"):
        sample_fields(head, montage(head, "Cz", "T8", model="meshed"), skull, path)
    with pytest.raises(InputError, match="reaches into the head"):
        sample_fields(head, above(0.05), skull, path)
    with pytest.raises(InputError, match=r"expected 3 samples or more .* in 1 inputs, got 2"):
        sample_fields(head, pair, skull, path, n=2)
    with pytest.raises(InputError, match="rtol"):
        sample_fields(head, pair, skull, path, rtol=0)
    with pytest.raises(InputError, match="unknown tissue"):
        sample_fields(head, pair, skull, path, tissues=["bone"])
    assert not path.exists()


def test_bad_questions(head: Head, sampled: FieldSamples) -> None:
    """Quantities and statistics that make no sense are refused."""
    with pytest.raises(InputError, match="expected 2 amplitudes, got 1"):
        uncertainty_maps(sampled, strength([1e-3]))
    with pytest.raises(InputError, match="a direction of three numbers"):
        component([1, 1], [0, 0, 0])
    with pytest.raises(InputError, match="two carriers, got 3"):
        modulation([1, 1, 1])
    with pytest.raises(InputError, match=r"probabilities from 0 to 1.*got \[5.0\]"):
        uncertainty_maps(sampled, strength([1, 1]), quantiles=[5])
    with pytest.raises(InputError, match="a percentile from 0 to 100"):
        region_values(sampled, strength([1, 1]), head, percentile=101)
    nowhere = ball_region([0, 0, 0.5], 0.01)
    with pytest.raises(InputError, match="a region that holds something"):
        region_values(sampled, strength([1, 1]), head, [nowhere])
    with pytest.raises(InputError, match="on the mesh of the head"):
        region_values(sampled, strength([1, 1]), ball(0.03))
