"""The file of a study of deep brain stimulation."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from rheobase._errors import check_option
from rheobase.tables.base import Table
from rheobase.tables.dbs_effect import DeepRegionTable, PathwayTable, VolumeTable
from rheobase.tables.dbs_lead import LeadTable
from rheobase.tables.dbs_tissue import PulseTable, TissueTable
from rheobase.tables.head import HeadTable
from rheobase.tables.uncertainty import ConductivityTable

MOST_VOXELS = 10_000_000


class SearchTable(Table):
    """``[dosing]``: the steering of a lead that reaches a region or pathway and spares others."""

    target: str
    spare: tuple[str, ...] = ()
    lead: str | None = None
    total_mA: Annotated[float, Field(gt=0, le=25)] = 5.0
    each_mA: Annotated[float, Field(gt=0, le=25)] | None = None
    contacts: Annotated[int, Field(ge=1, le=64)] = 2


class SpreadTable(Table):
    """``[uncertainty]``: standard deviations of where leads stand, distributions of what conducts.

    Without conductivities of its own, all tissues vary over the ranges of the tissue table.
    """

    samples: Annotated[int, Field(ge=8, le=10_000)] = 32
    position_mm: Annotated[float, Field(ge=0, le=5)] = 0.5
    rotation_deg: Annotated[float, Field(ge=0, le=90)] = 10.0
    conductivities: tuple[ConductivityTable, ...] = ()
    encapsulation_mm: tuple[Annotated[float, Field(ge=0, le=2)], ...] | None = Field(
        default=None, min_length=2, max_length=2
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.encapsulation_mm is not None and not (
            self.encapsulation_mm[0] < self.encapsulation_mm[1]
        ):
            raise ValueError("encapsulation_mm goes from a smaller thickness to a larger one")
        return self


class VoxelsTable(Table):
    """``[results]``: the voxels that are written around every lead."""

    voxel_mm: Annotated[float, Field(ge=0.05, le=5)] = 0.25
    margin_mm: Annotated[float, Field(ge=1, le=100)] = 10.0

    @model_validator(mode="after")
    def _few(self) -> Self:
        number = (2 * self.margin_mm / self.voxel_mm) ** 3
        if number > MOST_VOXELS:
            raise ValueError(
                f"expected at most {MOST_VOXELS:,} voxels around a lead, got {number:.2g}: take "
                "larger ones or a smaller margin"
            )
        return self


class DeepStudy(Table):
    """The whole file."""

    title: str
    question: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    head: HeadTable
    leads: Annotated[tuple[LeadTable, ...], Field(min_length=1, max_length=8)]
    tissue: TissueTable = TissueTable()
    pulse: PulseTable = PulseTable()
    volume: VolumeTable = VolumeTable()
    resolution: Annotated[float, Field(ge=0.5, le=4)] = 1.0
    regions: tuple[DeepRegionTable, ...] = ()
    pathways: tuple[PathwayTable, ...] = ()
    dosing: SearchTable | None = None
    uncertainty: SpreadTable | None = None
    results: VoxelsTable = VoxelsTable()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        leads, goals = [x.title for x in self.leads], self.goals
        for kind, names in (("leads", leads), ("regions or pathways", goals)):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {kind} are called {name!r}, give each a name")
        if self.head.tensors is not None:
            raise ValueError("head.tensors: give them to the leads in Python, not in a study yet")
        files = [x.slug for x in self.leads]
        for name, file in zip(leads, files, strict=True):
            if files.count(file) > 1:
                raise ValueError(f"lead {name!r} would share its files with another: {file}")
        if self.tissue.dispersive:
            if self.pulse.recharge == "none":
                raise ValueError(
                    "recharge = 'none' leaves a charge that dispersive tissue and the interface of "
                    "contacts have no answer to"
                )
            if self.uncertainty is not None:
                raise ValueError(
                    "[uncertainty] samples resistive tissue: not with a dispersion or an interface"
                )
        for lead in self.leads:
            if self.tissue.dispersive and lead.setting().voltages:
                raise ValueError(
                    f"lead {lead.title!r} has voltages: give currents in dispersive tissue or "
                    "behind an interface"
                )
        if self.dosing is not None:
            for key, wanted in (("target", [self.dosing.target]), ("spare", self.dosing.spare)):
                for name in wanted:
                    check_option("region or pathway", name, goals, where=f"dosing.{key}")
            if self.dosing.target in self.dosing.spare:
                raise ValueError(f"dosing.spare holds the target, {self.dosing.target!r}")
            if self.dosing.lead is not None:
                check_option("lead", self.dosing.lead, leads, where="dosing.lead")
        return self

    @property
    def goals(self) -> list[str]:
        """Names of the regions and the pathways."""
        return [*(r.title for r in self.regions), *(p.name for p in self.pathways)]

    def in_mni(self) -> dict[str, bool]:
        """Return whether what is in the study needs a transform to MNI space, by its place."""
        found = {f"leads.{k}": x.needs_mni for k, x in enumerate(self.leads)}
        found |= {f"regions.{k}": x.needs_mni for k, x in enumerate(self.regions)}
        return found | {f"pathways.{k}": x.needs_mni for k, x in enumerate(self.pathways)}
