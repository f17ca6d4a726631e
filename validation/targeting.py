"""Targeting with coils: fast fields at random poses against full solutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.windings import coil
from rheobase.fields.induction import solve_induction
from rheobase.fields.optimisation.target import region_target
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting.poses import lifted, tangential_poses
from rheobase.fields.targeting.reciprocity import Reciprocity, reciprocity
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.case import Row
from rheobase.validation.leadfield import ball

POSES = 50
COILS = ("magstim-70mm-figure8", "magventure-mc-b70")
AT_ONCE = 10  # full solutions in memory


def random_poses(
    seen: Reciprocity, tool: Coil, count: int, *, lowest: float, seed: int
) -> NDArray[np.float64]:
    """Return poses of a coil at random places of the scalp above a height (m), (count, 4, 4).

    The handle points anywhere, and the casing is 0 to 10 mm off the scalp.
    """
    rng = np.random.default_rng(seed)
    scalp: Scalp = seen.scalp
    at = np.flatnonzero(scalp.centroids[:, 2] > lowest)
    area = np.linalg.norm(scalp.normals[at], axis=1)
    places = scalp.centroids[rng.choice(at, count, p=area / area.sum())]
    poses = np.stack(
        [
            tangential_poses(scalp, place[None], [angle], gap)[0, 0]
            for place, angle, gap in zip(
                places, rng.uniform(0, 360, count), rng.uniform(0, 10, count), strict=True
            )
        ]
    )
    return lifted(tool, seen.distance, poses)[0]


def reciprocity_map(edge: float = 5e-3) -> list[Row]:
    """Compare mean fields in a target at random poses by reciprocity and by full solutions."""
    head = ball(edge)
    conductor = Conductor(head)
    target = region_target(head, ball_region((-0.035, 0.01, 0.06), 0.010))
    seen = reciprocity(conductor, target)
    rows = []
    for k, name in enumerate(COILS):
        tool = coil(name)
        poses = random_poses(seen, tool, POSES, lowest=-0.02, seed=k)
        fast = seen.at(tool, poses)
        full = mean_fields(conductor, tool, poses, target.nodes, target.weighting)
        error = np.linalg.norm(fast - full, axis=1) / np.linalg.norm(full, axis=1)
        rows.append(
            Row(
                case="reciprocity-map",
                quantity=(
                    f"mean field in a target of 10 mm radius, {name}, worst of {POSES} random "
                    f"poses ({len(head.mesh.tets) / 1e6:.2f} M tetrahedra), relative"
                ),
                value=float(error.max()),
                reference=0.0,
                error=float(error.max()),
                limit=0.005,
                unit="1",
                source="a full solution for each pose (reciprocity)",
            )
        )
    return rows


def mean_fields(
    conductor: Conductor,
    tool: Coil,
    poses: NDArray[np.float64],
    nodes: NDArray[np.int64],
    weighting: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return functionals of full solutions at each pose, shape (n, r)."""
    out = []
    for first in range(0, len(poses), AT_ONCE):
        coils = [
            replace(tool.moved(pose), name=str(n))
            for n, pose in enumerate(poses[first : first + AT_ONCE])
        ]
        E = solve_induction(conductor, coils).E[:, nodes]
        out.append(np.einsum("rmj,kmj->kr", weighting, E))
    return np.concatenate(out)
