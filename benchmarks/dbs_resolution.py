"""What the resolution of a lead's grid is worth, and what a thin skull close by takes from it.

Run as ``python benchmarks/dbs_resolution.py [sphere] [head] [shells]``: case A (3389, one contact,
sphere of 0.2 S/m) against the independent axisymmetric solution; the left subthalamic nucleus of
the default head; a needle in the middle of three shells, the second of low conductivity, against
the closed form. Times are CPU seconds of the process, kernels compiled before; memory is its
largest resident size so far, resolutions ascending.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.dbs import (
    Encapsulation,
    FieldCriterion,
    LeadResponse,
    activated,
    head_domain,
    sample_lead,
    sphere_domain,
    steer,
    unit_responses,
)
from rheobase.meshes.heads import build_head
from rheobase.meshes.leads.catalogue import custom_lead, lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.leads.medium import from_head, nested_spheres, uniform
from rheobase.validation.dbs import MIDDLE, REACH, SIGMA, THRESHOLD, TIMES, facts, shells

Floats = NDArray[np.float64]
NUCLEUS, ENTRY = (-12.58e-3, -13.41e-3, -5.87e-3), (-33e-3, 25e-3, 60e-3)  # m, MNI152
OUTER, SOFT, BONE = 70e-3, 0.3, 0.01  # m, S/m, S/m
SKULLS = ((60e-3, 64e-3), (10e-3, 12e-3))  # m
NEAR = 3e-3  # m from the middle of the needle


def volumes(made: LeadResponse, currents: Sequence[float]) -> Floats:
    """Return volumes (mm³) above the threshold for currents (A) of contact 2."""
    sampled, criterion = sample_lead(made), FieldCriterion(threshold=THRESHOLD)
    found = [activated(steer(made, {2: amps}), criterion, sampled) for amps in currents]
    return np.array([1e9 * one.volume for one in found])


def sphere() -> None:
    """Print the errors of case A by resolution."""
    known = facts()
    lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    ball = sphere_domain(REACH, (0, 0, MIDDLE))
    r, z, E = (np.array([p[n] for p in known["points"]]) for n in ("r_mm", "z_mm", "E_V_per_mm"))
    at = np.column_stack([1e-3 * r, 0 * r, 1e-3 * z + MIDDLE])
    exact = np.array([known["vta_mm3"][f"I_{k}mA"] for k in TIMES])
    print("| resolution | unknowns | Z | field | volume | CPU s | peak MB |\n" + 7 * "|---" + "|")
    for resolution in (0.5, 0.7, 1.0, 1.2):
        start = time.process_time()
        made = unit_responses(
            lead, uniform(SIGMA), ball, insulated=(1, 3, 4), resolution=resolution
        )
        cpu, memory = time.process_time() - start, peak()
        Z = made.Z[0, 0]
        off = 100 * abs(np.linalg.norm(made.field(at)[0], axis=1) / (1e3 * E * Z) - 1)
        above = 100 * (volumes(made, [1e-3 * k for k in TIMES]) / exact - 1)
        print(
            f"| {resolution:g} | {made.report.unknowns:,} "
            f"| {100 * (Z / known['impedance_ohm'] - 1):+.2f} "
            f"| {np.median(off):.2f}, {np.percentile(off, 95):.2g} "
            f"| {', '.join(f'{v:+.2f}' for v in above)} | {cpu:.1f} | {memory:.0f} |",
            flush=True,
        )


def head() -> None:
    """Print impedances (ohm) and volumes (mm³) in the default head by resolution."""
    whole = build_head("mni152")
    target, entry = whole.from_mni([NUCLEUS, ENTRY])
    lead = place_lead(lead_model("Medtronic 3389"), target=target, entry=entry, contact=2)
    medium, domain = from_head(whole), head_domain(whole)
    scar = Encapsulation(thickness=0.2e-3, tissue=0.1)
    for resolution in (0.7, 1.0, 1.4):
        made = unit_responses(lead, medium, domain, encapsulation=scar, resolution=resolution)
        above = volumes(made, (-1e-3, -3e-3))
        print(
            f"mni152, resolution {resolution:g}: {made.report.unknowns:,} unknowns, contacts "
            f"{', '.join(f'{z:.1f}' for z in np.diag(made.Z))} ohm, volumes of contact 2 "
            f"{above[0]:.1f} mm³ at 1 mA, {above[1]:.1f} mm³ at 3 mA",
            flush=True,
        )


def shell() -> None:
    """Print the error of the potential near a needle by the shells around it."""
    model = custom_lead("needle", diameter_mm=0.5, layout="1", contact_mm=0.5, tip_mm=0.5)
    up = np.array([0.3, 0.4, 0.85])
    up /= np.linalg.norm(up)
    lead = Lead(model=model, tip=-0.75e-3 * up, direction=up)  # the middle of its contact at 0
    way = np.random.default_rng(0).normal(size=(600, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    way = way[way @ lead.direction < 0]
    sigmas = (SOFT, BONE, SOFT)
    for skull in SKULLS:
        radii = (*skull, OUTER)
        made = unit_responses(lead, nested_spheres(radii, sigmas), sphere_domain(OUTER))
        V = made.potential(NEAR * way)[0].mean()
        print(
            f"skull from {1e3 * skull[0]:g} to {1e3 * skull[1]:g} mm: V at {1e3 * NEAR:g} mm "
            f"{100 * (V / shells(radii, sigmas, NEAR) - 1):+.1f} %",
            flush=True,
        )


def peak() -> float:
    """Return the largest resident size of this process so far (MB)."""
    status = Path("/proc/self/status").read_text()  # getrusage has that of the parent in it
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


KINDS = {"sphere": sphere, "head": head, "shells": shell}


def main() -> None:
    """Compile on a small case, then print what is asked for."""
    lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    volumes(unit_responses(lead, uniform(SIGMA), sphere_domain(REACH), resolution=0.3), [1e-3])
    for kind in sys.argv[1:] or KINDS:
        KINDS[kind]()


if __name__ == "__main__":
    main()
