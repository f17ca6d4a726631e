"""What heating did: peaks, dose, time courses and where the heat went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.region import Region

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Energy:
    """Where the heat went until the end (J).

    Parameters
    ----------
    deposited
        What the load brought in.
    stored
        In warmer tissue.
    perfused
        Carried off by blood.
    skin
        Through skin with a heat transfer coefficient.
    held
        Into surfaces held at their temperature: the cut of a region, skin held at that of water.
    cut
        The part of ``held`` that left through the cut: the rise beyond it was not computed.
    """

    deposited: float
    stored: float
    perfused: float
    skin: float
    held: float
    cut: float

    @property
    def imbalance(self) -> float:
        """Share of the heat that is not accounted for; 0 where there was none."""
        gone = self.stored + self.perfused + self.skin + self.held
        return (self.deposited - gone) / self.deposited if self.deposited else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TissueHeat:
    """The extremes of a tissue; places are in the coordinates of the mesh (m).

    Parameters
    ----------
    peak_rise, peak_rise_at
        Largest rise over the temperature before (K), and where.
    peak_temperature
        Highest temperature (°C).
    cem43, cem43_at
        Largest thermal dose (min), and where.
    """

    peak_rise: float
    peak_rise_at: tuple[float, float, float]
    peak_temperature: float
    cem43: float
    cem43_at: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heating:
    """The result of `rheobase.fields.heat.bioheat.Bioheat.heat`.

    Parameters
    ----------
    region
        Where it was computed.
    names
        Name of the tissue of each label.
    baseline
        Temperature before (°C), shape (n_nodes,).
    peak_rise, final_rise
        Rise over it (K): the largest of all steps, and the last, shape (n_nodes,).
    cem43
        Thermal dose (min), cooling included, shape (n_nodes,).
    times, probe_rise
        Times (s), shape (n,), and rise at the probes (K), shape (n, n_probes).
    energy
        Where the heat went.
    fastest_rise
        Largest rate (K/s) at which the full power heats a node: times the ripple (s) of an
        exposure, what pulses taken as their mean add at most.
    iterations
        Of conjugate gradients, two solves a step.
    """

    region: Region
    names: Mapping[int, str]
    baseline: Floats
    peak_rise: Floats
    final_rise: Floats
    cem43: Floats
    times: Floats
    probe_rise: Floats
    energy: Energy
    fastest_rise: float
    iterations: int

    def by_tissue(self) -> dict[str, TissueHeat]:
        """Return the extremes in each tissue, nodes on its surface included."""
        mesh = self.region.mesh
        out = {}
        for label, name in self.names.items():
            nodes = np.unique(mesh.tets[mesh.labels == label])
            hottest = nodes[self.peak_rise[nodes].argmax()]
            worst = nodes[self.cem43[nodes].argmax()]
            out[name] = TissueHeat(
                peak_rise=float(self.peak_rise[hottest]),
                peak_rise_at=_place(mesh.nodes[hottest]),
                peak_temperature=float((self.baseline + self.peak_rise)[nodes].max()),
                cem43=float(self.cem43[worst]),
                cem43_at=_place(mesh.nodes[worst]),
            )
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain values, for JSON."""
        return {
            "tissues": {name: asdict(t) for name, t in self.by_tissue().items()},
            "energy_J": asdict(self.energy),
            "end_s": float(self.times[-1]),
            "steps": len(self.times) - 1,
            "iterations": self.iterations,
            "nodes": len(self.baseline),
        }


def _place(x: Floats) -> tuple[float, float, float]:
    return float(x[0]), float(x[1]), float(x[2])
