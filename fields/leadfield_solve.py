"""Solving for a lead field: in blocks, to a file that keeps what is finished.

The file holds float64: sums of unit responses cancel (neighbouring electrodes, a far reference),
and single precision would leave up to 1e-5 at single nodes. For the same reason the solutions go
down to a residual of 1e-9. All space is allocated when the file is made and filled in place, so a
run that is killed leaves it whole, with the electrodes that were finished.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import allocate, content_key, package_key, room_for, whole_file
from rheobase._progress import stage, track
from rheobase.fields.electrodes.electrode import Electrode, place_electrode
from rheobase.fields.electrodes.pads import Pad, check_apart, lay
from rheobase.fields.keys import head_parts
from rheobase.fields.leadfield import FORMAT, LeadField, load_lead_field, opened
from rheobase.fields.multigrid import WIDTH
from rheobase.fields.petsc_options import given
from rheobase.fields.solver import Conductor
from rheobase.fields.unit_currents import UnitCurrents, check_joined
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.placing.positions import OLD_NAMES
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.store import write_mesh

RTOL = 1e-9  # sums of unit responses cancel digits
_MOST = 4 * WIDTH  # electrodes solved for at a time
_AT_ONCE = 2  # fields in memory


def lead_field(
    head: Head,
    path: Path | str,
    electrodes: Sequence[Electrode | str] | None = None,
    *,
    reference: str | None = None,
    tissues: Sequence[str] | None = None,
    conductor: Conductor | None = None,
) -> LeadField:
    """Solve for the field of every electrode, or go on with a file that holds some of them.

    Parameters
    ----------
    head
        The head.
    path
        The file (HDF5). One that this call began and did not finish is gone on with; a finished
        one is returned.
    electrodes
        Electrodes, or names of 10-10 positions for ideal discs of 6 mm radius behind gel; all
        positions of the head if None (one name for each place). All are attached in every solution.
    reference
        The electrode that takes the unit currents out, the last one if None.
    tissues
        Names of the tissues whose field is stored, all if None. Potentials are stored everywhere.
    conductor
        Solver of this head where conductivities, tensors or a set-up at hand differ; its ``rtol``
        is used if it is below 1e-9.

    Returns
    -------
    LeadField

    Raises
    ------
    InputError
        If an electrode is unknown, off the head, comes twice or overlaps another, its layers are
        to be meshed, a tissue is unknown, or the file is another one or cannot be written.
    """
    path = Path(path)
    chosen = _electrodes(head, electrodes)
    names = tuple(e.name for e in chosen)
    reference = names[-1] if reference is None else reference
    ref = names.index(check_option("reference electrode", reference, names))
    labels = [head.label_of(t) for t in tissues] if tissues is not None else None
    if conductor is not None and conductor.mesh is not head.mesh:
        raise InputError(f"expected a conductor of this head's mesh: head {head.name!r}")
    scalp = Scalp(head.mesh)
    pads = [lay(e, scalp) for e in chosen]
    check_apart(chosen, pads, scalp, where=f"lead field {path}")
    key = _key(head, conductor, pads, [ref, labels])
    if path.exists() and _look(path, key):
        return load_lead_field(path)
    conductor = conductor or Conductor(head)
    work = _Work(conductor, pads, ref, labels)
    if not path.exists():
        work.create(path, key)
    work.go_on(path)
    return load_lead_field(path)


def _key(head: Head, conductor: Conductor | None, pads: Sequence[Pad], choice: list[Any]) -> str:
    """Return the key of everything that decides what the file holds."""
    sigma, tensors, rtol = None, None, RTOL
    if conductor is not None:
        sigma, tensors, rtol = conductor.sigma, conductor.tensors, min(RTOL, conductor.rtol)
    return content_key(
        package_key("rheobase.fields"),
        *head_parts(head, sigma=sigma, tensors=tensors),
        *(a for pad in pads for a in (pad.nodes, pad.m, pad.M.indices, pad.M.data)),
        [[pad.name, pad.model, pad.g] for pad in pads],
        [*choice, rtol, *given()],
    )


def _look(path: Path, key: str) -> bool:
    """Check that a file is the one to go on with; return whether it is finished."""
    with opened(path) as file:
        if file.attrs["key"] != key:
            raise InputError(
                "expected the lead field of this head, conductivities, electrodes and version, "
                f"got another one (delete it or choose another name): {path}"
            )
        return bool(file.attrs["finished"])


def _electrodes(head: Head, electrodes: Sequence[Electrode | str] | None) -> list[Electrode]:
    wanted: Sequence[Electrode | str] = all_places(head) if electrodes is None else list(electrodes)
    chosen = [
        e
        if isinstance(e, Electrode)
        else place_electrode(head, e, shape=Disc(radius_mm=6.0), model="ideal")
        for e in wanted
    ]
    if len(chosen) < 2:
        raise InputError(f"expected two or more electrodes, got {len(chosen)}: head {head.name!r}")
    seen: set[str] = set()
    for e in chosen:
        if e.name in seen:
            raise InputError(f"two electrodes are called {e.name!r}")
        seen.add(e.name)
        if e.model == "meshed":
            raise InputError(
                f"expected the ideal or the complete model in a lead field: electrode {e.name!r}"
            )
    return chosen


def all_places(head: Head) -> list[str]:
    """Return the names of the head's positions, one for each place; of T3 and T7 the newer one."""
    places: dict[tuple[float, ...], str] = {}
    for name, point in sorted(head.positions.items(), key=lambda item: item[0] in OLD_NAMES):
        places.setdefault(tuple(np.round(point, 4).tolist()), name)
    return list(places.values())


