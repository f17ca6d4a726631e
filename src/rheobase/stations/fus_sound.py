"""The sound of a study: in water, and through the skull for every way to drive the elements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._kept import kept, kept_path, load_arrays, save_arrays
from rheobase._progress import stage

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.fields.acoustics.steering import Conjugation
    from rheobase.fields.acoustics.transducers.source import Source
    from rheobase.fields.acoustics.transducers.transducer import Transducer
    from rheobase.fields.acoustics.wave.field import PressureField
    from rheobase.stations.fus_scene import Scene
    from rheobase.tables.fus import UltrasoundStudy

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

FLOW = 1e-6  # m³/s, of the point source at the target
PLAIN, STEERED, CORRECTED = "all in phase", "steered through water", "corrected for the skull"
PER_WAVELENGTH = 5.0  # of the lattice that the focus is looked for on
REACH = (5.0, 14.0)  # wavelengths around target and focus, lateral and axial, in water
IN_WATER = 4.0  # points a wavelength there
ON_AXIS = 8.0  # points a wavelength of the axis, on which the transducer's own focus is found
AS_HIGH = 0.99  # of equal peaks on the axis (those of a flat disc) the farthest counts
INNER = 1e-3  # of the window, next to its rim: outside of the lattice
MOST_MISSED = 0.5  # of the beam's power, beside the window
NEAR = 12.0  # points a wavelength of a source within the window
MOST_KEPT = 4 * 2**30  # bytes of sound in the cache: some ten studies of a window of 16 M nodes


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lattice:
    """A pressure on a lattice of the beam frame.

    Parameters
    ----------
    x, y, z
        Lines (m).
    pressure
        Complex amplitude (Pa), shape (nx, ny, nz).
    """

    x: Floats
    y: Floats
    z: Floats
    pressure: Complexes

    @property
    def points(self) -> Floats:
        """Its points (m), shape (nx, ny, nz, 3)."""
        return np.stack(np.meshgrid(self.x, self.y, self.z, indexing="ij"), axis=-1)

    def scaled(self, factor: float) -> Lattice:
        """Return the same with a pressure that is larger by a factor."""
        return replace(self, pressure=self.pressure * factor)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sound:
    """One way to drive the elements.

    Parameters
    ----------
    name
        What it is called.
    drive
        Velocity of each element (m/s), shape (n_elements,).
    field
        Through the head.
    lattice
        Its pressure on the lattice of the window.
    """

    name: str
    drive: Complexes
    field: PressureField
    lattice: Lattice


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heard:
    """All sounds of a study.

    Parameters
    ----------
    velocity
        Of the elements (m/s).
    water
        In water alone, around target and focus; elements steered if they are.
    sounds
        Through the head, in the order of the comparison; the last one is the study's.
    missed
        Share of the beam's power that goes by outside the window.
    conjugation
        Transfers of the elements to the target, if they were asked for.
    """

    velocity: float
    water: Lattice
    sounds: tuple[Sound, ...]
    missed: float
    conjugation: Conjugation | None

    @property
    def chosen(self) -> Sound:
        """The one that heat and cells are of."""
        return self.sounds[-1]


def sound_station(study: UltrasoundStudy, scene: Scene) -> Heard:
    """Return the sound in water and through the head.

    Raises
    ------
    InputError
        If the target is not ahead of all elements, or the window does not fit in memory.
    """
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.steering import focus_at
    from rheobase.fields.acoustics.wave.kernel import check_memory

    check_memory(scene.window)
    n = scene.transducer.n_elements
    plain = np.ones(n, np.complex128)
    steered = plain if n == 1 else focus_at(scene.transducer, scene.target_in_beam)
    first = plain if study.correction == "none" else steered
    unit = in_water(scene.transducer, first, scene.target_in_beam)
    velocity = study.drive.velocity(WATER.impedance, water_peak(unit))
    drives = {PLAIN if study.correction == "none" else STEERED: first}
    conjugation = None
    if study.correction == "conjugation":
        conjugation = conjugate(scene)
        drives[CORRECTED] = conjugation.drive()
    sounds, missed = [], 0.0
    for name, drive in drives.items():
        source, missed = incident(scene, drive)
        if missed > MOST_MISSED:
            raise InputError(
                f"expected a window that holds most of the beam, {missed:.0%} of its power in "
                "water goes by outside: set a larger window.half_width_mm"
            )
        field = solved(scene, source, f"pressure, {name}")
        field = replace(field, phasor=field.phasor * np.float32(velocity))
        sounds.append(
            Sound(name=name, drive=velocity * drive, field=field, lattice=on_window(scene, field))
        )
    return Heard(
        velocity=velocity,
        water=unit.scaled(velocity),
        sounds=tuple(sounds),
        missed=missed,
        conjugation=conjugation,
    )


def line(low: float, high: float, step: float) -> Floats:
    """Return equally spaced places from one end to the other, at most ``step`` apart."""
    return np.linspace(low, high, max(3, int(np.ceil((high - low) / step)) + 1))


def in_water(transducer: Transducer, drive: Complexes, target: Floats) -> Lattice:
    """Return the pressure of a drive in water alone, around the target and its own focus.

    Parameters
    ----------
    transducer
        With its beam along z.
    drive
        Velocity of the elements (m/s).
    target
        In the beam frame (m).
    """
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import pressure

    wave = WATER.wavelength(transducer.frequency)
    source = transducer.source(velocity=drive)
    low, high = (target - wave * np.array(REACH)[[0, 0, 1]] * side for side in (1, -1))
    with stage("beam in water"):
        focus = _own_focus(transducer, source, target)
        low[2] = min(low[2], focus - REACH[1] * wave)
        low[2] = max(low[2], float(source.points[:, 2].max()) + wave)
        high[2] = max(high[2], focus + REACH[1] * wave)
        x, y, z = (line(a, b, wave / IN_WATER) for a, b in zip(low, high, strict=True))
        mesh = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
        P = pressure(source, mesh.reshape(-1, 3), frequency=transducer.frequency, fluid=WATER)
    return Lattice(x=x, y=y, z=z, pressure=P.reshape(mesh.shape[:-1]))


def _own_focus(transducer: Transducer, source: Source, target: Floats) -> float:
    """Return where the pressure on the axis is largest in water (m).

    From the surface to twice the focal length, or the end of a flat source's near field: a² over
    the wavelength.
    """
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import pressure

    wave = WATER.wavelength(transducer.frequency)
    near_field = 0.25 * transducer.aperture**2 / wave
    far = max(2.0 * min(transducer.curvature_radius, near_field), float(target[2]))
    z = line(float(source.points[:, 2].min()) + wave, far, wave / ON_AXIS)
    on_axis = np.stack([np.full_like(z, target[0]), np.full_like(z, target[1]), z], axis=-1)
    A = np.abs(pressure(source, on_axis, frequency=transducer.frequency, fluid=WATER))
    inner = 1 + np.flatnonzero((A[1:-1] >= A[:-2]) & (A[1:-1] >= A[2:]))
    tops = inner[A[inner] >= AS_HIGH * A.max()]
    return float(z[tops[-1] if len(tops) else A.argmax()])


def water_peak(lattice: Lattice) -> float:
    """Return the largest pressure in water (Pa), between the points of its lattice.

    Raises
    ------
    InputError
        If it lies on a side of the lattice.
    """
    from rheobase.fields.acoustics.focus import focus_metrics

    try:
        found = focus_metrics(lattice.x, lattice.y, lattice.z, lattice.pressure, allow_cut=True)
    except InputError as error:
        raise InputError(f"{error}, in water: placement.distance_mm, transducer") from error
    return found.peak


def incident(scene: Scene, drive: Complexes) -> tuple[Source, float]:
    """Return what enters the window of a drive (m/s), and the share of the power beside it.

    Raises
    ------
    InputError
        If the transducer is partly in the window, and reaches beyond its start.
    """
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.wave.sources import source_in

    window = scene.window
    far = scene.transducer.source(velocity=drive)
    inside = (far.points > window.low).all() and (far.points < window.high).all()
    source = scene.transducer.source(velocity=drive, per_wavelength=NEAR) if inside else far
    with stage("beam at the window"):
        return source_in(window, source.moved(scene.frame), WATER)


def conjugate(scene: Scene) -> Conjugation:
    """Return the transfers of all elements to the target, by a point source there."""
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import back_propagate
    from rheobase.fields.acoustics.steering import Conjugation, transfers
    from rheobase.fields.acoustics.transducers.source import Source

    up = np.array([[0.0, 0.0, 1.0]])
    point = Source(
        points=scene.target_in_beam[None],
        velocity=np.ones(1, np.complex128),
        area=np.array([0.5 * FLOW]),
        normal=up,
        element=np.zeros(1, np.intp),
    )
    field = solved(scene, point, "pressure of a point source at the target")
    plane, _ = incident(scene, np.ones(scene.transducer.n_elements, np.complex128))
    source = scene.transducer.source(velocity=1.0)
    if plane.points[:, 2].min() > source.points[:, 2].max():
        at_plane = field.sample(plane.points)
        with stage("from the window back to the elements"):
            at_elements = back_propagate(
                plane, at_plane, source.points, frequency=scene.frequency, fluid=WATER
            )
    else:
        at_elements = field.sample(source.points)
    return Conjugation(transfers(source, at_elements, flow=FLOW))


def solved(scene: Scene, source: Source, text: str) -> PressureField:
    """Return the pressure of a source in the window, from the cache where it was solved before."""
    from rheobase.fields.acoustics.wave.field import PressureField
    from rheobase.fields.acoustics.wave.steady import solve_pressure

    def solve() -> PressureField:
        with stage(text):
            return solve_pressure(scene.window, source)

    def load(path: Path) -> PressureField:
        found = load_arrays(path)
        report = dict(zip(found["names"].tolist(), found["numbers"].tolist(), strict=True))
        return PressureField(window=scene.window, phasor=found["phasor"], report=report)

    path = _cache_path(scene, source)
    return kept(path, solve, load=load, save=_save, most=MOST_KEPT)


def _save(path: Path, field: PressureField) -> None:
    names, numbers = zip(*field.report.items(), strict=True)
    numbered = {"names": np.array(names), "numbers": np.array(numbers)}
    save_arrays(path, {"phasor": field.phasor, **numbered})


def _cache_path(scene: Scene, source: Source) -> Path:
    """Return where a field is kept: by all that it is made of."""
    from rheobase.fields.acoustics.wave.kernel import build

    window = scene.window
    grid, materials = window.grid, window.materials
    parts: list[Any] = [window.frequency, grid.order, grid.orders.tolist()]
    arrays: list[NDArray[Any]] = [grid.x, grid.y, grid.faces, *window.rim]
    arrays += [getattr(materials, k) for k in ("sound_speed", "density", "loss", "at", "nodal")]
    arrays += [source.points, source.velocity, source.area]
    name = "tomogram" if scene.head is None else scene.head.name
    code = ("rheobase.fields.acoustics",)
    return kept_path("sound", name, build(), *parts, *arrays, code=code)


def on_window(scene: Scene, field: PressureField) -> Lattice:
    """Return a field on the lattice of the window."""
    from rheobase.fields.acoustics.media import WATER

    window = scene.window
    step = WATER.wavelength(scene.frequency) / PER_WAVELENGTH
    inner = INNER * (window.high - window.low)
    x, y, z = (
        line(a + i, b - i, step) for a, b, i in zip(window.low, window.high, inner, strict=True)
    )
    return Lattice(x=x, y=y, z=z, pressure=field.on_lattice(x, y, z))


def power_of(scene: Scene, drive: Complexes) -> float:
    """Return the acoustic power of a drive (m/s) into water, plane waves at its face (W)."""
    from rheobase.fields.acoustics.media import WATER

    return float(0.5 * WATER.impedance * (scene.transducer.areas * np.abs(drive) ** 2).sum())
