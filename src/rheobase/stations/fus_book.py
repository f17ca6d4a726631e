"""What is written of a sound in the head: tables, voxels, summary."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.report import Section, Table
from rheobase.stations.book import write_record
from rheobase.stations.fus_focus import focus_table
from rheobase.stations.fus_heat import heat_table, place, safety_rows
from rheobase.stations.fus_pictures import axis_picture, beam_picture, head_picture, heat_picture
from rheobase.stations.fus_show import show_beam, show_voxels
from rheobase.tables.target import known_targets

if TYPE_CHECKING:
    from rheobase.fields.acoustics.safety import SafetyTable
    from rheobase.fields.results.nifti import Grid
    from rheobase.stations.book import Book
    from rheobase.stations.fus_focus import Focused
    from rheobase.stations.fus_heat import Warmed
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard
    from rheobase.tables.fus import UltrasoundStudy

Floats = NDArray[np.float64]

VOXEL = 3.0  # a wavelength, where no size is given
MOST_VOXELS = 20_000_000


def write_scene(study: UltrasoundStudy, scene: Scene, book: Book) -> None:
    """Tell of transducer, window and skull."""
    one, s = scene.transducer, scene.sonication
    pulse, interval, train, between, whole = s.times
    rows = [
        ("transducer", f"{one.name}: {one.n_elements} element{'s' * (one.n_elements > 1)}"),
        ("frequency", f"{one.frequency / 1e3:g} kHz"),
        ("origin in the head", f"{place(scene.frame[:3, 3])} mm"),
        ("beam towards", ", ".join(f"{c:.3f}" for c in scene.frame[:3, 2])),
        ("target", f"{study.target.title}: {place(scene.target)} mm"),
        ("target from the origin", f"{1e3 * scene.target_in_beam[2]:.1f} mm"),
        (
            "pulses",
            f"{1e3 * pulse:g} ms every {1e3 * interval:g} ms, trains of {train:g} s every "
            f"{between:g} s, {whole:g} s in all; duty cycle {s.duty_cycle:.3g}",
        ),
    ]
    table = Table(columns=("part", "what"), rows=rows)
    book.facts["Transducer"] = f"{one.name}, {one.frequency / 1e3:g} kHz"
    report = scene.material.report
    size = 1e3 * (scene.window.high - scene.window.low)
    shape = scene.window.grid.shape
    book.sections.append(
        Section(
            title="Transducer and window",
            paragraphs=[
                f"Waves are computed in a box of {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} mm "
                f"with {np.prod(shape) / 1e6:.2f} M nodes, at least "
                f"{scene.window.points_per_wavelength:.3g} a wavelength; faces of elements follow "
                "scalp and skull where layers describe the head.",
                *str(report).splitlines(),
            ],
            tables=[table],
        )
    )
    book.notes.extend([*one.notes, *scene.material.notes, *scene.window.notes])
    if one.status:
        book.notes.append(f"{one.name}: {one.status} ({one.reference})")
    known = known_targets().get(study.target.name or "")
    if known is not None and known["status"]:
        book.notes.append(f"target {study.target.name}: {known['status']} ({known['source']})")
    book.details["window"] = report.as_dict() | {
        "half_width_m": list(scene.material.half_width),
        "depth_m": list(scene.material.depth),
        "nodes": int(np.prod(shape)),
    }


def write_sound(scene: Scene, heard: Heard, found: list[Focused], book: Book) -> None:
    """Tabulate, draw and write the sound."""
    table = focus_table(found)
    book.tables["Focus"] = table
    with stage("pictures of the sound"):
        pictures = [
            book.picture("beam", beam_picture(scene, heard, found), _beam_words(heard)),
            book.picture(
                "axis",
                axis_picture(scene, heard),
                "Pressure along the beam's axis through the target, in water and in the head.",
            ),
        ]
        if scene.head is not None:
            words = "The beam in the head: pressure amplitude, + target, outline of the transducer."
            pictures.insert(0, book.picture("head", head_picture(scene, heard, found[-1]), words))
            pictures = [*show_beam(scene, heard, found[-1], book), *pictures]
    words = (
        "Amplitudes at full output; the focus is looked for behind the skull, its size is that at "
        "half of its peak (-6 dB). Elements have the same amplitude in every row."
    )
    if heard.missed > 0.01:
        book.notes.append(
            f"{heard.missed:.1%} of the beam's power in water goes by outside the window"
        )
    book.sections.append(
        Section(title="Sound", paragraphs=[words, *_compared(found)], figures=pictures,
                tables=[table])
    )  # fmt: skip
    best = found[-1]
    book.facts["Focus"] = (
        f"{1e-3 * best.focus.peak:.3g} kPa ({best.name}), {1e3 * best.off_target:.1f} mm from the "
        f"target, where there are {1e-3 * best.at_target:.3g} kPa"
    )
    book.details["sound"] = {
        "element_velocity_m_per_s": heard.velocity,
        "missed_power": heard.missed,
        "foci": [f.as_dict() for f in found],
        "marches": {s.name: dict(s.field.report) for s in heard.sounds},
    }


def _beam_words(heard: Heard) -> str:
    names = " and ".join(s.name for s in heard.sounds)
    return (
        f"Pressure amplitude in two planes through the target ({names}): + target, x peak, white "
        "line half of the peak, grey lines borders of tissues."
    )


def _compared(found: list[Focused]) -> list[str]:
    if len(found) < 3:
        return []
    before, after = found[1], found[2]
    return [
        f"Correction raises the pressure at the target by a factor of "
        f"{after.at_target / before.at_target:.3g} and moves the peak from "
        f"{1e3 * before.off_target:.1f} to {1e3 * after.off_target:.1f} mm from the target."
    ]


def write_heat(study: UltrasoundStudy, scene: Scene, heard: Heard, warmed: Warmed,
               book: Book) -> None:  # fmt: skip
    """Tabulate and draw the heat."""
    assert study.heat is not None  # fus_station
    table, heating = heat_table(warmed), warmed.heating
    book.tables["Heat"] = table
    e, d = heating.energy, warmed.deposit
    book.sections.append(
        Section(
            title="Heat",
            paragraphs=[
                f"Pennes' equation on {len(heating.baseline):,} nodes for "
                f"{scene.sonication.times[4]:g} s of sound and {study.heat.cooling_s:g} s after, "
                f"water at {study.heat.water_C:g} °C. The sound leaves {d.inside:.3g} W in the "
                f"mesh at full output ({d.outside:.2g} W beside it); {e.deposited:.3g} J in all, "
                f"{e.perfused:.2g} J of them carried off by blood, {e.stored:.2g} J still there.",
            ],
            figures=[
                book.picture(
                    "temperature",
                    heat_picture(scene, warmed),
                    "Largest temperature rise, and its course.",
                )
            ],
            tables=[table],
        )
    )
    book.details["heat"] = heating.as_dict()


def write_safety(table: SafetyTable, book: Book) -> None:
    """Tabulate the exposure beside the levels."""
    rows = safety_rows(table)
    book.tables["Safety"] = rows
    book.facts["Safety"] = (
        f"levels of the ITRUSST consensus: mechanical {table.mechanical}, thermal {table.thermal}"
    )
    book.sections.append(
        Section(
            title="Levels of the ITRUSST consensus",
            paragraphs=[f"Mechanical: {table.mechanical}. Thermal: {table.thermal}."],
            tables=[rows],
        )
    )
    book.notes.extend(table.notes)
    book.notes.append(
        "TIC takes the beam's area where it meets the bone, down to -12 dB of its peak there: a "
        "choice of this program, the standard's area could not be read"
    )
    book.details["safety"] = table.as_dict()


def write_images(study: UltrasoundStudy, scene: Scene, heard: Heard, warmed: Warmed | None,
                 book: Book) -> None:  # fmt: skip
    """Write pressure, intensity and temperature as images in the space of the head."""
    from rheobase.fields.results.nifti import write_image

    grid = _grid(study, scene)
    points = grid.points(0, int(np.prod(grid.shape)))
    there = scene.to_beam(points)
    with stage("voxels"):
        images: dict[tuple[str, str], tuple[Floats, str]] = {}
        for sound in heard.sounds:
            desc = "" if sound is heard.chosen else "uncorrected"
            A = np.nan_to_num(scene.amplitude(sound.field, there))
            images["pressure", desc] = (A, f"pressure amplitude (Pa), {sound.name}")
        inside = A > 0
        z = np.full(len(A), np.inf)
        c, rho, _ = scene.material.materials(there[inside], scene.frequency)
        z[inside] = rho * c
        images["intensity", ""] = (A**2 / (2 * z), "p2/(2 rho c) at full output (W/m2)")
        if warmed is not None:
            rise = on_mesh(warmed, warmed.heating.peak_rise, points)
            images["temperature", "rise"] = (np.nan_to_num(rise), "largest temperature rise (K)")
        show_voxels(grid, {s: v for (s, d), (v, _) in images.items() if d != "uncorrected"}, book)
        for (suffix, desc), (values, words) in images.items():
            whole = values.reshape(grid.shape).astype(np.float32)
            with book.file(suffix, ".nii.gz", desc=desc, title=words, role="field") as path:
                write_image(path, partial(np.asarray, whole), grid, description=words)


def _grid(study: UltrasoundStudy, scene: Scene) -> Grid:
    """Return the voxels of the window in the head, no more than `MOST_VOXELS`."""
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.results.nifti import Grid

    given = study.results.voxel_mm
    edge = 1e-3 * given if given else WATER.wavelength(scene.frequency) / VOXEL
    ends = zip(scene.window.low, scene.window.high, strict=True)
    corners = np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1).T
    there = scene.to_head(corners)
    size = there.max(axis=0) - there.min(axis=0)
    edge = max(edge, float((size.prod() / MOST_VOXELS) ** (1 / 3)))
    low = np.floor(there.min(axis=0) / edge)
    nx, ny, nz = (np.ceil(there.max(axis=0) / edge) - low + 1).astype(int).tolist()
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = low * edge
    return Grid(shape=(nx, ny, nz), affine=affine)


def on_mesh(warmed: Warmed, values: Floats, points: Floats) -> Floats:
    """Return nodal values of the heat's mesh at points of the head (m), NaN outside."""
    from rheobase.meshes.locate import Locator

    mesh = warmed.heating.region.mesh
    tet, share = Locator(mesh).locate(points)
    found = np.full(len(points), np.nan)
    inside = tet >= 0
    found[inside] = (values[mesh.tets[tet[inside]]] * share[inside]).sum(axis=1)
    return found


def write_summary(study: UltrasoundStudy, scene: Scene, found: list[Focused], book: Book) -> None:
    """Write the numbers of the study as ``summary.json``."""
    kept: dict[str, Any] = {
        "title": study.title,
        "target_mm": (1e3 * scene.target).tolist(),
        "transducer": scene.transducer.name,
        "frame_m": scene.frame.tolist(),
        "frequency_Hz": scene.frequency,
        "foci": [
            f.as_dict() | {"peak_at_head_mm": (1e3 * scene.to_head(f.focus.position)).tolist()}
            for f in found
        ],
    }
    for key in ("steering_in_water", "heat", "safety"):
        if key in book.details:
            kept[key] = book.details[key]
    write_record(book, "summary", kept, title="Foci, heat and safety")
