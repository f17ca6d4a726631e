"""Command line: ``rheobase optimise`` and ``rheobase uncertainty``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from rheobase._cli_options import (
    AsJson,
    DryRun,
    Out,
    StudySource,
    carry_out,
    complete_head,
    complete_study,
    parse_options,
)
from rheobase._errors import InputError, check_option
from rheobase._head_options import Resolution

KINDS = ("tes", "ti", "tms", "dose")


def optimise(
    what: Annotated[
        str,
        typer.Argument(
            help="tes, ti, tms or dose with options, or a study file.",
            autocompletion=_complete_kind,
        ),
    ],
    head: Annotated[
        str | None,
        typer.Option(
            "--head", help="Built-in head, or a file or folder.", autocompletion=complete_head
        ),
    ] = None,
    resolution: Resolution = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", help="A known target ('left DLPFC'), a 10-10 name (C3), or MNI x,y,z in mm."
        ),
    ] = None,
    radius_mm: Annotated[
        float | None, typer.Option("--radius-mm", help="Radius of the target.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option("--direction", help="into_cortex, or x,y,z; any direction without."),
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            "--goal",
            help="intensity, focality, lcmv or recruitment; field, recruitment or motor_threshold "
            "(dose).",
        ),
    ] = None,
    total_mA: Annotated[
        float | None, typer.Option("--total-mA", help="Most current in all (2).")
    ] = None,
    each_mA: Annotated[
        float | None, typer.Option("--each-mA", help="Most current of an electrode.")
    ] = None,
    electrodes: Annotated[
        int | None, typer.Option("--electrodes", help="Most electrodes that carry current.")
    ] = None,
    coil: Annotated[str | None, typer.Option("--coil", help="Coil: a name or a file.")] = None,
    field: Annotated[
        float | None, typer.Option("--field", help="Field wanted in the target (V/m).")
    ] = None,
    cells: Annotated[
        str | None, typer.Option("--cells", help="Cell type whose recruitment counts.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="Study whose device, and head without --head, counts (dose)."
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Study or head to be repeated (dose).")
    ] = None,
    reference_target: Annotated[
        str | None, typer.Option("--reference-target", help="Target there (dose).")
    ] = None,
    intensity: Annotated[
        float | None,
        typer.Option(
            "--intensity",
            help="dI/dt (A/µs) at which cells are to fire; that of the reference (dose).",
        ),
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option("--set", help="Another key of the table: name=value.")
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Find currents, a coil pose or an intensity for a target; report and export them."""
    from rheobase.study_file import load_study
    from rheobase.tables.text import plain

    given = {
        "goal": goal,
        "total_mA": total_mA,
        "each_mA": each_mA,
        "electrodes": electrodes,
        "coil": coil,
        "field_V_per_m": field,
        **parse_options(other or [], where="--set"),
    }
    asked: dict[str, Any] = {"--head": head, "--target": target, "--direction": direction}
    asked |= {"--radius-mm": radius_mm, "--resolution": resolution, "--cells": cells}
    of_dose = {"--device": device, "--reference": reference, "--reference-target": reference_target}
    asked |= {**of_dose, "--intensity": intensity, **given}
    if what not in KINDS:
        extra = [name for name, value in asked.items() if value is not None]
        if extra:
            raise InputError(f"a study file says it all, got {', '.join(extra)} too: {what}")
        study = load_study(what, kind="optimise")
    else:
        if target is None or (head is None and device is None):
            raise InputError(f"expected --head and --target: rheobase optimise {what}")
        table: dict[str, Any] = {
            "title": f"{what}: {target}",
            "target": target_of(target, radius_mm, direction),
            "optimise": {"kind": what} | {k: v for k, v in given.items() if v is not None},
        }
        if head is not None:
            table["head"] = head_of(head, resolution)
        if cells is not None:
            table["target"]["cells"] = {"type": cells}
        if device is not None:
            own: Any = load_study(device, kind="field").study
            table = {"head": plain(own.head), **table, "device": plain(own.device)}
        if what != "dose" and intensity is not None:
            table["optimise"]["intensity_A_per_us"], intensity = intensity, None
        if reference is not None or reference_target is not None or intensity is not None:
            table["reference"] = reference_of(reference, reference_target, radius_mm, intensity)
        study = load_study(table, kind="optimise", name=f"optimise_{what}")
    carry_out(study, out=out, as_json=as_json, dry_run=dry_run)


