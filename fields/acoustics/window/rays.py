"""Rays of a beam through a head: where each meets skin, bone and brain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import track
from rheobase.fields.acoustics.window.anatomy import Anatomy, Kind

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Points asked of the anatomy at a time.
BATCH = 400_000
#: Halvings of the step around an interface.
HALVINGS = 14


@dataclass(frozen=True, kw_only=True, eq=False)
class Rays:
    """What parallel rays along the beam's axis meet, all of shape (nx, ny).

    Parameters
    ----------
    x, y
        Their places (m), shapes (nx,) and (ny,).
    skin
        Depth of the head's surface (m), NaN where a ray misses the head.
    outer, inner
        Depths of the skull's surfaces (m), NaN where there is no bone.
    spongy_from, spongy_to
        Depths of spongy bone in the skull (m), NaN where there is none.
    trust_skin, trust_outer, trust_inner
        How much each of these depths tells, 0 to 1 (`Anatomy.trust`).
    inside
        Whether a ray starts inside the head.
    repeated
        Whether other bone lies before the skull, or the skull does not end within the ray.
    far_bone
        Depth of the next bone behind the skull (m), NaN without.
    fold
        Depth of a gap in the skin before any bone (m), NaN without.
    pocket
        Depth of a gap behind the first bone (m), NaN without: air.
    leaves
        Depth at which a ray leaves the head again (m), NaN where it does not.
    """

    x: Floats
    y: Floats
    skin: Floats
    outer: Floats
    inner: Floats
    spongy_from: Floats
    spongy_to: Floats
    trust_skin: Floats
    trust_outer: Floats
    trust_inner: Floats
    inside: Bools
    repeated: Bools
    far_bone: Floats
    fold: Floats
    pocket: Floats
    leaves: Floats

    @property
    def hit(self) -> Bools:
        """Whether a ray meets the head."""
        return np.isfinite(self.skin)

    @property
    def bone(self) -> Bools:
        """Whether a ray goes through the skull."""
        return np.isfinite(self.inner)


def cast(
    anatomy: Anatomy, frame: Floats, x: Floats, y: Floats, depth: tuple[float, float], step: float
) -> Rays:
    """Cast a ray from each lateral place.

    The skull of a ray is the bone before the first brain it meets, the first bone where the anatomy
    does not tell brain from other soft tissue; narrow gaps in bone (`Anatomy.gap`) are bone.

    Parameters
    ----------
    anatomy
        The head.
    frame
        Beam to head, shape (4, 4).
    x, y
        Places of the rays (m), shapes (nx,) and (ny,).
    depth
        First and last depth (m).
    step
        Step along a ray (m); what is thinner may be missed. Interfaces are then placed exactly.
    """
    z = np.linspace(*depth, int(np.ceil((depth[1] - depth[0]) / step)) + 1)
    places = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    batch = max(BATCH // len(z), 1)
    parts = [
        _cast(anatomy, frame, places[first : first + batch], z)
        for first in track(range(0, len(places), batch), "casting rays through the head")
    ]
    shape = (len(x), len(y))
    return Rays(
        x=x, y=y, **{k: np.concatenate([p[k] for p in parts]).reshape(shape) for k in parts[0]}
    )


def to_head(frame: Floats, points: Floats) -> Floats:
    """Return points of the beam frame (m) in the head, shape (n, 3)."""
    moved: Floats = points @ frame[:3, :3].T + frame[:3, 3]
    return moved


def _cast(
    anatomy: Anatomy, frame: Floats, places: Floats, z: Floats
) -> dict[str, NDArray[np.generic]]:
    n, m = len(places), len(z)
    points = np.empty((n, m, 3))
    points[..., :2] = places[:, None]
    points[..., 2] = z
    kinds = anatomy.kinds(to_head(frame, points.reshape(-1, 3))).reshape(n, m)
    within = kinds != Kind.OUTSIDE
    bone = _closed(kinds >= Kind.COMPACT, round(anatomy.gap / (z[1] - z[0])))
    starts = bone & ~np.pad(bone, ((0, 0), (1, 0)))[:, :-1]
    run = np.cumsum(starts, axis=1)
    brain = kinds == Kind.BRAIN
    to_brain = np.where(brain.any(axis=1), run[np.arange(n), brain.argmax(axis=1)], 1)
    skull = bone & (run == to_brain[:, None])
    open_end = skull[:, -1]
    spongy = skull & (kinds == Kind.SPONGY)

    def at(mask: Bools, predicate: Callable[[NDArray[np.int8]], Bools], last: bool) -> Floats:
        """Return the depth of the first or last place of ``mask``, NaN where there is none."""
        found = mask.any(axis=1)
        k = m - 1 - mask[:, ::-1].argmax(axis=1) if last else mask.argmax(axis=1)
        inner, outer = z[k], z[np.clip(k + (1 if last else -1), 0, m - 1)]
        out = np.full(n, np.nan)
        out[found] = _crossing(anatomy, frame, places[found], inner[found], outer[found], predicate)
        return out

    def is_bone(kind: NDArray[np.int8]) -> Bools:
        return kind >= Kind.COMPACT

    skin = at(within, lambda kind: kind != Kind.OUTSIDE, False)
    outer, inner = at(skull, is_bone, False), at(skull, is_bone, True)
    found = np.isfinite(outer)
    for surface, sign in ((outer, 1.0), (inner, -1.0)):
        there = to_head(frame, np.column_stack([places, surface])[found])
        surface[found] += sign * anatomy.edge(there, sign * frame[:3, 2])

    def trust(surface: Floats) -> Floats:
        there = to_head(frame, np.column_stack([places, np.nan_to_num(surface)]))
        return anatomy.trust(there, frame[:3, 2])

    whole = np.isfinite(outer) & ~open_end
    beyond = bone & (run > to_brain[:, None])
    end = m - 1 - within[:, ::-1].argmax(axis=1)
    hole = ~within & (np.arange(m) > within.argmax(axis=1)[:, None])
    hole &= np.arange(m) < end[:, None]
    hole &= within.any(axis=1)[:, None]
    before = np.arange(m) < np.where(bone.any(axis=1), bone.argmax(axis=1), 0)[:, None]

    def first(mask: Bools) -> Floats:
        return np.where(mask.any(axis=1), z[mask.argmax(axis=1)], np.nan)

    return {
        "skin": skin,
        "outer": np.where(whole, outer, np.nan),
        "inner": np.where(whole, inner, np.nan),
        "spongy_from": at(spongy, lambda kind: kind == Kind.SPONGY, False),
        "spongy_to": at(spongy, lambda kind: kind == Kind.SPONGY, True),
        "trust_skin": trust(skin),
        "trust_outer": trust(outer),
        "trust_inner": trust(inner),
        "inside": within[:, 0],
        "repeated": (to_brain > 1) | open_end,
        "far_bone": first(beyond),
        "fold": first(hole & before),
        "pocket": first(hole & ~before),
        "leaves": np.where(within.any(axis=1) & (end < m - 1), z[end], np.nan),
    }


def _closed(bone: Bools, gap: int) -> Bools:
    """Return bone with gaps of up to ``gap`` places along each ray filled."""
    m = bone.shape[1]
    place = np.arange(m, dtype=np.int32)
    before = np.maximum.accumulate(np.where(bone, place, -m - gap - 1), axis=1)
    after = np.where(bone, place, 2 * m + gap + 1)[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    filled: Bools = after - before <= gap + 1
    return filled


def _crossing(
    anatomy: Anatomy,
    frame: Floats,
    places: Floats,
    inner: Floats,
    outer: Floats,
    predicate: Callable[[NDArray[np.int8]], Bools],
) -> Floats:
    """Return where, between ``inner`` (it holds) and ``outer`` (it does not), it ceases to hold."""
    inner, outer = inner.copy(), outer.copy()
    points = np.empty((len(places), 3))
    points[:, :2] = places
    for _ in range(HALVINGS):
        points[:, 2] = 0.5 * (inner + outer)
        holds = predicate(anatomy.kinds(to_head(frame, points)))
        inner[holds], outer[~holds] = points[holds, 2], points[~holds, 2]
    return 0.5 * (inner + outer)
