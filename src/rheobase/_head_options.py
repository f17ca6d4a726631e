"""Options of the command line that say which head, and the head that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rheobase._cli_options import complete_head, parse_options
from rheobase._errors import check_option

if TYPE_CHECKING:
    from rheobase.meshes.head import Head

Source = Annotated[
    str,
    typer.Argument(
        help="Name of a built-in head, or a file or folder.", autocompletion=complete_head
    ),
]
Resolution = Annotated[
    str | None, typer.Option("--resolution", help="coarse, standard or fine (mni152).")
]
Edge = Annotated[
    float | None,
    typer.Option("--edge-length-mm", help="Mean edge of the (finest) tetrahedra (mm)."),
]
Labels = Annotated[
    str | None, typer.Option("--labels", help="Label table of a file: a CSV file or a known name.")
]
Species = Annotated[
    str | None, typer.Option("--species", help="human, macaque, rat or mouse, for a file.")
]
Tissues = Annotated[
    Path | None, typer.Option("--tissues", help="Own tissues and values: CSV or TOML.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="Another option of the head or its reader: name=value."),
]


def open_source(
    source: str,
    *,
    resolution: str | None,
    edge_length_mm: float | None,
    labels: str | None,
    species: str | None,
    tissues: Path | None,
    option: list[str] | None,
) -> Head:
    """Return the head that the options of the command line mean.

    Raises
    ------
    InputError
        If there is no such head or file, or an option does not belong to it.
    """
    from rheobase.meshes.heads import BUILT_IN, build_head, read_head

    given: dict[str, Any] = {
        "resolution": resolution,
        "edge_length_mm": edge_length_mm,
        "labels": labels,
        "species": species,
        **parse_options(option or []),
    }
    given = {k: v for k, v in given.items() if v is not None}
    if source in BUILT_IN:
        return build_head(source, tissues=tissues, **given)
    path = Path(source)
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        check_option("head", source, BUILT_IN)
    return read_head(path, tissues=tissues, **given)
