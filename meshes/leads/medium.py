"""What surrounds a lead: the tissue and the conductivity tensor of any point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.meshes.head import Head
from rheobase.meshes.heads.tissue_labels import LabelOption, image_tissues, relabelled
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.regions.parcels import LabelImage
from rheobase.meshes.spaces import checked
from rheobase.meshes.tissues import Tissue

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]


class Medium(Protocol):
    """The tissue around a lead."""

    @property
    def tissues(self) -> Mapping[int, Tissue]:
        """Tissue of each label."""
        ...

    @property
    def bounds(self) -> Floats | None:
        """A box with all of it (m), shape (2, 3); None where it has no end."""
        ...

    def labels(self, points: ArrayLike) -> Labels:
        """Return the label of each point (m), shape (n,); 0 outside."""
        ...

    def tensors(self, points: ArrayLike) -> Floats | None:
        """Return the conductivity tensor over the tissue's conductivity at each point.

        Components xx, xy, xz, yy, yz, zz along the axes of the head, shape (n, 6); None where all
        is isotropic.
        """
        ...


class TetTensors(Protocol):
    """Relative conductivity tensors of some tetrahedra, as `rheobase.fields.tensors.Tensors`."""

    @property
    def values(self) -> Floats:
        """Components xx, xy, xz, yy, yz, zz, shape (m, 6)."""
        ...

    def rows(self, n_tets: int) -> NDArray[np.int32]:
        """Return the row of each tetrahedron in ``values``, -1 where isotropic."""
        ...


IDENTITY = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])


class HeadMedium:
    """The tissues of a head's mesh; see `from_head`."""

    def __init__(self, head: Head, tensors: TetTensors | None = None) -> None:
        from rheobase.meshes.locate import Locator

        self.tissues = head.tissues
        self._locator = Locator(head.mesh)
        self._labels = np.append(head.mesh.labels, np.int32(0))
        self._values: Floats | None = None
        if tensors is not None and len(tensors.values):
            self._values = np.concatenate([tensors.values, IDENTITY[None]])
            self._rows = np.append(tensors.rows(len(head.mesh.tets)), np.int32(-1))

    @property
    def mesh(self) -> TetMesh:
        """The mesh."""
        return self._locator.mesh

    @property
    def bounds(self) -> Floats:
        """See `Medium`."""
        nodes = self.mesh.nodes
        return np.stack([nodes.min(axis=0), nodes.max(axis=0)])

    def labels(self, points: ArrayLike) -> Labels:
        """See `Medium`."""
        tet = self._locator.tets(checked(points))
        return self._labels[tet]

    def tensors(self, points: ArrayLike) -> Floats | None:
        """See `Medium`."""
        if self._values is None:
            return None
        tet = self._locator.tets(checked(points))
        return self._values[self._rows[tet]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageMedium:
    """The tissues of a label image; see `from_image`."""

    image: LabelImage
    tissues: Mapping[int, Tissue]

    @property
    def bounds(self) -> Floats:
        """See `Medium`."""
        ends = np.array(self.image.values.shape) - 0.5
        corners = np.stack(np.meshgrid(*([-0.5, e] for e in ends), indexing="ij"), axis=-1)
        x = corners.reshape(-1, 3) @ self.image.affine[:3, :3].T + self.image.affine[:3, 3]
        return np.stack([x.min(axis=0), x.max(axis=0)])

    def labels(self, points: ArrayLike) -> Labels:
        """See `Medium`."""
        return self.image.at(checked(points))

    def tensors(self, points: ArrayLike) -> None:
        """See `Medium`."""
        return


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Balls:
    """Balls around one centre, each with its tissue; see `nested_spheres` and `uniform`."""

    tissues: Mapping[int, Tissue]
    radii: Floats
    centre: Floats = field(default_factory=lambda: np.zeros(3))

    @property
    def bounds(self) -> Floats | None:
        """See `Medium`."""
        if not np.isfinite(self.radii[-1]):
            return None
        return np.stack([self.centre - self.radii[-1], self.centre + self.radii[-1]])

    def labels(self, points: ArrayLike) -> Labels:
        """See `Medium`."""
        away = np.linalg.norm(checked(points) - self.centre, axis=1)
        shell = np.searchsorted(self.radii, away)
        return np.append(np.array(list(self.tissues), np.int32), np.int32(0))[shell]

    def tensors(self, points: ArrayLike) -> None:
        """See `Medium`."""
        return


def from_head(head: Head, tensors: TetTensors | None = None) -> HeadMedium:
    """Return the tissues of a head's mesh as a medium.

    Parameters
    ----------
    head
        The head.
    tensors
        Relative conductivity tensors of some of its tetrahedra
        (`rheobase.fields.anisotropy.conductivity_tensors`); all isotropic if None.
    """
    return HeadMedium(head, tensors)


def from_image(
    path: Path | str,
    *,
    labels: LabelOption = None,
    tissues: Mapping[str, Tissue] | None = None,
    needs: Sequence[str] = ("white_matter", "grey_matter"),
) -> ImageMedium:
    """Return the tissues of a label image as a medium: a point has the label of its voxel.

    Parameters
    ----------
    path
        Label image, as `rheobase.meshes.files.volumes.read_volume` reads it.
    labels, tissues
        As in `rheobase.meshes.heads.from_image.head_from_image`.
    needs
        Tissues that must be there.

    Raises
    ------
    InputError
        If the file is no label image, a label has no tissue, or a needed tissue does not occur.
    """
    from rheobase.meshes.heads.from_image import read_labels

    path = Path(path)
    values, affine = read_labels(path)
    table, _, _ = image_tissues(labels, values, path, tissues)
    own = relabelled(values, table, "voxels", str(path))
    present = {t.label: t for t in table.values() if t is not None and (own == t.label).any()}
    names = {t.name for t in present.values()}
    lacking = [name for name in needs if name not in names]
    if lacking:
        raise InputError(
            f"expected voxels of {' and '.join(lacking)}, the image has "
            f"{', '.join(sorted(names)) or 'no tissue'} only: {path}"
        )
    image = LabelImage(values=own, affine=affine, space="head")
    return ImageMedium(image=image, tissues=dict(sorted(present.items())))


def uniform(tissue: Tissue | float) -> Balls:
    """Return one tissue without end, with its own label; label 1 for a conductivity (S/m)."""
    one = _tissue(tissue, 1)
    return Balls(tissues={one.label: one}, radii=np.array([np.inf]))


def nested_spheres(
    radii: Sequence[float],
    tissues: Sequence[Tissue | float],
    centre: Sequence[float] = (0.0, 0.0, 0.0),
) -> Balls:
    """Return spherical shells as a medium; label 1 is the innermost, 0 beyond the last.

    Parameters
    ----------
    radii
        Outer radii (m), innermost first.
    tissues
        Tissue, or conductivity (S/m), of each.
    centre
        Their centre (m), shape (3,).

    Raises
    ------
    InputError
        If radii do not grow or do not fit the tissues.
    """
    r = np.array(radii, dtype=np.float64)
    c = np.array(centre, dtype=np.float64)
    if r.shape != (len(tissues),) or not len(r) or not (np.diff(r, prepend=0.0) > 0).all():
        raise InputError(
            f"expected a growing radius (m) for each of {len(tissues)} tissues, got {r.tolist()}"
        )
    if c.shape != (3,) or not np.isfinite(c).all():
        raise InputError(f"expected a centre of three finite numbers, got {centre}")
    shells = {k: _tissue(t, k) for k, t in enumerate(tissues, start=1)}
    return Balls(tissues=shells, radii=r, centre=c)


def _tissue(given: Tissue | float, label: int) -> Tissue:
    if isinstance(given, Tissue):
        return given
    check_positive("conductivity (S/m)", given)
    plain: Any = Tissue(name=f"conductor {label}", label=label)
    made: Tissue = plain.with_value("conductivity", given, source="given with the call")
    return made
