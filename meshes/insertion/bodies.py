"""Bodies to insert into a mesh: electrodes with gel, leads, balls, boxes, as signed distances.

A body is a shape with a tissue label. In a list of bodies the later one wins where two overlap, and
every body wins over the tissues unless it is told to stay `Body.only_in` some labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.meshes.insertion.ground import Feet, Ground
from rheobase.meshes.insertion.shapes import Capsule, Cylinder, Shape, point
from rheobase.meshes.placing.outlines import Outline
from rheobase.meshes.placing.scalp import Frame, Scalp

#: Edges across the thinnest part of a body unless another edge is asked for.
EDGES_ACROSS = 2.0
#: Step (m) of the differences that give the direction out of an outline.
NUDGE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """Something to insert.

    Parameters
    ----------
    name
        Name ("C3 gel"), for messages and reports.
    label
        Tissue label of its tetrahedra, >= 1; bodies may share one.
    shape
        Where it is.
    edge_length
        Wanted mean edge in it (m). What is thinner than about two edges loses volume or vanishes.
    only_in
        Labels that it may take the place of (0 is the outside); all if None.

    Raises
    ------
    InputError
        If the label or the edge makes no sense.
    """

    name: str
    label: int
    shape: Shape
    edge_length: float
    only_in: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Check label and edge."""
        if not 1 <= self.label <= np.iinfo(np.int32).max:
            raise InputError(f"label must be >= 1, got {self.label!r}: body {self.name!r}")
        if not (np.isfinite(self.edge_length) and self.edge_length > 0):
            raise InputError(
                f"edge_length must be > 0 m, got {self.edge_length!r}: body {self.name!r}"
            )
        box = self.shape.bounds()
        if not (np.isfinite(box).all() and (box[1] > box[0]).all()):
            raise InputError(f"expected a shape of finite size, got {box}: body {self.name!r}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScalpLayer:
    """A layer that follows the scalp: what lies over an outline, between two heights above it.

    A point is judged by the nearest point of the scalp: its distance is the height, and its place
    along the scalp (`Frame.coordinates`) is inside the outline or not. So the layer has the
    same thickness everywhere and its sides stand upright on the scalp.

    Parameters
    ----------
    frame
        Place and orientation on the scalp; the outline's axes are ``right`` and ``front``.
    outline
        The outline, along the scalp.
    inner, outer
        Heights above the scalp (m); ``inner`` 0 or less leaves no gap to the scalp.
    ground
        The scalp under it and around, which layers may share; found if None.

    Raises
    ------
    InputError
        If ``outer`` is not above ``inner`` and 0, or the scalp ends under the outline.
    """

    frame: Frame
    outline: Outline
    inner: float
    outer: float
    ground: Ground | None = None
    _bounds: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Find the scalp under the outline."""
        set_ = object.__setattr__
        if not (np.isfinite([self.inner, self.outer]).all() and self.outer > max(self.inner, 0)):
            raise InputError(
                f"expected outer > inner (m) and > 0, got {self.outer!r} and {self.inner!r}"
            )
        scalp = self.frame.scalp
        reach = self.outline.reach
        near, uv = self.frame.within(1.2 * (reach + self.outer) + 2 * scalp.edge)
        corners = scalp.nodes[scalp.triangles[near]]
        if self.ground is None:
            set_(self, "ground", Ground.around(self.frame, reach + self.outer))
        # a point of the layer is no further from the centre than along the scalp and up
        ball = np.stack([self.frame.origin - reach, self.frame.origin + reach])
        under = corners[np.linalg.norm(uv, axis=2).min(axis=1) < reach + scalp.edge]
        low = np.maximum(ball[0], under.min(axis=(0, 1))) - self.outer
        high = np.minimum(ball[1], under.max(axis=(0, 1))) + self.outer
        set_(self, "_bounds", np.stack([low, high]))
        fraction = scalp.cover(near, uv, self.outline.outside).m.sum() / self.outline.area
        if not fraction > 0.8:
            raise InputError(
                f"the scalp carries {100 * fraction:.0f} % of the outline: it hangs over an edge"
            )

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Shape`; below the scalp as above it, where `Body.only_in` has to decide."""
        assert self.ground is not None
        return self.above(self.ground.feet(points))

    def above(self, feet: Feet) -> NDArray[np.float64]:
        """Return `outside` (m) of points by what is under them, shape (n,)."""
        beyond = feet.height - self.outer
        if self.inner > 0:
            beyond = np.maximum(beyond, self.inner - feet.height)
        distance: NDArray[np.float64] = np.maximum(self.outline.outside(feet.uv), beyond)
        return distance

    def slopes(self, feet: Feet) -> NDArray[np.float64]:
        """Return the gradient of `above`, shape (n, 3).

        It points straight up or down, or along the scalp out of the outline.
        """
        over, under = feet.height - self.outer, self.inner - feet.height
        gradient = feet.up.copy()
        gradient[(under > over) & (self.inner > 0)] *= -1.0
        sideways = np.flatnonzero(self.outline.outside(feet.uv) >= self.above(feet))
        uv, up = feet.uv[sideways], feet.up[sideways]
        along = np.zeros((len(uv), 3))
        for e, axis in zip(NUDGE * np.eye(2), (self.frame.right, self.frame.front), strict=True):
            ahead = self.outline.outside(uv + e) - self.outline.outside(uv - e)
            along += ahead[:, None] * axis
        along -= np.einsum("ij,ij->i", along, up)[:, None] * up
        length = np.linalg.norm(along, axis=1)
        some = length > 0
        gradient[sideways[some]] = along[some] / length[some, None]
        return gradient

    def bounds(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return self._bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class Coat:
    """One layer of a pad.

    Parameters
    ----------
    name
        Name ("gel").
    label
        Tissue label.
    thickness_mm
        Thickness.
    outline
        Its outline, that of the pad if None.
    """

    name: str
    label: int
    thickness_mm: float
    outline: Outline | None = None

    def __post_init__(self) -> None:
        """Check the thickness."""
        check_positive("thickness_mm", self.thickness_mm)


def pad(
    scalp: Scalp,
    centre: ArrayLike,
    outline: Outline,
    coats: Sequence[Coat],
    *,
    name: str,
    edge_length: float | None = None,
    rotation_deg: float = 0.0,
) -> tuple[Body, ...]:
    """Return the layers of a pad on the scalp, which take the place of the outside only.

    Parameters
    ----------
    scalp
        The scalp.
    centre
        Middle of the pad, on the scalp (m), shape (3,).
    outline
        Its outline along the scalp.
    coats
        The layers from the skin upwards.
    name
        Name of the pad ("C3"); its bodies are called "C3 gel" and so on.
    edge_length
        Wanted mean edge (m); half of the thinnest layer if None.
    rotation_deg
        Turns the outlines, anticlockwise seen from outside.

    Raises
    ------
    InputError
        If the place is off the scalp, the scalp ends under the outline, or there is no layer.
    """
    where = f"pad {name!r}"
    if not coats:
        raise InputError(f"expected one layer or more, got none: {where}")
    frame = scalp.frame(point("centre", centre), where=where).turned(np.deg2rad(rotation_deg))
    edge = edge_length or min(c.thickness_mm for c in coats) * 1e-3 / EDGES_ACROSS
    reach = max((coat.outline or outline).reach for coat in coats)
    ground = Ground.around(frame, reach + 1e-3 * sum(coat.thickness_mm for coat in coats))
    bodies = []
    height = 0.0
    for coat in coats:
        outer = height + coat.thickness_mm * 1e-3
        try:
            shape = ScalpLayer(
                frame=frame,
                outline=coat.outline or outline,
                inner=height,
                outer=outer,
                ground=ground,
            )
        except InputError as error:
            raise InputError(f"{error}: {where}") from None
        bodies.append(
            Body(
                name=f"{name} {coat.name}",
                label=coat.label,
                shape=shape,
                edge_length=edge,
                only_in=(0,),
            )
        )
        height = outer
    return tuple(bodies)


def lead(
    tip: ArrayLike,
    tail: ArrayLike,
    diameter_mm: float,
    contacts_mm: Sequence[tuple[float, float]],
    *,
    name: str,
    shaft: int,
    contacts: Sequence[int],
    encapsulation: tuple[int, float] | None = None,
    edge_length: float | None = None,
) -> tuple[Body, ...]:
    """Return a cylindrical lead with round ends and ring contacts.

    Parameters
    ----------
    tip, tail
        The two outermost points on its axis (m), shape (3,) each.
    diameter_mm
        Diameter.
    contacts_mm
        Where each contact begins and ends, from the tip.
    name
        Name of the lead; its bodies are called "<name> shaft", "<name> contact 0" and so on.
    shaft, contacts
        Labels of the insulation and of each contact.
    encapsulation
        Label and thickness (mm) of the tissue around the lead, None for none.
    edge_length
        Wanted mean edge (m); a quarter of the diameter if None.

    Raises
    ------
    InputError
        If sizes make no sense or contacts lie off the lead.
    """
    where = f"lead {name!r}"
    check_positive(f"diameter_mm of {where}", diameter_mm)
    start, end = point("tip", tip), point("tail", tail)
    length = float(np.linalg.norm(end - start))
    radius = 0.5e-3 * diameter_mm
    if not length > 2 * radius:
        raise InputError(f"expected a tail further from the tip than the diameter: {where}")
    if len(contacts) != len(contacts_mm):
        raise InputError(
            f"one label per contact: got {len(contacts)} for {len(contacts_mm)}: {where}"
        )
    axis = (end - start) / length
    edge = edge_length or radius / EDGES_ACROSS
    first, last = start + radius * axis, end - radius * axis
    bodies = []
    if encapsulation is not None:
        label, thickness_mm = encapsulation
        check_positive(f"thickness of the encapsulation of {where}", thickness_mm)
        around = Capsule(start=first, end=last, radius=radius + 1e-3 * thickness_mm)
        finer = min(edge, 1e-3 * thickness_mm / EDGES_ACROSS) if edge_length is None else edge
        bodies.append(
            Body(name=f"{name} encapsulation", label=label, shape=around, edge_length=finer)
        )
    bodies.append(
        Body(
            name=f"{name} shaft",
            label=shaft,
            shape=Capsule(start=first, end=last, radius=radius),
            edge_length=edge,
        )
    )
    for n, ((low, high), label) in enumerate(zip(contacts_mm, contacts, strict=True)):
        if not 0 <= low < high <= 1e3 * length:
            raise InputError(
                f"expected a contact between 0 and {1e3 * length:g} mm from the tip, "
                f"got {low:g} to {high:g}: {where}"
            )
        section = Cylinder(
            start=start + 1e-3 * low * axis, end=start + 1e-3 * high * axis, radius=radius
        )
        bodies.append(
            Body(
                name=f"{name} contact {n}",
                label=label,
                shape=section,
                edge_length=edge,
                only_in=(shaft,),
            )
        )
    return tuple(bodies)
