"""``[transducer]``, ``[placement]`` and ``[drive]`` of focused ultrasound."""

from __future__ import annotations

from dataclasses import replace
from math import inf, sqrt
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Coordinates, FilePath, Finite, Positive, Table

if TYPE_CHECKING:
    from rheobase.fields.acoustics.transducers.transducer import Transducer

ENTRIES = ("entry", "entry_mni_mm", "entry_mm", "direction")
#: Keys that each kind of transducer needs, and those that it may have.
KINDS: dict[str, tuple[set[str], set[str]]] = {
    "bowl": ({"curvature_radius_mm", "aperture_mm", "frequency_kHz"}, {"hole_mm"}),
    "disc": ({"aperture_mm", "frequency_kHz"}, set()),
    "rings": ({"inner_mm", "outer_mm", "frequency_kHz"}, {"curvature_radius_mm"}),
    "array": (
        {"elements", "curvature_radius_mm", "aperture_mm", "element_mm", "frequency_kHz"},
        {"pattern"},
    ),
    "file": ({"file", "element_mm", "frequency_kHz"}, {"curvature_radius_mm", "unit"}),
}
Size = Annotated[float, Field(gt=0, le=1000)]


class TransducerTable(Table):
    """``[transducer]``: one of the catalogue by its name, or one's own by its kind and measures.

    A frequency beside a name drives that transducer at another one.
    """

    name: str | None = None
    kind: Literal["bowl", "disc", "rings", "array", "file"] | None = None
    frequency_kHz: Annotated[float, Field(ge=20, le=10_000)] | None = None
    curvature_radius_mm: Size | None = None
    aperture_mm: Size | None = None
    hole_mm: Size | None = None
    inner_mm: tuple[Annotated[float, Field(ge=0, le=1000)], ...] | None = None
    outer_mm: tuple[Size, ...] | None = None
    elements: Annotated[int, Field(ge=2, le=10_000)] | None = None
    element_mm: Size | None = None
    pattern: Literal["fermat", "hexagonal"] | None = None
    file: FilePath | None = None
    unit: Literal["m", "mm", "cm", "in"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = {k for k in type(self).model_fields if getattr(self, k) is not None}
        if self.one_of("name", "kind") == "name":
            extra = given - {"name", "frequency_kHz"}
            if extra:
                raise ValueError(
                    f"{', '.join(sorted(extra))} belongs to a transducer of one's own (kind), "
                    "the catalogue knows its measures"
                )
            return self
        assert self.kind is not None  # one_of
        needed, allowed = KINDS[self.kind]
        lacking, extra = needed - given, given - needed - allowed - {"kind"}
        if lacking:
            raise ValueError(f"kind = {self.kind!r} needs {', '.join(sorted(lacking))}")
        if extra:
            raise ValueError(f"{', '.join(sorted(extra))} does not belong to kind = {self.kind!r}")
        return self

    @property
    def title(self) -> str:
        """Its name, or its kind."""
        return self.name or str(self.kind)

    def make(self) -> Transducer:
        """Return the transducer in its beam frame.

        Raises
        ------
        InputError
            If the name is unknown, a file is damaged, or the measures make no transducer.
        """
        from rheobase.fields.acoustics.transducers import arrays, transducer
        from rheobase.fields.acoustics.transducers.catalogue import transducer as known
        from rheobase.fields.acoustics.transducers.files import read_array

        if self.name is not None:
            found = known(self.name)
            if self.frequency_kHz is None:
                return found
            return replace(found, frequency=self.frequency_kHz * 1e3)
        mm: dict[str, Any] = {
            k: 1e-3 * getattr(self, f"{k}_mm")
            for k in ("curvature_radius", "aperture", "hole")
            if getattr(self, f"{k}_mm") is not None
        }
        frequency = (self.frequency_kHz or 0.0) * 1e3  # given, see _fits
        if self.kind == "bowl":
            return transducer.bowl(frequency=frequency, **mm)
        if self.kind == "disc":
            return transducer.disc(diameter=mm["aperture"], frequency=frequency)
        if self.kind == "rings":
            inner, outer = ([1e-3 * d for d in v or ()] for v in (self.inner_mm, self.outer_mm))
            radius = mm.get("curvature_radius", inf)
            return transducer.annular_array(
                inner=inner, outer=outer, frequency=frequency, curvature_radius=radius
            )
        assert self.element_mm is not None  # _fits
        if self.kind == "array":
            assert self.elements is not None
            return arrays.spherical_array(
                self.elements,
                element_diameter=1e-3 * self.element_mm,
                frequency=frequency,
                pattern=self.pattern or "fermat",
                name=f"array of {self.elements}",
                **mm,
            )
        assert self.file is not None
        return read_array(
            self.file,
            element_diameter=1e-3 * self.element_mm,
            frequency=frequency,
            unit=self.unit,
            **mm,
        )


class PlacementTable(Table):
    """``[placement]``: where the beam comes from; its axis goes through the target.

    From a 10-10 position, a point of MNI space or of the head, or along a direction into the head;
    from the nearest point of the scalp without. ``distance_mm`` is from the transducer's rear
    vertex (the middle of a flat face) to the target, the focal length without.
    """

    entry: str | None = None
    entry_mni_mm: Coordinates | None = None
    entry_mm: Coordinates | None = None
    direction: Coordinates | None = None
    distance_mm: Positive | None = None
    rotation_deg: Finite = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.one_of(*ENTRIES, at_most=True)
        if self.direction is not None and not any(self.direction):
            raise ValueError("direction must not be 0, 0, 0")
        return self


class DriveTable(Table):
    """``[drive]``: how strong; the same for all elements.

    The pressure at the face (rho c times its velocity), the intensity there (p²/(2 rho c)), or the
    peak pressure that the transducer, steered to the target, would make in water.
    """

    source_pressure_kPa: Annotated[float, Field(gt=0, le=20_000)] | None = None
    surface_intensity_W_per_cm2: Annotated[float, Field(gt=0, le=1000)] | None = None
    free_field_peak_kPa: Annotated[float, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.one_of(*type(self).model_fields)
        return self

    def velocity(self, impedance: float, peak: float) -> float:
        """Return the velocity of the elements (m/s).

        Parameters
        ----------
        impedance
            Of water (kg/(m² s)).
        peak
            Largest pressure in water at 1 m/s (Pa).
        """
        if self.source_pressure_kPa is not None:
            return 1e3 * self.source_pressure_kPa / impedance
        if self.surface_intensity_W_per_cm2 is not None:
            return sqrt(2e4 * self.surface_intensity_W_per_cm2 / impedance)
        assert self.free_field_peak_kPa is not None  # _one
        return 1e3 * self.free_field_peak_kPa / peak


def check_positions(table: PlacementTable) -> None:
    """Refuse a 10-10 position that no head has.

    Raises
    ------
    InputError
        With the nearest names.
    """
    from rheobase.meshes.placing.positions import TEN_TEN

    if table.entry is not None:
        check_option("10-10 position", table.entry, TEN_TEN, where="placement.entry")


def check_steerable(transducer: Transducer, correction: str) -> None:
    """Refuse a correction that a transducer of one element cannot make.

    Raises
    ------
    InputError
        Saying so.
    """
    if correction != "none" and transducer.n_elements == 1:
        raise InputError(
            f"correction = {correction!r} needs elements with phases of their own, transducer "
            f"{transducer.name!r} has one: take correction = 'none'"
        )
