"""Targets: what of the field is wanted, as linear functionals of it.

Everything that is optimised is a row of numbers on the sources of a lead field or a field basis,
or a simple function of a few: the mean field in a region is three rows, its mean component along
given directions one. A row on the sources is the functional of their fields (`rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, as_numbers
from rheobase.fields.leadfield import LeadField
from rheobase.fields.recovery import SplitNodes, split_nodes
from rheobase.meshes.head import Head
from rheobase.meshes.locate import Locator
from rheobase.meshes.regions.region import Region, tissue_region

Floats = NDArray[np.float64]


class Functional(Protocol):
    """r numbers that depend linearly on the field at a few split nodes."""

    @property
    def name(self) -> str:
        """Name, for tables and messages."""
        ...

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Split nodes, shape (m,); one may come more than once."""
        ...

    @property
    def weighting(self) -> Floats:
        """W with c_r = sum over i, j of W[r, i, j] E_j(nodes[i]), shape (r, m, 3)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """The mean field over a piece of tissue, or its mean component along directions.

    Parameters
    ----------
    name
        Name, for tables and messages.
    nodes
        Split nodes (`rheobase.fields.recovery.split_nodes`), shape (m,).
    positions
        Where they are (m), shape (m, 3).
    weights
        Part of the mean that each has, shape (m,), >= 0, summing to 1.
    direction
        Unit vector, one or one for each node, shape (3,) or (m, 3); None for the mean vector.
    volume
        What the target holds (m³); 0 for points.

    Raises
    ------
    InputError
        If there is no node, shapes do not fit, the weights are no parts of 1, or a direction is
        not finite or has length 0. Directions of other lengths are scaled to 1.
    """

    name: str
    nodes: NDArray[np.int64]
    positions: Floats
    weights: Floats
    direction: Floats | None = None
    volume: float = 0.0

    def __post_init__(self) -> None:
        """Check shapes and weights; scale the direction."""
        m = len(self.nodes)
        if m == 0:
            raise InputError(f"expected a target that holds some of the tissue: {self.name!r}")
        if self.positions.shape != (m, 3) or self.weights.shape != (m,):
            raise InputError(
                f"expected a position and a weight for each of {m} nodes, got "
                f"{self.positions.shape} and {self.weights.shape}: target {self.name!r}"
            )
        if not ((self.weights >= 0).all() and abs(self.weights.sum() - 1) < 1e-9):
            raise InputError(f"expected weights >= 0 that sum to 1: target {self.name!r}")
        if self.direction is not None:
            d = as_numbers(self.direction, "direction")
            length = np.linalg.norm(d, axis=-1, keepdims=True)
            if d.shape not in {(3,), (m, 3)} or not (np.isfinite(d).all() and (length > 0).all()):
                raise InputError(
                    f"expected one direction of three numbers, not all 0, or one for each of {m} "
                    f"nodes, got shape {d.shape}: target {self.name!r}"
                )
            object.__setattr__(self, "direction", d / length)

    @property
    def weighting(self) -> Floats:
        """Weights of the field's components, shape (1, m, 3) along directions, else (3, m, 3)."""
        if self.direction is not None:
            return (self.weights[:, None] * self.direction)[None]
        return np.eye(3)[:, None] * self.weights[:, None]

    @property
    def centre(self) -> Floats:
        """Weighted mean position (m), shape (3,)."""
        centre: Floats = self.weights @ self.positions
        return centre

    def along(self, direction: ArrayLike) -> Target:
        """Return the target with the mean component along one direction, or one for each node.

        Parameters
        ----------
        direction
            Of any length but 0, shape (3,) or (m, 3).

        Raises
        ------
        InputError
            If the shape does not fit or a direction has length 0.
        """
        return replace(self, direction=as_numbers(direction, "direction"))

    def along_columns(self, head: Head) -> Target:
        """Return the target with the mean component into the cortex: from pia to white matter.

        Each node takes the column of the head's cortex whose middle is nearest.

        Raises
        ------
        InputError
            If the head has no cortical sheet.
        """
        from scipy.spatial import cKDTree

        if head.cortex is None:
            raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
        nearest = cKDTree(head.cortex.points(0.5)).query(self.positions)[1]
        return self.along(-head.cortex.normal[nearest])


