"""What the variance over sampled ranges goes with: Sobol' indices by polynomial chaos.

Settings are taken as independent and even over their ranges (even in the logarithm on a logarithmic
scale), which is how they were drawn; `rheobase.fields.uncertainty.chaos` has the method. Indices of
Latin hypercube samples come from the same fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.sweeps.design import Design

if TYPE_CHECKING:
    from rheobase.fields.uncertainty.distributions import Distribution

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that was sampled, from 0 to 1 between the ends of its range."""

    name: str
    distribution: Distribution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivity:
    """How a number depends on sampled settings.

    Parameters
    ----------
    first, total
        Share of the variance that goes with each setting alone, and with all its interactions.
    curves
        Mean of the number at places from 0 to 1 of each range, shape (n,): main effects.
    mean, sd
        Over the ranges.
    degree, error
        Of the polynomials, and their leave-one-out error relative to the variance.
    samples
        Points that were fitted; those that failed are left out.
    """

    first: dict[str, float]
    total: dict[str, float]
    curves: dict[str, tuple[Floats, Floats]]
    mean: float
    sd: float
    degree: int
    error: float
    samples: int


def sensitivity(design: Design, values: Floats, *, places: int = 41) -> Sensitivity | None:
    """Return how a number depends on the sampled ranges of a design.

    Parameters
    ----------
    design
        With ranges.
    values
        The number at each sample, NaN where there is none, shape (n,).
    places
        Of the main effects.

    Returns
    -------
    Sensitivity or None
        None where there are too few finite samples for a straight line, or nothing varies.
    """
    from rheobase.fields.uncertainty.chaos import fit
    from rheobase.fields.uncertainty.distributions import uniform
    from rheobase.fields.uncertainty.inputs import Inputs

    names = list(design.ranges)
    drawn = design.dims["sample"]
    u = np.stack([design.ranges[n].unit(drawn[n]) for n in names], axis=1)
    if any(r.whole for r in design.ranges.values()):
        u = np.clip(u, 0.0, 1.0)
    known = np.isfinite(values)
    if not known.any() or np.ptp(values[known]) == 0:
        return None
    settings: Any = [Setting(name, uniform(0.0, 1.0)) for name in names]
    inputs = Inputs(settings)
    try:
        found = fit(inputs, u[known], values[known])
    except InputError:  # too few samples
        return None
    first, total = found.first(), found.total()
    curves = {}
    at = np.linspace(0.0, 1.0, places)
    cube = inputs.sample(256)
    for k, name in enumerate(names):
        held = np.repeat(cube[None], places, axis=0)
        held[:, :, k] = at[:, None]
        mean = found(held.reshape(-1, len(names))).reshape(places, -1).mean(axis=1)
        curves[name] = (np.array(design.ranges[name].at(at), dtype=np.float64), mean)
    return Sensitivity(
        first={n: float(first[k]) for k, n in enumerate(names)},
        total={n: float(total[k]) for k, n in enumerate(names)},
        curves=curves,
        mean=float(found.mean),
        sd=float(found.sd),
        degree=found.basis.degree,
        error=float(found.error),
        samples=int(known.sum()),
    )
