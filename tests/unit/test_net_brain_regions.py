"""Regions of the brain under a computed field: which share fires, by how much they shift."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rheobase._errors import InputError
from rheobase.brain_views import brain_maps
from rheobase.neurons.brain.connectome import load_connectome
from rheobase.neurons.brain.dipoles import apical_dipole, dipole_density
from rheobase.neurons.brain.regions import (
    region_drive,
    region_probability,
    region_shift,
    regions_of,
    schaefer100,
)
from rheobase.neurons.generate import generate_cell
from rheobase.neurons.network.microcircuit import microcircuit_facts
from rheobase.neurons.recruitment import Recruitment
from rheobase.views import new_figure


def recruitment(threshold: Any, kind: Any, cell_class: Any, layer: Any) -> Recruitment:
    n = len(kind)
    return Recruitment(
        threshold=np.array([threshold, np.full(n, np.inf)]),
        site=np.zeros((2, n), dtype=np.int8),
        type=np.array(kind),
        cell_class=np.array(cell_class),
        layer=np.array(layer),
        species=np.full(n, "human"),
        position=np.zeros((n, 3)),
        depth=np.zeros(n),
        outside=np.zeros(n),
        tissue=np.zeros(n, dtype=np.int32),
        unit="A/s",
        mode="cable",
    )


def test_probabilities_are_those_of_the_cells_of_each_population() -> None:
    kinds = ["a", "a", "b", "b", "c", "d", "e", "a"]
    classes = ["PYR"] * 5 + ["PV", "SST", "PYR"]
    layers = ["L2/3", "L2/3", "L5", "L5", "L4", "L5", "L5", "L2/3"]
    r = recruitment([1, 9, 1, 1, 1, 1, 9, np.nan], kinds, classes, layers)
    region = np.array([1, 1, 1, 1, 1, 1, 1, 2])
    p = region_probability(r, region, 4, 2.0)
    facts = microcircuit_facts()
    n = dict(zip(facts["populations"], facts["sizes"]["N"], strict=True))
    expected = (0.5 * n["L23E"] + n["L5E"]) / (n["L23E"] + n["L5E"])
    assert p["pyramidal"] == pytest.approx([0, expected, 0, 0])
    assert p["excitatory"] == pytest.approx([0, 1, 0, 0])
    assert p["inhibitory"] == pytest.approx([0, 0.5, 0, 0])  # two types share their layer
    assert not region_probability(r, region, 4, 2.0, polarity="minus")["pyramidal"].any()
    drive = region_drive(p, times=[0.1], latency=1e-3)
    assert drive.latency_of("inhibitory") == 1e-3


def test_shifts_are_in_phase_with_the_field() -> None:
    data = xr.Dataset(
        {
            "amplitude": (
                ("frequency", "placement", "site", "statistic"),
                np.full((1, 2, 1, 1), 2),
            ),
            "phase": (("frequency", "placement", "site", "statistic"), np.full((1, 2, 1, 1), 1.0)),
        },
        coords={
            "frequency": [10.0],
            "site": ["soma"],
            "statistic": ["mean"],
            "type": ("placement", ["a", "b"]),
            "cell_class": ("placement", ["PYR", "PV"]),
            "layer": ("placement", ["L5", "L5"]),
        },
    )
    shift = region_shift(data, np.array([0, 1]), 2)
    assert shift["pyramidal"] == pytest.approx([2 * np.cos(1.0), 0])
    assert shift["inhibitory"] == pytest.approx([0, 2 * np.cos(1.0)])
    twice = xr.concat([data, data], "frequency")
    with pytest.raises(InputError, match="expected one frequency, got 2"):
        region_shift(twice, np.array([0, 1]), 2)
    with pytest.raises(InputError, match="unknown site 'somata', nearest: soma"):
        region_shift(data, np.array([0, 1]), 2, site="somata")


def test_bad_regions_and_amplitudes() -> None:
    r = recruitment([1.0], ["a"], ["PYR"], ["L5"])
    with pytest.raises(InputError, match="amplitude must be >= 0 A/s, got -1"):
        region_probability(r, np.array([0]), 1, -1.0)
    with pytest.raises(InputError, match="one row for each of 1 placements"):
        region_probability(r, np.array([0, 1]), 2, 1.0)
    with pytest.raises(InputError, match=r"must lie in -1\.\.0, got 3"):
        region_probability(r, np.array([3]), 1, 1.0)


def test_the_atlas_of_the_shipped_connectome_knows_its_places() -> None:
    names = load_connectome().names
    head: Any = SimpleNamespace(to_mni=lambda x: x, name="MNI")
    # left DLPFC (Mir-Moghtadaei et al. 2015), hand knob, right occipital pole, far outside
    places = 1e-3 * np.array([[-38, 44, 26], [-37, -21, 58], [22, -96, -5], [0, 200, 0]])
    rows = regions_of(schaefer100(), names, head, places)
    found = [names[k] if k >= 0 else None for k in rows]
    assert found == ["LH_SalVentAttn_PFCl_1", "LH_SomMot_5", "RH_Vis_4", None]
    with pytest.raises(InputError, match="unknown region 'LH_DLPFC'"):
        regions_of(schaefer100(), ["LH_DLPFC"], head, places)


def test_the_dipole_of_a_region_is_of_the_size_that_is_measured() -> None:
    moment = apical_dipole(generate_cell("L5_pyramidal", species="human", seed=0))
    assert moment < 0  # apical excitation: current down inside the cell
    # 1 mV over the whole membrane length of a cell of some 100 megohm: 10 pA over 0.5 mm
    assert 1e-15 < -moment * 1e-3 < 2e-14
    # Murakami & Okada 2015, NeuroImage 111:49: at most 0.16 to 0.77 nA m/mm² are measured
    at_5_mV = -dipole_density() * 5e-3 * 1e9 / 1e6
    assert 0.16 < at_5_mV < 0.77
    with pytest.raises(InputError, match="expected a cell with apical dendrites"):
        apical_dipole(generate_cell("L5_basket", species="human", seed=0))


def test_a_value_of_each_region_is_drawn() -> None:
    figure = new_figure(8.0, 2.0)
    values = np.linspace(0, 1, 100)
    values[0] = np.nan
    brain_maps(figure, values, title="share (1)", limits=(0.0, 1.0))
    panels = [a for a in figure.axes if a.collections and a.get_title()]
    assert len(panels) == 4
    colours = panels[0].collections[0].get_facecolor()
    assert len(np.unique(colours, axis=0)) > 100
    with pytest.raises(InputError, match="expected 100 values, one a region, got 3"):
        brain_maps(figure, np.zeros(3), title="", limits=(0.0, 1.0))
