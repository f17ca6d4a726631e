"""A parameter study: a file that names a study, its axes, and the numbers that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError
from rheobase._files import content_key, package_key
from rheobase._progress import stage
from rheobase.sweeps.design import Design, Point
from rheobase.sweeps.inputs import files_of, hold_inputs
from rheobase.sweeps.settings import Base, open_base, recorded_base
from rheobase.sweeps.sweep import claim, gather, tasks, work_out
from rheobase.tables.sweep import OutputsTable, SweepStudy

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 8  # geometries that a process takes at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """A parameter study that was read and checked.

    Parameters
    ----------
    table, text, name
        The file: its tables, its text, and its stem.
    base
        The study that is varied.
    design
        The points.
    folder, out
        Where the paths of the file start; the folder of results that it is from, None for a file.
    """

    table: SweepStudy
    text: str
    name: str
    base: Base
    design: Design
    folder: Path
    out: Path | None = None

    @property
    def shares(self) -> bool:
        """Whether points share heads and fields: those of field studies."""
        return self.base.kind.name == "field"

    @property
    def runs(self) -> bool:
        """Whether each point is (also) a run of the whole study."""
        outputs = self.table.outputs
        return bool(outputs.values) or outputs.keep or not self.shares

    def share(self, point: Point) -> str:
        """Return the key of what a point shares with others: its head and device."""
        from rheobase.sweeps.solved import geometry_key

        try:
            return geometry_key(self.base.study(point))  # type: ignore[arg-type]
        except InputError:
            return content_key(point)  # its error comes when it is worked out

    def files(self) -> dict[str, Path]:
        """Return the files and folders that its points are made from, by their path."""
        return files_of(self.base, self.design.points)

    def what(self) -> dict[str, Any]:
        """Return what the points are results of; axes may grow."""
        return {
            "rheobase": f"{version('rheobase')}, code {package_key('rheobase')}",
            "study": self.base.name,
            "tables": content_key(plain_tables(self.base.table)),
            "outputs": self.table.outputs.model_dump(mode="json"),
        }

    def work_out(
        self,
        out: Path,
        *,
        jobs: int = 1,
        dask: str | None = None,
        chosen: Iterable[int] | None = None,
        retry_failed: bool = False,
    ) -> xr.Dataset:
        """Work out the points that are not finished and return all of them.

        Parameters
        ----------
        out, jobs, dask, chosen, retry_failed
            As in `rheobase.sweeps.sweep.sweep`.

        Raises
        ------
        InputError
            As there.
        """
        claim(out, self.what())
        hold_inputs(out, self.files().values(), start=self.folder)
        if self.shares and (jobs > 1 or dask is not None):
            self._build_heads(out)
        work_out(
            partial(maker, self.base, self.table.outputs, self.runs, out.absolute()),
            self.design,
            out,
            self.what(),
            share=self.share if self.shares else None,
            most=BLOCK,
            jobs=jobs,
            dask=dask,
            chosen=chosen,
            retry_failed=retry_failed,
        )
        if self.shares:
            from rheobase.sweeps.solved import let_go

            let_go()
        return gather(self.design, out)

    def _build_heads(self, out: Path) -> None:
        """Put each head into the cache once, before several processes would build it."""
        from rheobase.stations.head import open_head
        from rheobase.sweeps.solved import head_key

        heads: dict[str, Any] = {}
        for task in tasks(self.design, out):
            if task.left:
                with suppress(InputError):  # that of its points
                    study: Any = self.base.study(task.point)
                    heads.setdefault(head_key(study), study.head)
        for head in heads.values():
            with suppress(InputError), stage(f"head {head.name or head.file}"):
                open_head(head)


def maker(
    base: Base, outputs: OutputsTable, runs: bool, out: Path, points: Sequence[Point]
) -> Callable[[Point], Any]:
    """Return what works out points of a study."""
    from rheobase.sweeps.run_points import run_point

    if base.kind.name != "field":
        return lambda point: run_point(base, outputs, out, point)
    from rheobase.sweeps.field_points import FieldPoints

    shared = FieldPoints(base, outputs, out, points)
    if not runs:
        return shared
    return lambda point: shared(point).assign(run_point(base, outputs, out, point))


def load_sweep(source: Path | str) -> Sweep:
    """Read and check a parameter study.

    Parameters
    ----------
    source
        Its file, or the folder of its results (or the ``study.toml`` there): then the study that it
        varies is the one that was varied, whatever became of its file.

    Raises
    ------
    InputError
        If there is no such file, it or its study is none, an axis is not in the study, or a value
        is of the wrong type or out of range: with the axis and the value.
    """
    from rheobase.study_source import RECORD, STUDY, read_source, read_toml
    from rheobase.tables.parse import parse_table

    path = Path(source)
    if path.name == STUDY and (path.parent / RECORD).is_file():
        path = path.parent
    out = base = None
    if path.is_dir():
        read = read_source(path, None)
        table, text, folder, out = read.table, read.text, read.folder or path, path
        base = recorded_base(path / RECORD, folder)
        where = read.where
    else:
        (table, text), folder, where = read_toml(path), path.parent, path.name
    given = table if base is None else {**table, "study": base.name.removesuffix(".toml")}
    found = parse_table(SweepStudy, given, where=where, folder=folder)
    base = base or open_base(found.study, folder)
    design = found.design()
    base.check(design)
    outputs = found.outputs
    if base.kind.name != "field" and not outputs.values:
        raise InputError(
            f"expected [[outputs.values]], the numbers that a study of kind {base.kind.name!r} is "
            f"asked for: {where}"
        )
    if base.kind.name != "field" and outputs.maps:
        raise InputError(f"outputs.maps is for field studies, got kind {base.kind.name!r}: {where}")
    name = path.resolve().stem
    return Sweep(
        table=found, text=text, name=name, base=base, design=design, folder=folder, out=out
    )


def plain_tables(value: Any) -> Any:
    """Return tables of TOML as JSON has them: dates as text."""
    return json.loads(json.dumps(value, default=str))
