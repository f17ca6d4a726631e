"""Speed and error of the myelinated axons on one core: python benchmarks/axons.py [--weights].

CPU time (time.process_time, kernels compiled before) of thresholds of the double-cable axon, and of
the linear rule for a pathway of 100,000 fibres; and the error of the rule on bundles near a lead's
contacts that it was not fitted on. NEURON on the same fibres: benchmarks/axons_neuron.py, in an
environment of its own. With --weights the table of weights is made anew and printed as CSV.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rheobase.neurons.fibres.mrg import mrg_axon
from rheobase.neurons.fibres.mrg_linear import NEIGHBOURS, fit_weights, random_potentials
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.pathways.activation import pathway_model
from rheobase.neurons.pathways.bundle import bundle
from rheobase.neurons.pathways.placing import PlacedAxons, place_axons
from rheobase.neurons.pathways.sampled import sample_axons

DIAMETERS = (2.0, 5.7, 7.3, 8.7, 10.0, 12.8, 16.0)  # um
WIDTHS = (30, 60, 90, 120, 240, 450)  # us


class Contacts:
    """Four contacts as rings of points, 2 mm apart, in 0.2 S/m: like a lead, in closed form."""

    def __init__(self) -> None:
        angle = np.arange(12) * np.pi / 6
        ring = 0.635e-3 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
        heights = np.array([-0.5e-3, 0.0, 0.5e-3])
        contact = np.concatenate([ring + np.array([0, 0, z]) for z in heights])
        self.places = [contact + np.array([0, 0, 2e-3 * k]) for k in range(4)]

    def potential(self, points: np.ndarray) -> np.ndarray:
        out = np.zeros((4, len(points)))
        for k, places in enumerate(self.places):
            for place in places:
                out[k] += 1 / (4 * np.pi * 0.2 * np.linalg.norm(points - place, axis=1))
            out[k] /= len(places)
        return out


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    out = work()
    return time.process_time() - start, out


def near_lead(count: int, diameter: float, seed: int, *, compartments: bool) -> PlacedAxons:
    """Return axons of bundles that pass the contacts in two directions, some of them bent."""
    along = bundle([3e-3, 1e-3, -0.025], [3e-3, 1e-3, 0.03], count // 2, spread=2e-3, seed=seed)
    bent = bundle(
        [-0.02, 3e-3, -5e-3],
        [0.02, 4e-3, 0.012],
        count - count // 2,
        via=[[0.0, 3.5e-3, 3e-3]],
        spread=2e-3,
        seed=seed + 1,
    )
    return place_axons([*along, *bent], diameter, compartments=compartments, seed=seed)


def main() -> None:
    for um, width in ((5.7, 60e-6), (10.0, 60e-6), (10.0, 100e-6)):
        axon = mrg_axon(um * 1e-6)
        V = random_potentials(axon, 256)
        mrg_thresholds(axon, V[:16], width)
        spent, _ = cpu(lambda a=axon, v=V, w=width: mrg_thresholds(a, v, w))
        nodes = V.shape[1] // 11 + 1
        print(
            f"double cable, {um:g} um, {width * 1e6:g} us, {nodes} nodes, to 0.1 %: "
            f"{spent / 256:.4f} CPU-s per threshold of 256"
        )
    axon = mrg_axon(10e-6)
    x = axon.compartments(31)
    V = -1 / (4 * np.pi * 0.2 * np.hypot(x - x.mean(), 1e-3))
    spent, _ = cpu(lambda: [mrg_thresholds(axon, [V], 100e-6) for _ in range(10)])
    print(f"  one alone, 10 um, 100 us, 31 nodes: {spent / 10:.3f} CPU-s")
    patterns = np.array([[0, -1, 0, 0], [0, -1, 0.5, 0.5], [0, 1, -1, 0]]) * 1e-3
    for um in (2.0, 5.7, 10.0):
        for width in (60e-6, 90e-6):
            sampled = sample_axons(near_lead(200, um * 1e-6, 3, compartments=True), Contacts())
            full = pathway_model(sampled, width, "mrg").thresholds(patterns)
            rule = pathway_model(sampled, width).thresholds(patterns)
            error = np.abs(rule / full - 1)[np.isfinite(full)]
            print(
                f"linear rule, {um:g} um, {width * 1e6:g} us, bundles near four contacts: error "
                f"median {np.median(error):.1%}, p95 {np.quantile(error, 0.95):.1%}"
            )
    axons = near_lead(100_000, 5.7e-6, 5, compartments=False)
    spent, sampled = cpu(lambda: sample_axons(axons, Contacts()))
    print(f"100,000 fibres, {len(axons.points):,} nodes: sampled in {spent:.1f} CPU-s")
    spent, model = cpu(lambda: pathway_model(sampled, 60e-6))
    print(f"  linear rule made ready in {spent:.1f} CPU-s")
    spent, _ = cpu(lambda: model.thresholds(patterns))
    print(f"  thresholds of {len(patterns)} patterns in {spent:.2f} CPU-s")


def weights() -> None:
    names = ["diameter_um", "width_us", *(f"w{k}" for k in range(NEIGHBOURS)), "median", "p95"]
    print(",".join([*names, "unit", "source", "status"]))
    for um in DIAMETERS:
        for width in WIDTHS:
            fit = fit_weights(mrg_axon(um * 1e-6), width * 1e-6)
            values = [f"{um:g}", f"{width}", *(f"{w:.4g}" for w in fit.weights[0])]
            values += [f"{fit.median:.4f}", f"{fit.p95:.4f}", "1/V"]
            print(",".join([*values, "fit to the double-cable axon of this package", "computed"]))


if __name__ == "__main__":
    if "--weights" in sys.argv[1:]:
        weights()
    else:
        main()
