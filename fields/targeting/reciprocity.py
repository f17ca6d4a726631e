"""The field of a coil in a region, for every position and angle, from a few solutions.

A functional of the field in the region (`rheobase.fields.optimisation.target`) becomes currents at
the nodes (`rheobase.fields.targeting.adjoint`) and these a vector field outside the head
(`rheobase.fields.targeting.exterior`). A pose then costs a sum over the coil's elements, of which
`rheobase.fields.targeting.equivalent` leaves a few hundred.

References: Heller & van Hulsteyn, Biophys J 63:129 (1992), doi:10.1016/S0006-3495(92)81587-4;
Gomez, Dannhauer & Peterchev, NeuroImage 228:117696 (2021), doi:10.1016/j.neuroimage.2020.117696.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import DISTANCE_MM, stand
from rheobase.fields.optimisation.target import Functional
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting.adjoint import adjoint_currents
from rheobase.fields.targeting.distance import ScalpDistance
from rheobase.fields.targeting.equivalent import equivalent
from rheobase.fields.targeting.exterior import ExteriorField, exterior_field
from rheobase.fields.targeting.poses import lifted, scalp_positions, tangential_poses
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp

REACH = 0.10  # of coils beyond the head (m)
RADIUS = 0.06  # of a map around the scalp over the target (m)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reciprocity:
    """A target as coils outside the head see it.

    Parameters
    ----------
    name
        Of the target.
    centre
        Its middle (m), shape (3,).
    scalp, distance
        The scalp, and the distance from it on a grid.
    exterior
        The vector field of the r functionals outside the head.
    """

    name: str
    centre: NDArray[np.float64]
    scalp: Scalp
    distance: ScalpDistance
    exterior: ExteriorField

    def at(self, coil: Coil, poses: ArrayLike) -> NDArray[np.float64]:
        """Return the functionals of a coil's field at poses.

        Parameters
        ----------
        coil
            The coil in its own frame; line elements and dipoles.
        poses
            From there to the head (m), shape (n, 4, 4).

        Returns
        -------
        ndarray, shape (n, r)
            At dI/dt = 1 A/s: for a target without direction the mean field (V/m).

        Raises
        ------
        InputError
            If the coil has a sampled field, or lies far from the head.
        """
        few, _ = equivalent(coil)
        return self.exterior.of_poses(few, np.asarray(poses, dtype=np.float64).reshape(-1, 4, 4))

    def map(
        self,
        coil: Coil,
        *,
        positions: ArrayLike | None = None,
        radius: float = RADIUS,
        spacing: float = 0.005,
        angles_deg: ArrayLike | None = None,
        distance_mm: float = DISTANCE_MM,
    ) -> TargetingMap:
        """Return the functionals at every position and angle of a coil on the scalp.

        Parameters
        ----------
        coil
            The coil in its own frame; line elements and dipoles.
        positions
            Points of the scalp (m), shape (p, 3); all within ``radius`` if None.
        radius
            Around the scalp point nearest to the target (m).
        spacing
            Of the positions (m).
        angles_deg
            Handle angles as `rheobase.fields.coils.placing.place_coil` takes them, shape (a,);
            every 10 degrees if None.
        distance_mm
            From the scalp to the coil's face. Where the coil would still reach into the head it is
            lifted along its axis.

        Returns
        -------
        TargetingMap

        Raises
        ------
        InputError
            If there is no position, or a number makes no sense.
        """
        if not (np.isfinite(distance_mm) and distance_mm >= 0):
            raise InputError(f"distance_mm must be >= 0, got {distance_mm!r}: map of {self.name!r}")
        if not (radius > 0 and spacing > 0):
            raise InputError(
                f"radius and spacing must be > 0 m, got {radius!r} and {spacing!r}: "
                f"map of {self.name!r}"
            )
        angles = (
            np.arange(0.0, 360.0, 10.0) if angles_deg is None else np.asarray(angles_deg, float)
        )
        if positions is None:
            every = scalp_positions(self.scalp, self.distance, spacing)
            over = self.scalp.nearest(self.centre)[0]
            places = every[np.linalg.norm(every - over, axis=1) <= radius]
        else:
            places = np.atleast_2d(np.asarray(positions, dtype=np.float64))
        if not len(places) or not angles.size or not np.isfinite(angles).all():
            raise InputError(
                f"expected positions and finite angles, got {len(places)} and {angles.tolist()}: "
                f"map of {self.name!r}"
            )
        with stage("all poses"):
            flat = tangential_poses(self.scalp, places, angles, distance_mm).reshape(-1, 4, 4)
            flat, lift, clearance = lifted(coil, self.distance, flat)
            field = self.at(coil, flat)
        shape = (len(places), len(angles))
        return TargetingMap(
            target=self.name,
            coil=coil,
            scalp=self.scalp,
            positions=places,
            angles_deg=angles,
            poses=flat.reshape(*shape, 4, 4),
            lift=lift.reshape(shape),
            clearance=clearance.reshape(shape),
            field=field.reshape(*shape, -1),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetingMap:
    """What a coil does to a target at p positions and a angles.

    Parameters
    ----------
    target
        Name of the target.
    coil
        The coil in its own frame.
    scalp
        The scalp.
    positions
        Points of the scalp under the coil (m), shape (p, 3).
    angles_deg
        Handle angles, shape (a,).
    poses
        From the coil's frame to the head (m), shape (p, a, 4, 4).
    lift
        How far the coil was lifted to stay outside the head (m), shape (p, a).
    clearance
        Smallest distance (m) between casing and scalp, shape (p, a).
    field
        The functionals at dI/dt = 1 A/s, shape (p, a, r).
    """

    target: str
    coil: Coil
    scalp: Scalp
    positions: NDArray[np.float64]
    angles_deg: NDArray[np.float64]
    poses: NDArray[np.float64]
    lift: NDArray[np.float64]
    clearance: NDArray[np.float64]
    field: NDArray[np.float64]

    @property
    def values(self) -> NDArray[np.float64]:
        """What is to be large, shape (p, a): the functional, or the length of several."""
        if self.field.shape[2] == 1:
            return self.field[:, :, 0]
        size: NDArray[np.float64] = np.linalg.norm(self.field, axis=2)
        return size

    @property
    def best(self) -> tuple[int, int]:
        """Position and angle where the value is largest."""
        i, j = np.unravel_index(int(self.values.argmax()), self.values.shape)
        return int(i), int(j)

    @property
    def best_pose(self) -> NDArray[np.float64]:
        """The pose (m) where the value is largest, shape (4, 4)."""
        pose: NDArray[np.float64] = self.poses[self.best]
        return pose

    def placed(self) -> Coil:
        """Return the coil at the best pose, its place outside the head checked on the triangles."""
        return stand(self.coil, self.scalp, self.best_pose, contact="lift")


def reciprocity(
    head: Head | Conductor, functional: Functional, *, reach: float = REACH
) -> Reciprocity:
    """Prepare the map of a target: two solutions a functional, whatever coils follow.

    Parameters
    ----------
    head
        The head, or a conductor made from one (which saves its set-up).
    functional
        A target (`rheobase.fields.optimisation.target`) or any functional of the field.
    reach
        How far coils may extend beyond the head (m).

    Returns
    -------
    Reciprocity

    Raises
    ------
    InputError
        If the functional is of another mesh, or its weights are all 0.
    """
    if not 0 < reach < 1:
        raise InputError(f"expected 0 < reach < 1 m, got {reach!r}: target {functional.name!r}")
    conductor = head if isinstance(head, Conductor) else Conductor(head)
    mesh, split = conductor.mesh, conductor.split
    nodes, weighting = functional.nodes, functional.weighting
    if nodes.max() >= len(split.node):
        raise InputError(
            f"expected a target on this mesh of {len(split.node):,} split nodes, got node "
            f"{nodes.max():,}: target {functional.name!r}"
        )
    w = np.zeros((len(weighting), len(split.node), 3))
    for row, into in zip(weighting, w, strict=True):
        np.add.at(into, nodes, row)
    a = adjoint_currents(conductor, w)
    size = np.linalg.norm(weighting, axis=2).sum(axis=0)
    scalp = Scalp(mesh)
    with stage("distance from the scalp"):
        distance = ScalpDistance.of_scalp(scalp)
    return Reciprocity(
        name=functional.name,
        centre=size @ mesh.nodes[split.node[nodes]] / size.sum(),
        scalp=scalp,
        distance=distance,
        exterior=exterior_field(mesh.nodes, a, distance, reach=reach),
    )
