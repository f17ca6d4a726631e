"""The file of the study of surface stimulation across species."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase.tables.base import Positive, Table

Species = Literal["rat", "mouse", "human"]
Mode = Literal["cable", "af", "spiking"]


class TissueTable(Table):
    """``[tissue]``: conductivities (S/m); those of the tissue table where none is given."""

    csf_S_per_m: Positive | None = None
    grey_S_per_m: Positive | None = None
    white_S_per_m: Positive | None = None

    def sigma(self) -> dict[str, float]:
        """Return the conductivity of each tissue (S/m)."""
        from rheobase.meshes.tissues import tissue

        given = {
            "csf": self.csf_S_per_m,
            "grey_matter": self.grey_S_per_m,
            "white_matter": self.white_S_per_m,
        }
        return {k: tissue(k).sigma if v is None else v for k, v in given.items()}


class ConditionTable(Table):
    """``[[conditions]]``: cells of a species under an electrode, in a cortex.

    ``cortex`` is the species whose thickness and layers count, that of the cells by default: cells
    keep their own shape, and their somata take the same place within the other's layer.
    """

    name: str
    cells: Species
    cortex: Species | None = None
    electrode_mm: Annotated[float, Field(ge=0.05, le=10)]
    csf_mm: Annotated[float, Field(ge=0, le=5)]
    largest_uA: Annotated[float, Field(gt=0, le=10_000)]

    @property
    def layers(self) -> str:
        """The species whose layers count."""
        return self.cortex or self.cells


class PlacedTable(Table):
    """``[cells]``: which cells, how many, where, and how activation is decided.

    ``placements`` of each type, ``spiking`` of them in full simulations; at even distances up to
    ``lateral_mm`` from the middle of the electrode, counted in ``bins``; no types: all of them.
    """

    types: tuple[str, ...] = ()
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)] = ("cable", "af", "spiking")
    placements: Annotated[int, Field(ge=8, le=100_000)] = 480
    spiking: Annotated[int, Field(ge=1, le=10_000)] = 12
    clones: Annotated[int, Field(ge=1, le=64)] = 4
    lateral_mm: Annotated[float, Field(gt=0, le=20)] = 2.0
    bins: Annotated[int, Field(ge=1, le=100)] = 8

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, values in (("types", self.types), ("modes", self.modes)):
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{name} holds {value!r} twice")
        if self.spiking > self.placements:
            raise ValueError(
                f"spiking counts some of the placements ({self.placements}), got {self.spiking}"
            )
        return self

    def chosen(self) -> tuple[str, ...]:
        """Return the types."""
        from rheobase.neurons.generate import cell_types

        return self.types or tuple(cell_types())


class StimulusTable(Table):
    """``[pulse]``: a rectangle of current, and the amplitudes at which probabilities are told."""

    width_us: Annotated[float, Field(ge=10, le=5000)] = 200.0
    amplitudes_uA: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if list(self.amplitudes_uA) != sorted(set(self.amplitudes_uA)):
            raise ValueError("amplitudes_uA must rise")
        return self


class CrossSpeciesStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    steps: Annotated[int, Field(ge=4, le=40)] = 16
    pulse: StimulusTable
    cells: PlacedTable = PlacedTable()
    tissue: TissueTable = TissueTable()
    conditions: Annotated[tuple[ConditionTable, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [c.name for c in self.conditions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two conditions are called {name!r}")
        return self
