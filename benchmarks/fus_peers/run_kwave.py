"""k-wave-python's NumPy back end on the peers' case: ``run_kwave.py water|bone [--out FOLDER]``.

Writes the weights of the bowl on the grid, too: j-Wave and BabelViscoFDTD take them from there.
"""

from __future__ import annotations

import logging
import urllib.request

import numpy as np
from case import (
    APERTURE,
    CENTRE,
    LAYER,
    PRESSURE,
    RADIUS,
    SHAPE,
    STEP,
    STEPS,
    VERTEX,
    amplitude,
    arguments,
    materials,
    save,
    signal,
    timed,
)


def no_download(*_: object) -> None:
    """Stand in for the download of compiled back ends, which importing kwave starts."""
    raise TimeoutError


logging.disable(logging.WARNING)
urllib.request.urlretrieve = no_download

import kwave  # noqa: E402
from kwave.kgrid import kWaveGrid  # noqa: E402
from kwave.kmedium import kWaveMedium  # noqa: E402
from kwave.ksensor import kSensor  # noqa: E402
from kwave.ksource import kSource  # noqa: E402
from kwave.kspaceFirstOrder import kspaceFirstOrder  # noqa: E402
from kwave.utils.kwave_array import kWaveArray  # noqa: E402

asked = arguments()
steps, wave = STEPS[asked.case], signal(asked.case)
grid = kWaveGrid(list(SHAPE), [STEP] * 3)
grid.setTime(len(wave), 2e-6 / steps)
c, rho = materials(asked.case)
medium = kWaveMedium(sound_speed=c, density=rho)
along, across = grid.x_vec.ravel(), grid.y_vec.ravel()
vertex = [float(along[VERTEX]), float(across[CENTRE]), float(across[CENTRE])]
array = kWaveArray(single_precision=True)
array.add_bowl_element(vertex, RADIUS, APERTURE, [vertex[0] + RADIUS, vertex[1], vertex[2]])
source = kSource()
source.p_mask = array.get_array_binary_mask(grid)
source.p = array.get_distributed_source_signal(grid, PRESSURE * wave[None], order="C")
sensor = kSensor(mask=np.ones(SHAPE, bool), record=["p"])
sensor.record_start_index = len(wave) - steps + 1

result, cpu, wall = timed(
    lambda: kspaceFirstOrder(
        grid, medium, source, sensor, pml_size=LAYER, dtype=np.float32, quiet=True
    )["p"]
)
P = amplitude(np.asarray(result).reshape(*SHAPE, steps).transpose(3, 0, 1, 2))
weights = np.asarray(array.get_element_grid_weights(grid, 0), np.float32).reshape(SHAPE)
asked.out.mkdir(parents=True, exist_ok=True)
np.save(asked.out / "weights.npy", weights)
save(
    asked.out,
    "kwave",
    asked.case,
    P,
    version=f"k-wave-python {kwave.__version__}, NumPy {np.__version__}",
    steps=len(wave),
    cpu_seconds=cpu,
    wall_seconds=wall,
)
