"""The field of electrodes on the skin of the ear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from rheobase._errors import check_option, check_positive
from rheobase.fields import Disc, FieldBasis, Montage, layer, solve_conduction
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.ear_shape import SITES
from rheobase.neurons.auricular.courses import auricular_data

_NORMAL_MM = 1.5  # over which the normal of the ear's skin is averaged: it is 3 mm thick
_OFF_MM = 1.5


def ear_montage(head: Head, site: str, *, radius_mm: float | None = None) -> Montage:
    """Return two discs at a site: 1 A out of the skin at the first, the cathode, is one unit.

    Parameters
    ----------
    head
        An ear (`build_head("ear")`).
    site
        "cymba_concha", "cavum_concha", "tragus" or "lobe".
    radius_mm
        Of the discs; of ``data/auricular.toml`` if None.

    Raises
    ------
    InputError
        If the site is unknown or the radius is not > 0.
    """
    check_option("site at the ear", site, SITES)
    own = auricular_data()["electrode"]
    radius = own["radius_mm"] if radius_mm is None else radius_mm
    check_positive("radius_mm", radius)
    discs = tuple(
        Electrode(
            name=name,
            centre=head.position(name),
            shape=Disc(radius_mm=radius),
            layers=(layer("gel", thickness_mm=own["gel_mm"]),),
            limit_mm=_OFF_MM,
            normal_mm=_NORMAL_MM,
        )
        for name in (site, f"{site}_return")
    )
    return Montage(name=site, electrodes=discs, currents=(-1.0, 1.0))


def ear_field(
    head: Head | None = None, sites: Sequence[str] = SITES, *, radius_mm: float | None = None
) -> FieldBasis:
    """Return the field of 1 A at each site of an ear.

    Parameters
    ----------
    head
        An ear; the built-in one if None.
    sites
        Names of sites.
    radius_mm
        As in `ear_montage`.

    Raises
    ------
    InputError
        As in `ear_montage`.
    """
    for site in sites:
        check_option("site at the ear", site, SITES)
    ear = build_head("ear") if head is None else head
    return solve_conduction(ear, [ear_montage(ear, s, radius_mm=radius_mm) for s in sites])


@cache
def built_in_field(site: str) -> FieldBasis:
    """Return the field of 1 A at a site of the built-in ear, solved once."""
    return ear_field(sites=(site,))
