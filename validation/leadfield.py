"""The lead field: sums of unit responses against solutions of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rheobase.fields.basis import FieldBasis
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, Model, place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.leadfield import LeadField
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.tissues import tissue
from rheobase.validation.case import Row

NAMES = ("grey_matter", "skull", "scalp")
RADII = (0.080, 0.086, 0.092)
WHERE = {  # directions from the centre
    "Cz": (0, 0, 1),
    "Fz": (0, 0.55, 1),
    "Pz": (0, -0.55, 1),
    "C3": (-0.55, 0, 1),
    "C4": (0.55, 0, 1),
    "T7": (-1, 0, 0),
    "T8": (1, 0, 0),
    "Fpz": (0, 1, 0),
    "Oz": (0, -1, 0),
}
MONTAGES = {
    "neighbours": {"Cz": 2e-3, "Fz": -2e-3},
    "across": {"T7": 1e-3, "T8": -1e-3},
    "4 x 1": {"Cz": 2e-3, "Fz": -0.5e-3, "Pz": -0.5e-3, "C3": -0.5e-3, "C4": -0.5e-3},
    "all": dict(zip(WHERE, np.linspace(-1e-3, 1e-3, len(WHERE)).tolist(), strict=True)),
}


def ball(edge: float) -> Head:
    """Return a three-layer ball with the positions of `WHERE`."""
    tissues = [tissue(name) for name in NAMES]
    mesh = mesh_spheres(RADII, [t.label for t in tissues], edge)
    positions = {
        name: RADII[-1] * np.asarray(p, float) / np.linalg.norm(p) for name, p in WHERE.items()
    }
    return Head(
        name="ball",
        species="human",
        space="sphere",
        mesh=mesh,
        tissues={t.label: t for t in tissues},
        positions=positions,
    )


def superposition(edge: float = 6e-3) -> list[Row]:
    """Solve for montages on their own, and add them up from the lead field."""
    head = ball(edge)
    conductor = Conductor(head)
    size = f"{len(head.mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"
    rows = []
    models: dict[Model, str] = {"ideal": "its own alone", "complete": "all attached"}
    for model, attached in models.items():
        with tempfile.TemporaryDirectory() as folder:
            electrodes = [
                place_electrode(head, name, shape=Disc(radius_mm=8.0), model=model)
                for name in WHERE
            ]
            field = lead_field(head, Path(folder) / "leadfield.h5", electrodes, conductor=conductor)
            own = solve_conduction(conductor, [own_montage(electrodes, name) for name in MONTAGES])
            for k, (name, montage) in enumerate(MONTAGES.items()):
                rows.append(
                    _row(
                        f"E, worst tissue, {name}, {model} electrodes, {attached} ({size}), "
                        "relative L2",
                        worst_tissue(field, montage, own, k),
                        1e-7,
                    )
                )
            rows.append(
                _row(
                    f"asymmetry of the resistance matrix, {model} electrodes ({size})",
                    field.asymmetry,
                    1e-7,
                )
            )
            rows.append(
                _row(
                    f"delivered currents, {model} electrodes ({size}), largest difference",
                    _mismatch(field),
                    1e-7,
                )
            )
    return rows


def own_montage(electrodes: Sequence[Electrode], name: str) -> Montage:
    """Return one of `MONTAGES`: of the ideal electrodes that carry current, or of all others."""
    montage = MONTAGES[name]
    used = tuple(e for e in electrodes if e.model != "ideal" or e.name in montage)
    return Montage(
        name=name, electrodes=used, currents=tuple(montage.get(e.name, 0.0) for e in used)
    )


def worst_tissue(
    field: LeadField, montage: Mapping[str, float], own: FieldBasis, source: int
) -> float:
    """Return the largest relative L2 difference of E in a tissue from a montage's own solution."""
    found = field.field(montage)
    exact = own.E[source] * sum(i for i in montage.values() if i > 0)
    return max(
        float(np.linalg.norm(found[inside] - exact[inside]) / np.linalg.norm(exact[inside]))
        for inside in (own.split_label == label for label in np.unique(own.split_label))
    )


def _mismatch(field: LeadField) -> float:
    """Return the largest difference (A) of delivered and asked current of the unit responses."""
    asked = np.eye(len(field.names))
    asked[:, field.names.index(field.reference)] -= 1.0
    return float(np.abs(field.delivered - asked).max())


def _row(quantity: str, value: float, limit: float) -> Row:
    return Row(
        case="leadfield-superposition",
        quantity=quantity,
        value=value,
        reference=0.0,
        error=value,
        limit=limit,
        unit="1",
        source="linearity; reciprocity; conservation of charge",
    )
