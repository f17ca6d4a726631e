"""Cost of temporal interference, and what its search misses against brute force.

Random fields have more rival directions than those of a head; at every other node their strengths
differ as well. ``python benchmarks/interference.py``
prints the costs; with a number of nodes the search is compared at so many of each case with
`interference_brute.brute_force`, at about 20 ms a node: 10000 are 50000 nodes of five cases.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from interference_brute import brute_force

from rheobase.fields.interference import Carriers, envelope_max

CASES = {
    "f, f + d, f + 2d": Carriers(frequencies=(2000.0, 2010.0, 2020.0)),
    "f to f + 3d": Carriers(frequencies=(2000.0, 2010.0, 2020.0, 2030.0)),
    "f, f + d, f + 3d, phases": Carriers(
        frequencies=(2000.0, 2010.0, 2030.0), phases=(0.0, 1.0, 2.5)
    ),
    "two bands of two": Carriers(frequencies=(2000.0, 2010.0, 4000.0, 4010.0)),
    "f, f + d twice, quarter period": Carriers(
        frequencies=(2000.0, 2010.0, 2010.0), phases=(0.0, 0.0, np.pi / 2)
    ),
}
COSTED = 4000  # nodes


def main(compared: int = 0) -> None:
    """Time two fields at a million nodes, more of them at 4000, and compare at ``compared``."""
    generator = np.random.default_rng(2026)
    E = generator.normal(size=(2, 1_000_000, 3))
    envelope_max(E[:, :10])
    wall, cpu = time.perf_counter(), time.process_time()
    envelope_max(E)
    print(
        f"two fields, 1 M nodes: {time.perf_counter() - wall:.3f} s, "
        f"CPU {time.process_time() - cpu:.3f} s"
    )
    for name, carriers in CASES.items():
        E = generator.normal(size=(len(carriers.frequencies), max(COSTED, compared), 3))
        E[:, ::2] *= np.exp(generator.normal(size=E[:, ::2, :1].shape))  # every other one unequal
        envelope_max(E[:, :10], carriers)
        cpu = time.process_time()
        found = envelope_max(E, carriers)
        cpu = time.process_time() - cpu
        print(f"{name}: {cpu / E.shape[1] * 1e6:.0f} CPU-s per M nodes", end="", flush=True)
        if compared:
            short = 1 - found[:compared] / brute_force(E[:, :compared], carriers)
            print(
                f"; brute force higher by more than 1e-4 at {np.sum(short > 1e-4)} of {compared}, "
                f"at most {short.max():.1e}",
                end="",
            )
        print(flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
