"""The file of a closed-loop study: plant, recruitment, biomarker, controllers, body."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import check_option
from rheobase.tables.base import FilePath, Finite, Positive, Table

Share = Annotated[float, Field(ge=0, le=1)]
Band = tuple[Positive, Positive]
#: What each kind of plant, biomarker and controller may hold beside its kind (and name).
PLANTS = {
    "stn_gpe": {"state", "effect", "mask_ms", "depth", "noise", "step_ms"},
    "microcircuit": {"scale", "share", "listened", "latency_ms", "step_ms"},
    "fibres": {"step_ms"},
}
BIOMARKERS = {
    "arv": {"band_Hz", "window_s"},
    "power": {"band_Hz", "window_s"},
    "buffered": {"band_Hz", "window_s", "buffer_s", "dropped_s"},
    "phase": {"band_Hz", "window_s"},
    "mean": {"window_s"},
}
OFF = "off"
GOAL = {"set_point", "set_point_of_off"}
CONTROLLERS = {
    "open loop": set[str](),
    "on-off": GOAL,
    "dual threshold": GOAL | {"upper", "upper_of_off"},
    "P": GOAL | {"Kp", "ramp"},
    "PI": GOAL | {"Kp", "Ti_s", "ramp"},
    "phase-locked": {"phase_deg", "oscillation_Hz", "pulses"},
}


def _only(table: Table, allowed: dict[str, set[str]], kind: str, *, always: set[str]) -> None:
    """Raise `ValueError` if a table holds a key that belongs to another of its kinds."""
    for key in sorted(table.model_fields_set - always - allowed[kind]):
        others = [repr(k) for k, keys in allowed.items() if key in keys]
        raise ValueError(f"{key} belongs to {', '.join(others)}, got {kind!r}")


class PlantTable(Table):
    """``[plant]``: the rate model of STN and GPe, the microcircuit, or fibres alone.

    ``depth``: relative fall of the cortical input between its bursts; ``share``: probability that a
    cell fires on a pulse that recruits all, by population.
    """

    kind: Literal["stn_gpe", "microcircuit", "fibres"] = "stn_gpe"
    state: Literal["healthy", "parkinson"] = "parkinson"
    effect: Literal["fire", "silence"] = "fire"
    mask_ms: Positive | None = None
    depth: Share = 0.0
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    scale: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    share: Annotated[dict[str, Share], Field(default_factory=dict)]
    listened: tuple[str, ...] = ()
    latency_ms: Annotated[float, Field(ge=0, le=100)] = 1.0
    step_ms: Positive | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _only(self, PLANTS, self.kind, always={"kind"})
        if self.kind == "microcircuit" and not self.share:
            raise ValueError("a microcircuit needs share: which populations a pulse fires")
        if self.mask_ms is not None and self.effect == "fire":
            raise ValueError("mask_ms belongs to effect = 'silence', got 'fire'")
        return self


class LogisticTable(Table):
    """``recruitment.logistic``: a stand-in of no field model."""

    half_mA: Positive
    slope_mA: Positive


class CurveTable(Table):
    """``[recruitment]``: a CSV of amplitude_mA and a share, the published curve, or a logistic."""

    file: FilePath | None = None
    pathway: str | None = None
    lead: str | None = None
    site: str | None = None
    published: Literal["Fleming 2020"] | None = None
    logistic: LogisticTable | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        place = self.one_of("file", "published", "logistic")
        given = {"pathway", "lead", "site"} & self.model_fields_set
        if place != "file" and given:
            raise ValueError(f"{' and '.join(sorted(given))} belongs to a file, got {place}")
        return self


class BiomarkerTable(Table):
    """``[biomarker]``: what is read off which signal of plant or body."""

    signal: str
    kind: Literal["arv", "power", "buffered", "phase", "mean"] = "arv"
    band_Hz: Band | None = None
    window_s: Positive = 0.2
    buffer_s: Positive = 2.0
    dropped_s: Annotated[float, Field(ge=0, le=10)] = 0.1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _only(self, BIOMARKERS, self.kind, always={"kind", "signal"})
        if "band_Hz" in BIOMARKERS[self.kind] and self.band_Hz is None:
            raise ValueError(f"kind = {self.kind!r} needs band_Hz")
        return self


class StimulatorTable(Table):
    """``[stimulator]``: pulses, their ranges and the load.

    ``amplitude_mA`` and ``rate_Hz`` hold where a controller does not vary them.
    """

    amplitude_mA: Positive = 1.5
    rate_Hz: Annotated[float, Field(gt=0, le=1000)] = 130.0
    width_us: Annotated[float, Field(gt=0, le=5000)] = 60.0
    amplitudes_mA: tuple[Annotated[float, Field(ge=0)], Positive] = (0.0, 3.0)
    rates_Hz: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0, le=1000)]] = (
        0.0,
        250.0,
    )
    load_ohm: Positive = 500.0
    recharge: Literal["passive", "active"] = "passive"

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for key in ("amplitudes_mA", "rates_Hz"):
            low, high = getattr(self, key)
            if not low < high:
                raise ValueError(f"{key} must rise, got {low:g} and {high:g}")
        return self


class ControllerTable(Table):
    """``[[controllers]]``: laws that are compared on the same plant and seed.

    ``Kp`` is in mA or Hz, whichever varies; ``ramp`` the least time over the whole range (s).
    ``…_of_off`` is relative to the mean reading without stimulation.
    """

    name: str
    kind: Literal["open loop", "on-off", "dual threshold", "P", "PI", "phase-locked"]
    varies: Literal["amplitude", "frequency"] = "amplitude"
    amplitude_mA: Positive | None = None
    rate_Hz: Annotated[float, Field(gt=0, le=1000)] | None = None
    set_point: Positive | None = None
    set_point_of_off: Positive | None = None
    upper: Positive | None = None
    upper_of_off: Positive | None = None
    Kp: Positive | None = None
    Ti_s: Positive | None = None
    ramp: Positive | None = None
    phase_deg: Finite | None = None
    oscillation_Hz: Positive | None = None
    pulses: Annotated[int, Field(ge=1, le=100)] = 1
    gated: bool = True

    @property
    def label(self) -> str:
        """Its name in letters and digits, for files."""
        return "".join(c if c.isalnum() else "_" for c in self.name)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        always = {"name", "kind", "varies", "amplitude_mA", "rate_Hz", "gated"}
        _only(self, CONTROLLERS, self.kind, always=always)
        if GOAL & CONTROLLERS[self.kind]:
            self.one_of(*sorted(GOAL))
        if self.kind == "dual threshold":
            self.one_of("upper", "upper_of_off")
            if (self.upper is None) != (self.set_point is None):
                raise ValueError("both thresholds are absolute, or both relative to off")
            low = self.set_point or self.set_point_of_off or 0.0
            if not low <= (self.upper or self.upper_of_off or 0.0):
                raise ValueError(f"the upper threshold must be at least the lower one, {low:g}")
        for key in {"P": ("Kp",), "PI": ("Kp", "Ti_s")}.get(self.kind, ()):
            if getattr(self, key) is None:
                raise ValueError(f"kind = {self.kind!r} needs {key}")
        if self.kind == "phase-locked":
            for key in ("phase_deg", "oscillation_Hz"):
                if getattr(self, key) is None:
                    raise ValueError(f"kind = 'phase-locked' needs {key}")
        if self.kind in {"open loop", "phase-locked"} and "varies" in self.model_fields_set:
            raise ValueError(f"varies belongs to a controller that decides, got {self.kind!r}")
        return self


class BreathingTable(Table):
    """``body.breathing``: made of a mean length, or read from a CSV (inhale_s, exhale_s)."""

    file: FilePath | None = None
    period_s: Annotated[float, Field(ge=1, le=60)] = 4.0
    inhaling: Annotated[float, Field(gt=0, lt=1)] = 0.4
    variation: Annotated[float, Field(ge=0, le=0.3)] = 0.1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        made = {"period_s", "inhaling", "variation"} & self.model_fields_set
        if self.file is not None and made:
            raise ValueError(f"{' and '.join(sorted(made))} belongs to breaths that are made")
        return self


class HeartTable(Table):
    """``body.heart``: RR intervals made of mean and deviation, or read from a CSV (rr_s)."""

    file: FilePath | None = None
    mean_s: Annotated[float, Field(ge=0.2, le=3)] = 0.926
    deviation_s: Annotated[float, Field(ge=0, le=0.5)] = 0.05

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.file is not None and self.model_fields_set - {"file"}:
            raise ValueError("mean_s and deviation_s belong to beats that are made")
        return self


class BodyTable(Table):
    """``[body]``: signals of the body, and the half of the breath in which pulses pass.

    ``gate_s``: for how long from its begin; controllers with ``gated = false`` do not heed it.
    """

    breathing: BreathingTable | None = None
    heart: HeartTable | None = None
    gate: Literal["inhalation", "exhalation"] | None = None
    gate_s: Positive | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.gate is not None and self.breathing is None:
            raise ValueError("gate needs breathing")
        if self.gate is None and self.gate_s is not None:
            raise ValueError("gate_s needs gate = 'inhalation' or 'exhalation'")
        return self


class TimingTable(Table):
    """``[timing]``: of the loop (s)."""

    duration_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    settle_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    period_s: Annotated[float, Field(gt=0, le=10)] = 0.02
    latency_s: Annotated[float, Field(ge=0, le=10)] = 0.0


class LoopStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    plant: PlantTable
    recruitment: CurveTable
    biomarker: BiomarkerTable | None = None
    stimulator: StimulatorTable = StimulatorTable()
    controllers: Annotated[tuple[ControllerTable, ...], Field(min_length=1, max_length=24)]
    body: BodyTable = BodyTable()
    timing: TimingTable = TimingTable()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [c.label for c in self.controllers]
        for c, name in zip(self.controllers, names, strict=True):
            if names.count(name) > 1:
                raise ValueError(f"controllers need names of their own, got {c.name!r} twice")
            if name == OFF:
                raise ValueError(f"the run without stimulation is called {OFF!r}, got {c.name!r}")
        for c in self.controllers:
            where = f"controller {c.name!r} ({c.kind})"
            if not c.gated and self.body.gate is None:
                raise ValueError(f"{where} is not gated, and there is no gate in [body]")
            if c.kind == "open loop":
                continue
            if self.biomarker is None:
                raise ValueError(f"{where} needs a [biomarker]")
            if (c.kind == "phase-locked") != (self.biomarker.kind == "phase"):
                wanted = "'phase'" if c.kind == "phase-locked" else "an amplitude or a mean"
                raise ValueError(
                    f"{where} reads {wanted}, got the biomarker {self.biomarker.kind!r}"
                )
        return self

    def signals(self) -> tuple[str, ...]:
        """Return the names of the signals that plant and body have."""
        from rheobase.neurons.network.microcircuit import microcircuit_facts

        own: tuple[str, ...] = {
            "stn_gpe": ("S", "G"),
            "fibres": ("volleys",),
            "microcircuit": self.plant.listened or tuple(microcircuit_facts()["populations"]),
        }[self.plant.kind]
        heart = () if self.body.heart is None else ("heart rate",)
        return own + heart + (() if self.body.breathing is None else ("breath",))

    def check_names(self) -> None:
        """Refuse unknown names, before anything runs.

        Raises
        ------
        InputError
            If the biomarker's signal or a population is unknown.
        """
        if self.plant.kind == "microcircuit":
            from rheobase.neurons.network.microcircuit import microcircuit_facts

            known = microcircuit_facts()["populations"]
            for name in (*self.plant.share, *self.plant.listened):
                check_option("population", name, known, where="plant")
        if self.biomarker is not None:
            check_option("signal", self.biomarker.signal, self.signals(), where="biomarker")
