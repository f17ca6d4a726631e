"""First station: the head and its mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase._progress import stage
from rheobase.report import Section, Table

if TYPE_CHECKING:
    from rheobase.config import Study
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book


def head_station(study: Study, book: Book) -> Head:
    """Build or load the head and tell what it is."""
    from rheobase.meshes.heads import build_head
    from rheobase.meshes.quality import quality

    with stage(f"head {study.head.name}"):
        head = build_head(study.head.name, edge_length_mm=study.head.edge_length_mm)
    worth = quality(head.mesh)
    rows = [
        (
            head.tissues[label].name,
            volume * 1e6,
            head.tissues[label].sigma,
            head.tissues[label].source,
        )
        for label, volume in head.mesh.tissue_volumes().items()
    ]
    tissues = Table(columns=("tissue", "volume (cm³)", "conductivity (S/m)", "source"), rows=rows)
    text = (
        f"{head.name} ({head.species}, space {head.space}): {len(head.mesh.nodes):,} nodes, "
        f"{len(head.mesh.tets):,} tetrahedra, smallest dihedral angle "
        f"{worth.dihedral_min_deg:.1f}°, no inverted element."
    )
    book.sections.append(Section(title="Head", paragraphs=[text], tables=[tissues]))
    book.notes += [str(n) for n in head.provenance.get("notes", ())]
    book.details["head"] = {
        "name": head.name,
        "nodes": len(head.mesh.nodes),
        "tetrahedra": len(head.mesh.tets),
        "conductivity_S_per_m": {t.name: t.sigma for t in head.tissues.values()},
        **dict(head.provenance),
    }
    return head
