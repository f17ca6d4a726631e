"""Unmyelinated fibres with a published membrane: thresholds and conduction velocity.

Membranes (``data/membranes.csv``): "sundt" (C-fibre; Sundt 2015, doi:10.1152/jn.00226.2015) and
"rattay_aberham" (Hodgkin and Huxley's rates twelvefold; Rattay & Aberham 1993,
doi:10.1109/10.250575), both for 37 °C, and "hodgkin_huxley" (squid, with a temperature of its own).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.neurons.membrane import TEMPERATURE, circuit
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.spiking import simulate, spiking_thresholds

LEVEL = -30e-3  # V that a travelling spike crosses
STEP = 4e-6  # s
_SLOWEST = 0.1  # m/s over the square root of the diameter in um: how long a spike is waited for
_START = 2e-9, 0.2e-3  # A over the diameter in um to the 1.5, and s, that start a spike
_FEWEST = 20  # compartments of a fibre that a spike can travel along


def unmyelinated_thresholds(
    fibre: Morphology,
    rise: ArrayLike,
    stimulus: Any,
    *,
    membrane: str = "sundt",
    tolerance: float = 1e-3,
    dt: float = STEP,
    temperature: float = TEMPERATURE,
    guess: ArrayLike | None = None,
) -> Floats:
    """Return the amplitude at which a spike arrives at a tenth of the fibre from either end.

    Parameters
    ----------
    fibre
        An unbranched fibre as from `bare_fibre`, straight or laid along a curve (`lay_along`).
    rise
        Rises of the outside potential from one compartment to the next (V per unit amplitude), as
        from `rises_along`, shape (n,) or (m, n).
    stimulus
        Pulse width (s), or samples ``t`` (s) and ``w`` (1).
    membrane
        Name in ``data/membranes.csv``.
    tolerance
        Relative width of the bracket that bisection ends with.
    dt
        Longest step during the stimulus (s); twice as long after it.
    temperature
        Of the channels (°C).
    guess
        Amplitudes to begin with, shape (m,) or (2, m).

    Returns
    -------
    ndarray, shape (2, m)
        Thresholds of the stimulus as given and reversed; inf for none.

    Raises
    ------
    InputError
        If the fibre is a tree or too short, shapes do not fit, or the membrane is unknown.
    """
    n = _checked(fibre)
    counted = np.zeros(n, dtype=bool)
    for end in (n // 10, n - 1 - n // 10):
        counted[end - 1 : end + 2] = True  # the three compartments that make a spike
    threshold, _ = spiking_thresholds(
        fibre,
        np.atleast_2d(np.asarray(rise)),
        stimulus,
        name=membrane,
        dt=dt,
        tolerance=tolerance,
        after=float(fibre.length.sum() / (_SLOWEST * np.sqrt(_micrometres(fibre)))),
        guess=guess,
        counted=counted,
        level=LEVEL,
        temperature=temperature,
    )
    return threshold


def conduction_velocity(
    fibre: Morphology,
    *,
    membrane: str = "sundt",
    dt: float = STEP,
    temperature: float = TEMPERATURE,
) -> float:
    """Return how fast a spike travels from the fibre's first compartment (m/s).

    A current pulse starts it; it is timed between 40 and 70 % of the compartments.

    Parameters
    ----------
    fibre, membrane, dt, temperature
        As in `unmyelinated_thresholds`.

    Raises
    ------
    InputError
        If no spike travels, or as in `unmyelinated_thresholds`.
    """
    n = _checked(fibre)
    of = circuit(fibre, membrane)
    current = np.zeros(n)
    current[0] = _START[0] * _micrometres(fibre) ** 1.5
    seen = np.array([4 * n // 10, 7 * n // 10])
    longest = float(fibre.length.sum() / (_SLOWEST * np.sqrt(_micrometres(fibre))))
    t, v = simulate(
        of, current, _START[1], 1.0, longest, dt=dt, record=seen, temperature=temperature
    )
    when = []
    for trace in v.T:
        k = int(np.argmax(trace > LEVEL))
        if k == 0:
            raise InputError(
                f"expected a membrane that carries a spike, got none at {temperature:g} °C: "
                f"{membrane}"
            )
        when.append(float(np.interp(LEVEL, trace[k - 1 : k + 1], t[k - 1 : k + 1])))
    place = np.cumsum(fibre.length) - 0.5 * fibre.length
    return float((place[seen[1]] - place[seen[0]]) / (when[1] - when[0]))


def _checked(fibre: Morphology) -> int:
    """Return the number of compartments of what must be a fibre."""
    n = len(fibre)
    if n < _FEWEST or not np.array_equal(fibre.parent, np.arange(-1, n - 1)):
        raise InputError(
            f"expected a fibre of at least {_FEWEST} compartments without branches, got {n} "
            "compartments" + ("" if n < _FEWEST else " of a tree")
        )
    return n


def _micrometres(fibre: Morphology) -> float:
    return float(fibre.diameter.mean() * 1e6)
