"""Draw thresholds of cable and full simulation: python docs/images/cable_vs_spiking.py FOLDER.

FOLDER is that of ``benchmarks/calibrate_cable.py``.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from rheobase.neurons.generate import cell_types, generate_cell
from rheobase.validation.cable_spiking import activating_of, cable_of, rises_about

mpl.use("Agg")
HERE = Path(__file__).parent
WIDTHS = (30, 60, 100, 200, 500, 1000, 2000)  # us
FIELDS = 5  # the first placements are uniform fields, the others electrodes


def main(folder: Path) -> None:
    """Draw a panel for each type, thresholds over the median of their cell, kind and width."""
    figure = Figure(figsize=(13, 7.6), layout="constrained")
    axes = figure.subplots(3, 6, sharex=True, sharey=True).ravel()
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(WIDTHS)))
    for name, axis in zip(cell_types(), axes, strict=False):
        off, plain = [], []
        for path in sorted(folder.glob(f"{name}-*.npz")):
            _, species, seed = path.stem.rsplit("-", 2)
            cell = generate_cell(name, species, seed=int(seed))
            rise = rises_about(cell.morphology)
            with np.load(path) as kept:
                for width, colour in zip(WIDTHS, colours, strict=True):
                    truth = kept[f"{width:g} us"]
                    cable = cable_of(cell, rise, 1e-6 * width)
                    af = activating_of(cell, rise, 1e-6 * width)
                    off.append(np.abs(cable / truth - 1).mean())
                    plain.append(np.abs(af / truth - 1).mean())
                    for of in (slice(None, FIELDS), slice(FIELDS, None)):
                        scale = np.median(truth[:, of])
                        x = truth[:, of].ravel() / scale
                        axis.plot(x, af[:, of].ravel() / scale, ".", ms=2, c="0.8", zorder=1)
                        axis.plot(x, cable[:, of].ravel() / scale, ".", ms=3, c=colour, zorder=2)
        axis.plot([0.2, 5], [0.2, 5], c="k", lw=0.6, zorder=3)
        axis.set_title(
            f"{name}\n{100 * np.mean(off):.1f} % (af {100 * np.mean(plain):.0f} %)", fontsize=9
        )
        axis.set(xscale="log", yscale="log", xlim=(0.2, 5), ylim=(0.2, 5), aspect="equal")
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(FixedLocator([0.2, 0.5, 1, 2, 5]))
            side.set_major_formatter("{x:g}")
            side.set_minor_locator(NullLocator())
    last = axes[len(cell_types())]
    last.axis("off")
    for width, colour in zip(WIDTHS, colours, strict=True):
        last.plot([], [], "o", c=colour, label=f"{width} µs")
    last.plot([], [], "o", c="0.8", label="af, all widths")
    last.legend(loc="center", fontsize=9, frameon=False)
    figure.supxlabel("threshold of the full simulation (1 = median of the cell, field and width)")
    figure.supylabel("threshold of cable")
    figure.savefig(HERE / "cable_vs_spiking.png", dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
