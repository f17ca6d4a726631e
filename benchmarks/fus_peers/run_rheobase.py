"""The 3-D spectral elements of rheobase on the peers' case: ``run_rheobase.py water|bone``.

``--order``, ``--per-wavelength`` and ``--rim`` set the elements; without them they are about as
good as the best peer. The first march compiles what is to be compiled and is not counted; grid,
material and the source's load are counted apart.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from case import (
    APERTURE,
    BONE,
    FREQUENCY,
    PRESSURE,
    RADIUS,
    SLAB,
    STEPS,
    WATER,
    depth,
    lateral,
    save,
    timed,
)

import rheobase
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, Plane
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import acoustic_window

parser = argparse.ArgumentParser()
parser.add_argument("case", choices=sorted(STEPS))
parser.add_argument("--out", type=Path, default=Path("out/fus_peers"))
parser.add_argument("--order", type=int, default=5)
parser.add_argument("--per-wavelength", type=float, default=6.0)
parser.add_argument("--tolerance", type=float, default=1e-2)
parser.add_argument("--rim", type=int, default=2)
asked = parser.parse_args()

water, bone = (
    Fluid(name=name, sound_speed=c, density=rho)
    for name, (c, rho) in (("water", WATER), ("bone", BONE))
)
medium = LayeredMedium((water,), ())
if asked.case == "bone":
    medium = LayeredMedium((water, bone, water), tuple(Plane(face) for face in SLAB))
z, x = depth(), lateral()


def prepare():
    window = acoustic_window(
        medium,
        FREQUENCY,
        half_width=-x[0],
        depth=(z[0], z[-1]),
        order=asked.order,
        per_wavelength=asked.per_wavelength,
        rim=asked.rim,
    )
    transducer = bowl(curvature_radius=RADIUS, aperture=APERTURE, frequency=FREQUENCY)
    return window, transducer.source(pressure=PRESSURE, fluid=water, per_wavelength=24)


def march():
    return solve_pressure(window, source, tolerance=asked.tolerance)


(window, source), preparing, _ = timed(prepare)
march()
field, cpu, wall = timed(march)
P, sampling, _ = timed(lambda: abs(field.on_lattice(x, x, z)).transpose(2, 0, 1))
report = field.report
save(
    asked.out,
    f"rheobase{asked.order}",
    asked.case,
    P,
    version=f"rheobase {rheobase.__version__}, order {asked.order}, {asked.per_wavelength:g}/wave, "
    f"rim {asked.rim}",
    steps=report["periods"] * report["steps_per_period"],
    cpu_seconds=cpu,
    wall_seconds=wall,
    preparing_cpu_seconds=preparing,
    sampling_cpu_seconds=sampling,
    threads=os.environ.get("OMP_NUM_THREADS", "all"),
    **{f"report_{k}": v for k, v in report.items()},
)
