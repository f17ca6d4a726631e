"""Measure leads: one contact, eight contacts, a pathway's field over the whole spectrum.

Run as ``python benchmarks/dbs.py [CASE ...]``, each case in a process of its own; kernels are
compiled before. Times are CPU seconds of the process, imports left out; memory is the largest
resident size, imports included. ``image FILE.nii.gz`` and ``fibres FILE.h5`` write the label image
and the fibres for another tool, the latter as OSS-DBS reads them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import h5py
import nibabel
import numpy as np
from numpy.typing import NDArray

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.response import unit_responses
from rheobase.fields.dbs.solution.system import assemble
from rheobase.fields.dbs.spectrum.dielectrics import dielectrics
from rheobase.fields.dbs.spectrum.responses import spectral_responses
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.volumes.activated import FieldCriterion, activated, sample_lead
from rheobase.fields.waveforms.trains import dbs_pulse
from rheobase.meshes.heads.mni152_template import template
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.leads.medium import ImageMedium, from_image, uniform
from rheobase.meshes.tissues import tissue
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting

Floats = NDArray[np.float64]

TARGET = np.array([-12e-3, -13e-3, -6e-3])  # left subthalamic nucleus, MNI152
UP = np.array([-23.0, 33.0, 73.0])
REACH, CONTACT = 40e-3, 4.25e-3  # m: radius of the sphere, middle of the contact above the tip
SIGMA = {"grey_matter": 0.115, "white_matter": 0.0695, "csf": 2.0}  # S/m, 10 kHz
FIBRES, POINTS, SPACING = 643, 45, 0.5e-3
CUTOFF = 250e3


def write_image(path: Path) -> None:
    """Write the labels of the default head around the target: 1 white, 2 grey, 3 CSF, 0 other."""
    whole = template()
    inverse = np.linalg.inv(whole.affine)
    middle = np.round(inverse[:3, :3] @ TARGET + inverse[:3, 3]).astype(int)
    low = np.maximum(middle - 48, 0)
    part = whole.labels[tuple(slice(a, m + 48) for a, m in zip(low, middle, strict=True))]
    affine = whole.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    affine[:3] *= 1e3
    labels = np.where(part > 3, 0, part).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)


def fibres() -> Floats:
    """Return a bundle that runs past the lead at 1.2 to 6 mm (m), shape (643, 45, 3)."""
    rng = np.random.default_rng(1)
    up = UP / np.linalg.norm(UP)
    side = np.cross(up, [0, 1.0, 0])
    side /= np.linalg.norm(side)
    front, tip = np.cross(up, side), TARGET - CONTACT * up
    found: list[Floats] = []
    while len(found) < FIBRES:
        r, a = rng.uniform(1.2e-3, 6e-3), rng.uniform(-0.6, 0.6) + np.pi
        middle = TARGET + r * (np.cos(a) * side + np.sin(a) * front) + rng.normal(0, 0.5e-3) * up
        along = up + 0.25 * rng.normal(size=3)
        along /= np.linalg.norm(along)
        s = (np.arange(POINTS) - POINTS // 2) * SPACING + rng.uniform(-0.5, 0.5) * SPACING
        bend = 3.0 * rng.normal(size=3)  # 1/m
        line = middle + s[:, None] * along + (s**2)[:, None] * bend
        z = (line - tip) @ up
        off = np.linalg.norm(line - tip - z[:, None] * up, axis=1)
        if (np.hypot(off, np.minimum(z - 0.635e-3, 0)) > 0.9e-3).all():
            found.append(line)
    return np.array(found)


def lead(name: str) -> Lead:
    """Return a lead whose axis passes the target, the target ``CONTACT`` above its tip."""
    up = UP / np.linalg.norm(UP)
    return place_lead(lead_model(name), target=TARGET - CONTACT * up, direction=up)


def brain(path: Path) -> ImageMedium:
    """Return the tissues of the image."""
    tissues = {
        name: tissue(name).with_value("conductivity", sigma, source="chosen for the comparison")
        for name, sigma in SIGMA.items()
    }
    return from_image(path, tissues=tissues)


def sphere() -> str:
    """Solve case A and its volume at 1 V."""
    place = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    ball = sphere_domain(REACH, (0, 0, CONTACT))
    made = unit_responses(place, uniform(0.2), ball, insulated=(1, 3, 4))
    volume = activated(
        steer(made, voltages={2: 1.0}), FieldCriterion(threshold=200.0), sampled=sample_lead(made)
    ).volume
    return f"{made.report.unknowns:,} unknowns, {made.Z[0, 0]:.3f} ohm, {volume * 1e9:.3f} mm³"


def volume() -> str:
    """Go from the image to the volume of one contact at 1 V, the others insulated."""
    made = unit_responses(
        lead("Medtronic 3389"), brain(IMAGE), sphere_domain(REACH, TARGET), insulated=(1, 3, 4)
    )
    volume = activated(
        steer(made, voltages={2: 1.0}), FieldCriterion(threshold=200.0), sampled=sample_lead(made)
    ).volume
    return f"{made.report.unknowns:,} unknowns, {made.Z[0, 0]:.2f} ohm, {volume * 1e9:.3f} mm³"


def eight() -> str:
    """Solve for all contacts of a directional lead, from the image on."""
    place = lead("Boston Scientific Cartesia DB-2202")
    made = unit_responses(place, brain(IMAGE), sphere_domain(REACH, TARGET))
    Z = ", ".join(f"{z:.1f}" for z in np.diag(made.Z))
    return f"{made.report.unknowns:,} unknowns, impedances {Z} ohm"


def tip() -> str:
    """Solve for that lead in the image moved by half a voxel, and its tip in uniform tissue."""
    half = 0.5e-3 * nibabel.load(IMAGE).affine[:3, :3].sum(axis=1)
    here = lead("Boston Scientific Cartesia DB-2202")
    moved = replace(here, tip=here.tip - half)  # the lead in place of the image
    made = unit_responses(moved, brain(IMAGE), sphere_domain(REACH, TARGET - half))
    Z = ", ".join(f"{z:.1f}" for z in np.diag(made.Z))
    alone = place_lead(here.model, target=(0, 0, 0), direction=(0, 0, 1))
    ball = sphere_domain(REACH, (0, 0, CONTACT))
    one = unit_responses(alone, uniform(0.2), ball, insulated=here.model.names[1:]).Z[0, 0]
    setting = Setting(contacts=(here.model.contact(1).z,), lead_radius=here.model.radius)
    exact = Reference(setting, order=7, levels=5).impedance[0, 0].real
    return f"half a voxel off {Z} ohm; tip in 0.2 S/m {one:.2f} ohm, exact {exact:.2f}"


def pathway() -> str:
    """Compute the time courses of all fibres' points from all harmonics up to the cutoff."""
    lines = fibres()
    system = assemble(lead("Medtronic 3389"), brain(IMAGE), sphere_domain(REACH, TARGET))
    laws = dielectrics(system.tissues)
    made = spectral_responses(system, dielectrics=laws, band=(130.0, CUTOFF))
    points = made.at(lines.reshape(-1, 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pathway.h5"
        points.save(path)
        size = path.stat().st_size
    times = np.arange(0.0, 300e-6, 1e-6)
    V = points.time_course(dbs_pulse(60e-6, 130.0), made.control({2: -1e-3}), times)
    return (
        f"{system.n:,} nodes, {made.reduced.matrices[0].shape[0]} basis vectors, {V.shape[0]:,} "
        f"points x {V.shape[1]} times, largest |V| {np.nanmax(np.abs(V)):.4f} V, "
        f"{size / 1e6:.1f} MB on disk"
    )


CASES = {f.__name__: f for f in (sphere, volume, eight, tip, pathway)}
IMAGE = Path(tempfile.gettempdir()) / "rheobase_dbs_benchmark.nii.gz"


def measure(name: str) -> None:
    """Run one case twice, the first time to load what is compiled, and print the second."""
    CASES[name]()
    start, wall = time.process_time(), time.perf_counter()
    what = CASES[name]()
    cpu, wall = time.process_time() - start, time.perf_counter() - wall
    status = Path("/proc/self/status").read_text()  # getrusage has that of the parent in it
    memory = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"{name}: {cpu:.1f} CPU-s, {wall:.1f} s, {memory:.0f} MB: {what}", flush=True)


def main() -> None:
    """Run the cases, or write what another tool needs."""
    match sys.argv[1:]:
        case ["image", path]:
            write_image(Path(path))
        case ["fibres", path]:
            with h5py.File(path, "w") as file:
                for i, line in enumerate(fibres()):
                    file[f"bundle/axon{i}"] = 1e3 * line
                    file[f"bundle/axon{i}"].attrs["inx"] = i
        case ["alone", name]:
            measure(name)
        case names:
            if not IMAGE.is_file():
                write_image(IMAGE)
            for name in names or CASES:
                subprocess.run([sys.executable, __file__, "alone", name], check=True)


if __name__ == "__main__":
    main()
