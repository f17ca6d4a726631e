"""Conduction against closed forms: point source, disk on a half-space."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.electrodes.electrode import Electrode, Layer
from rheobase.fields.electrodes.pads import lay, pad_contacts, pad_load
from rheobase.fields.solver import Conductor
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.placing.scalp import Scalp
from rheobase.validation.case import Row


def infinite_point_source(edge: float = 3e-3) -> list[Row]:
    """Feed current into the centre of a sphere and draw it off evenly: V = I/(4 pi sigma r)."""
    radius, sigma, current = 0.08, 0.33, 1e-3
    c = Conductor(mesh_spheres((radius,), (2,), edge), {2: sigma})
    nodes = c.mesh.nodes
    r = np.linalg.norm(nodes, axis=1)
    b = boundary_load(c.mesh, lambda p, n: np.ones(len(p)))
    b *= -current / b.sum()
    centre = int(r.argmin())
    b[centre] += current
    V = c.solve(b)[0][0]
    shell = (r > 0.02) & (r < 0.078)
    near = np.linalg.norm(nodes - nodes[centre], axis=1)[shell]
    exact = current / (4 * np.pi * sigma * near)
    found = V[shell] - (V[shell] - exact).mean()
    error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    inner = (r > 0.0185) & (r < 0.0215)
    outer = r > radius * (1 - 1e-9)
    drop = float(V[inner].mean() - V[outer].mean())
    reference = float(
        current / (4 * np.pi * sigma) * ((1 / r[inner]).mean() - (1 / r[outer]).mean())
    )
    mesh = f"{len(c.mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"

    def row(quantity: str, value: float, ref: float, error: float, unit: str) -> Row:
        return Row(
            case="infinite-point-source",
            quantity=f"{quantity} ({mesh})",
            value=value,
            reference=ref,
            error=error,
            limit=0.01,
            unit=unit,
            source="Coulomb: V = I/(4 pi sigma r)",
        )

    return [
        row("V from 20 to 78 mm, relative L2", error, 0.0, error, "1"),
        row("V at 20 mm above that at 80 mm", drop, reference, abs(drop / reference - 1), "V"),
    ]


def disk_potential(
    r: NDArray[np.float64], z: NDArray[np.float64], a: float, sigma: float
) -> NDArray[np.float64]:
    """Return V (V) per ampere at radius r and depth z (m) of a disk of radius a on a half-space."""
    s = np.hypot(r - a, z) + np.hypot(r + a, z)
    V: NDArray[np.float64] = np.arcsin(np.minimum(2 * a / s, 1.0)) / (2 * np.pi * sigma * a)
    return V


def disk_half_space() -> list[Row]:
    """Equipotential disk on an insulating surface: access resistance and potentials below."""
    a, sigma, far, n = 1e-3, 0.3, 0.008, 8
    mesh = half_space(a, far, n)
    c = Conductor(mesh, {1: sigma})
    metal = Layer(name="metal", sigma=1e4, thickness_mm=1.0)  # 1e7 S/m²: 3e4 times sigma/a
    inscribed = 1e3 * a * np.cos(np.pi / (8 * n))  # the circle of edges has 8 n sides
    electrode = Electrode(
        name="disk", centre=np.zeros(3), shape=Disc(radius_mm=inscribed), layers=(metal,)
    )
    pad = lay(electrode, Scalp(mesh))

    # The exact flux leaves through the other faces, so the edge of the box is not felt.
    def flux(p: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(len(p))
        below = p[:, 2] < -1e-9
        out[below] = -sigma * (disk_field(p[below], a, sigma) * n[below]).sum(1)
        return out

    b = boundary_load(mesh, flux)
    b *= -1.0 / b.sum()
    b += pad_load(c, [pad], np.ones(1))
    V = c.solve(b, contacts=pad_contacts([pad]))[0][0]
    U = pad.voltage(V[pad.nodes], 1.0)
    rim = np.abs(mesh.nodes).max(axis=1) > far * (1 - 1e-9)
    rim &= mesh.nodes[:, 2] < -far / 2
    flat = np.hypot(mesh.nodes[:, 0], mesh.nodes[:, 1])
    exact = disk_potential(flat, -mesh.nodes[:, 2], a, sigma)
    shift = float((exact - V)[rim].mean())
    note = f"{len(mesh.tets) / 1e6:.2f} M tetrahedra"

    def row(quantity: str, value: float, reference: float) -> Row:
        return Row(
            case="disk-half-space",
            quantity=f"{quantity} ({note})",
            value=value,
            reference=reference,
            error=abs(value / reference - 1),
            limit=0.02,
            unit="ohm",
            source="Newman 1966",
        )

    locator = Locator(mesh)
    rows = [row("access resistance 1/(4 sigma a)", U + shift, 1 / (4 * sigma * a))]
    for x, z in ((0.0, 1.0), (1.5, 0.5), (2.0, 0.0)):
        p = 1e-3 * np.array([x, 0.0, -z])
        tet, weight = locator.locate(p[None])
        value = float(weight[0] @ V[mesh.tets[tet[0]]]) + shift
        reference = disk_potential(np.array([p[0]]), np.array([-p[2]]), a, sigma)[0]
        rows.append(row(f"V per ampere at r {x:g} mm, z {z:g} mm", value, float(reference)))
    return rows


def disk_field(p: NDArray[np.float64], a: float, sigma: float) -> NDArray[np.float64]:
    """Return E (V/m) per ampere at points (n, 3) below a disk in the plane z = 0, shape (n, 3)."""
    r, z = np.hypot(p[:, 0], p[:, 1]), -p[:, 2]
    s1, s2 = np.hypot(r - a, z), np.hypot(r + a, z)
    u = 2 * a / (s1 + s2)
    slope = -u / (s1 + s2) / np.sqrt(1 - u**2) / (2 * np.pi * sigma * a)
    dr = slope * ((r - a) / s1 + (r + a) / s2)
    dz = slope * (z / s1 + z / s2)
    outwards = p[:, :2] / np.maximum(r, 1e-300)[:, None]
    return np.column_stack([-dr[:, None] * outwards, dz])


def boundary_load(
    mesh: TetMesh,
    flux: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return ∫ flux phi_i over the surface (A), shape (n_nodes,); exact for a linear flux.

    ``flux`` gives the current density into the body (A/m²) at points (n, 3) with outward unit
    normals (n, 3).
    """
    triangles = mesh.boundary()
    corner = mesh.nodes[triangles]
    area = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    size = np.linalg.norm(area, axis=1)
    normal = area / size[:, None]
    b = np.zeros(len(mesh.nodes))
    for k in range(3):  # the rule with the three points 2/3, 1/6, 1/6
        weight = np.full(3, 1 / 6)
        weight[k] = 2 / 3
        f = flux(np.einsum("c,tcd->td", weight, corner), normal) * size / 3
        for a in range(3):
            np.add.at(b, triangles[:, a], weight[a] * f)
    return b


