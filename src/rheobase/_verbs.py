"""The verbs of the command line, imported only when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from rheobase._errors import check_option
from rheobase._ranks import check_alone

#: ``module:name`` and one line of help of each verb, by topic.
TOPICS: dict[str, dict[str, tuple[str, str]]] = {
    "Studies": {
        "demo": ("_run_cli:demo", "The shipped study: TMS, from the coil to the network."),
        "run": ("_run_cli:run", "A study of any kind, or a run again from its results."),
        "fields": ("_run_cli:fields", "A study up to the field."),
        "activate": ("_run_cli:activate", "A study up to its cells."),
        "network": ("_run_cli:network", "A study up to its network."),
        "dbs": ("_dbs_cli:dbs", "Leads in the brain: field, volume, pathways, steering."),
        "fus": ("_fus_cli:app", "Focused ultrasound: sound, heat, cells; a quick look."),
        "loop": ("_study_cli:loop", "Closed loop: plant, biomarker, controllers."),
        "study": ("_study_cli:study", "A study of the literature anew, across species."),
        "sweep": ("_sweep_cli:sweep", "A study over many settings, heads and species."),
        "group": ("_sweep_cli:group", "Fields over subjects in MNI space."),
    },
    "Results": {
        "report": ("_run_cli:report", "Write a report again without computing."),
        "view": ("_view_cli:view", "Look at a result in 3-D; pick, place and re-solve."),
    },
    "Dosing": {
        "optimise": ("_optimise_cli:optimise", "Currents, a coil pose or a dose for a target."),
        "uncertainty": ("_optimise_cli:uncertainty", "How sure the field of a study is."),
        "leadfield": ("_fields_cli:leadfield", "Solve for every electrode of a head once."),
    },
    "Library": {
        "heads": ("_heads_cli:app", "Heads: list, look, build, check, draw."),
        "devices": ("_fields_cli:devices", "Shipped coils, electrode layers, TMS pulses."),
        "schema": ("_schema_cli:schema", "JSON Schema of study files, for editors."),
        "validate": ("_validate_cli:validate", "Compare with exact and published numbers."),
        "cache": ("_cache_cli:app", "What was kept: list, size, clear."),
        "doctor": ("_doctor_cli:doctor", "What is installed, what is missing, how to mend it."),
    },
}
VERBS = {name: verb for topic in TOPICS.values() for name, verb in topic.items()}
#: Those that several MPI ranks can share; the others refuse to start on them.
SHARED = ("demo", "run", "fields", "activate", "network", "leadfield")


class Verbs(TyperGroup):
    """A group of commands whose modules load when they are used, so that help is quick."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of the verbs."""
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Return a verb, None where there is none of this name."""
        if cmd_name in VERBS and cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Return the verb that arguments begin with, and the rest of them.

        Raises
        ------
        InputError
            If there is no such verb, with the nearest ones; if several MPI ranks cannot share it.
        """
        if not args[0].startswith("-") and not ctx.resilient_parsing:
            check_option("verb", args[0], VERBS, where="rheobase --help lists them")
            if args[0] not in SHARED:
                check_alone(f"rheobase {args[0]}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the verbs by topic, without importing them."""
        for topic, verbs in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([(name, line) for name, (_, line) in verbs.items()])


def _load(name: str) -> Any:
    module, _, attribute = VERBS[name][0].partition(":")
    found = getattr(import_module(f"rheobase.{module}"), attribute)
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None
        group: Any = typer.main.get_group(found)
        group.name = name
        return group
    one = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    one.command(name)(found)
    return typer.main.get_command(one)
