"""Draw the pictures of docs/recording.md: ``python docs/images/recording.py``.

The microcircuit around a pulse as a laminar electrode sees it, and the EEG of a square centimetre
of such cortex under C3.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from rheobase.fields.eeg import eeg, into_tissue, oriented
from rheobase.fields.leadfield_solve import all_places, lead_field
from rheobase.meshes.cortex.layers import layer_table
from rheobase.meshes.heads import build_head
from rheobase.neurons.measures.evoked import evoked_potential
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.neurons.network.simulation import simulate
from rheobase.neurons.recording.circuits import microcircuit_recorder
from rheobase.neurons.recording.recorder import Recording
from rheobase.recording_views import butterfly, laminar

HERE = Path(__file__).parent
PULSES = 0.5 + 0.2 * np.arange(20)  # s
AREA = 100.0  # mm² of cortex that answer alike
EVERY = 5


def recorded() -> Recording:
    """Return the recording of the microcircuit with pulses."""
    network = microcircuit(scale=0.1, seed=1)
    drive = Drive(
        probability={"L23E": 0.05, "L5E": 0.3, "L23I": 0.1, "L4I": 0.1}, times=PULSES, latency=1e-3
    )
    run = simulate(network, float(PULSES[-1]) + 0.2, seed=1, drive=drive, record_currents=True)
    return microcircuit_recorder(network).record(run, every=EVERY)


def main() -> None:
    """Draw both pictures and print their sizes."""
    recording = recorded()
    table = layer_table("cat")
    layers = {n: (a * table.thickness, b * table.thickness) for n, (a, b) in table.bounds.items()}
    figure = laminar(recording, PULSES, before=0.01, after=0.05, layers=layers)
    figure.savefig(HERE / "recording_laminar.png", dpi=100)

    head = build_head("mni152", resolution="coarse")
    sheet = head.cortex
    assert sheet is not None
    middle = sheet.points(0.5)
    nearest = int(np.linalg.norm(middle - head.position("C3"), axis=1).argmin())
    moment = AREA * recording.column_dipole[0]
    with tempfile.TemporaryDirectory() as folder:
        lead = lead_field(
            head, Path(folder) / "leadfield.h5", all_places(head), tissues=["grey_matter"]
        )
        place, moved = into_tissue(lead, middle[[nearest]])
        V = eeg(lead, place, oriented(sheet.normal[[nearest]], moment[None]))
    dt = float(recording.time[1] - recording.time[0])
    evoked = evoked_potential(V, dt, PULSES, before=0.02, after=0.08, names=lead.names)
    figure = butterfly(
        evoked, {n: head.position(n) for n in lead.names}, times=(0.003, 0.006, 0.015, 0.032)
    )
    figure.savefig(HERE / "recording_eeg.png", dpi=100)
    print(  # noqa: T201
        f"dipole {np.ptp(recording.column_dipole) * 1e9:.2f} nA m/mm², moved {moved[0] * 1e3:.1f} "
        f"mm, largest potential {np.abs(evoked.mean).max() * 1e6:.2f} µV"
    )


if __name__ == "__main__":
    main()
