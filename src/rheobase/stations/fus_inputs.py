"""What a study of focused ultrasound reads besides its head, checked before long work."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option, check_positive
from rheobase._memory import free_memory
from rheobase.stations.head import check_head
from rheobase.tables.fus_device import check_positions, check_steerable

if TYPE_CHECKING:
    from rheobase.fields.acoustics.sonication import Sonication
    from rheobase.fields.acoustics.transducers.transducer import Transducer
    from rheobase.tables.fus import UltrasoundStudy

#: What a rough estimate takes: updates of a node a second and core, bytes a node (72 to 75 by
#: `rheobase.fields.acoustics.wave.kernel.memory_needed`), and steps a period. Elements of bone,
#: thinner than elsewhere, set the steps: 64 for a skull of 2 mm at 250 kHz, fewer where it is thick
#: against the wave.
UPDATES, BYTES, STEPS = 150e6, 75, 64
#: Of the way through the window, and periods beside it, until the sound is steady.
CROSSINGS, SETTLING = 1.2, 8
LAYERED = 1.25  # times the nodes of a box without layers: faces that follow scalp and skull
RIM = 3  # elements beside the window
DEEPEST = 0.1  # m, of a target under the scalp, where the study does not tell the window's depth
NARROWEST = 1.0  # wavelengths, of half a window that is given


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SoundInputs:
    """The opened inputs of a study.

    Parameters
    ----------
    transducer
        In its beam frame, not placed yet.
    sonication
        The exposure.
    files
        Every file named in the study, by the place that names it.
    """

    transducer: Transducer
    sonication: Sonication
    files: dict[str, Path]


def open_sound(study: UltrasoundStudy) -> SoundInputs:
    """Refuse what cannot be used, and open the rest.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest ones), a file is missing or damaged, measures make no
        transducer, pulses do not fit, nodes a wavelength are too few, or a built-in head has no
        transform to the MNI space that a place is given in; before any long work.
    """
    from rheobase.fields.acoustics.grid.dispersion import check_resolution
    from rheobase.fields.acoustics.media import WATER
    from rheobase.meshes.heads import BUILT_IN
    from rheobase.meshes.spaces import is_mni

    named: list[tuple[str, Any]] = [("transducer", study.transducer)]
    named += [(k, t) for k, t in (("head", study.head), ("ct", study.ct)) if t is not None]
    files = {f"{place}.{k}": p for place, table in named for k, p in table.files().items()}
    for place, path in files.items():
        if not path.exists():
            raise InputError(f"no such file {path}: {place}")
    if study.head is not None:
        check_head(study.head, {})
        space = None if study.head.name is None else BUILT_IN[study.head.name].space
        for place in study.in_mni():
            if space is not None and not is_mni(space):
                raise InputError(
                    f"no transform between MNI and space {space!r}, give the place in the head's "
                    f"own coordinates: {place}, head {study.head.name!r}"
                )
    if study.ct is not None:
        from rheobase.fields.acoustics.hounsfield import hounsfield_mapping

        hounsfield_mapping(study.ct.mapping, scanner=study.ct.scanner)
    check_positions(study.placement)
    transducer = study.transducer.make()
    check_steerable(transducer, study.correction)
    f = transducer.frequency
    check_resolution(*_resolution(study), f, WATER.wavelength(f))
    narrowest = NARROWEST * WATER.wavelength(f)
    if min(study.window.half_width or (narrowest,)) < narrowest:
        raise InputError(
            f"expected half a window of at least a wavelength in water, {1e3 * narrowest:.3g} mm, "
            f"got {1e3 * min(study.window.half_width or ()):.3g} mm: window.half_width_mm"
        )
    _check_cells(study)
    return SoundInputs(transducer=transducer, sonication=study.sonication.make(f), files=files)


def _resolution(study: UltrasoundStudy) -> tuple[int, float]:
    """Return order and nodes a wavelength: the study's, or those that the solver takes."""
    from inspect import signature

    from rheobase.fields.acoustics.wave.head_window import head_window

    known = {k: p.default for k, p in signature(head_window).parameters.items()} | study.window.grid
    return int(known["order"]), float(known["per_wavelength"])


