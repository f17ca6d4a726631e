"""The file of a parameter study: a study, the axes along which it varies, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from rheobase.tables.base import Positive, Table, beside

if TYPE_CHECKING:
    from rheobase.sweeps.design import Design, Range

Species = Literal["human", "macaque", "rat", "mouse"]
#: Statistics that an amplitude scales.
Statistic = Annotated[str, Field(pattern=r"^(mean|sd|min|max|p(\d+(\.\d+)?))$")]


def _file_or_name(study: str, info: ValidationInfo) -> str | Path:
    """Return the path of a study file; a bare name is one that comes with rheobase."""
    return beside(Path(study), info) if study.endswith(".toml") else study


class RangeTable(Table):
    """An axis that samples are drawn from: ``{ low = 1.0, high = 3.0 }``."""

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"
    whole: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        self.make()
        return self

    def make(self) -> Range:
        """Return the range."""
        from rheobase.sweeps.design import Range

        return Range(low=self.low, high=self.high, scale=self.scale, whole=self.whole)


def _range(key: str, values: dict[str, Any]) -> Range:
    """Return the range of an axis, or say what is wrong with it there."""
    from rheobase.tables.parse import parse_table

    return parse_table(RangeTable, values, where=f"axis {key!r}", folder=None).make()


class ValueTable(Table):
    """``[[outputs.values]]``: numbers of a table of the report, or of a dataset of the results.

    ``row`` holds the cells that tell the row, by column; ``at`` the labels that tell the place in
    the variable, by dimension. What is not told stays, with its labels.
    """

    name: str
    table: str | None = None
    column: str | None = None
    row: dict[str, str | float | int] = Field(default_factory=dict)
    dataset: str | None = None
    variable: str | None = None
    at: dict[str, str | float | int | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.one_of("table", "dataset") == "table":
            if self.column is None:
                raise ValueError("a table needs column")
            self._refuse("variable", "at", source="table")
        else:
            if self.variable is None:
                raise ValueError("a dataset needs variable")
            self._refuse("column", "row", source="dataset")
        return self

    def _refuse(self, *keys: str, source: str) -> None:
        for key in keys:
            if getattr(self, key):
                raise ValueError(f"{key} does not go with {source}")


class OutputsTable(Table):
    """``[outputs]``: the numbers that are kept of every point.

    ``places`` are tissues, regions of ``[results]`` and parcels of its atlas; without, the grey
    matter (or the innermost tissue) and all regions. ``keep`` keeps the whole results of each
    point, ``maps`` an image of the field in MNI space for `rheobase group`.
    """

    places: tuple[str, ...] = ()
    statistics: Annotated[tuple[Statistic, ...], Field(min_length=1)] = ("mean", "p99", "max")
    thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5,)
    recruited_at_A_per_us: tuple[Positive, ...] = ()
    values: tuple[ValueTable, ...] = ()
    keep: bool = False
    maps: bool = False
    voxel_mm: Annotated[float, Field(ge=0.5, le=20)] = 2.0
    map_tissues: Annotated[tuple[str, ...], Field(min_length=1)] = ("grey_matter",)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [v.name for v in self.values]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two values are called {name!r}")
        return self


class SweepStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    study: Annotated[str, AfterValidator(_file_or_name)]
    method: Literal["grid", "latin_hypercube", "sobol", "list"] = "grid"
    samples: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    heads: tuple[str | dict[str, Any], ...] = ()
    species: tuple[Species, ...] = ()
    axes: dict[str, Any] = Field(default_factory=dict)
    points: tuple[dict[str, Any], ...] = ()
    outputs: OutputsTable = OutputsTable()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        samples = self.method in {"latin_hypercube", "sobol"}
        if samples and self.samples is None:
            raise ValueError(f"method = {self.method!r} needs samples")
        if not samples and self.samples is not None:
            raise ValueError(
                f"samples belongs to method = 'latin_hypercube' or 'sobol', got {self.method!r}"
            )
        if (self.method == "list") != bool(self.points):
            raise ValueError("[[points]] and method = 'list' belong together")
        if self.heads and self.species:
            raise ValueError("expected heads or species, got both: a head has its species")
        for key in ("head", "species"):
            if key in self.axes:
                raise ValueError(f"expected {key} outside [axes]: heads = […] or species = […]")
        self.design()
        return self

    def design(self) -> Design:
        """Return the points.

        Raises
        ------
        InputError
            As `rheobase.sweeps.design.Design`.
        """
        from rheobase.sweeps.design import grid, listed, sampled

        axes: dict[str, Any] = {}
        if self.heads:
            axes["head"] = list(self.heads)
        if self.species:
            axes["species"] = list(self.species)
        for key, values in self.axes.items():
            ranged = isinstance(values, dict) and {"low", "high"} & set(values)
            axes[key] = _range(key, values) if ranged else values
        if self.method == "list":
            return listed(self.points, axes)
        if self.method == "grid":
            return grid(axes)
        assert self.samples is not None  # _fits
        return sampled(axes, self.samples, method=self.method, seed=self.seed)
