"""Draw the pictures of docs/coils.md: python docs/images/coils.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rheobase.fields.coils.windings import coil, load_windings
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.meshes.mesher import mesh_spheres

mpl.use("Agg")
HERE = Path(__file__).parent
COPPER, FACE = "#a05a20", "#9098a8"
HEAD, CORTEX, GAP = 0.085, 0.070, 0.004  # m: the sphere of Deng 2013, 4 mm from scalp to casing


def windings() -> None:
    """Draw every shipped coil from above and from behind."""
    names = list(load_windings())
    figure = Figure(figsize=(12, 8.2), layout="constrained")
    axes = figure.subplots(4, 4, gridspec_kw={"height_ratios": [4, 3, 4, 3]})
    for k, name in enumerate(names):
        above, behind = axes[2 * (k // 4), k % 4], axes[2 * (k // 4) + 1, k % 4]
        tool = coil(name)
        for line in (1e3 * one for one in tool.lines()):
            above.plot(line[:, 0], line[:, 1], color=COPPER, lw=0.8, solid_capstyle="butt")
            behind.plot(line[:, 0], line[:, 2], color=COPPER, lw=0.8, solid_capstyle="butt")
        behind.plot(*(1e3 * tool.outline[:, [0, 2]]).T, ".", color=FACE, ms=0.8)
        behind.axhline(0, color="#00000040", lw=0.6)
        above.annotate(
            "", (0, 72), (0, 30), arrowprops={"arrowstyle": "-|>", "color": "#204080", "lw": 1.2}
        )
        above.set_title(name, fontsize=9)
        above.set(xlim=(-122, 122), ylim=(-75, 75), aspect="equal")
        behind.set(xlim=(-122, 122), ylim=(-82, 32), aspect="equal")
        for ax in (above, behind):
            ax.tick_params(labelsize=7)
        if k % 4 == 0:
            above.set_ylabel("y (mm), handle upwards", fontsize=8)
            behind.set_ylabel("z (mm)", fontsize=8)
        behind.set_xlabel("x (mm)", fontsize=8)
    figure.savefig(HERE / "coils_windings.png", dpi=90)


def fields() -> None:
    """Draw |E| at 15 mm depth in a sphere under three coils."""
    names = ("magstim-70mm-figure8", "magstim-double-cone", "deng-circular-90mm")
    pose = np.eye(4)
    pose[2, 3] = HEAD + GAP
    conductor = Conductor(mesh_spheres((HEAD,), (2,), 4e-3), {2: 0.33})
    tools = [coil(n).moved(pose) for n in names]
    basis = solve_induction(conductor, tools, allow_intersection=True)
    u = np.linspace(-1, 1, 161)
    x, y = np.meshgrid(u, u)
    far = np.hypot(x, y) * np.pi / 2  # equal steps on the picture are equal angles
    turn = np.arctan2(y, x)
    cap = np.stack([np.sin(far) * np.cos(turn), np.sin(far) * np.sin(turn), np.cos(far)], axis=-1)
    E, _ = basis.at(CORTEX * cap.reshape(-1, 3))
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, name, field in zip(axes, names, 1e6 * E.reshape(3, 161, 161, 3), strict=True):
        strength = np.where(far > np.pi / 2, np.nan, np.linalg.norm(field, axis=-1))
        image = ax.pcolormesh(90 * u, 90 * u, strength, cmap="magma", rasterized=True, vmin=0)
        some = (slice(8, None, 16), slice(8, None, 16))
        arrow = np.where(far[some][..., None] > 1.5, np.nan, field[some])
        ax.quiver(90 * x[some], 90 * y[some], arrow[..., 0], arrow[..., 1], color="w", pivot="mid")
        ax.set_title(name, fontsize=10)
        ax.set(aspect="equal", xlabel="degrees from below the coil, x")
        figure.colorbar(image, ax=ax, shrink=0.85, label="|E| (V/m per A/µs)")
    axes[0].set_ylabel("y, handle upwards")
    figure.savefig(HERE / "coils_fields.png", dpi=90)


if __name__ == "__main__":
    windings()
    fields()
