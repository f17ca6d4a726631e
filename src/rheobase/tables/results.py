"""``[results]``: the files, and the regions that statistics are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase.tables.base import Coordinates, FilePath, Positive, Table, metres

if TYPE_CHECKING:
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.meshes.regions.region import Region

Format = Literal["vtu", "vtkhdf", "msh", "nifti"]


class RegionTable(Table):
    """``[[results.regions]]``: a ball."""

    name: str
    centre_mm: Coordinates | None = None
    mni_mm: Coordinates | None = None
    radius_mm: Annotated[float, Field(gt=0, lt=1000)]

    @model_validator(mode="after")
    def _one_centre(self) -> Self:
        self.one_of("centre_mm", "mni_mm")
        return self

    def make(self) -> Region:
        """Return the region."""
        from rheobase.meshes.regions.region import ball

        mm = self.centre_mm or self.mni_mm
        assert mm is not None  # _one_centre
        space = "head" if self.mni_mm is None else "MNI"
        return ball(metres(mm), self.radius_mm * 1e-3, space=space, name=self.name)


class ResultsTable(Table):
    """``[results]``: what is written of the field, and which statistics."""

    formats: tuple[Format, ...] = ("vtu",)
    mni: bool = False
    voxel_mm: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    intensity_A_per_us: Annotated[float, Field(gt=0, le=1e5)] | None = None
    atlas: FilePath | None = None
    atlas_names: FilePath | None = None
    atlas_space: Literal["MNI", "head"] | None = None
    regions: tuple[RegionTable, ...] = ()
    thresholds_V_per_m: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key in ("atlas_names", "atlas_space"):
            if self.atlas is None and getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to an atlas, there is none")
        if self.atlas is not None and self.atlas_space is None:
            raise ValueError("an atlas needs atlas_space = 'MNI' or 'head'")
        if self.mni and "nifti" not in self.formats:
            raise ValueError("mni = true is for formats with 'nifti'")
        for name in (names := [r.name for r in self.regions]):
            if names.count(name) > 1:
                raise ValueError(f"two regions are called {name!r}")
        return self

    def read_atlas(self) -> Atlas | None:
        """Return the atlas, None where none is asked for.

        Raises
        ------
        InputError
            If the image or its names cannot be read.
        """
        from rheobase.meshes.regions.atlases import read_atlas

        if self.atlas is None or self.atlas_space is None:
            return None
        return read_atlas(self.atlas, space=self.atlas_space, names=self.atlas_names)
