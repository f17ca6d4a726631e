"""What is solved for in one sample: the unit currents of electrodes, or the load of coils.

Both give right-hand sides for the potentials, say how these make up the k fields and where they are
singular; a sample's placement is one of the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.assembly import tissue_index
from rheobase.fields.basis import Unit
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import check_clear
from rheobase.fields.contacts import Contacts
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import Pad, lay_montage
from rheobase.fields.multigrid import WIDTH
from rheobase.fields.solver import Conductor
from rheobase.fields.uncertainty.inputs import CoilShift, ElectrodeShift, Inputs
from rheobase.fields.uncertainty.placements import shifted_coil, shifted_electrode
from rheobase.fields.unit_currents import UnitCurrents, check_joined
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.scalp import Scalp

Floats = NDArray[np.float64]

WAVE = 2 * WIDTH  # samples solved together


class Sources(Protocol):
    """The sources of one sampling.

    Attributes
    ----------
    names
        Names of the sources, k of them.
    unit
        Their unit.
    mixing
        What the k sources take of the m solutions, shape (k, m).
    """

    names: tuple[str, ...]
    unit: Unit
    mixing: Floats

    def key(self) -> list[Any]:
        """Return plain values and bytes that tell these sources from others."""
        ...

    def loads(self, conductor: Conductor, sample: int, sigma: Floats) -> Floats:
        """Return the right-hand sides of a sample (A), shape (m, n_nodes)."""
        ...

    def contacts(self, conductor: Conductor, sample: int) -> list[Contacts | None]:
        """Return the contacts of each of the k sources."""
        ...

    def of_solution(self) -> list[int]:
        """Return the source that each of the m solutions belongs to."""
        ...

    def singular(self, conductor: Conductor, sample: int) -> list[NDArray[np.int32] | None]:
        """Return the nodes where each of the m solutions is singular."""
        ...

    def applied(self, sample: int, nodes: NDArray[np.integer]) -> Floats | float:
        """Return the field (V/m) that is there without charges, shape (k, n, 3), or 0."""
        ...


class ElectrodeSources:
    """Montages at 1 A of total current, the electrodes at their places or around them.

    Parameters
    ----------
    mesh
        The mesh.
    montages
        The montages.
    inputs, x
        The random inputs and their samples, shape (n, d).

    Raises
    ------
    InputError
        If an input is not about these electrodes; if in a sample an electrode hangs over an edge of
        the scalp or two of them overlap; if layers are to be meshed.
    """

    unit: Unit = "A"

    def __init__(
        self, mesh: TetMesh, montages: Sequence[Montage], inputs: Inputs, x: Floats
    ) -> None:
        self.names = tuple(m.name for m in montages)
        self._electrodes = [e for m in montages for e in m.electrodes]
        if any(e.model == "meshed" for e in self._electrodes):
            raise InputError(
                "expected the ideal or the complete model where fields are sampled: montage "
                f"{', '.join(self.names)}"
            )
        columns = _columns(inputs, ElectrodeShift, "electrode", [e.name for e in self._electrodes])
        counts = [len(m.electrodes) for m in montages]
        self._source = np.repeat(np.arange(len(montages)), counts).tolist()
        self.mixing = np.zeros((len(montages), sum(counts)))
        for k, montage in enumerate(montages):
            own = [i for i, source in enumerate(self._source) if source == k]
            self.mixing[k, own] = np.array(montage.currents) / montage.amplitude
        scalp = Scalp(mesh)
        self._laid = [[lay_montage(m, scalp) for m in montages]]
        for values in x if columns else ():
            self._laid.append([self._lay(m, scalp, columns, values) for m in montages])
        self._units: dict[int, list[UnitCurrents]] = {}

    def _lay(
        self,
        montage: Montage,
        scalp: Scalp,
        columns: list[tuple[int, str, str]],
        values: Floats,
    ) -> list[Pad]:
        moved = []
        for e in montage.electrodes:
            shift = {axis: float(values[i]) for i, name, axis in columns if name == e.name}
            moved.append(shifted_electrode(e, scalp, shift) if shift else e)
        try:
            return lay_montage(replace(montage, electrodes=tuple(moved)), scalp)
        except InputError as error:
            told = ", ".join(f"{name} {axis} {values[i]:.3g}" for i, name, axis in columns)
            raise InputError(f"{error}, in a sample with {told}") from None

    def _of(self, conductor: Conductor, sample: int) -> list[UnitCurrents]:
        """Return the unit currents of each montage in a sample."""
        place = sample + 1 if len(self._laid) > 1 else 0
        if place not in self._units:
            if place:
                self._units.clear()
            for pads in self._laid[place]:
                check_joined(conductor, pads)
            self._units[place] = [UnitCurrents(conductor, pads) for pads in self._laid[place]]
        return self._units[place]

    def key(self) -> list[Any]:
        """Return plain values and bytes that tell these sources from others."""
        parts: list[Any] = [list(self.names), self.mixing.tolist()]
        for pad in (pad for pads in self._laid[0] for pad in pads):
            parts += [pad.name, pad.model, pad.g, pad.nodes.tobytes(), pad.m.tobytes()]
        return parts

    def loads(self, conductor: Conductor, sample: int, sigma: Floats) -> Floats:
        """Return the right-hand sides of the unit currents (A), shape (m, n_nodes)."""
        units = self._of(conductor, sample)
        return np.concatenate([u.loads(range(len(u.pads))) for u in units])

    def contacts(self, conductor: Conductor, sample: int) -> list[Contacts | None]:
        """Return the contacts of each montage."""
        return [u.contacts for u in self._of(conductor, sample)]

    def of_solution(self) -> list[int]:
        """Return the montage of each electrode."""
        return list(self._source)

    def singular(self, conductor: Conductor, sample: int) -> list[NDArray[np.int32] | None]:
        """Return the nodes under each electrode and attached metal."""
        return [
            nodes for u in self._of(conductor, sample) for nodes in u.singular(range(len(u.pads)))
        ]

    def applied(self, sample: int, nodes: NDArray[np.integer]) -> Floats | float:
        """Return 0: all of the field is that of charges."""
        return 0.0


class CoilSources:
    """Coils at 1 A/s, at their poses or around them.

    Parameters
    ----------
    mesh
        The mesh.
    coils
        The coils, in head coordinates.
    inputs, x
        The random inputs and their samples, shape (n, d).

    Raises
    ------
    InputError
        If an input is not about these coils or a coil reaches into the head.
    """

    unit: Unit = "A/s"

    def __init__(self, mesh: TetMesh, coils: Sequence[Coil], inputs: Inputs, x: Floats) -> None:
        self.names = tuple(c.name for c in coils)
        self.mixing = np.eye(len(coils))
        self._mesh, self._coils = mesh, list(coils)
        self._columns = _columns(inputs, CoilShift, "coil", [*self.names, ""])
        self._x = x
        self._scalp = Scalp(mesh)
        for c in coils:
            check_clear(c, self._scalp)
        self._potentials: dict[int, Floats] = {}

    def _potential(self, sample: int) -> Floats:
        """Return dA/dt of each coil at the nodes (V/m), shape (k, n_nodes, 3)."""
        place = sample if self._columns else 0
        if place not in self._potentials:
            if len(self._potentials) == WAVE:
                self._potentials.clear()
            coils = [self._placed(c, sample) for c in self._coils]
            self._potentials[place] = np.stack(
                [c.vector_potential(self._mesh.nodes) for c in coils]
            )
        return self._potentials[place]

    def _placed(self, coil: Coil, sample: int) -> Coil:
        shift = {
            axis: float(self._x[sample, i])
            for i, name, axis in self._columns
            if name in ("", coil.name)
        }
        return shifted_coil(coil, self._scalp, shift) if shift else coil

    def key(self) -> list[Any]:
        """Return plain values and bytes that tell these sources from others."""
        some = self._mesh.nodes[::101]
        parts: list[Any] = [list(self.names)]
        for c in self._coils:
            parts += [c.pose.tobytes(), c.vector_potential(some).tobytes()]
        return parts

    def loads(self, conductor: Conductor, sample: int, sigma: Floats) -> Floats:
        """Return the right-hand sides (A) at conductivities of the labels, shape (k, n_nodes)."""
        from rheobase.fields._assembly_numba import vector_load

        mesh, tensors = conductor.mesh, conductor.tensors
        tissue = tissue_index(mesh.labels)[1]
        load: Floats = vector_load(
            mesh.nodes,
            mesh.tets,
            sigma[tissue],
            tensors.rows(len(mesh.tets)),
            tensors.values,
            self._potential(sample),
        )
        return load

    def contacts(self, conductor: Conductor, sample: int) -> list[Contacts | None]:
        """Return no contacts."""
        return [None] * len(self._coils)

    def of_solution(self) -> list[int]:
        """Return that each solution is of its own coil."""
        return list(range(len(self._coils)))

    def singular(self, conductor: Conductor, sample: int) -> list[NDArray[np.int32] | None]:
        """Return that no solution is singular."""
        return [None] * len(self._coils)

    def applied(self, sample: int, nodes: NDArray[np.integer]) -> Floats | float:
        """Return -dA/dt at mesh nodes (V/m), shape (k, n, 3)."""
        return -self._potential(sample)[:, nodes]


def _columns(
    inputs: Inputs, kind: type, what: str, names: Sequence[str]
) -> list[tuple[int, str, str]]:
    """Return place, name and axis of the shifts among inputs, checked to be of what is there."""
    found = []
    for i, one in enumerate(inputs.inputs):
        if isinstance(one, (ElectrodeShift, CoilShift)):
            if not isinstance(one, kind):
                raise InputError(
                    f"expected random places of {what}s, got {one.name!r}: sources "
                    f"{', '.join(n for n in names if n)}"
                )
            name = one.electrode if isinstance(one, ElectrodeShift) else one.coil
            check_option(what, name, names, where="random inputs")
            found.append((i, name, str(one.axis)))
    return found
