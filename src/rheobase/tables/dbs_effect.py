"""What deep brain stimulation does: volume, regions, pathways."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import check_option
from rheobase.tables.base import Coordinates, FilePath, Positive, Table, metres
from rheobase.tables.target import known_targets

if TYPE_CHECKING:
    from rheobase.meshes.regions.region import Region

FIBRE_UM = 3.5  # axons of the volume
PLACES = ("target", "mni_mm", "centre_mm", "atlas")


class VolumeTable(Table):
    """``[volume]``: what counts as activated.

    |E| above a threshold that is given, or above that of the pulse width and an axon's diameter
    (3.5 µm without either); or the largest second derivative of the potential above a threshold.
    It is looked for within ``reach_mm`` of a lead and its contacts.
    """

    criterion: Literal["field", "curvature"] = "field"
    threshold_V_per_m: Positive | None = None
    fibre_um: Annotated[float, Field(ge=2, le=5)] | None = None
    threshold_V_per_m2: Positive | None = None
    reach_mm: Annotated[float, Field(ge=1, le=60)] = 10.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.criterion == "field":
            self.one_of("threshold_V_per_m", "fibre_um", at_most=True)
            if self.threshold_V_per_m2 is not None:
                raise ValueError("threshold_V_per_m2 belongs to criterion = 'curvature'")
        else:
            if self.threshold_V_per_m is not None or self.fibre_um is not None:
                raise ValueError("threshold_V_per_m and fibre_um belong to criterion = 'field'")
            if self.threshold_V_per_m2 is None:
                raise ValueError("criterion = 'curvature' needs threshold_V_per_m2")
        return self


class DeepRegionTable(Table):
    """``[[regions]]``: the ball of a known target, a ball, or parcels of an atlas."""

    name: str = ""
    target: str | None = None
    mni_mm: Coordinates | None = None
    centre_mm: Coordinates | None = None
    radius_mm: Annotated[float, Field(ge=0.1, lt=1000)] | None = None
    atlas: FilePath | None = None
    atlas_names: FilePath | None = None
    atlas_space: Literal["MNI", "head"] | None = None
    parcels: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        place = self.one_of(*PLACES)
        if self.target is not None:
            check_option("target", self.target, known_targets())
        elif not self.name:
            raise ValueError(f"a region from {place} needs a name")
        if (place == "atlas") != (self.parcels is not None):
            raise ValueError("atlas and parcels belong together")
        if place == "atlas" and self.atlas_space is None:
            raise ValueError("an atlas needs atlas_space = 'MNI' or 'head'")
        if place != "target" and (self.radius_mm is None) != (place == "atlas"):
            raise ValueError("a ball has a radius_mm, parcels of an atlas have none")
        return self

    @property
    def title(self) -> str:
        """Its name, or that of its target."""
        return self.name or self.target or ""

    @property
    def needs_mni(self) -> bool:
        """Whether the head must have a transform to MNI space."""
        return self.centre_mm is None and self.atlas_space != "head"

    def make(self) -> Region:
        """Return the region.

        Raises
        ------
        InputError
            If the atlas cannot be read, or has no such parcel.
        """
        from rheobase.meshes.regions.atlases import read_atlas
        from rheobase.meshes.regions.region import ball

        if self.atlas is not None and self.atlas_space is not None:
            found = read_atlas(self.atlas, space=self.atlas_space, names=self.atlas_names)
            return found.region(*(self.parcels or ()))
        known = known_targets().get(self.target or "", {})
        radius = (self.radius_mm or known["radius_mm"]) * 1e-3
        if self.centre_mm is not None:
            return ball(metres(self.centre_mm), radius, name=self.title)
        return ball(metres(self.mni_mm or known["mni_mm"]), radius, space="MNI", name=self.title)


class PathwayTable(Table):
    """``[[pathways]]``: fibres of a file, or a bundle along a line of points.

    Without ``space`` a file is in the space of the head.
    """

    name: str
    file: FilePath | None = None
    space: Literal["MNI", "head"] = "head"
    through_mni_mm: Annotated[list[Coordinates], Field(min_length=2)] | None = None
    through_mm: Annotated[list[Coordinates], Field(min_length=2)] | None = None
    radius_mm: Annotated[float, Field(gt=0, le=50)] = 1.5
    fibres: Annotated[int, Field(ge=1, le=100_000)] = 200
    fibre_um: Annotated[float, Field(ge=2, le=16)] = 5.7
    model: Literal["surrogate", "mrg"] = "surrogate"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        place = self.one_of("file", "through_mni_mm", "through_mm")
        points = self.through_mni_mm or self.through_mm or []
        if any(a == b for a, b in pairwise(points)):
            raise ValueError(f"{place} holds the same point twice in a row")
        own = {"radius_mm", "fibres"} if place == "file" else {"space"}
        given = own & self.model_fields_set
        if given:
            other = "a bundle along points" if place == "file" else "a file"
            raise ValueError(f"{' and '.join(sorted(given))} belongs to {other}")
        return self

    @property
    def needs_mni(self) -> bool:
        """Whether the head must have a transform to MNI space."""
        return self.through_mni_mm is not None or (self.file is not None and self.space == "MNI")
