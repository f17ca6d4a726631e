"""Draw the picture of docs/temporal_interference.md: python docs/images/interference.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rheobase.fields.basis import FieldBasis
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.montage import montage_1x1
from rheobase.fields.interference import Carriers, envelope_max
from rheobase.meshes.heads.sphere import build
from rheobase.meshes.regions.statistics import weighted_percentiles

Floats = NDArray[np.float64]
PAIRS = (("F3", "P3"), ("F4", "P4"), ("C5", "C6"), ("Fz", "Oz"))
CASES = {
    "three carriers: f, f + d, f + 2d": Carriers(frequencies=(2000.0, 2010.0, 2020.0)),
    "two bands: f, f + d and g, g + d": Carriers(frequencies=(2000.0, 2010.0, 4000.0, 4010.0)),
}
LINE = np.linspace(-0.081, 0.081, 240)  # m
mpl.use("Agg")


def strongest_vector(E1: Floats, E2: Floats) -> Floats:
    """Return the vector of the largest modulation of two fields (Grossman et al. 2017)."""
    swap = (np.linalg.norm(E1, axis=1) < np.linalg.norm(E2, axis=1))[:, None]
    a, b = np.where(swap, E2, E1), np.where(swap, E1, E2)
    b = np.where((a * b).sum(1, keepdims=True) < 0, -b, b)
    h = a - b
    h /= np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-300)
    across = b - (b * h).sum(1, keepdims=True) * h
    aligned = (b * b).sum(1, keepdims=True) <= (a * b).sum(1, keepdims=True)
    return np.asarray(2 * np.where(aligned, b, across))


def nested(E: Floats) -> Floats:
    """Return what the two-field formula makes of its own results."""
    first = strongest_vector(E[0], E[1])
    second = E[2] if len(E) == 3 else strongest_vector(E[2], E[3])
    return np.linalg.norm(strongest_vector(first, second), axis=1)


def on_slice(basis: FieldBasis, values: Floats, z: float) -> Floats:
    """Return the values on a grid of the plane at height z (m)."""
    x, y = np.meshgrid(LINE, LINE)
    tet, weight = basis.locator.locate(np.column_stack([x.ravel(), y.ravel(), np.full(x.size, z)]))
    v = np.einsum("na,na->n", values[basis.split_of_tet[tet]], weight)
    v[(tet < 0) | (basis.mesh.labels[tet] != 2)] = np.nan
    return v.reshape(x.shape)


def main() -> None:
    """Solve for four pairs on a sphere; draw the envelope, the nested formula and their ratio."""
    head = build(edge_length_mm=4.5)
    pairs = [montage_1x1(head, anode=a, cathode=c, current=1e-3) for a, c in PAIRS]
    basis = solve_conduction(head, pairs)
    E = basis.E * 1e-3  # 1 mA through each pair
    brain = basis.split_label == 2
    volume = basis.split_volume[brain]
    figure = Figure(figsize=(9.2, 6.0), layout="constrained")
    axes = figure.subplots(2, 3)
    for row, (name, carriers) in zip(axes, CASES.items(), strict=True):
        fields = E[: len(carriers.frequencies)]
        true, wrong = np.zeros(len(brain)), np.zeros(len(brain))
        true[brain] = envelope_max(fields[:, brain], carriers)
        wrong[brain] = nested(fields[:, brain])
        ratio = wrong[brain] / true[brain]
        q = weighted_percentiles(ratio, volume, (5, 50, 95))
        top = [weighted_percentiles(v[brain], volume, 99.9) for v in (true, wrong)]
        print(  # noqa: T201
            f"{name}: {np.count_nonzero(brain)} nodes; nested / true 5, 50, 95 %: "
            f"{q.round(3).tolist()}, least {ratio.min():.3f}, most {ratio.max():.3f}; "
            f"99.9 % {top[0]:.4f} (true) {top[1]:.4f} (nested) V/m"
        )
        titles = ("largest modulation", "two-field formula, nested")
        images = [on_slice(basis, values, 0.03) for values in (true, wrong)]
        limit = max(float(np.nanmax(image)) for image in images)
        for ax, image, title in zip(row, images, titles, strict=False):
            shown = ax.pcolormesh(LINE, LINE, image, cmap="viridis", vmin=0, vmax=limit)
            ax.set_title(f"{title} (V/m)", fontsize=9)
        figure.colorbar(shown, ax=row[:2], shrink=0.8)
        whole = np.ones(len(brain))
        whole[brain] = ratio
        image = on_slice(basis, whole, 0.03)
        shown = row[2].pcolormesh(LINE, LINE, image, cmap="RdBu_r", vmin=0.4, vmax=1.6)
        row[2].set_title("nested / true", fontsize=9)
        figure.colorbar(shown, ax=row[2], shrink=0.8)
        row[0].set_ylabel(name, fontsize=8)
        for ax in row:
            ax.set(aspect="equal", xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set_visible(False)
    figure.savefig(Path(__file__).with_name("interference.png"), dpi=110)


if __name__ == "__main__":
    main()
