"""``[network]``, ``[eeg]``, ``[brain]``: what a circuit does, shows, and passes on to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from rheobase.tables.base import Positive, Table

Intensity = Annotated[float, Field(gt=0, le=1e5)]
Latency = Annotated[float, Field(ge=0, le=10)]
Pulses = Annotated[int, Field(ge=1, le=10_000)]
Interval = Annotated[float, Field(ge=200, allow_inf_nan=False)]


class Microcircuit(Table):
    """``[network]`` of model "microcircuit": Potjans and Diesmann's, driven by a pulsed coil."""

    model: Literal["microcircuit"] = "microcircuit"
    scale: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    intensity_A_per_us: Intensity
    pulses: Pulses = 10
    interval_ms: Interval = 250.0
    latency_ms: Latency = 1.0


class Columns(Table):
    """``[network]`` of model "columns": seven columns of the head's species.

    Under a coil they get pulses, of which the first four keys speak; under electrodes the current
    of the device for ``duration_s``.
    """

    model: Literal["columns"]
    intensity_A_per_us: Intensity | None = None
    pulses: Pulses = 20
    interval_ms: Interval = 250.0
    latency_ms: Latency | None = None
    duration_s: Annotated[float, Field(ge=1, le=600)] = 10.0
    neurons_per_column: Annotated[int, Field(ge=200, le=20_000)] = 1000
    threads: Annotated[int, Field(ge=1, le=256)] = 1


class EEGTable(Table):
    """``[eeg]``: electrodes that see the columns' current dipoles, by their 10-10 names."""

    electrodes: Annotated[list[str], Field(min_length=2)]
    reference: str | None = None


class BrainTable(Table):
    """``[brain]``: how the response to a coil's pulse spreads over the regions of a connectome.

    Cells of the types of ``[cells]`` are placed all over the regions that get at least
    ``field_share`` of the strongest field, ``placements`` of each type a region on average.
    """

    intensity_A_per_us: Intensity
    placements: Annotated[int, Field(ge=10, le=100_000)] = 40
    field_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    latency_ms: Latency = 1.0
    duration_ms: Annotated[float, Field(ge=50, le=5000)] = 300.0
    answer_uV: Positive = 10.0


def _model(value: Any) -> str:
    """Return the model that a table is of, "microcircuit" where it names none."""
    if isinstance(value, Mapping):
        return str(value.get("model", "microcircuit"))
    return str(value.model)


NetworkTable = Annotated[
    Annotated[Microcircuit, Tag("microcircuit")] | Annotated[Columns, Tag("columns")],
    Discriminator(_model),
]
