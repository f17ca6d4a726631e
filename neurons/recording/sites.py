"""Where on a cell the synapses of a kind of source sit.

Two sources of knowledge. Cat visual cortex has been counted synapse by synapse: of each type of
cell, how many synapses in which layer come from which other (Binzegger, Douglas & Martin 2004,
doi:10.1523/JNEUROSCI.1400-04.2004; ``data/synapse_layers.csv``); within a layer they are spread
over the membrane there, of dendrites where they excite, of soma and dendrites where they inhibit
(Hagen et al. 2016, doi:10.1093/cercor/bhw237). And each class of interneuron has its place:
parvalbumin cells on and near the soma, somatostatin cells on far dendrites, neurogliaform cells in
layer 1 (Tremblay, Lee & Rudy 2016, doi:10.1016/j.neuron.2016.06.033); how near and how far is a
choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.cortex.layers import LayerTable
from rheobase.neurons.constants import rows
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.circuit import path_from_root
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.recording.kernels import depth_of

EXTERNAL = "external"  # what comes from outside the network
NEAR, FAR = (
    50e-6,
    100e-6,
)  # m from the soma's middle along the dendrites: "perisomatic" ends, "distal" begins
_OUTSIDE = ("TCs", "TCn", "corticocortical")
_PLACES = ("perisomatic", "distal", "dendrites", "L1")
#: Where interneurons of a class end on other cells.
PLACE_OF_CLASS = {"PV": "perisomatic", "SST": "distal", "VIP": "dendrites", "NGC": "L1"}


@cache
def layer_shares() -> Mapping[tuple[str, str], Mapping[str, float]]:
    """Return in which layers the synapses from one population of the microcircuit to another sit.

    Returns
    -------
    mapping
        By target ("L5E") and source ("L23E", ..., "L1I", "external"): share by layer ("L1", "L23",
        "L4", "L5", "L6"), summing to 1. Types of cells count by their occurrence. Pairs without
        synapses are left out.
    """
    table = rows("synapse_layers.csv")
    population = {r["target"]: r["population"] for r in table}
    population |= dict.fromkeys(_OUTSIDE, EXTERNAL)
    count: dict[tuple[str, str], dict[str, float]] = {}
    for r in table:
        for source, into in population.items():
            n = float(r["occurrence_percent"]) * float(r["synapses"]) * float(r[source])
            if n > 0:
                of = count.setdefault((r["population"], into), {})
                of[r["layer"]] = of.get(r["layer"], 0.0) + n
    return {
        pair: {layer: n / sum(of.values()) for layer, n in of.items()} for pair, of in count.items()
    }


def site_in_layers(
    cell: Cell, layers: LayerTable, shares: Mapping[str, float], *, soma: bool
) -> Floats:
    """Return the share of each compartment in synapses that are spread over layers.

    Parameters
    ----------
    cell
        The cell, whose depth says which layer each compartment is in.
    layers
        The layers of its cortex.
    shares
        Share of the synapses by layer ("L1", "L23", ...). Layers that the dendrites do not reach
        give theirs to the others; with none left the synapses sit on the dendrites around the soma.
    soma
        Whether the soma takes synapses too.

    Returns
    -------
    ndarray, shape (n,)
        By area within each layer, adding up to 1.

    Raises
    ------
    InputError
        If a layer is unknown.
    """
    fraction = depth_of(cell) / cell.thickness
    area = _membrane(cell, soma=soma)
    out = np.zeros(len(area))
    for layer, share in shares.items():
        top, bottom = layers.layer("L2/3" if layer == "L23" else layer)
        here = np.where((fraction >= top) & (fraction < bottom), area, 0.0)
        if here.any():
            out += share * here / here.sum()
    return out / out.sum() if out.any() else site_at(cell, "perisomatic")


def site_at(cell: Cell, place: str) -> Floats:
    """Return the share of each compartment in synapses at a place of the cell.

    Parameters
    ----------
    cell
        The cell.
    place
        "perisomatic": soma and dendrites within 50 µm of its middle; "distal": dendrites beyond
        100 µm; "dendrites"; "L1": dendrites in the first twelfth of the cortex, and distal ones
        of cells that have none there.

    Returns
    -------
    ndarray, shape (n,)
        By area, adding up to 1.

    Raises
    ------
    InputError
        If there is no such place.
    """
    check_option("place of synapses", place, _PLACES)
    path = path_from_root(cell.morphology)
    area = _membrane(cell, soma=place == "perisomatic")
    if place == "perisomatic":
        area = np.where(path <= NEAR, area, 0.0)
    elif place == "L1" and (superficial := depth_of(cell) < cell.thickness / 12)[area > 0].any():
        area = np.where(superficial, area, 0.0)
    elif place != "dendrites" and (path > FAR)[area > 0].any():
        area = np.where(path > FAR, area, 0.0)
    if not area.any():
        raise InputError(f"expected a cell with dendrites, got none: {cell.name}")
    out: Floats = area / area.sum()
    return out


def _membrane(cell: Cell, *, soma: bool) -> NDArray[np.float64]:
    """Return the membrane area of dendrites, and of the soma, by compartment (m²)."""
    kinds = (Kind.BASAL, Kind.APICAL) + ((Kind.SOMA,) if soma else ())
    return np.where(np.isin(cell.morphology.kind, kinds), cell.morphology.area, 0.0)
