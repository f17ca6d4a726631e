"""The scene of a study of focused ultrasound: head, transducer, target, window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.stations.fus_inputs import check_estimate, estimate_box
from rheobase.tables.base import metres
from rheobase.tables.target import known_targets

if TYPE_CHECKING:
    from rheobase.fields.acoustics.sonication import Sonication
    from rheobase.fields.acoustics.transducers.transducer import Transducer
    from rheobase.fields.acoustics.wave.field import PressureField
    from rheobase.fields.acoustics.wave.window import AcousticWindow
    from rheobase.fields.acoustics.window.anatomy import Anatomy
    from rheobase.fields.acoustics.window.window import WindowMaterial
    from rheobase.meshes.head import Head
    from rheobase.stations.fus_inputs import SoundInputs
    from rheobase.tables.fus import UltrasoundStudy

Floats = NDArray[np.float64]

AHEAD = 2.0  # wavelengths of water between the window's first face and the scalp
APART, NEAREST = 1.05, 0.5  # wavelengths from the source's rim, and least ones from the scalp
BESIDE = 2.0  # wavelengths beside the beam's cone
NARROWEST = 8.0  # wavelengths, of half a window
BEHIND = 1e-3  # m of brain, at least, between the skull and the window's end
RAYS = 41  # along each side, to find where the scalp begins


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """Where the sound goes.

    Parameters
    ----------
    head
        The head; None for a tomogram alone.
    transducer
        Placed: its ``frame`` is that of the window.
    target
        In the head and in the beam frame (m), shape (3,) each.
    material, window
        What the beam goes through, and the grid in it.
    sonication
        The exposure.
    """

    head: Head | None
    transducer: Transducer
    target: Floats
    target_in_beam: Floats
    material: WindowMaterial
    window: AcousticWindow
    sonication: Sonication

    @property
    def frequency(self) -> float:
        """Frequency (Hz)."""
        return self.transducer.frequency

    @property
    def frame(self) -> Floats:
        """From the beam to the head, shape (4, 4)."""
        return self.transducer.frame

    def to_head(self, points: Floats) -> Floats:
        """Return points of the beam frame (m) in the head's, shape (..., 3)."""
        moved: Floats = points @ self.frame[:3, :3].T + self.frame[:3, 3]
        return moved

    def amplitude(self, field: PressureField, points: Floats) -> Floats:
        """Return |P| at points of the beam frame (m), NaN outside of the window, shape (n,)."""
        inside = ((points >= self.window.low) & (points <= self.window.high)).all(axis=1)
        found = np.full(len(points), np.nan)
        found[inside] = np.abs(field.sample(points[inside]))
        return found

    def to_beam(self, points: Floats) -> Floats:
        """Return points of the head frame (m) in the beam's, shape (..., 3)."""
        moved: Floats = (points - self.frame[:3, 3]) @ self.frame[:3, :3]
        return moved


def focal_distance(study: UltrasoundStudy, transducer: Transducer) -> float:
    """Return the way from the transducer's origin to the target (m).

    Raises
    ------
    InputError
        If a flat transducer has none given.
    """
    if study.placement.distance_mm is not None:
        return 1e-3 * study.placement.distance_mm
    if not isfinite(transducer.curvature_radius):
        raise InputError(
            f"a flat transducer has no focus to put on the target, give distance_mm: placement, "
            f"transducer {transducer.name!r}"
        )
    return transducer.curvature_radius


def beam_half_width(transducer: Transducer, distance: float, inside: float) -> float:
    """Return half the width (m) that holds the beam's cone ``inside`` (m) ahead of the target."""
    from rheobase.fields.acoustics.media import WATER

    wave = WATER.wavelength(transducer.frequency)
    rim = float(transducer.outline[:, 2].max())
    cone = 0.5 * transducer.aperture * min(1.0, inside / max(distance - rim, 1e-9))
    return max(cone + BESIDE * wave, NARROWEST * wave)


