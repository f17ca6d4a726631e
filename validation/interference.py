"""Temporal interference against worked examples and against a search that shares no code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.interference import Carriers, carrier_max, envelope_along, envelope_max
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

CASES: tuple[tuple[str, Carriers], ...] = (
    ("f, f + d, f + 2d", Carriers(frequencies=(2000.0, 2010.0, 2020.0))),
    (
        "f, f + d, f + 3d with phases",
        Carriers(frequencies=(2000.0, 2010.0, 2030.0), phases=(0.0, 1.0, 2.5)),
    ),
    (
        "f, f + d twice, quarter of a period apart",
        Carriers(frequencies=(2000.0, 2010.0, 2010.0), phases=(0.0, 0.0, np.pi / 2)),
    ),
    ("f to f + 3d", Carriers(frequencies=(2000.0, 2010.0, 2020.0, 2030.0))),
    ("two bands of two", Carriers(frequencies=(1000.0, 1010.0, 3000.0, 3010.0))),
)


def ti_vectors() -> list[Row]:
    """Compare the envelope with worked examples, a search in the plane and a blind search."""
    rows = []
    for second, reference in (
        ((0.5, 0.0, 0.0), 1.0),
        ((0.0, 1.0, 0.0), 2**0.5),
        ((0.8, 0.6, 0.0), 3.6**0.5),
        ((-0.5, 0.5, 0.0), 2**0.5),
        ((1.0, 0.0, 0.0), 2.0),
    ):
        value = float(envelope_max([(1.0, 0.0, 0.0), second]))
        rows.append(
            _row(f"largest modulation, E1 = (1, 0, 0), E2 = {second}", value, reference, 1e-9)
        )
    generator = np.random.default_rng(7)
    E = generator.normal(size=(2, 40, 3))
    # The best direction lies in the plane of the two fields: a fine search, and the edge of T_n.
    u = E[0] / np.linalg.norm(E[0], axis=1, keepdims=True)
    w = E[1] - (E[1] * u).sum(1, keepdims=True) * u
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    angle = np.linspace(0, np.pi, 20001)[:, None, None]
    tried = np.cos(angle) * u + np.sin(angle) * w
    searched = envelope_along(np.broadcast_to(E[:, None], (2, *tried.shape)), tried).max(axis=0)
    ratio = envelope_max(E) / searched
    worst = float(ratio[np.abs(ratio - 1).argmax()])
    rows.append(
        _row("closed form over a search of 20001 directions, worst of 40 pairs", worst, 1.0, 1e-3)
    )
    along = float(envelope_along([(1.0, 0.0, 0.0), (0.5, 0.5, 0.0)], (0.0, 3.0, 0.0)) + 1.0)
    rows.append(_row("1 + modulation across the first field", along, 1.0, 1e-12))
    pairs = E
    E4 = np.stack([0.3 * pairs[0], 0.7 * pairs[0], -2.0 * pairs[1], 3.0 * pairs[1]])
    summed = envelope_max(E4, Carriers(frequencies=(2000.0, 2000.0, 2010.0, 2010.0)))
    ratio = summed / envelope_max(pairs)
    worst = float(ratio[np.abs(ratio - 1).argmax()])
    rows.append(_row("four pairs at two frequencies over their two sums", worst, 1.0, 1e-9))
    for name, carriers in CASES:
        E = generator.normal(size=(len(carriers.frequencies), 20, 3))
        ratio = envelope_max(E, carriers) / blind_search(E, carriers)
        worst = float(ratio[np.abs(ratio - 1).argmax()])
        rows.append(_row(f"over a blind search, worst of 20 points: {name}", worst, 1.0, 1e-4))
    E = generator.normal(size=(2, 40, 3))
    plain = np.maximum(np.linalg.norm(E[0] + E[1], axis=1), np.linalg.norm(E[0] - E[1], axis=1))
    worst = float((carrier_max(E) / plain).max())
    rows.append(_row("carrier amplitude over |E1 ± E2|, largest of 40 points", worst, 1.0, 1e-9))
    return rows


def _row(quantity: str, value: float, reference: float, limit: float) -> Row:
    return Row(
        case="ti-vectors",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1),
        limit=limit,
        unit="V/m",
        source="Grossman et al. 2017 (peak to peak); the definition itself",
    )


def blind_search(E: Floats, carriers: Carriers, seed: int = 0) -> Floats:
    """Return the largest modulation by trying directions, closer and closer to the best ones.

    Nothing but the definition goes in: the complex signals of the carriers, sampled over a beat
    and interpolated by a parabola where they are smallest and largest.

    Parameters
    ----------
    E
        Fields (V/m), shape (k, n, 3).
    carriers
        Their frequencies and phases.
    seed
        Of the directions tried.
    """
    generator = np.random.default_rng(seed)
    f = np.array(carriers.frequencies)
    band = np.cumsum(np.diff(np.sort(f), prepend=f.min()) > carriers.fastest_beat)[
        np.argsort(np.argsort(f, kind="stable"), kind="stable")
    ]
    t = np.arange(3072) / 3072 / carriers.beat
    turning = np.exp(1j * (2 * np.pi * f[:, None] * t + carriers.phase[:, None]))
    few = turning[:, ::24]

    def modulation(n: Floats, fields: Floats, turning: NDArray[np.complex128]) -> Floats:
        a = n @ fields.T
        square = sum(np.abs(a[:, band == b] @ turning[band == b]) ** 2 for b in np.unique(band))
        ends = []
        for sign in (1.0, -1.0):
            q = sign * square
            k = q.argmax(axis=1)
            rows = np.arange(len(q))
            before, here, after = q[rows, k - 1], q[rows, k], q[rows, (k + 1) % q.shape[1]]
            bend = np.minimum(before - 2 * here + after, -1e-300)
            ends.append(sign * (here - (after - before) ** 2 / (8 * bend)))
        top, low = ends
        depth: Floats = np.sqrt(top) - np.sqrt(np.maximum(low, 0.0))
        return depth

    found = np.empty(E.shape[1])
    for i in range(E.shape[1]):
        tried = _unit(generator.normal(size=(4000, 3)))
        best = tried[np.argsort(modulation(tried, E[:, i], few))[-12:]]
        reach = 0.05
        for _ in range(20):
            near = best[:, None] + reach * generator.normal(size=(len(best), 10, 3))
            tried = np.concatenate([best, _unit(near.reshape(-1, 3))])
            value = modulation(tried, E[:, i], turning)
            best = tried[np.argsort(value)[-12:]]
            found[i] = value.max()
            reach *= 0.6
    return found


def _unit(x: Floats) -> Floats:
    unit: Floats = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit
