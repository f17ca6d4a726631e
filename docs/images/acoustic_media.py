"""Draw the picture of docs/acoustic_media.md: python docs/images/acoustic_media.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.window import WindowMaterial, beam_window
from rheobase.meshes.heads import build_head

mpl.use("Agg")
F = 500e3
TARGET = (0.028, -0.022, -0.016)  # hippocampus, MNI


def beam() -> WindowMaterial:
    """Look at the right hippocampus from the right, through the temporal bone."""
    z = np.array([-1.0, 0.0, 0.1]) / np.hypot(1.0, 0.1)
    y = np.array([0.0, 1.0, 0.0])
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([np.cross(y, z), y, z])
    frame[:3, 3] = np.array(TARGET) - 0.07 * z
    head = build_head("mni152")
    return beam_window(head, frame, half_width=0.03, depth=(5e-3, 85e-3), target=TARGET)


def draw_slice(axes: Axes, window: WindowMaterial, along: int) -> None:
    """Draw sound speed and surfaces over depth along x (0) or y (1)."""
    x, z = np.linspace(-0.03, 0.03, 241), np.linspace(*window.depth, 321)
    points = np.zeros((len(x), len(z), 3))
    points[..., along], points[..., 2] = x[:, None], z
    speed = window.materials(points.reshape(-1, 3), F)[0].reshape(len(x), len(z))
    extent = (-30, 30, 1e3 * window.depth[1], 1e3 * window.depth[0])
    picture = axes.imshow(speed.T, extent=extent, cmap="cividis")
    axes.figure.colorbar(picture, ax=axes, label="sound speed, m/s", shrink=0.7)
    for surface in window.layers.surfaces:
        z_of = surface(x, 0.0) if along == 0 else surface(0.0, x)
        axes.plot(1e3 * x, 1e3 * z_of, "w", lw=0.8)
    axes.plot(0.0, 70.0, "r+")
    axes.set(xlabel=f"{'xy'[along]}, mm", ylabel="depth z, mm", ylim=(extent[2], extent[3]))


def draw_map(axes: Axes, values: NDArray[np.float64], label: str) -> None:
    """Draw a map over x and y."""
    picture = axes.imshow(values.T, origin="lower", extent=(-30, 30, -30, 30), cmap="viridis")
    axes.figure.colorbar(picture, ax=axes, label=label, shrink=0.7)
    axes.set(xlabel="x, mm", ylabel="y, mm")


def main() -> None:
    """Draw slices, thickness and incidence of one window."""
    window = beam()
    x, y = window.rays.x[:, None], window.rays.y[None]
    outer = window.layers.surfaces[window.kinds.index(Kind.COMPACT) - 1]
    thickness = 1e3 * (window.layers.surfaces[-1](x, y) - outer(x, y))
    angle = np.degrees(np.arctan(np.hypot(*outer.gradient(x, y))))
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    draw_slice(axes[0, 0], window, 0)
    draw_slice(axes[0, 1], window, 1)
    draw_map(axes[1, 0], np.where(window.described, thickness, np.nan), "skull along the beam, mm")
    draw_map(axes[1, 1], np.where(window.described, angle, np.nan), "incidence, degrees")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
