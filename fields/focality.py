"""How focal a field is: the measures that people report, for any device.

All of them refer to a *reference*, a high percentile of the quantity within the tissue looked at
rather than its largest value, which hangs on one node of the mesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.meshes.head import Head
from rheobase.meshes.regions.region import Region, tissue_region
from rheobase.meshes.regions.statistics import weighted_percentiles

FRACTIONS = (0.5, 0.75)
PERCENTILE = 99.9


@dataclass(frozen=True, kw_only=True, slots=True)
class OnTarget:
    """A quantity within a target against the rest of the tissue.

    Parameters
    ----------
    mean, mean_elsewhere
        Means within the target and in the rest, in the unit of the quantity.
    ratio
        The first over the second.
    share
        Part of the volume at or above each fraction of the reference that lies in the target.
    """

    mean: float
    mean_elsewhere: float
    ratio: float
    share: dict[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Focality:
    """Focality of a quantity in a tissue.

    Parameters
    ----------
    reference
        What the fractions are of: the percentile, or the largest value, of the quantity.
    volume
        Volume of the tissue (m³); an area (m²) where the weights are areas.
    above
        Volume at or above each fraction of the reference (m³).
    radius
        Radius of the ball with the volume at or above each fraction (m).
    target
        Against the rest of the tissue, None without a target.
    """

    reference: float
    volume: float
    above: dict[float, float]
    radius: dict[float, float]
    target: OnTarget | None


def focality(
    values: ArrayLike,
    weights: ArrayLike,
    *,
    target: ArrayLike | None = None,
    percentile: float = PERCENTILE,
    fractions: Sequence[float] = FRACTIONS,
) -> Focality:
    """Return how focal a quantity is.

    Parameters
    ----------
    values
        Quantity >= 0, shape (n,).
    weights
        Volume that each value stands for (m³), shape (n,); 0 keeps it out.
    target
        Part of each volume that belongs to the target, 0 to 1, shape (n,).
    percentile
        Of the values, weighted, for the reference; 100 for the largest value.
    fractions
        Of the reference.

    Raises
    ------
    InputError
        If shapes differ, nothing has a weight, a value is no number >= 0, or a target holds
        nothing or everything.

    Examples
    --------
    >>> f = focality([1.0, 0.6, 0.1], [1e-6, 2e-6, 7e-6], percentile=100)
    >>> {k: round(v, 8) for k, v in f.above.items()}
    {0.5: 3e-06, 0.75: 1e-06}
    """
    v, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if v.ndim != 1 or w.shape != v.shape or not (w >= 0).all() or not w.any():
        raise InputError(
            f"expected a weight >= 0 for each value and some above 0, got {v.shape} values and "
            f"{w.shape} weights: focality"
        )
    if not (v[w > 0] >= 0).all():
        raise InputError("expected values >= 0, got others: focality")
    if not (0 < percentile <= 100 and all(0 < f <= 1 for f in fractions)):
        raise InputError(
            "expected 0 < percentile <= 100 and fractions between 0 and 1, got "
            f"{percentile:g} and {tuple(fractions)}: focality"
        )
    reference = float(weighted_percentiles(v, w, percentile))
    above = {f: float(w[v >= f * reference].sum()) for f in fractions}
    on_target = None
    if target is not None:
        inside = w * np.asarray(target, dtype=np.float64)
        outside = w - inside
        if inside.shape != w.shape or not inside.sum() > 0 or not outside.sum() > 0:
            raise InputError("expected a target that holds a part of the tissue: focality")
        mean, elsewhere = float(v @ inside / inside.sum()), float(v @ outside / outside.sum())
        on_target = OnTarget(
            mean=mean,
            mean_elsewhere=elsewhere,
            ratio=mean / elsewhere if elsewhere > 0 else np.inf,
            share={f: float(inside[v >= f * reference].sum()) / above[f] for f in fractions},
        )
    return Focality(
        reference=reference,
        volume=float(w.sum()),
        above=above,
        radius={f: (3 * a / (4 * np.pi)) ** (1 / 3) for f, a in above.items()},
        target=on_target,
    )


def tissue_focality(
    basis: FieldBasis,
    strength: NDArray[np.float64],
    head: Head,
    *,
    tissues: Sequence[str] = ("grey_matter",),
    target: Region | None = None,
    percentile: float = PERCENTILE,
    fractions: Sequence[float] = FRACTIONS,
) -> Focality:
    """Return how focal a quantity on split nodes is within tissues of a head.

    Parameters
    ----------
    basis, strength
        The quantity at the split nodes of the basis, shape (n_split,).
    head
        The head, whose mesh the basis has.
    tissues
        Their names.
    target
        Region of the head.
    percentile, fractions
        As in `focality`.

    Raises
    ------
    InputError
        As `focality` does, if the quantity has not one finite number for each split node, or the
        basis is that of another head.
    """
    basis.check_head(head)
    strength = basis.quantity(strength)
    within = tissue_region(*tissues)
    volume = head.mesh.volumes()
    weights = on_split_nodes(basis, within.weights(head, levels=0) * volume)
    part = None
    if target is not None:
        inside = on_split_nodes(basis, (target & within).weights(head) * volume)
        part = np.divide(inside, weights, out=np.zeros_like(inside), where=weights > 0)
    return focality(strength, weights, target=part, percentile=percentile, fractions=fractions)


def on_split_nodes(basis: FieldBasis, volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a volume of each tetrahedron (n_tets,) shared out among its split nodes (n_split,)."""
    from rheobase.fields._basis_numba import split_volumes

    shared: NDArray[np.float64] = split_volumes(volume, basis.split_of_tet, len(basis.split_node))
    return shared
