"""The lead field: the response of a head to each electrode, and every montage as algebra on it.

Electrode k carries 1 A into the head and the reference takes it out. With V_k, E_k the potential
and field of that, any currents I_k that sum to zero give

    V = sum_k I_k V_k,   E = sum_k I_k E_k   (V_ref = E_ref = 0),

corrections and recovered fields included: row k is the unit current of electrode k less that of the
reference (`rheobase.fields.unit_currents`), which is how montages are solved on their own. Ideal
electrodes prescribe the current density under them and do nothing where they carry none; those of
the complete model are metal, and shunt the current in the scalp even where they carry none. The own
solution of a montage is then the one with all electrodes of the lead field attached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.recovery import SplitNodes, recover_gradient, split_nodes
from rheobase.fields.report import SourceReport
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.store import read_mesh

FORMAT = "rheobase lead field 1"

_ARRAYS = (
    *("potential", "correction", "E"),
    *("voltage", "delivered", "power", "layers", "iterations", "residual", "done"),
)  # one row an electrode


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadField:
    """A finished lead field on disk; fields are read where they are asked for.

    Parameters
    ----------
    path
        The file.
    names
        Names of the electrodes, n of them.
    reference
        The electrode that takes every unit current out.
    mesh
        The mesh.
    kept
        Split nodes (`rheobase.fields.recovery.split_nodes`) that have a stored field, ascending,
        shape (n_kept,).
    anisotropic
        Labels of the tissues with conductivity tensors.
    voltage
        Voltage of electrode l (V) against the reference at unit current k, shape (n, n): the
        resistance matrix (ohm), symmetric by reciprocity.
    delivered
        Current (A) into the head through electrode l at unit current k, as the flux of the
        solution, shape (n, n).
    power
        Heat in the head, ∫ sigma E_k · E_l (W), shape (n, n).
    layers
        Heat in the layers of the electrodes in the same way (W), shape (n, n).
    iterations, residual
        Of each solution, shape (n,); 0 for the reference.
    """

    path: Path
    names: tuple[str, ...]
    reference: str
    mesh: TetMesh
    kept: NDArray[np.int64]
    anisotropic: tuple[int, ...]
    voltage: NDArray[np.float64] = field(repr=False)
    delivered: NDArray[np.float64] = field(repr=False)
    power: NDArray[np.float64] = field(repr=False)
    layers: NDArray[np.float64] = field(repr=False)
    iterations: NDArray[np.int64] = field(repr=False)
    residual: NDArray[np.float64] = field(repr=False)

    @cached_property
    def split(self) -> SplitNodes:
        """The split nodes of the mesh."""
        return split_nodes(self.mesh)

    @property
    def asymmetry(self) -> float:
        """Largest departure of the resistance matrix from symmetry, relative to its largest."""
        return float(np.abs(self.voltage - self.voltage.T).max() / np.abs(self.voltage).max())

    def currents(self, montage: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the current (A) of every electrode of a montage, shape (n,).

        Parameters
        ----------
        montage
            Current (A) into the head by electrode; those not named carry none.

        Raises
        ------
        InputError
            If an electrode is unknown, or the currents do not sum to zero or are all zero.
        """
        currents = np.zeros(len(self.names))
        for name, current in montage.items():
            check_option("electrode", name, self.names, where=f"lead field {self.path}")
            currents[self.names.index(name)] = float(current)
        size = float(np.abs(currents).sum())
        if not (np.isfinite(size) and size > 0):
            raise InputError(f"expected currents that are not all 0, got {dict(montage)!r}")
        if not abs(currents.sum()) <= 1e-9 * size:
            raise InputError(
                f"current sums to {currents.sum() * 1e3:g} mA, must be 0: {', '.join(montage)}"
            )
        return currents

    def field(self, montage: Mapping[str, float]) -> NDArray[np.float64]:
        """Return E (V/m) of a montage at the ``kept`` split nodes, shape (n_kept, 3).

        Parameters
        ----------
        montage
            As in `currents`.

        Raises
        ------
        InputError
            As `currents` does, or if the file cannot be read.
        """
        return self._sum("E", self.currents(montage))

    def potential(self, montage: Mapping[str, float]) -> NDArray[np.float64]:
        """Return V (V) of a montage at every node, zero at the ground, shape (n_nodes,).

        It is the solution of the elements, before its correction.
        """
        return self._sum("potential", self.currents(montage))

    def at(self, index: ArrayLike) -> NDArray[np.float64]:
        """Return the fields of all unit currents at some of the kept split nodes.

        Parameters
        ----------
        index
            Places in ``kept``, shape (m,).

        Returns
        -------
        ndarray, shape (n, m, 3)
            V/m per A; the row of the reference is 0.
        """
        chosen = np.asarray(index, dtype=np.int64)
        with opened(self.path) as file:
            E = file["E"]
            size = E.chunks[1]
            out = np.empty((len(self.names), len(chosen), 3))
            for first in np.unique(chosen // size) * size:  # only the chunks that hold some
                mine = np.flatnonzero(chosen // size == first // size)
                for k in range(len(self.names)):
                    out[k, mine] = E[k, first : first + size][chosen[mine] - first]
            return out

    def potential_at(self, nodes: ArrayLike) -> NDArray[np.float64]:
        """Return V (V per A) of all unit currents at some nodes, shape (n, m), as `potential`."""
        with opened(self.path) as file:
            rows = file["potential"]
            return np.stack([rows[k][np.asarray(nodes)] for k in range(len(self.names))])

    def blocks(self, text: str) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield the fields of all unit currents, a block of kept split nodes after the other.

        Parameters
        ----------
        text
            What they are read for, to show beside the progress.

        Yields
        ------
        some : slice
            Of ``kept``.
        E : ndarray, shape (n, m, 3)
            V/m per A.
        """
        with opened(self.path) as file:
            E = file["E"]
            size = E.chunks[1]
            starts = range(0, len(self.kept), size)
            for first in track(starts, text, total=len(starts)):
                some = slice(first, min(first + size, len(self.kept)))
                yield some, E[:, some]

    def voltages(self, montage: Mapping[str, float]) -> dict[str, float]:
        """Return the voltage (V) of every electrode against the reference."""
        U = self.currents(montage) @ self.voltage
        return dict(zip(self.names, U.tolist(), strict=True))

    def impedance(self, one: str, other: str) -> float:
        """Return the voltage between two electrodes per current from one to the other (ohm)."""
        I = self.currents({one: 1.0, other: -1.0})  # noqa: E741
        return float(I @ self.voltage @ I)

    def basis(self, montages: Mapping[str, Mapping[str, float]]) -> FieldBasis:
        """Return the field basis of montages, per ampere of total current, in all tissues.

        Parameters
        ----------
        montages
            Montages by name, each as in `currents`.

        Raises
        ------
        InputError
            As `currents` does, or if there is no montage.
        """
        if not montages:
            raise InputError("expected at least one montage, got none")
        currents = np.stack([self.currents(m) for m in montages.values()])
        currents /= np.where(currents > 0, currents, 0.0).sum(axis=1, keepdims=True)
        V, W = (
            np.stack([self._sum(name, row) for row in currents])
            for name in ("potential", "correction")
        )
        if len(self.kept) == len(self.split.node):
            E = np.stack([self._sum("E", row) for row in currents])
        else:
            E = -recover_gradient(self.mesh, self.split, V + W, anisotropic=self.anisotropic)
        return make_basis(
            self.mesh,
            self.split,
            names=list(montages),
            unit="A",
            E=E,
            potential=V,
            report=[self._report(row) for row in currents],
            anisotropic=self.anisotropic,
            correction=W,
        )

    def _report(self, currents: NDArray[np.float64]) -> SourceReport:
        chosen = np.flatnonzero(currents)
        some = currents[chosen]
        U = (currents @ self.voltage)[chosen]
        fed, heat, lost = (
            float(currents @ M @ currents) for M in (self.voltage, self.power, self.layers)
        )
        own = np.diag(self.voltage)[chosen]
        pairs = own[:, None] + own - 2 * self.voltage[np.ix_(chosen, chosen)]
        return SourceReport(
            power=heat,
            energy_balance=abs(fed - heat - lost) / fed,
            iterations=int(self.iterations[chosen].max()),
            residual=float(self.residual[chosen].max()),
            electrodes=tuple(self.names[k] for k in chosen),
            asked=tuple(some.tolist()),
            delivered=tuple((currents @ self.delivered)[chosen].tolist()),
            voltages=tuple((U - U.mean()).tolist()),
            impedance=fed,
            pair_impedance=tuple(map(tuple, ((pairs + pairs.T) / 2).tolist())),
            asymmetry=self.asymmetry,
        )

    def _sum(self, name: str, currents: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sum_k I_k of the rows of a stored array."""
        with opened(self.path) as file:
            rows = file[name]
            out = np.zeros(rows.shape[1:])
            for k in np.flatnonzero(currents):
                out += currents[k] * rows[k]
        return out


def load_lead_field(path: Path | str) -> LeadField:
    """Read what `rheobase.fields.leadfield_solve.lead_field` wrote.

    Raises
    ------
    InputError
        If there is no such file, it is no lead field, or it is not finished.
    """
    path = Path(path)
    with opened(path) as file:
        done = file["done"][:]
        if not file.attrs["finished"]:
            raise InputError(
                f"the lead field holds {np.count_nonzero(done)} of {len(done)} electrodes: "
                f"call lead_field again to finish it: {path}"
            )
        matrices = {n: file[n][:] for n in ("voltage", "delivered", "power", "layers")}
        return LeadField(
            path=path,
            names=tuple(json.loads(file.attrs["electrode_names"])),
            reference=str(file.attrs["reference"]),
            mesh=read_mesh(file),
            kept=file["kept"][:],
            anisotropic=tuple(file.attrs["anisotropic"].tolist()),
            iterations=file["iterations"][:],
            residual=file["residual"][:],
            **matrices,
        )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a lead field for reading; what h5py says of a damaged one becomes a sentence."""
    import h5py

    if path.is_dir():
        raise InputError(f"expected a lead field, found a directory: {path}")
    if not path.is_file():
        raise InputError(f"expected a lead field, found no file: {path}")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"expected a file of format {FORMAT!r}: {path}")
            n = len(json.loads(file.attrs["electrode_names"]))
            for name in _ARRAYS:
                if len(file[name]) != n:
                    raise InputError(
                        f"expected {n} electrodes in {name!r}, got {len(file[name])}: {path}"
                    )
            yield file
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read a lead field: {error}: {path}") from error