def uncertainty(
    study: StudySource,
    samples: Annotated[
        int | None, typer.Option("--samples", help="Samples, instead of the study's (200).")
    ] = None,
    tissues: Annotated[
        str | None,
        typer.Option("--tissues", help="Tissues that vary over their table's range: skull,scalp."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Sample the field of a study over what is not known exactly; spread and Sobol indices."""
    from rheobase.study_file import load_study

    asked: dict[str, Any] = {}
    if samples is not None:
        asked["uncertainty.samples"] = samples
    if tissues is not None:
        asked["uncertainty.tissues"] = [n.strip() for n in tissues.split(",") if n.strip()]
    found = load_study(study, kind="uncertainty", change=asked)
    if not Path(study).is_dir():
        found = replace(found, out=Path("out") / f"{found.name}_uncertainty")
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)


def _complete_kind(incomplete: str) -> list[tuple[str, str]]:
    kinds = [(kind, "") for kind in KINDS if kind.startswith(incomplete)]
    return kinds + [item for item in complete_study(incomplete) if item[1] == "study file"]


def head_of(source: str, resolution: str | None) -> dict[str, Any]:
    """Return ``[head]`` of a built-in name, a file or a folder."""
    from rheobase.meshes.heads import BUILT_IN

    path = Path(source)
    if source not in BUILT_IN and (path.exists() or path.suffix or len(path.parts) > 1):
        return {"file": source}
    check_option("head", source, BUILT_IN)
    return {"name": source} | ({} if resolution is None else {"resolution": resolution})


def reference_of(
    source: str | None, target: str | None, radius_mm: float | None, intensity: float | None
) -> dict[str, Any]:
    """Return ``[reference]`` of what the command line says of it: a study or a head, a target.

    Examples
    --------
    >>> reference_of("tms_motor", "C3", None, 60.0)
    {'study': 'tms_motor', 'target': {'position': 'C3'}, 'intensity_A_per_us': 60.0}
    >>> reference_of("rat", None, None, None)
    {'head': {'name': 'rat'}}
    """
    from rheobase.kinds import KINDS as STUDIES

    found: dict[str, Any] = {}
    if source in STUDIES["field"].studies():
        found["study"] = source
    elif source is not None and source.endswith(".toml"):
        found["study"] = str(Path(source).absolute())
    elif source is not None:
        found["head"] = head_of(source, None)
    if target is not None:
        found["target"] = target_of(target, radius_mm, None)
    return found | ({} if intensity is None else {"intensity_A_per_us": intensity})


def target_of(text: str, radius_mm: float | None, direction: str | None) -> dict[str, Any]:
    """Return ``[target]`` of what the command line says of it.

    Examples
    --------
    >>> target_of("-38, 44, 26", None, "into_cortex")
    {'mni_mm': [-38.0, 44.0, 26.0], 'direction': 'into_cortex'}
    >>> target_of("C3", 5.0, "0,0,1")
    {'position': 'C3', 'radius_mm': 5.0, 'direction': [0.0, 0.0, 1.0]}
    """
    from rheobase.meshes.placing.positions import TEN_TEN
    from rheobase.tables.target import known_targets

    found: dict[str, Any]
    if "," in text:
        found = {"mni_mm": numbers(text, "--target")}
    elif text in TEN_TEN:
        found = {"position": text}
    else:
        found = {"name": check_option("target", text, [*known_targets(), *TEN_TEN])}
    if radius_mm is not None:
        found["radius_mm"] = radius_mm
    if direction is not None:
        found["direction"] = direction
        if "," in direction:
            found["direction"] = numbers(direction, "--direction")
    return found


def numbers(text: str, where: str) -> list[float]:
    """Return the three numbers of ``x,y,z``; ``where`` is the option that they came with."""
    try:
        found = [float(x) for x in text.split(",")]
    except ValueError:
        found = []
    if len(found) != 3:
        raise InputError(f"expected three numbers x,y,z, got {text!r}: {where}")
    return found
