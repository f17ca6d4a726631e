"""Draw the picture of docs/transducers.md: python docs/images/transducers.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Wedge

from rheobase.fields.acoustics.media import WATER
from rheobase.fields.acoustics.plane import plane_source
from rheobase.fields.acoustics.rayleigh import pressure, unit_responses
from rheobase.fields.acoustics.steering import focus_at, steering_map
from rheobase.fields.acoustics.transducers.catalogue import transducer
from rheobase.fields.acoustics.transducers.elements import Ring
from rheobase.fields.acoustics.transducers.transducer import Transducer

mpl.use("Agg")
FACE, RIM = "#5a6b7a", "#e4e0d4"
STEER = 0.012  # m


def front(ax: Axes, one: Transducer) -> None:
    """Draw the elements as seen from the target."""
    patches: list[Ellipse | Wedge] = []
    for i, (at, normal) in enumerate(zip(1e3 * one.positions, one.normals, strict=True)):
        shape = one.shapes[i if len(one.shapes) > 1 else 0]
        assert isinstance(shape, Ring)
        wide, hole = 2e3 * shape.outer_radius, 2e3 * shape.inner_radius
        place = (float(at[0]), float(at[1]))
        if hole:
            patches.append(Wedge(place, wide / 2, 0, 360, width=(wide - hole) / 2))
        else:  # tilted towards the axis, it looks narrower
            turn = float(np.rad2deg(np.arctan2(at[1], at[0])))
            patches.append(Ellipse(place, wide * normal[2], wide, angle=turn))
    ax.add_collection(PatchCollection(patches, fc=FACE, ec=RIM, lw=0.4))
    half = 0.53e3 * one.aperture
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    ax.set_title(
        f"{one.name}: {one.n_elements} elements,\n"
        f"{1e3 * one.aperture:.0f} mm wide, {1e-3 * one.frequency:g} kHz",
        fontsize=7,
    )
    ax.set_frame_on(False)


def section(ax: Axes, one: Transducer, drive: np.ndarray, title: str) -> None:
    """Draw the amplitude in the plane y = 0 (dB of the largest), half the peak as a line."""
    R = one.curvature_radius
    x = np.linspace(-0.35 * one.aperture, 0.35 * one.aperture, 161)
    z = np.linspace(one.outline[:, 2].max() + 0.003, 1.5 * R, 201)
    points = np.stack([np.repeat(x, len(z)), np.zeros(len(x) * len(z)), np.tile(z, len(x))], axis=1)
    source = one.source(velocity=drive, fluid=WATER)
    P = np.abs(pressure(source, points, frequency=one.frequency, fluid=WATER))
    P = P.reshape(len(x), -1).T
    image = ax.pcolormesh(
        1e3 * x,
        1e3 * z,
        20 * np.log10(P / P.max()),
        cmap="magma",
        vmin=-40,
        vmax=0,
        rasterized=True,
    )
    ax.contour(1e3 * x, 1e3 * z, P, [0.5 * P.max()], colors="white", linewidths=0.6)
    ax.set_title(title, fontsize=7)
    ax.set(aspect="equal")
    ax.set_xlabel("x (mm)", fontsize=7)
    ax.set_ylabel("z (mm)", fontsize=7)
    ax.tick_params(labelsize=6)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.ax.tick_params(labelsize=6)
    bar.set_label("dB", fontsize=6)


def steered(ax: Axes, one: Transducer) -> None:
    """Draw how much pressure is left where the focus is steered to."""
    side = np.linspace(-0.02, 0.02, 21)
    deep = one.curvature_radius + np.linspace(-0.03, 0.03, 21)
    points = np.array([[x, 0.0, z] for x in side for z in deep])
    source = one.source(velocity=1.0, fluid=WATER)
    responses = unit_responses(source, points, frequency=one.frequency, fluid=WATER)
    gain = steering_map(points, responses, points).gain.reshape(len(side), -1).T
    lines = ax.contour(1e3 * side, 1e3 * deep, gain, np.arange(0.3, 1.0, 0.1), cmap="viridis")
    ax.clabel(lines, fontsize=6)
    ax.set_title(f"{one.name}: pressure left where steered to", fontsize=7)
    ax.set_xlabel("x (mm)", fontsize=7)
    ax.set_ylabel("z (mm)", fontsize=7)
    ax.tick_params(labelsize=6)


def cut_off(ax: Axes) -> None:
    """Draw what a plane source misses and how far its field is off, against its width."""
    one = transducer("itrusst-sc1")
    source = one.source(pressure=60e3, fluid=WATER)
    rng = np.random.default_rng(0)
    points = np.append(rng.uniform(-0.01, 0.01, (300, 2)), rng.uniform(0.03, 0.09, (300, 1)), 1)
    points[0] = 0, 0, 0.062
    exact = pressure(source, points, frequency=one.frequency, fluid=WATER)
    widths = np.linspace(0.024, 0.06, 10)
    missed, off = [], []
    for half in widths:
        plane = plane_source(source, 0.02, half_width=half, frequency=one.frequency, fluid=WATER)
        P = pressure(plane.source, points, frequency=one.frequency, fluid=WATER)
        missed.append(100 * plane.missed)
        off.append(100 * np.abs(P - exact).max() / np.abs(exact).max())
    ax.semilogy(1e3 * widths, missed, "o-", ms=3, lw=0.8, color=FACE, label="power missed")
    ax.semilogy(
        1e3 * widths, off, "s-", ms=3, lw=0.8, color="#c8553d", label="largest error in the beam"
    )
    ax.set_xlabel("half width of the plane (mm)", fontsize=7)
    ax.set_ylabel("%", fontsize=7)
    ax.set_title("itrusst-sc1, plane at z = 20 mm", fontsize=7)
    ax.legend(fontsize=6, frameon=False)
    ax.tick_params(labelsize=6)


def main() -> None:
    """Draw and save."""
    figure = Figure(figsize=(11, 6), dpi=150, layout="constrained")
    axes = figure.subplots(2, 4)
    for ax, name in zip(axes[0], ("ctx-500", "h317", "i12378", "dome-1024"), strict=True):
        front(ax, transducer(name))
    bowl, array = transducer("itrusst-sc1"), transducer("h317")
    section(axes[1, 0], bowl, np.ones(1), "itrusst-sc1 in water")
    to = array.focus + np.array([STEER, 0, -0.01])
    section(axes[1, 1], array, focus_at(array, to, fluid=WATER), "h317 steered by 12 and -10 mm")
    steered(axes[1, 2], array)
    cut_off(axes[1, 3])
    figure.savefig(Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
