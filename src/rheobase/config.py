"""The study file: a TOML text with units in its key names, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rheobase.tables.base import Coordinates, Positive, Table
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI
from rheobase.tables.head import HeadTable
from rheobase.tables.network import BrainTable, Columns, EEGTable, NetworkTable
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
    eeg: EEGTable | None = None
    brain: BrainTable | None = None
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
        self._check_network()
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

    def _check_network(self) -> None:
        """Refuse a network that nothing drives, and electrodes that see none.

        Raises
        ------
        ValueError
            If a table is missing or the device does not fit it.
        """
        columns = isinstance(self.network, Columns)
        if self.network and not self.cells:
            raise ValueError("[network] needs [cells], whose activation or polarisation drives it")
        if self.network and not columns and self.device.kind != "tms":
            raise ValueError(
                "[network] of model 'microcircuit' needs a pulsed device ('tms') to drive it, got "
                f"{self.device.kind!r}: take model = 'columns'"
            )
        if isinstance(self.network, Columns):
            pulsed = self.network.intensity_A_per_us is not None
            if pulsed != (self.device.kind == "tms"):
                raise ValueError(
                    "network.intensity_A_per_us is that of the pulses of a coil ('tms'): "
                    + ("set it" if not pulsed else f"leave it out with {self.device.kind!r}")
                )
            steady = self.device.kind == "tes" and not (self.cells and self.cells.frequency_Hz)
            if steady:
                raise ValueError(
                    "[network] of model 'columns' under electrodes needs an alternating current: "
                    "set cells.frequency_Hz"
                )
        if self.brain and not (self.cells and self.device.kind == "tms"):
            raise ValueError("[brain] needs [cells] and a pulsed device ('tms') that fires them")
        if self.eeg and not (self.device.kind == "tms" and (columns or self.brain)):
            raise ValueError(
                "[eeg] shows what pulses ('tms') evoke: it needs [network] of model 'columns' or "
                "[brain], whose dipoles it sees"
            )

    def positions(self) -> dict[str, str]:
        """Return the 10-10 names that the study uses, by the place in its file."""
        used = {f"device.{key}": name for key, name in self.device.positions().items()}
        if self.cells and isinstance(self.cells.centre, str):
            used["cells.centre"] = self.cells.centre
        return used


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
