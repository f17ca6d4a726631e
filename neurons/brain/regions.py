"""What a computed field does to each region: cells placed in it stand for its populations.

Pyramidal cells of layers 2/3, 5 and 6 are the pyramidal population, excitatory cells of layer 4
the excitatory interneurons, all inhibitory classes the inhibitory interneurons. A population's
value is the mean over its types, each type with the number of cells of its layer in the
microcircuit of Potjans & Diesmann (2014, 10.1093/cercor/bhs358); types of one layer share equally.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.neurons.brain.connectome import schaefer100_arrays, schaefer100_table
from rheobase.neurons.brain.jansen_rit import POPULATIONS
from rheobase.neurons.placement import Population, place_in_sheet
from rheobase.neurons.recruitment import POLARITIES, Recruitment

if TYPE_CHECKING:
    from rheobase.neurons.network.drive import Drive

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

REACH = 12e-3  # m from the template's cortex to that of a head in MNI space
DEPTHS = (0.0, 0.5, 1.0)  # of the template's columns that carry their label


@cache
def schaefer100() -> Atlas:
    """Return the 100 parcels of the shipped connectome as an atlas of MNI space.

    Labels are those of fsaverage5's vertices (``data/brain.toml``), at pia, middle and white
    matter; label k is row k - 1 of the connectome.
    """
    from rheobase.meshes.regions.parcels import LabelledVertices

    ends = template_surfaces()
    pial, white = (np.concatenate([ends[f"{kind}_{s}"][0] for s in SIDES]) for kind in KINDS)
    labels = schaefer100_arrays()["fsaverage5"].astype(np.int32)
    return Atlas(
        name="Schaefer 100",
        names={k + 1: row["name"] for k, row in enumerate(schaefer100_table())},
        parcels=LabelledVertices(
            points=np.concatenate([(1 - d) * pial + d * white for d in DEPTHS]),
            labels=np.tile(labels, len(DEPTHS)),
            space="MNI",
            reach=REACH,
        ),
    )


SIDES, KINDS = ("left", "right"), ("pial", "white")


@cache
def template_surfaces() -> dict[str, tuple[Floats, NDArray[np.int32]]]:
    """Return fsaverage5's surfaces in MNI152, "pial_left" …: vertices (m) and triangles."""
    import nibabel as nib

    from rheobase.meshes.heads.mni152_template import sources, to_mni152

    found = {}
    for name in (f"{kind}_{side}" for kind in KINDS for side in SIDES):
        image: Any = nib.load(sources()[name])
        points, triangles = (array.data for array in image.darrays)
        moved = to_mni152(points.astype(np.float64)) * 1e-3
        found[name] = (moved, triangles.astype(np.int32))
    return found


def regions_of(atlas: Atlas, names: Sequence[str], head: Head, points: ArrayLike) -> Rows:
    """Return the row in ``names`` of each point's region, -1 for none, shape (n,).

    Parameters
    ----------
    atlas
        Parcels.
    names
        Regions in the order of the connectome.
    head
        The head.
    points
        Points (m) in its coordinates, shape (n, 3).

    Raises
    ------
    InputError
        If the atlas lacks a region, or the head has no transform to its space.
    """
    known = {name: label for label, name in atlas.names.items()}
    for name in names:
        check_option("region", name, known, where=f"atlas {atlas.name!r}")
    row = np.full(max(known.values()) + 1, -1, dtype=np.intp)
    row[[known[name] for name in names]] = np.arange(len(names))
    x = np.asarray(points, dtype=np.float64)
    there = head.to_mni(x) if atlas.parcels.space == "MNI" else x
    found: Rows = row[atlas.parcels.at(there)]
    return found


def place_in_regions(
    head: Head,
    region_of_column: ArrayLike,
    regions: Sequence[int],
    *,
    species: str,
    counts: Mapping[str, int],
    seed: int,
) -> Population:
    """Place cells evenly over the whole of some regions.

    Parameters
    ----------
    head
        The head.
    region_of_column
        Row of each cortical column's region (`regions_of` at the columns' middle), (n_columns,).
    regions
        Rows of the regions.
    species, counts, seed
        As in `rheobase.neurons.placement.place_in_sheet`; ``counts`` for all regions together.

    Raises
    ------
    InputError
        If the head has no cortical sheet, and as `place_in_sheet` does.
    """
    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet: head {head.name!r}")
    mask = np.isin(np.asarray(region_of_column), np.asarray(regions))
    return place_in_sheet(head.cortex, species=species, counts=counts, seed=seed, mask=mask)


