"""``[device]`` of kind "tes" and "ti": electrodes of every shape, place and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from rheobase.tables.base import Coordinates, Finite, Place, Positive, Table

if TYPE_CHECKING:
    from rheobase.fields.electrodes.electrode import Layer
    from rheobase.fields.interference import Carriers
    from rheobase.meshes.placing.outlines import Outline

Current = Annotated[float, Field(ge=-1000, le=1000)]
#: Which keys belong to which shape.
OF_SHAPE = {
    "disc": ("radius_mm",),
    "rectangle": ("size_mm", "corner_radius_mm"),
    "ring": ("inner_radius_mm", "outer_radius_mm"),
    "polygon": ("corners_mm",),
}


def _named(value: Any) -> Any:
    """Return the table that a bare name stands for."""
    return {"name": value} if isinstance(value, str) else value


def _placed(value: Any) -> Any:
    """Return the table that a bare 10-10 name stands for."""
    return {"position": value} if isinstance(value, str) else value


class LayerTable(Table):
    """A layer between skin and metal: a shipped one, other values of it, or one of one's own."""

    name: str
    sigma_S_per_m: Positive | None = None
    thickness_mm: Positive | None = None

    def make(self) -> Layer:
        """Return the layer."""
        from rheobase.fields.electrodes.electrode import Layer, layer

        if self.sigma_S_per_m is not None and self.thickness_mm is not None:
            return Layer(name=self.name, sigma=self.sigma_S_per_m, thickness_mm=self.thickness_mm)
        return layer(self.name, sigma=self.sigma_S_per_m, thickness_mm=self.thickness_mm)


OneLayer = Annotated[LayerTable, BeforeValidator(_named, json_schema_input_type=str | LayerTable)]


class PadTable(Table):
    """What electrodes have in common: outline, layers, model."""

    shape: Literal["disc", "rectangle", "ring", "polygon"] = "disc"
    radius_mm: Positive | None = None
    size_mm: tuple[Positive, Positive] | None = None
    corner_radius_mm: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    inner_radius_mm: Positive | None = None
    outer_radius_mm: Positive | None = None
    corners_mm: list[tuple[Finite, Finite]] | None = None
    layers: Annotated[tuple[OneLayer, ...], Field(min_length=1)] = (LayerTable(name="gel"),)
    model: Literal["complete", "ideal", "meshed"] = "complete"

    @model_validator(mode="after")
    def _pad_fits(self) -> Self:
        for shape, keys in OF_SHAPE.items():
            wrong = [k for k in keys if shape != self.shape and getattr(self, k) is not None]
            if wrong:
                raise ValueError(f"{wrong[0]} belongs to shape = {shape!r}, got {self.shape!r}")
        if self.shape in {"ring", "polygon"}:
            for key in OF_SHAPE[self.shape]:
                if getattr(self, key) is None:
                    raise ValueError(f"shape = {self.shape!r} needs {key}")
        self.outline()
        for one in self.layers:
            one.make()
        return self

    def outline(self) -> Outline | None:
        """Return the outline, None where no key of it is given."""
        from rheobase.meshes.placing.outlines import Disc, Polygon, Rectangle, Ring

        if self.shape == "disc":
            return None if self.radius_mm is None else Disc(radius_mm=self.radius_mm)
        if self.shape == "rectangle":
            width, height = self.size_mm or (50.0, 50.0)
            return Rectangle(
                width_mm=width, height_mm=height, corner_radius_mm=self.corner_radius_mm or 0.0
            )
        if self.shape == "ring":
            assert self.inner_radius_mm is not None  # _pad_fits
            assert self.outer_radius_mm is not None
            return Ring(inner_radius_mm=self.inner_radius_mm, outer_radius_mm=self.outer_radius_mm)
        return Polygon(corners_mm=self.corners_mm or [])


class Turned(Place):
    """A place, and how an outline is turned there."""

    rotation_deg: Finite = 0.0
    towards: str | None = None
    towards_mm: Coordinates | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        self.one_of("position", "position_mm", "mni_mm")
        self.one_of("towards", "towards_mm", at_most=True)
        return self


