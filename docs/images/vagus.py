"""Draw the picture of docs/vagus.md: python docs/images/vagus.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure

from rheobase.fields import FieldBasis
from rheobase.fields.electrodes.pads import lay_montage
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.ear_shape import SITES
from rheobase.meshes.placing.scalp import Scalp
from rheobase.neurons.auricular import auricular_recruitment, courses, ear_field, ear_montage
from rheobase.neurons.auricular.courses import TERRITORIES

mpl.use("Agg")
SKIN = np.array(to_rgb("#e6bfa6"))
COLOUR = {
    "cymba_concha": "#0072b2",
    "cavum_concha": "#009e73",
    "tragus": "#d55e00",
    "lobe": "#888888",
}
TISSUE = {14: "#f0cdb8", 11: "#7fb3d5", 12: "#f7e8a4", 10: "#c26a6a"}
VIEW, UP = np.array([0.86, 0.45, 0.22]), np.array([0.0, 0.0, 1.0])
LIGHT = np.array([0.55, 0.75, 0.6])


def screen() -> np.ndarray:
    """Return the axes of the picture, right and up, shape (2, 3)."""
    view = VIEW / np.linalg.norm(VIEW)
    right = np.cross(UP, view)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(view, right)])


def draw_ear(ax: mpl.axes.Axes, basis: FieldBasis, scalp: Scalp) -> None:
    """Draw the skin, the discs and, through it, the fibres."""
    head = build_head("ear")
    tone = np.tile(SKIN, (len(scalp.triangles), 1))
    for site in SITES:
        for pad in lay_montage(ear_montage(head, site), scalp):
            own = np.array([k for k, share in pad.coverage.items() if share > 0.5])
            tone[own] = to_rgb(COLOUR[site])
    normal = scalp.normals / np.linalg.norm(scalp.normals, axis=1, keepdims=True)
    view = VIEW / np.linalg.norm(VIEW)
    seen = np.flatnonzero(normal @ view > 0)
    seen = seen[np.argsort(scalp.centroids[seen] @ view)]
    shade = 0.35 + 0.65 * np.clip(normal[seen] @ LIGHT / np.linalg.norm(LIGHT), 0, 1)
    colours = np.clip(tone[seen] * shade[:, None], 0, 1)
    flat = scalp.nodes[scalp.triangles[seen]] @ screen().T * 1e3
    ax.add_collection(PolyCollection(flat, facecolors=colours, edgecolors=colours, lw=0.2))
    for territory in TERRITORIES:
        for line in courses(territory, 10):
            ax.plot(*(line @ screen().T).T * 1e3, color=COLOUR[territory], lw=0.7, alpha=0.9)
    ax.set(
        xlim=(-34, 30), ylim=(-40, 40), aspect="equal", title="ear, discs, fibres (seen through)"
    )
    ax.axis("off")


def draw_section(ax: mpl.axes.Axes, basis: FieldBasis) -> None:
    """Draw tissues and field across both discs in the cymba, at 1 mA."""
    head = build_head("ear")
    one, two = head.positions["cymba_concha"], head.positions["cymba_concha_return"]
    along = (two - one) * np.array([0, 1, 1])
    along /= np.linalg.norm(along)
    s, x = np.linspace(-16e-3, 20e-3, 420), np.linspace(-8e-3, 17e-3, 300)
    S, X = np.meshgrid(s, x, indexing="ij")
    points = one * np.array([0, 1, 1]) + S[..., None] * along + X[..., None] * np.eye(3)[0]
    E, tet = basis.at(points.reshape(-1, 3))
    strength = np.linalg.norm(E[0], axis=1).reshape(S.shape) * 1e-3
    label = np.where(tet < 0, 0, head.mesh.labels[tet]).reshape(S.shape)
    strength[label == 0] = np.nan
    extent = [s[0] * 1e3, s[-1] * 1e3, x[0] * 1e3, x[-1] * 1e3]
    norm = LogNorm(1, 300)
    im = ax.imshow(strength.T, origin="lower", extent=extent, norm=norm, cmap="magma")
    for k, colour in TISSUE.items():
        ax.contour(S * 1e3, X * 1e3, label == k, [0.5], colors=colour, linewidths=0.7)
    for place, name in ((0.0, "−"), (float((two - one) @ along) * 1e3, "+")):
        height = (one if name == "−" else two)[0] * 1e3
        ax.text(place, height + 1.2, name, ha="center", fontsize=13, weight="bold")
    ax.set(title="across the cymba: |E| at 1 mA", xlabel="along the discs (mm)", ylabel="x (mm)")
    ax.figure.colorbar(im, ax=ax, shrink=0.75, label="V/m")


def main() -> None:
    """Draw it."""
    head = build_head("ear")
    basis = ear_field(head)
    fig = Figure(figsize=(13, 9.4), layout="constrained")
    (a, b), (c, d) = fig.subplots(2, 2)
    draw_ear(a, basis, Scalp(head.mesh))
    draw_section(b, basis)
    current = np.geomspace(0.1e-3, 10e-3, 300)
    for site in SITES:
        found = auricular_recruitment(site, field=basis)
        c.plot(current * 1e3, found.fraction(current), color=COLOUR[site], label=site)
    for x, name in ((0.2, "not felt"), (1.0, "felt")):
        c.axvline(x, color="0.5", ls=":")
        c.text(x, 1.02, name, ha="center", color="0.4", fontsize=8)
    c.set(xscale="log", ylim=(0, 1.08), xlabel="current, 250 µs (mA)", ylabel="share of fibres")
    c.set_title("recruitment by site (lobe: fibres of the cymba)")
    c.legend(loc="lower right", fontsize=8)
    widths = np.array([50, 100, 200, 250, 500, 1000]) * 1e-6
    found = [auricular_recruitment(pulse_width=w, field=basis, count=16) for w in widths]
    for k, um in enumerate(np.unique(found[0].diameter)):
        middle = [np.median(f.threshold[f.diameter == um]) * 1e3 for f in found]
        tone = mpl.colormaps["viridis"](0.9 - 0.16 * k)
        d.plot(widths * 1e6, middle, "o-", ms=3, color=tone, label=f"{um * 1e6:.1f} µm")
    d.set(xscale="log", yscale="log", xlabel="pulse width (µs)", ylabel="median threshold (mA)")
    d.set_title("cymba, cathode: strength and duration by diameter")
    d.legend(fontsize=8)
    fig.savefig(Path(__file__).with_name("vagus.png"), dpi=110)


if __name__ == "__main__":
    main()
