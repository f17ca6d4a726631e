"""What Rayleigh integrals cost and how far they are off.

    ./run python benchmarks/rayleigh.py

Pairs of target and source point a CPU second and core, with loss, with slope, with many drives; how
far the field of the ITRUSST bowl is off on its axis (O'Neil) and off it against the points a
wavelength; metrics of its focus on coarse lattices.
"""

import time
from collections.abc import Callable

import numpy as np

from rheobase.fields.acoustics.focus import focus_metrics
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.rayleigh import normal_velocity, pressure, pressures, unit_responses
from rheobase.fields.acoustics.transducers.catalogue import transducer
from rheobase.validation.acoustic_closed_forms import Layer, bowl_on_axis

FREQUENCY = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
LOSSY = Fluid(name="lossy water", sound_speed=1500.0, density=1000.0, attenuation=23.0)


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the best of three calls."""
    work()
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def speed() -> None:
    bowl, array = transducer("itrusst-sc1"), transducer("h317")
    rng = np.random.default_rng(1)
    points = np.append(rng.uniform(-0.03, 0.03, (4000, 2)), rng.uniform(0.02, 0.1, (4000, 1)), 1)
    source = bowl.source(velocity=1.0, fluid=WATER, per_wavelength=4)
    n = len(points) * len(source.points)
    many = np.ones((8, len(source.points)))
    elements = array.source(velocity=1.0, fluid=WATER)
    up = [0.0, 0.0, 1.0]
    for name, pairs, work in (
        ("water", n, lambda: pressure(source, points, frequency=FREQUENCY, fluid=WATER)),
        ("lossy", n, lambda: pressure(source, points, frequency=FREQUENCY, fluid=LOSSY)),
        ("slope", n, lambda: normal_velocity(source, points, up, frequency=FREQUENCY, fluid=WATER)),
        (
            "8 drives",
            8 * n,
            lambda: pressures(source, many, points, frequency=FREQUENCY, fluid=WATER),
        ),
        (
            "128 elements",
            len(points) * len(elements.points),
            lambda: unit_responses(elements, points, frequency=7e5, fluid=WATER),
        ),
    ):
        print(f"{name:14s} {1e-6 * pairs / seconds(work):7.0f} M pairs a CPU second")


def accuracy() -> None:
    bowl = transducer("itrusst-sc1")
    z = np.linspace(0.012, 0.12, 400)
    axis = np.stack([0 * z, 0 * z, z], axis=1)
    rng = np.random.default_rng(2)
    points = np.append(rng.uniform(-0.03, 0.03, (2000, 2)), rng.uniform(0.015, 0.1, (2000, 1)), 1)
    for fluid in (WATER, LOSSY):
        layer = Layer(*fluid.at(FREQUENCY))
        exact = bowl_on_axis(
            z,
            radius=0.064,
            aperture=0.064,
            pressure=layer.source_pressure(0.04, FREQUENCY),
            k=layer.wavenumber(FREQUENCY),
        )
        fine = pressure(
            bowl.source(velocity=0.04, fluid=fluid, per_wavelength=8),
            points,
            frequency=FREQUENCY,
            fluid=fluid,
        )
        for n in (2.0, 2.5, 3.0, 4.0):
            source = bowl.source(velocity=0.04, fluid=fluid, per_wavelength=n)
            on, off = (
                pressure(source, p, frequency=FREQUENCY, fluid=fluid) for p in (axis, points)
            )
            print(
                f"{fluid.name:12s} {n:g} a wavelength, {len(source.points):6d} points: "
                f"on the axis {np.abs(on - exact).max() / np.abs(exact).max():.1e}, "
                f"off it {np.abs(off - fine).max() / np.abs(fine).max():.1e} of the peak"
            )


def foci() -> None:
    bowl = transducer("itrusst-sc1")
    source = bowl.source(pressure=60e3, fluid=WATER)
    for step in (0.25e-3, 0.5e-3, 1e-3):
        x = np.arange(-0.008, 0.008 + step / 2, step)
        z = np.arange(0.04, 0.092 + step / 2, step)
        points = np.stack(np.meshgrid(x, x, z, indexing="ij"), axis=-1).reshape(-1, 3)
        P = pressure(source, points, frequency=FREQUENCY, fluid=WATER)
        focus = focus_metrics(x, x, z, P.reshape(len(x), len(x), len(z)))
        print(
            f"{1e3 * step:g} mm: peak {1e-3 * focus.peak:.3f} kPa at {1e3 * focus.position[2]:.3f} "
            f"mm, {1e3 * focus.axial:.3f} mm long, {1e3 * focus.lateral[0]:.3f} mm wide, "
            f"{1e9 * focus.volume:.2f} mm³"
        )


if __name__ == "__main__":
    speed()
    accuracy()
    foci()
