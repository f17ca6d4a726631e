"""Layers of networks in time: regions of the cortex, populations of columns."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._kept import kept, kept_path, load_arrays, save_arrays
from rheobase.scenes.field import amount, rounded
from rheobase.scenes.head import cortex_layer
from rheobase.scenes.scene import Category, Layer, Quantity

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.neurons.columns.network import ColumnNetwork

MOST_TIMES = 60  # frames that are kept
TOP = 98.0  # percentile of |response| at which the colours end
SIGNED = "RdBu_r"
#: Matplotlib's tab20, without importing it.
TAB20 = (
    "#1f77b4", "#aec7e8", "#ff7f0e", "#ffbb78", "#2ca02c",
    "#98df8a", "#d62728", "#ff9896", "#9467bd", "#c5b0d5",
    "#8c564b", "#c49c94", "#e377c2", "#f7b6d2", "#7f7f7f",
    "#c7c7c7", "#bcbd22", "#dbdb8d", "#17becf", "#9edae5",
)  # fmt: skip


def some_times(time: ArrayLike, most: int = MOST_TIMES) -> NDArray[np.intp]:
    """Return which of many times are kept, evenly, first and last included."""
    n = len(np.asarray(time))
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))


def regions_layer(
    head: Head,
    region: ArrayLike,
    time: ArrayLike,
    response: ArrayLike,
    names: Sequence[str],
    *,
    name: str = "brain activity",
) -> Layer:
    """Return the cortex coloured by what each region does in time.

    Parameters
    ----------
    head
        The head.
    region
        Row of the region of each cortical column, -1 for none, shape (n_columns,).
    time
        Times (s), shape (t,).
    response
        Potential of each region (V), shape (n_regions, t).
    names
        Of the regions.
    name
        Of the layer.
    """
    rows, courses = np.asarray(region), 1e3 * np.asarray(response, dtype=np.float64)
    kept = some_times(time)
    whole = np.vstack([courses[:, kept], np.full(len(kept), np.nan)])
    limit = float(np.percentile(np.abs(courses), TOP))
    values = Quantity(
        values=rounded(whole[rows].T),
        label="response",
        unit="mV",
        colours=SIGNED,
        limits=(-limit, limit),
    )
    layer = cortex_layer(head, {}, name=name)
    return layer.but(
        group="network",
        quantities={"response": values, "region": categories(rows, names)},
        shown="response",
        times=np.asarray(time, dtype=np.float64)[kept],
        visible=False,
    )


def categories(rows: ArrayLike, names: Sequence[str]) -> Quantity:
    """Return regions of points as categories: row k of ``names`` is k + 1, -1 is 0."""
    known = {k + 1: Category(name=n, colour=TAB20[k % 20]) for k, n in enumerate(names)}
    values = np.asarray(rows, dtype=np.int32) + 1
    return Quantity(
        values=values,
        label="region",
        categories={0: Category(name="no region", colour="#c8c8c8"), **known},
    )


def region_quantity(head: Head, atlas: Atlas | None = None) -> Quantity | None:
    """Return the parcel of each cortical column at mid-depth.

    Parameters
    ----------
    head
        The head.
    atlas
        Parcels; if None those of Schaefer et al. (2018), 100, in a human head that is mapped to
        MNI space.

    Returns
    -------
    Quantity or None
        None where the head has no cortex or no atlas fits it.
    """
    from rheobase.meshes.spaces import is_mni
    from rheobase.neurons.brain.regions import regions_of

    mapped = head.mni is not None or is_mni(head.space)
    if head.cortex is None:
        return None
    if atlas is None:
        if head.species != "human" or not mapped:
            return None
        return categories(*_schaefer(head))
    names = tuple(atlas.names.values())
    return categories(regions_of(atlas, names, head, head.cortex.points(0.5)), names)


def _schaefer(head: Head) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return row of the region of each column, and the regions' names, found once for a head."""
    from rheobase.neurons.brain.regions import regions_of, schaefer100

    assert head.cortex is not None  # region_quantity
    middle = head.cortex.points(0.5)

    def make() -> dict[str, NDArray[Any]]:
        atlas = schaefer100()
        names = tuple(atlas.names.values())
        return {"rows": regions_of(atlas, names, head, middle), "names": np.array(names)}

    code = ("rheobase.meshes", "rheobase.neurons", "rheobase.scenes.network")
    parts = [head.to_mni(middle), version("nilearn")]
    path = kept_path("shells", f"{head.name}-regions", *parts, code=code)
    found = kept(path, make, load=load_arrays, save=save_arrays)
    return found["rows"], tuple(found["names"].tolist())


def columns_layer(
    columns: ColumnNetwork,
    time: ArrayLike,
    rate: ArrayLike,
    names: Sequence[str],
    *,
    centre: ArrayLike,
    normal: ArrayLike,
    name: str = "columns",
) -> Layer:
    """Return the populations of seven columns where they stand, by their rate in time.

    Parameters
    ----------
    columns
        The columns.
    time
        Times (s), shape (t,).
    rate
        Of each population (Hz), shape (n, t).
    names
        Of the populations ("C0_L23_PYR"), n of them.
    centre, normal
        Where on the cortex the middle column stands (m), and the direction out of it, shape (3,).
    name
        Of the layer.
    """
    from rheobase.neurons.columns.drive import column_places

    out = np.asarray(normal, dtype=np.float64)
    out = out / np.linalg.norm(out)
    places = column_places(columns, centre, out)
    mine = np.array(
        [
            f"C{c}_{la}_{k}"
            for c, la, k in zip(columns.column, columns.layer, columns.cell_class, strict=True)
        ]
    )
    kinds = sorted(set(columns.cell_class.tolist()))
    middle = float(columns.depth.mean())
    side = np.cross(out, np.eye(3)[np.argmin(np.abs(out))])
    side /= np.linalg.norm(side)
    points, known = [], {n: k for k, n in enumerate(names)}
    for population in names:
        column, _, kind = population.split("_", 2)
        members = mine == population
        if not members.any():
            raise InputError(f"the columns have no population {population!r}")
        beside = columns.radius * 0.25 * (kinds.index(kind) - (len(kinds) - 1) / 2)
        below = float(columns.depth[members].mean()) - middle
        points.append(places[int(column[1:])] + beside * side - below * out)
    kept = some_times(time)
    values = np.asarray(rate, dtype=np.float64)[list(known.values())][:, kept].T
    shown = amount(values, "rate", "Hz", limit=float(np.percentile(values, 99.0)) or 1.0)
    return Layer(
        name=name,
        kind="points",
        group="network",
        points=np.array(points),
        quantities={"rate": shown},
        shown="rate",
        radius=0.1 * columns.radius,
        times=np.asarray(time, dtype=np.float64)[kept],
        visible=False,
    )
