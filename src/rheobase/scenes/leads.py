"""Layers of leads in the brain: shafts, contacts, activated volumes, regions, fibres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.dbs_views import contact_colour
from rheobase.scenes.device import RED, lines_layer, patch_layer
from rheobase.scenes.head import compact
from rheobase.scenes.scene import Layer

if TYPE_CHECKING:
    from rheobase.fields.dbs.volumes.activated import Activated
    from rheobase.fields.dbs.volumes.zones import Zone
    from rheobase.meshes.head import Head
    from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]

SHAFT, GREEN = "#404040", "#009e73"
AROUND, ALONG = 32, 8  # facets of a lead
PIECES = 32  # along the longest side of a zone or a volume
FIBRES = 40  # of a pathway that are drawn
VIEW = (0.0, 0.93, 0.36)  # from the front, a little from above


def deep_layers(
    head: Head,
    volumes: Sequence[Activated],
    zones: Sequence[Zone],
    fibres: Mapping[str, Sequence[Floats]],
) -> list[Layer]:
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
    from rheobase.views import COLOURS

    layers = [brain_layer(head)]
    nodes = head.mesh.nodes
    size = float(np.linalg.norm(nodes.max(axis=0) - nodes.min(axis=0)))
    for k, volume in enumerate(volumes, start=1):
        lead = volume.steering.response.lead
        currents = dict(zip(volume.steering.names, volume.steering.currents, strict=True))
        layers += lead_layers(lead, currents, length=0.3 * size, name=_name(lead, k, volumes))
        layers.append(
            patch_layer(
                f"activated by {_name(lead, k, volumes)}",
                volume_surface(volume),
                group="field",
                colour=RED,
                opacity=0.45,
            )
        )
    for zone in zones:
        surface = zone_surface(zone, volumes)
        layers.append(
            patch_layer(f"region {zone.name}", surface, group="head", colour=GREEN, opacity=0.35)
        )
    for colour, (name, lines) in zip(COLOURS, fibres.items(), strict=False):
        some = np.linspace(0, len(lines) - 1, min(FIBRES, len(lines))).astype(int).tolist()
        layers.append(
            lines_layer(
                f"pathway {name}",
                [lines[j] for j in some],
                group="cells",
                colour=colour,
                radius=6e-4 * size,
            )
        )
    return layers


def _name(lead: Lead, k: int, volumes: Sequence[Activated]) -> str:
    """Return the name of a lead, with its number where another is called so too."""
    names = [v.steering.response.lead.name for v in volumes]
    return lead.name if names.count(lead.name) == 1 else f"{lead.name} {k}"


def brain_layer(head: Head) -> Layer:
    """Return the translucent cortex, or the surface of a head without."""
    if head.cortex is not None:
        points, cells = head.cortex.points(0.0), head.cortex.triangles
    else:
        points, cells = compact(head.mesh.nodes, head.mesh.boundary())
    return Layer(
        name="brain surface",
        kind="surface",
        group="head",
        points=points,
        cells=cells,
        colour="#d8b8a0",
        opacity=0.18,
    )


def lead_layers(
    lead: Lead, currents: Mapping[str, float], *, length: float, name: str
) -> list[Layer]:
    """Return the shaft of a lead and its contacts, coloured by the sign of their current.

    Parameters
    ----------
    lead
        The lead.
    currents
        Current of each contact (A); contacts that are not named float.
    length
        How far the shaft reaches over the highest contact (m).
    name
        Of the layers.
    """
    top = max(c.z[1] for c in lead.model.contacts) + length
    shaft = patch_layer(f"{name} shaft", lead_surface(lead, (0.0, top), off=-1e-2), colour=SHAFT)
    contacts = [
        patch_layer(
            f"{name} contact {c.name}",
            lead_surface(lead, c.z, c.theta),
            colour=contact_colour(currents.get(c.name, 0.0)),
        )
        for c in lead.model.contacts
    ]
    return [shaft, *contacts]


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
