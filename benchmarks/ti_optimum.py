"""Temporal interference in a head: the optima of one lead field, and what each costs.

Run it with ``python benchmarks/ti_optimum.py LEADFIELD.h5``, a lead field of the default head
(template coordinates) that keeps grey and white matter. The target is a ball of 6 mm deep in the
left temporal lobe, its direction that of the largest field there; off target are 1000 random
nodes of grey matter, beyond 12 mm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from rheobase.fields.leadfield import load_lead_field
from rheobase.fields.optimisation.interference import strongest_modulation
from rheobase.fields.optimisation.interference_focal import focal_modulation
from rheobase.fields.optimisation.interference_pairs import focal_pairs, strongest_pairs
from rheobase.fields.optimisation.limits import Limits

TARGET = (-0.028, -0.022, -0.018)  # m
GREY_MATTER = 2
NODES = 1000
SHARES = (0.1, 0.3, 0.6)  # of the largest modulation


def main(path: str) -> None:
    """Print the largest modulations, then the least rms off target for some of it."""
    field = load_lead_field(path)
    split = field.split
    d = np.linalg.norm(field.mesh.nodes[split.node[field.kept]] - np.array(TARGET), axis=1)
    grey = split.label[field.kept] == GREY_MATTER
    generator = np.random.default_rng(1)
    C = field.at(np.flatnonzero(d < 0.006)).mean(axis=1).T
    E = field.at(np.sort(generator.choice(np.flatnonzero((d > 0.012) & grey), NODES, False)))
    v, names = np.ones(NODES), field.names
    limits = Limits(total=4e-3, each=2e-3)
    few = Limits(total=4e-3, each=2e-3, electrodes=8)
    most = strongest_modulation(C, limits, names=names)
    n = C @ most.currents[0]
    c = (n / np.linalg.norm(n) @ C)[None]
    _say("largest modulation", lambda: strongest_modulation(c, limits, names=names).value)
    _say(
        "  no electrode shared",
        lambda: strongest_modulation(c, limits, names=names, shared=False).value,
    )
    _say("  two pairs", lambda: strongest_pairs(c, limits, names=names).value)
    for share in SHARES:
        wanted = {"value": share * most.value, "names": names}
        print(f"rms off target for {share:.0%} of it")
        cpu = time.process_time()
        focal = focal_modulation(c, E, v, limits, starts=3, **wanted)
        _say("  any electrodes", lambda focal=focal: focal.optimum.rms, cpu)
        print(f"  {'HD-tES':24s}{focal.single:.4f} V/m")
        _say(
            "  8 electrodes",
            lambda wanted=wanted: focal_modulation(c, E, v, few, starts=3, **wanted).optimum.rms,
        )
        _say("  two pairs", lambda wanted=wanted: focal_pairs(c, E, v, limits, **wanted).rms)


def _say(name: str, run: Callable[[], float | None], cpu: float | None = None) -> None:
    cpu = time.process_time() if cpu is None else cpu
    value = run()
    print(f"{name:26s}{value:.4f} V/m, {time.process_time() - cpu:.2f} CPU-s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
