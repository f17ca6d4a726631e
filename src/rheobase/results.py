"""What a study made: in memory, and as the folder that it is read from again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option
from rheobase._kept import recorded
from rheobase._progress import announce, stage
from rheobase.naming import label
from rheobase.provenance import PROVENANCE, provenance, study_record, write_provenance
from rheobase.report import Content, Table
from rheobase.report_page import write_report
from rheobase.report_record import read_content, read_json, write_content
from rheobase.stations.book import Book, Output

if TYPE_CHECKING:
    import pyvista as pv
    import xarray as xr

    from rheobase.scenes.scene import Scene

STUDY, REPORT, RECORD, SCENE = "study.toml", "report.html", "report.json", "scene.h5"
DESCRIPTION = "dataset_description.json"
BIDS = "1.10.0"
FIELDS = (".vtkhdf", ".vtu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a study made.

    Parameters
    ----------
    title
        Title of the study.
    out
        Folder of the results.
    tables
        The tables of the report by name.
    files
        Every file written, the report first.
    """

    title: str
    out: Path
    tables: Mapping[str, Table]
    files: tuple[Path, ...]

    def table(self) -> str:
        """Return the tables as text."""
        parts = [self.title] + [f"{name}\n{t.text()}" for name, t in self.tables.items()]
        return "\n\n".join(parts) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """Return the tables and the files as plain values."""
        return {
            "title": self.title,
            "out": str(self.out),
            "tables": {
                name: [dict(zip(t.columns, map(_finite, row), strict=True)) for row in t.rows]
                for name, t in self.tables.items()
            },
            "files": [str(f) for f in self.files],
        }

    def scene(self) -> Scene:
        """Return the 3-D scene.

        Raises
        ------
        InputError
            If the study has none.
        """
        from rheobase.scenes.file import load_scene

        if not (self.out / SCENE).is_file():
            raise InputError(f"there is no 3-D scene in {self.out}")
        return load_scene(self.out / SCENE)

    def plot(
        self, png: Path | str | None = None, *, jupyter: bool | None = None, **how: Any
    ) -> Any:
        """Show the 3-D scene in a notebook or a window, or draw it.

        Parameters
        ----------
        png
            Picture to draw off screen (`rheobase.scenes.plot`).
        jupyter
            Show its page in the cell of a notebook (`rheobase.viewer.in_notebook`); if None, that
            depends on where this runs.
        **how
            Options of the function that shows or draws (``window=True`` opens a window).

        Raises
        ------
        InputError
            If the study has no scene, or what is asked for cannot be drawn here.
        """
        from rheobase.scenes import plot
        from rheobase.scenes.show import in_notebook

        if png is None and (in_notebook() if jupyter is None else jupyter):
            from rheobase.viewer import in_notebook as page

            return page(self, **how)
        return plot(self.scene(), png, jupyter=False, **how)

    def dataset(self, name: str) -> xr.Dataset:
        """Return the labelled arrays of a NetCDF file by its suffix.

        Parameters
        ----------
        name
            ``recruitment``, ``network`` …; of several files of a suffix, ``suffix-desc``:
            ``recruitment-lowered``.

        Raises
        ------
        InputError
            If there is no such file; the sentence names those there are.
        """
        import xarray as xr

        files = _datasets(self.files)
        return xr.load_dataset(files[check_option("dataset", name, files)], engine="h5netcdf")

    def field(self) -> pv.DataSet:
        """Return the mesh of the field (m) with its arrays.

        Raises
        ------
        InputError
            If the study wrote no VTK file.
        """
        import pyvista as pv

        for path in self.files:
            if path.suffix in FIELDS and path.stem.endswith("_field"):
                return pv.read(path)
        raise InputError(
            f'the study wrote no field for VTK (results.formats = ["vtu"]): {self.out}'
        )


def _datasets(files: tuple[Path, ...]) -> dict[str, Path]:
    """Return the NetCDF files by suffix, where several share one by suffix and description."""
    found: dict[str, Path] = {}
    paths = [p for p in files if p.suffix == ".nc"]
    suffixes = [p.stem.rpartition("_")[2] for p in paths]
    for path, suffix in zip(paths, suffixes, strict=True):
        desc = path.stem.partition("_desc-")[2].partition("_")[0]
        found[suffix if suffixes.count(suffix) == 1 else f"{suffix}-{desc}"] = path
    return found


def open_result(folder: Path | str) -> Result:
    """Return the result that a study wrote into a folder, without computing.

    Raises
    ------
    InputError
        If the folder holds no result, or one that was interrupted.
    """
    out = Path(folder)
    record = read_json(out / PROVENANCE)
    if not record.get("finished"):
        done = ", ".join(o["path"] for o in record.get("outputs", ()))
        raise InputError(f"the run in {out} did not finish; whole files: {done or 'none'}")
    content = read_content(out / RECORD, out)
    return Result(
        title=content.title,
        out=out,
        tables=content.tables,
        files=_files(out, [o["path"] for o in record["outputs"]]),
    )


