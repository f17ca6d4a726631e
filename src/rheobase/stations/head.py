"""First station: the head and its mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase._files import content_key
from rheobase._progress import stage
from rheobase.report import Section, Table

if TYPE_CHECKING:
    from rheobase.config import HeadTable, Study
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book


def open_head(table: HeadTable) -> Head:
    """Return the head of a study: built-in, or from a file; from the cache when it is there."""
    from rheobase.meshes.heads import build_head, head_from_image, head_from_msh
    from rheobase.meshes.store import cached_head, meshes_key

    if table.file is None:
        assert table.name is not None  # the study file holds one of the two
        return build_head(table.name, edge_length_mm=table.edge_length_mm)
    file = table.file
    key = content_key(meshes_key(), file, table.labels or "", table.model_dump(mode="json"))

    def build() -> Head:
        if file.suffix == ".msh":
            return head_from_msh(
                file, labels=table.labels, species=table.species, fiducials_mm=table.fiducials_mm
            )
        return head_from_image(
            file,
            edge_length_mm=table.edge_length_mm or 4.0,
            labels=table.labels,
            species=table.species,
            fiducials_mm=table.fiducials_mm,
        )

    return cached_head(key, file.name.split(".")[0], build)


def head_station(study: Study, book: Book) -> Head:
    """Build or load the head and tell what it is."""
    from rheobase.meshes.quality import quality

    with stage(f"head {study.head.name or study.head.file}"):
        head = open_head(study.head)
    worth = quality(head.mesh)
    rows = [
        (
            head.tissues[label].name,
            volume * 1e6,
            head.tissues[label].sigma,
            head.tissues[label].quantity("conductivity").source,
        )
        for label, volume in head.mesh.tissue_volumes().items()
    ]
    tissues = Table(columns=("tissue", "volume (cm³)", "conductivity (S/m)", "source"), rows=rows)
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
        "conductivity_S_per_m": {t.name: t.sigma for t in head.tissues.values()},
        **dict(head.provenance),
    }
    return head
