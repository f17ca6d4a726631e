"""``[target]``: the piece of the brain that a device is aimed at."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Coordinates, FilePath, Table, metres

if TYPE_CHECKING:
    from rheobase.fields.optimisation.target import Target
    from rheobase.fields.recovery import SplitNodes
    from rheobase.meshes.head import Head
    from rheobase.meshes.regions.region import Region

#: Box around the brain in MNI space (mm), with a centimetre to spare.
BRAIN_MM = ((-85.0, 85.0), (-120.0, 90.0), (-90.0, 95.0))
PLACES = ("mni_mm", "centre_mm", "position", "atlas")


@cache
def known_targets() -> dict[str, dict[str, Any]]:
    """Return the targets that have a name: MNI coordinate and radius (mm), source, status."""
    text = files("rheobase").joinpath("data/targets.csv").read_text(encoding="utf-8")
    return {
        row["name"]: {
            "mni_mm": tuple(float(row[f"{c}_mm"]) for c in "xyz"),
            "radius_mm": float(row["radius_mm"]),
            "source": row["source"],
            "status": row["status"],
        }
        for row in csv.DictReader(text.splitlines())
    }


class CellsTable(Table):
    """``[target.cells]``: cells whose mean polarisation counts, in place of the field."""

    type: str
    site: str = "soma"
    placements: Annotated[int, Field(ge=1, le=100_000)] = 200


class TargetTable(Table):
    """``[target]``: a named target, a ball or parcels of an atlas, and the direction that counts.

    ``position`` is a 10-10 name: the ball is around the place of the tissues that is nearest to it.
    """

    name: str | None = None
    mni_mm: Coordinates | None = None
    centre_mm: Coordinates | None = None
    position: str | None = None
    radius_mm: Annotated[float, Field(gt=0, lt=1000)] | None = None
    atlas: FilePath | None = None
    atlas_names: FilePath | None = None
    atlas_space: Literal["MNI", "head"] | None = None
    parcels: Annotated[list[str], Field(min_length=1)] | None = None
    tissues: Annotated[tuple[str, ...], Field(min_length=1)] = ("grey_matter",)
    direction: Literal["into_cortex"] | Coordinates | None = None
    cells: CellsTable | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        place = self.one_of(*PLACES, at_most=True)
        if not place:
            if self.name is None:
                raise ValueError(f"expected one of name, {', '.join(PLACES)}, got none")
            check_option("target", self.name, known_targets())
        if (place == "atlas") != (self.parcels is not None):
            raise ValueError("atlas and parcels belong together")
        if place == "atlas":
            if self.atlas_space is None:
                raise ValueError("an atlas needs atlas_space = 'MNI' or 'head'")
            if self.radius_mm is not None:
                raise ValueError("radius_mm belongs to a ball, parcels have none")
        for key in ("atlas_names", "atlas_space"):
            if self.atlas is None and getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to an atlas, there is none")
        if self.mni_mm is not None:
            for axis, c, (low, high) in zip("xyz", self.mni_mm, BRAIN_MM, strict=True):
                if not low <= c <= high:
                    raise ValueError(
                        f"expected an MNI coordinate in the brain, {low:g} to {high:g} mm along "
                        f"{axis}, got {c:g}"
                    )
        if self.cells is not None and self.direction is not None:
            raise ValueError("cells have a direction of their own, got direction too")
        if isinstance(self.direction, tuple) and not any(self.direction):
            raise ValueError("direction must not be 0, 0, 0")
        return self

    @property
    def needs_mni(self) -> bool:
        """Whether the head must have a transform to MNI space."""
        if self.atlas is not None:
            return self.atlas_space == "MNI"
        return self.centre_mm is None and self.position is None

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names by key."""
        return {} if self.position is None else {"target.position": self.position}

    @property
    def title(self) -> str:
        """Its name in words."""
        if self.name is not None:
            return self.name
        if self.parcels is not None:
            return ", ".join(self.parcels)
        if self.position is not None:
            return f"cortex below {self.position}"
        mm = self.mni_mm or self.centre_mm or ()
        return ("MNI " if self.mni_mm else "") + ", ".join(f"{c:g}" for c in mm) + " mm"

    def region(self, head: Head) -> Region:
        """Return the target as a region of a head.

        Raises
        ------
        InputError
            If the atlas or a parcel is not there, or the head has no such tissue or position.
        """
        from rheobase.meshes.regions.atlases import read_atlas
        from rheobase.meshes.regions.region import ball

        if self.atlas is not None and self.atlas_space is not None:
            found = read_atlas(self.atlas, space=self.atlas_space, names=self.atlas_names)
            return found.region(*(self.parcels or ()))
        known = known_targets().get(self.name or "", {"radius_mm": 10.0})
        radius = (self.radius_mm or known["radius_mm"]) * 1e-3
        if self.centre_mm is not None:
            return ball(metres(self.centre_mm), radius, name=self.title)
        if self.position is not None:
            import numpy as np

            labels = [head.label_of(name) for name in self.tissues]
            nodes = np.unique(head.mesh.tets[np.isin(head.mesh.labels, labels)])
            if len(nodes) == 0:
                raise InputError(
                    f"expected some {', '.join(self.tissues)}, there is none: head {head.name!r}"
                )
            points = head.mesh.nodes[nodes]
            away = np.linalg.norm(points - head.position(self.position), axis=1)
            return ball(points[away.argmin()], radius, name=self.title)
        return ball(metres(self.mni_mm or known["mni_mm"]), radius, space="MNI", name=self.title)

    def make(self, head: Head, split: SplitNodes | None = None) -> Target:
        """Return the target on a head.

        Parameters
        ----------
        head
            The head.
        split
            Split nodes of its mesh, if at hand.

        Raises
        ------
        InputError
            As `region` does, or if the target holds nothing of the tissues, or the head has no
            cortical sheet and the direction is that of its columns.
        """
        import numpy as np

        from rheobase.fields.optimisation.target import region_target

        target = region_target(head, self.region(head), tissues=self.tissues, split=split)
        if self.direction is None:
            return target
        if self.direction == "into_cortex":
            return target.along_columns(head)
        return target.along(np.array(self.direction))