def half_space(a: float, far: float, n: int, growth: float = 1.25) -> TetMesh:
    """Return a block below z = 0 whose top carries a circle of edges of radius ``a``.

    A lattice is graded towards the circle, where the flux of a disk is singular: rings of squares,
    spaced quadratically inside and geometrically outside, are bent into circles that return to
    squares at the far faces. Every cube is cut into six along its diagonal away from the axis.

    Parameters
    ----------
    a
        Radius (m).
    far
        Half the width, and the depth (m).
    n
        Rings inside the circle; the smallest spacing is a/n².
    growth
        Ratio of neighbouring spacings outside.
    """
    t = np.arange(n + 1) / n
    inside = a * (1 - (1 - t) ** 2)
    steps = a / n**2 * growth ** np.arange(200)
    reach = np.cumsum(steps)
    outside = reach[reach < far - a]
    levels = np.concatenate([inside, a + outside * ((far - a) / outside[-1])])
    depth = np.concatenate([[0.0], reach[reach < far]])
    depth *= far / depth[-1]
    line = np.concatenate([-levels[:0:-1], levels])
    u, v, z = np.meshgrid(line, line, -depth, indexing="ij")
    ring = np.maximum(np.abs(u), np.abs(v))
    ratio = np.divide(np.minimum(np.abs(u), np.abs(v)), ring, out=np.zeros_like(u), where=ring > 0)
    angle = np.pi / 4 * ratio
    flat = np.abs(u) < np.abs(v)
    x = np.sign(u) * np.where(flat, np.sin(angle), np.cos(angle)) * ring
    y = np.sign(v) * np.where(flat, np.cos(angle), np.sin(angle)) * ring
    square = np.clip((ring - 2 * a) / (far - 2 * a), 0, 1)
    nodes = np.stack([x + square * (u - x), y + square * (v - y), z], axis=-1)
    number = np.arange(u.size).reshape(u.shape)
    m = len(levels)
    tets = []
    for sx, sy in itertools.product((1, -1), repeat=2):
        part = number[m - 1 :] if sx > 0 else number[m - 1 :: -1]
        part = part[:, m - 1 :] if sy > 0 else part[:, m - 1 :: -1]
        i, j, k = (s - 1 for s in part.shape)
        for order in itertools.permutations(range(3)):
            corners = np.concatenate(
                [[np.zeros(3, int)], np.cumsum(np.eye(3, dtype=int)[list(order)], 0)]
            )
            tet = np.stack(
                [part[p : p + i, q : q + j, r : r + k].ravel() for p, q, r in corners], 1
            )
            turned = np.linalg.det(np.eye(3)[list(order)]) * sx * sy > 0  # z falls along its index
            tets.append(tet[:, [0, 2, 1, 3]] if turned else tet)
    tetrahedra = np.concatenate(tets).astype(np.int32)
    return TetMesh(
        nodes=nodes.reshape(-1, 3),
        tets=tetrahedra,
        labels=np.ones(len(tetrahedra), dtype=np.int32),
    )
