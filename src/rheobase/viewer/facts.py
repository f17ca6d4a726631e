"""What is at a point of a result: value, unit, tissue, region, coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.scenes.scene import Layer, Scene

if TYPE_CHECKING:
    from rheobase.meshes.locate import Locator
    from rheobase.meshes.mesh import TetMesh
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.results import Result

Floats = NDArray[np.float64]
NEAR = 5e-3  # m; a place of a layer further from the point than this has no value there


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A quantity at a point, and what it was taken from ("mesh", "grid of 2 mm", …)."""

    label: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is at a point.

    Parameters
    ----------
    point
        In the space of the head (m).
    space
        Name of that space.
    mni
        In MNI space (m); None where the map is not known.
    tissue
        Name of the tissue; None outside the head or where it is not known.
    region
        The labelled region of the atlas, else the nearest labelled place and how far it is; None
        without any.
    values
        The quantities known there.
    """

    point: tuple[float, float, float]
    space: str
    mni: tuple[float, float, float] | None
    tissue: str | None
    region: str | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldMesh:
    """The mesh of a field with what is needed to look up a point."""

    mesh: TetMesh  # corners come once a tissue: values jump between tissues
    labelled: bool
    arrays: dict[str, NDArray[Any]]  # on the points
    locator: Locator

    @classmethod
    def of(cls, mesh: Any) -> FieldMesh:
        """Return that of a PyVista mesh (m) of tetrahedra.

        Raises
        ------
        InputError
            If it has no tetrahedra.
        """
        from rheobase.meshes.locate import Locator
        from rheobase.meshes.mesh import TetMesh

        tets = mesh.cells_dict.get(10) if hasattr(mesh, "cells_dict") else None
        if tets is None or len(tets) != mesh.n_cells:
            raise InputError("expected a field on tetrahedra")
        label = mesh.cell_data.get("label")
        labels = np.ones(len(tets)) if label is None else label
        own = TetMesh(
            nodes=np.asarray(mesh.points, dtype=np.float64),
            tets=np.asarray(tets, dtype=np.int32),
            labels=np.asarray(labels, dtype=np.int32),
        )
        return cls(
            mesh=own,
            labelled=label is not None,
            arrays={name: np.asarray(mesh.point_data[name]) for name in mesh.point_data},
            locator=Locator(own),
        )

    def at(self, point: Floats) -> tuple[int | None, dict[str, float]]:
        """Return tissue label (None outside) and the strength of each array at a point (m)."""
        tet, weight = self.locator.locate(point[None])
        if tet[0] < 0:
            return None, {}
        corners, w = self.mesh.tets[tet[0]], weight[0]
        found = {name: float(np.linalg.norm(w @ a[corners])) for name, a in self.arrays.items()}
        return (int(self.mesh.labels[tet[0]]) if self.labelled else None), found


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """Looks points up in a result, in the best source there is.

    Parameters
    ----------
    scene
        The scene: tissues and values of its volumes and layers.
    result
        Whose field file gives exact values, and whose study may name an atlas; None for a scene
        alone.
    moved
        The field of a device that was moved, in the place of the result's.
    """

    scene: Scene
    result: Result | None = None
    moved: FieldMesh | None = None

    @cached_property
    def mesh(self) -> FieldMesh | None:
        """The mesh of the field, None where the study wrote none."""
        if self.moved is not None:
            return self.moved
        if self.result is None:
            return None
        try:
            return FieldMesh.of(self.result.field())
        except InputError:
            return None

    @cached_property
    def atlas(self) -> Atlas | None:
        """The atlas that the study names, None without one."""
        if self.result is None or not (self.result.out / "study.toml").is_file():
            return None
        from rheobase.viewer.bench import field_study

        try:
            return field_study(self.result).results.read_atlas()
        except InputError:  # another kind of study, or its atlas is gone
            return None

    def at(self, point: ArrayLike) -> Facts:
        """Return what is at a point: see `facts_at`."""
        x = np.asarray(point, dtype=np.float64)
        if x.shape != (3,) or not np.isfinite(x).all():
            raise InputError(f"expected three finite coordinates (m), got {point!r}")
        mni = self._mni(x)
        tissue, values = self._volumes(x)
        if self.mesh is not None:
            label, found = self.mesh.at(x)
            known = self._tissues()
            tissue = known.get(label, tissue) if label is not None else tissue
            values = [*exact_values(found, self._units()), *values]
        values += self._layers(x)
        best = {v.label: v for v in reversed(values)}  # the first of each label is the most exact
        return Facts(
            point=_triple(x),
            space=self.scene.space,
            mni=None if mni is None else _triple(mni),
            tissue=tissue,
            region=self._region(x, mni),
            values=tuple(best[v] for v in dict.fromkeys(v.label for v in values)),
        )

    def _mni(self, x: Floats) -> Floats | None:
        if self.scene.to_mni is None:
            return None
        found: Floats = self.scene.to_mni(x[None])[0]
        return found if np.isfinite(found).all() else None

    def _tissues(self) -> dict[int, str]:
        quantity = next((q for v in volumes(self.scene) if (q := _labelled(v))), None)
        return {} if quantity is None else {k: c.name for k, c in quantity.categories.items() if k}

    def _units(self) -> dict[str, tuple[str, str]]:
        return {
            name: (q.label, q.unit)
            for layer in self.scene.layers
            for name, q in layer.quantities.items()
            if not q.categories
        }

    def _volumes(self, x: Floats) -> tuple[str | None, list[Value]]:
        tissue, values = None, []
        for volume in volumes(self.scene):
            voxel = voxel_of(volume, x)
            if voxel is None:
                continue
            source = f"grid of {1e3 * np.linalg.norm(_affine(volume)[:3, 0]):.3g} mm"
            for name, q in volume.quantities.items():
                value = volume.values(name)
                assert value is not None  # it has that name
                here = value[voxel]
                if q.categories:
                    known = q.categories.get(int(here))
                    tissue = known.name if known is not None and here else tissue
                elif np.isfinite(here):
                    values.append(
                        Value(label=q.label, value=float(here), unit=q.unit, source=source)
                    )
        return tissue, values

    def _layers(self, x: Floats) -> list[Value]:
        found = []
        for layer in self.scene.layers:
            of_field = layer.group in {"field", "cells", "network"}
            if not of_field or layer.kind == "arrows" or not len(layer.points):
                continue
            away = np.linalg.norm(layer.points - x, axis=1)
            near = int(away.argmin())
            if away[near] > NEAR:
                continue
            for name, q in layer.quantities.items():
                value = layer.values(name)
                assert value is not None  # it has that name
                if not q.categories and np.isfinite(value[near]):
                    found.append(
                        Value(
                            label=q.label,
                            value=float(value[near]),
                            unit=q.unit,
                            source=f"{layer.name}, {1e3 * away[near]:.1f} mm away",
                        )
                    )
        return found

    def _region(self, x: Floats, mni: Floats | None) -> str | None:
        if self.atlas is not None:
            place = mni if self.atlas.parcels.space == "MNI" else x
            label = 0 if place is None else int(self.atlas.parcels.at(place[None])[0])
            if label:
                return f"{self.atlas.names.get(label, str(label))} ({self.atlas.name})"
        return nearest_label(self.scene.layers, x)


def facts_at(source: Result | Scene | Probe, point: ArrayLike) -> Facts:
    """Return what is at a point of a result.

    Parameters
    ----------
    source
        A result, a scene, or a `Probe` of one, which keeps what it has read.
    point
        Position in the space of the head (m), shape (3,).

    Returns
    -------
    Facts
        Values come from the mesh of the field where the result has its file (linear within the
        tissue of the point), else from the voxel of the scene's grid that holds the point; those
        of surfaces and cells from their nearest place, at most 5 mm away.

    Raises
    ------
    InputError
        If the point is not three finite numbers.
    """
    if isinstance(source, Probe):
        return source.at(point)
    if isinstance(source, Scene):
        return Probe(scene=source).at(point)
    return Probe(scene=source.scene(), result=source).at(point)


#: What arrays of result files are in words, with their unit.
NAMES = {
    "magnE": ("E magnitude", "V/m"),
    "E": ("E magnitude", "V/m"),
    "maxTI": ("TI envelope, peak to peak", "V/m"),
    "TI": ("TI envelope, peak to peak", "V/m"),
    "max_carrier": ("largest carrier field", "V/m"),
}


def exact_values(found: dict[str, float], units: dict[str, tuple[str, str]]) -> list[Value]:
    """Return the values of the field's mesh in words, each quantity once.

    Parameters
    ----------
    found
        Value of each array of the file.
    units
        Label and unit of each quantity of the scene by its name.
    """
    values: dict[str, Value] = {}
    shown = dict(units.values())  # of a coil, "V/m at 1 A/µs"
    for name, value in sorted(found.items(), key=lambda item: item[0] == "E"):
        if not np.isfinite(value):
            continue  # of prepared responses, outside the tissues that they are kept for
        label, unit = NAMES.get(name) or units.get(name, (name, ""))
        unit = shown.get(label, unit)
        values.setdefault(label, Value(label=label, value=value, unit=unit, source="mesh"))
    return list(values.values())


def nearest_label(layers: Sequence[Layer], x: Floats) -> str | None:
    """Return the nearest place with a label (cell type, region) among layers and how far it is."""
    best, found = np.inf, None
    for layer in layers:
        named = [(n, q) for n, q in layer.quantities.items() if q.categories]
        if layer.kind == "volume" or not len(layer.points) or layer.group in {"head", "device"}:
            continue
        away = np.linalg.norm(layer.points - x, axis=1)
        near = int(away.argmin())
        if away[near] >= best or not (named or layer.group in {"cells", "network"}):
            continue
        words = layer.name
        for name, quantity in named:
            value = layer.values(name)
            assert value is not None  # it has that name
            known = quantity.categories.get(int(value[near]))
            words = known.name if known is not None else words
        best, found = float(away[near]), words
    return None if found is None else f"{found}, {1e3 * best:.1f} mm away"


def volumes(scene: Scene) -> list[Layer]:
    """Return the volumes of a scene."""
    return [layer for layer in scene.layers if layer.kind == "volume"]


def tissue_volume(scene: Scene) -> Layer | None:
    """Return the volume of tissues, None without one."""
    return next((v for v in volumes(scene) if _labelled(v)), None)


def field_volume(scene: Scene) -> Layer | None:
    """Return the volume of a field, one with vectors first; None without any."""
    amounts = [v for v in volumes(scene) if v.quantity is not None and not v.quantity.categories]
    return next((v for v in amounts if v.vectors is not None), next(iter(amounts), None))


def voxel_of(volume: Layer, x: Floats) -> tuple[int, int, int] | None:
    """Return the voxel that holds a point (m), None outside the volume."""
    assert volume.shape is not None  # Layer
    inverse = np.linalg.inv(_affine(volume))
    index = np.rint(inverse[:3, :3] @ x + inverse[:3, 3]).astype(int)
    if (index < 0).any() or (index >= volume.shape).any():
        return None
    i, j, k = index.tolist()
    return i, j, k


def _affine(volume: Layer) -> Floats:
    assert volume.affine is not None  # Layer
    return volume.affine


def _labelled(volume: Layer) -> Any:
    return next((q for q in volume.quantities.values() if q.categories), None)


def _triple(x: Floats) -> tuple[float, float, float]:
    a, b, c = x.tolist()
    return a, b, c


def facts_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return facts as rows of a table: what, and its value with the unit."""
    rows = [("tissue", facts.tissue or "outside the head")]
    if facts.region:
        rows.append(("region", facts.region))
    rows += [(v.label, f"{v.value:.4g} {v.unit}".strip() + f"  ({v.source})") for v in facts.values]
    rows.append(("x, y, z", _mm(facts.point)))
    if facts.space:
        rows.append(("space", facts.space))
    rows.append(("x, y, z in MNI", _mm(facts.mni) if facts.mni else "not known"))
    return rows


def _mm(x: tuple[float, float, float]) -> str:
    return ", ".join(f"{1e3 * c:.1f}" for c in x) + " mm"
