"""Unmyelinated fibres: conduction velocity and thresholds against the published and NEURON's.

The squid axon of Hodgkin & Huxley 1952 (doi:10.1113/jphysiol.1952.sp004764) is 476 um thick, of
35.4 ohm cm, at 18.5 °C; they computed 18.8 m/s. ``data/unmyelinated_neuron.toml`` was made by
PyFibers on NEURON (``benchmarks/fibres_neuron.py``), whose steps are of first order: it is drawn to
steps of 0.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.fibres.unmyelinated import conduction_velocity, unmyelinated_thresholds
from rheobase.neurons.morphology import Morphology
from rheobase.neurons.sample import PointSource, rises_along
from rheobase.validation.case import Row

MEMBRANES = {"SUNDT": "sundt", "RATTAY": "rattay_aberham"}  # by the names of PyFibers
_SOURCE = "PyFibers 0.13.0 on NEURON 9.0.2, data/unmyelinated_neuron.toml, drawn to steps of 0"


@cache
def unmyelinated_marks() -> Mapping[str, Any]:
    """Return the content of ``data/unmyelinated_neuron.toml``."""
    file = files("rheobase.validation").joinpath("data/unmyelinated_neuron.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def c_fibre() -> Morphology:
    """Return the fibre that NEURON was run with."""
    marks = unmyelinated_marks()
    n = marks["compartments"]
    return bare_fibre(n * marks["length_um"] * 1e-6, marks["diameter_um"] * 1e-6, n)


def squid_axon() -> Morphology:
    """Return the axon of Hodgkin & Huxley 1952, 10 cm of it."""
    return dataclasses.replace(bare_fibre(0.1, 476e-6, 500), resistivity=0.354)


def unmyelinated_fibre() -> list[Row]:
    """Return the rows of case ``unmyelinated-fibre``."""
    squid = conduction_velocity(squid_axon(), membrane="hodgkin_huxley", temperature=18.5)
    text = "squid axon of 476 um at 18.5 °C: conduction velocity"
    rows = [_row(text, squid, 18.8, "m/s", "Hodgkin & Huxley 1952, computed there")]
    fibre = c_fibre()
    for mark in unmyelinated_marks()["velocity"]:
        name = MEMBRANES[mark["model"]]
        got = conduction_velocity(fibre, membrane=name, dt=2e-6)
        quantity = f"{name}, 1 um: conduction velocity"
        rows.append(_row(quantity, got, _limit(mark, "velocity"), "m/s", _SOURCE))
    for mark in unmyelinated_marks()["condition"]:
        name, away, cathode = MEMBRANES[mark["model"]], mark["distance_mm"], mark["polarity"] < 0
        source = PointSource(position=[0, 0, away * 1e-3], conductivity=0.2)
        want = _limit(mark, "threshold")
        found = unmyelinated_thresholds(
            fibre, rises_along(fibre, source), mark["width_us"] * 1e-6, membrane=name, guess=[want]
        )
        quantity = (
            f"{name}, 1 um: {'cathode' if cathode else 'anode'} {away:g} mm, "
            f"{mark['width_us']} us: threshold"
        )
        rows.append(_row(quantity, float(found[int(cathode), 0]), want, "A", _SOURCE))
    return rows


def _limit(mark: Mapping[str, Any], of: str) -> float:
    """Draw the values at steps of 10 and 5 us to steps of 0."""
    return float(2 * mark[f"{of}_5_us"] - mark[f"{of}_10_us"])


def _row(quantity: str, value: float, reference: float, unit: str, source: str) -> Row:
    return Row(
        case="unmyelinated-fibre",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1),
        limit=0.01,
        unit=unit,
        source=source,
    )
