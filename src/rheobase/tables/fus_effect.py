"""``[sonication]``, ``[heat]`` and ``[neurons]`` of focused ultrasound."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase.tables.base import Positive, Table

if TYPE_CHECKING:
    from rheobase.fields.acoustics.sonication import Sonication


class ExposureTable(Table):
    """``[sonication]``: pulses in trains, as the consensus on reporting has them.

    Two of ``pulse_ms``, ``prf_Hz`` and ``duty`` (within trains) say how pulses follow each other;
    one ``pulse_ms`` alone is a single pulse. Pulses repeat for ``train_s``, without it for
    ``duration_s``; one of them must say for how long.
    """

    pulse_ms: Positive | None = None
    prf_Hz: Positive | None = None
    duty: Annotated[float, Field(gt=0, le=1)] | None = None
    train_s: Positive | None = None
    train_interval_s: Positive | None = None
    duration_s: Positive | None = None
    ramp_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    ramp: Literal["cosine", "linear"] = "cosine"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [k for k in ("pulse_ms", "prf_Hz", "duty") if getattr(self, k) is not None]
        if given != ["pulse_ms"] and len(given) != 2:
            raise ValueError(
                "expected pulse_ms, or two of pulse_ms, prf_Hz and duty, got "
                + (", ".join(given) or "none")
            )
        return self

    def make(self, frequency: float) -> Sonication:
        """Return the exposure at a frequency (Hz).

        Raises
        ------
        InputError
            If a part is longer than what holds it.
        """
        from rheobase.fields.acoustics.sonication import Sonication

        timing: dict[str, Any] = {
            "train_duration": self.train_s,
            "train_interval": self.train_interval_s,
            "duration": self.duration_s,
            "ramp_duration": 1e-3 * self.ramp_ms,
            "ramp": self.ramp,
        }
        pulse = None if self.pulse_ms is None else 1e-3 * self.pulse_ms
        interval = None if self.prf_Hz is None else 1.0 / self.prf_Hz
        if pulse is None:
            assert self.duty is not None and interval is not None  # noqa: PT018
            pulse = self.duty * interval
        elif self.duty is not None:
            interval = pulse / self.duty
        return Sonication(
            frequency=frequency, pulse_duration=pulse, pulse_interval=interval, **timing
        )


class HeatTable(Table):
    """``[heat]``: Pennes' equation on the head's mesh around the beam.

    ``edge_mm`` is the longest edge of tetrahedra in the beam near the target and in the skull; the
    skin is held at the water's temperature, or gives heat to it by ``transfer_W_per_m2K``.
    """

    water_C: Annotated[float, Field(ge=0, le=45)] = 20.0
    transfer_W_per_m2K: Positive | None = None
    edge_mm: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    margin_mm: Annotated[float, Field(ge=0, le=100)] = 15.0
    step_s: Annotated[float, Field(gt=0, le=10)] = 0.5
    cooling_s: Annotated[float, Field(ge=0, le=3600)] = 60.0

    @property
    def transfer(self) -> float:
        """Heat transfer coefficient of the skin (W/(m² K)), infinite where it is held."""
        return self.transfer_W_per_m2K or inf


class NeuronTable(Table):
    """``[neurons]``: intramembrane cavitation in cells.

    ``cells`` are point neurons, spread over the brain tissue within ``radius_mm`` of the target
    (its own radius without); ``types`` are cells of the cortical sheet within that radius of
    the place of the cortex where the pressure is largest.
    """

    cells: tuple[str, ...] = ("RS", "FS", "LTS")
    types: tuple[str, ...] = ()
    placements: Annotated[int, Field(ge=1, le=100_000)] = 300
    radius_mm: Annotated[float, Field(gt=0, le=100)] | None = None
    area: str | None = None
    sonophore_nm: Annotated[float, Field(ge=5, le=1000)] = 32.0

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.cells or self.types):
            raise ValueError("expected cells, types or both, got none")
        return self