def region_probability(
    recruitment: Recruitment,
    region: ArrayLike,
    n: int,
    amplitude: float,
    *,
    polarity: str = "plus",
) -> dict[str, Floats]:
    """Return the share of each population of each region that fires on a pulse.

    Parameters
    ----------
    recruitment
        Thresholds of cells placed evenly over whole regions.
    region
        Row of the region of each placement, -1 for none, shape (placements,).
    n
        Number of regions.
    amplitude
        Of the pulse (``recruitment.unit``), >= 0.
    polarity
        "plus" or "minus" (reversed).

    Returns
    -------
    dict
        "pyramidal", "excitatory", "inhibitory": probability (0..1), shape (n,); 0 in regions
        without cells.

    Raises
    ------
    InputError
        If the amplitude is negative or no number, shapes differ, or classes are not known.
    """
    if not (np.isfinite(amplitude) and amplitude >= 0):
        raise InputError(f"amplitude must be >= 0 {recruitment.unit}, got {amplitude}: brain")
    check_option("polarity", polarity, POLARITIES)
    if recruitment.cell_class is None:
        raise InputError(f"populations need classes, got none in mode {recruitment.mode}: brain")
    threshold = recruitment.threshold[POLARITIES.index(polarity)]
    fired = np.where(np.isnan(threshold), np.nan, threshold <= amplitude)
    kinds = (recruitment.type, recruitment.cell_class, recruitment.layer)
    return _means(fired, *kinds, _rows(region, len(fired), n), n)


def region_shift(
    dataset: Any, region: ArrayLike, n: int, *, site: str = "soma"
) -> dict[str, Floats]:
    """Return by how much a weak field shifts each population of each region.

    Parameters
    ----------
    dataset
        Of `rheobase.neurons.subthreshold.polarisation`, at one frequency; at others than 0 Hz the
        part in phase with the field is taken.
    region
        Row of the region of each placement, -1 for none, shape (placements,).
    n
        Number of regions.
    site
        Where on the cell.

    Returns
    -------
    dict
        "pyramidal", "excitatory", "inhibitory": shift for one unit of the stimulus (V per unit),
        shape (n,); 0 in regions without cells.

    Raises
    ------
    InputError
        If there are several frequencies, the site is unknown, or shapes differ.
    """
    if dataset.sizes["frequency"] != 1:
        raise InputError(f"expected one frequency, got {dataset.sizes['frequency']}: brain")
    check_option("site", site, [str(s) for s in dataset.site.values])
    one = dataset.isel(frequency=0).sel(site=site, statistic="mean")
    shift = one.amplitude.values * np.cos(one.phase.values)
    kinds = (one["type"].values, one["cell_class"].values, one["layer"].values)
    return _means(shift, *kinds, _rows(region, len(shift), n), n)


def region_drive(
    probability: Mapping[str, ArrayLike], *, times: ArrayLike, latency: float = 0.0
) -> Drive:
    """Return the drive of `region_probability` at pulses ``times`` (s), ``latency`` (s) later."""
    from rheobase.neurons.network.drive import Drive

    shares = {k: np.asarray(p, dtype=np.float64) for k, p in probability.items()}
    return Drive(probability=shares, times=np.asarray(times, dtype=np.float64), latency=latency)


def _rows(region: ArrayLike, placements: int, n: int) -> Rows:
    rows = np.asarray(region)
    if rows.shape != (placements,) or rows.dtype.kind not in "iu":
        raise InputError(
            f"region must hold one row for each of {placements} placements, got shape "
            f"{rows.shape} of {rows.dtype}: brain"
        )
    if placements and not -1 <= rows.min() <= rows.max() < n:
        raise InputError(f"rows of regions must lie in -1..{n - 1}, got {rows.max()}: brain")
    found: Rows = rows.astype(np.intp)
    return found


def _means(
    values: Floats,
    kind: NDArray[np.str_],
    cell_class: NDArray[np.str_],
    layer: NDArray[np.str_],
    region: Rows,
    n: int,
) -> dict[str, Floats]:
    """Return the weighted mean over the types of each population in each region, shape (n,)."""
    total = {name: np.zeros(n) for name in POPULATIONS}
    weight = {name: np.zeros(n) for name in POPULATIONS}
    known = np.isfinite(values) & (region >= 0)
    labels = sorted(
        {(str(t), str(c), str(w)) for t, c, w in zip(kind, cell_class, layer, strict=True)}
    )
    alike: dict[tuple[bool, str], int] = {}
    for _, c, where in labels:
        alike[c == "PYR", where] = alike.get((c == "PYR", where), 0) + 1
    for name, c, where in labels:
        cells = _cells(c == "PYR", where) / alike[c == "PYR", where]
        of = known & (kind == name)
        count = np.bincount(region[of], minlength=n)
        mean = np.bincount(region[of], values[of], minlength=n) / np.maximum(count, 1)
        role = "inhibitory" if c != "PYR" else "excitatory" if where == "L4" else "pyramidal"
        total[role] += cells * mean * (count > 0)
        weight[role] += cells * (count > 0)
    return {k: total[k] / np.where(weight[k] > 0, weight[k], 1.0) for k in POPULATIONS}


def _cells(excitatory: bool, layer: str) -> float:
    """Return how many cells a layer has under 1 mm² (Potjans & Diesmann 2014); 1 for layer 1."""
    from rheobase.neurons.network.microcircuit import microcircuit_facts

    facts = microcircuit_facts()
    name = f"{layer.replace('/', '')}{'E' if excitatory else 'I'}"
    if name not in facts["populations"]:
        return 1.0  # layer 1 is no layer of the microcircuit; its few cells are all inhibitory
    return float(facts["sizes"]["N"][facts["populations"].index(name)])
