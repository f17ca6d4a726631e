"""Which fibres of the auricular branch a pulse fires, as a function of its current."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.fields import FieldBasis
from rheobase.meshes.heads.ear_shape import SITES
from rheobase.neurons.auricular.courses import TERRITORIES, auricular_data, courses
from rheobase.neurons.auricular.field import built_in_field
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.placing import place_axons
from rheobase.neurons.pathways.sampled import sample_axons

Polarity = Literal["cathode", "anode"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AuricularRecruitment:
    """Thresholds of the myelinated fibres of a territory for a pulse at a site.

    Parameters
    ----------
    site
        Where the electrodes are.
    territory
        Where the fibres end.
    polarity
        Of the first electrode at the site in the pulse's first phase.
    threshold
        Current at which each fibre fires (A), shape (n,); inf where it does not.
    diameter
        Of each fibre with its myelin (m), shape (n,).
    weight
        Share of the territory's fibres that each stands for, shape (n,); the sum is 1.
    from_end
        Distance along the fibre of where the spike starts from its ending (m), shape (n,); NaN
        where none does.
    """

    site: str
    territory: str
    polarity: Polarity
    threshold: Floats
    diameter: Floats
    weight: Floats
    from_end: Floats

    @property
    def unit(self) -> str:
        """Unit of an amplitude."""
        return "A"

    def __len__(self) -> int:
        """Return the number of fibres."""
        return len(self.threshold)

    def fraction(self, amplitude: ArrayLike) -> Floats:
        """Return the share of the fibres that fire at currents (A) >= 0, in their shape.

        Raises
        ------
        InputError
            If a current is negative or not finite.
        """
        a = np.asarray(amplitude, dtype=np.float64)
        if not (np.isfinite(a) & (a >= 0)).all():
            raise InputError(f"expected currents >= 0 A, got {amplitude!r}: {self.site}")
        order = np.argsort(self.threshold)
        reached = np.concatenate([[0.0], np.cumsum(self.weight[order])])
        out: Floats = reached[np.searchsorted(self.threshold[order], a, side="right")]
        return np.minimum(out, 1.0)

    def quantile(self, share: ArrayLike) -> Floats:
        """Return the smallest current (A) that fires a share (0 … 1) of the fibres; inf if none.

        Raises
        ------
        InputError
            If a share is not 0 to 1.
        """
        q = np.asarray(share, dtype=np.float64)
        if not ((q >= 0) & (q <= 1)).all():
            raise InputError(f"expected shares of 0 to 1, got {share!r}: {self.site}")
        order = np.argsort(self.threshold)
        reached = np.cumsum(self.weight[order])
        k = np.searchsorted(reached, q * (1 - 1e-12))
        out: Floats = self.threshold[order][np.minimum(k, len(order) - 1)]
        return out


def auricular_recruitment(
    site: str = "cymba_concha",
    pulse_width: Any = 250e-6,
    *,
    territory: str | None = None,
    polarity: Polarity = "cathode",
    depth: float | None = None,
    count: int = 24,
    seed: int = 0,
    field: FieldBasis | None = None,
) -> AuricularRecruitment:
    """Return the recruitment of the auricular branch of the vagus nerve at a site of the ear.

    Fibres are double-cable axons of the sizes in ``data/auricular.toml`` that end in the territory
    (`courses`), sealed; a spike must come to the head.

    Parameters
    ----------
    site
        "cymba_concha", "cavum_concha", "tragus", or "lobe", where the branch has no fibres.
    pulse_width
        Pulse width (s), or a waveform: times ``t`` (s) and values ``w`` (1).
    territory
        Where the fibres end; the site, and the cymba for the lobe, if None.
    polarity
        Whether the first electrode of the site is the cathode or the anode (of the first phase).
    depth
        Of the fibres under the skin's outside (m); of the data if None.
    count
        Courses; each is taken by a fibre of every size.
    seed
        Of courses and nodes.
    field
        Field of 1 A at the site (`ear_field`); of the built-in ear if None.

    Returns
    -------
    AuricularRecruitment
        ``fraction(amplitude)`` is the share of fibres that fire.

    Raises
    ------
    InputError
        If a name is unknown, the field has not the site, or the fibres leave the mesh.
    """
    check_option("site at the ear", site, SITES)
    check_option("polarity", polarity, get_args(Polarity))
    if territory is None:
        territory = site if site in TERRITORIES else TERRITORIES[0]
    lines = courses(territory, count, depth=depth, seed=seed)
    basis = built_in_field(site) if field is None else field
    source = basis.names.index(check_option("site of the field", site, basis.names))
    sign = 1.0 if polarity == "cathode" else -1.0
    data = auricular_data()["fibres"]
    threshold, from_end = [], []
    for um in track(data["diameter_um"], f"fibres at {site}"):
        axons = place_axons(lines, um * 1e-6, compartments=True, seed=seed, name=territory)
        sampled = sample_axons(axons, basis)
        lost = int((sampled.fate != 0).sum())
        if lost:
            raise InputError(
                f"expected fibres inside the mesh, {lost} of {count} leave it: {territory}, "
                f"{um:g} um"
            )
        first = axons.first.tolist()
        V = [sign * sampled.potential[source, a:b] for a, b in pairwise(first)]
        found = mrg_thresholds(axons.axon, V, pulse_width, ends="active", spike_at="start")
        threshold.append(found.amplitude)
        last = axons.nodes - 1 - found.site
        from_end.append(np.where(found.site < 0, np.nan, last * axons.axon.internode))
    return AuricularRecruitment(
        site=site,
        territory=territory,
        polarity=polarity,
        threshold=np.concatenate(threshold),
        diameter=np.repeat(np.array(data["diameter_um"]) * 1e-6, count),
        weight=np.repeat(_shares(data["share"]) / count, count),
        from_end=np.concatenate(from_end),
    )


def _shares(share: list[float]) -> Floats:
    given = np.array(share)
    out: Floats = given / given.sum()
    return out
