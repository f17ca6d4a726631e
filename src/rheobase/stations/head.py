"""First station: the head and its mesh."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import check_option
from rheobase._kept import kept, kept_path, load_arrays, save_arrays
from rheobase._progress import stage
from rheobase.report import Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.meshes.head import Head
    from rheobase.meshes.quality import Quality
    from rheobase.stations.book import Book
    from rheobase.tables.head import HeadTable


def open_head(table: HeadTable) -> Head:
    """Return the head of a study: built-in, or from a file; from the cache when it is there."""
    from rheobase.meshes.heads import build_head, read_head

    if table.file is None:
        assert table.name is not None  # the study file holds one of the two
        return build_head(table.name, tissues=table.tissues, **table.given())
    return read_head(table.file, tissues=table.tissues, **table.given())


def check_head(table: HeadTable, used: Mapping[str, str]) -> None:
    """Refuse what no head can be made of, and electrode positions it will not have.

    Parameters
    ----------
    table
        The ``[head]`` table.
    used
        Positions that the study uses, by the place in the file that names them.

    Raises
    ------
    InputError
        Before anything is built: unknown heads, options and positions with the nearest names,
        missing files, tissue tables that make no sense.
    """
    from rheobase.meshes.heads import BUILT_IN, check_building, check_reading
    from rheobase.meshes.placing.positions import TEN_TEN
    from rheobase.meshes.tissue_table import tissue_table

    tissue_table(table.tissues)
    if table.name is not None:
        check_building(table.name, table.given())
        known = BUILT_IN[table.name].positions
    else:
        assert table.file is not None  # the study file holds one of the two
        check_reading(table.file, table.given())
        if table.fiducials_mm is None:
            return  # the file may bring its own positions
        known = (*TEN_TEN, *table.fiducials_mm)
    for place, position in used.items():
        check_option("electrode position", position, known, where=place)


def subject(table: HeadTable) -> str:
    """Return what the results call a head: its name, or that of its file.

    A file named by the rules of BIDS or in a folder of SimNIBS gives the subject's own label.
    """
    if table.file is None:
        return table.name or ""
    return subject_of(table.file)


def subject_of(file: Path) -> str:
    """Return the subject that a file's name tells, else the name itself.

    Examples
    --------
    >>> from pathlib import Path
    >>> subject_of(Path("sub-07_T1w.nii.gz")), subject_of(Path("m2m_ernie"))
    ('07', 'ernie')
    """
    stem = file.name.split(".")[0]
    first = stem.split("_")[0]
    return first.removeprefix("sub-") if first.startswith("sub-") else stem.removeprefix("m2m_")


def _quality(head: Head) -> Quality:
    """Return the quality of a head's mesh, measured once."""
    from rheobase.meshes.quality import Quality, quality

    def save(path: Path, found: Quality) -> None:
        values = asdict(found)
        volumes = values.pop("volumes")
        save_arrays(path, values | {"labels": list(volumes), "volumes": list(volumes.values())})

    def load(path: Path) -> Quality:
        values = {name: value.tolist() for name, value in load_arrays(path).items()}
        volumes = dict(zip(values.pop("labels"), values.pop("volumes"), strict=True))
        return Quality(**values, volumes=volumes)

    mesh = head.mesh
    parts = (mesh.nodes, mesh.tets, mesh.labels)
    path = kept_path("heads", f"{head.name}-quality", *parts, code=("rheobase.meshes",))
    return kept(path, lambda: quality(mesh), load=load, save=save)


def head_station(table: HeadTable, book: Book) -> Head:
    """Build or load the head of a study and tell what it is."""
    with stage(f"head {table.name or table.file}"):
        head = open_head(table)
        worth = _quality(head)
    present = {label: head.tissues[label] for label in worth.volumes}
    rows = [
        (
            head.tissues[label].name,
            volume * 1e6,
            head.tissues[label].sigma,
            head.tissues[label].quantity("conductivity").source,
        )
        for label, volume in worth.volumes.items()
    ]
    tissues = Table(columns=("tissue", "volume (cm³)", "conductivity (S/m)", "source"), rows=rows)
    book.facts["Head"] = f"{head.name}, {head.species}, {len(head.mesh.tets):,} tetrahedra"
    text = (
        f"{head.name} ({head.species}, space {head.space}): {len(head.mesh.nodes):,} nodes, "
        f"{len(head.mesh.tets):,} tetrahedra, smallest dihedral angle "
        f"{worth.min_dihedral:.1f}° (1st percentile {worth.p1_dihedral:.1f}°), "
        f"{worth.n_inverted} inverted."
    )
    book.sections.append(Section(title="Head", paragraphs=[text], tables=[tissues]))
    book.notes.extend([str(n) for n in head.provenance.get("notes", ())])
    book.details["head"] = {
        "name": head.name,
        "nodes": len(head.mesh.nodes),
        "tetrahedra": len(head.mesh.tets),
        "conductivity_S_per_m": {t.name: t.sigma for t in present.values()},
        **dict(head.provenance),
    }
    return head
