"""What docs/acoustics_waves.md says of the waves in three dimensions: small boxes, seconds each.

``python benchmarks/fus_waves.py [--only rim slab band order]``

rim     change of a point's field where two sides come nearer, by the elements of the rim
slab    a bowl's field behind 3.5 mm of bone against the exact one, faces of elements on the bone's
        surfaces and elsewhere
band    sizes of elements, in wavelengths, at which no wave goes along a row of them
order   fitted order in the size of elements, against a finer solution
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.grid.gll import differentiation, gll
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, Plane
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import ORDERS, acoustic_window
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, bowl_rings
from rheobase.validation.itrusst import SCENES
from rheobase.validation.itrusst_wave import PLATE, SMALL

F = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
TISSUE = Fluid(name="tissue", sound_speed=1500.0, density=1000.0, attenuation=40.0)
FLOW = 2e-6


def point(*at: float) -> Source:
    """Return a point whence 2e-6 m³/s come."""
    return Source(
        points=np.array([at]), velocity=np.array([1.0 + 0.0j]), area=np.array([FLOW / 2]),
        normal=np.array([[0.0, 0.0, 1.0]]), element=np.zeros(1, np.intp),
    )  # fmt: skip


def apart(found: NDArray[np.generic], exact: NDArray[np.generic]) -> float:
    """Return the relative L2 difference."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def rim() -> None:
    """Bring two sides nearer, from 3.5 elements beside the point to 1.5."""
    size = 6 / 7 * 3e-3
    at = np.random.default_rng(0).uniform(-1.5 * size, 1.5 * size, (300, 3))
    for elements in (2, 3, 4):
        fields = []
        for columns in (3, 7):
            window = acoustic_window(
                LayeredMedium((WATER,)), F, half_width=(0.5 * columns * size, 1.5 * size),
                depth=(-1.5 * size, 1.5 * size), rim=elements,
            )  # fmt: skip
            fields.append(solve_pressure(window, point(0, 0, 0), tolerance=1e-4).sample(at))
        print(f"rim of {elements} elements: {apart(*fields):.1e}")


def slab() -> None:
    """Focus through bone, its surfaces on faces and at three places between them."""
    scene = SCENES["bm3-sc1"]
    fluids = scene.medium.fluids[0], scene.medium.fluids[1], scene.medium.fluids[0]
    x, z = 1e-3 * np.linspace(-9, 9, 37), 1e-3 * np.linspace(10.5, 27, 34)
    distance, which = np.unique(np.round(np.hypot(x[:, None], x), 9), return_inverse=True)
    exact = LayeredField(
        [Layer(*fluid.at(F)) for fluid in fluids], PLATE, bowl_rings(SMALL, SMALL, 100),
        velocity=scene.velocity, frequency=F,
    ).sample(distance, z)[which.reshape(len(x), len(x))]  # fmt: skip
    source = bowl(curvature_radius=SMALL, aperture=SMALL, frequency=F).source(
        velocity=scene.velocity, per_wavelength=24
    )
    table = np.array([[*fluid.at(F), fluid.absorption(F)] for fluid in fluids[:2]])

    def sampler(points: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = (points[:, 2] > PLATE[0]) & (points[:, 2] < PLATE[1])
        return np.asarray(table[inside.astype(int)])

    print("order  nodes  faces            amplitude (%)  with phase (%)  peak (%)  steps")
    for order, per_wavelength in ((5, 6.25), (6, 7.0)):
        for begin in (None, -2.0e-3, -2.5e-3, -3.0e-3):
            if begin is None:
                planes = (Plane(PLATE[0]), Plane(PLATE[1]))
                medium, odd = LayeredMedium(fluids, planes), None
            else:
                medium, odd = LayeredMedium(fluids[:1]), sampler
            window = acoustic_window(
                medium, F, half_width=10e-3, depth=(begin or -2e-3, 27.5e-3), order=order,
                per_wavelength=per_wavelength, sampler=odd,
            )  # fmt: skip
            field = solve_pressure(window, source)
            P = field.on_lattice(x, x, z)
            faces = window.grid.faces[:, 0, 0]
            layer = np.searchsorted(faces, np.array(PLATE) - 1e-9) - 1
            part = (np.array(PLATE) - faces[layer]) / np.diff(faces)[layer]
            where = "aligned    " if begin is None else "at {:.2f}, {:.2f}".format(*part)
            errors = apart(abs(P), abs(exact)), apart(P, exact), abs(P).max() / abs(exact).max() - 1
            told = "{:15.2f} {:15.2f} {:+9.2f}".format(*(100 * error for error in errors))
            steps = field.report["steps_per_period"]
            print(f"{order:5d} {per_wavelength:6.2f}  {where}  {told} {steps:7d}", flush=True)


def band() -> None:
    """Look for sizes of elements at which no wave goes along a row of them.

    Without its inner nodes an element has a stiffness of two ends, [[a, b], [b, a]]; a wave that
    goes from one to the next by exp(-i q) has cos q = -a / b.
    """
    turns = np.linspace(0.9, 1.1, 20001)
    for order in ORDERS:
        weights, D = gll(order)[1] / 2, 2 * differentiation(order)
        A = (D.T * weights) @ D - (2 * np.pi * turns[:, None, None]) ** 2 * np.diag(weights)
        inner = np.linalg.solve(A[:, 1:-1, 1:-1], A[:, 1:-1, [0, -1]])
        ends = A[:, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(-1, 2, 2)
        ends -= A[:, [0, -1], 1:-1] @ inner
        cosine = np.abs(ends[:, 0, 0] / ends[:, 0, 1])
        closed = turns[cosine > 1]
        print(
            f"order {order}: elements of {closed.min():.4f} to {closed.max():.4f} wavelengths, "
            f"down by {100 * (1 - np.exp(-np.arccosh(cosine.max()))):.2f} % an element"
        )


def order() -> None:
    """Refine a box, rim and all; the best solution is of order 7."""
    source = point(0.21e-3, 0.17e-3, -1.6e-3)
    at = np.random.default_rng(0).uniform([-2e-3, -2e-3, 1.9e-3], [2e-3, 2e-3, 4.7e-3], (400, 3))

    def pressure(order: int, elements: int) -> NDArray[np.complex128]:
        shortest = TISSUE.wavelength(F) * elements / 4.8e-3
        window = acoustic_window(
            LayeredMedium((TISSUE,)), F, half_width=2.4e-3, depth=(-2.4e-3, 4.8e-3), order=order,
            per_wavelength=order * shortest * (1 - 1e-6), rim=elements,
        )  # fmt: skip
        return solve_pressure(window, source, tolerance=2e-5).sample(at)

    best = pressure(7, 4)
    for n, elements in ((4, (2, 3, 4)), (5, (2, 3, 4)), (6, (2, 3))):
        errors = [apart(pressure(n, count), best) for count in elements]
        fitted = -np.polyfit(np.log(elements), np.log(errors), 1)[0]
        told = ", ".join(f"{error:.1e}" for error in errors)
        print(f"order {n}: errors {told}; fitted {fitted:.1f}")


PARTS: dict[str, Callable[[], None]] = {"rim": rim, "slab": slab, "band": band, "order": order}


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    for name in parser.parse_args().only:
        start = time.process_time()
        PARTS[name]()
        print(f"({name}: {time.process_time() - start:.0f} CPU-s)\n", flush=True)


if __name__ == "__main__":
    main()
