"""How arbors grow: targets drawn in a region, joined by a minimum spanning tree.

The tree balances wire and path length, the rule that reproduces dendrites and axons of many cell
types (Cuntz, Forstner, Borst & Häusser 2010, doi:10.1371/journal.pcbi.1000877); its branches are
smoothed, and diameters follow from the number of tips beyond (power law after Rall 1959).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, dist

import numpy as np

from rheobase.meshes.cortex.layers import LayerTable
from rheobase.neurons.axons import internode_length
from rheobase.neurons.constants import species_scaling
from rheobase.neurons.morphology import Floats, Ints, Kind, Skeleton

PIA_MARGIN = 15e-6  # nothing grows closer to the pia than this, no tree to the white matter (m)
_STEP = 10e-6  # spacing of the points along a branch (m)
_KINDS = {"basal": Kind.BASAL, "apical": Kind.APICAL, "axon": Kind.UNMYELINATED}


@dataclass(slots=True)
class Grower:
    """Points of a cell while its arbors are added one after the other.

    Parameters
    ----------
    layers, height
        Of the cortex, and its thickness (m).
    depth, soma
        Depth of the soma (0 pia … 1 white matter) and its diameter (m).
    sizes
        Species of the size factors.
    spread
        SD of the logarithm of target counts; widths vary by half of it.
    rng
        Draws the shape.
    """

    layers: LayerTable
    depth: float
    height: float
    sizes: str
    spread: float
    rng: np.random.Generator
    soma: float
    point: list[Floats] = field(default_factory=lambda: [np.zeros(3)])
    parent: list[int] = field(default_factory=lambda: [-1])
    arbor: list[int] = field(default_factory=lambda: [-1])
    path: list[float] = field(default_factory=lambda: [0.0])
    table: list[dict[str, str]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)

    def z(self, place: str, lateral: float, arbor: dict[str, str]) -> float:
        """Height over the soma (m) of a place in the table."""
        where, value = place.split(":")
        if where == "soma":
            height = float(value) * 1e-6 * lateral
        elif where == "white":  # internodes below the white-matter border
            fibre = float(arbor["largest_um"]) * 1e-6 * self.scale("axon_diameter")
            sheaths = float(value) * internode_length(fibre, terminal=False)
            height = (self.depth - 1.0) * self.height - sheaths
        else:
            border = self.layers.layer("L5")[0]  # stands for layer 4 in an area without one
            top, bottom = self.layers.bounds.get(where, (border, border))
            height = (self.depth - top - float(value) * (bottom - top)) * self.height
        return min(height, self.depth * self.height - PIA_MARGIN)

    def scale(self, what: str) -> float:
        """Return a size factor of the species."""
        return species_scaling(self.sizes)[what]

    def lateral(self, kind: str) -> float:
        """Return the factor of widths for a kind of arbor."""
        return self.scale("basal_length" if kind == "basal" else "lateral_length")

    def add(self, arbor: dict[str, str]) -> None:
        """Grow one row of the table."""
        index = len(self.table)
        self.table.append(arbor)
        lateral = self.lateral(arbor["kind"])
        low, high = sorted(self.z(arbor[k], lateral, arbor) for k in ("z_from", "z_to"))
        radius = float(arbor["radius_um"]) * 1e-6 * lateral
        if arbor["shape"] == "trunk":
            self._trunk(arbor, index, self.z(arbor["z_to"], lateral, arbor), radius)
            return
        targets = self._targets(arbor, low, high, radius)
        if arbor["on"] == "soma":
            base = self._stems(int(arbor["stems"]), index, targets)
        else:
            on = [i for i, r in enumerate(self.table) if r["arbor"] == arbor["on"]]
            base = [i for i, a in enumerate(self.arbor) if a in on]
            if arbor["kind"] == "axon":  # the hillock and initial segment bear no branches
                far = [i for i in base if np.linalg.norm(self.point[i]) > 60e-6]
                base = far or base
        self._span(base, targets, float(arbor["balance"]), index)

    def _targets(self, arbor: dict[str, str], low: float, high: float, radius: float) -> Floats:
        rng = self.rng
        n = max(
            3, round(int(arbor["targets"]) * float(np.exp(self.spread * rng.standard_normal())))
        )
        radius *= float(np.exp(0.5 * self.spread * rng.standard_normal()))
        roof = self.depth * self.height - PIA_MARGIN
        if arbor["shape"] == "ellipsoid":
            ball = rng.standard_normal((n, 3))
            ball *= rng.random((n, 1)) ** (1 / 3) / np.linalg.norm(ball, axis=1, keepdims=True)
            half = np.array([radius, radius, 0.5 * (high - low)])
            out = ball * half + [0.0, 0.0, 0.5 * (high + low)]
        else:
            angle = rng.uniform(0, 2 * np.pi, n)
            r = radius * np.sqrt(rng.random(n)) * rng.uniform(0.7, 1.15, n)
            heights = rng.uniform(low, high, n)
            out = np.stack([r * np.cos(angle), r * np.sin(angle), heights], axis=1)
        floor = roof - self.height + 2 * PIA_MARGIN  # as far above the white matter
        z = np.where(out[:, 2] > roof, 2 * roof - out[:, 2], out[:, 2])
        out[:, 2] = np.where(z < floor, 2 * floor - z, z)
        return np.asarray(out, dtype=np.float64)

    def _trunk(self, arbor: dict[str, str], index: int, z_to: float, wander: float) -> None:
        n = max(3, int(abs(z_to) / _STEP))
        t = np.linspace(0, 1, n + 1)[1:]
        waves = self.rng.standard_normal((4, 2)) / np.arange(1, 5)[:, None]
        side = wander * sum(
            np.sin(np.pi * (k + 1) * t)[:, None] * waves[k] for k in range(len(waves))
        )
        last = 0
        for xy, s in zip(np.asarray(side), t, strict=True):
            last = self._point(np.array([xy[0], xy[1], s * z_to]), last, index)
        if arbor["z_to"].startswith("white"):
            self.cut.append(last)

    def _stems(self, count: int, index: int, targets: Floats) -> list[int]:
        """Start ``count`` stems from the soma in directions spread over the targets."""
        unit = targets / np.linalg.norm(targets, axis=1, keepdims=True)
        chosen = [int(self.rng.integers(len(unit)))]
        for _ in range(count - 1):  # farthest direction first
            chosen.append(int(np.argmin((unit @ unit[chosen].T).max(axis=1))))
        reach = 0.5 * self.soma + 15e-6
        return [self._point(unit[i] * reach, 0, index) for i in chosen]

    def _point(self, xyz: Floats, parent: int, index: int) -> int:
        self.point.append(xyz)
        self.parent.append(parent)
        self.arbor.append(index)
        self.path.append(self.path[parent] + dist(xyz, self.point[parent]))
        return len(self.point) - 1

    def _span(self, base: list[int], targets: Floats, balance: float, index: int) -> None:
        """Join ``targets`` to the points ``base``: cost is wire plus ``balance`` times path."""
        roots = np.array([self.point[i] for i in base])
        wire = _apart(targets, roots)
        cost = wire + balance * (wire + np.array([self.path[i] for i in base])[None])
        best = cost.argmin(axis=1)
        rows_ = np.arange(len(targets))
        price, attach, reach = cost[rows_, best], np.array(base)[best], wire[rows_, best]
        start, path = roots[best], np.array([self.path[i] for i in base])[best]
        between = _apart(targets, targets)
        order, count, new = [], [], len(self.point)
        for _ in range(len(targets)):
            t = int(price.argmin())
            order.append(t)
            count.append(max(1, ceil(reach[t] / _STEP)))
            new += count[-1]
            here = path[t] + reach[t]
            offer = (1.0 + balance) * between[t] + balance * here
            better = np.isfinite(price) & (offer < price)  # of those still to be joined
            better[t] = False
            price[better], attach[better], reach[better] = (
                offer[better],
                new - 1,
                between[t][better],
            )
            start[better], path[better] = targets[t], here
            price[t] = np.inf
        self._branches(start[order], targets[order], attach[order], path[order], count, index)

    def _branches(
        self, start: Floats, end: Floats, parent: Ints, path: Floats, count: list[int], index: int
    ) -> None:
        """Lay ``count`` points along each way from ``start`` to ``end``, with a slight wander."""
        way = end - start
        length = np.linalg.norm(way, axis=1)
        bend = self.rng.standard_normal((len(way), 2, 3)) * 0.07 * length[:, None, None]
        each = np.repeat(np.arange(len(way)), count)
        head = np.cumsum([0, *count[:-1]])
        t = (np.arange(len(each)) - head[each] + 1) / np.array(count)[each]
        line = start[each] + t[:, None] * way[each]
        line += np.sin(np.pi * t)[:, None] * bend[each, 0]
        line += 0.5 * np.sin(2 * np.pi * t)[:, None] * bend[each, 1]
        line[:, 2] = np.minimum(line[:, 2], self.depth * self.height - PIA_MARGIN)
        before = np.arange(len(each)) + len(self.point) - 1
        before[head] = parent
        self.path.extend((path[each] + t * length[each]).tolist())
        self.point.extend(line)
        self.parent.extend(before.tolist())
        self.arbor.extend([index] * len(each))

    def skeleton(self) -> Skeleton:
        """Smooth the branches, give diameters, and return the cell."""
        parent = np.array(self.parent)
        xyz = _smooth(np.array(self.point), parent)
        arbor = np.array(self.arbor)
        tips = np.zeros(len(parent))
        has_child = np.zeros(len(parent), dtype=bool)
        has_child[parent[1:]] = True
        tips[~has_child] = 1
        for i in range(len(parent) - 1, 0, -1):
            tips[parent[i]] += tips[i]
        diameter = np.full(len(parent), self.soma)
        kind = np.full(len(parent), int(Kind.SOMA))
        for k, row in enumerate(self.table):
            of = arbor == k
            growth = tips[of] ** (1.0 / float(row["power"]))
            d = np.minimum(float(row["tip_diameter_um"]) * growth, float(row["largest_um"]))
            diameter[of] = d * 1e-6 * self.scale(f"{row['kind']}_diameter")
            kind[of] = int(_KINDS[row["kind"]])
        for i in range(1, len(parent)):  # a daughter is never thicker than its mother
            if parent[i] > 0:
                diameter[i] = min(diameter[i], diameter[parent[i]])
        cut = np.zeros(len(parent), dtype=bool)
        cut[self.cut] = True
        return Skeleton(
            position=xyz,
            diameter=diameter,
            parent=parent.astype(np.int32),
            kind=kind.astype(np.int8),
            cut=cut,
        )


def _apart(a: Floats, b: Floats) -> Floats:
    """Return the distances between two sets of points, shape (len(a), len(b))."""
    return np.asarray(np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)))


def _smooth(xyz: Floats, parent: np.ndarray, sweeps: int = 12) -> Floats:
    """Round the kinks: points with one child move towards the mean of their neighbours."""
    count = np.bincount(parent[1:], minlength=len(parent))
    child = np.zeros(len(parent), dtype=np.int64)
    child[parent[1:]] = np.arange(1, len(parent))
    inner = np.flatnonzero((count == 1) & (parent > 0))
    out = xyz.copy()
    for _ in range(sweeps):
        out[inner] = 0.5 * out[inner] + 0.25 * (out[parent[inner]] + out[child[inner]])
    return out
