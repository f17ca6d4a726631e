"""The body-fitted grid: layers of hexahedra around a lead, finest at the rims of its contacts.

Elements are boxes in the coordinates of `rheobase.fields.dbs.grid.chart`. A layer is a range of T
with its own breaks in s and theta; those of the next layer outwards are some of its own, so that
the fine elements at the rims do not go on to the far field. Where two layers meet, the functions of
the inner one that do not vanish on the common face are those of the outer one: the field is
continuous and no node hangs.

Functions are polynomials in (s, T, theta), of their own degree in each, through Gauss-Lobatto
points. Nodes on the axis below the tip are one for all theta.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.dbs.grid.breaks import coarser, graded
from rheobase.fields.dbs.grid.chart import Chart, lead_chart
from rheobase.fields.dbs.grid.domains import Domain
from rheobase.fields.dbs.grid.polynomials import lobatto_places
from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Degree in s, T and theta.
ORDER = (3, 4, 2)
#: Lengths in units of the lead's radius: the element at a rim, and the largest near the contacts.
FIRST, LARGEST = 0.045, 2.2
#: Growth of elements from the rims along s and theta, and from the surface along T.
RATIO, RATIO_T = 5.0, 3.0
#: Elements around the lead, and of the hemispherical end from its tip to the shaft.
AROUND, CAP = 12, 3
#: Elements of a layer are at most this much longer than it is away from the lead.
SLOPE = 2.5
#: Growth of the elements from the end of the orthogonal part to the boundary.
GROWTH = 1.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A range of T that is cut alike in s and theta; breaks of each, ascending."""

    s: Floats
    T: Floats
    theta: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """Elements along s, T and theta."""
        return len(self.s) - 1, len(self.T) - 1, len(self.theta) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadGrid:
    """Elements around a lead.

    Parameters
    ----------
    chart
        The coordinates.
    layers
        From the lead outwards.
    order
        Degree in s, T and theta.
    encapsulation
        Thickness of the layer around the lead (m), 0 without; breaks are there.
    """

    chart: Chart
    layers: tuple[Layer, ...]
    order: tuple[int, int, int] = ORDER
    encapsulation: float = 0.0

    @cached_property
    def first_element(self) -> NDArray[np.int64]:
        """First element of each layer, and the number of all, shape (n_layers + 1,)."""
        return np.cumsum([0, *(int(np.prod(layer.shape)) for layer in self.layers)])

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return int(self.first_element[-1])

    @cached_property
    def boxes(self) -> Floats:
        """Where each element begins and ends in s, T and theta, shape (n_elements, 3, 2)."""
        out = []
        for layer in self.layers:
            ends = [np.stack([x[:-1], x[1:]], axis=1) for x in (layer.s, layer.T, layer.theta)]
            i, j, k = np.indices(layer.shape).reshape(3, -1)
            out.append(np.stack([ends[0][i], ends[1][j], ends[2][k]], axis=1))
        return np.concatenate(out)

    @cached_property
    def outer_boxes(self) -> Floats:
        """Where the functions of the outer face of each element begin and end in s and theta.

        They are those of the element beyond where that is larger, shape (n_elements, 2, 2).
        """
        out = self.boxes[:, [0, 2]].copy()
        for n, (layer, beyond) in enumerate(pairwise(self.layers)):
            i, j, k = np.indices(layer.shape).reshape(3, -1)
            last = j == layer.shape[1] - 1
            rows = self.first_element[n] + np.flatnonzero(last)
            for axis, x, y, at in ((0, layer.s, beyond.s, i), (1, layer.theta, beyond.theta, k)):
                holds = _holder(x, y)[at[last]]
                out[rows, axis, 0], out[rows, axis, 1] = y[holds], y[holds + 1]
        return out

    @cached_property
    def _numbered(self) -> tuple[Ints, Floats]:
        """Node of each function of each element, and coordinates (s, T, theta) of the nodes."""
        ps, pt, pk = self.order
        numbers: list[NDArray[np.int64]] = []
        at = []
        start = 0
        for n, layer in enumerate(self.layers):
            es, et, ek = layer.shape
            last = n == len(self.layers) - 1
            shape = (es * ps + 1, et * pt + (1 if last else 0), ek * pk)
            number = start + np.arange(np.prod(shape)).reshape(shape)
            number[0] = number[0, :, :1]  # the axis below the tip
            numbers.append(number)
            start += number.size
            axes = [
                lobatto_places(layer.s, ps),
                lobatto_places(layer.T, pt)[: shape[1]],
                lobatto_places(layer.theta, pk)[:-1],
            ]
            at.append(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))
        out = []
        for n, layer in enumerate(self.layers):
            es, et, ek = layer.shape
            own = numbers[n]
            i, j, k = np.indices(layer.shape).reshape(3, -1)
            a, b, c = np.indices((ps + 1, pt + 1, pk + 1)).reshape(3, -1)
            J = (j * pt)[:, None] + b
            beyond = own.shape[1] <= J
            conn = own[
                (i * ps)[:, None] + a,
                np.minimum(J, own.shape[1] - 1),
                ((k * pk)[:, None] + c) % own.shape[2],
            ]
            if n + 1 < len(self.layers):
                after, there = self.layers[n + 1], numbers[n + 1]
                si, ki = _holder(layer.s, after.s)[i], _holder(layer.theta, after.theta)[k]
                face = there[(si * ps)[:, None] + a, 0, ((ki * pk)[:, None] + c) % there.shape[2]]
                conn = np.where(beyond, face, conn)
            out.append(conn)
        conn = np.concatenate(out)
        used = np.zeros(start, bool)
        used[conn.ravel()] = True
        new = np.cumsum(used) - 1
        return new[conn].astype(np.int32), np.concatenate(at)[used]

    @property
    def conn(self) -> Ints:
        """Node of each function of each element, shape (n_elements, n_functions)."""
        return self._numbered[0]

    @property
    def nodes(self) -> Floats:
        """Coordinates (s, T, theta) of each node, shape (n_nodes, 3)."""
        return self._numbered[1]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @cached_property
    def coated(self) -> NDArray[np.int64]:
        """Elements of the encapsulation."""
        return np.flatnonzero(self.boxes[:, 1, 1] <= self.encapsulation * (1 + 1e-9))

    def lattice(
        self, elements: NDArray[np.integer], u: ArrayLike, v: ArrayLike, w: ArrayLike
    ) -> tuple[Floats, Floats]:
        """Return points of elements and the volume each unit of their local coordinates stands for.

        Parameters
        ----------
        elements
            Which, shape (m,).
        u, v, w
            Local coordinates along s, T and theta, from -1 to 1, shapes (a,), (b,), (c,).

        Returns
        -------
        points : ndarray, shape (m, a, b, c, 3)
            In the lead frame (m).
        density : ndarray, shape (m, a, b, c)
            Volume per du dv dw (m³): its sum with the weights of a quadrature rule is a volume.
        """
        box = self.boxes[elements]
        centre, half = box.mean(axis=2), 0.5 * (box[:, :, 1] - box[:, :, 0])
        local = np.stack(np.meshgrid(u, v, w, indexing="ij"), axis=-1)
        at = centre[:, None, None, None] + half[:, None, None, None] * local
        points, density = self.chart.place(at)
        return points, density * half.prod(axis=1)[:, None, None, None]


