# ruff: noqa: T201 (an example prints)
"""TMS of the left DLPFC: from the coil's field to the whole brain and its EEG.

    python examples/tms_whole_brain.py [HEAD [RESOLUTION [PICTURE.png]]]

A figure-of-eight coil over the left dorsolateral prefrontal cortex: which share of each region's
cells it fires, how their volley spreads along a human connectome, and what 33 electrodes see.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from rheobase.brain_views import brain_response
from rheobase.fields import coil, place_coil, solve_induction, tms_pulse
from rheobase.fields.eeg import global_field_power
from rheobase.fields.leadfield_solve import lead_field
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.neurons import thresholds
from rheobase.neurons.brain.connectome import load_connectome
from rheobase.neurons.brain.dipoles import region_gain
from rheobase.neurons.brain.regions import (
    place_in_regions,
    region_drive,
    region_probability,
    regions_of,
    schaefer100,
)
from rheobase.neurons.brain.simulation import BrainNetwork, simulate_brain
from rheobase.neurons.brain.spread import response, spread
from rheobase.neurons.measures.evoked import evoked_potential
from rheobase.recording_views import butterfly

DLPFC = (-0.038, 0.044, 0.026)  # m, MNI: Mir-Moghtadaei et al. 2015, Brain Stimul 8:965
RATE = 150e6  # A/s at the peak of the pulse
SHARE = 0.5  # regions with less than this of the strongest field are taken not to fire
TYPES = ("L23_pyramidal", "L4_star_pyramidal", "L5_pyramidal", "L6_pyramidal")
TYPES += ("L23_basket", "L4_basket", "L5_basket", "L6_basket")
CELLS = 40  # of each type a region
PULSE, LATENCY, SECONDS = 0.01, 1e-3, 0.5  # s
MAPS = (0.015, 0.045, 0.1, 0.18)  # s after the pulse
SCALP = (
    *("Fp1", "Fpz", "Fp2", "AF3", "AF4", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6"),
    *("T7", "C3", "Cz", "C4", "T8", "CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8"),
    *("PO3", "PO4", "O1", "Oz", "O2"),
)


def main(
    head: Head | str = "mni152", resolution: str | None = "coarse", out: str = "tms_whole_brain.png"
) -> dict[str, Any]:
    """Solve, recruit, spread, record, print, draw; return what was found."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    brain = load_connectome().normalised()
    atlas, middle = schaefer100(), head.cortex.points(0.5)
    rows = regions_of(atlas, brain.names, head, middle)

    target = head.from_mni([DLPFC])[0]
    field = solve_induction(head, [place_coil(coil("magstim-70mm-figure8"), head, target=target)])
    E = np.linalg.norm(field.at(middle)[0][0], axis=1)
    strongest = np.zeros(len(brain))
    np.maximum.at(strongest, rows[rows >= 0], E[rows >= 0])
    exposed = np.flatnonzero(strongest > SHARE * strongest.max())
    cells = place_in_regions(
        head,
        rows,
        exposed.tolist(),
        species="human",
        counts=dict.fromkeys(TYPES, CELLS * len(exposed)),
        seed=1,
    )
    recruited = thresholds(cells, field, waveform=tms_pulse("biphasic"))
    where = regions_of(atlas, brain.names, head, recruited.position)
    p = region_probability(recruited, where, len(brain), RATE)
    origin = brain.names[int(p["pyramidal"].argmax())]

    network = BrainNetwork(connectome=brain)
    drive = region_drive(p, times=[PULSE], latency=LATENCY)
    rest = simulate_brain(network, SECONDS)
    answer = response(simulate_brain(network, SECONDS, drive=drive), rest)
    found = spread(answer, brain, origin, pulse=PULSE)

    lead = lead_field(head, Path(out).with_suffix(".h5"), SCALP, tissues=["grey_matter"])
    gain = region_gain(lead, head, rows, len(brain))
    scalp = gain @ answer.potential
    for k in np.argsort(-p["pyramidal"])[:4]:
        shares = ", ".join(f"{name} {100 * share[k]:.1f} %" for name, share in p.items())
        print(f"{brain.names[k]:24s} {shares}")
    speed = found.speed()
    print(
        f"{np.isfinite(found.onset).sum()} of {len(brain)} regions answer with 10 uV, half of them "
        f"by {1e3 * np.nanmedian(found.onset):.0f} ms; front {speed.speed:.1f} m/s "
        f"({speed.low:.1f} to {speed.high:.1f})"
    )
    power = global_field_power(scalp)
    print(
        f"EEG: largest {1e6 * np.abs(scalp).max():.0f} uV at "
        f"{lead.names[int(np.abs(scalp).max(axis=1).argmax())]}, power peaks "
        f"{1e3 * (answer.time[power.argmax()] - PULSE):.0f} ms after the pulse"
    )
    evoked = evoked_potential(
        scalp,
        answer.time[1] - answer.time[0],
        [PULSE],
        before=0.9 * PULSE,
        after=0.8 * SECONDS,
        names=lead.names,
    )
    places = {name: head.position(name) for name in lead.names}
    maps = butterfly(evoked, places, times=MAPS)
    maps.savefig(Path(out).with_stem(Path(out).stem + "_eeg"), dpi=110)
    title = f"{RATE * 1e-6:.0f} A/us over the left DLPFC, through {head.name}"
    brain_response(answer, found, pulse=PULSE, title=title).savefig(out, dpi=110)
    return {"probability": p, "answer": answer, "spread": found, "eeg": scalp, "names": lead.names}


if __name__ == "__main__":
    main(*sys.argv[1:])
