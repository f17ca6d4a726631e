"""Random conductivities in a layered sphere: moments of the field against dense sampling.

The reference samples the series thousands of times, at other points of the distributions, and knows
no polynomials; the sampled field is that of finite elements at 128 points.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.spheres import LayeredSphere
from rheobase.fields.uncertainty.chaos import fit
from rheobase.fields.uncertainty.inputs import Inputs, conductivities
from rheobase.fields.uncertainty.samples import FieldSamples
from rheobase.fields.uncertainty.sampling import sample_fields
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.case import Row
from rheobase.validation.leadfield import NAMES, RADII, ball

Floats = NDArray[np.float64]

CURRENT = 1e-3  # A
RADIUS = 0.008  # of the discs (m)
DEEP = 0.070  # points lie within this radius (m)
SAMPLES = 128
CORRELATIONS: Mapping[str, Mapping[tuple[str, str], float]] = {
    "independent": {},
    "correlated": {("skull", "scalp"): 0.6, ("grey_matter", "skull"): -0.3},
}


def sphere(edge: float = 5e-3, *, n_points: int = 80, n_dense: int = 2048) -> list[Row]:
    """Sample the field of two discs with the conductivities of all three layers random."""
    head = ball(edge)
    electrodes = [
        place_electrode(head, name, shape=Disc(radius_mm=RADIUS * 1e3), model="ideal")
        for name in ("Cz", "T8")
    ]
    montage = Montage(name="two discs", electrodes=tuple(electrodes), currents=(CURRENT, -CURRENT))
    size = f"{len(head.mesh.tets) / 1e6:.2f} M tetrahedra, {SAMPLES} samples"
    rows = []
    for name, correlation in CORRELATIONS.items():
        inputs = Inputs(conductivities(head, NAMES), correlation)
        with tempfile.TemporaryDirectory() as folder:
            samples = sample_fields(
                head,
                montage,
                inputs,
                Path(folder) / "samples.h5",
                n=SAMPLES,
                tissues=["grey_matter"],
            )
            points, E = _some(samples, n_points)
        exact = series(montage, points, inputs.sample(n_dense, seed=1))
        for quantity, (value, reference) in _moments(samples, E, exact).items():
            error = float(np.linalg.norm(value - reference) / np.linalg.norm(reference))
            rows.append(
                Row(
                    case="uncertainty-sphere",
                    quantity=f"{quantity} in the brain, {name} conductivities, relative L2 "
                    f"({size})",
                    value=error,
                    reference=0.0,
                    error=error,
                    limit=0.02,
                    unit="1",
                    source="Legendre series, Rush & Driscoll 1969, at "
                    f"{n_dense} quasi-random samples",
                )
            )
    return rows


def _some(samples: FieldSamples, n: int) -> tuple[Floats, Floats]:
    """Return some deep nodes (m), and the field of each sample there (V/m), (samples, n, 3)."""
    places = samples.mesh.nodes[samples.split.node[samples.kept]]
    deep = np.flatnonzero(np.linalg.norm(places, axis=1) < DEEP)
    chosen = deep[np.linspace(0, len(deep) - 1, n).astype(int)]
    E = np.concatenate([E[:, 0] for _, E in samples.blocks()], axis=1)
    return places[chosen], CURRENT * E[:, chosen]


def series(montage: Montage, points: Floats, samples: Floats) -> Floats:
    """Return the exact field (V/m), shape (n, n_points, 3), at samples of conductivities (n, 3)."""
    source, sink = (e.centre for e in montage.electrodes)
    fields = []
    for sigma in samples:
        layers = LayeredSphere(radii=RADII, sigma=sigma)
        fields.append(
            layers.even_electrodes(
                points, source, sink, radius=RADIUS, current=CURRENT, n_terms=140
            )[1]
        )
    return np.stack(fields)


def _moments(samples: FieldSamples, E: Floats, exact: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return moments found and exact, by what they are."""
    vector = fit(samples.inputs, samples.x, E)
    strength = np.linalg.norm(exact, axis=2)
    found = fit(samples.inputs, samples.x, np.linalg.norm(E, axis=2))
    tails = [0.05, 0.95]
    return {
        "mean of E": (vector.mean, exact.mean(axis=0)),
        "variance of E": (vector.variance, exact.var(axis=0)),
        "mean of |E|": (found.mean, strength.mean(axis=0)),
        "variance of |E|": (found.variance, strength.var(axis=0)),
        "5 and 95 % quantiles of |E|": (
            found.quantiles(tails),
            np.quantile(strength, tails, axis=0),
        ),
    }
