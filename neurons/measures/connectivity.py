"""Functional connectivity of signals, and whether it changed: before against after.

Correlation, coherence and phase locking of every pair. All three also see a common source, a
common reference and a common stimulus: they say that two signals go together, not why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.measures._checks import as_signal, bandpass, check_band
from rheobase.neurons.measures.locking import signal_phase

MEASURES = ("correlation", "coherence", "plv")


def functional_connectivity(
    signals: ArrayLike,
    dt: float,
    *,
    measure: str = "correlation",
    band: tuple[float, float] | None = None,
    resolution: float = 1.0,
) -> NDArray[np.float64]:
    """Return the connectivity of every pair of signals, shape (n, n), 1 on the diagonal.

    Parameters
    ----------
    signals
        Signals, shape (n, n_samples), n >= 2.
    dt
        Step (s).
    measure
        "correlation" (Pearson's, of the signals in ``band`` if given); "coherence"
        (magnitude-squared, by Welch's method, mean over ``band``; independent signals give 1/k
        for k stretches without overlap); "plv" (phase-locking value of the phases in ``band``).
    band
        Band (Hz); coherence and phase locking need one.
    resolution
        Spacing of the frequencies (Hz) of the coherence.

    Raises
    ------
    InputError
        If the measure is unknown, the band is missing or outside 0..Nyquist, there are fewer than
        two signals, one is constant, or they are too short.
    """
    check_option("measure", measure, MEASURES, where="functional connectivity")
    x = as_signal(signals, dt, where="functional connectivity", ndim=2)
    if len(x) < 2:
        raise InputError(f"signals must be 2 or more, got {len(x)}: functional connectivity")
    constant = np.flatnonzero(np.ptp(x, axis=1) == 0)
    if constant.size:
        raise InputError(
            f"signals must vary, number {constant[0]} does not: functional connectivity"
        )
    if band is not None:
        band = check_band(band, dt, where="functional connectivity")
    if measure == "correlation":
        return np.asarray(np.corrcoef(x if band is None else bandpass(x, dt, band)))
    if band is None:
        raise InputError(f"{measure} needs a band (Hz): functional connectivity")
    if measure == "plv":
        unit = np.exp(1j * signal_phase(x, dt, band=band))
        value = np.abs(unit @ unit.conj().T) / x.shape[1]
    else:
        value = _coherence(x, dt, band, resolution)
    np.fill_diagonal(value, 1.0)
    return np.asarray(value)


def segments(signals: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return ``signals`` (..., n_samples) cut into ``n`` stretches, (n, ..., n_samples // n).

    Raises
    ------
    InputError
        If there are fewer samples than stretches.
    """
    x = np.asarray(signals, dtype=np.float64)
    length = x.shape[-1] // n if n > 0 else 0
    if length < 1:
        raise InputError(f"n must be 1..{x.shape[-1]} stretches, got {n}: segments")
    return np.moveaxis(x[..., : n * length].reshape(*x.shape[:-1], n, length), -2, 0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Change:
    """Change of connectivity.

    Parameters
    ----------
    difference
        Mean after less mean before, shape (n, n).
    t
        Statistic on Fisher's scale (artanh), shape (n, n), 0 on the diagonal.
    p_value
        Probability that the largest |t| of all pairs is by chance at least as large as this one
        (family-wise), shape (n, n), 1 on the diagonal.
    n_permutations
        Rearrangements looked at.
    """

    difference: NDArray[np.float64]
    t: NDArray[np.float64]
    p_value: NDArray[np.float64]
    n_permutations: int


def compare_connectivity(
    before: ArrayLike,
    after: ArrayLike,
    *,
    paired: bool = True,
    n_permutations: int = 2000,
    seed: int = 0,
) -> Change:
    """Return what changed between two sets of connectivity matrices, corrected for all pairs.

    Permutation test of the largest |t| (Nichols & Holmes 2002, 10.1002/hbm.1058). What is
    permuted must be exchangeable: runs with different seeds, or stretches of time long against the
    signals' memory. The smallest possible value is 2/2^k for k pairs.

    Parameters
    ----------
    before, after
        Matrices, shapes (k, n, n) and (k', n, n), symmetric, values -1..1.
    paired
        Whether before[i] and after[i] belong together (same run or network; then k = k' and signs
        of differences are flipped); otherwise labels are shuffled.
    n_permutations
        Random rearrangements; all of them where there are fewer sign patterns.
    seed
        Seed of the rearrangements.

    Raises
    ------
    InputError
        If shapes do not fit, a value is outside -1..1, or there are fewer than two of a set.
    """
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    for name, x in (("before", a), ("after", b)):
        if x.ndim != 3 or x.shape[1] != x.shape[2] or len(x) < 2 or x.shape[1:] != a.shape[1:]:
            raise InputError(f"{name} must have shape (k >= 2, n, n), got {x.shape}: connectivity")
        if not (np.abs(x) <= 1 + 1e-9).all():
            raise InputError(f"{name} must have values in -1..1: connectivity")
    if paired and len(a) != len(b):
        raise InputError(f"paired sets must be as many, got {len(a)} and {len(b)}: connectivity")
    check_positive("n_permutations", n_permutations)
    n = a.shape[1]
    upper = np.triu_indices(n, 1)
    inner = 1 - 1e-12  # keeps two identical signals finite
    z_a, z_b = (np.arctanh(np.clip(x[:, *upper], -inner, inner)) for x in (a, b))
    rng = np.random.default_rng(seed)
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    if paired:
        design = sign_patterns(len(a), n_permutations, rng)
        values, statistic = z_b - z_a, _paired_t
    else:
        design = _label_patterns(len(a), len(b), n_permutations, rng)
        values, statistic = np.concatenate([z_a, z_b]), _welch_t
    # the first row is the arrangement as it was
    t = statistic(design[:1], values)[0]
    block = max(1, 10_000_000 // max(t.size, 1))
    largest = np.concatenate(
        [
            np.abs(statistic(design[k : k + block], values)).max(axis=1)
            for k in range(0, len(design), block)
        ]
    )
    rank = len(design) - np.searchsorted(np.sort(largest), np.abs(t) * (1 - 1e-12))
    return Change(
        difference=b.mean(axis=0) - a.mean(axis=0),
        t=_full(t, n, 0.0),
        p_value=_full(rank / len(design), n, 1.0),
        n_permutations=len(design),
    )


def _coherence(
    x: NDArray[np.float64], dt: float, band: tuple[float, float], resolution: float
) -> NDArray[np.float64]:
    """Return the coherence of all pairs, mean over the band, by one transform of each stretch."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    check_positive("resolution", resolution)
    n = round(1 / (resolution * dt))
    if not 8 <= n <= x.shape[1] // 2:
        raise InputError(
            f"resolution must be {2 / (x.shape[1] * dt):g}..{1 / (8 * dt):g} Hz for "
            f"{x.shape[1]} samples of {dt:g} s, got {resolution:g}: coherence"
        )
    transform = ShortTimeFFT(hann(n, sym=False), hop=n - n // 2, fs=1 / dt)
    chosen = (transform.f >= band[0]) & (transform.f <= band[1])
    if not chosen.any():
        raise InputError(
            f"band must hold a multiple of {resolution:g} Hz, got {band[0]:g}..{band[1]:g}: "
            "coherence"
        )
    inside = slice(transform.lower_border_end[1], transform.upper_border_begin(x.shape[1])[1])
    # stretches wholly within the signals, (frequency, signal, stretch)
    parts = transform.stft_detrend(x, "constant")[:, chosen, inside].swapaxes(0, 1)
    cross = parts @ parts.conj().swapaxes(1, 2)
    power = np.einsum("fii->fi", cross).real
    return np.asarray((np.abs(cross) ** 2 / (power[:, :, None] * power[:, None, :])).mean(axis=0))


def sign_patterns(k: int, most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return rows of signs, the first all +1: every pattern where they are at most ``most``."""
    if 2**k <= most:
        minus = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    else:
        minus = rng.integers(2, size=(most + 1, k))
        minus[0] = 0
    return np.where(minus, -1.0, 1.0)


def _label_patterns(k_a: int, k_b: int, most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return rows of labels (1: after), the first as they were."""
    label = np.repeat([0.0, 1.0], [k_a, k_b])
    return np.concatenate([label[None], rng.permuted(np.tile(label, (most, 1)), axis=1)])


def _paired_t(signs: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return t of the mean of ``signs`` times the differences (k, n_edges) for each row."""
    k = len(d)
    mean = signs @ d / k
    return _ratio(mean, np.sqrt(np.maximum((d**2).mean(axis=0) - mean**2, 0) / (k - 1)))


def _welch_t(labels: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Welch's t between the values (k, n_edges) labelled 1 and 0 for each row."""
    k_b = labels[0].sum()
    k_a = len(z) - k_b
    z = z - z.mean(axis=0)
    m_a, m_b = (1 - labels) @ z / k_a, labels @ z / k_b
    s_a, s_b = (1 - labels) @ z**2 / k_a - m_a**2, labels @ z**2 / k_b - m_b**2
    error = np.sqrt(np.maximum(s_a, 0) / (k_a - 1) + np.maximum(s_b, 0) / (k_b - 1))
    return _ratio(m_b - m_a, error)


def _ratio(mean: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean over error, 0 where both are rounding of 0."""
    return mean / np.maximum(error, 1e-12)


def _full(edges: NDArray[np.float64], n: int, diagonal: float) -> NDArray[np.float64]:
    """Return the symmetric matrix of the upper triangle's values."""
    matrix = np.full((n, n), diagonal)
    i, j = np.triu_indices(n, 1)
    matrix[i, j] = matrix[j, i] = edges
    return matrix
