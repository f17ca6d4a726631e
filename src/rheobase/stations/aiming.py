"""What an optimisation starts from: checks before anything is built, the target, the lead field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._kept import note_use
from rheobase._progress import stage
from rheobase.stations.head import check_head
from rheobase.stations.kept_fields import lead_field_file
from rheobase.tables.optimise import CurrentsTable, OptimiseStudy, OptimiseTMS

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.optimisation.target import Target
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.tables.target import TargetTable


def check_inputs(study: OptimiseStudy) -> dict[str, Path]:
    """Refuse what cannot be used before the head is built; return the files by their place.

    Raises
    ------
    InputError
        If a file is missing, a head, an option of it, a position or a coil is unknown, or more
        electrodes are asked for than the head has positions.
    """
    from rheobase.meshes.heads import BUILT_IN
    from rheobase.meshes.placing.positions import OLD_NAMES

    named = {"head": study.head, "target": study.target, "optimise": study.optimise}
    files = {f"{t}.{k}": p for t, table in named.items() for k, p in table.files().items()}
    for place, path in files.items():
        if not path.exists():
            raise InputError(f"no such file {path}: {place}")
    check_head(study.head, study.named_positions())
    if study.target.cells is not None:
        from rheobase.neurons.generate import cell_types

        check_option("cell type", study.target.cells.type, cell_types(), where="target.cells")
    if isinstance(study.optimise, OptimiseTMS):
        coil = study.optimise.open_coil()
        if coil.sampled:
            raise InputError(
                f"expected a coil of line elements or dipoles, {coil.name!r} is a field on a grid: "
                "optimise.coil"
            )
    elif isinstance(study.optimise, CurrentsTable) and study.head.name is not None:
        places = {*(study.optimise.positions or BUILT_IN[study.head.name].positions)} - {*OLD_NAMES}
        if (study.optimise.electrodes or 0) > len(places):
            raise InputError(
                f"expected at most as many electrodes as positions "
                f"({len(places)}), got {study.optimise.electrodes}: "
                f"optimise.electrodes, head {study.head.name!r}"
            )
    return files


def aim(table: TargetTable, head: Head) -> Target:
    """Return the target on a head.

    Raises
    ------
    InputError
        If the head has no place for it, or it holds nothing of its tissues.
    """
    from rheobase.meshes.spaces import is_mni

    if table.needs_mni and head.mni is None and not is_mni(head.space):
        raise InputError(
            f"no transform between MNI and space {head.space!r}, needed by target "
            f"{table.title!r}: head {head.name!r}"
        )
    with stage("target"):
        return table.make(head)


def open_lead_field(table: CurrentsTable, head: Head, target: TargetTable) -> LeadField:
    """Return the lead field of the head: a file that is given, the cache's, or a new one.

    Raises
    ------
    InputError
        If the file is that of another head, limits leave too few electrodes, or a tissue is
        unknown; before anything is solved.
    """
    from rheobase.fields.leadfield import load_lead_field
    from rheobase.fields.leadfield_solve import lead_field

    tissues = _stored_in(table, head, target)
    if table.lead_field is not None:
        found = load_lead_field(table.lead_field)
        same = np.array_equal(found.mesh.nodes, head.mesh.nodes)
        if not (same and np.array_equal(found.mesh.labels, head.mesh.labels)):
            raise InputError(
                f"expected the lead field of head {head.name!r}, got that of another mesh "
                f"({len(found.mesh.nodes):,} nodes instead of {len(head.mesh.nodes):,}): "
                f"optimise.lead_field, {table.lead_field}"
            )
        for name in found.names:
            head.position(name)
        table.limits().bounds(found.names)
        return found
    path, names = kept_lead_field(table, head, target)
    table.limits().bounds(names)
    return lead_field(head, note_use(path), names, tissues=tissues)


def kept_lead_field(
    table: CurrentsTable, head: Head, target: TargetTable
) -> tuple[Path, Sequence[str]]:
    """Return where the cache has, or would have, the lead field of a head, and its electrodes."""
    from rheobase.fields.leadfield_solve import all_places

    names = table.positions or all_places(head)
    return lead_field_file(head, names, _stored_in(table, head, target)), names


def _stored_in(table: CurrentsTable, head: Head, target: TargetTable) -> list[str]:
    """Return the tissues whose field is stored.

    Raises
    ------
    InputError
        If the head has no such tissue.
    """
    wanted = {*table.spare, *target.tissues}
    if target.cells is not None:  # axons reach into what lies around
        wanted |= {"white_matter", "csf"} & {t.name for t in head.tissues.values()}
    for tissue in wanted:
        head.label_of(tissue)
    return sorted(wanted)


def place_targets(table: TargetTable, head: Head, seed: int) -> Population | None:
    """Return the cells of a target, None where the field itself counts.

    Raises
    ------
    InputError
        If the head has no cortical sheet, or the target holds nothing of it.
    """
    from rheobase.meshes.locate import Locator
    from rheobase.neurons.placement import place_in_sheet

    if table.cells is None:
        return None
    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    with stage("placing the cells"):
        placed = place_in_sheet(
            head.cortex,
            species=head.species,
            counts={table.cells.type: table.cells.placements},
            seed=seed,
            mask=table.region(head).columns(head),
        )
        tet, _ = Locator(head.mesh).locate(placed.position)
        grey = (tet >= 0) & (head.mesh.labels[tet] == head.label_of("grey_matter"))
    if not grey.any():
        raise InputError(f"no soma of target {table.title!r} lies in grey matter: [target.cells]")
    return placed.select(np.flatnonzero(grey))
