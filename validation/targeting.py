"""Targeting with coils: fast fields at random poses against full solutions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import stand
from rheobase.fields.coils.windings import coil
from rheobase.fields.induction import solve_induction
from rheobase.fields.optimisation.target import region_target
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting.distance import ScalpDistance
from rheobase.fields.targeting.modes_solve import RTOL, coil_modes
from rheobase.fields.targeting.poses import lifted, tangential_poses
from rheobase.fields.targeting.reciprocity import reciprocity
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.case import Row
from rheobase.validation.leadfield import ball

POSES = 50
UNSEEN = ("magstim-70mm-figure8", "deng-25mm-figure8")
COILS = ("magstim-70mm-figure8", "magventure-mc-b70")
AT_ONCE = 10  # full solutions in memory


def random_poses(
    scalp: Scalp,
    distance: ScalpDistance,
    tool: Coil,
    count: int,
    *,
    lowest: float,
    seed: int,
) -> NDArray[np.float64]:
    """Return poses of a coil at random places of the scalp above a height (m), (count, 4, 4).

    The handle points anywhere, and the casing is 0 to 10 mm off the scalp.
    """
    rng = np.random.default_rng(seed)
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
    near = lifted(tool, distance, poses)[0]
    # where the scalp is rough the grid is off by tenths of a millimetre: checked on the triangles
    return np.stack([stand(tool, scalp, pose, contact="lift").pose for pose in near])


def reciprocity_map(edge: float = 5e-3) -> list[Row]:
    """Compare mean fields in a target at random poses by reciprocity and by full solutions."""
    head = ball(edge)
    conductor = Conductor(head)
    target = region_target(head, ball_region((-0.035, 0.01, 0.06), 0.010))
    seen = reciprocity(conductor, target)
    rows = []
    for k, name in enumerate(COILS):
        tool = coil(name)
        poses = random_poses(seen.scalp, seen.distance, tool, POSES, lowest=-0.02, seed=k)
        fast = seen.at(tool, poses)
        full = np.stack(
            [
                np.einsum("rmj,mj->r", target.weighting, E[target.nodes])
                for E in full_fields(conductor, tool, poses)
            ]
        )
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


def tms_any_pose(edge: float = 8e-3) -> list[Row]:
    """Compare fields of a whole tissue at random poses by modes and by full solutions."""
    head = ball(edge)
    conductor = Conductor(head, rtol=RTOL)
    scalp = Scalp(head.mesh)
    distance = ScalpDistance.of_scalp(scalp)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        modes = coil_modes(head, Path(folder) / "modes.h5", conductor=conductor)
        for k, name in enumerate(UNSEEN):
            tool = coil(name)
            poses = random_poses(scalp, distance, tool, POSES, lowest=-0.02, seed=k)
            error, missing = np.empty(POSES), np.empty(POSES)
            for n, full in enumerate(full_fields(conductor, tool, poses)):
                E, missing[n] = modes.field(tool, poses[n])
                error[n] = np.linalg.norm(E - full[modes.kept]) / np.linalg.norm(full[modes.kept])
            rows.append(
                Row(
                    case="tms-any-pose",
                    quantity=(
                        f"E in the brain from {len(modes.singular)} modes, {name}, worst of "
                        f"{POSES} random poses ({len(head.mesh.tets) / 1e6:.2f} M tetrahedra; "
                        f"estimated {missing.max():.2g}), relative L2"
                    ),
                    value=float(error.max()),
                    reference=0.0,
                    error=float(error.max()),
                    limit=0.03,
                    unit="1",
                    source="a full solution for each pose",
                )
            )
    return rows


def full_fields(
    conductor: Conductor, tool: Coil, poses: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield the field of a full solution at each pose, shape (n_split, 3)."""
    for first in range(0, len(poses), AT_ONCE):
        coils = [
            replace(tool.moved(pose), name=str(n))
            for n, pose in enumerate(poses[first : first + AT_ONCE])
        ]
        yield from solve_induction(conductor, coils).E
