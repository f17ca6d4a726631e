"""Draw the picture of docs/acoustics_axisymmetric.md: python docs/images/fus_axisymmetric.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rheobase.fields.acoustics.axisymmetric.pressure import AxialPressure
from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
from rheobase.fields.acoustics.axisymmetric.source import bowl
from rheobase.fields.acoustics.grid.gll import nodes_of
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, SphereCap, Surface
from rheobase.validation.acoustic_closed_forms import bowl_on_axis

mpl.use("Agg")
F = 500e3
DEPTH = (0.0, 0.12)
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
SKULL = (  # name, m/s, kg/m3, dB/cm, radius of its outer face (m): ITRUSST benchmark 6
    ("skin", 1610.0, 1090.0, 0.2, 79e-3),
    ("cortical bone", 2800.0, 1850.0, 4.0, 75e-3),
    ("trabecular bone", 2300.0, 1700.0, 8.0, 73.5e-3),
    ("cortical bone", 2800.0, 1850.0, 4.0, 69.5e-3),
    ("brain", 1560.0, 1040.0, 0.3, 68.5e-3),
)
SOURCE = bowl(radius=64e-3, aperture=64e-3, velocity=0.04)
ORDERS = {4: (8, 9, 12, 16), 6: (6, 7, 9, 12), 8: (5.4, 6, 7, 8, 10), 10: (5.1, 6, 7, 8, 10)}


def skull() -> AxialPressure:
    """Solve for the bowl through the layers of a curved skull."""
    fluids = [WATER, *(Fluid.from_decibels(*row[:4], frequency=F) for row in SKULL)]
    surfaces: list[Surface] = [SphereCap(row[4], 105e-3) for row in SKULL]
    medium = LayeredMedium(tuple(fluids), tuple(surfaces))
    return solve_axisymmetric(medium, SOURCE, F, depth=DEPTH, radius=50e-3)


def draw_field(axes: Axes, solved: AxialPressure) -> None:
    """Draw the amplitude, with the elements and the faces of the skull."""
    z, r = np.linspace(*DEPTH, 481), np.linspace(0.0, 50e-3, 201)
    amplitude = np.abs(solved.sample(r[:, None], z)) / 1e3
    picture = axes.imshow(
        amplitude,
        extent=(0, 120, 0, 50),
        origin="lower",
        cmap="magma",
        vmax=np.quantile(amplitude, 0.999),
    )
    axes.figure.colorbar(picture, ax=axes, label="|P|, kPa", shrink=0.6)
    grid = solved.grid
    first, last = grid.inner_layers
    across = 1e3 * nodes_of(grid.breaks[: grid.inner_columns + 1], grid.order)
    faces = 1e3 * grid.faces[first : last + 1, : len(across)]
    inner = np.diff(grid.region[first:last]) > 0
    for k, face in enumerate(faces):
        bound = 0 < k < len(faces) - 1 and inner[k - 1]
        axes.plot(face, across, color="white", lw=1.0 if bound else 0.25)
    for at in range(0, len(across), grid.order):
        axes.plot(faces[:, at], np.full(len(faces), across[at]), color="white", lw=0.25)
    r = np.linspace(0.0, 32e-3, 100)
    axes.plot(1e3 * SOURCE.depth(r), 1e3 * r, color="#56b4e9", lw=2)
    axes.set(xlabel="z, mm", ylabel="r, mm", xlim=(0, 120), ylim=(0, 50))
    axes.set_title("Bowl through skin and three layers of bone", fontsize=9, loc="left")


def draw_axis(axes: Axes) -> None:
    """Draw the pressure of the bowl in water on the axis against O'Neil's, and the error."""
    solved = solve_axisymmetric(LayeredMedium((WATER,)), SOURCE, F, depth=DEPTH, radius=35e-3)
    z = np.linspace(2e-3, 120e-3, 600)
    exact = oneil(z)
    found = solved.on_axis(z)
    axes.semilogy(1e3 * z, np.abs(exact) / 1e3, color="#999999", lw=4, label="O'Neil")
    axes.semilogy(1e3 * z, np.abs(found) / 1e3, color="black", lw=1, label="solved")
    axes.semilogy(1e3 * z, np.abs(found - exact) / 1e3, color="#d55e00", lw=1, label="error")
    axes.set(xlabel="z, mm", ylabel="kPa", ylim=(1e-4, 2e3), xlim=(0, 120))
    axes.legend(fontsize=8)
    axes.set_title("The bowl in water, on its axis", fontsize=9, loc="left")


def draw_convergence(axes: Axes) -> None:
    """Draw the error on the axis by order and points a wavelength."""
    z = np.linspace(9.5e-3, 120e-3, 400)
    exact = oneil(z)
    for (order, points), colour in zip(
        ORDERS.items(), ("#e69f00", "#009e73", "#0072b2", "#cc79a7"), strict=True
    ):
        errors = []
        for p in points:
            solved = solve_axisymmetric(
                LayeredMedium((WATER,)),
                SOURCE,
                F,
                depth=DEPTH,
                radius=35e-3,
                order=order,
                per_wavelength=p,
            )
            errors.append(np.abs(solved.on_axis(z) - exact).max() / np.abs(exact).max())
        axes.loglog(points, errors, "o-", ms=3, color=colour, label=f"order {order}")
    ticks = (5, 6, 8, 10, 12, 16)
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set(xlabel="points a wavelength", ylabel="largest error over peak")
    axes.legend(fontsize=8)
    axes.set_title("Error by order", fontsize=9, loc="left")


def oneil(z: np.ndarray) -> np.ndarray:
    """Return the pressure of the bowl in water on the axis."""
    return bowl_on_axis(z, radius=64e-3, aperture=64e-3, pressure=60e3, k=2 * np.pi * F / 1500.0)


def main() -> None:
    """Draw the picture."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    parts = figure.subplot_mosaic([["field", "field"], ["axis", "orders"]], height_ratios=[1.1, 1])
    draw_field(parts["field"], skull())
    draw_axis(parts["axis"])
    draw_convergence(parts["orders"])
    figure.savefig(Path(__file__).with_name("acoustics_axisymmetric.png"), dpi=110)


if __name__ == "__main__":
    main()
