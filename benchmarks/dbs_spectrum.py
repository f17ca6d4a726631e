"""Measure the spectrum of a lead: cost with an interface, octave bands, the cut-off; draw it.

Run as ``python benchmarks/dbs_spectrum.py [CASE ...] [--picture FILE.png]``; the tissue and the
fibres are those of ``benchmarks/dbs.py``. Times are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from functools import cache
from pathlib import Path

import dbs
import numpy as np
from numpy.typing import NDArray

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.system import Encapsulation, LeadSystem, assemble
from rheobase.fields.dbs.spectrum.affine import Complexes
from rheobase.fields.dbs.spectrum.dielectrics import Constant, dielectrics
from rheobase.fields.dbs.spectrum.interface import Interface, interface
from rheobase.fields.dbs.spectrum.responses import SpectralResponse, spectral_responses
from rheobase.fields.dbs.spectrum.series import courses
from rheobase.fields.dbs.steering.steer import Control
from rheobase.fields.waveforms.trains import PulseTrain, dbs_pulse

Floats = NDArray[np.float64]

BAND, RATE = (130.0, 250e3), 130.0
SCAR = Constant(sigma=0.1, eps_r=1e4)  # for the comparison
IMAGE = Path(tempfile.gettempdir()) / "rheobase_dbs_benchmark.nii.gz"


def system(name: str = "Medtronic 3389", resolution: float = 1.0) -> LeadSystem:
    """Assemble a lead with scar in the tissue of the default head."""
    if not IMAGE.is_file():
        dbs.write_image(IMAGE)
    return assemble(
        dbs.lead(name),
        dbs.brain(IMAGE),
        sphere_domain(dbs.REACH, dbs.TARGET),
        encapsulation=Encapsulation(thickness=0.2e-3, tissue=0.1),
        resolution=resolution,
    )


def respond(
    made: LeadSystem, metal: Interface | None, band: tuple[float, float] = BAND
) -> SpectralResponse:
    """Solve with Cole-Cole tissues and dispersive scar."""
    laws = dielectrics(made.tissues, given={"encapsulation": SCAR})
    return spectral_responses(made, dielectrics=laws, interface=metal, band=band)


@cache
def coarse(metal: bool, highest: float = BAND[1]) -> SpectralResponse:
    """Return responses on a coarse grid, where only differences between two of them matter."""
    return respond(system(resolution=0.5), interface("day 1") if metal else None, (130.0, highest))


def cost(name: str = "Medtronic 3389") -> None:
    """Measure the field of all fibres with an interface at every contact, from the image on."""
    system(resolution=0.4).stiffness  # noqa: B018  compile first
    start = time.process_time()
    lines = dbs.fibres().reshape(-1, 3)
    made = respond(system(name), interface("day 1"))
    solved = time.process_time()
    points = made.at(lines)
    V = points.time_course(dbs_pulse(), made.control({2: -1e-3}), np.arange(0, 300e-6, 1e-6))
    with tempfile.TemporaryDirectory() as folder:
        points.save(Path(folder) / "points.h5")
        size = (Path(folder) / "points.h5").stat().st_size
    end = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    e = made.effort
    print(
        f"{name}: {end - start:.1f} CPU-s ({solved - start:.1f} to responses), {memory:.0f} MB, "
        f"{size / 1e6:.1f} MB on disk; {e.unknowns:,} unknowns, {len(made.contacts)} contacts, "
        f"{e.solves} blocks solved, {e.size} basis vectors, bound {e.bound:.1e}; "
        f"{V.shape[0]:,} points x {V.shape[1]} times, largest |V| {np.nanmax(np.abs(V)):.4f} V"
    )


def octaves() -> None:
    """Measure what responses held constant within octaves err, as octave-band methods do."""
    made = coarse(metal=True)
    f = RATE * np.arange(1, int(BAND[1] / RATE) + 1)
    middle = RATE * 2.0 ** np.round(np.log2(f / RATE))
    held = np.minimum(middle, f[-1])
    points = made.at(dbs.fibres().reshape(-1, 3)[::29])
    keep = np.isfinite(points.values).all(axis=1)
    y, there = (made.reduced.solve(g)[:, :, 1] for g in (f, held))
    V, at = y @ points.values[keep].T, there @ points.values[keep].T
    Z, band = (part @ made.reduced.metals[1] for part in (y, there))
    print(f"{len(f)} harmonics in {len(np.unique(held))} octaves")
    for name, error in (
        ("tissue", np.linalg.norm(at - V, axis=1) / np.linalg.norm(V, axis=1)),
        ("impedance", np.abs(band / Z - 1)),
    ):
        print(f"  {name}: median {100 * np.median(error):.1f} %, largest {100 * error.max():.1f} %")
    pulse, steering = dbs_pulse(), made.control({2: -1e-3})
    t = pulse.times(1e-6, 100e-6)

    def course(g: Floats) -> tuple[Floats, Floats]:
        """Return courses in tissue and at the metal from responses taken at g."""

        def response(f: Floats) -> Complexes:
            at = g if len(f) == len(g) else f  # above the band there is no octave
            return np.asarray(-1e-3 * made.reduced.solve(at, above=True)[:, :, 1])

        a = courses(response, pulse, t, BAND, steady=False)
        return a @ points.values[keep].T, a @ made.reduced.metals[1]

    whole, coarse_ = course(f), course(held)
    for name, a, b in zip(("tissue", "contact"), whole, coarse_, strict=True):
        far = np.abs(a - b).max() / np.abs(a).max()
        print(f"  course of a 60 us pulse, {name}: {100 * far:.1f} % of the peak")
    assert np.allclose(whole[1], made.voltages(pulse, steering, t)[1])


def cutoff() -> None:
    """Measure how courses change with the highest frequency of the band."""
    pulse = dbs_pulse()
    t = pulse.times(0.5e-6, 100e-6) + 0.2e-6
    jumps = np.array([0, 60e-6, 120e-6])
    late = np.abs(t[:, None] - jumps).min(axis=1) > 2e-6
    found = {}
    for highest in (1e6, 500e3, 250e3, 100e3):
        made = coarse(metal=True, highest=highest)
        steering = made.control({2: -1e-3})
        places = made.at(dbs.fibres().reshape(-1, 3)[::290])
        V = places.time_course(pulse, steering, t)
        found[highest] = V[np.isfinite(V).all(axis=1)], made.voltages(pulse, steering, t)[1:2]
        errors = [
            (np.abs(a - b).max(), np.abs(a - b)[:, late].max()) / np.abs(b).max()
            for a, b in zip(found[highest], found[1e6], strict=True)
        ]
        print(
            f"up to {highest / 1e3:g} kHz: tissue {errors[0][0]:.1e}, {errors[0][1]:.1e} 2 us "
            f"after a jump; contact {errors[1][0]:.1e}, {errors[1][1]:.1e}"
        )


def picture(path: Path) -> None:
    """Draw impedance and courses."""
    import matplotlib.pyplot as plt

    bare, metal = coarse(metal=False), coarse(metal=True)
    f = np.geomspace(*BAND, 200)
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.6), layout="constrained")
    colours = {"metal on tissue": "tab:blue", "with interface, day 1": "tab:red"}
    size, turn = axes[0]
    for (name, colour), made in zip(colours.items(), (bare, metal), strict=True):
        Z = made.impedance(f)[:, 1, 1]
        size.loglog(f, np.abs(Z), color=colour, label=name)
        turn.semilogx(f, np.angle(Z, deg=True), color=colour)
    size.set(xlabel="frequency (Hz)", ylabel="|Z| of contact 2 (ohm)")
    turn.set(xlabel="frequency (Hz)", ylabel="phase (degrees)")
    size.legend(frameon=False)
    pulse = dbs_pulse(60e-6, RATE, recharge="passive", gap=30e-6, tau=0.4e-3)
    t = pulse.times(1e-6)[1:600]  # not the moment of the jump
    place = dbs.lead("Medtronic 3389").to_head(np.array([[2.635e-3, 0.0, dbs.CONTACT]]))
    contact, tissue_ = axes[1]
    for (name, colour), made in zip(colours.items(), (bare, metal), strict=True):
        for steering, line, how in (
            (made.control({2: -1e-3}), "-", "1 mA"),
            (made.control(voltages={2: -1.0}), "--", "1 V"),
        ):
            V, current = _courses(made, place, pulse, steering, t)
            tissue_.plot(t * 1e6, 1e3 * V, line, color=colour, label=f"{how}, {name}")
            if how == "1 mA":
                U = made.voltages(pulse, steering, t)[1]
                contact.plot(t * 1e6, U, color=colour, label="voltage at 1 mA (V)")
            else:
                contact.plot(
                    t * 1e6, 1e3 * current, "--", color=colour, label="current at 1 V (mA)"
                )
    contact.set(xlabel="time (us)", ylabel="contact 2: V at 1 mA, mA at 1 V")
    contact.legend(frameon=False, fontsize=8)
    tissue_.set(xlabel="time (us)", ylabel="potential 2 mm beside it (mV)")
    tissue_.legend(frameon=False, fontsize=8)
    for ax in axes.ravel():
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _courses(
    made: SpectralResponse, place: Floats, pulse: PulseTrain, steering: Control, t: Floats
) -> tuple[Floats, Floats]:
    """Return potential at a place and current out of contact 2."""
    return made.time_course(place, pulse, steering, t)[0], made.currents(pulse, steering, t)[1]


def directional() -> None:
    """Measure the cost with eight contacts."""
    cost("Boston Scientific Cartesia DB-2202")


CASES = {f.__name__: f for f in (cost, directional, octaves, cutoff)}


def main() -> None:
    """Run the cases that are named, all if none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    if chosen.picture:
        picture(chosen.picture)
    for name in chosen.cases or ([] if chosen.picture else CASES):
        CASES[name]()


if __name__ == "__main__":
    main()
