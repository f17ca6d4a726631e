"""The study file: a TOML text with units in its key names, checked before anything runs."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rheobase._errors import InputError, check_option

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Table(BaseModel):
    """A table of the study file: no unknown key, no change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Table):
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


class HeadTable(_Table):
    """``[head]``: a built-in head by name, or a file (or folder) of one's own.

    ``options`` holds what only one head or one reader knows ("area" of a slab, "radii_mm" of the
    sphere …); they are checked against it before anything is built.
    """

    name: str | None = None
    resolution: str | None = None
    edge_length_mm: Positive | None = None
    file: Path | None = None
    labels: Path | str | dict[str, str] | None = None
    species: Literal["human", "macaque", "rat", "mouse"] | None = None
    fiducials_mm: dict[str, tuple[Finite, Finite, Finite]] | None = None
    tissues: Path | dict[str, dict[str, Any]] | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.name is None) == (self.file is None):
            raise ValueError("expected either name (a built-in head) or file, got both or neither")
        only_file = {"labels", "species", "fiducials_mm"} & self.model_fields_set
        if self.name is not None and only_file:
            raise ValueError(f"{', '.join(sorted(only_file))} belongs to a head from a file")
        if self.file is not None and self.resolution is not None:
            raise ValueError(
                "resolution belongs to a built-in head, give edge_length_mm for a file"
            )
        twice = (set(HeadTable.model_fields) - {"options"}) & set(self.options)
        if twice:
            raise ValueError(
                f"give {', '.join(sorted(twice))} in [head] itself, not in its options"
            )
        return self

    def given(self) -> dict[str, Any]:
        """Return the options for `build_head` or `read_head` that were given."""
        labels: Any = self.labels
        if isinstance(labels, dict):
            try:
                labels = {int(k): v for k, v in labels.items()}
            except ValueError:
                raise InputError(
                    f"expected whole numbers as labels, got {', '.join(labels)}: head.labels"
                ) from None
        named = {
            "resolution": self.resolution,
            "edge_length_mm": self.edge_length_mm,
            "labels": labels,
            "species": self.species,
            "fiducials_mm": self.fiducials_mm,
        }
        return {k: v for k, v in named.items() if v is not None} | self.options


class Electrode(_Table):
    """``[[device.electrodes]]``: one pad or disc and the current into the head through it."""

    name: str
    position: str
    current_mA: Annotated[float, Field(ge=-1000, le=1000)]
    shape: Literal["disc", "rectangle"] = "disc"
    radius_mm: Positive = 12.0
    size_mm: tuple[Positive, Positive] = (50.0, 50.0)
    rotation_deg: Finite = 0.0
    contact: Literal["gel", "sponge"] = "gel"


class Pair(_Table):
    """``[[device.pairs]]``: two discs that carry one carrier frequency."""

    anode: str
    cathode: str
    current_mA: Annotated[float, Field(gt=0, le=1000)]
    radius_mm: Positive = 12.0


class TMS(_Table):
    """``[device]`` of kind "tms"."""

    kind: Literal["tms"]
    coil: str
    position: str
    handle_angle_deg: Finite = 45.0
    distance_mm: Annotated[float, Field(ge=0, le=300)] = 4.0
    waveform: Literal["biphasic", "half-sine", "monophasic"] = "biphasic"
    intensities_A_per_us: Range = Range(start=0.0, stop=150.0, count=61)


class TES(_Table):
    """``[device]`` of kind "tes": direct or alternating current through electrodes."""

    kind: Literal["tes"]
    electrodes: Annotated[list[Electrode], Field(min_length=2)]

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        total = sum(e.current_mA for e in self.electrodes)
        if abs(total) > 1e-9 * sum(abs(e.current_mA) for e in self.electrodes):
            names = "-".join(e.name for e in self.electrodes)
            raise ValueError(f"current sums to {total:g} mA, must be 0: montage {names!r}")
        if not any(e.current_mA for e in self.electrodes):
            raise ValueError("every electrode carries 0 mA: at least two must carry current")
        names_ = [e.name for e in self.electrodes]
        for name in names_:
            if names_.count(name) > 1:
                raise ValueError(f"two electrodes are called {name!r}, names must differ")
        return self