class _Work:
    """What is solved: 1 A from each pad into the reference, all pads attached."""

    def __init__(
        self, conductor: Conductor, pads: list[Pad], reference: int, labels: list[int] | None
    ) -> None:
        from numba import get_num_threads

        check_joined(conductor, pads)
        self.conductor = conductor
        self.pads = pads
        self.reference = reference
        self.units = UnitCurrents(conductor, pads)
        self.rtol = min(RTOL, conductor.rtol)
        self.kept = np.arange(len(conductor.split.node))
        if labels is not None:
            self.kept = np.flatnonzero(np.isin(conductor.split.label, labels))
        self.currents = np.eye(len(pads))
        self.currents[:, reference] -= 1.0
        self.batch = min(WIDTH * get_num_threads(), _MOST)

    def create(self, path: Path, key: str) -> None:
        """Make the file with all its space and nothing solved."""
        import h5py

        mesh = self.conductor.mesh
        n, n_nodes, n_kept = len(self.pads), len(mesh.nodes), len(self.kept)
        path.parent.mkdir(parents=True, exist_ok=True)
        room_for(path, 8 * n * (2 * n_nodes + 3 * n_kept) + 24 * n_nodes + 20 * len(mesh.tets))
        with whole_file(path) as part, h5py.File(part, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["key"] = key
            file.attrs["electrode_names"] = json.dumps([pad.name for pad in self.pads])
            file.attrs["reference"] = self.pads[self.reference].name
            file.attrs["finished"] = False
            file.attrs["anisotropic"] = np.unique(mesh.labels[self.conductor.tensors.tets])
            write_mesh(file, mesh)
            file["kept"] = self.kept
            for name in ("potential", "correction"):
                allocate(file, name, (n, n_nodes))
                file[name][self.reference] = np.zeros(n_nodes)
            allocate(file, "E", (n, n_kept, 3))
            file["E"][self.reference] = np.zeros((n_kept, 3))
            for name in ("voltage", "delivered", "power", "layers"):
                file[name] = np.zeros((n, n))
            file["iterations"] = np.zeros(n, dtype=np.int64)
            file["residual"] = np.zeros(n)
            file["done"] = np.arange(n) == self.reference

    def go_on(self, path: Path) -> None:
        """Solve for what the file lacks."""
        import h5py

        try:
            file = h5py.File(path, "r+")
        except OSError as error:
            raise InputError(f"cannot go on with a lead field: {error}: {path}") from None
        with file:
            missing = np.flatnonzero(~file["done"][:])
            batches = [missing[i : i + self.batch] for i in range(0, len(missing), self.batch)]
            if batches:
                out = self.units.solve([self.reference], rtol=self.rtol)[0]
                back = out, self.units.defects(out, [self.reference])
            for rows in track(batches, "lead field", total=len(batches)):
                self._solve(file, rows, *back)
            with stage("resistances and power"):
                self._finish(file)
            file.attrs["finished"] = True

    def _solve(
        self,
        file: Any,
        rows: NDArray[np.intp],
        reference: NDArray[np.float64],
        defect: NDArray[np.float64],
    ) -> None:
        """Solve for some electrodes and write them; only then are they done.

        ``reference`` and ``defect`` are potential and defect of the reference's unit current.
        """
        c, units = self.conductor, self.units
        V, solves = units.solve(rows, rtol=self.rtol)
        b = units.defects(V, rows)
        V -= reference
        b -= defect
        W = c.solve(b, contacts=units.contacts)[0]
        del b
        file["potential"][rows] = V
        file["correction"][rows] = W
        V += W
        del W
        for first in range(0, len(rows), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            file["E"][rows[some]] = -c.gradient(V[some])[:, self.kept]
        for k, row in enumerate(rows):
            file["iterations"][row] = solves[k].iterations
            file["residual"][row] = solves[k].residual
        file.flush()
        file["done"][rows] = True
        file.flush()

    def _finish(self, file: Any) -> None:
        """Write voltages, delivered currents, heat in the head and in the layers."""
        pads, currents, n = self.pads, self.currents, len(self.pads)
        potential = file["potential"]
        delivered, power = np.zeros((n, n)), np.zeros((n, n))
        at_pads = [np.zeros((n, len(pad.nodes))) for pad in pads]
        blocks = [slice(i, min(i + self.batch, n)) for i in range(0, n, self.batch)]
        for some in blocks:
            V = potential[some]
            flux = np.stack([self.conductor.apply(v) for v in V])
            for k, pad in enumerate(pads):
                at_pads[k][some] = V[:, pad.nodes]
                delivered[some, k] = flux[:, pad.enclosed].sum(axis=1)
            for rows in blocks:
                power[rows, some] = potential[rows] @ flux.T
        voltage, layers = np.zeros((n, n)), np.zeros((n, n))
        for k, (pad, V) in enumerate(zip(pads, at_pads, strict=True)):
            drop = currents[:, k] / (pad.g * pad.area)
            voltage[:, k] = V @ pad.m / pad.area + drop
            if pad.model == "ideal":
                layers += np.outer(drop, currents[:, k])
            else:
                across = voltage[:, k, None] - V
                layers += pad.g * across @ (pad.M @ across.T)
        for k, pad in enumerate(pads):  # what reaches a shared node through a neighbour is not its
            for m, (other, V) in enumerate(zip(pads, at_pads, strict=True)):
                shared = np.isin(other.nodes, pad.enclosed)
                if m != k and shared.any():
                    through = [other.flux(v, i) for v, i in zip(V, currents[:, m], strict=True)]
                    delivered[:, k] -= np.stack(through)[:, shared].sum(axis=1)
        file["voltage"][:] = voltage - voltage[:, self.reference, None]
        file["delivered"][:] = delivered
        file["power"][:] = power
        file["layers"][:] = layers
