"""The file of a study of focused ultrasound."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import check_option
from rheobase.tables.base import Coordinates, FilePath, Table
from rheobase.tables.fus_device import DriveTable, PlacementTable, TransducerTable
from rheobase.tables.fus_effect import ExposureTable, HeatTable, NeuronTable
from rheobase.tables.head import HeadTable
from rheobase.tables.target import BRAIN_MM, known_targets

RADIUS_MM = 3.0  # of a target without one
Width = Annotated[float, Field(gt=0, le=500)]


class TomogramTable(Table):
    """``[ct]``: a tomogram in Hounsfield units that the skull is taken from, in head coordinates.

    With a head beside it, the image must lie in that head's space: heat and cells are the head's.
    """

    file: FilePath
    mapping: str
    scanner: str | None = None
    bone_HU: Annotated[float, Field(ge=50, le=3000)] = 300.0
    gap_mm: Annotated[float, Field(gt=0, le=20)] = 6.0


class AimTable(Table):
    """``[target]``: a known target, or a point of MNI space or of the head."""

    name: str | None = None
    mni_mm: Coordinates | None = None
    centre_mm: Coordinates | None = None
    radius_mm: Annotated[float, Field(gt=0, le=50)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.one_of("name", "mni_mm", "centre_mm") == "name":
            check_option("target", self.name or "", known_targets())
        for axis, c, (low, high) in zip("xyz", self.mni_mm or (), BRAIN_MM, strict=False):
            if not low <= c <= high:
                raise ValueError(
                    f"expected an MNI coordinate in the brain, {low:g} to {high:g} mm along "
                    f"{axis}, got {c:g}"
                )
        return self

    @property
    def title(self) -> str:
        """Its name in words."""
        mm = self.mni_mm or self.centre_mm or ()
        place = ("MNI " if self.mni_mm else "") + ", ".join(f"{c:g}" for c in mm) + " mm"
        return self.name or place

    @property
    def radius(self) -> float:
        """Radius (m)."""
        known = known_targets().get(self.name or "", {"radius_mm": RADIUS_MM})
        return 1e-3 * float(self.radius_mm or known["radius_mm"])


class WindowTable(Table):
    """``[window]``: the box around the beam in which waves are computed, without its rim.

    ``depth_mm`` counts from the transducer's origin along the beam. Without them the box holds the
    beam in water, from ahead of the scalp to ``beyond_mm`` behind the target; ``order`` and
    ``per_wavelength`` are then the solver's own.
    """

    half_width_mm: Width | tuple[Width, Width] | None = None
    depth_mm: tuple[Annotated[float, Field(ge=-50, le=500)], Width] | None = None
    beyond_mm: Annotated[float, Field(gt=0, le=200)] = 25.0
    order: Annotated[int, Field(ge=4, le=7)] | None = None
    per_wavelength: Annotated[float, Field(gt=0, le=40)] | None = None

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.depth_mm is not None:
            if not self.depth_mm[0] < self.depth_mm[1]:
                raise ValueError("depth_mm goes from a smaller depth to a larger one")
            if "beyond_mm" in self.model_fields_set:
                raise ValueError("depth_mm says where the window ends, beyond_mm does too")
        return self

    @property
    def grid(self) -> dict[str, Any]:
        """Order of elements and nodes a wavelength, where they are given."""
        both = {"order": self.order, "per_wavelength": self.per_wavelength}
        return {k: v for k, v in both.items() if v is not None}

    @property
    def half_width(self) -> tuple[float, float] | None:
        """Half widths along x and y (m), if they are given."""
        if self.half_width_mm is None:
            return None
        both = self.half_width_mm
        x, y = both if isinstance(both, tuple) else (both, both)
        return 1e-3 * x, 1e-3 * y


class SkullTable(Table):
    """``[skull]``: layers of the skull, and what is inside of it.

    "whole": one layer of bone; "labels": compact and spongy bone as the head has them; "tables":
    a spongy layer between two compact ones of published thickness; "auto": labels where there are
    some, else whole.
    """

    layers: Literal["auto", "whole", "labels", "tables"] = "auto"
    inside: Literal["uniform", "labels"] = "uniform"
    smoothing_mm: Annotated[float, Field(ge=0, le=20)] | None = None
    least_mm: Annotated[float, Field(ge=0, le=5)] | None = None


class ImagesTable(Table):
    """``[results]``: the voxels that are written."""

    voxel_mm: Annotated[float, Field(ge=0.02, le=5)] | None = None


class UltrasoundStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    head: HeadTable | None = None
    ct: TomogramTable | None = None
    target: AimTable
    transducer: TransducerTable
    placement: PlacementTable = PlacementTable()
    drive: DriveTable
    sonication: ExposureTable
    window: WindowTable = WindowTable()
    skull: SkullTable = SkullTable()
    correction: Literal["none", "geometric", "conjugation"] = "none"
    heat: HeatTable | None = None
    neurons: NeuronTable | None = None
    results: ImagesTable = ImagesTable()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.head is None and self.ct is None:
            raise ValueError("expected [head], [ct] or both, got none")
        if self.ct is not None and self.skull.layers == "labels":
            raise ValueError("skull.layers = 'labels' needs a head with labels, got [ct]")
        if self.head is None:
            for key in ("heat", "neurons"):
                if getattr(self, key) is not None:
                    raise ValueError(f"[{key}] needs a mesh, give [head] beside [ct]")
            way = self.placement
            if self.in_mni() or way.entry is not None:
                raise ValueError("a tomogram without [head] knows its own coordinates only (_mm)")
            if way.direction is None and way.entry_mm is None:
                raise ValueError("[placement] beside a tomogram needs entry_mm or direction")
        return self

    def in_mni(self) -> dict[str, bool]:
        """Return which places need a transform to MNI space, by where they are named."""
        needs = {
            "target": self.target.centre_mm is None,
            "placement.entry_mni_mm": self.placement.entry_mni_mm is not None,
        }
        return {place: True for place, needed in needs.items() if needed}
