"""Spiking cells here and in NEURON: python benchmarks/cells_neuron.py PYTHON [name].

PYTHON is an interpreter that has NEURON, with nrnivmodl and a C++ compiler beside it, in an
environment of its own. Each case is a cell, a field and a pulse; the cell is exported and NEURON
searches the thresholds of both signs on the same compartments in steps of 5 and 2.5 us, which are
extrapolated to 0 (its scheme is of first order). Cases whose name contains ``name`` are run, one
quick case if none is given, all with ``all``. ``passive`` compares the polarisation of a cell
without channels step by step. ``traces`` draws docs/images/neuron_traces.png. ``marks`` prints
validation/data/cells_neuron.toml anew: the thresholds of a small cell with each membrane, in steps
of 2 and 1 us.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rheobase.neurons.cable import polarisation
from rheobase.neurons.export import export_neuron
from rheobase.neurons.generate import generate_cell
from rheobase.neurons.morphology import Kind
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.neurons.spiking import simulate_cell, spiking_thresholds
from rheobase.validation.cells_neuron import AFTER, PULSES, small_cell
from rheobase.validation.cells_neuron import FIELDS as MARK_FIELDS

TOLERANCE = 0.001


FIELDS = {
    "along": (UniformField(E=[0, 0, 1.0]), "V/m"),
    "across": (UniformField(E=[1.0, 0, 0]), "V/m"),
    "oblique": (UniformField(E=[0.48, 0.6, 0.64]), "V/m"),
    "near electrode": (PointSource(position=[150e-6, 50e-6, -200e-6], conductivity=0.276), "A"),
}
MEMBRANES = ("cADpyr229", "cADpyr231", "cADpyr232", "cACint209", "bNAC219", "cNAC187")
CASES = [
    ("L23_pyramidal", "rat", 1, "along", "200 us"),
    ("L23_pyramidal", "human", 2, "across", "damped cosine of 280 us"),
    ("L5_pyramidal", "rat", 1, "oblique", "50 us"),
    ("L5_pyramidal", "human", 3, "near electrode", "60 us and a tenth for 600 us"),
    ("L6_pyramidal", "mouse", 1, "along", "1 ms"),
    ("L4_basket", "rat", 1, "across", "200 us"),
    ("L23_basket", "mouse", 2, "near electrode", "200 us"),
    ("L5_martinotti", "rat", 1, "along", "damped cosine of 280 us"),
]


def neuron(python, folder, *options):
    """Run the folder's script in NEURON and return what it says."""
    path = f"{Path(python).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [python, "run.py", *options],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def thresholds(python, folder, guess, dt, tolerance=TOLERANCE):
    """Return the thresholds of both signs in NEURON, in steps of ``dt`` (s)."""
    near = [f"{x:.8g}" for x in guess]
    said = neuron(
        python, folder, "--threshold", "--dt", str(dt * 1e3), "--guess", *near,
        "--tolerance", str(tolerance),
    )  # fmt: skip
    return np.array([abs(float(x.split()[1])) for x in said.splitlines() if "threshold" in x])


def compare(python, case, work):
    """Print a case: thresholds here and there."""
    name, species, seed, field, pulse = case
    cell = generate_cell(name, species, seed=seed)
    source, unit = FIELDS[field]
    rise = rises_along(cell.morphology, source)
    start = time.process_time()
    how = {"tolerance": TOLERANCE, "after": AFTER}
    ours = spiking_thresholds(cell, rise[None], PULSES[pulse], **how)[0][:, 0]
    spent = time.process_time() - start
    best = spiking_thresholds(cell, rise[None], PULSES[pulse], dt=1e-6, **how)[0]
    folder = export_neuron(
        cell, rise, PULSES[pulse], work, amplitude=float(ours.min()), unit=unit, after=AFTER
    )
    coarse, fine = (thresholds(python, folder, ours, dt) for dt in (5e-6, 2.5e-6))
    theirs = 2 * fine - coarse
    for sign, a, b, c in zip("+-", ours, best[:, 0], theirs, strict=True):
        print(
            f"{name}, {species}, {seed}, {field}, {pulse}, {sign}: {a:.5g} {unit} ({b:.5g} in "
            f"steps of 1 us), NEURON {c:.5g}, {a / c - 1:+.2%} ({b / c - 1:+.2%})",
            flush=True,
        )
    print(f"  {len(cell.morphology)} compartments, {spent:.2f} CPU-s for both here", flush=True)


