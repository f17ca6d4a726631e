"""Stimulation at the ear: disc electrodes on layers against their closed form, and sanity.

A disc of radius a that feeds a current I evenly into layers (thickness h_k, conductivity s_k) has
in the first of them, at depth z and distance r from its axis, the potential

    V = I / (pi a s_1) ∫ J1(l a) / l · (exp(-l z) + R exp(l z)) / (1 - R) · J0(l r) dl,

R = G_1 exp(-2 l h_1), with G_k = (s_k - e_{k+1}) / (s_k + e_{k+1}) and the admittance of what lies
below e_k = s_k (1 - G_k exp(-2 l h_k)) / (1 + G_k exp(-2 l h_k)); e of the last one is its s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fields import Disc, FieldBasis, Montage, layer, solve_conduction
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.meshes.grid import graded, mesh_grid
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.tissues import tissue
from rheobase.neurons.auricular.courses import auricular_data
from rheobase.neurons.auricular.field import ear_field
from rheobase.neurons.auricular.recruitment import auricular_recruitment
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.pathways.placing import PlacedAxons, place_axons
from rheobase.neurons.pathways.sampled import sample_axons
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

LAYERS = (("skin", 1.0e-3), ("cartilage", 1.2e-3), ("muscle", np.inf))
RADIUS, APART, DEPTH = 2e-3, 8e-3, 0.85e-3  # m
_WIDE, _DEEP = 60e-3, 40e-3  # m: half width and depth of the box
_CLOSED = "closed form: Hankel integral of a disc on layers"


def layered_disc(
    r: Floats, depth: float, *, radius: float, thickness: Sequence[float], sigma: Sequence[float]
) -> Floats:
    """Return the potential (V) of 1 A through a disc on layers, within the first.

    Parameters
    ----------
    r
        Distances from the axis (m), shape (n,).
    depth
        Below the surface (m), > 0 and less than the first layer is thick.
    radius
        Of the disc (m).
    thickness, sigma
        Of the layers from the top (m; the last one is not asked for) and their conductivity (S/m).

    Examples
    --------
    >>> V = layered_disc(np.array([0.1]), 1e-3, radius=1e-3, thickness=[1e-2], sigma=[0.3, 0.3])
    >>> round(float(V[0]) * 2 * np.pi * 0.3 * 0.1, 3)  # a point source on a half-space, far away
    1.0
    """
    from scipy.special import j0, j1

    most = 30.0 / depth
    panels = int(np.ceil(most * (r.max() + radius) / 6)) + 40
    node, weight = np.polynomial.legendre.leggauss(10)
    half = 0.5 * most / panels
    k = ((2 * np.arange(panels) + 1)[:, None] * half + half * node).ravel()
    w = np.tile(half * weight, panels)
    below = np.full_like(k, sigma[-1])
    back = np.zeros_like(k)
    for s, h in zip(sigma[-2::-1], thickness[len(sigma) - 2 :: -1], strict=True):
        back = (s - below) / (s + below) * np.exp(-2 * k * h)
        below = s * (1 - back) / (1 + back)
    spectrum = w * j1(k * radius) / k * (np.exp(-k * depth) + back * np.exp(k * depth)) / (1 - back)
    V = np.array([spectrum @ j0(k * one) for one in r])
    out: Floats = V / (np.pi * radius * sigma[0])
    return out


def flat_ear(step: float) -> Head:
    """Return a box of layers, insulated, on a grid of ``step`` (m) under two discs."""
    growth = 1.25
    reach = np.array([0.5 * APART + 1.5 * RADIUS, 1.5 * RADIUS])
    axes = []
    for half in reach:
        n = int(np.ceil(half / step))
        out = half + graded(_WIDE - half, step, growth)
        axes.append(np.concatenate([-out[::-1], np.linspace(-half, half, 2 * n + 1), out]))
    z, top = [0.0], 0.0
    for _, thick in LAYERS[:-1]:
        n = int(np.ceil(2 * thick / step))
        z += (top - thick * np.arange(1, n + 1) / n).tolist()
        top -= thick
    z += (top - graded(_DEEP, 0.5 * step, growth)).tolist()
    planes = np.array(z[::-1])
    edges = -np.cumsum([thick for _, thick in LAYERS[:-1]])
    middle = 0.5 * (planes[1:] + planes[:-1])
    kinds = [tissue(name) for name, _ in LAYERS]
    label = np.array([t.label for t in kinds])[(middle[:, None] < edges).sum(axis=1)]
    shape = len(axes[0]) - 1, len(axes[1]) - 1
    return Head(
        name="flat ear",
        species="human",
        space="slab",
        mesh=mesh_grid(axes[0], axes[1], planes, np.broadcast_to(label, (*shape, len(label)))),
        tissues={t.label: t for t in kinds},
    )


def flat_field(step: float) -> FieldBasis:
    """Return the field of 1 A from the second disc on `flat_ear` to the first."""
    head = flat_ear(step)
    discs = tuple(
        Electrode(
            name=name,
            centre=np.array([x, 0.0, 0.0]),
            shape=Disc(radius_mm=RADIUS * 1e3),
            layers=(layer("gel", thickness_mm=1.0),),
            model="ideal",
            normal_mm=1.0,
        )
        for name, x in (("cathode", -0.5 * APART), ("anode", 0.5 * APART))
    )
    return solve_conduction(head, Montage(name="discs", electrodes=discs, currents=(-1.0, 1.0)))


def flat_fibres(diameter: float) -> PlacedAxons:
    """Return axons in the skin below the discs: along both, across one, and ending under it."""
    x = np.linspace(-22e-3, 22e-3, 45)
    along = np.stack([x, 0 * x + 0.4e-3, 0 * x - DEPTH], axis=1)
    across = np.stack([0 * x - 0.5 * APART - 0.7e-3, x, 0 * x - DEPTH], axis=1)
    y = np.linspace(-22e-3, 1.1e-3, 45)
    ending = np.stack([0 * y - 0.5 * APART, y, 0 * y - DEPTH], axis=1)
    return place_axons([along, across, ending], diameter, compartments=True, phase=0.5)


def flat_thresholds(basis: FieldBasis, diameter: float) -> tuple[Floats, Floats]:
    """Return thresholds (A) of `flat_fibres` in a field and in the closed form, 250 µs."""
    axons = flat_fibres(diameter)
    sigma = [tissue(name).sigma for name, _ in LAYERS]
    exact = np.zeros(len(axons.points))
    r = np.concatenate([np.linspace(0, 8e-3, 161), np.linspace(8.5e-3, 40e-3, 64)])
    known = [h for _, h in LAYERS[:-1]]
    V = layered_disc(r, DEPTH, radius=RADIUS, thickness=known, sigma=sigma)
    for sign, x in ((-1, -0.5 * APART), (1, 0.5 * APART)):
        away = np.hypot(axons.points[:, 0] - x, axons.points[:, 1])
        exact += sign * _smooth(r, V, away)
    found = sample_axons(axons, basis).potential[0]
    cut = axons.first[1:-1]
    one, two = (
        mrg_thresholds(axons.axon, np.split(v, cut), 250e-6, ends="active", spike_at="start")
        for v in (found, exact)
    )
    return one.amplitude, two.amplitude


def _smooth(r: Floats, V: Floats, at: Floats) -> Floats:
    from scipy.interpolate import CubicSpline

    out: Floats = CubicSpline(np.append(-r[:0:-1], r), np.append(V[:0:-1], V))(at)
    return out


def layered(step: float = 0.5e-3) -> list[Row]:
    """Compare thresholds below discs on layers with those in the closed form."""
    basis = flat_field(step)
    rows = []
    for diameter in (5.7e-6, 10e-6):
        found, exact = flat_thresholds(basis, diameter)
        worst = int(np.argmax(np.abs(found / exact - 1)))
        rows.append(
            Row(
                case="auricular-layered-disc",
                quantity=f"threshold of fibres of {diameter * 1e6:g} µm, {DEPTH * 1e3:g} mm below "
                f"discs on skin, cartilage, muscle, grid of {step * 1e3:g} mm (worst of three)",
                value=float(found[worst]),
                reference=float(exact[worst]),
                error=float(abs(found[worst] / exact[worst] - 1)),
                limit=0.01,
                unit="A",
                source=_CLOSED,
            )
        )
    return rows


def perception(edge_length_mm: float | None = None) -> list[Row]:
    """Compare what fires in the cymba with what is felt there, and look at the current."""
    field = ear_field(build_head("ear", edge_length_mm=edge_length_mm), ("cymba_concha", "lobe"))
    felt = auricular_recruitment(field=field)
    sham = auricular_recruitment("lobe", field=field)
    data = auricular_data()["perception"]
    report = field.report[0]
    asked, delivered = np.array(report.asked), np.array(report.delivered)
    low, high = data["not_felt_mA"] * 1e-3, data["felt_mA"] * 1e-3
    thick = felt.diameter >= 7e-6
    half = float(np.median(felt.threshold[thick]))
    table = [
        (
            "current through the skin under a disc in the cymba",
            float(delivered[0]),
            float(asked[0]),
            abs(float(delivered[0] / asked[0]) - 1),
            1e-3,
            "A",
            "what was asked",
        ),
        (
            "current that fires half of the cymba's A-beta fibres (0.25 ms); error 0 between "
            f"{low * 1e3:g} and {high * 1e3:g} mA, else relative to the nearer",
            half,
            float(np.clip(half, low, high)),
            abs(half / float(np.clip(half, low, high)) - 1),
            0.0,
            "A",
            f"not felt and felt: {data['source']}",
        ),
        (
            f"share of all fibres that {low * 1e3:g} mA fire (0.25 ms, cymba; absolute)",
            float(felt.fraction(low)),
            0.0,
            float(felt.fraction(low)),
            0.05,
            "1",
            f"not felt: {data['source']}",
        ),
        (
            f"share of the cymba's fibres that {high * 1e3:g} mA at the lobe fire (absolute)",
            float(sham.fraction(high)),
            0.0,
            float(sham.fraction(high)),
            1e-9,
            "1",
            "the lobe is the usual control",
        ),
    ]
    return [
        Row(
            case="auricular-perception",
            quantity=quantity,
            value=value,
            reference=reference,
            error=error,
            limit=limit,
            unit=unit,
            source=source,
        )
        for quantity, value, reference, error, limit, unit, source in table
    ]
