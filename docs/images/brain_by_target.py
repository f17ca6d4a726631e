"""Draw brain_by_target.png from the folder of ``rheobase sweep examples/brain_by_target.toml``.

python docs/images/brain_by_target.py out/brain_by_target
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from rheobase.results import open_result

TARGETS = ("prefrontal\n(−38, 44, 26)", "motor\n(−37, −21, 58)", "parietal\n(−39, −67, 43)")
ORDER = ("Cont", "Default", "DorsAttn", "Limbic", "SalVentAttn", "SomMot", "Vis")
LATEST = 60.0  # ms, end of the colours


def main(folder: str) -> None:
    """Draw when the first region of each network answers, and print how many are early."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    onset = open_result(folder).dataset("sweep")["onset"].squeeze() * 1e3
    early = (onset < 20).sum("region").values.tolist()
    print("regions within 20 ms, by target:", early)  # noqa: T201
    networks = onset["region"].str.replace(r"(.H_[A-Za-z]+)_.*", r"\1").values
    names = [f"{side}H_{name}" for side in "LR" for name in ORDER]
    first = onset.groupby(onset["region"].copy(data=networks).rename("network")).min()
    first = first.sel(network=names).transpose("network", ...)
    figure, axes = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
    shown = axes.imshow(first, aspect="auto", cmap="cividis_r", vmin=0, vmax=LATEST)
    for (row, column), value in np.ndenumerate(first.values):
        text = "–" if np.isnan(value) else f"{value:.0f}"
        colour = "w" if value > 0.6 * LATEST else "k"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(TARGETS)), TARGETS)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("target of the coil (MNI, mm)")
    label = "first region of the network answers (ms after the pulse)"
    figure.colorbar(shown, extend="max", label=label)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
