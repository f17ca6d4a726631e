"""The plan of a head: how large it is, and whether it is there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import InputError
from rheobase.plans.costs import cost, head_sizes
from rheobase.plans.plan import Step

if TYPE_CHECKING:
    from rheobase.tables.head import HeadTable

DEFAULT = "default"
MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedHead:
    """A head that is to be used.

    Parameters
    ----------
    step
        Reading or building it.
    nodes, tets
        How many nodes and tetrahedra it has or will have, roughly.
    notes
        What is not known of it before it is built.
    """

    step: Step
    nodes: float
    tets: float
    notes: tuple[str, ...] = ()

    @property
    def millions(self) -> float:
        """Millions of tetrahedra, the size that costs go by."""
        return self.tets / MILLION


def plan_head(table: HeadTable) -> PlannedHead:
    """Return what the head of a study is and what it takes to have it."""
    from rheobase.meshes.heads import built_file
    from rheobase.meshes.heads.readers import read_file

    if table.name is not None:
        path: Path | None = built_file(table.name, **table.given())
    else:
        assert table.file is not None  # the study file holds one of the two
        path = read_file(table.file, tissues=table.tissues, **table.given())
    if path is not None and path.is_file():
        return _read(table, path)
    return _of_file(table) if table.name is None else _built(table, table.name)


def _title(table: HeadTable) -> str:
    return f"head {table.name or table.file}"


def _size(nodes: float, tets: float) -> str:
    return f"{nodes / MILLION:.2g} M nodes, {tets / MILLION:.3g} M tetrahedra"


def _read(table: HeadTable, path: Path) -> PlannedHead:
    from rheobase.meshes.store import head_size

    try:
        nodes, tets = head_size(path)
    except InputError:  # damaged: it will be built anew
        return _of_file(table) if table.name is None else _built(table, table.name)
    read = cost("head.read")
    step = Step(
        what=_title(table),
        size=_size(nodes, tets),
        seconds=read.seconds(tets / MILLION),
        bytes=read.bytes(tets / MILLION),
        kept=True,
    )
    return PlannedHead(step=step, nodes=nodes, tets=tets)


def _built(table: HeadTable, name: str) -> PlannedHead:
    """Return a head that is not there yet: its size is that of the nearest one that was measured.

    Tetrahedra grow with the third power of the edge.
    """
    sizes = head_sizes(name)
    notes: list[str] = []
    known = sizes.get(table.resolution or "standard") or sizes[DEFAULT]
    share = 1.0
    if table.edge_length_mm is not None:
        known = min(sizes.values(), key=lambda s: abs(s["edge_mm"] - table.edge_length_mm))
        share = (known["edge_mm"] / table.edge_length_mm) ** 3
    if table.options:
        notes.append("options of the head change its size, they are not counted")
    nodes, tets = known["nodes"] * share, known["tets"] * share
    step = Step(
        what=f"{_title(table)}, building",
        size=_size(nodes, tets),
        seconds=known["seconds"] * max(1.0, share),
        bytes=cost("head.build").bytes(tets / MILLION),
        kept=False,
    )
    return PlannedHead(step=step, nodes=nodes, tets=tets, notes=tuple(notes))


def _of_file(table: HeadTable) -> PlannedHead:
    """Return a head from a file that must be read or meshed first: taken for a standard one."""
    known = head_sizes("mni152")["standard"]
    tets = known["tets"]
    build = cost("head.build")
    step = Step(
        what=f"{_title(table)}, reading or meshing",
        size=_size(known["nodes"], tets),
        seconds=build.seconds(tets / MILLION),
        bytes=build.bytes(tets / MILLION),
        kept=False,
    )
    note = "how large the head will be is not known before it is made: taken for a standard one"
    return PlannedHead(step=step, nodes=known["nodes"], tets=tets, notes=(note,))
