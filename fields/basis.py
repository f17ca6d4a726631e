"""The field basis: the response of a head to each unit source.

Every quasi-static device is linear: E(x, t) = sum_k a_k w_k(t) E_k(x). A basis holds the E_k, per
ampere through an electrode montage or per A/s of coil current; dose, steering and polarity are
algebra on the amplitudes a_k.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase.fields.recovery import SplitNodes
from rheobase.fields.report import SourceReport
from rheobase.meshes.head import Head
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.regions.statistics import weighted_percentiles
from rheobase.meshes.store import read_mesh, write_mesh

Unit = Literal["A", "A/s"]

#: Of the files of `FieldBasis.save`.
FORMAT = "rheobase field basis 3"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The largest field in a tissue: strength (V/m) and position (m), shape (3,)."""

    strength: float
    position: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldBasis:
    """Fields of unit sources in one head, recovered at the nodes within each tissue.

    Parameters
    ----------
    mesh
        The mesh.
    names
        Name of each source, k of them.
    unit
        Unit of a source: "A" (electrodes) or "A/s" (coil).
    E
        Field (V/m per unit), shape (k, n_split, 3), on split nodes: one value per (node, tissue)
        pair, so that it may jump where the conductivity does.
    potential
        Electric potential (V per unit), shape (k, n_nodes), zero at the ground node, as the
        elements solve it: energies, impedances and delivered currents belong to it.
    correction
        What was added to it before the field was recovered (V per unit; `fields.correction`), shape
        (k, n_nodes); None where nothing was.
    split_of_tet
        Split node of each corner of each tetrahedron, shape (n_tets, 4), int32.
    split_node, split_label
        Mesh node and tissue label of each split node, shape (n_split,), int32.
    report
        What each solution is worth, k of them.
    anisotropic
        Labels of the tissues with conductivity tensors, where fields are recovered otherwise.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """

    mesh: TetMesh
    names: tuple[str, ...]
    unit: Unit
    E: NDArray[np.float64]
    potential: NDArray[np.float64]
    split_of_tet: NDArray[np.int32]
    split_node: NDArray[np.int32]
    split_label: NDArray[np.int32]
    report: tuple[SourceReport, ...]
    anisotropic: tuple[int, ...]
    correction: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check that the shapes fit together."""
        k, n = len(self.names), len(self.split_node)
        expected = {
            "E": (self.E.shape, (k, n, 3)),
            "potential": (self.potential.shape, (k, len(self.mesh.nodes))),
            "split_of_tet": (self.split_of_tet.shape, self.mesh.tets.shape),
            "split_label": (self.split_label.shape, (n,)),
            "report": ((len(self.report),), (k,)),
        }
        if self.correction is not None:
            expected["correction"] = (self.correction.shape, self.potential.shape)
        for name, (got, want) in expected.items():
            if got != want:
                raise ValueError(f"{name} must have shape {want}, got {got}")

    @cached_property
    def locator(self) -> Locator:
        """Point location in the mesh, built on first use."""
        return Locator(self.mesh)

    @cached_property
    def split_volume(self) -> NDArray[np.float64]:
        """Volume each split node stands for (m³), shape (n_split,)."""
        from rheobase.fields._basis_numba import split_volumes

        volume: NDArray[np.float64] = split_volumes(
            self.mesh.volumes(), self.split_of_tet, len(self.split_node)
        )
        return volume

    @property
    def split_position(self) -> NDArray[np.float64]:
        """Position of each split node (m), shape (n_split, 3)."""
        position: NDArray[np.float64] = self.mesh.nodes[self.split_node]
        return position

    def at(
        self, points: ArrayLike, *, start: NDArray[np.int32] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return the fields at points, interpolated linearly within the tissue of each.

        Parameters
        ----------
        points
            Positions (m), shape (n, 3).
        start
            Tetrahedra to start the search from, as for `Locator.locate`.

        Returns
        -------
        E : ndarray, shape (k, n, 3)
            Field (V/m per unit source); NaN outside the mesh.
        tet : ndarray, shape (n,)
            Tetrahedron that holds each point, -1 outside.
        """
        from rheobase.fields._basis_numba import interpolate

        p = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
        tet, weight = self.locator.locate(p, start)
        E = np.empty((len(self.names), len(p), 3))
        interpolate(self.E, self.split_of_tet, tet, weight, E)
        return E, tet

    def interpolate(
        self, values: ArrayLike, points: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return a quantity at points, interpolated linearly within the tissue of each.

        Parameters
        ----------
        values
            The quantity at the split nodes (`magnitude`, an envelope …), shape (n_split,).
        points
            Positions (m), shape (n, 3).

        Returns
        -------
        values : ndarray, shape (n,)
            NaN outside the mesh.
        tet : ndarray, shape (n,)
            Tetrahedron that holds each point, -1 outside.
        """
        v = self.quantity(values)
        tet, weight = self.locator.locate(points)
        found: NDArray[np.float64] = np.einsum("ni,ni->n", v[self.split_of_tet[tet]], weight)
        found[tet < 0] = np.nan
        return found, tet

    def combine(self, amplitudes: ArrayLike) -> NDArray[np.float64]:
        """Return E = sum_k a_k E_k (V/m) at the split nodes, shape (n_split, 3).

        Parameters
        ----------
        amplitudes
            One amplitude per source, in ``unit``, shape (k,).
        """
        return np.tensordot(self.amplitude_vector(amplitudes), self.E, axes=1)

    def amplitude_vector(self, amplitudes: ArrayLike) -> NDArray[np.float64]:
        """Return amplitudes as numbers, shape (k,), or say that they do not fit the sources."""
        a = np.atleast_1d(as_numbers(amplitudes, "amplitudes"))
        if a.shape != (len(self.names),):
            raise InputError(
                f"expected {len(self.names)} amplitudes ({', '.join(self.names)}), got {a.size}"
            )
        if not np.isfinite(a).all():
            raise InputError(
                f"expected finite amplitudes ({', '.join(self.names)}), got {a.tolist()}"
            )
        return a

    def quantity(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return a quantity at the split nodes, shape (n_split,), or say that it is none."""
        v = as_numbers(values, "values")
        if v.shape != self.split_node.shape:
            raise InputError(
                f"expected a value for each of {len(self.split_node)} split nodes, got shape "
                f"{v.shape}"
            )
        if not np.isfinite(v).all():
            raise InputError(
                f"expected finite values, {np.count_nonzero(~np.isfinite(v))} of {len(v)} split "
                "nodes have others"
            )
        return v

    def check_head(self, head: Head) -> None:
        """Check that a head has the mesh of this basis.

        Raises
        ------
        InputError
            If it has another one.
        """
        if self.mesh is not head.mesh and not all(
            np.array_equal(getattr(self.mesh, a), getattr(head.mesh, a))
            for a in ("nodes", "tets", "labels")
        ):
            raise InputError(
                f"expected a basis on the mesh of the head, got another: {head.name!r}"
            )

    def magnitude(self, amplitudes: ArrayLike) -> NDArray[np.float64]:
        """Return |sum_k a_k E_k| (V/m) at the split nodes, shape (n_split,)."""
        size: NDArray[np.float64] = np.linalg.norm(self.combine(amplitudes), axis=1)
        return size

    def percentiles(
        self, strength: NDArray[np.float64], label: int, q: Sequence[float]
    ) -> NDArray[np.float64]:
        """Return volume-weighted percentiles of a quantity in one tissue.

        Parameters
        ----------
        strength
            The quantity at the split nodes, shape (n_split,).
        label
            Tissue label.
        q
            Percentages, each from 0 to 100.

        Returns
        -------
        ndarray, shape (len(q),)
        """
        inside = self._inside(label)
        strength = self.quantity(strength)
        return weighted_percentiles(strength[inside], self.split_volume[inside], q)

    def peak(self, strength: NDArray[np.float64], label: int) -> Peak:
        """Return the largest value of a quantity at the split nodes of a tissue, and where."""
        inside = self._inside(label)
        strength = self.quantity(strength)
        s = inside[int(strength[inside].argmax())]
        return Peak(strength=float(strength[s]), position=self.mesh.nodes[self.split_node[s]])

    def _inside(self, label: int) -> NDArray[np.intp]:
        inside = np.flatnonzero(self.split_label == label)
        if len(inside) == 0:
            raise InputError(
                f"no tetrahedra with label {label}, the mesh has {np.unique(self.mesh.labels)}"
            )
        return inside

    def index(self, name: str) -> int:
        """Return the place of the source called ``name``."""
        return self.names.index(check_option("source", name, self.names))

    def save(self, path: Path | str) -> None:
        """Write the basis to one HDF5 file; it appears only when complete.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        import h5py

        with whole_file(path) as part, h5py.File(part, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["unit"] = self.unit
            file.attrs["names"] = json.dumps(self.names)
            file.attrs["anisotropic"] = json.dumps(self.anisotropic)
            file.attrs["report"] = json.dumps([asdict(r) for r in self.report])
            write_mesh(file, self.mesh)
            for name in _ARRAYS:
                file.create_dataset(name, data=getattr(self, name))
            if self.correction is not None:
                file.create_dataset("correction", data=self.correction)


def as_numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return an array of numbers, or say that they are none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"expected numbers as {what}, got {str(values)[:60]}") from None


_ARRAYS = ("E", "potential", "split_of_tet", "split_node", "split_label")


def load_basis(path: Path | str, mesh: TetMesh | None = None) -> FieldBasis:
    """Read a basis that `FieldBasis.save` wrote.

    Parameters
    ----------
    path
        The file.
    mesh
        A mesh at hand: where the file has the same, the basis takes this one.

    Raises
    ------
    InputError
        If there is no such file, it is not a field basis, or one of an older format.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kind = str(file.attrs.get("format", ""))
            if kind != FORMAT:
                raise InputError(
                    f"expected a file of format {FORMAT!r}, got an older one, {kind!r}: "
                    f"solve anew: {path}"
                    if kind.startswith(FORMAT[:-1])
                    else f"expected a field basis, got another HDF5 file: {path}"
                )
            found = read_mesh(file, mesh)
            arrays = {n: file[n][:] for n in _ARRAYS}
            return FieldBasis(
                mesh=found,
                names=tuple(json.loads(file.attrs["names"])),
                unit=cast(Unit, file.attrs["unit"]),
                report=tuple(SourceReport.from_dict(r) for r in json.loads(file.attrs["report"])),
                anisotropic=tuple(json.loads(file.attrs["anisotropic"])),
                correction=file["correction"][:] if "correction" in file else None,
                **arrays,
            )
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"cannot read a field basis: {error}: {path}") from error


def make_basis(
    mesh: TetMesh,
    split: SplitNodes,
    *,
    names: Sequence[str],
    unit: Unit,
    E: NDArray[np.float64],
    potential: NDArray[np.float64],
    report: Sequence[SourceReport],
    anisotropic: Sequence[int],
    correction: NDArray[np.float64] | None = None,
) -> FieldBasis:
    """Put a basis together from recovered fields on the split nodes."""
    return FieldBasis(
        mesh=mesh,
        names=tuple(names),
        unit=unit,
        E=E,
        potential=potential,
        split_of_tet=split.of_tet,
        split_node=split.node,
        split_label=split.label,
        report=tuple(report),
        anisotropic=tuple(anisotropic),
        correction=correction,
    )
