"""Electrodes on a sphere: what they deliver, and the ideal ones against their exact solution.

The sphere is that of `rheobase.validation.sphere`; electrodes of every shape and model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, Layer, Model, layer
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import carve_indicators
from rheobase.meshes.placing.outlines import Disc, Outline, Polygon, Rectangle, Ring
from rheobase.meshes.tissues import tissue
from rheobase.validation.case import Row
from rheobase.validation.sphere import EDGE, LABELS, RADII, SIGMA, conductor

RADIUS = 12e-3
INNER = 7e-3
TOP, SIDE = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])


def delivered_current(edge: float = EDGE) -> list[Row]:
    """Check currents, impedances and, for ideal discs and rings, potential and field."""
    c = conductor(edge)
    mesh = f"{len(c.mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"
    basis = solve_conduction(c, [five_shapes(), ring_montage("complete"), ring_montage("ideal")])
    rows = []
    for name, report in zip(basis.names, basis.report, strict=True):
        rows += soundness(f"{name} ({mesh})", report)
    return rows + meshed_layers() + crossing_current(c, mesh) + ideal_against_exact(c, mesh)


def soundness(what: str, report: SourceReport) -> list[Row]:
    """Return what conservation and reciprocity ask of a solution."""
    return [
        Row(
            case="delivered-current",
            quantity=f"{quantity}: {what}",
            value=error,
            reference=0.0,
            error=error,
            limit=1e-3,
            unit="1",
            source="conservation of charge; reciprocity",
        )
        for quantity, error in (
            ("delivered against asked current, worst electrode", report.mismatch),
            ("sum of the delivered currents", report.conservation),
            ("impedance of pairs, one way against the other", report.asymmetry),
        )
    ]


def sphere_head(edge: float) -> Head:
    """Return the sphere as a head that knows its lattice, so that layers can be meshed on it."""
    inner = np.array([-np.inf, *RADII[:-1]])

    def shells(points: NDArray[np.float64]) -> NDArray[np.float64]:
        r = np.linalg.norm(points, axis=1)[:, None]
        return np.concatenate([r - RADII[-1], np.minimum(r - inner, np.array(RADII) - r)], axis=1)

    half = RADII[-1] + 3 * edge
    made = carve_indicators([0, *LABELS], shells, [[-half] * 3, [half] * 3], edge)
    names = ("grey_matter", "skull", "scalp")
    return Head(
        name="sphere",
        species="human",
        space="sphere",
        mesh=made.mesh,
        lattice=made.lattice,
        tissues={
            label: tissue(name).with_value("conductivity", sigma, source="chosen for this sphere")
            for label, name, sigma in zip(LABELS, names, SIGMA, strict=True)
        },
        positions={
            "C3": RADII[-1] * TOP,
            "Cz": RADII[-1] * (0.8 * TOP + 0.6 * SIDE),
            "Fp2": RADII[-1] * SIDE,
        },
    )


def meshed_layers(edge: float = 4.5e-3) -> list[Row]:
    """Check the current through the skin under meshed sponge and gel."""
    head = sphere_head(edge)
    sponge, gel = (layer("sponge"), layer("rubber")), (layer("gel", thickness_mm=2.0),)
    placed: dict[str, tuple[NDArray[np.float64], Outline, tuple[Layer, ...], Model]] = {
        "pad": (TOP, Rectangle(width_mm=35, height_mm=50), sponge, "meshed"),
        "disc": (SIDE, Disc(radius_mm=6), gel, "meshed"),
        "third": (-TOP, Disc(radius_mm=12), gel, "complete"),
    }
    montage = Montage(
        name="meshed",
        electrodes=tuple(
            Electrode(name=n, centre=RADII[-1] * d, shape=shape, layers=layers, model=model)
            for n, (d, shape, layers, model) in placed.items()
        ),
        currents=(1e-3, -0.4e-3, -0.6e-3),
    )
    basis = solve_conduction(head, montage)
    mesh = f"{len(basis.mesh.tets) / 1e6:.2f} M tetrahedra"
    return soundness(f"meshed sponge and rubber, meshed gel ({mesh})", basis.report[0])


def five_shapes() -> Montage:
    """Return a montage with one electrode of each shape, and layers of each kind."""
    shapes: dict[str, tuple[Outline, Model, float]] = {
        "rectangle": (Rectangle(width_mm=50, height_mm=35), "complete", 1e-3),
        "disc": (Disc(radius_mm=12), "complete", 0.5e-3),
        "ring": (Ring(inner_radius_mm=6, outer_radius_mm=11), "ideal", -0.7e-3),
        "rounded": (Rectangle(width_mm=30, height_mm=30, corner_radius_mm=8), "complete", -0.5e-3),
        "custom": (
            Polygon(corners_mm=[(-12, -10), (14, -8), (2, 0), (10, 15), (-9, 12)]),
            "complete",
            -0.3e-3,
        ),
    }
    angle = 2 * np.pi * np.arange(len(shapes)) / len(shapes)
    places = RADII[-1] * np.stack([0.8 * np.cos(angle), 0.8 * np.sin(angle), 0 * angle + 0.6], 1)
    return Montage(
        name="five shapes",
        electrodes=tuple(
            Electrode(
                name=name,
                centre=place,
                shape=shape,
                model=model,
                layers=(layer("sponge"), layer("rubber")),
                rotation_deg=20,
            )
            for (name, (shape, model, _)), place in zip(shapes.items(), places, strict=True)
        ),
        currents=tuple(current for _, _, current in shapes.values()),
    )


def ring_montage(model: Model) -> Montage:
    """Return a small disc in a ring half a millimetre away: they share nodes."""
    shapes: dict[str, Outline] = {
        "disc": Disc(radius_mm=6.0),
        "ring": Ring(inner_radius_mm=6.5, outer_radius_mm=11),
    }
    return Montage(
        name=f"disc in a ring, {model}",
        electrodes=tuple(
            Electrode(name=n, centre=RADII[-1] * TOP, shape=s, model=model)
            for n, s in shapes.items()
        ),
        currents=(1e-3, -1e-3),
    )


def crossing_current(c: Conductor, mesh: str) -> list[Row]:
    """Integrate sigma E over the equator between two discs: the current that crosses it."""
    pair = Montage(
        name="poles",
        electrodes=tuple(
            Electrode(name=n, centre=RADII[-1] * d, shape=Disc(radius_mm=1e3 * RADIUS))
            for n, d in (("top", TOP), ("bottom", -TOP))
        ),
        currents=(1e-3, -1e-3),
    )
    found = solve_conduction(c, pair)
    current = 0.0
    x, w = np.polynomial.legendre.leggauss(12)
    angle = 2 * np.pi * np.arange(180) / 180
    for low, high in zip((0.0, *RADII[:-1]), RADII, strict=True):
        r = 0.5 * (low + high) + 0.5 * (high - low) * x
        points = np.stack(
            [np.outer(r, np.cos(angle)), np.outer(r, np.sin(angle)), np.zeros((12, 180))], -1
        )
        E, tet = found.at(points.reshape(-1, 3))
        sigma = np.array([c.sigma[label] for label in c.mesh.labels[tet].tolist()])
        J = (-sigma * E[0, :, 2]).reshape(12, 180).mean(axis=1)
        current += float(np.pi * (high - low) * (w * r) @ J)
    return [
        Row(
            case="delivered-current",
            quantity=f"current through the plane between two discs, from recovered E ({mesh})",
            value=current,
            reference=1.0,
            error=abs(current - 1),
            limit=1e-3,
            unit="A",
            source="conservation of charge",
        )
    ]


def ideal_against_exact(c: Conductor, mesh: str) -> list[Row]:
    """Compare ideal discs and rings with their Legendre series."""
    sphere = LayeredSphere(radii=RADII, sigma=SIGMA)
    shapes: dict[str, tuple[Outline, float]] = {
        "discs": (Disc(radius_mm=1e3 * RADIUS), 0.0),
        "rings": (Ring(inner_radius_mm=1e3 * INNER, outer_radius_mm=1e3 * RADIUS), INNER),
    }
    nothing = Layer(name="nothing", sigma=1e6, thickness_mm=1e-3)
    basis = solve_conduction(
        c,
        [
            Montage(
                name=name,
                electrodes=tuple(
                    Electrode(
                        name=n, centre=RADII[-1] * d, shape=shape, model="ideal", layers=(nothing,)
                    )
                    for n, d in (("top", TOP), ("side", SIDE))
                ),
                currents=(1e-3, -1e-3),
            )
            for name, (shape, _) in shapes.items()
        ],
    )
    brain = np.unique(c.mesh.tets[c.mesh.labels == LABELS[0]])
    deep = np.flatnonzero(
        (basis.split_label == LABELS[0]) & (np.linalg.norm(basis.split_position, axis=1) < 0.075)
    )
    rows = []
    for k, (name, (_, inner)) in enumerate(shapes.items()):
        V, _ = sphere.even_electrodes(
            c.mesh.nodes[brain], TOP, SIDE, radius=RADIUS, inner_radius=inner
        )
        found = basis.potential[k, brain]
        _, E = sphere.even_electrodes(
            basis.split_position[deep], TOP, SIDE, radius=RADIUS, inner_radius=inner
        )
        Z = basis.report[k].impedance
        exact = sphere.even_impedance(TOP, SIDE, radius=RADIUS, inner_radius=inner)
        for quantity, value, reference, limit, unit in (
            (
                "V in the brain, relative L2",
                _apart(found - found.mean(), V - V.mean()),
                0.0,
                1e-3,
                "1",
            ),
            ("recovered E within 75 mm, relative L2", _apart(basis.E[k, deep], E), 0.0, 1e-3, "1"),
            ("impedance", Z, exact, 3e-2, "ohm"),
        ):
            rows.append(
                Row(
                    case="delivered-current",
                    quantity=f"ideal {name}: {quantity} ({mesh})",
                    value=value,
                    reference=reference,
                    error=abs(value / reference - 1) if reference else value,
                    limit=limit,
                    unit=unit,
                    source="Legendre series, after Rush & Driscoll 1969",
                )
            )
    return rows


def _apart(found: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
