"""``[device]`` of kind "tms": the coil, its pose, its pulse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Coordinates, FilePath, Finite, Place, Positive, Table, beside

if TYPE_CHECKING:
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.waveforms.waveform import Waveform

TABLE_ENDINGS = {".csv", ".tsv", ".txt"}
PLACES = ("position", "position_mm", "mni_mm", "target_mm", "target_mni_mm", "matrix_mm")
OF_STANDING = ("handle_angle_deg", "handle_towards", "handle_towards_mm", "distance_mm")
Row = tuple[Finite, Finite, Finite, Finite]


def file_or_name(coil: str, info: ValidationInfo) -> str | Path:
    """Return the path of a coil file; what has no ending of one is the name of a shipped coil."""
    from rheobase.fields.coils.files import ENDINGS

    return beside(Path(coil), info) if coil.lower().endswith(ENDINGS) else coil


def open_coil(coil: str | Path, deformations: list[float] | None, *, where: str) -> Coil:
    """Return a coil in its own frame: a shipped one by its name, or that of a file.

    Raises
    ------
    InputError
        If there is no such coil, its file is damaged, or it has no deformations.
    """
    from rheobase.fields.coils import windings
    from rheobase.fields.coils.files import read_coil

    if isinstance(coil, Path):
        return read_coil(coil, deformations=deformations)
    if deformations is not None:
        raise InputError(f"only a .tcd file has deformations, got coil {coil!r}: {where}")
    return windings.coil(check_option("coil", coil, windings.load_windings(), where=where))


def _file_or_pulse(value: Any) -> Any:
    """Return the table that a bare name stands for: a file, or a shipped pulse."""
    if not isinstance(value, str):
        return value
    return {"file": value} if Path(value).suffix.lower() in TABLE_ENDINGS else {"name": value}


class Range(Table):
    """Evenly spaced values, both ends included."""

    start: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    stop: Annotated[float, Field(gt=0, le=1e5)]
    count: Annotated[int, Field(ge=2, le=10_000)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.stop > self.start:
            raise ValueError(f"stop must be > start, got {self.start} .. {self.stop}")
        return self

    def values(self) -> NDArray[np.float64]:
        """Return the values, shape (count,)."""
        return np.linspace(self.start, self.stop, self.count)


class WaveformTable(Table):
    """``device.waveform``: a shipped pulse, a table, a circuit, or one that the coil file holds."""

    name: str | None = None
    file: FilePath | None = None
    column: str | None = None
    time_unit: str | None = None
    value_unit: str | None = None
    of_coil: str | None = None
    resistance_mOhm: Positive | None = None
    inductance_uH: Positive | None = None
    capacitance_uF: Positive | None = None
    clamp_mOhm: Positive | None = None
    cycles: Positive | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        source = self.one_of("name", "file", "of_coil", "capacitance_uF")
        circuit = {"resistance_mOhm", "inductance_uH", "capacitance_uF"}
        allowed = {
            "name": set(),
            "of_coil": set(),
            "file": {"column", "time_unit", "value_unit"},
            "capacitance_uF": circuit | {"clamp_mOhm", "cycles"},
        }[source] | {source}
        given = {k for k in type(self).model_fields if getattr(self, k) is not None}
        if given - allowed:
            raise ValueError(f"{', '.join(sorted(given - allowed))} does not go with {source}")
        if source == "capacitance_uF":
            for key in sorted(circuit - given):
                raise ValueError(f"a circuit needs {key}")
            self.one_of("clamp_mOhm", "cycles", at_most=True)
        if source in {"name", "capacitance_uF"}:
            self.make(None)
        return self

    def make(self, coil: Coil | None) -> Waveform:
        """Return dI/dt of the pulse, 1 at its largest; a table of the current is derived.

        Parameters
        ----------
        coil
            The coil, for a pulse of its file.

        Raises
        ------
        InputError
            If there is no such pulse, or the file or the circuit makes none.
        """
        from rheobase.fields.waveforms.files import read_waveform
        from rheobase.fields.waveforms.pulses import clamped_discharge, discharge, tms_pulse

        if self.name is not None:
            return tms_pulse(self.name)
        if self.file is not None:
            read = read_waveform(
                self.file,
                column=self.column,
                time_unit=self.time_unit,
                value_unit=self.value_unit,
            )
            return read.derivative() if read.unit == "A" else read
        if self.of_coil is not None:
            pulses = {} if coil is None else {w.name: w for w in coil.waveforms}
            if not pulses:
                raise InputError("the coil has no waveforms of its own: device.waveform.of_coil")
            return pulses[check_option("waveform", self.of_coil, pulses, where="device.waveform")]
        assert self.resistance_mOhm is not None  # _one_source
        assert self.inductance_uH is not None
        assert self.capacitance_uF is not None
        R, L, C = self.resistance_mOhm * 1e-3, self.inductance_uH * 1e-6, self.capacitance_uF * 1e-6
        if self.clamp_mOhm is None:
            cycles = self.cycles or 1.0
            return discharge(resistance=R, inductance=L, capacitance=C, cycles=cycles)
        return clamped_discharge(
            resistance=R, inductance=L, capacitance=C, clamp=self.clamp_mOhm * 1e-3
        )


Pulse = Annotated[
    WaveformTable, BeforeValidator(_file_or_pulse, json_schema_input_type=str | WaveformTable)
]


class TMS(Place):
    """``[device]`` of kind "tms"."""

    kind: Literal["tms"]
    coil: Annotated[str | Path, Field(union_mode="left_to_right"), AfterValidator(file_or_name)]
    deformations: list[Finite] | None = None
    target_mm: Coordinates | None = None
    target_mni_mm: Coordinates | None = None
    matrix_mm: tuple[Row, Row, Row, Row] | None = None
    matrix_frame: Literal["rheobase", "simnibs"] | None = None
    handle_angle_deg: Finite | None = None
    handle_towards: str | None = None
    handle_towards_mm: Coordinates | None = None
    distance_mm: Annotated[float, Field(ge=0, le=300)] | None = None
    contact: Literal["error", "lift", "allow"] = "error"
    waveform: Pulse = WaveformTable(name="biphasic")
    intensities_A_per_us: Range = Range(start=0.0, stop=150.0, count=61)

    @model_validator(mode="after")
    def _one_pose(self) -> Self:
        place = self.one_of(*PLACES)
        self.one_of("handle_angle_deg", "handle_towards", "handle_towards_mm", at_most=True)
        if place == "matrix_mm":
            for key in OF_STANDING:
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is in matrix_mm already")
            if self.matrix_frame is None:
                raise ValueError("matrix_mm needs matrix_frame = 'rheobase' or 'simnibs'")
            self.pose()
        elif self.matrix_frame is not None:
            raise ValueError("matrix_frame belongs to matrix_mm")
        return self

    def pose(self) -> NDArray[np.float64] | None:
        """Return the pose (m) of ``matrix_mm``, shape (4, 4), None without one."""
        from rheobase.fields.coils.coil import checked_pose
        from rheobase.fields.coils.frame import pose_from_simnibs

        if self.matrix_mm is None:
            return None
        if self.matrix_frame == "simnibs":
            return pose_from_simnibs(self.matrix_mm)
        pose = checked_pose(self.matrix_mm, where="the coil")
        pose[:3, 3] *= 1e-3
        return pose

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names by key."""
        named = {"position": self.position, "handle_towards": self.handle_towards}
        return {k: name for k, name in named.items() if name is not None}