def rewrite_report(folder: Path | str) -> Path:
    """Write the report of a result again from its folder, without computing; return its path.

    Raises
    ------
    InputError
        If the folder holds no result, or one that was interrupted.
    """
    out = open_result(folder).out
    record = read_json(out / PROVENANCE)
    content = read_content(out / RECORD, out)
    for picture in (f.path for section in content.sections for f in section.figures):
        if not picture.is_file():
            raise InputError(f"expected the picture that the report shows, found no {picture}")
    try:
        record["outputs"] = [o for o in record["outputs"] if o["path"] != REPORT]
        _report(out, content, record)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"expected the record of a run, got a damaged one without {error}: {out / PROVENANCE}"
        ) from error
    return out / REPORT


def _report(
    out: Path, content: Content, record: dict[str, Any], *, scene: Scene | None = None
) -> None:
    """Write the report, and the provenance with it; the scene is that of the folder if None."""
    write_report(out / REPORT, content, record=record, scene=scene or out / SCENE)
    report = Output(path=REPORT, role="report", title="Report")
    record["outputs"] = [*record["outputs"], report.record(out)]
    write_provenance(out / PROVENANCE, record)


@contextmanager
def open_book(
    text: str,
    out: Path,
    *,
    head: str = "",
    kind: str | None = None,
    folder: Path | None = None,
) -> Iterator[Book]:
    """Give the book of a run, with the text of its study in it.

    A block that is left early leaves the whole files there, and ``provenance.json`` says that the
    run did not finish.

    Parameters
    ----------
    text
        The study file.
    out
        Folder of the results; made when absent.
    head
        Name of the head or of what stands for it; "" for studies of several.
    kind, folder
        Kind of the study (`rheobase.kinds`), None for what is no study; where its paths start.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"expected a folder for the results, got the file {out}: --out")
    former = _former(out)
    begun: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "study": study_record(text, kind=kind, folder=folder),
        "former": former,
        "cache": [],
    }
    book = Book(out=out, subject=label(head) if head else "", begun=begun)
    for name in (REPORT, RECORD, SCENE):
        (out / name).unlink(missing_ok=True)
    with book.own(STUDY, title="Study file", role="study") as part:
        part.write_text(text, encoding="utf-8")
    try:
        with recorded(begun["cache"]), book.later:
            yield book
    except BaseException:
        if len(book.outputs) > 1:
            announce(f"not finished; {len(book.outputs)} whole files are in {out}")
        raise


def finish(
    book: Book, *, title: str, question: str, text: str, seed: int, read: Mapping[str, Path]
) -> Result:
    """Write scene, report and provenance of what the stations have put together.

    Parameters
    ----------
    book
        What they have put together.
    title, question, text, seed
        Of the study, the text being that of its file.
    read
        Files that were read, by the place in the study that names them.
    """
    out = book.out
    with stage("writing the report"):
        book.later.close()
        record = provenance(study=text, inputs=read, details={"seed": seed, **book.details})
        record["study"] = book.begun["study"]
        record["cache"] = book.begun["cache"]
        content = Content(
            title=title,
            question=question,
            facts=book.facts,
            sections=tuple(book.sections),
            notes=tuple(dict.fromkeys(book.notes)),
            tables=book.tables,
        )
        scene: Scene | None = None
        if book.scene:
            from rheobase.scenes.file import save_scene
            from rheobase.scenes.scene import Scene

            scene = Scene(title=title, layers=tuple(book.scene), **book.frame)
            with book.own(SCENE, title="3-D scene", role="scene") as part:
                save_scene(part, scene)
        with book.own(DESCRIPTION, title="What this folder is", role="description") as part:
            part.write_text(json.dumps(_description(title, record), indent=2) + "\n")
        with book.own(RECORD, title="What the report is drawn from", role="report") as part:
            write_content(part, content, out)
        record["finished"] = True
        record["outputs"] = [o.record(out) for o in book.outputs]
        _report(out, content, record, scene=scene)
    paths = [str(o["path"]) for o in record["outputs"]]
    _remove(out, set(book.begun["former"]) - set(paths))
    return Result(title=title, out=out, tables=book.tables, files=_files(out, paths))


def _files(out: Path, paths: Iterable[str]) -> tuple[Path, ...]:
    """Return the files of a result: the report first, where it comes from last."""
    return (out / REPORT, *(out / p for p in paths if p != REPORT), out / PROVENANCE)


def _description(title: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a derived dataset, as BIDS wants it."""
    return {
        "Name": title,
        "BIDSVersion": BIDS,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "rheobase", "Version": record["packages"]["rheobase"]}],
    }


def _former(out: Path) -> list[str]:
    """Return the files of a former run in a folder."""
    with suppress(InputError):
        record = read_json(out / PROVENANCE)
        return [o["path"] for o in record.get("outputs", ())] + list(record.get("former", ()))
    return []


def _remove(out: Path, paths: set[str]) -> None:
    """Remove files of a former run, and nothing outside the folder."""
    for path in paths:
        file = (out / path).resolve()
        if file.is_relative_to(out.resolve()):
            file.unlink(missing_ok=True)


def _finite(value: str | float | int) -> str | float | int | None:
    """Return None for what JSON has no number for (a cell that never fires)."""
    return None if isinstance(value, float) and not isfinite(value) else value
