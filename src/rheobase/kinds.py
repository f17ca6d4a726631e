"""The kinds of study there are: what tells them apart, what checks, plans and runs each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option

if TYPE_CHECKING:
    from rheobase.tables.base import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of study; what belongs to it is imported only when asked for.

    Parameters
    ----------
    name, what
        Its name, and one line on it.
    key
        The table that only files of this kind have.
    shipped
        Folder of the package with studies of this kind, "" for none.
    model, check, run, plan
        ``module:name`` of the model of the file, and of the functions that refuse what cannot be
        used, run it, and say what that will take.
    """

    name: str
    what: str
    key: str
    shipped: str
    model: str
    check: str
    run: str
    plan: str

    def table(self) -> type[Table]:
        """Return the model of the whole file."""
        model: type[Table] = named(self.model)
        return model

    def function(self, which: str) -> Callable[..., Any]:
        """Return the function that does "check", "run" or "plan"."""
        found: Callable[..., Any] = named(getattr(self, which))
        return found

    def studies(self) -> dict[str, Path]:
        """Return the studies of this kind that come with the package, by name."""
        if not self.shipped:
            return {}
        folder = Path(str(files("rheobase").joinpath(self.shipped)))
        return {p.stem: p for p in sorted(folder.glob("*.toml"))}


def named(target: str) -> Any:
    """Return what ``module:name`` within the package is."""
    module, _, name = target.partition(":")
    return getattr(import_module(f"rheobase.{module}"), name)


#: In the order in which their keys are looked for: a dose has a ``[device]`` too.
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="optimise",
            what="currents, a coil pose or an intensity for a target",
            key="optimise",
            shipped="",
            model="tables.optimise:OptimiseStudy",
            check="dosing:check_study",
            run="dosing:run_optimise",
            plan="plans.optimise:plan_optimise",
        ),
        Kind(
            name="field",
            what="TMS, tES or temporal interference: field, cells, network",
            key="device",
            shipped="data",
            model="config:Study",
            check="stations.inputs:open_inputs",
            run="pipeline:run_study",
            plan="plans.field:plan_field",
        ),
        Kind(
            name="dbs",
            what="deep brain stimulation: leads, activated volume, pathways",
            key="leads",
            shipped="data/dbs",
            model="tables.dbs:DeepStudy",
            check="dbs:check_study",
            run="dbs:run_dbs",
            plan="plans.dbs:plan_dbs",
        ),
        Kind(
            name="fus",
            what="focused ultrasound: sound, heat, cells",
            key="transducer",
            shipped="data/fus",
            model="tables.fus:UltrasoundStudy",
            check="fus:check_study",
            run="fus:run_fus",
            plan="plans.fus:plan_fus",
        ),
        Kind(
            name="loop",
            what="closed loop: plant, biomarker, controllers",
            key="plant",
            shipped="data/loop",
            model="tables.loop:LoopStudy",
            check="loop:check_loop",
            run="loop:run_loop_study",
            plan="plans.loop:plan_loop",
        ),
        Kind(
            name="cross-species",
            what="surface stimulation of rat, mouse and human cortex",
            key="conditions",
            shipped="data/studies",
            model="tables.cross_species:CrossSpeciesStudy",
            check="studies.cross_species:check_cross_species",
            run="studies.cross_species:run_cross_species",
            plan="plans.cross_species:plan_cross_species",
        ),
        Kind(
            name="uncertainty",
            what="the field of a study over what is not known exactly",
            key="",  # a field study; its results say that they are of this kind
            shipped="",
            model="config:Study",
            check="stations.inputs:open_inputs",
            run="dosing:run_uncertainty",
            plan="plans.field:plan_uncertainty",
        ),
    )
}


def kind_of(table: Mapping[str, Any], *, where: str) -> Kind:
    """Return the kind of study that a table is.

    Raises
    ------
    InputError
        If it has the table of no kind.

    Examples
    --------
    >>> kind_of({"head": {"name": "sphere"}, "device": {"kind": "tes"}}, where="s.toml").name
    'field'
    """
    keys = {kind.key: kind for kind in KINDS.values() if kind.key}
    for key, kind in keys.items():
        if isinstance(table.get(key), (Mapping, list, tuple)):
            return kind
    if isinstance(table.get("study"), str):
        raise InputError(f"expected a study, got a sweep: rheobase sweep {where}")
    from difflib import get_close_matches

    for key in table:
        if get_close_matches(key, keys, n=1, cutoff=0.75):
            check_option("table", key, keys, where=where)
    told = ", ".join(f"[{key}] ({kind.name})" for key, kind in keys.items())
    raise InputError(f"expected one of the tables {told}, got none: {where}")


def shipped_studies() -> dict[str, Path]:
    """Return every study that comes with the package, by name."""
    return {name: path for kind in KINDS.values() for name, path in kind.studies().items()}
