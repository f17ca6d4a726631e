"""What is measured on spikes and signals, against processes of which the answer is known.

All are random draws: the limits are four standard errors, so that a right measure fails once in
some ten thousand seeds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.measures.connectivity import compare_connectivity, functional_connectivity
from rheobase.neurons.measures.locking import locking, phase_locking, rotation
from rheobase.neurons.measures.propagation import plane_wave, radial_speed
from rheobase.neurons.measures.spectra import multitaper, welch
from rheobase.validation.case import Row

DT = 1e-3  # s


def measures() -> list[Row]:
    """Return the rows of all measures of signals and phases."""
    return [*_locking(), *_spectra(), *_connectivity(), *_waves()]


def _row(quantity: str, value: float, reference: float, spread: float, source: str) -> Row:
    """Return a row whose limit is four times the standard error ``spread``, relative."""
    return Row(
        case="measures",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1),
        limit=4 * spread / reference,
        unit="1",
        source=source,
    )


def _locking() -> list[Row]:
    from scipy.special import i0, i1

    rng = np.random.default_rng(1)
    exact = float(i1(1.0) / i0(1.0))
    n = 100_000
    strength = locking(rng.vonmises(0, 1.0, n)).strength
    ppc = np.array([locking(p).ppc for p in rng.vonmises(0, 1.0, (5000, 8))])
    cases = 2000
    count = 0
    for _ in range(cases):
        group = np.repeat(np.arange(24), rng.integers(1, 31, 24))
        centre = rng.uniform(-np.pi, np.pi, 24)
        count += locking(centre[group] + rng.vonmises(0, 2.0, len(group)), group).p_value < 0.05
    slip, strength_out = _adler(1.25)
    von_mises = "von Mises phases: I1(1)/I0(1)"
    return [
        _row(f"phase-locking value, {n} phases", strength, exact, 0.7 / n**0.5, von_mises),
        _row(
            "pairwise phase consistency, mean of 5000 sets of 8 phases",
            float(ppc.mean()),
            exact**2,
            float(ppc.std()) / len(ppc) ** 0.5,
            f"{von_mises}, squared (Vinck et al. 2010)",
        ),
        _row(
            "bursts without locking found locked at a level of 5 %",
            count / cases,
            0.05,
            (0.05 * 0.95 / cases) ** 0.5,
            "definition of the level",
        ),
        _row(
            "rotation of an oscillator 1.25 locking ranges away (Hz), 200 s",
            slip,
            10.375,
            0.25 / 200,  # half a turn over the run is left out, at most
            "Adler 1946: sqrt(detuning² - range²) off the stimulus of 10 Hz",
        ),
        _row(
            "its phase-locking value",
            strength_out,
            0.5,
            0.25 / (200 * 0.375),
            "Adler 1946: r - sqrt(r² - 1) for r = 1.25",
        ),
    ]


def _adler(ratio: float) -> tuple[float, float]:
    """Return rotation (Hz) and locking of an oscillator that a stimulus of 10 Hz pulls."""
    pull = 2 * np.pi * 0.5  # rad/s
    t = DT * np.arange(200_000)
    beat = pull * np.sqrt(ratio**2 - 1)
    tangent = 1 / ratio + beat / (pull * ratio) * np.tan(beat * t / 2 % np.pi)
    drive = 2 * np.pi * 10 * t
    phase = drive + 2 * np.arctan(tangent)
    return float(rotation(phase, DT)), phase_locking(phase, drive)


def _spectra() -> list[Row]:
    from scipy.signal import lfilter

    b, a = [1.0], [1.0, -1.8 * np.cos(2 * np.pi * 20 * DT), 0.81]
    x = lfilter(b, a, np.random.default_rng(2).standard_normal(21_000))[1000:]
    rows = []
    # Welch's values go together with their neighbours', the multitaper's within 1 Hz
    for name, found, free in (
        ("Welch", welch(x, DT, resolution=2.0), 445 / 2 / 2),
        ("multitaper", multitaper(x, DT, bandwidth=0.5), 445),
    ):
        inner = (found.frequency > 5) & (found.frequency < 450)
        z = np.exp(-2j * np.pi * np.outer(found.frequency[inner] * DT, np.arange(3)))
        ratio = found.density[inner] * np.abs(z @ a) ** 2 / (2 * DT)
        low, high = found.interval(0.95)
        rows.append(
            _row(
                f"share of frequencies whose 95 % interval holds the density, {name}, 20 s",
                float(np.mean((ratio * low < 1) & (ratio * high > 1))),
                0.95,
                (0.05 * 0.95 / free) ** 0.5,
                "closed form of an autoregression with a resonance at 20 Hz",
            )
        )
    return rows


def _connectivity() -> list[Row]:
    from scipy.special import hyp2f1

    rng = np.random.default_rng(3)
    share, n = 0.6, 100_000
    common, *own = rng.standard_normal((3, n))
    pair = np.stack([np.sqrt(share) * common + np.sqrt(1 - share) * x for x in own])
    coherence = functional_connectivity(pair, DT, measure="coherence", band=(5, 100))[0, 1]
    plv = functional_connectivity(pair, DT, measure="plv", band=(20, 60))[0, 1]
    correlation = functional_connectivity(pair, DT)[0, 1]
    k = 199 * 18 / 19  # stretches without overlap that would say as much
    count, cases = 0, 300
    for seed in range(cases):
        sets = np.tanh(0.4 + 0.1 * rng.standard_normal((2, 10, 5, 5)))
        sets = (sets + sets.swapaxes(2, 3)) / 2
        found = compare_connectivity(sets[0], sets[1], n_permutations=199, seed=seed)
        count += bool((found.p_value < 0.05).any())
    mixture = "mixture of known shares"
    return [
        _row("correlation", float(correlation), share, (1 - share**2) / n**0.5, mixture),
        _row(
            "coherence, with its bias",
            float(coherence),
            share**2 + (1 - share**2) ** 2 / k,
            (2 / k) ** 0.5 * share * (1 - share**2) / 48**0.5,
            mixture,
        ),
        _row(
            "phase-locking value of two normal signals",
            float(plv),
            float(np.pi / 4 * share * hyp2f1(0.5, 0.5, 2, share**2)),
            (n * DT * 40) ** -0.5,
            "pi/4 g F(1/2, 1/2; 2; g²) for the coherency g",
        ),
        _row(
            "sets without change in which a change of any of 10 pairs is found at 5 %",
            count / cases,
            0.05,
            (0.05 * 0.95 / cases) ** 0.5,
            "definition of the level",
        ),
    ]


def _waves() -> list[Row]:
    rng = np.random.default_rng(4)
    cases, true = 400, 0.3
    held: NDArray[np.int64] = np.zeros(2, dtype=np.int64)
    for _ in range(cases):
        place = rng.uniform(-1e-3, 1e-3, (25, 2))
        noise = 1e-3 * rng.standard_normal(25)
        distance = np.linalg.norm(place, axis=1)
        radial = radial_speed(distance, distance / true + noise, confidence=0.9)
        plane = plane_wave(place, place @ [0.6, 0.8] / true + noise, confidence=0.9)
        held += [radial.low <= true <= radial.high, plane.low <= true <= plane.high]
    return [
        _row(
            f"share of 90 % intervals that hold the speed, {name} wave, 25 noisy onsets",
            float(share),
            0.9,
            (0.09 / cases) ** 0.5,
            "definition of the interval",
        )
        for name, share in zip(("radial", "plane"), held / cases, strict=True)
    ]
