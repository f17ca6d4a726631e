"""Reconstructed cells in mode spiking beside what is known of them: FOLDER [TYPE].

    python benchmarks/cells_published.py FOLDER

FOLDER holds the rat cells of the Blue Brain project that Aberra 2018 took, one folder each
("L23_PC_cADpyr229_1"). They get adult sizes and the division of their axons by the same rules, and
the end of the main axon is cut. Printed are, for 200 us rectangles along three axes and both signs,
the passive depolarisation of the strongest node at the end of the pulse at our threshold, beside
the same of the original cells in NEURON; then thresholds of TMS pulses over directions.
"""

import sys
from pathlib import Path

import numpy as np

from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.neurons.cable import polarisation
from rheobase.neurons.morphology import Kind
from rheobase.neurons.read import read_cell
from rheobase.neurons.sample import UniformField, rises_along
from rheobase.neurons.spiking import spiking_thresholds

CLASSES = {"L1": "NGC", "L23": "PYR", "L4": "PV", "L5": "PYR", "L6": "PYR"}
# mV, own runs of the ModelDB 241165 cells in NEURON: 200 us, six directions and a near electrode
MARKS = {
    ("L1_NGC-DA", "human"): 23.6,
    ("L23_PC", "human"): 25.1,
    ("L23_PC", "rat"): 24.6,
    ("L4_LBC", "human"): 21.2,
    ("L4_LBC", "rat"): 21.4,
    ("L5_TTPC2", "human"): 24.6,
    ("L5_TTPC2", "rat"): 24.9,
    ("L6_TPC_L4", "human"): 26.0,
}


def reconstructions(folder, species):
    """Yield type and cell for every reconstruction in the folder."""
    for place in sorted(folder.iterdir()):
        file = next(place.glob("*.asc"), None)
        if file is None:
            continue
        kind, membrane, _ = place.name.rsplit("_", 2)
        layer = kind.split("_")[0]
        yield (
            kind,
            read_cell(
                file,
                name=place.name,
                cell_class=CLASSES[layer],
                membrane=membrane,
                layer=layer.replace("L23", "L2/3"),
                species=species,
                depth=0.5,
                thickness=1e-3,
                adult=species,
                cut=True,
            ),
        )


def site_potential(cell):
    """Return the passive depolarisation (V) at threshold, three axes and both signs, (6,)."""
    m = cell.morphology
    rises = np.stack([rises_along(m, UniformField(E=e)) for e in np.eye(3)])
    threshold, _ = spiking_thresholds(cell, rises, 200e-6, tolerance=0.005)
    node = np.isin(m.kind, (Kind.NODE, Kind.TERMINAL)) & m.site
    v = np.stack([polarisation(m, r, np.ones(10), 20e-6)[-1, node] for r in rises])
    return np.concatenate([threshold[0] * v.max(axis=1), -threshold[1] * v.min(axis=1)])


def directions(n):
    """Return n directions spread evenly over the sphere, shape (n, 3)."""
    z = 1 - (2 * np.arange(n) + 1) / n
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)


def main():
    """Print both tables."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    for species in ("human", "rat"):
        by_kind = {}
        for kind, cell in reconstructions(folder, species):
            V = 1e3 * site_potential(cell)
            by_kind.setdefault(kind, []).append((V.mean(), V.std() / V.mean()))
        for kind, rows in by_kind.items():
            mean, spread = np.array(rows).T
            mark = MARKS.get((kind, species))
            beside = (
                f", original cell {mark} ({mean[0] / mark - 1:+.1%} of the first)" if mark else ""
            )
            print(
                f"{kind}, {species}: {', '.join(f'{x:.1f}' for x in mean)} mV, CV within a cell "
                f"{spread.min():.3f} to {spread.max():.3f}{beside}",
                flush=True,
            )
    pulses = ("biphasic", "monophasic", "half-sine")
    for _kind, cell in reconstructions(folder, "human"):
        rises = np.stack([rises_along(cell.morphology, UniformField(E=e)) for e in directions(16)])
        for name in pulses:
            pulse = tms_pulse(name)
            E = spiking_thresholds(cell, rises, pulse, tolerance=0.01)[0].ravel()
            E *= np.abs(pulse.w).max()
            print(
                f"{cell.name}, human, {name}: least {E.min():.0f}, median {np.median(E):.0f}, "
                f"most {E.max():.0f} V/m",
                flush=True,
            )


if __name__ == "__main__":
    main()