def region_target(
    head: Head,
    region: Region,
    *,
    tissues: Sequence[str] = ("grey_matter",),
    levels: int = 1,
    split: SplitNodes | None = None,
) -> Target:
    """Return the mean field of a region within tissues, weighted by volume.

    Parameters
    ----------
    head
        The head.
    region
        The region (`rheobase.meshes.regions.region`: ball, mask, parcel, …; MNI or head space).
    tissues
        Names of the tissues that count.
    levels
        As in `Region.weights`.
    split
        Split nodes of the head's mesh if at hand (``lead_field.split``).

    Raises
    ------
    InputError
        If the region holds nothing of the tissues, or a tissue is unknown.
    """
    split = split_nodes(head.mesh) if split is None else split
    within = region & tissue_region(*tissues)
    size = within.weights(head, levels=levels) * head.mesh.volumes()
    tets = np.flatnonzero(size)
    if len(tets) == 0:
        raise InputError(
            f"expected a target that holds some of {', '.join(tissues)}, it holds none: region "
            f"{region.name!r}, head {head.name!r}"
        )
    corner = split.of_tet[tets].ravel()
    nodes, place = np.unique(corner, return_inverse=True)
    shared = np.bincount(place, np.repeat(size[tets] / 4.0, 4))
    return Target(
        name=region.name,
        nodes=nodes.astype(np.int64),
        positions=head.mesh.nodes[split.node[nodes]],
        weights=shared / shared.sum(),
        volume=float(size.sum()),
    )


def point_target(
    head: Head,
    points: ArrayLike,
    *,
    directions: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    name: str = "points",
    split: SplitNodes | None = None,
    locator: Locator | None = None,
) -> Target:
    """Return the mean field at points, interpolated within the tissue of each.

    Parameters
    ----------
    head
        The head.
    points
        Positions (m), shape (n, 3) or (3,).
    directions
        Directions of any length but 0, one or one for each point; None for the mean vector.
    weights
        Of the points, >= 0, shape (n,); equal if None.
    name
        Name.
    split, locator
        Of the head's mesh, if at hand.

    Raises
    ------
    InputError
        If a point is outside the mesh or shapes do not fit.
    """
    x = np.ascontiguousarray(np.atleast_2d(as_numbers(points, "points")))
    if x.ndim != 2 or x.shape[1] != 3 or len(x) == 0:
        raise InputError(f"expected points of three numbers, got shape {x.shape}: target {name!r}")
    w = np.ones(len(x)) if weights is None else as_numbers(weights, "weights")
    if w.shape != (len(x),) or not ((w >= 0).all() and np.isfinite(w).all() and w.any()):
        raise InputError(f"expected a weight >= 0 for each of {len(x)} points: target {name!r}")
    tet, part = (Locator(head.mesh) if locator is None else locator).locate(x)
    if (tet < 0).any():
        raise InputError(
            f"expected points inside the mesh, {np.count_nonzero(tet < 0)} of {len(x)} are not: "
            f"target {name!r}, head {head.name!r}"
        )
    split = split_nodes(head.mesh) if split is None else split
    nodes = split.of_tet[tet].ravel().astype(np.int64)
    shares = (w[:, None] * part).ravel().clip(min=0.0)  # on a face a part may be -1e-17
    target = Target(
        name=name,
        nodes=nodes,
        positions=head.mesh.nodes[split.node[nodes]],
        weights=shares / shares.sum(),
    )
    if directions is None:
        return target
    d = as_numbers(directions, "directions")
    return target.along(np.repeat(d, 4, axis=0) if d.shape == x.shape else d)


def rows(source: LeadField | FieldBasis, functional: Functional) -> Floats:
    """Return what each source does to a functional, shape (r, k).

    Parameters
    ----------
    source
        Lead field (k electrodes, V/m per A into the head) or field basis (k sources, V/m per unit).
    functional
        A `Target`, or another one.

    Returns
    -------
    ndarray, shape (r, k)
        With currents or amplitudes a, shape (k,), the functional is ``rows @ a``; for a lead field
        the currents must sum to 0, and the column of its reference is 0.

    Raises
    ------
    InputError
        If the target is on another mesh, or a node is not among those that the lead field keeps.
    """
    E = fields_at(source, functional)
    C: Floats = np.tensordot(functional.weighting, E, axes=([1, 2], [1, 2]))
    return C


def fields_at(source: LeadField | FieldBasis, functional: Functional) -> Floats:
    """Return the field of each source at the split nodes of a functional, shape (k, m, 3).

    Parameters
    ----------
    source, functional
        As for `rows`.

    Raises
    ------
    InputError
        As `rows` does.
    """
    nodes = functional.nodes
    if isinstance(source, FieldBasis):
        of_mesh, where = source.split_node, f"field basis of {', '.join(source.names[:4])}"
    else:
        of_mesh, where = source.split.node, f"lead field {source.path}"
    if not (nodes.min() >= 0 and nodes.max() < len(of_mesh)) or (
        isinstance(functional, Target)
        and not np.array_equal(source.mesh.nodes[of_mesh[nodes]], functional.positions)
    ):
        raise InputError(f"expected a target on the same mesh: {functional.name!r}, {where}")
    if isinstance(source, FieldBasis):
        return source.E[:, nodes]
    place = np.searchsorted(source.kept, nodes).clip(max=len(source.kept) - 1)
    missing = source.kept[place] != nodes
    if missing.any():
        raise InputError(
            f"expected nodes whose field is stored, {np.count_nonzero(missing)} of "
            f"{len(nodes)} are not: target {functional.name!r}, {where}"
        )
    return source.at(place)
