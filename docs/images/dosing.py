"""Measure and draw what docs/dosing.md shows: python docs/images/dosing.py LEADFIELD.h5.

The file is that of `rheobase.fields.lead_field` on the default head, with the field in grey and
white matter kept; it is made (minutes) if it is not there.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rheobase.fields import lead_field, load_lead_field
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.tes import max_intensity
from rheobase.meshes.heads import build_head
from rheobase.neurons.nearby import nearby
from rheobase.neurons.objectives import objective, polarisation_rows
from rheobase.neurons.placement import place_in_sheet
from rheobase.neurons.recruit import maximise_recruitment, rank_stimuli

mpl.use("Agg")
HERE = Path(__file__).parent


def timed[T](what: str, work: Callable[[], T]) -> T:
    """Run ``work`` and print its CPU time."""
    start = time.process_time()
    found = work()
    print(f"{what}: {time.process_time() - start:.2f} CPU-s")  # noqa: T201
    return found


def main(path: Path) -> None:
    """Recruit cells below C3 in three ways."""
    head = build_head("mni152")
    kept = ["grey_matter", "white_matter"]
    field = load_lead_field(path) if path.exists() else lead_field(head, path, tissues=kept)
    names, n = field.names, len(field.names)
    assert head.cortex is not None
    middle = head.cortex.points(0.5)
    hand = middle[np.linalg.norm(middle - head.position("C3"), axis=1).argmin()]
    drawn = place_in_sheet(
        head.cortex,
        species="human",
        counts={"L5_pyramidal": 320},
        seed=1,
        centre=hand,
        radius=8e-3,
    )
    near = timed("fields near the cells", lambda: nearby(drawn, field))
    tet = near.locator.locate(drawn.position)[0]
    grey = head.mesh.labels[tet] == head.label_of("grey_matter")
    cells = drawn.select(np.flatnonzero(grey)[:200])
    felt = objective(cells, near, waveform=200e-6)
    pair = field.currents({"C3": 1.0, "Fp2": -1.0})
    felt.thresholds(pair)
    known = timed("thresholds", lambda: felt.thresholds(pair))
    timed("critical rows", lambda: felt.critical(pair))
    rows = timed("rows of somata", lambda: polarisation_rows(cells, near).mean())
    total = float(np.nanmedian(known.threshold))
    limits = Limits(total=total, each=0.6 * total)

    ends = np.array([(p, q) for p in range(n) for q in range(n) if p != q])
    pairs = np.zeros((len(ends), n))
    pairs[np.arange(len(ends)), ends[:, 0]] = 0.6 * total
    pairs[np.arange(len(ends)), ends[:, 1]] = -0.6 * total
    ranking = timed(f"ranking of {len(pairs)} pairs", lambda: rank_stimuli(felt, pairs))
    start = pairs[ranking.best]
    found = timed("programmes", lambda: maximise_recruitment(felt, limits, names, start=start))
    polarised = max_intensity(rows["L5_pyramidal", "L5"].C, limits, names=names)

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    ax = figure.subplots()
    scale = np.linspace(0, 2.5, 251)
    for label, currents, colour in (
        ("C3 to Fp2, beyond the limit of an electrode", total * pair, "#9098a8"),
        ("best pair within it", start, "#204080"),
        ("largest mean polarisation of somata", polarised.currents, "#3a8a4a"),
        ("maximise_recruitment", found.currents, "#a03020"),
    ):
        threshold = felt.thresholds(currents).threshold[0]
        share = [np.count_nonzero(threshold <= s) / len(cells) for s in scale]
        ax.plot(1e3 * scale * total, 100 * np.array(share), color=colour, lw=1.6, label=label)
        montage = {k: round(1e3 * v) for k, v in zip(names, currents, strict=True) if v}
        print(f"{label}: {share[100]:.1%}, {montage} mA")  # noqa: T201
    ax.axvline(1e3 * total, color="#00000060", lw=0.8, ls=":")
    ax.set(
        xlabel="total current of the limits (mA), 200 µs",
        ylabel="cells that fire (%)",
        xlim=(0, 2500 * total),
        ylim=(0, 100),
    )
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    figure.savefig(HERE / "dosing.png", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
