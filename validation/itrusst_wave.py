"""The solver in three dimensions against exact fields: a small bowl, and ITRUSST 1 to 6.

The small bowl takes seconds. The benchmarks use no symmetry of theirs and take minutes each, so
that their ids end in "-3d". Behind flat faces the reference is the exact field; behind curved ones
that, and the axisymmetric solver.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.media import LayeredMedium, Plane
from rheobase.fields.acoustics.transducers.catalogue import transducer
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import acoustic_window
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, bowl_rings
from rheobase.validation.case import Row
from rheobase.validation.itrusst import (
    LIMIT,
    SCENES,
    SOURCE,
    Scene,
    axisymmetric,
    compare,
    comparison_rows,
    lattice,
)

Complexes = NDArray[np.complex128]

ORDER, NODES = 6, 7.0  # of the elements, and nodes a wavelength
BEHIND = 2e-3  # the window begins this far behind the source (m)
SPACING = 24  # points of the source a wavelength: part of it lies close to the exit plane
CURVED = 0.01  # limit where faces are curved: the window sees less of the sphere than the reference
SMALL, PLATE = 16e-3, (6.0e-3, 9.5e-3)  # radius and diameter of the small bowl, bone ahead of it


def small_bowl() -> list[Row]:
    """Focus a small bowl in water, and through 3.5 mm of bone: amplitude and phase in a box."""
    scene = SCENES["bm3-sc1"]
    water, bone, _ = scene.medium.fluids
    x, z = 1e-3 * np.linspace(-9, 9, 37), 1e-3 * np.linspace(4, 27, 47)
    distance, which = np.unique(np.round(np.hypot(x[:, None], x), 9), return_inverse=True)
    small = bowl(curvature_radius=SMALL, aperture=SMALL, frequency=scene.frequency)
    source = small.source(velocity=scene.velocity, per_wavelength=SPACING)
    result = []
    for name, fluids, faces in (("water", (water,), ()), ("bone", (water, bone, water), PLATE)):
        exact = LayeredField(
            [Layer(*fluid.at(scene.frequency)) for fluid in fluids],
            faces,
            bowl_rings(SMALL, SMALL, 100),
            velocity=scene.velocity,
            frequency=scene.frequency,
        ).sample(distance, z)[which.reshape(len(x), len(x))]
        window = acoustic_window(
            LayeredMedium(fluids, tuple(Plane(face) for face in faces)),
            scene.frequency,
            half_width=10e-3,
            depth=(-BEHIND, 27.5e-3),
            order=ORDER,
            per_wavelength=NODES,
        )
        found = solve_pressure(window, source).on_lattice(x, x, z)
        behind = z > PLATE[1]
        peak, known = (float(abs(P[..., behind]).max()) for P in (found, exact))
        off = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        quantities = (
            ("peak", peak / 1e3, known / 1e3, abs(peak / known - 1), "kPa"),
            ("amplitude and phase, relative L2", off, 0.0, off, "1"),
        )
        result += [
            Row(
                case="fus-small-bowl",
                quantity=f"3-D, {name}: {quantity}",
                value=value,
                reference=reference,
                error=error,
                limit=LIMIT,
                unit=unit,
                source=SOURCE,
            )
            for quantity, value, reference, error, unit in quantities
        ]
    return result


def rows(name: str) -> list[Row]:
    """Compare the solver with the exact field of one scene, and with the axisymmetric solver."""
    scene, case = SCENES[name], f"itrusst-{name}-3d"
    found = pressure(scene)
    limit = LIMIT if scene.centre is None else CURVED
    result = comparison_rows(case, "3-D", compare(scene, scene.exact_lattice(), found), limit)
    if scene.centre is not None:
        against = compare(scene, axisymmetric(scene), found)
        result += comparison_rows(case, "3-D against axisymmetric", against, limit)
    return result


def pressure(scene: Scene) -> Complexes:
    """Return P (Pa) of the solver in three dimensions on the lattice, shape (141, 241)."""
    lateral, depth = lattice()
    window = acoustic_window(
        scene.medium,
        scene.frequency,
        half_width=float(lateral[-1]),
        depth=(depth[0] - BEHIND, depth[-1]),
        order=ORDER,
        per_wavelength=NODES,
    )
    source = transducer(f"itrusst-{scene.transducer}").source(
        velocity=scene.velocity, per_wavelength=SPACING
    )
    P: Complexes = solve_pressure(window, source).on_lattice(lateral, np.zeros(1), depth)[:, 0]
    return P
