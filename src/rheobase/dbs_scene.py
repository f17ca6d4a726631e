"""Leads in the brain as a scene: shafts, contacts, activated volumes, regions, fibres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.dbs_views import contact_colour

if TYPE_CHECKING:
    from rheobase.fields.dbs.volumes.activated import Activated
    from rheobase.fields.dbs.volumes.zones import Zone
    from rheobase.meshes.head import Head
    from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]
Scene = dict[str, NDArray[Any]]

SHAFT, RED, GREEN = (0.25, 0.25, 0.25), (0.85, 0.1, 0.1), (0.0, 0.62, 0.45)
AROUND, ALONG = 32, 8  # facets of a lead
PIECES = 32  # along the longest side of a zone or a volume
FIBRES = 40  # of a pathway that are drawn
VIEW = np.array([0.0, 0.93, 0.36])  # from the front, a little from above


def deep_scene(
    head: Head,
    volumes: Sequence[Activated],
    zones: Sequence[Zone],
    fibres: Mapping[str, Sequence[Floats]],
) -> Scene:
    """Return leads with what they activate, in a translucent brain.

    Parameters
    ----------
    head
        The head.
    volumes
        What every lead activates.
    zones
        Regions.
    fibres
        Lines (m), shape (n, 3) each, by name of the pathway.
    """
    from matplotlib.colors import to_rgb

    from rheobase.views import COLOURS

    scene: Scene = {"view": VIEW / np.linalg.norm(VIEW), "title": np.array("")}
    if head.cortex is not None:
        scene["shell_points"] = head.cortex.points(0.0)
        scene["shell_triangles"] = head.cortex.triangles
    else:
        scene["shell_points"], scene["shell_triangles"] = head.mesh.nodes, head.mesh.boundary()
    nodes = head.mesh.nodes
    size = float(np.linalg.norm(nodes.max(axis=0) - nodes.min(axis=0)))
    for k, volume in enumerate(volumes):
        lead = volume.steering.response.lead
        top = max(c.z[1] for c in lead.model.contacts)
        length = top + 0.3 * size
        scene[f"patch_shaft{k}"] = lead_surface(lead, (0.0, length), off=-1e-2)
        scene[f"colour_shaft{k}"] = np.array(SHAFT)
        currents = dict(zip(volume.steering.names, volume.steering.currents, strict=True))
        for c in lead.model.contacts:
            name = f"contact{k}_{c.name}"
            scene[f"patch_{name}"] = lead_surface(lead, c.z, c.theta)
            scene[f"colour_{name}"] = np.array(to_rgb(contact_colour(currents.get(c.name, 0.0))))
        surface = volume_surface(volume)
        if len(surface):
            scene[f"patch_volume{k}"] = surface
            scene[f"colour_volume{k}"] = np.array(RED)
            scene[f"opacity_volume{k}"] = np.array(0.45)
    for k, zone in enumerate(zones):
        surface = zone_surface(zone, volumes)
        if len(surface):
            scene[f"patch_zone{k}"] = surface
            scene[f"colour_zone{k}"] = np.array(GREEN)
            scene[f"opacity_zone{k}"] = np.array(0.35)
    for colour, (name, lines) in zip(COLOURS, fibres.items(), strict=False):
        for j in np.linspace(0, len(lines) - 1, min(FIBRES, len(lines))).astype(int).tolist():
            scene[f"line_{name}_{j}"] = np.asarray(lines[j])
            scene[f"colour_{name}_{j}"] = np.array(to_rgb(colour))
            scene[f"radius_{name}_{j}"] = np.array(6e-4 * size)
    return scene


def lead_surface(
    lead: Lead,
    z: tuple[float, float],
    theta: tuple[float, float] | None = None,
    off: float = 0.0,
) -> Floats:
    """Return triangles of the surface of a lead (m), shape (n, 3, 3).

    Parameters
    ----------
    lead
        The lead.
    z, theta
        Heights (m) and angles (rad) between which they lie; all round if None.
    off
        How far off the surface they are, over the radius of the lead.
    """
    low, high = (float(x) for x in lead.model.arc_of(np.array(z)))
    s = np.linspace(low, high, ALONG + 1)
    around = np.linspace(*(theta or (0.0, 2 * np.pi)), AROUND + 1)
    height, angle = np.meshgrid(lead.model.height_of(s), around, indexing="ij")
    grid = lead.surface(height.ravel(), angle.ravel(), off=off * lead.model.radius)
    return _triangles(grid.reshape(ALONG + 1, AROUND + 1, 3))


def _triangles(grid: Floats) -> Floats:
    """Return the triangles of a curved grid of points, shape (a, b, 3)."""
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    pairs = np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)], axis=2)
    return pairs.reshape(-1, 3, 3)


def volume_surface(volume: Activated) -> Floats:
    """Return triangles of the border of an activated volume (m), shape (n, 3, 3)."""
    from rheobase.fields.dbs.volumes.voxels import on_grid
    from rheobase.fields.results.nifti import Grid

    if not volume.volume > 0:
        return np.empty((0, 3, 3))
    low = volume.sampled.lattice.points[volume.part > 0].min(axis=0)
    high = volume.sampled.lattice.points[volume.part > 0].max(axis=0)
    edge = float((high - low).max()) / PIECES
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = low - 2 * edge
    x, y, z = (int(n) for n in np.ceil((high - low) / edge) + 5)
    grid = Grid(shape=(x, y, z), affine=affine)
    return _border(on_grid(volume, grid), grid)


def zone_surface(zone: Zone, volumes: Sequence[Activated]) -> Floats:
    """Return triangles of the border of a zone near the leads (m), shape (n, 3, 3)."""
    from rheobase.fields.results.nifti import Grid

    found = [np.empty((0, 3, 3))]
    for volume in volumes:
        lattice = volume.sampled.lattice
        inside = np.asarray(zone.inside(lattice.points)) > 0.5
        if not inside.any():
            continue
        low, high = lattice.points[inside].min(axis=0), lattice.points[inside].max(axis=0)
        edge = float((high - low).max()) / PIECES
        affine = np.diag([edge, edge, edge, 1.0])
        affine[:3, 3] = low - 3 * edge
        x, y, z = (int(n) for n in np.ceil((high - low) / edge) + 7)
        grid = Grid(shape=(x, y, z), affine=affine)
        part = np.asarray(zone.inside(grid.points(0, x * y * z)), dtype=np.float64)
        found.append(_border(part.reshape(grid.shape), grid))
    return np.concatenate(found)


def _border(values: Floats, grid: Any) -> Floats:
    """Return triangles of the level 0.5 of voxels (m), shape (n, 3, 3)."""
    import pyvista as pv

    image = pv.ImageData(
        dimensions=values.shape, spacing=np.diag(grid.affine)[:3], origin=grid.affine[:3, 3]
    )
    image["part"] = values.ravel(order="F")
    surface = image.contour([0.5], scalars="part")
    if not surface.n_cells:
        return np.empty((0, 3, 3))
    corners: Floats = np.asarray(surface.points, dtype=np.float64)[
        surface.regular_faces.astype(np.int64)
    ]
    return corners
