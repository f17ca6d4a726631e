"""Induced fields in a sphere: dipoles far and near, and what no coil can do, a radial field.

The sphere is that of `rheobase.validation.sphere`. Its field is known in closed form for a magnetic
dipole, whatever the layers (Heller & van Hulsteyn 1992); it is tangential for every coil outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.basis import FieldBasis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.coils.windings import coil, load_windings
from rheobase.fields.error import error_table
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import magnetic_dipole_field
from rheobase.meshes.mesher import mesh_spheres
from rheobase.validation.case import Row
from rheobase.validation.sphere import (
    DIPOLE,
    EDGE,
    LABELS,
    MOMENT,
    SIGMA,
    TISSUES,
    conductor,
    mesh_of,
)

NEAR = np.array([0.0, 0.0, 0.105])  # 10 mm above the scalp
NEAR_EDGE = 4e-3  # 0.6 million tetrahedra
_SOURCE = "closed form, Heller & van Hulsteyn 1992"


def far(edges: Sequence[float] = (EDGE, NEAR_EDGE)) -> list[Row]:
    """Recovered E of a magnetic dipole at 300 mm, and the peak of a figure-of-eight coil."""
    rows: list[Row] = []
    for edge in edges:
        c = conductor(edge)
        basis = solve_induction(c, magnetic_dipole(DIPOLE, MOMENT))
        rows += _errors("sphere-tms-far", c, basis, DIPOLE, 0.015)
    rows.append(_figure_of_eight())
    return rows


def near(edge: float = NEAR_EDGE) -> list[Row]:
    """Recovered E of a magnetic dipole 10 mm above the scalp."""
    c = conductor(edge)
    basis = solve_induction(c, magnetic_dipole(NEAR, MOMENT))
    return list(_errors("sphere-tms-near", c, basis, NEAR, 0.04))


def radial_field(edge: float = NEAR_EDGE) -> list[Row]:
    """Radial E of a figure-of-eight on the scalp, 4 mm of hair between: zero in theory."""
    c = conductor(edge)
    pose = np.eye(4)
    pose[2, 3] = 0.095 + 0.004
    winding = coil("magstim-70mm-figure8").moved(pose)
    basis = solve_induction(c, winding)
    brain = basis.split_label == LABELS[0]
    points = basis.split_position[brain]
    E, weight = basis.E[0, brain], basis.split_volume[brain]
    r = np.linalg.norm(points, axis=1)
    radial = (E * points).sum(1) / np.where(r > 0, r, 1.0)
    size = np.linalg.norm(E, axis=1)

    def row(what: str, value: float) -> Row:
        return Row(
            case="coil-radial-field",
            quantity=f"{what}, 70 mm figure-of-eight, 4 mm of hair ({mesh_of(c)})",
            value=value,
            reference=0.0,
            error=value,
            limit=0.01,
            unit="1",
            source="Heller & van Hulsteyn 1992: no coil makes a radial field in a sphere",
        )

    total = float(np.sqrt((weight @ radial**2) / (weight @ size**2)))
    return [
        row("radial E in the brain over |E|, L2", total),
        row(
            "largest radial E in the brain over the largest |E|", _largest(radial) / _largest(size)
        ),
    ]


def tms_error(basis: FieldBasis, dipole: NDArray[np.float64], label: int) -> float:
    """Return the volume-weighted relative L2 error at the nodes of one tissue."""
    place = basis.split_label == label
    return _relative(
        basis.E[0, place],
        magnetic_dipole_field(basis.split_position[place], dipole, MOMENT),
        basis.split_volume[place],
    )


def _errors(
    case: str, c: Conductor, basis: FieldBasis, dipole: NDArray[np.float64], limit: float
) -> Iterator[Row]:
    estimated = error_table(basis, [1.0])
    for label, name, table in zip(LABELS, TISSUES, estimated, strict=True):
        error = tms_error(basis, dipole, label)
        yield Row(
            case=case,
            quantity=f"recovered E in the {name}, relative L2 (estimated "
            f"{float(table['relative']):.2g}; {mesh_of(c)})",
            value=error,
            reference=0.0,
            error=error,
            limit=limit,
            unit="1",
            source=_SOURCE,
        )
    mesh = basis.mesh
    inside = np.flatnonzero(mesh.labels == LABELS[0])
    E = basis.E[0, basis.split_of_tet[inside]].mean(axis=1)
    exact = magnetic_dipole_field(mesh.centroids()[inside], dipole, MOMENT)
    between = _relative(E, exact, mesh.volumes()[inside])
    yield Row(
        case=case,
        quantity=f"E in the brain, interpolated to the centres of the tetrahedra ({mesh_of(c)})",
        value=between,
        reference=0.0,
        error=between,
        limit=limit,
        unit="1",
        source=_SOURCE,
    )


def _largest(values: NDArray[np.float64]) -> float:
    return float(np.abs(values).max())


def _relative(
    found: NDArray[np.float64], exact: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    wrong = ((found - exact) ** 2).sum(1)
    return float(np.sqrt((weight @ wrong) / (weight @ (exact**2).sum(1))))


def _figure_of_eight() -> Row:
    """Strength of a 70 mm figure-of-eight coil 15 mm below the surface of an 85 mm head."""
    c = Conductor(mesh_spheres((0.085,), (LABELS[0],), 4e-3), {LABELS[0]: SIGMA[0]})
    winding = coil("magstim-70mm-figure8")
    pose = np.eye(4)
    casing = 1e-3 * load_windings()[winding.name].casing_mm
    pose[2, 3] = 0.085 + 0.005 - casing  # 5 mm to the copper
    E, _ = solve_induction(c, winding.moved(pose)).at([[0.0, 0.0, 0.070]])
    value = 1e6 * float(np.linalg.norm(E))
    return Row(
        case="sphere-tms-far",
        quantity="70 mm figure-of-eight coil: |E| at 70 mm in an 85 mm head, 5 mm gap, 1 A/us",
        value=value,
        reference=1.47,
        error=abs(value / 1.47 - 1),
        limit=0.01,
        unit="V/m",
        source="geometry of Deng, Lisanby & Peterchev 2013, no. 31",
    )