End = Annotated[Turned, BeforeValidator(_placed, json_schema_input_type=str | Turned)]


class Electrode(PadTable, Turned):
    """``[[device.electrodes]]``: one electrode and the current into the head through it."""

    name: str
    current_mA: Current


class Montage4x1(PadTable):
    """``[device.montage_4x1]``: a centre, and four around it that return a quarter each."""

    centre: str
    current_mA: Current
    ring: Annotated[list[str], Field(min_length=4, max_length=4)] | None = None
    ring_mm: Positive | None = None
    rotation_deg: Finite | None = None

    @model_validator(mode="after")
    def _one_ring(self) -> Self:
        self.one_of("ring", "ring_mm", at_most=True)
        if self.ring is not None and self.rotation_deg is not None:
            raise ValueError("rotation_deg turns a ring given by ring_mm, not one of names")
        if self.current_mA == 0:
            raise ValueError("current_mA must not be 0")
        return self


class TES(Table):
    """``[device]`` of kind "tes": direct or alternating current through electrodes."""

    kind: Literal["tes"]
    electrodes: Annotated[list[Electrode], Field(min_length=2)] | None = None
    montage_4x1: Montage4x1 | None = None

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        self.one_of("electrodes", "montage_4x1")
        electrodes = self.electrodes or []
        total = sum(e.current_mA for e in electrodes)
        if abs(total) > 1e-9 * sum(abs(e.current_mA) for e in electrodes):
            names = "-".join(e.name for e in electrodes)
            raise ValueError(f"current sums to {total:g} mA, must be 0: montage {names!r}")
        if electrodes and not any(e.current_mA for e in electrodes):
            raise ValueError("every electrode carries 0 mA: at least two must carry current")
        names_ = [e.name for e in electrodes]
        for name in names_:
            if names_.count(name) > 1:
                raise ValueError(f"two electrodes are called {name!r}, names must differ")
        return self

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names by key."""
        if self.montage_4x1 is not None:
            ring = self.montage_4x1.ring or []
            return {"montage_4x1.centre": self.montage_4x1.centre} | {
                f"montage_4x1.ring.{k}": name for k, name in enumerate(ring)
            }
        found: dict[str, str] = {}
        for k, e in enumerate(self.electrodes or []):
            found |= names_in(e, f"electrodes.{k}")
        return found


class Pair(PadTable):
    """``[[device.pairs]]``: two like electrodes and the carrier between them."""

    anode: End
    cathode: End
    current_mA: Annotated[float, Field(gt=0, le=1000)]
    carrier_Hz: Positive
    phase_deg: Finite = 0.0


class TI(Table):
    """``[device]`` of kind "ti": temporal interference of two or more pairs."""

    kind: Literal["ti"]
    pairs: Annotated[list[Pair], Field(min_length=2)]
    direction: Coordinates | None = None
    fastest_beat_Hz: Positive = 500.0

    @model_validator(mode="after")
    def _beats(self) -> Self:
        if self.direction is not None and not any(self.direction):
            raise ValueError("direction must not be 0, 0, 0")
        self.carriers()
        names = [end.position for p in self.pairs for end in (p.anode, p.cathode)]
        for name in names:
            if name is not None and names.count(name) > 1:
                raise ValueError(f"position {name!r} is used twice, electrodes must not overlap")
        return self

    def carriers(self) -> Carriers:
        """Return frequencies and phases of the pairs."""
        from math import radians

        from rheobase.fields.interference import Carriers

        return Carriers(
            frequencies=tuple(p.carrier_Hz for p in self.pairs),
            phases=tuple(radians(p.phase_deg) for p in self.pairs),
            fastest_beat=self.fastest_beat_Hz,
        )

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names by key."""
        found: dict[str, str] = {}
        for k, pair in enumerate(self.pairs):
            for end in ("anode", "cathode"):
                found |= names_in(getattr(pair, end), f"pairs.{k}.{end}")
        return found


def names_in(table: Turned, key: str) -> dict[str, str]:
    """Return the 10-10 names of a place by key."""
    named = {"position": table.position, "towards": table.towards}
    return {f"{key}.{k}": name for k, name in named.items() if name is not None}
