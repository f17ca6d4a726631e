"""``[optimise]`` of kind "dose" and ``[reference]``: which intensity repeats what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from rheobase.tables.base import Positive, Table, beside
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI
from rheobase.tables.head import HeadTable
from rheobase.tables.target import TargetTable

Device = Annotated[TMS | TES | TI, Field(discriminator="kind")]
PulseWidth = Annotated[float, Field(gt=0, le=1e5)]
#: What each goal repeats, as keys of which one must be given; in their absence, [reference].
OF_GOAL = {
    "field": ("field_V_per_m",),
    "recruitment": ("share",),
    "motor_threshold": ("threshold_A_per_us", "threshold_percent"),
}


def _file_or_name(study: str, info: ValidationInfo) -> str | Path:
    """Return the path of a study; what does not end in ``.toml`` is the name of a shipped one."""
    return beside(Path(study), info) if study.endswith(".toml") else study


class ReferenceTable(Table):
    """``[reference]``: whose field or recruitment is to be repeated.

    ``study`` takes head and device from an ordinary study; what is not given here is that of the
    file itself.
    """

    study: Annotated[
        str | Path | None, Field(union_mode="left_to_right"), AfterValidator(_file_or_name)
    ] = None
    head: HeadTable | None = None
    device: Device | None = None
    target: TargetTable | None = None
    intensity_A_per_us: Annotated[float, Field(gt=0, le=1e5)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.study is not None and self.device is not None:
            raise ValueError("the device is that of the study, got device too")
        return self


class OptimiseDose(Table):
    """``[optimise]`` of kind "dose": the intensity of a device that stands where it stands."""

    kind: Literal["dose"]
    goal: Literal["field", "recruitment", "motor_threshold"] = "field"
    statistic: Literal["mean"] | Annotated[float, Field(ge=0, le=100)] = "mean"
    field_V_per_m: Positive | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    threshold_A_per_us: Annotated[float, Field(gt=0, le=1e5)] | None = None
    threshold_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    fraction: Positive | None = None
    pulse_us: PulseWidth | None = None

    @model_validator(mode="after")
    def _goal_fits(self) -> Self:
        for goal, keys in OF_GOAL.items():
            for key in keys:
                if goal != self.goal and getattr(self, key) is not None:
                    raise ValueError(f"{key} belongs to goal = {goal!r}, got {self.goal!r}")
        self.one_of(*OF_GOAL[self.goal], at_most=self.goal != "motor_threshold")
        if self.goal != "motor_threshold" and self.fraction is not None:
            raise ValueError(f"fraction belongs to goal = 'motor_threshold', got {self.goal!r}")
        if self.goal == "recruitment" and "statistic" in self.model_fields_set:
            raise ValueError("statistic belongs to the field, got goal = 'recruitment'")
        if self.goal != "recruitment" and self.pulse_us is not None:
            raise ValueError(f"pulse_us belongs to goal = 'recruitment', got {self.goal!r}")
        return self

    @property
    def number(self) -> float | None:
        """The plain number that is to be reached, None where a reference says it."""
        return self.field_V_per_m if self.goal == "field" else self.share

    def check(
        self, device: TMS | TES | TI, target: TargetTable, reference: ReferenceTable | None
    ) -> None:
        """Refuse a goal that device, target and reference do not allow.

        Raises
        ------
        ValueError
            With one sentence.
        """
        if self.number is not None and reference is not None:
            key = OF_GOAL[self.goal][0]
            raise ValueError(f"expected [reference] or optimise.{key}, got both")
        if self.number is None and reference is None:
            raise ValueError(f"goal = {self.goal!r} needs [reference]{self._or_number()}")
        if (self.goal == "recruitment") != (target.cells is not None):
            raise ValueError("goal = 'recruitment' and [target.cells] belong together")
        if self.goal == "motor_threshold" and device.kind != "tms":
            raise ValueError(f"a motor threshold is that of a coil ('tms'), got {device.kind!r}")
        if self.goal == "recruitment" and device.kind == "ti":
            raise ValueError("cells have no calibrated threshold for carriers of kilohertz ('ti')")
        if self.goal == "recruitment" and (device.kind == "tes") != (self.pulse_us is not None):
            raise ValueError(
                "electrodes recruit with pulses: goal = 'recruitment' needs optimise.pulse_us"
                if device.kind == "tes"
                else "the pulse of a coil is device.waveform, got optimise.pulse_us"
            )
        if reference is not None:
            self._check_reference(device, target, reference)

    def _check_reference(
        self, device: TMS | TES | TI, target: TargetTable, reference: ReferenceTable
    ) -> None:
        if not (reference.study or reference.head or reference.device or reference.target):
            raise ValueError("[reference] needs one of study, head, device, target: what differs")
        other = device if reference.device is None else reference.device
        if (other.kind == "tms") != (device.kind == "tms"):
            raise ValueError(
                f"expected two coils or two sets of electrodes, got {device.kind!r} and "
                f"{other.kind!r}: reference.device"
            )
        if reference.intensity_A_per_us is not None:
            if device.kind != "tms":
                raise ValueError("the currents of electrodes are in their device: reference")
            if self.goal == "motor_threshold":
                raise ValueError("the intensity is that of the threshold: reference")
        where = reference.target
        if where is not None and (where.direction is None) != (target.direction is None):
            raise ValueError("expected a direction in both targets or in neither: reference.target")

    def _or_number(self) -> str:
        return "" if self.goal == "motor_threshold" else f" or optimise.{OF_GOAL[self.goal][0]}"
