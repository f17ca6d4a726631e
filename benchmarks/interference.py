"""Cost of temporal interference, and how often its search misses.

Random fields have more rival directions than those of a head. A miss is a node where a search from
four times as many directions finds a modulation larger by more than 1e-4. Run it with
``python benchmarks/interference.py``.
"""

from __future__ import annotations

import time
from unittest.mock import patch

import numpy as np

from rheobase.fields import interference
from rheobase.fields.interference import Carriers, envelope_max

CASES = {
    "f, f + d, f + 2d": Carriers(frequencies=(2000.0, 2010.0, 2020.0)),
    "f to f + 3d": Carriers(frequencies=(2000.0, 2010.0, 2020.0, 2030.0)),
    "two bands of two": Carriers(frequencies=(2000.0, 2010.0, 4000.0, 4010.0)),
}


def main(n: int = 8000) -> None:
    """Time two fields at a million nodes and more of them at ``n``."""
    generator = np.random.default_rng(0)
    E = generator.normal(size=(2, 1_000_000, 3))
    envelope_max(E[:, :10])
    wall, cpu = time.perf_counter(), time.process_time()
    envelope_max(E)
    print(
        f"two fields, 1 M nodes: {time.perf_counter() - wall:.3f} s, "
        f"CPU {time.process_time() - cpu:.3f} s"
    )
    for name, carriers in CASES.items():
        E = generator.normal(size=(len(carriers.frequencies), n, 3))
        envelope_max(E[:, :10], carriers)
        cpu = time.process_time()
        found = envelope_max(E, carriers)
        cpu = time.process_time() - cpu
        with patch.object(interference, "DIRECTIONS", 4 * interference.DIRECTIONS):
            finer = envelope_max(E, carriers)
        short = found / finer - 1
        print(
            f"{name}: {cpu / n * 1e6:.0f} CPU-s per M nodes; missed "
            f"{np.sum(short < -1e-4)} of {n}, "
            f"worst {short.min():.1e}"
        )


if __name__ == "__main__":
    main()
