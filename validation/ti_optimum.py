"""Temporal interference: the optimum against the field of the best montage of one waveform.

Twelve electrodes on the three-layer sphere with exact lead fields (`validation.optimisation`). What
is compared is the modulation that `rheobase.fields.interference` finds in the fields of the optimal
currents, not the one the optimiser tells, with the largest field of tES under the same limits: an
identity, as two carriers of half the best montage reach the bound that no carriers exceed. The
bound is tried with random currents of two, three and four carriers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.interference import Carriers, envelope_along, envelope_max
from rheobase.fields.optimisation.interference import strongest_modulation
from rheobase.fields.optimisation.interference_pairs import strongest_pairs
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.tes import max_intensity
from rheobase.validation.case import Row
from rheobase.validation.optimisation import ELECTRODES, exact_lead_field, icosahedron

Floats = NDArray[np.float64]

LIMITS = {
    "total 2 mA": Limits(total=2e-3),
    "total 2 mA, each 0.6 mA": Limits(total=2e-3, each=0.6e-3),
    "total 2 mA, each 0.6 mA, 6 electrodes": Limits(total=2e-3, each=0.6e-3, electrodes=6),
    "each 0.5 mA": Limits(each=0.5e-3),
}
TARGETS = {
    "in the middle": (0.0, 0.0, 0.0),
    "at (10, 30, 50) mm": (0.01, 0.03, 0.05),
    "at (-40, 20, -30) mm": (-0.04, 0.02, -0.03),
}
ALONG = (0.48, 0.64, 0.6)
CARRIERS = {
    "two": (2000.0, 2010.0),
    "three": (2000.0, 2010.0, 2020.0),
    "two bands of two": (2000.0, 2010.0, 4000.0, 4010.0),
}
TRIED = 2000
SOURCE = "x1 = x2 = half the best montage of tES; Huang, Datta & Parra 2020"


def optimum_identity() -> list[Row]:
    """Compare optimal modulations with the largest fields, and try to exceed the bound."""
    corners, _, _ = icosahedron()
    rows = []
    for where, point in TARGETS.items():
        C = exact_lead_field(corners, np.array([point]))[:, 0].T
        d = np.array(ALONG)
        for name, limits in LIMITS.items():
            best = strongest_modulation(d @ C, limits, names=ELECTRODES)
            reached = envelope_along(_fields(C, best.currents), d).item()
            most = max_intensity(d @ C, limits, names=ELECTRODES).value
            rows.append(_row(f"along a direction {where}, {name}", reached, most))
            if limits.electrodes is None:
                other = _programme(d @ C, limits)
                rows.append(
                    _row(
                        f"along a direction {where}, {name}, over a linear programme of both",
                        reached,
                        other,
                        source="HiGHS, currents of both carriers unknown",
                    )
                )
            best = strongest_modulation(C, limits, names=ELECTRODES)
            reached = envelope_max(_fields(C, best.currents)).item()
            most = max_intensity(C, limits, names=ELECTRODES).value
            rows.append(_row(f"largest over directions {where}, {name}", reached, most))
    C = exact_lead_field(corners, np.array([TARGETS["at (10, 30, 50) mm"]]))[:, 0].T
    most = max_intensity(C, LIMITS["total 2 mA"], names=ELECTRODES).value
    generator = np.random.default_rng(5)
    for name, frequencies in CARRIERS.items():
        x = generator.normal(size=(TRIED, len(frequencies), 12))
        x *= generator.random(x.shape) < 0.3
        x -= x.mean(axis=2, keepdims=True)
        x *= 4e-3 / np.abs(x).sum(axis=(1, 2), keepdims=True)
        E = np.einsum("in,skn->ksi", C, x)
        tried = float(envelope_max(E, Carriers(frequencies=frequencies)).max())
        rows.append(
            _row(
                f"largest of {TRIED} random currents, {name} carriers, beyond the bound",
                tried,
                most,
                error=max(tried / most - 1, 0.0),
            )
        )
    c = np.sort(C[2])
    p, q = c[-1] - c[1], c[-2] - c[0]
    pairs = strongest_pairs(C[2], LIMITS["total 2 mA"], names=ELECTRODES).value
    apart = strongest_modulation(C[2], LIMITS["total 2 mA"], names=ELECTRODES, shared=False).value
    for name, value in (("two pairs", pairs), ("no electrode with both carriers", apart)):
        rows.append(
            _row(
                f"{name}, total 2 mA, over the closed form",
                value,
                4e-3 * p * q / (p + q),
                source="the two largest and smallest rows, paired to the fairer sums",
            )
        )
    return rows


def _programme(c: Floats, limits: Limits) -> float:
    """Return the largest 2 min(c x1, c x2) by linear programming, nothing assumed of x1 and x2.

    Unknowns are the currents in and out of each carrier and half the modulation.
    """
    from scipy.optimize import linprog

    n, bounds = len(c), limits.bounds(ELECTRODES)
    zero, one = np.zeros(2 * n), np.r_[np.ones(n), -np.ones(n)]
    both = np.hstack([np.eye(n)] * 4 + [np.zeros((n, 1))])
    found = linprog(
        np.append(np.zeros(4 * n), -1.0),
        A_ub=np.vstack(
            [
                np.r_[-c, c, zero, 1.0],
                np.r_[zero, -c, c, 1.0],
                np.append(np.ones(4 * n), 0.0),
                both,
            ]
        ),
        b_ub=np.r_[0.0, 0.0, 2 * bounds.total, bounds.most],
        A_eq=np.stack([np.r_[one, zero, 0.0], np.r_[zero, one, 0.0]]),
        b_eq=[0.0, 0.0],
    )
    assert found.fun is not None
    return -2 * float(found.fun)


def _fields(C: Floats, currents: Floats) -> Floats:
    """Return the fields (V/m) of both carriers at the target, shape (2, 1, 3)."""
    fields: Floats = (currents @ C.T)[:, None]
    return fields


def _row(
    quantity: str,
    value: float,
    reference: float,
    error: float | None = None,
    source: str = SOURCE,
) -> Row:
    return Row(
        case="ti-optimum-identity",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1) if error is None else error,
        limit=1e-3,
        unit="V/m",
        source=source,
    )
