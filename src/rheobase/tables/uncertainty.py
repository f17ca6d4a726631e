"""``[uncertainty]``: what is not known exactly, and what is asked of the samples."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import check_option
from rheobase.tables.base import Positive, Table

if TYPE_CHECKING:
    from rheobase.fields.uncertainty.distributions import Distribution
    from rheobase.fields.uncertainty.inputs import CoilShift, Conductivity, ElectrodeShift

#: Keys of each distribution; the rest of them must be absent.
OF_KIND = {
    "uniform": ("low_S_per_m", "high_S_per_m"),
    "beta": ("low_S_per_m", "high_S_per_m", "p", "q"),
    "normal": ("mean_S_per_m", "sd_S_per_m"),
    "lognormal": ("median_S_per_m", "factor"),
}
OPTIONAL = {"normal": ("low_S_per_m", "high_S_per_m")}


class ConductivityTable(Table):
    """``[[uncertainty.conductivities]]``: the distribution of a tissue's conductivity."""

    tissue: str
    distribution: Literal["uniform", "beta", "normal", "lognormal"] = "uniform"
    low_S_per_m: Positive | None = None
    high_S_per_m: Positive | None = None
    p: Positive | None = None
    q: Positive | None = None
    mean_S_per_m: Positive | None = None
    sd_S_per_m: Positive | None = None
    median_S_per_m: Positive | None = None
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        needed = OF_KIND[self.distribution]
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f"distribution = {self.distribution!r} needs {key}")
        allowed = {"tissue", "distribution", *needed, *OPTIONAL.get(self.distribution, ())}
        for key in type(self).model_fields:
            if key not in allowed and getattr(self, key) is not None:
                raise ValueError(f"{key} does not go with distribution = {self.distribution!r}")
        self.make()
        return self

    def _distribution(self) -> Distribution:
        from rheobase.fields.uncertainty.distributions import beta, lognormal, normal, uniform

        low, high = self.low_S_per_m, self.high_S_per_m
        if self.median_S_per_m is not None and self.factor is not None:
            return lognormal(self.median_S_per_m, self.factor)
        if self.mean_S_per_m is not None and self.sd_S_per_m is not None:
            return normal(
                self.mean_S_per_m,
                self.sd_S_per_m,
                low=-inf if low is None else low,
                high=inf if high is None else high,
            )
        assert low is not None  # _keys_fit
        assert high is not None
        if self.p is not None and self.q is not None:
            return beta(self.p, self.q, low, high)
        return uniform(low, high)

    def make(self) -> Conductivity:
        """Return the random input."""
        from rheobase.fields.uncertainty.inputs import Conductivity

        return Conductivity(tissue=self.tissue, distribution=self._distribution())


class ShiftTable(Table):
    """How far something stands from where it should: evenly within a range, or normally."""

    within_mm: Positive | None = None
    sd_mm: Positive | None = None
    within_deg: Positive | None = None
    sd_deg: Positive | None = None

    def _spread(self, *, turns: bool) -> Distribution:
        from rheobase.fields.uncertainty.distributions import normal, uniform

        unit = "deg" if turns else "mm"
        keys = (f"within_{unit}", f"sd_{unit}")
        name = self.one_of("within_mm", "sd_mm", "within_deg", "sd_deg")
        if name not in keys:
            raise ValueError(f"expected {' or '.join(keys)}, got {name}")
        size = float(getattr(self, name))
        return normal(0.0, size) if name.startswith("sd") else uniform(-size, size)


class ElectrodeShiftTable(ShiftTable):
    """``[[uncertainty.electrodes]]``: an electrode that is not where it should be."""

    electrode: str
    axis: Literal["front", "right", "turn"]

    @model_validator(mode="after")
    def _has_a_spread(self) -> Self:
        self._spread(turns=self.axis == "turn")
        return self

    def make(self) -> ElectrodeShift:
        """Return the random input."""
        from rheobase.fields.uncertainty.inputs import ElectrodeShift

        return ElectrodeShift(
            electrode=self.electrode,
            axis=self.axis,
            distribution=self._spread(turns=self.axis == "turn"),
        )


class CoilShiftTable(ShiftTable):
    """``[[uncertainty.coil]]``: a coil that is not where it should be."""

    axis: Literal["x", "y", "z", "turn", "pitch", "roll"]

    @model_validator(mode="after")
    def _has_a_spread(self) -> Self:
        self._spread(turns=self.axis in {"turn", "pitch", "roll"})
        return self

    def make(self) -> CoilShift:
        """Return the random input."""
        from rheobase.fields.uncertainty.inputs import CoilShift

        turns = self.axis in {"turn", "pitch", "roll"}
        return CoilShift(axis=self.axis, distribution=self._spread(turns=turns))


class CorrelationTable(Table):
    """``[[uncertainty.correlations]]``: two inputs that go together."""

    between: tuple[str, str]
    r: Annotated[float, Field(gt=-1, lt=1)]


class UncertaintyTable(Table):
    """``[uncertainty]``.

    Without conductivities and shifts of its own, all tissues vary over the ranges of the tissue
    table.
    """

    samples: Annotated[int, Field(ge=8, le=1_000_000)] = 200
    tissues: tuple[str, ...] | None = None
    conductivities: tuple[ConductivityTable, ...] = ()
    electrodes: tuple[ElectrodeShiftTable, ...] = ()
    coil: tuple[CoilShiftTable, ...] = ()
    correlations: tuple[CorrelationTable, ...] = ()
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.05, 0.5, 0.95)
    field_in: Annotated[tuple[str, ...], Field(min_length=1)] = ("grey_matter", "white_matter")

    @model_validator(mode="after")
    def _no_twice(self) -> Self:
        own = [c.tissue for c in self.conductivities]
        for name in [*own, *(self.tissues or ())]:
            if [*own, *(self.tissues or ())].count(name) > 1:
                raise ValueError(f"tissue {name!r} comes twice")
        names = [*own, *(self.tissues or ())]
        names += [f"{e.electrode} {e.axis}" for e in self.electrodes]
        names += [f"coil {c.axis}" for c in self.coil]
        for one in self.correlations if names else ():  # without names of its own: all tissues
            for name in one.between:
                check_option("random input", name, names, where="correlations")
        return self
