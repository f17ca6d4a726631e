"""EEG of the regions: current dipoles of the cortex they cover, read off a head's lead field.

y1 - y2 is a potential at the soma. Excitation of pyramidal cells arrives in their apical
dendrites; the steady current that gives the soma of a passive cell 1 V there has a dipole moment
into the cortex, and a square metre of cortex has N such cells side by side. Cells of layers 2/3 and
5 count, with the numbers of Potjans & Diesmann (2014, 10.1093/cercor/bhs358) under 1 mm².

All cells of a region are taken to follow it at once: amplitudes are upper bounds.

That the EEG follows y1 - y2 is the convention of Jansen & Rit (1995). It makes inhibition the
opposite of apical excitation; inhibition of the soma, whose current returns through the apical
dendrite, has a dipole of the same sign as that. Where inhibition makes the response its sign on the
scalp is the convention's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.eeg import eeg_gain, into_tissue
from rheobase.fields.leadfield import LeadField
from rheobase.meshes.cortex.sites import sample_sites
from rheobase.meshes.head import Head
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import DENDRITE, Kind
from rheobase.neurons.subthreshold import responses

Floats = NDArray[np.float64]

TYPES = {"L23_pyramidal": "L23E", "L5_pyramidal": "L5E"}
CELLS = 4  # generated of each type
PER_MM2 = 1e6  # mm² in a m²
FARTHEST = 10e-3  # m that a dipole is moved into a coarse mesh's grey matter; regions are larger


@cache
def dipole_density() -> float:
    """Return the dipole moment of 1 m² of cortex towards the pia for 1 V of y1 - y2 (A m/(m² V)).

    Negative: apical excitation draws current inwards there and lets it out at the soma.
    """
    from rheobase.neurons.network.microcircuit import microcircuit_facts

    facts = microcircuit_facts()
    total = 0.0
    for name, population in TYPES.items():
        number = facts["sizes"]["N"][facts["populations"].index(population)] * PER_MM2
        cells = [generate_cell(name, species="human", seed=k) for k in range(CELLS)]
        total += number * float(np.mean([apical_dipole(cell) for cell in cells]))
    return total


def apical_dipole(cell: Cell) -> float:
    """Return the dipole moment towards the pia for 1 V at the soma by apical current (A m/V).

    The current is steady and spread over the apical dendrites by area; conductances are those of
    rest. Moments are those of the currents in soma and dendrites.

    Raises
    ------
    InputError
        If the cell has no apical dendrites.
    """
    m = cell.morphology
    (tree,) = responses(cell, 0.0, gates="frozen")
    apical = np.where(m.kind == Kind.APICAL, m.area, 0.0)
    if not apical.any():
        raise InputError(f"expected a cell with apical dendrites, got {cell.name!r}")
    v = tree.answer(apical / apical.sum()).real
    dendrite = np.flatnonzero(np.isin(m.kind, DENDRITE))
    above = m.parent[dendrite]
    inside = m.axial[dendrite] * (v[above] - v[dendrite])  # current away from the soma (A)
    moment = inside @ (m.centre[dendrite, 2] - m.centre[above, 2])
    return float(moment / v[0])


def region_gain(
    lead: LeadField, head: Head, region_of_column: ArrayLike, n: int, *, sites: int = 5000
) -> Floats:
    """Return the EEG of 1 V of y1 - y2 in each region (V/V), shape (n_electrodes, n).

    The reference is the average. `Activity.potential` less its baseline goes behind it:
    ``gain @ change``.

    Parameters
    ----------
    lead
        Lead field of the head.
    head
        The head, with its cortical sheet.
    region_of_column
        Row of each cortical column's region, -1 for none, shape (n_columns,).
    n
        Number of regions.
    sites
        Dipoles, spread evenly over the cortex.

    Raises
    ------
    InputError
        If the head has no sheet, shapes differ, or the lead field does not cover the cortex.
    """
    sheet = head.cortex
    if sheet is None:
        raise InputError(f"expected a head with a cortical sheet: head {head.name!r}")
    rows = np.asarray(region_of_column)
    if rows.shape != (len(sheet),):
        raise InputError(f"region_of_column must have shape ({len(sheet)},), got {rows.shape}")
    places = sample_sites(sheet, seed=0, count=sites)
    row = rows[places.column]
    kept = row >= 0
    x, _ = into_tissue(lead, places.position[kept], farthest=FARTHEST)
    toward = eeg_gain(lead, x)
    outward = np.einsum("kpj,pj->kp", toward, places.normal[kept])
    area = float(sheet.area_at(0.5).sum()) / len(places)
    gain = np.zeros((len(lead.names), n))
    np.add.at(gain.T, row[kept], outward.T)
    return gain * area * dipole_density()
