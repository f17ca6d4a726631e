"""The shape of a human outer ear: a curved sheet of cartilage and the skin around it.

A right ear. The sheet is a cloud of points with normals: the auricle as a height over the side of
the head (a slope that rises backwards, the bowl of the concha with the crus of the helix across it,
the antihelix), its rim curled to the helix, the plate of the tragus and the tube of the ear canal.
Skin, and behind the cartilage a subcutis, cover it; a lobe of fat and a block of the head join in.
Local axes: x out of the head, u forwards and v upwards along the ear; the ear leans backwards by
its inclination. Sizes, their sources and how sure they are: ``data/ear.csv``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Sites of electrodes, and the names of the two places on the skin at each.
SITES = ("cymba_concha", "cavum_concha", "tragus", "lobe")
EAR_SITES = tuple(name + end for name in SITES for end in ("", "_return"))
#: Box around the ear and the head under it (m): x, y, z.
LOW, HIGH = np.array([-20e-3, -34e-3, -44e-3]), np.array([24e-3, 30e-3, 42e-3])
_STEP = 0.16e-3  # m between the points of the sheet, in u and v
_BLEND = 1e-3  # m over which solids that meet are rounded off
_NEAR = 5e-3  # m from the sheet beyond which nobody asks how far


@cache
def ear_sizes() -> tuple[dict[str, float], tuple[dict[str, str], ...]]:
    """Return the sizes (m; degrees as they are) and the rows of ``data/ear.csv``."""
    text = files("rheobase.meshes").joinpath("data/ear.csv").read_text("utf-8")
    rows = tuple(csv.DictReader(text.splitlines()))
    scale = {"mm": 1e-3, "degree": 1.0}
    return {r["quantity"]: float(r["value"]) * scale[r["unit"]] for r in rows}, rows


def _step(x: Floats) -> Floats:
    """Return 0 below 0, 1 above 1, and a smooth way between."""
    t = np.clip(x, 0.0, 1.0)
    out: Floats = t * t * (3.0 - 2.0 * t)
    return out


def _joined(a: Floats, b: Floats) -> Floats:
    """Return the larger of two solids' depths, rounded off where they meet."""
    h = np.maximum(_BLEND - np.abs(a - b), 0.0) / _BLEND
    out: Floats = np.maximum(a, b) + 0.25 * _BLEND * h * h
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class EarShape:
    """A right ear as a sheet of cartilage with what covers it.

    Parameters
    ----------
    sizes
        Sizes (m) by the names in ``data/ear.csv``.
    """

    sizes: dict[str, float]

    @cached_property
    def axes(self) -> Floats:
        """Return the local axes x, u, v in the world, shape (3, 3), a row each."""
        t = np.deg2rad(self.sizes["inclination"])
        return np.array([[1, 0, 0], [0, np.cos(t), np.sin(t)], [0, -np.sin(t), np.cos(t)]])

    @property
    def front(self) -> float:
        """Distance from the middle of the sheet to the skin in front of it (m)."""
        return 0.5 * self.sizes["cartilage thickness"] + self.sizes["skin thickness"]

    @property
    def back(self) -> float:
        """Distance from the middle of the sheet to the skin behind it (m)."""
        return self.front + self.sizes["subcutis thickness"]

    @property
    def far(self) -> float:
        """Distance (m) from the sheet beyond which none is told."""
        return _NEAR

    @property
    def canal(self) -> tuple[float, float]:
        """Place of the canal's axis (m): u and v."""
        return 5.0e-3, -4.0e-3

    @property
    def lobe(self) -> tuple[float, float]:
        """Middle of the lobe (m): u and v."""
        return -1.5e-3, -0.5 * self.sizes["pinna height"] + 0.6 * self.sizes["lobe height"]

    @property
    def lobe_normal(self) -> Floats:
        """Normal to the front of the lobe, shape (3,): it lies in the slope of the auricle."""
        rise = (self.sizes["protrusion"] - self.front + 1.5e-3) / self.sizes["pinna width"]
        normal: Floats = np.array([1.0, rise, 0.0]) / np.hypot(1.0, rise) @ self.axes
        return normal

    @property
    def concha(self) -> tuple[float, float, float, float]:
        """Middle (u, v) and half sizes (m) of the concha."""
        s = self.sizes
        high = 0.5 * (s["cavum concha height"] + s["cymba concha height"])
        low = self.canal[1] - 0.45 * s["cavum concha height"]
        return 3.0e-3, low + high, 0.5 * s["concha width"], high

    @property
    def crus(self) -> float:
        """Height v of the crus of the helix, below which the cavum lies (m)."""
        _, v, _, high = self.concha
        return v + high - self.sizes["cymba concha height"]

    def height(self, u: Floats, v: Floats) -> Floats:
        """Return x of the middle of the auricle's cartilage (m)."""
        s = self.sizes
        half = 0.5 * s["pinna width"]
        high = s["protrusion"] - self.front
        slope = -1.5e-3 + (high + 1.5e-3) * (half - u) / (2 * half)
        cu, cv, a, b = self.concha
        r = np.hypot((u - cu) / a, (v - cv) / b)
        inside = 1.0 - _step((r - 0.45) / 0.7)
        floor = high * (half - (cu - a)) / (2 * half) - s["concha depth"]
        ridge = s["antihelix height"] * np.exp(-(((r - 1.3) / 0.22) ** 2))
        ridge = ridge * _step((cu + 0.3 * a - u) / a) * _step((v + 14e-3) / 6e-3)
        crus = s["crus height"] * np.exp(-(((v - self.crus) / 1.5e-3) ** 2))
        crus = crus * _step((u - cu + 0.6 * a) / (0.8 * a)) * inside
        out: Floats = slope * (1 - inside) + floor * inside + ridge + crus
        return out

    def rim(self, v: Floats) -> Floats:
        """Return the half width (m) of the sheet at height v, its curl left out."""
        s = self.sizes
        out = s["helix radius"] + self.back
        high, half = 0.5 * s["pinna height"] - out, 0.5 * s["pinna width"] - out
        egg = 1.0 + 0.15 * v / high
        width: Floats = half * egg * np.sqrt(np.maximum(1.0 - (v / high) ** 2, 0.0))
        return width

    def on_sheet(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Return points of the auricle's sheet (m) and its normals in front, shape (n, 3) each."""
        e = 1e-5
        gu = (self.height(u + e, v) - self.height(u - e, v)) / (2 * e)
        gv = (self.height(u, v + e) - self.height(u, v - e)) / (2 * e)
        normal = np.stack([np.ones_like(u), -gu, -gv], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return np.stack([self.height(u, v), u, v], axis=1) @ self.axes, normal @ self.axes

    def under_skin(self, u: Floats, v: Floats, depth: float | Floats) -> Floats:
        """Return points ``depth`` (m) under the skin in front of the auricle, shape (n, 3)."""
        point, normal = self.on_sheet(np.asarray(u), np.asarray(v))
        out: Floats = point + (self.front - np.asarray(depth))[..., None] * normal
        return out

    def in_canal(self, angle: Floats, x: Floats, depth: float) -> Floats:
        """Return points ``depth`` (m) under the skin of the canal, at an angle from u to v."""
        r = 0.5 * self.sizes["canal diameter"] + depth
        u, v = self.canal[0] + r * np.cos(angle), self.canal[1] + r * np.sin(angle)
        out: Floats = np.stack([x, u, v], axis=1) @ self.axes
        return out

    def on_tragus(self, along: Floats, up: Floats) -> tuple[Floats, Floats]:
        """Return points of the tragus's plate (m) and its normals towards the canal.

        Parameters
        ----------
        along
            Place along its root, -1 (low) to 1 (high), shape (n,).
        up
            Height over the height of its crest there, 0 to 1, shape (n,).
        """
        s = self.sizes
        crest = s["tragus height"] * (1.0 - along**2)
        rise = up * crest
        root = self.canal[0] + 0.5 * s["canal diameter"] + self.front
        u = root + 0.5e-3 - 0.3 * rise
        v = self.canal[1] + 0.5 * s["tragus length"] * along
        point = np.stack([rise + self.height(u, v) * (1 - up), u, v], axis=1)
        normal = np.broadcast_to(np.array([-0.3, -1.0, 0.0]) / np.hypot(0.3, 1.0), point.shape)
        return point @ self.axes, normal @ self.axes

    @cached_property
    def sheet(self) -> tuple[Floats, Floats, Any]:
        """Points of the cartilage's middle (m), normals to its front, and their tree."""
        from scipy.spatial import cKDTree

        s = self.sizes
        parts = [self._auricle(), self._helix(), self._canal()]
        along, up = np.meshgrid(np.linspace(-1, 1, 121), np.linspace(0, 1, 81), indexing="ij")
        parts.append(self.on_tragus(along.ravel(), up.ravel()))
        point, normal = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
        keep = (point @ self.axes.T)[:, 2] > -0.5 * s["pinna height"] + s["lobe height"]
        return point[keep], normal[keep], cKDTree(point[keep])

    def _auricle(self) -> tuple[Floats, Floats]:
        """Return the auricle without its curl and without the opening of the canal."""
        s = self.sizes
        grid = np.arange(-0.5 * s["pinna height"], 0.5 * s["pinna height"], _STEP)
        u, v = (a.ravel() for a in np.meshgrid(grid, grid, indexing="ij"))
        opening = np.hypot(u - self.canal[0], v - self.canal[1])
        keep = (np.abs(u) <= self.rim(v)) & (opening > 0.5 * s["canal diameter"] + self.front)
        return self.on_sheet(u[keep], v[keep])

    def _helix(self) -> tuple[Floats, Floats]:
        """Return the curled rim, from the front over the top to the lobe."""
        s = self.sizes
        high = 0.5 * s["pinna height"] - s["helix radius"] - self.back
        t = np.linspace(np.deg2rad(-5), np.deg2rad(215), 1200)
        v = high * np.sin(t)
        u = np.sign(np.cos(t)) * self.rim(v)
        P = np.stack([self.height(u, v), u, v], axis=1)
        way = np.gradient(P[:, 1:], axis=0)
        out = np.stack([0 * u, way[:, 1], -way[:, 0]], axis=1)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        phi = np.linspace(0.0, np.deg2rad(200), 60)[:, None, None]
        x = np.array([1.0, 0.0, 0.0])
        inwards = np.cos(phi) * x - np.sin(phi) * out
        point = P + s["helix radius"] * (x - inwards)
        return point.reshape(-1, 3) @ self.axes, inwards.reshape(-1, 3) @ self.axes

    def _canal(self) -> tuple[Floats, Floats]:
        """Return the tube of cartilage around the outer part of the canal."""
        s = self.sizes
        u, v = self.canal
        r = 0.5 * s["canal diameter"] + self.front
        end = float(self.height(np.array([u]), np.array([v]))[0])
        angle, x = (
            a.ravel()
            for a in np.meshgrid(
                np.linspace(0, 2 * np.pi, 300, endpoint=False),
                np.arange(end - s["canal cartilage"], end, 2 * _STEP),
                indexing="ij",
            )
        )
        way = np.stack([0 * angle, np.cos(angle), np.sin(angle)], axis=1)
        point = r * way + np.stack([x, u + 0 * x, v + 0 * x], axis=1)
        return point @ self.axes, -way @ self.axes

    def beside_sheet(self, points: Floats) -> tuple[Floats, Floats]:
        """Return the distance (m) from the sheet, and whether in front (1) or behind (-1) it."""
        point, normal, tree = self.sheet
        distance, k = tree.query(points, distance_upper_bound=_NEAR)
        near = np.flatnonzero(k < len(point))
        k = k[near]
        side = np.zeros(len(points))
        side[near] = ((points[near] - point[k]) * normal[k]).sum(axis=1)
        side[near] /= np.maximum(distance[near], 1e-9)
        return np.minimum(distance, _NEAR), side

    def solid(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Return how deep points (m) lie in ear and head, and where they are by the sheet.

        Returns
        -------
        depth
            About (m), < 0 in the air, shape (n,).
        distance
            From the sheet, `far` at most (m), shape (n,).
        ahead
            Way in front of it, < 0 behind (m), shape (n,).
        """
        s = self.sizes
        local = points @ self.axes.T
        distance, side = self.beside_sheet(points)
        cover = 0.5 * (self.front + self.back) + 0.5 * (self.front - self.back) * side
        u, v = self.canal
        bore = np.hypot(local[:, 1] - u, local[:, 2] - v) - 0.5 * s["canal diameter"]
        bore = np.maximum(bore, -s["canal depth"] - local[:, 0])
        head = np.minimum(-local[:, 0], bore)
        depth = _joined(_joined(cover - distance, self._lobe(local)), head)
        return depth, distance, side * distance

    def _lobe(self, local: Floats) -> Floats:
        """Return how deep points lie in the lobe (m)."""
        s = self.sizes
        u, v = self.lobe
        middle = np.array([float(self.height(np.array([u]), np.array([v]))[0]), u, v])
        c, d, _ = self.axes @ self.lobe_normal
        turned = (local - middle) @ np.array([[c, -d, 0], [d, c, 0], [0, 0, 1]])
        semi = np.array([0.5 * s["lobe thickness"], 0.5 * s["lobe width"], 0.6 * s["lobe height"]])
        k = np.linalg.norm(turned / semi, axis=1)  # the distance, to first order at the surface
        out: Floats = k * (1.0 - k) / np.maximum(np.linalg.norm(turned / semi**2, axis=1), 1e-9)
        return out


@cache
def ear_shape() -> EarShape:
    """Return the ear of ``data/ear.csv``."""
    return EarShape(sizes=ear_sizes()[0])
