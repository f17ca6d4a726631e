"""Draw acoustics_waves.png: ``python docs/images/acoustics_waves.py``.

A bowl of 16 mm (500 kHz, water): pressure in the window with its elements, the axis against
O'Neil's formula, and the error by order and nodes a wavelength over the nodes stepped.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields.acoustics.media import Fluid, LayeredMedium
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.field import PressureField
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import acoustic_window
from rheobase.validation.acoustic_closed_forms import bowl_on_axis

WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
F, RADIUS = 500e3, 16e-3
CASES = [(4, 5.5), (4, 7.0), (5, 6.25), (5, 8.0), (6, 6.6), (6, 7.0), (6, 8.0), (7, 7.5)]


def solved(order: int, per_wavelength: float) -> PressureField:
    """Return the field of the bowl."""
    source = bowl(curvature_radius=RADIUS, aperture=RADIUS, frequency=F)
    window = acoustic_window(
        LayeredMedium((WATER,)), F, half_width=10e-3, depth=(0.0, 30e-3), order=order,
        per_wavelength=per_wavelength,
    )  # fmt: skip
    points = source.source(velocity=0.04, fluid=WATER, per_wavelength=24)
    return solve_pressure(window, points)


def main() -> None:
    """Solve, draw and print the rows of the table."""
    z = np.arange(3.5e-3, 30e-3, 0.25e-3)
    axis = np.column_stack([0 * z, 0 * z, z])
    exact = np.abs(
        bowl_on_axis(z, radius=RADIUS, aperture=RADIUS, pressure=60e3, k=2 * np.pi * F / 1500.0)
    )
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for order, ppw in CASES:
        field = solved(order, ppw)
        amplitude, r = np.abs(field.sample(axis)), field.report
        error = 100 * np.linalg.norm(amplitude - exact) / np.linalg.norm(exact)
        work = r["nodes"] * r["steps_per_period"] * 1e-6
        print(  # noqa: T201
            f"| {order} | {ppw:g} | {r['nodes'] / 1e6:.2f} M | {r['steps_per_period']} | "
            f"{r['periods']} | {error:.2f} | {100 * (amplitude.max() / exact.max() - 1):+.2f} |"
        )
        right.semilogy(work, error, "o", color=f"C{order - 4}")
        right.annotate(f" {order}, {ppw:g}", (work, error))
        if (order, ppw) == (6, 7.0):
            chosen, found = field, amplitude
    lateral, depth = np.linspace(-10e-3, 10e-3, 161), np.linspace(0.0, 30e-3, 241)
    P = np.abs(chosen.on_lattice(lateral, [0.0], depth)[:, 0])
    image = left.imshow(
        P.T * 1e-3, origin="lower", extent=(-10, 10, 0, 30), cmap="magma", vmax=exact.max() * 1e-3
    )
    grid = chosen.window.grid
    left.vlines(grid.x * 1e3, 0, 30, color="w", lw=0.3, alpha=0.6)
    left.hlines(grid.faces[:, 0, 0] * 1e3, -10, 10, color="w", lw=0.3, alpha=0.6)
    left.set(
        xlim=(-10, 10),
        ylim=(0, 30),
        xlabel="x (mm)",
        ylabel="z (mm)",
        title="order 6, 7 nodes a wavelength",
    )
    fig.colorbar(image, ax=left, label="kPa")
    middle.plot(z * 1e3, exact * 1e-3, "k", label="O'Neil")
    middle.plot(z * 1e3, found * 1e-3, "C1--", label="window")
    middle.set(xlabel="z (mm)", ylabel="kPa", title="on the axis")
    middle.legend()
    right.set(
        xlim=(0, 56),
        xlabel="M node updates a period",
        ylabel="error on the axis (%, L2)",
        title="order, nodes a wavelength",
    )
    fig.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
