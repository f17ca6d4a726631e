"""The report of a study: one HTML file that needs nothing beside it, on a phone too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.report import Content, Table, cell

if TYPE_CHECKING:
    from rheobase.scenes.scene import Scene

MOST = 15_000_000  # bytes of a report


def write_report(
    path: Path, content: Content, *, record: Mapping[str, Any], scene: Path | Scene | None = None
) -> None:
    """Write the report.

    Parameters
    ----------
    path
        The HTML file.
    content
        What it says.
    record
        Provenance, with the text of the study.
    scene
        The 3-D scene or its file; where that is absent, so is the scene. One that would make the
        report larger than 15 MB is left out, and the report says so.
    """
    page = _render(content, record, *_scene(scene))
    if len(page.encode()) > MOST:
        page = _render(
            content,
            record,
            "",
            "The 3-D scene is too large for this page: rheobase view shows it.",
        )
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")


def _scene(scene: Path | Scene | None) -> tuple[str, str]:
    """Return the page of a scene, and why there is none."""
    if scene is None or (isinstance(scene, Path) and not scene.is_file()):
        return "", ""
    from rheobase.scenes import export_html

    try:
        return export_html(scene), ""
    except InputError as error:
        return "", f"{str(error)[0].upper()}{str(error)[1:]}."


def _render(content: Content, record: Mapping[str, Any], scene: str, no_scene: str) -> str:
    """Return the page."""
    from jinja2 import Environment

    data = files("rheobase").joinpath("data")
    html, css, js = (
        data.joinpath(f"report.{end}").read_text(encoding="utf-8") for end in ("html", "css", "js")
    )
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["cell"] = lambda value: "–" if value != value else cell(value)  # NaN
    sections = [(f"part-{k}", section) for k, section in enumerate(content.sections, start=1)]
    contents = [("scene", "3-D scene")] if scene or no_scene else []
    contents += [(id_, section.title) for id_, section in sections]
    contents += [("caveats", "What to know"), ("provenance", "Where it comes from")]
    return environment.from_string(html).render(
        css=css,
        js=js,
        title=content.title,
        question=content.question,
        facts=content.facts,
        contents=contents,
        scene=scene,
        scene_size=f"{len(scene) / 1e6:.1f} MB",
        no_scene=no_scene,
        sections=sections,
        notes=content.notes,
        made=_made(record),
        outputs=_outputs(record),
        study=record["study"]["text"],
        provenance=json.dumps(
            {k: v for k, v in record.items() if k not in {"study", "outputs"}},
            indent=2,
            default=str,
            ensure_ascii=False,
        ),
        version=record["packages"]["rheobase"],
        created=record["created"],
    )


def _made(record: Mapping[str, Any]) -> Table:
    """Return what made the result, and what it was made from."""
    rows = [("rheobase", record["packages"]["rheobase"]), ("made", record["created"])]
    if record.get("revision"):
        rows.append(("revision", record["revision"]))
    if "seed" in record:
        rows.append(("seed", str(record["seed"])))
    rows.append(("study file, SHA-256", record["study"]["sha256"]))
    rows += [(f"{k}: {v['file']}, SHA-256", v["sha256"]) for k, v in record["inputs"].items()]
    if record.get("cache"):
        taken = [f"{use['file']} ({use['made']})" for use in record["cache"] if use["taken"]]
        rows.append(("taken from the cache, made before", ", ".join(taken) or "nothing"))
    rows.append(("Python", record["python"]))
    rows.append(("platform", record["platform"]))
    packages = record["packages"].items()
    rows.append(("packages", ", ".join(f"{k} {v}" for k, v in packages if k != "rheobase")))
    return Table(columns=("what", "which"), rows=rows)


def _outputs(record: Mapping[str, Any]) -> Table:
    """Return the files beside the report."""
    return Table(
        columns=("file", "what it holds", "size (kB)"),
        rows=[
            (o["path"], o["title"], max(1, round(o["bytes"] / 1e3)))
            for o in record.get("outputs", ())
        ],
    )