def scene_station(study: UltrasoundStudy, inputs: SoundInputs, head: Head | None) -> Scene:
    """Place the transducer and lay the window.

    Raises
    ------
    InputError
        If the target is not in the head, the transducer is in the head or misses it, or the window
        does not fit head and beam; before anything is solved.
    """
    from rheobase.fields.acoustics.wave.head_window import head_window
    from rheobase.fields.acoustics.window.anatomy import anatomy_of
    from rheobase.fields.acoustics.window.window import beam_window

    target = _target(study, head)
    if study.ct is None:
        assert head is not None  # UltrasoundStudy
        with stage("preparing the head"):
            source = anatomy_of(head, target[None], None)
    else:
        from rheobase.fields.acoustics.window.tomogram import from_hounsfield

        ct = study.ct
        with stage("tomogram"):
            source = from_hounsfield(
                ct.file,
                mapping=ct.mapping,
                scanner=ct.scanner,
                bone=ct.bone_HU,
                gap=1e-3 * ct.gap_mm,
            )
    transducer = _placed(study, inputs.transducer, head, source, target)
    at = (target - transducer.frame[:3, 3]) @ transducer.frame[:3, :3]
    half, depth = _box(study, transducer, source, float(at[2]))
    check_estimate(estimate_box(study, transducer, (2 * half[0], 2 * half[1], depth[1] - depth[0])))
    with stage("layers of the head along the beam"):
        material = beam_window(
            source,
            transducer.frame,
            half_width=half,
            depth=depth,
            target=target,
            skull=study.skull.layers,
            inside=study.skull.inside,
            smoothing=_metres(study.skull.smoothing_mm),
            least=_metres(study.skull.least_mm),
        )
    _check_behind(material, at)
    with stage("grid"):
        window = head_window(
            material,
            transducer.frequency,
            **study.window.grid,
        )
    return Scene(
        head=head,
        transducer=transducer,
        target=target,
        target_in_beam=at,
        material=material,
        window=window,
        sonication=inputs.sonication,
    )


def _check_behind(material: WindowMaterial, target: Floats) -> None:
    """Refuse a target ahead of the skull's inner face, and a window that ends in the skull.

    Raises
    ------
    InputError
        Saying how far behind the target or the end of the window must be.
    """
    from rheobase.fields.acoustics.window.anatomy import Kind

    bones = [i for i, kind in enumerate(material.kinds) if kind >= Kind.COMPACT]
    if not bones:
        return
    inner = material.layers.surfaces[bones[-1]]
    short = 1e3 * (float(inner(target[0], target[1])) - target[2])
    if short >= 0:
        raise InputError(
            f"expected a target behind the skull, it lies {short:.3g} mm ahead of the inner face: "
            "target, placement"
        )
    rays, end = material.rays, material.depth[1]
    faces = inner(rays.x[:, None], rays.y[None])
    deepest = float(faces.max())
    if end > deepest + BEHIND:
        return
    away = np.maximum(np.abs(rays.x)[:, None], np.abs(rays.y)[None])
    held = away[away < away[faces + BEHIND >= end].min()].max(initial=0.0)
    if held and not rays.hit.all():
        raise InputError(
            f"the window is wider than the head, ±{1e3 * max(material.half_width):.0f} mm: the "
            f"skull ends before {1e3 * end:.1f} mm within ±{1e3 * held:.0f} mm, set "
            "window.half_width_mm to at most that or take a higher frequency"
        )
    least = np.ceil(1e3 * (deepest + BEHIND)) + 1
    raise InputError(
        f"the window ends in the skull, whose inner face reaches {1e3 * deepest:.1f} mm in a "
        f"window that ends at {1e3 * end:.1f} mm: end window.depth_mm at {least:g} or later, set "
        f"window.beyond_mm to at least {np.ceil(least - 1e3 * target[2]):g}, or take a smaller "
        "window.half_width_mm"
    )


