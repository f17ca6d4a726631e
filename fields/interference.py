"""Temporal interference: the envelope of any number of carriers.

Fields E_k oscillate as cos(2 pi f_k t + p_k). Carriers whose frequencies lie close together beat;
they form a *band*. Within a band b the signal along a unit vector n has the envelope |n·Z_b(t)|,

    Z_b(t) = sum over k in b of E_k exp(i (2 pi (f_k - f_b) t + p_k)),

the size of the analytic signal with respect to a frequency f_b of the band: slow, and the same for
any f_b. Bands far apart beat too fast to be followed, so that their powers add:

    A_n(t)² = sum over b of |n·Z_b(t)|²,

twice the square of the signal, averaged over the carriers. The modulation along n is, peak to peak,
T_n = max A_n - min A_n over the beat. For two carriers it is 2 min(|n·E1|, |n·E2|), and its largest
value over n has a closed form (Grossman et al. 2017).

For more, A_n(t) is the support function of an ellipsoid, Q(t) = {M(t)^(1/2) y: |y| <= 1} with
M = sum of Re(Z_b Z_b*): for one band the ellipse that the tip of E draws. Two convex sets differ in
their support functions by no more than the distance of a point of one from the other, so

    max T_n over n = max over t1, t2 and u in Q(t1) of the distance from u to Q(t2).

This is smooth where T_n is not: along whole curves of directions the envelope touches 0, and there
T_n has an edge, on which the maximum often lies. See
`rheobase.fields._interference_search_numba`.

Formulas that take pairs of pairs and apply the two-field formula to its own results are no
envelope of anything, and are not offered.

References: Grossman et al., Cell 169:1029 (2017), doi:10.1016/j.cell.2017.05.024. Several bands:
Botzanowski et al., Bioelectronic Medicine 11:7 (2025), doi:10.1186/s42234-025-00169-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase._threads import in_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PER_HERTZ = 1000  # frequencies count to the millihertz
MOST_ORDERS = 64  # longest beat, in periods of its fastest part
SAMPLES = 16  # of a period of the fastest part
DIRECTIONS = 400  # on the half sphere
_PART = 256  # points of a thread's piece of work
ALIGNED = 1e-12  # sine of a phase that counts as 0


@dataclass(frozen=True, kw_only=True)
class Carriers:
    """Frequencies and phases of the fields.

    Parameters
    ----------
    frequencies
        f_k (Hz), one for each field; fields may share one.
    phases
        p_k (rad); all 0 if empty.
    fastest_beat
        Neighbouring frequencies farther apart than this (Hz) belong to different bands.

    Raises
    ------
    InputError
        If there is nothing that beats, a number makes no sense, or the beat repeats too late.

    Examples
    --------
    >>> Carriers(frequencies=(2000.0, 2010.0, 2020.0)).order.tolist()
    [0, 1, 2]
    """

    frequencies: tuple[float, ...]
    phases: tuple[float, ...] = ()
    fastest_beat: float = 500.0

    def __post_init__(self) -> None:
        """Check the numbers and that something beats."""
        f, p = self.frequencies, self.phases
        if not all(isfinite(v) and v > 0 for v in f):
            raise InputError(f"expected frequencies > 0 Hz, got {f}: carriers")
        if p and (len(p) != len(f) or not all(isfinite(v) for v in p)):
            raise InputError(f"expected one phase for each of {len(f)} carriers, got {p}: carriers")
        if not (isfinite(self.fastest_beat) and self.fastest_beat > 0):
            raise InputError(f"fastest_beat must be > 0 Hz, got {self.fastest_beat!r}: carriers")
        if len(f) == 0 or self.order.max() == 0:
            raise InputError(
                f"expected two frequencies within {self.fastest_beat:g} Hz of each other, got "
                f"{f}: carriers"
            )
        if self.order.max() > MOST_ORDERS:
            raise InputError(
                f"expected frequencies whose beat repeats within {MOST_ORDERS} periods of its "
                f"fastest part, it takes {self.order.max()}: carriers {f}"
            )

    @property
    def phase(self) -> Floats:
        """Phases (rad), shape (k,)."""
        return np.array(self.phases or (0.0,) * len(self.frequencies))

    @cached_property
    def band(self) -> Ints:
        """Number of the band of each field, shape (k,)."""
        f = np.array(self.frequencies)
        rank = np.argsort(f, kind="stable")
        band = np.empty(len(f), np.int64)
        band[rank] = np.cumsum(np.diff(f[rank], prepend=f[rank[:1]]) > self.fastest_beat)
        return band

    @cached_property
    def order(self) -> Ints:
        """Distance of each field from the lowest of its band, in beats, shape (k,)."""
        steps = np.rint(np.array(self.frequencies) * PER_HERTZ).astype(np.int64)
        for b in np.unique(self.band):
            steps[self.band == b] -= steps[self.band == b].min()
        return steps // max(reduce(gcd, steps.tolist(), 0), 1)

    @property
    def beat(self) -> float:
        """Frequency at which the envelope repeats (Hz)."""
        k = int(self.order.argmax())
        lowest = min(
            f for f, b in zip(self.frequencies, self.band, strict=True) if b == self.band[k]
        )
        return (self.frequencies[k] - lowest) / int(self.order[k])


def envelope_along(E: ArrayLike, direction: ArrayLike, carriers: Carriers | None = None) -> Floats:
    """Return the peak-to-peak modulation along a direction.

    Parameters
    ----------
    E
        Amplitudes of the fields (V/m), shape (k, ..., 3).
    direction
        Direction, one or one per point (any length but 0), shape (..., 3).
    carriers
        Of the k fields. None for two fields: any two frequencies that beat give the same.

    Returns
    -------
    ndarray, shape (...)
        T_n (V/m).

    Raises
    ------
    InputError
        If shapes do not fit, or a direction has no length.
    """
    fields, shape, c = _checked(E, carriers)
    n = np.asarray(direction, dtype=np.float64)
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    if n.shape[-1:] != (3,) or not (length > 0).all():
        raise InputError("expected directions of three numbers, got one of another or of length 0")
    try:
        n = np.broadcast_to(n / length, (*shape, 3)).reshape(-1, 3)
    except ValueError:
        raise InputError(
            f"expected one direction, or one for each of {shape} points, got {n.shape}"
        ) from None
    two = _two_fields(fields, c)
    if two is not None:
        a, b = (np.abs((f * n).sum(-1)) for f in two)
        return (2 * np.minimum(a, b)).reshape(shape)
    from rheobase.fields._interference_numba import modulation_along

    out = np.empty(len(n))
    given = fields, c.order, c.band, c.phase, np.ascontiguousarray(n), *_samples(c)
    in_parts(lambda some: modulation_along(*given, some.start, some.stop, out), len(out), _PART)
    return out.reshape(shape)


def envelope_max(E: ArrayLike, carriers: Carriers | None = None) -> Floats:
    """Return the largest peak-to-peak modulation over all directions.

    In closed form where the fields make up two (two frequencies, the phases of each equal or
    opposite), else by a search; what the search returns is reached in some direction.

    Parameters
    ----------
    E, carriers
        As in `envelope_along`.

    Returns
    -------
    ndarray, shape (...)
        T (V/m).

    Examples
    --------
    >>> E1, E2 = [[1.0, 0, 0], [1.0, 0, 0]], [[0.5, 0, 0], [0, 1.0, 0]]
    >>> envelope_max([E1, E2]).round(4)
    array([1.    , 1.4142])
    """
    from rheobase.fields._interference_numba import two_fields
    from rheobase.fields._interference_search_numba import modulation_max

    fields, shape, c = _checked(E, carriers)
    out = np.empty(fields.shape[1])
    two = _two_fields(fields, c)
    if two is not None:
        a, b = map(np.ascontiguousarray, two)
        in_parts(lambda some: two_fields(a[some], b[some], out[some]), len(out))
        return out.reshape(shape)
    directions = _half_sphere(DIRECTIONS)
    x, y, z = directions.T
    squares = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z]).astype(np.float32)
    with stage(f"largest modulation of {len(fields)} carriers"):
        given = fields, c.order, c.band, c.phase, directions, squares, *_samples(c)
        in_parts(lambda some: modulation_max(*given, some.start, some.stop, out), len(out), _PART)
    return out.reshape(shape)


def carrier_max(E: ArrayLike, carriers: Carriers | None = None) -> Floats:
    """Return the largest amplitude of the carriers, over the beat and all directions.

    Parameters
    ----------
    E, carriers
        As in `envelope_along`.

    Returns
    -------
    ndarray, shape (...)
        Largest A_n (V/m); for two fields the larger of |E1 + E2| and |E1 - E2|.

    Examples
    --------
    >>> carrier_max([[1.0, 0, 0], [0.5, 0, 0]]).round(4).item()
    1.5
    """
    from rheobase.fields._interference_numba import amplitude_max

    fields, shape, c = _checked(E, carriers)
    out = np.empty(fields.shape[1])
    given = fields, c.order, c.band, c.phase, *_samples(c)
    in_parts(lambda some: amplitude_max(*given, some.start, some.stop, out), len(out), _PART)
    return out.reshape(shape)


def _checked(E: ArrayLike, carriers: Carriers | None) -> tuple[Floats, tuple[int, ...], Carriers]:
    """Return the fields as (k, n, 3), the shape of the points, and the carriers."""
    fields = np.asarray(E, dtype=np.float64)
    if fields.ndim < 2 or fields.shape[-1] != 3:
        raise InputError(f"expected fields of shape (k, ..., 3), got {fields.shape}")
    if carriers is None:
        if len(fields) != 2:
            raise InputError(f"expected the carriers of {len(fields)} fields: only two need none")
        carriers = Carriers(frequencies=(1000.0, 1010.0))
    if len(carriers.frequencies) != len(fields):
        raise InputError(
            f"expected a field for each of {len(carriers.frequencies)} carriers, got {len(fields)}"
        )
    if not np.isfinite(fields).all():
        raise InputError("expected finite fields, got others: interference")
    shape = fields.shape[1:-1]
    return np.ascontiguousarray(fields.reshape(len(fields), -1, 3)), shape, carriers


def _two_fields(fields: Floats, c: Carriers) -> tuple[Floats, Floats] | None:
    """Return the sums of the fields at the two frequencies, None if they are no two."""
    if c.band.max() > 0 or c.order.max() > 1:
        return None
    sums = []
    for order in (0, 1):
        mine = np.flatnonzero(c.order == order)
        turn = c.phase[mine] - c.phase[mine[0]]
        if np.abs(np.sin(turn)).max() > ALIGNED:
            return None
        if len(mine) == 1:
            sums.append(fields[mine[0]])
        else:
            sums.append(np.tensordot(np.rint(np.cos(turn)), fields[mine], axes=1))
    return sums[0], sums[1]


def _samples(c: Carriers) -> tuple[Floats, Floats]:
    """Return cos(m t) and sin(m t) of the orders over a beat, shape (D + 1, n)."""
    degree = int(c.order.max())
    t = 2 * np.pi / (SAMPLES * degree) * np.arange(SAMPLES * degree)
    angle = np.arange(degree + 1)[:, None] * t
    return np.cos(angle), np.sin(angle)


def _half_sphere(n: int) -> Floats:
    """Return ``n`` directions spread over the half sphere z > 0 (a Fibonacci spiral)."""
    i = np.arange(n) + 0.5
    z, turn = i / n, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)
