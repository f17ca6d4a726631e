"""What sharing saves in a sweep: CPU seconds for each point, against each point by itself.

    ./run python benchmarks/sweep.py [EDGE_MM [POINTS_ALONE]]

A sphere of 85/90/95 mm, 4.8 mm edges by default, under a figure-of-eight coil at eight angles and
five intensities, and under two pads at forty currents. By itself, a point takes the head from the
cache, places the device, assembles, solves, and takes the same statistics; three points of each
study are timed so (they take alike). Kernels are compiled before.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COIL = """
title = "coil"
[head]
name = "sphere"
edge_length_mm = {edge}
[device]
kind = "tms"
coil = "magstim-70mm-figure8"
position = "C3"
"""
PADS = """
title = "pads"
[head]
name = "sphere"
edge_length_mm = {edge}
[device]
kind = "tes"
electrodes = [
  {{name = "a", position = "C3", current_mA = 1.0, radius_mm = 12.0}},
  {{name = "b", position = "C4", current_mA = -1.0, radius_mm = 12.0}},
]
"""
AXES = {
    "coil": '"device.handle_angle_deg" = {angles}\n"results.intensity_A_per_us" = {five}',
    "pads": '"device.current_mA" = {forty}',
}


def files(folder: Path, edge: float) -> dict[str, Path]:
    """Write the studies and their sweeps; return the sweeps."""
    values = {
        "angles": np.arange(0.0, 180.0, 22.5).tolist(),
        "five": [20.0, 40.0, 60.0, 80.0, 100.0],
        "forty": np.linspace(0.1, 4.0, 40).tolist(),
    }
    found = {}
    for name, study in (("coil", COIL), ("pads", PADS)):
        (folder / f"{name}.toml").write_text(study.format(edge=edge))
        found[name] = folder / f"{name}_sweep.toml"
        axes = AXES[name].format(**values)
        found[name].write_text(f'title = "x"\nstudy = "{name}.toml"\n[axes]\n{axes}\n')
    return found


def alone(sweep, index: int):
    """Return the statistics of a point with nothing shared."""
    from rheobase.stations.devices import _solve, device_of
    from rheobase.stations.head import open_head
    from rheobase.stations.inputs import open_inputs
    from rheobase.stations.placing import place_device
    from rheobase.sweeps.field_points import field_statistics

    study = sweep.base.study(sweep.design.points[index])
    inputs = open_inputs(study)
    head = open_head(study.head)
    placed = place_device(study, head, inputs)
    basis = _solve(placed)
    return field_statistics(device_of(study, placed, basis), study, sweep.table.outputs)[1]


def main(edge: float, count: int) -> None:
    from rheobase.sweeps.study import load_sweep

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, path in files(folder, edge).items():
            sweep = load_sweep(path)
            n = len(sweep.design)
            chosen = np.linspace(1, n - 1, count).astype(int).tolist()
            alone(sweep, 0)  # head into the cache, kernels compiled
            start = time.process_time()
            single = [alone(sweep, k) for k in chosen]
            each = (time.process_time() - start) / count
            start = time.process_time()
            data = sweep.work_out(folder / f"{what}_out")
            shared = time.process_time() - start
            assert (data["error"] == "").all()
            values = data["E"].values.reshape(n, -1)[chosen]
            off = np.abs(values / np.stack([s.ravel() for s in single]) - 1).max()
            print(
                f"{what}: {n} points, sharing {shared:.1f} CPU-s, {shared / n:.3f} a point; each "
                f"by itself {each:.2f}, {each * n:.0f} in all: {each * n / shared:.0f} times; "
                f"largest relative difference {off:.1g}"
            )


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 4.8,
        int(sys.argv[2]) if len(sys.argv) > 2 else 3,
    )