class TI(_Table):
    """``[device]`` of kind "ti": temporal interference of two pairs."""

    kind: Literal["ti"]
    carriers_Hz: tuple[Positive, Positive]
    pairs: Annotated[list[Pair], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _beats(self) -> Self:
        if self.carriers_Hz[0] == self.carriers_Hz[1]:
            raise ValueError(f"carriers_Hz must differ to beat, got {self.carriers_Hz[0]:g} twice")
        names = [n for p in self.pairs for n in (p.anode, p.cathode)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"position {name!r} is used twice, electrodes must not overlap")
        return self


class Cells(_Table):
    """``[cells]``: which cells are placed where, and how activation is decided."""

    types: Annotated[list[str], Field(min_length=1)]
    placements: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    radius_mm: Positive = 15.0
    centre: str | tuple[Finite, Finite, Finite] | None = None
    mode: Literal["cable", "af"] = "cable"
    area: str | None = None


class NetworkTable(_Table):
    """``[network]``: the circuit that the activated cells are part of, and the pulses it gets."""

    model: Literal["microcircuit"] = "microcircuit"
    scale: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    intensity_A_per_us: Annotated[float, Field(gt=0, le=1e5)]
    pulses: Annotated[int, Field(ge=1, le=10_000)] = 10
    interval_ms: Annotated[float, Field(ge=200, allow_inf_nan=False)] = 250.0
    latency_ms: Annotated[float, Field(ge=0, le=10)] = 1.0


class Study(_Table):
    """A whole study file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    head: HeadTable
    device: Annotated[TMS | TES | TI, Field(discriminator="kind")]
    cells: Cells | None = None
    network: NetworkTable | None = None

    @model_validator(mode="after")
    def _stations_fit(self) -> Self:
        if self.cells and self.device.kind != "tms":
            raise ValueError(
                f"[cells] needs a pulsed device ('tms'), got {self.device.kind!r}: sub-threshold "
                "polarisation and kHz carriers have no calibrated threshold yet"
            )
        if self.network and not self.cells:
            raise ValueError("[network] needs [cells] to drive it")
        return self


def shipped_studies() -> dict[str, Path]:
    """Return the studies that come with the package, by name."""
    folder = Path(str(files("rheobase").joinpath("data")))
    return {p.stem: p for p in sorted(folder.glob("*.toml"))}


def load_study(source: str | Path) -> tuple[Study, str]:
    """Read and check a study: a path, or the name of a shipped one.

    Returns
    -------
    Study, str
        The study and the text of its file.

    Raises
    ------
    InputError
        If the file is missing, is no TOML, or holds an unknown key or a value out of range; the
        sentence names the place in the file.

    Examples
    --------
    >>> load_study("tms_motor")[0].device.kind
    'tms'
    """
    path = Path(source)
    if not path.is_file():
        known = shipped_studies()
        if path.suffix == ".toml" or len(path.parts) > 1:
            raise InputError(f"no study file {path}; shipped studies: {', '.join(known)}")
        path = known[check_option("study", str(source), known)]
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path.name} is no valid TOML: {error}") from error
    study = parse_study(table, where=path.name)
    beside = {
        name: path.parent / given
        for name in ("file", "labels", "tissues")
        if isinstance(given := getattr(study.head, name), Path)
        or (isinstance(given, str) and Path(given).suffix)  # a bare name is a known label table
    }
    head = study.head.model_copy(update=beside)
    return study.model_copy(update={"head": head}), text


def parse_study(table: dict[str, Any], *, where: str = "study") -> Study:
    """Return the checked study of a TOML table, or raise naming the place in ``where``."""
    try:
        return Study.model_validate(table)
    except ValidationError as error:
        raise InputError(_sentence(error, where)) from error


def _sentence(error: ValidationError, where: str) -> str:
    """Tell the first thing wrong in one sentence."""
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    place = [str(p) for p in first["loc"] if p not in {"tms", "tes", "ti"}]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"].startswith("union_tag"):
        kinds = ("tms", "tes", "ti")
        came = first["input"].get("kind") if isinstance(first["input"], dict) else None
        if came is None:
            return f"expected kind = 'tms', 'tes' or 'ti': {where}, [device]"
        try:
            check_option("kind", str(came), kinds, where=f"{where}, [device]")
        except InputError as unknown:
            return str(unknown)
    if first["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return f"expected a table: {where}, [{'.'.join(place)}]"
    if first["type"] == "extra_forbidden":
        table = ".".join(place[:-1])
        allowed = _keys(first["loc"][:-1])
        try:
            check_option("key", place[-1], allowed, where=f"{where}, [{table}]" if table else where)
        except InputError as unknown:
            return str(unknown)
    value = first.get("input")
    got = f", got {value!r}" if isinstance(value, (str, int, float)) else ""
    if first["type"] in {"missing", "value_error"}:
        got = ""
    return f"{message}{got}: {where}" + (f", {'.'.join(place)}" if place else "")


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the table at ``location`` may hold."""
    models: dict[str, type[_Table]] = {
        "head": HeadTable,
        "tms": TMS,
        "tes": TES,
        "ti": TI,
        "electrodes": Electrode,
        "pairs": Pair,
        "intensities_A_per_us": Range,
        "cells": Cells,
        "network": NetworkTable,
    }
    names = [p for p in location if isinstance(p, str)]
    model = models[names[-1]] if names else Study
    return list(model.model_fields)
