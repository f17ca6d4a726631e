"""Double-cable model of a myelinated axon (McIntyre, Richardson & Grill 2002).

Node, paranode (MYSA, FLUT) and internode (STIN) each have an axolemma; between it and the myelin
lies a thin periaxonal space that conducts along the fibre (doi:10.1152/jn.00353.2001). The numbers
are in ``data/mrg.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.gating import transition_rate
from rheobase.neurons.morphology import Floats

Sizes = Literal["published", "interpolated"]
PERIOD = 11  # compartments from one node to the next, the node itself included


@cache
def mrg_data() -> Mapping[str, Any]:
    """Return the content of ``data/mrg.toml``."""
    text = files("rheobase.neurons").joinpath("data/mrg.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class MRGAxon:
    """Sizes of one axon; see `mrg_axon`.

    Parameters
    ----------
    diameter
        Of the fibre with its myelin (m).
    internode
        From one node to the next, centre to centre (m).
    flut_length
        Of the main part of the paranode (m).
    axon_diameter, node_diameter
        Of the axon in FLUT and STIN, and in node and MYSA (m).
    lamellae
        Of the myelin.
    sizes
        Where they are from: "published" or "interpolated".
    """

    diameter: float
    internode: float
    flut_length: float
    axon_diameter: float
    node_diameter: float
    lamellae: float
    sizes: str

    @property
    def lengths(self) -> Floats:
        """Lengths of node, MYSA, FLUT, six STIN, FLUT, MYSA (m), shape (11,)."""
        c = mrg_data()["common"]
        node, mysa, flut = c["node_length_um"] * 1e-6, c["mysa_length_um"] * 1e-6, self.flut_length
        stin = (self.internode - node - 2 * mysa - 2 * flut) / 6
        return np.array([node, mysa, flut, *[stin] * 6, flut, mysa])

    @property
    def offsets(self) -> Floats:
        """Centres of those compartments after the centre of the node (m), shape (11,)."""
        length = self.lengths
        out: Floats = np.cumsum(length) - 0.5 * length - 0.5 * length[0]
        return out

    def compartments(self, nodes: int) -> Floats:
        """Return the centres along a fibre of so many nodes from the centre of the first (m).

        Returns
        -------
        ndarray, shape (11 (nodes - 1) + 1,)
            Every eleventh is a node, the first and the last too.
        """
        if nodes < 2:
            raise InputError(f"a myelinated fibre needs at least 2 nodes, got {nodes}")
        x = self.internode * np.arange(nodes)[:, None] + self.offsets
        out: Floats = x.ravel()[: PERIOD * (nodes - 1) + 1]
        return out


def mrg_axon(diameter: float, sizes: Sizes = "published") -> MRGAxon:
    """Return the sizes of an axon.

    Parameters
    ----------
    diameter
        Of the fibre with its myelin (m).
    sizes
        "published": the tables of the model, for their diameters only; "interpolated": polynomials
        through them (2 to 16 µm).

    Raises
    ------
    InputError
        If there is no axon of that diameter.

    Examples
    --------
    >>> mrg_axon(10e-6).internode
    0.00115
    """
    check_option("sizes of the axon", sizes, get_args(Sizes))
    check_positive("diameter of the fibre", diameter)
    table = mrg_data()[sizes]
    um = round(diameter * 1e6, 6)
    if sizes == "published":
        known = table["diameter"]
        if um not in known:
            raise InputError(
                f"published axons have diameters of {', '.join(f'{d:g}' for d in known)} um, got "
                f"{diameter:g} m: others are interpolated (sizes='interpolated')"
            )
        k = known.index(um)
        size = {name: table[name][k] for name in _SIZES}
    else:
        low, high = table["valid"]
        if not low <= um <= high:
            raise InputError(
                f"interpolated axons have diameters of {low:g} to {high:g} um, got {diameter:g} m"
            )
        size = {name: float(np.polyval(table[name], um)) for name in _SIZES}
        if um < table["split"]:
            size["internode"] = float(np.polyval(table["internode_below"], um))
    lamellae = size.pop("lamellae")
    metres = {name: value * 1e-6 for name, value in size.items()}
    return MRGAxon(diameter=diameter, lamellae=lamellae, sizes=sizes, **metres)


_SIZES = ("internode", "flut_length", "axon_diameter", "node_diameter", "lamellae")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Circuit:
    """The electric elements of an axon, in uS and nF.

    Parameters
    ----------
    axial
        Conductance inside from each compartment to the next, first from the node, shape (11,).
    periaxonal
        The same in the periaxonal space, which at a node is open to the outside.
    axolemma, leak
        Capacitance and conductance of the ten membranes between the nodes, shape (10,).
    myelin, myelin_leak
        The same of the myelin over them.
    node
        Rest (mV), capacitance, conductances (fast and persistent sodium, potassium, leak) and
        reversal potentials (mV; sodium, potassium, leak) of a node, shape (9,).
    """

    axial: Floats
    periaxonal: Floats
    axolemma: Floats
    leak: Floats
    myelin: Floats
    myelin_leak: Floats
    node: Floats


def circuit(axon: MRGAxon) -> Circuit:
    """Return the electric elements of ``axon``."""
    data = mrg_data()
    c, n = data["common"], data["node"]
    length = axon.lengths
    core = np.full(PERIOD, axon.axon_diameter)
    core[[0, 1, -1]] = axon.node_diameter
    space = np.full(PERIOD, c["stin_space_um"] * 1e-6)
    space[[0, 1, -1]] = c["mysa_space_um"] * 1e-6
    space[[2, -2]] = c["flut_space_um"] * 1e-6
    rho = c["axial_resistivity_ohm_cm"] * 1e-2
    inside = 0.25 * np.pi * core**2
    around = np.pi * space * (core + space)

    def chain(area: Floats) -> Floats:
        half = 0.5 * rho * length / area
        out: Floats = 1e6 / (half + np.roll(half, -1))
        return out

    surface = np.pi * core * length
    sheath = np.pi * axon.diameter * length[1:] / (2 * axon.lamellae)
    leak = np.full(PERIOD, c["stin_conductance_S_cm2"])
    leak[[1, -1]] = c["mysa_conductance_S_cm2"]
    leak[[2, -2]] = c["flut_conductance_S_cm2"]
    kinds = ("fast_sodium", "persistent_sodium", "slow_potassium", "leak")
    node = [
        c["rest_mV"],
        c["axon_capacitance_uF_cm2"] * 1e7 * surface[0],
        *(n[f"{kind}_S_cm2"] * 1e10 * surface[0] for kind in kinds),
        *(n[f"{ion}_reversal_mV"] for ion in ("sodium", "potassium", "leak")),
    ]
    return Circuit(
        axial=chain(inside),
        periaxonal=chain(around),
        axolemma=c["axon_capacitance_uF_cm2"] * 1e7 * surface[1:],
        leak=leak[1:] * 1e10 * surface[1:],
        myelin=c["myelin_capacitance_uF_cm2"] * 1e7 * sheath,
        myelin_leak=c["myelin_conductance_S_cm2"] * 1e10 * sheath,
        node=np.array(node),
    )


def gate_rates(v: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Return steady state (1) and rate (1/ms) of the gates m, h, p, s at ``v`` (mV), (n, 4)."""
    data = mrg_data()
    warm = data["common"]["temperature_C"]
    steady, rate = np.empty((len(v), 4)), np.empty((len(v), 4))
    for k, gate in enumerate(data["gates"][name] for name in "mhps"):
        alpha, beta = (transition_rate(v, **gate[side]) for side in ("alpha", "beta"))
        steady[:, k] = alpha / (alpha + beta)
        rate[:, k] = gate["q10"] ** ((warm - gate["reference_C"]) / 10) * (alpha + beta)
    return steady, rate