def lead_grid(
    lead: Lead,
    domain: Domain,
    *,
    encapsulation: float = 0.0,
    resolution: float = 1.0,
    order: tuple[int, int, int] = ORDER,
) -> LeadGrid:
    """Mesh the surroundings of a lead.

    Parameters
    ----------
    lead
        The lead.
    domain
        Where the grid ends, head frame.
    encapsulation
        Thickness of the encapsulation (m); breaks are there.
    resolution
        All elements are this much smaller, those at the rims by its square.
    order
        Degree in s, T and theta.

    Returns
    -------
    LeadGrid

    Raises
    ------
    InputError
        If the resolution is not > 0, a degree is not from 1 to 8, or the lead does not fit into the
        domain.
    """
    check_positive("resolution", resolution)
    if not all(1 <= p <= 8 for p in order):
        raise InputError(f"expected a degree from 1 to 8 in s, T and theta, got {order}")
    chart = lead_chart(lead, domain, encapsulation)
    model = lead.model
    R = model.radius
    first, largest = FIRST * R / resolution**2, LARGEST * R / resolution
    ratio, ratio_t = RATIO ** (1 / resolution), RATIO_T ** (1 / resolution)
    slope = SLOPE / resolution
    rims = [float(model.arc_of(z)) for c in model.contacts for z in c.z if z > 0]
    s_high = max(rims)

    def s_cap(s: Floats) -> Floats:
        cap = np.where(s < chart.arc, chart.arc / (CAP * resolution), largest)
        return cap + np.maximum(s - s_high - 2 * R, 0.0) * (0.8 / resolution)

    # where the coordinates have a kink, or the rim that is there: breaks of all layers
    kinks = []
    for kink in (chart.arc, chart.arc + chart.z_stretch - R):
        rim = min(rims, key=lambda s: abs(s - kink))
        kinks.append(rim if abs(rim - kink) < 1e-3 * R else kink)
    s = graded([0.0, *rims, *kinks, chart.s_top], rims, first=first, ratio=ratio, cap=s_cap)
    kept = sorted({0.0, encapsulation, chart.reach})
    t = graded(
        kept,
        [0.0],
        first=first,
        ratio=ratio_t,
        cap=lambda x: np.minimum(largest, chart.reach) + 0.0 * x,
    )
    edges = sorted({e % (2 * np.pi) for c in model.contacts if c.theta for e in c.theta})
    turn = 2 * np.pi / np.ceil(AROUND * resolution)
    if edges:
        theta = graded(
            [*edges, edges[0] + 2 * np.pi],
            [*edges, edges[0] + 2 * np.pi],
            first=2 * first / R,
            ratio=ratio,
            cap=lambda x: turn + 0.0 * x,
        )
    else:
        theta = np.linspace(0, 2 * np.pi, int(np.ceil(AROUND * resolution)) + 1)
    layers: list[Layer] = []
    for a, b in pairwise(t.tolist()):
        s = coarser(s, min(slope * a, largest), kinks) if a > 0 else s
        theta = coarser(theta, min(slope * a / R, 1.2 * turn)) if a > 0 else theta
        layers.append(Layer(s=s, T=np.array([a, b]), theta=theta))
    deep = float(np.median(domain.half)) / (t[-1] - t[-2])
    n = max(3, int(np.ceil(resolution * np.log1p(deep * (GROWTH - 1)) / np.log(GROWTH))))
    b = np.expm1(np.arange(n + 1) * np.log(GROWTH) / resolution)
    layers.append(Layer(s=s, T=chart.reach + b / b[-1], theta=theta))
    return LeadGrid(chart=chart, layers=_joined(layers), order=order, encapsulation=encapsulation)


def _holder(fine: Floats, coarse: Floats) -> NDArray[np.int64]:
    """Return the coarse element that holds each fine one."""
    middle = 0.5 * (fine[1:] + fine[:-1])
    return np.searchsorted(coarse, middle) - 1


def _joined(layers: list[Layer]) -> tuple[Layer, ...]:
    """Return the layers with neighbours of one cut put together."""
    out = layers[:1]
    for layer in layers[1:]:
        last = out[-1]
        if len(last.s) == len(layer.s) and len(last.theta) == len(layer.theta):
            out[-1] = Layer(s=last.s, T=np.append(last.T, layer.T[1:]), theta=last.theta)
        else:
            out.append(layer)
    return tuple(out)
