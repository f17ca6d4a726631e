"""BabelViscoFDTD's CPU back end on the peers' case, after ``run_kwave.py``.

``run_babel.py water|bone [--out FOLDER]``; bone is a fluid here as for the others. The solver
replaces everything in its absorbing layer by water.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from case import (
    BONE,
    FREQUENCY,
    LAYER,
    PRESSURE,
    SHAPE,
    STEP,
    STEPS,
    WATER,
    amplitude,
    arguments,
    materials,
    save,
    signal,
    timed,
)

package = find_spec("BabelViscoFDTD")
assert package is not None, "BabelViscoFDTD is not installed"
assert package.origin is not None
sys.path.append(str(Path(package.origin).parent))  # its compiled parts are top-level modules
from BabelViscoFDTD.PropagationModel import PropagationModel  # noqa: E402

asked = arguments()
steps, wave = STEPS[asked.case], signal(asked.case)
dt = 1 / FREQUENCY / steps
bone = (materials(asked.case, LAYER)[0] == BONE[0]).astype(np.uint32)
names = [WATER, BONE][: 1 + int(bone.max())]
properties = np.array([[rho, c, 0.0, 0.0, 0.0] for c, rho in names])
weights = np.pad(np.load(asked.out / "weights.npy").astype(float), LAYER)
sensors = np.pad(np.ones(SHAPE, np.uint32), LAYER)
# what one step adds to the stress: a layer of monopoles as k-Wave's additive source
rate = -2 * WATER[0] * dt / STEP * PRESSURE


def march() -> np.ndarray:
    out = PropagationModel().StaggeredFDTD_3D_with_relaxation(
        bone,
        properties,
        FREQUENCY,
        (weights != 0).astype(np.uint32),
        rate * wave[None],
        STEP,
        (len(wave) - 0.5) * dt,
        sensors,
        Ox=weights,
        NDelta=LAYER,
        COMPUTING_BACKEND=0,
        USE_SINGLE=True,
        DT=dt,
        QfactorCorrection=False,
        TypeSource=2,
        SelMapsRMSPeakList=["Pressure"],
        SelMapsSensorsList=["Pressure"],
        SensorSubSampling=1,
        SensorStart=len(wave) - steps,
        SILENT=1,
    )
    pressure: np.ndarray = out[0]["Pressure"]
    return pressure


result, cpu, wall = timed(march)
P = amplitude(result.T).reshape(SHAPE, order="F")
save(
    asked.out,
    "babel",
    asked.case,
    P,
    version=f"BabelViscoFDTD {version('BabelViscoFDTD')}, CPU",
    steps=len(wave),
    cpu_seconds=cpu,
    wall_seconds=wall,
)