def _check_cells(study: UltrasoundStudy) -> None:
    """Refuse cells that no model of cavitation is known of."""
    from rheobase.neurons.sonic.cells import cell_of_type, sonic_cells

    for name in study.neurons.cells if study.neurons else ():
        check_option("point neuron", name, sonic_cells(), where="neurons.cells")
    for name in study.neurons.types if study.neurons else ():
        cell_of_type(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What the waves of a study will take, roughly.

    Parameters
    ----------
    box
        Sides of the window (m).
    nodes, bytes
        Of the grid.
    solutions
        How many fields are marched.
    seconds
        In all, on the cores that may be used.
    """

    box: tuple[float, float, float]
    nodes: int
    bytes: int
    solutions: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as plain values."""
        return {
            "box_m": list(self.box),
            "nodes": self.nodes,
            "bytes": self.bytes,
            "solutions": self.solutions,
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        """Return one line."""
        x, y, z = (1e3 * side for side in self.box)
        return (
            f"waves in {x:.0f} x {y:.0f} x {z:.0f} mm: about {self.nodes / 1e6:.2g} M nodes, "
            f"{self.bytes / 2**30:.2g} GiB, {self.solutions} solution"
            f"{'s' if self.solutions > 1 else ''} in {_time(self.seconds)}"
        )


def _time(seconds: float) -> str:
    return f"{ceil(seconds)} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def estimate(study: UltrasoundStudy, inputs: SoundInputs) -> Estimate:
    """Return what the waves will take, without the head: depths that it sets are taken as longest.

    Raises
    ------
    InputError
        If a flat transducer has no distance to the target.
    """
    from rheobase.stations.fus_scene import beam_half_width, focal_distance

    window, transducer = study.window, inputs.transducer
    distance = focal_distance(study, transducer)
    low, high = window.depth_mm or (0.0, 1e3 * distance + window.beyond_mm)
    if window.depth_mm is None:
        low = max(low, 1e3 * (distance - DEEPEST))
    ahead = distance - 1e-3 * low
    half = window.half_width or (beam_half_width(transducer, distance, ahead),) * 2
    return estimate_box(study, transducer, (2 * half[0], 2 * half[1], 1e-3 * (high - low)))


def estimate_box(
    study: UltrasoundStudy, transducer: Transducer, box: tuple[float, float, float]
) -> Estimate:
    """Return what the waves will take in a box with sides (m)."""
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.wave.kernel import threads

    wave = WATER.wavelength(transducer.frequency)
    order, per_wavelength = _resolution(study)
    rim = 2 * RIM * order / per_wavelength * wave
    nodes = LAYERED
    for side in box:
        nodes *= (side + rim) / wave * per_wavelength + 1
    periods = CROSSINGS * box[2] / wave + SETTLING
    solutions = {"none": 1, "geometric": 1, "conjugation": 3}[study.correction]
    return Estimate(
        box=box,
        nodes=round(nodes),
        bytes=round(nodes * BYTES),
        solutions=solutions,
        seconds=solutions * nodes * STEPS * periods / (UPDATES * threads()),
    )


def check_estimate(found: Estimate) -> None:
    """Refuse a window that will not fit in memory.

    Raises
    ------
    InputError
        With the estimate and what to change.
    """
    free = free_memory()
    if found.bytes > free:
        raise InputError(
            f"{found}, and {free / 2**30:.2g} GiB of memory are free: take a smaller window "
            "(window.half_width_mm, window.depth_mm), a lower frequency or fewer "
            "window.per_wavelength"
        )


def positive(value: float, option: str) -> float:
    """Return a number of the command line that must be finite and > 0.

    Raises
    ------
    InputError
        Naming the option.
    """
    check_positive(option, value)
    return value
