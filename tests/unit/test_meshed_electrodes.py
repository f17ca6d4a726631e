"""Electrodes whose layers are bodies in the mesh."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, layer
from rheobase.fields.electrodes.meshed import MeshedElectrodes, mesh_electrodes
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import carve_indicators
from rheobase.meshes.placing.outlines import Disc, Rectangle
from rheobase.meshes.tissues import tissue

R = (0.028, 0.034, 0.040)
LAYERS = (layer("gel", sigma=0.05, thickness_mm=3.0), layer("rubber", thickness_mm=3.0))


@pytest.fixture(scope="module")
def head() -> Head:
    def shells(points: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(points, axis=1)
        a, b, c = R
        return np.column_stack([r - c, a - r, np.minimum(r - a, b - r), np.minimum(r - b, c - r)])

    made = carve_indicators([0, 2, 4, 5], shells, [[-0.042] * 3, [0.042] * 3], 5e-3)
    return Head(
        name="small",
        species="human",
        space="sphere",
        mesh=made.mesh,
        lattice=made.lattice,
        tissues={2: tissue("grey_matter"), 4: tissue("skull"), 5: tissue("scalp")},
    )


def electrode(name: str, **options: Any) -> Electrode:
    places = {"top": (0, 0, 1), "bottom": (0, 0, -1), "side": (1, 0, 0)}
    settings: dict[str, Any] = {"layers": LAYERS, "model": "meshed", "shape": Disc(radius_mm=9)}
    return Electrode(
        name=name, centre=R[2] * np.array(places[name], float), **{**settings, **options}
    )


def montage(*electrodes: Electrode, name: str = "x") -> Montage:
    n = len(electrodes) - 1
    return Montage(name=name, electrodes=electrodes, currents=(1e-3, *[-1e-3 / n] * n))


@pytest.fixture(scope="module")
def meshed(head: Head) -> MeshedElectrodes:
    return mesh_electrodes(head, montage(electrode("top"), electrode("bottom")))


def test_metal_lies_on_top_of_the_layers(head: Head, meshed: MeshedElectrodes) -> None:
    assert {t.name: t.sigma for t in meshed.head.tissues.values() if t.label > 500} == {
        "gel of 0.05 S/m": 0.05,
        "rubber of 29.4 S/m": 29.4,
    }
    volumes = meshed.inserted.volumes()
    disc = np.pi * 9e-3**2
    for n, name in enumerate(("top gel", "top rubber")):
        # the layers follow the sphere, on which a disc of arc radius 9 mm lies
        lower, upper = (((R[2] + h * 3e-3) / R[2]) ** 2 for h in (n, n + 1))
        assert volumes[name] == pytest.approx(disc * 3e-3 * (lower + upper) / 2, rel=0.06)
    for name, sign in (("top", 1), ("bottom", -1)):
        pad = meshed.pads[name]
        nodes = meshed.head.mesh.nodes[pad.nodes]
        assert np.median(np.linalg.norm(nodes, axis=1)) == pytest.approx(0.046, abs=2e-4)
        assert (sign * nodes[:, 2] > 0.04).all()
        assert pad.area == pytest.approx(disc * (46 / 40) ** 2, rel=0.06)
        assert pad.M.sum() == pytest.approx(pad.area, rel=1e-12)
        # enclosed: in the layers and off the skin
        tets = meshed.head.mesh.tets[meshed.head.mesh.labels <= 5]
        assert not np.isin(pad.enclosed, tets).any()


def test_delivers_and_agrees_with_resistive_pads(head: Head, meshed: MeshedElectrodes) -> None:
    pair = montage(electrode("top"), electrode("bottom"))
    bodies = solve_conduction(meshed, pair).report[0]
    thin = montage(*(replace(e, model="complete") for e in pair.electrodes))
    pads = solve_conduction(head, thin).report[0]
    for report in (bodies, pads):
        assert report.mismatch < 1e-6
        assert report.conservation < 1e-6
        assert report.energy_balance < 1e-6
    # a resistive layer under a good one carries current straight through; its sides differ
    assert bodies.impedance == pytest.approx(pads.impedance, rel=0.06)


def test_models_mix_and_montages_share_electrodes(head: Head) -> None:
    shape = Rectangle(width_mm=8, height_mm=9)
    top, bottom = electrode("top", shape=shape), electrode("bottom", model="ideal")
    side = electrode("side", layers=LAYERS[:1], model="complete")
    connected = electrode("top", shape=shape, connector=Disc(radius_mm=2.5))
    montages = [montage(top, bottom, side, name="a"), montage(top, side, name="b")]
    basis = solve_conduction(head, montages)
    for report in basis.report:
        assert report.mismatch < 1e-6
        assert report.asymmetry < 1e-6
    # an ideal pad that carries nothing is not there
    assert basis.report[0].pair_impedance[0][2] == pytest.approx(basis.report[1].impedance)
    with pytest.raises(InputError, match="two different electrodes to be meshed are called 'top'"):
        mesh_electrodes(head, [montages[0], montage(connected, side, name="c")])
    small = solve_conduction(head, montage(connected, bottom, side)).report[0]
    assert small.mismatch < 1e-6
    assert small.impedance > basis.report[0].impedance


def test_meshing_errors(head: Head, meshed: MeshedElectrodes) -> None:
    pair = montage(electrode("top"), electrode("bottom"))
    with pytest.raises(InputError, match="made from an image"):
        solve_conduction(replace(head, lattice=None), pair)
    with pytest.raises(InputError, match="expected the head, not a conductor made from it"):
        solve_conduction(Conductor(head), pair)
    with pytest.raises(InputError, match="expected an electrode of model 'meshed'"):
        mesh_electrodes(head, montage(*(replace(e, model="ideal") for e in pair.electrodes)))
    with pytest.raises(InputError, match="got electrode 'side': montage 'x'"):
        solve_conduction(meshed, montage(electrode("top"), electrode("side")))
    near = replace(electrode("side"), centre=R[2] * np.array([0.3, 0, 0.95]))
    with pytest.raises(InputError, match="electrodes 'top' and 'side' overlap"):
        mesh_electrodes(head, montage(electrode("top"), near))
