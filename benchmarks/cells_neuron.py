"""Spiking cells here and in NEURON: python benchmarks/cells_neuron.py PYTHON [name].

PYTHON is an interpreter that has NEURON, with nrnivmodl and a C++ compiler beside it, in an
environment of its own. Each case is a cell, a field and a pulse; the cell is exported and NEURON
searches the thresholds of both signs on the same compartments in steps of 5 and 2.5 us, which are
extrapolated to 0 (its scheme is of first order). Cases whose name contains ``name`` are run, one
quick case if none is given, all with ``all``. ``passive`` compares the polarisation of a cell
without channels step by step.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from rheobase.neurons.cable import polarisation
from rheobase.neurons.export import export_neuron
from rheobase.neurons.generate import generate_cell
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.neurons.spiking import simulate_cell, spiking_thresholds

TOLERANCE = 0.001


def biphasic():
    """Return a damped cosine of one period of 280 us, like a biphasic TMS pulse."""
    t = np.linspace(0, 280e-6, 141)
    return SimpleNamespace(t=t, w=np.cos(2 * np.pi * t / 280e-6) * np.exp(-t / 600e-6))


def asymmetric():
    """Return a cathodic 60 us phase and an anodic one ten times longer and weaker."""
    t = np.array([0, 60, 60.001, 660]) * 1e-6
    return SimpleNamespace(t=t, w=np.array([1.0, 1.0, -0.1, -0.1]))


FIELDS = {
    "along": (UniformField(E=[0, 0, 1.0]), "V/m"),
    "across": (UniformField(E=[1.0, 0, 0]), "V/m"),
    "oblique": (UniformField(E=[0.48, 0.6, 0.64]), "V/m"),
    "near electrode": (PointSource(position=[150e-6, 50e-6, -200e-6], conductivity=0.276), "A"),
}
PULSES = {
    "200 us": 200e-6,
    "50 us": 50e-6,
    "1 ms": 1e-3,
    "TMS": biphasic(),
    "DBS": asymmetric(),
}
CASES = [
    ("L23_pyramidal", "rat", 1, "along", "200 us"),
    ("L23_pyramidal", "human", 2, "across", "TMS"),
    ("L5_pyramidal", "rat", 1, "oblique", "50 us"),
    ("L5_pyramidal", "human", 3, "near electrode", "DBS"),
    ("L6_pyramidal", "mouse", 1, "along", "1 ms"),
    ("L4_basket", "rat", 1, "across", "200 us"),
    ("L23_basket", "mouse", 2, "near electrode", "200 us"),
    ("L5_martinotti", "rat", 1, "along", "TMS"),
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


def thresholds(python, folder, guess, dt):
    """Return the thresholds of both signs in NEURON, in steps of ``dt`` (s)."""
    near = [f"{x:.8g}" for x in guess]
    said = neuron(
        python, folder, "--threshold", "--dt", str(dt * 1e3), "--guess", *near,
        "--tolerance", str(TOLERANCE),
    )  # fmt: skip
    return np.array([abs(float(x.split()[1])) for x in said.splitlines() if "threshold" in x])


def compare(python, case, work):
    """Print a case: thresholds here and there."""
    name, species, seed, field, pulse = case
    cell = generate_cell(name, species, seed=seed)
    source, unit = FIELDS[field]
    rise = rises_along(cell.morphology, source)
    start = time.process_time()
    ours = spiking_thresholds(cell, rise[None], PULSES[pulse], tolerance=TOLERANCE)[0][:, 0]
    spent = time.process_time() - start
    best = spiking_thresholds(cell, rise[None], PULSES[pulse], dt=1e-6, tolerance=TOLERANCE)[0]
    folder = export_neuron(cell, rise, PULSES[pulse], work, amplitude=float(ours.min()), unit=unit)
    coarse, fine = (thresholds(python, folder, ours, dt) for dt in (5e-6, 2.5e-6))
    theirs = 2 * fine - coarse
    for sign, a, b, c in zip("+-", ours, best[:, 0], theirs, strict=True):
        print(
            f"{name}, {species}, {seed}, {field}, {pulse}, {sign}: {a:.5g} {unit} ({b:.5g} in steps "
            f"of 1 us), NEURON {c:.5g}, {a / c - 1:+.2%} ({b / c - 1:+.2%})",
            flush=True,
        )
    print(f"  {len(cell.morphology)} compartments, {spent:.2f} CPU-s for both here", flush=True)


def traces(python, case, work):
    """Print how far the membrane potentials at 1.2 thresholds lie apart."""
    name, species, seed, field, pulse = case
    cell = generate_cell(name, species, seed=seed)
    source, unit = FIELDS[field]
    rise = rises_along(cell.morphology, source)
    a = 1.2 * float(spiking_thresholds(cell, rise[None], PULSES[pulse])[0][0, 0])
    folder = export_neuron(cell, rise, PULSES[pulse], work, amplitude=a, unit=unit)
    some = np.flatnonzero(cell.morphology.site)[::40].tolist()
    neuron(python, folder, "--dt", "0.001", "--traces", "v.csv", "--record", *map(str, some))
    table = np.loadtxt(folder / "v.csv", delimiter=",", skiprows=1)
    t, theirs = table[:, 0] * 1e-3, table[:, 1:]
    when, v = simulate_cell(
        cell, rise, PULSES[pulse], a, t[-1], dt=1e-6, record=np.array([0, *some])
    )
    for k, i in enumerate([0, *some]):
        mine = np.interp(t, when, v[:, k]) * 1e3
        up = [
            np.interp(0.0, x[: x.argmax() + 1], t[: x.argmax() + 1]) for x in (mine, theirs[:, k])
        ]
        print(
            f"{name}, compartment {i}: peaks {mine.max():.2f} and {theirs[:, k].max():.2f} mV, "
            f"0 mV crossed at {up[0] * 1e6:.1f} and {up[1] * 1e6:.1f} us"
        )


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


def main():
    """Read the command line and run the cases."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    python, wanted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "L23_pyramidal, rat"
    with tempfile.TemporaryDirectory() as work:
        if wanted in ("passive", "all"):
            passive(python, Path(work) / "passive")
        for k, case in enumerate(CASES):
            if wanted == "all" or wanted in ", ".join(map(str, case)):
                compare(python, case, Path(work) / str(k))
                if k == 0:
                    traces(python, case, Path(work) / str(k))


if __name__ == "__main__":
    main()
