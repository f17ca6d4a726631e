"""The study file: a TOML text with units in its key names, checked before anything runs."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Coordinates, Positive, Table
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI
from rheobase.tables.head import HeadTable
from rheobase.tables.parse import parse_table
from rheobase.tables.results import ResultsTable
from rheobase.tables.uncertainty import UncertaintyTable


class Cells(Table):
    """``[cells]``: which cells are placed where, and how activation is decided.

    Cells under electrodes are polarised: they need no mode, but a frequency where it is not 0.
    """

    types: Annotated[list[str], Field(min_length=1)]
    placements: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    radius_mm: Positive = 15.0
    centre: str | Coordinates | None = None
    mode: Literal["cable", "af", "spiking"] = "cable"
    area: str | None = None
    frequency_Hz: Annotated[float, Field(ge=0, le=1e5)] = 0.0


class NetworkTable(Table):
    """``[network]``: the circuit that the activated cells are part of, and the pulses it gets."""

    model: Literal["microcircuit"] = "microcircuit"
    scale: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    intensity_A_per_us: Annotated[float, Field(gt=0, le=1e5)]
    pulses: Annotated[int, Field(ge=1, le=10_000)] = 10
    interval_ms: Annotated[float, Field(ge=200, allow_inf_nan=False)] = 250.0
    latency_ms: Annotated[float, Field(ge=0, le=10)] = 1.0


class Study(Table):
    """A whole study file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    head: HeadTable
    device: Annotated[TMS | TES | TI, Field(discriminator="kind")]
    results: ResultsTable = ResultsTable()
    cells: Cells | None = None
    network: NetworkTable | None = None
    uncertainty: UncertaintyTable | None = None

    @model_validator(mode="after")
    def _stations_fit(self) -> Self:
        kind = self.device.kind
        if self.cells and kind != "tms" and self.cells.mode != "cable":
            raise ValueError(
                f"cells.mode decides which cells a pulse ('tms') fires, got {self.cells.mode!r} "
                f"with {kind!r}, whose steady fields and carriers have no thresholds here"
            )
        if self.cells and kind != "tes" and self.cells.frequency_Hz:
            raise ValueError(
                "cells.frequency_Hz is that of the current through electrodes ('tes'), got "
                f"{self.cells.frequency_Hz:g} with {kind!r}"
            )
        if self.network and not (self.cells and kind == "tms"):
            raise ValueError("[network] needs [cells] and a pulsed device ('tms') to drive it")
        if self.results.intensity_A_per_us is not None and self.device.kind != "tms":
            raise ValueError(
                f"results.intensity_A_per_us belongs to a coil ('tms'), got {self.device.kind!r}"
            )
        unsure = self.uncertainty or UncertaintyTable()
        if unsure.coil and self.device.kind != "tms":
            raise ValueError(f"uncertainty.coil needs a coil ('tms'), got {self.device.kind!r}")
        if unsure.electrodes and self.device.kind == "tms":
            raise ValueError("uncertainty.electrodes needs electrodes ('tes', 'ti'), got 'tms'")
        return self

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names that the study uses, by the place in its file."""
        used = {f"device.{key}": name for key, name in self.device.positions().items()}
        if self.cells and isinstance(self.cells.centre, str):
            used["cells.centre"] = self.cells.centre
        return used


def shipped_studies(folder: str = "data") -> dict[str, Path]:
    """Return the studies that come with the package, by name; deep ones are in "data/dbs"."""
    shipped = Path(str(files("rheobase").joinpath(folder)))
    return {p.stem: p for p in sorted(shipped.glob("*.toml"))}


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
    table, text, path = read_toml(source)
    return parse_study(table, where=path.name, folder=path.parent), text


def read_toml(source: str | Path, *, folder: str = "data") -> tuple[dict[str, Any], str, Path]:
    """Return the table, the text and the path of a study: a path, or the name of a shipped one.

    ``folder`` is where the package has studies of its kind.

    Raises
    ------
    InputError
        If the file is missing or is no TOML.
    """
    path = Path(source)
    if not path.is_file():
        known = shipped_studies(folder)
        if path.suffix == ".toml" or len(path.parts) > 1:
            raise InputError(f"no study file {path}; shipped studies: {', '.join(known)}")
        path = known[check_option("study", str(source), known)]
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text, path
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path.name} is no valid TOML: {error}") from error


def parse_study(
    table: dict[str, Any], *, where: str = "study", folder: Path | None = None
) -> Study:
    """Return the checked study of a TOML table, or raise naming the place in ``where``.

    Parameters
    ----------
    table, where, folder
        As in `rheobase.tables.parse.parse_table`.
    """
    return parse_table(Study, table, where=where, folder=folder)
