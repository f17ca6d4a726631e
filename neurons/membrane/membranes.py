"""The membranes of cell types as tables, read from ``data/membranes.csv``.

Electrical types of the Blue Brain cells with what the Aberra 2018 cells
(doi:10.1088/1741-2552/aadbb1) make of them, and the membranes of Hodgkin and Huxley. Calcium
channels, SK and calcium dynamics of the originals are left out; without them a small cell of
cNAC187 fires by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from rheobase._errors import check_option
from rheobase.neurons.constants import rows
from rheobase.neurons.morphology import Kind

NODE_SODIUM = 2.0  # NaTa_t of a node over that of bare axon (Aberra 2018)
_PARTS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.SOMA: ("all", "soma"),
        Kind.BASAL: ("all", "dendrite", "basal"),
        Kind.APICAL: ("all", "dendrite", "apical"),
        Kind.INITIAL_SEGMENT: ("all", "axon", "initial_segment"),
        Kind.UNMYELINATED: ("all", "axon"),
        Kind.NODE: ("all", "axon"),
        Kind.TERMINAL: ("all", "axon"),
        Kind.INTERNODE: ("all", "axon"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Density:
    """A channel in one kind of compartment.

    Parameters
    ----------
    channel
        Name in `rheobase.neurons.membrane.channels.CHANNELS`.
    value
        Density (S/m²).
    gradient
        Where not 0, the density is ``value (-0.8696 + 2.087 exp(gradient x))`` at a path of x (m)
        from the soma (Ih; Kole 2006 as in Hay 2011), the exponent at most `circuit.FARTHEST`.
    """

    channel: str
    value: float
    gradient: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Membrane:
    """What the compartments of a cell conduct with.

    Parameters
    ----------
    name
        Electrical type.
    leak, leak_reversal
        Passive conductance (S/m²) and its reversal potential (V) by kind of compartment; an
        internode has the reversal only, its conductance is that of myelin.
    channels
        Channels by kind; an internode has none.
    """

    name: str
    leak: Mapping[Kind, float]
    leak_reversal: Mapping[Kind, float]
    channels: Mapping[Kind, tuple[Density, ...]]


@cache
def _table() -> dict[str, list[dict[str, str]]]:
    out: dict[str, list[dict[str, str]]] = {}
    for row in rows("membranes.csv"):
        out.setdefault(row["membrane"], []).append(row)
    return out


def membranes() -> list[str]:
    """Return the names of the membranes.

    Examples
    --------
    >>> "cADpyr232" in membranes()
    True
    """
    return list(_table())


@cache
def membrane(name: str) -> Membrane:
    """Return the membrane called ``name``.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> pyramidal = membrane("cADpyr232")
    >>> {d.channel: d.value for d in pyramidal.channels[Kind.NODE]}["NaTa_t"]  # S/m²
    62759.36
    """
    table = _table()[check_option("membrane", name, _table())]
    leak: dict[Kind, float] = {}
    reversal: dict[Kind, float] = {}
    channels: dict[Kind, tuple[Density, ...]] = {}
    for kind, parts in _PARTS.items():
        of = [r for part in parts for r in table if r["region"] == part]
        passive = [r for r in of if r["channel"] == "leak"][-1]
        leak[kind] = float(passive["S_per_cm2"]) * 1e4
        reversal[kind] = float(passive["reversal_mV"]) * 1e-3
        channels[kind] = tuple(
            Density(
                channel=r["channel"],
                value=float(r["S_per_cm2"])
                * 1e4
                * (NODE_SODIUM if kind == Kind.NODE and r["channel"] == "NaTa_t" else 1.0),
                gradient=float(r["gradient_per_um"] or 0.0) * 1e6,
            )
            for r in of
            if r["channel"] != "leak" and kind != Kind.INTERNODE
        )
    return Membrane(name=name, leak=leak, leak_reversal=reversal, channels=channels)
