"""The file of an optimisation: ``[head]``, ``[target]`` and ``[optimise]``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rheobase.tables.base import FilePath, Finite, Positive, Table
from rheobase.tables.coil import Pulse, file_or_name, open_coil
from rheobase.tables.dose import Device, OptimiseDose, PulseWidth, ReferenceTable
from rheobase.tables.head import HeadTable
from rheobase.tables.target import TargetTable

if TYPE_CHECKING:
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.optimisation.limits import Limits

Current = Annotated[float, Field(gt=0, le=1000)]


class CurrentsTable(Table):
    """What optimisations of currents have in common: electrodes, limits, what is spared."""

    positions: Annotated[list[str], Field(min_length=2)] | None = None
    total_mA: Current = 2.0
    each_mA: Current | None = None
    electrodes: Annotated[int, Field(ge=2)] | None = None
    field_V_per_m: Positive | None = None
    polarisation_mV: Positive | None = None
    spare: Annotated[tuple[str, ...], Field(min_length=1)] = ("grey_matter", "white_matter")
    front: Annotated[int, Field(ge=0, le=1000)] = 12
    lead_field: FilePath | None = None

    @model_validator(mode="after")
    def _enough_positions(self) -> Self:
        names = self.positions or []
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"position {name!r} comes twice")
        if names and self.lead_field is not None:
            raise ValueError("positions are those of the lead_field that is given")
        if names and self.electrodes and self.electrodes > len(names):
            raise ValueError(
                f"expected at most as many electrodes as positions ({len(names)}), "
                f"got {self.electrodes}"
            )
        return self

    def limits(self) -> Limits:
        """Return the limits of the currents."""
        from rheobase.fields.optimisation.limits import Limits

        each = None if self.each_mA is None else self.each_mA * 1e-3
        return Limits(total=self.total_mA * 1e-3, each=each, electrodes=self.electrodes)


class OptimiseTES(CurrentsTable):
    """``[optimise]`` of kind "tes": the currents of one montage."""

    kind: Literal["tes"]
    goal: Literal["intensity", "focality", "lcmv", "recruitment"] = "intensity"
    pulse_us: PulseWidth | None = None
    every_pair: bool = False

    @model_validator(mode="after")
    def _goal_fits(self) -> Self:
        if self.goal in {"intensity", "recruitment"} and (
            self.field_V_per_m or self.polarisation_mV
        ):
            raise ValueError("field_V_per_m belongs to goal = 'focality' or 'lcmv'")
        if self.goal == "recruitment" and self.pulse_us is None:
            raise ValueError("goal = 'recruitment' needs pulse_us: thresholds are those of pulses")
        for key in ("pulse_us", "every_pair"):
            if self.goal != "recruitment" and getattr(self, key):
                raise ValueError(f"{key} belongs to goal = 'recruitment', got {self.goal!r}")
        return self


class OptimiseTI(CurrentsTable):
    """``[optimise]`` of kind "ti": the currents of two carriers."""

    kind: Literal["ti"]
    goal: Literal["intensity", "focality"] = "intensity"
    through: Literal["pairs", "arrays"] = "pairs"
    starts: Annotated[int, Field(ge=1, le=1000)] = 4
    front: Annotated[int, Field(ge=0, le=1000)] = 5
    carriers_Hz: tuple[Positive, Positive] = (2000.0, 2010.0)

    @model_validator(mode="after")
    def _goal_fits(self) -> Self:
        if self.goal == "intensity" and self.field_V_per_m is not None:
            raise ValueError("field_V_per_m belongs to goal = 'focality'")
        if self.carriers_Hz[0] == self.carriers_Hz[1]:
            raise ValueError("two carriers of the same frequency do not beat")
        if self.electrodes is not None and self.electrodes < 4:
            raise ValueError("two carriers need four electrodes or more")
        return self


class OptimiseTMS(Table):
    """``[optimise]`` of kind "tms": where a coil stands and how it is turned."""

    kind: Literal["tms"]
    goal: Literal["field", "recruitment"] = "field"
    coil: Annotated[str | Path, Field(union_mode="left_to_right"), AfterValidator(file_or_name)] = (
        "magstim-70mm-figure8"
    )
    deformations: list[Finite] | None = None
    radius_mm: Annotated[float, Field(gt=0, le=200)] = 25.0
    spacing_mm: Annotated[float, Field(gt=0, le=50)] = 4.0
    step_deg: Annotated[float, Field(gt=0, le=180)] = 10.0
    distance_mm: Annotated[float, Field(ge=0, le=300)] = 4.0
    field_V_per_m: Positive | None = None
    poses: Annotated[int, Field(ge=1, le=1000)] = 5
    intensity_A_per_us: Annotated[float, Field(gt=0, le=1e5)] | None = None
    waveform: Pulse | None = None
    modes: Annotated[int, Field(ge=10, le=2000)] | None = None
    coil_modes: FilePath | None = None

    @model_validator(mode="after")
    def _goal_fits(self) -> Self:
        recruits = self.goal == "recruitment"
        if recruits and self.intensity_A_per_us is None:
            raise ValueError(
                "goal = 'recruitment' needs intensity_A_per_us: cells fire at some dI/dt"
            )
        if recruits and self.field_V_per_m is not None:
            raise ValueError("field_V_per_m belongs to goal = 'field', got 'recruitment'")
        for key in ("intensity_A_per_us", "waveform", "modes", "coil_modes"):
            if not recruits and getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to goal = 'recruitment', got 'field'")
        if self.modes is not None and self.coil_modes is not None:
            raise ValueError("the modes are those of the file coil_modes, got modes too")
        return self

    def open_coil(self) -> Coil:
        """Return the coil in its own frame.

        Raises
        ------
        InputError
            If there is no such coil, or its file is damaged.
        """
        return open_coil(self.coil, self.deformations, where="optimise.coil")


class OptimiseStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    head: HeadTable
    target: TargetTable
    optimise: Annotated[
        OptimiseTES | OptimiseTI | OptimiseTMS | OptimiseDose, Field(discriminator="kind")
    ]
    device: Device | None = None
    reference: ReferenceTable | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.optimise, OptimiseDose):
            if self.device is None:
                raise ValueError("kind = 'dose' needs [device]: whose intensity is asked for")
            self.optimise.check(self.device, self.target, self.reference)
            return self
        for key in ("device", "reference"):
            if getattr(self, key) is not None:
                raise ValueError(f"[{key}] belongs to kind = 'dose', got {self.optimise.kind!r}")
        if self.head.tensors is not None:
            raise ValueError("head.tensors: anisotropic heads are not optimised on yet")
        recruits = getattr(self.optimise, "goal", "") == "recruitment"
        if recruits and self.target.cells is None:
            raise ValueError("goal = 'recruitment' needs [target.cells]: which cells are to fire")
        if self.target.cells is not None and not (
            recruits or isinstance(self.optimise, OptimiseTES)
        ):
            raise ValueError(
                f"target.cells needs kind = 'tes' or goal = 'recruitment', got "
                f"{self.optimise.kind!r}: cells are not polarised by carriers of kilohertz, and "
                "coils need their thresholds"
            )
        if isinstance(self.optimise, CurrentsTable):
            for key, of_cells in (("field_V_per_m", False), ("polarisation_mV", True)):
                if getattr(self.optimise, key) and of_cells != (self.target.cells is not None):
                    raise ValueError(
                        f"optimise.{key} belongs to a target {'with' if of_cells else 'without'} "
                        "cells"
                    )
        return self

    def named_positions(self) -> dict[str, str]:
        """Return the 10-10 names that the study uses, by the place in its file."""
        used = self.target.positions()
        if isinstance(self.optimise, CurrentsTable):
            names = self.optimise.positions or []
            used |= {f"optimise.positions.{k}": name for k, name in enumerate(names)}
        return used