def traces(python, work):
    """Draw membrane potentials of the small cell at 1.1 thresholds, here and in NEURON."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    cell, pulse = small_cell(), PULSES["60 us and a tenth for 600 us"]
    rise = rises_along(cell, MARK_FIELDS["near electrode"])
    a = -1.1 * float(spiking_thresholds(cell, rise[None], pulse, name="cADpyr232")[0][1, 0])
    folder = export_neuron(cell, rise, pulse, work, name="cADpyr232", amplitude=a, after=1e-3)
    tips = np.flatnonzero(cell.kind == Kind.TERMINAL).tolist()
    first_segment = int(np.flatnonzero(cell.kind == Kind.INITIAL_SEGMENT)[-1])
    some = {"soma": 0, "initial segment": first_segment, "terminal": tips[0], "twig": tips[1]}
    shown = list(some.values())
    options = ("--dt", "0.0005", "--traces", "v.csv", "--record", *map(str, shown[1:]))
    neuron(python, folder, *options)
    table = np.loadtxt(folder / "v.csv", delimiter=",", skiprows=1)
    t, theirs = table[:, 0], table[:, 1:]
    when, v = simulate_cell(
        cell, rise, pulse, a, 1e-3 * t[-1], name="cADpyr232", dt=2e-6, record=np.array(shown)
    )
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for k, name in enumerate(some):
        mine = np.interp(t, 1e3 * when, 1e3 * v[:, k])
        off = np.abs(mine - theirs[:, k]).max()
        print(f"{name}: peaks {mine.max():.2f}, {theirs[:, k].max():.2f} mV, apart {off:.2f} mV")
        (line,) = axes.plot(t, mine, lw=1, label=name)
        axes.plot(t[::60], theirs[::60, k], "o", ms=3, mfc="none", color=line.get_color())
    axes.set(xlabel="time (ms)", ylabel="membrane potential (mV)", xlim=(0, t[-1]))
    axes.set_title("Lines: here. Circles: NEURON", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(Path(__file__).parents[1] / "docs" / "images" / "neuron_traces.png", dpi=130)


def passive(python, work, dt=5e-6):
    """Print the largest difference of the polarisation of a cell without channels."""
    cell = generate_cell("L5_pyramidal", "rat", seed=1)
    rise = rises_along(cell.morphology, FIELDS["oblique"][0])
    folder = export_neuron(cell, rise, 200e-6, work, amplitude=50.0, unit="V/m", after=0.3e-3)
    with (folder / "compartments.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rest = rows[0].index("e_pas_mV")
    keep = [k for k, name in enumerate(rows[0]) if not name.startswith("gbar_")]
    for row in rows[1:]:
        row[rest] = "-70"
    with (folder / "compartments.csv").open("w", newline="") as file:
        csv.writer(file).writerows([r[k] for k in keep] for r in rows)
    some = np.flatnonzero(cell.morphology.length > 0)[1::30].tolist()
    neuron(python, folder, "--dt", str(dt * 1e3), "--traces", "v.csv", "--record", *map(str, some))
    theirs = np.loadtxt(folder / "v.csv", delimiter=",", skiprows=1)[1:, 1:] + 70.0
    drive = np.where(np.arange(len(theirs)) * dt < 200e-6 - 1e-9, 50.0, 0.0)
    ours = polarisation(cell.morphology, rise, drive, dt)[:, [0, *some]] * 1e3
    worst = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(
        f"passive, {len(some) + 1} of {len(cell.morphology)} compartments: {worst:.1e} of the peak"
    )


def marks(python, work):
    """Print the thresholds of the small cell in NEURON as TOML."""
    cell = small_cell()
    conditions = [(m, "200 us", "uniform") for m in MEMBRANES]
    conditions += [("cADpyr232", pulse, "near electrode") for pulse in PULSES]
    conditions += [("cACint209", pulse, "uniform") for pulse in PULSES if pulse != "200 us"]
    print(
        "# Thresholds (V/m, A) of the small cell of validation/cells_neuron.py in NEURON, as given"
    )
    print("# and reversed, in steps of 2 and 1 us (implicit Euler), by bisection to 0.02 %.")
    print('source = "NEURON 9.0.2, own runs of the exported cell"\nstatus = "computed"')
    print(f"compartments = {len(cell)}\narea_um2 = {1e12 * cell.area.sum():.10g}")
    for membrane, pulse, field in conditions:
        rise = rises_along(cell, MARK_FIELDS[field])
        how = {"name": membrane, "after": AFTER}
        ours = spiking_thresholds(cell, rise[None], PULSES[pulse], **how)[0][:, 0]
        amplitude = float(ours.min())
        folder = export_neuron(cell, rise, PULSES[pulse], work, amplitude=amplitude, **how)
        print(f'\n[[condition]]\nmembrane = "{membrane}"\npulse = "{pulse}"\nfield = "{field}"')
        for us in (2, 1):
            a, b = thresholds(python, folder, ours, us * 1e-6, 2e-4)
            print(f"threshold_{us}_us = [{a:.6g}, {b:.6g}]", flush=True)


def main():
    """Read the command line and run the cases."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    python, wanted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "L23_pyramidal, rat"
    with tempfile.TemporaryDirectory() as work:
        if wanted == "marks":
            marks(python, Path(work))
        if wanted in ("traces", "all"):
            traces(python, Path(work) / "traces")
        if wanted in ("passive", "all"):
            passive(python, Path(work) / "passive")
        for k, case in enumerate(CASES):
            if wanted == "all" or wanted in ", ".join(map(str, case)):
                compare(python, case, Path(work) / str(k))


if __name__ == "__main__":
    main()
