"""The parametric human ear: skin, cartilage, fat and muscle around the shape of `ear_shape`.

A right auricle of average sizes on a block of the head with the outer part of the ear canal, open
at its sides. No vessels, no temporal bone, no eardrum; nobody's ear.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.head import Head
from rheobase.meshes.heads.ear_sampled import sample_ear
from rheobase.meshes.heads.ear_shape import HIGH, LOW, EarShape, ear_shape, ear_sizes
from rheobase.meshes.mesher import carve_indicators
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]

TISSUES = ("skin", "cartilage", "fat", "muscle")
_GROWTH = 0.35  # of the edges, by the way from the sites (m per m)
_FINE = 4e-3  # m around a site with the finest edges
_SAMPLED = 0.5e-3  # m between samples of the shape, more for edges that do not show it
_JOINT = 0.5e-3  # m by which skin before the sheet may be thicker
_SLIVER = 0.1e-3  # m: fat thinner than this between skin and cartilage is none


def build(*, edge_length_mm: float = 0.5) -> Head:
    """Build the ear.

    Parameters
    ----------
    edge_length_mm
        Mean edge of the finest tetrahedra (mm), within 4 mm of the sites of electrodes.

    Returns
    -------
    Head
        In the space "ear": x out of the head, y to the front, z up, the side of the head at x = 0.
        Positions on the skin: two for each of `SITES`.
    """
    shape = ear_shape()
    positions = ear_positions(shape)
    edge = edge_length_mm * 1e-3
    with stage("ear: mesh"):
        carved = _carved(shape, np.stack(list(positions.values())), edge)
    return Head(
        name="ear",
        species="human",
        space="ear",
        mesh=carved.mesh,
        tissues={tissue(n).label: tissue(n) for n in TISSUES},
        positions=positions,
        lattice=carved.lattice,
        provenance={
            "made by": "rheobase.meshes.heads.ear",
            "parametric": True,
            "edge length (mm)": edge_length_mm,
            "sizes": list(ear_sizes()[1]),
            "mesh": carved.report.as_dict(),
            "notes": [
                "parametric: a right ear of average sizes, no individual anatomy",
                "muscle stands for everything in the head under skin and fat",
                "cut off at the sides of a block of the head",
            ],
        },
    )


def ear_positions(shape: EarShape) -> dict[str, Floats]:
    """Return the sites of electrodes on the skin (m), shape (3,) each.

    Two in the cymba and two in the cavum of the concha, side by side; both sides of the tragus and
    of the lobe.
    """
    s = shape.sizes
    u, v, _, high = shape.concha
    cymba = v + high - 0.5 * s["cymba concha height"]
    cavum = shape.canal[1] - 0.5e-3
    on_skin = shape.under_skin(
        np.array([u + 2.5e-3, u - 3.5e-3, u - 4.5e-3, u - 2.5e-3]),
        np.array([cymba, cymba, cavum + 2.0e-3, cavum - 4.5e-3]),
        0.0,
    )
    plate, normal = shape.on_tragus(np.array([0.0]), np.array([0.7]))
    lobe = np.array([[float(shape.height(*(np.array([w]) for w in shape.lobe))[0]), *shape.lobe]])
    through = 0.5 * s["lobe thickness"] * shape.lobe_normal
    return {
        "cymba_concha": on_skin[0],
        "cymba_concha_return": on_skin[1],
        "cavum_concha": on_skin[2],
        "cavum_concha_return": on_skin[3],
        "tragus": (plate + shape.front * normal)[0],
        "tragus_return": (plate - shape.back * normal)[0],
        "lobe": (lobe @ shape.axes)[0] + through,
        "lobe_return": (lobe @ shape.axes)[0] - through,
    }


def _carved(shape: EarShape, sites: Floats, edge: float) -> Carved:
    """Mesh the tissues: each is told by its distances from the skin's outside and the sheet."""
    s = shape.sizes
    skin, half = s["skin thickness"], 0.5 * s["cartilage thickness"]
    ear = sample_ear(shape, max(_SAMPLED, 0.4 * edge))

    def layers(points: Floats) -> Floats:
        inside, beside, ahead, depth = ear.at(points)
        below = -points[:, 0] - skin - s["fat thickness"]
        # what lies on the front of the sheet is skin, however thick where solids are joined
        before = np.minimum(ahead - 0.5 * half, shape.front + _JOINT - beside)
        fat = np.minimum(np.minimum(inside, depth - skin) - _SLIVER, beside - half)
        fat = np.minimum(fat, -before)
        cover = np.maximum(skin - depth, np.minimum(before, beside - half))
        return np.stack(
            [
                -inside,
                np.minimum(inside, cover),
                np.minimum(inside, half - beside),
                np.minimum(fat, -below),
                np.minimum(fat, below),
            ],
            axis=1,
        )

    def size(points: Floats) -> Floats:
        away = np.linalg.norm(points[:, None] - sites, axis=2).min(axis=1)
        near = edge + _GROWTH * np.maximum(away - _FINE, 0.0)
        auricle = 2 * edge + _GROWTH * np.maximum(ear.at(points)[1] - shape.back, 0.0)
        out: Floats = np.minimum(near, auricle)
        return out

    labels = [0, *(tissue(n).label for n in TISSUES)]
    return carve_indicators(labels, layers, [LOW, HIGH], edge, size=size)