def _metres(mm: float | None) -> float | None:
    return None if mm is None else 1e-3 * mm


def _target(study: UltrasoundStudy, head: Head | None) -> Floats:
    """Return the target in the head (m)."""
    table = study.target
    if table.centre_mm is not None:
        return metres(table.centre_mm)
    assert head is not None  # UltrasoundStudy
    mm = table.mni_mm or known_targets()[table.name or ""]["mni_mm"]
    found: Floats = head.from_mni(metres(mm)[None])[0]
    return found


def _placed(
    study: UltrasoundStudy,
    transducer: Transducer,
    head: Head | None,
    source: Anatomy,
    target: Floats,
) -> Transducer:
    """Return the transducer aimed at the target, outside of the head."""
    from rheobase.fields.acoustics.transducers.placing import beam_frame, place_transducer
    from rheobase.fields.acoustics.window.checks import check_outside

    table = study.placement
    distance = focal_distance(study, transducer)
    if head is None:
        if table.direction is not None:
            way = np.array(table.direction)
        else:
            assert table.entry_mm is not None  # UltrasoundStudy
            way = target - metres(table.entry_mm)
        frame = beam_frame(way / np.linalg.norm(way), table.rotation_deg)
        frame[:3, 3] = target - distance * frame[:3, 2]
        placed = replace(transducer, frame=frame)
    else:
        entry: Any = table.entry
        if table.entry_mm is not None:
            entry = metres(table.entry_mm)
        elif table.entry_mni_mm is not None:
            entry = head.from_mni(metres(table.entry_mni_mm)[None])[0]
        placed = place_transducer(
            transducer,
            head,
            target=target,
            direction=table.direction,
            entry=entry,
            distance=distance,
            rotation_deg=table.rotation_deg,
        )
    if study.ct is not None:
        outline = placed.outline @ placed.frame[:3, :3].T + placed.frame[:3, 3]
        check_outside(source, outline)
    return placed


def _box(
    study: UltrasoundStudy, transducer: Transducer, source: Anatomy, target: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return half widths and depths of the window (m): given, or what the beam needs."""
    from rheobase.fields.acoustics.media import WATER

    table, wave = study.window, WATER.wavelength(transducer.frequency)
    if table.depth_mm is not None:
        low, high = (1e-3 * d for d in table.depth_mm)
        half = table.half_width or (beam_half_width(transducer, target, target - low),) * 2
        return half, (low, high)
    half = table.half_width or (beam_half_width(transducer, target, target),) * 2
    high = target + 1e-3 * table.beyond_mm
    for _ in range(2):  # the scalp sets the width of the cone, and that where the scalp begins
        first = _first_tissue(source, transducer.frame, half, high)
        low = first - AHEAD * wave
        half = table.half_width or (beam_half_width(transducer, target, target - low),) * 2
    face = transducer.outline
    if low < (ahead := float(face[:, 2].max()) + APART * wave):
        if ahead <= first - NEAREST * wave:
            low = ahead
        else:  # no room for a plane of water between: the transducer is in the window
            low = float(face[:, 2].min()) - wave
            reach = np.abs(face[:, :2]).max(axis=0) + wave
            half = (max(half[0], float(reach[0])), max(half[1], float(reach[1])))
    return half, (low, high)


def _first_tissue(source: Anatomy, frame: Floats, half: tuple[float, float], end: float) -> float:
    """Return the least depth (m) at which a box along a beam meets the head."""
    from rheobase.fields.acoustics.window.anatomy import Kind

    x, y = (np.linspace(-h, h, RAYS) for h in half)
    z = np.linspace(-0.05, end, round((end + 0.05) / 1e-3) + 1)
    lattice = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    points = lattice @ frame[:3, :3].T + frame[:3, 3]
    inside = source.kinds(points) != Kind.OUTSIDE
    if not inside.any():
        raise InputError("expected a beam that meets the head, the box around it does not")
    return float(lattice[inside, 2].min()) - 1e-3
