"""A square electrode on the pia of flat cortex.

The electrode feeds its current evenly into the grey matter; its back is insulated. Beside it CSF
covers the pia, to some height, under an insulator (air, silicone, bone). Far away the current goes
on as that of a point source would: on the sides and the bottom of the box it leaves with the
density of sigma r/r³. For a uniform half-space that is exact but for the size of the electrode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import Conductor
from rheobase.meshes.grid import graded, mesh_grid
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]

_SPREAD = 3.6  # steps away from the electrode grow by this over their number along its side
_STEPS = 16  # along its side
_COARSEST = 1.5  # the largest step through the grey matter is its thickness times this over steps
_WIDE, _MARGIN = 6.0, 5e-3  # half width of the box: so many sides and so much (m)


@dataclass(frozen=True, kw_only=True, slots=True)
class CorticalElectrode:
    """A square electrode on the pia, at z = 0 around the origin, and the layers below it.

    Parameters
    ----------
    side
        Of the square (m).
    thickness
        Of the grey matter (m).
    csf
        Height of the CSF beside the electrode (m); 0 for none.
    sigma
        Conductivity (S/m) of "csf", "grey_matter" and "white_matter".
    steps
        Steps of the grid along the side; more of them also grow less beside and below it.

    Raises
    ------
    InputError
        If a length or a conductivity is not > 0 (the CSF's height: >= 0).
    """

    side: float
    thickness: float
    csf: float
    sigma: dict[str, float]
    steps: int = _STEPS

    def __post_init__(self) -> None:
        """Refuse lengths and conductivities that make no sense."""
        for name, value in {"side": self.side, "thickness": self.thickness, **self.sigma}.items():
            if not 0 < value < np.inf:
                raise InputError(f"{name} must be > 0, got {value!r}: electrode on the pia")
        if not 0 <= self.csf < np.inf:
            raise InputError(f"csf must be >= 0 m, got {self.csf!r}: electrode on the pia")

    @property
    def half_width(self) -> float:
        """Half the width of the box, and its depth below the grey matter (m)."""
        return _WIDE * self.side + _MARGIN

    def mesh(self) -> TetMesh:
        """Return the mesh of the box, the electrode and its back left out."""
        step, half = self.side / self.steps, 0.5 * self.side
        growth = 1 + _SPREAD / self.steps
        out = half + graded(self.half_width - half, step, growth)
        x = np.concatenate([-out[::-1], np.linspace(-half, half, self.steps + 1), out])
        most = _COARSEST * self.thickness / self.steps
        grey = graded(self.thickness, min(0.5 * step, most), growth, most=most)
        last = grey[-1] - grey[-2] if len(grey) > 1 else grey[-1]
        white = self.thickness + graded(self.half_width, last, growth)
        csf = graded(self.csf, step, growth) if self.csf > 0 else np.empty(0)
        z = np.concatenate([-white[::-1], -grey[::-1], [0.0], csf])
        middle = 0.5 * (z[1:] + z[:-1])
        csf_, grey_, white_ = (tissue(n).label for n in ("csf", "grey_matter", "white_matter"))
        label = np.select([middle > 0, middle > -self.thickness], [csf_, grey_], white_)
        labels = np.tile(label, (len(x) - 1, len(x) - 1, 1))
        under = np.abs(0.5 * (x[1:] + x[:-1])) < half
        labels[np.ix_(under, under, middle > 0)] = 0
        return mesh_grid(x, x, z, labels)

    def solve(self) -> FieldBasis:
        """Return the field of 1 A out of the electrode (an anode; unit "A")."""
        conductor = Conductor(
            self.mesh(), {tissue(name).label: value for name, value in self.sigma.items()}
        )
        load = self._load(conductor)
        V, (solve,) = conductor.solve(load)
        power = float(V[0] @ conductor.apply(V[0]))
        fed = float(load @ V[0])
        report = SourceReport(
            power=power,
            energy_balance=abs(fed - power) / fed,
            iterations=solve.iterations,
            residual=solve.residual,
        )
        return make_basis(
            conductor.mesh,
            conductor.split,
            names=["electrode"],
            unit="A",
            E=-conductor.gradient(V),
            potential=V,
            report=[report],
            anisotropic=(),
        )

    def _load(self, conductor: Conductor) -> Floats:
        """Return the current into each node (A): 1 A through the square, and out far away."""
        mesh, half, far = conductor.mesh, 0.5 * self.side, self.half_width
        faces, tet = mesh.outer_faces()
        corner = mesh.nodes[faces]
        normal = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        area, middle = np.linalg.norm(normal, axis=1), corner.mean(axis=1)
        slack = 1e-9 * far
        square = (np.abs(corner[:, :, 2]) < slack).all(axis=1)
        square &= (np.abs(middle[:, :2]) < half).all(axis=1)
        side = (np.abs(np.abs(corner[:, :, :2]) - far) < slack).all(axis=1).any(axis=1)
        bottom = (np.abs(corner[:, :, 2] + self.thickness + far) < slack).all(axis=1)
        out = np.where(side | bottom, np.abs((middle * normal).sum(axis=1)), 0.0)
        out *= conductor.sigma_of_tet[tet] / np.linalg.norm(middle, axis=1) ** 3
        current = np.where(square, area, 0.0) / area[square].sum() - out / out.sum()
        load: Floats = np.bincount(
            faces.ravel(), np.repeat(current / 3, 3), minlength=len(mesh.nodes)
        )
        return load
