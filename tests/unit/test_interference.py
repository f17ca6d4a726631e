"""Temporal interference: two fields in closed form, more against searches and the signal itself."""

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.interference import Carriers, carrier_max, envelope_along, envelope_max
from rheobase.fields.waveforms.shapes import two_carriers
from rheobase.validation.interference import CASES, blind_search


def test_envelope_has_the_factor_two() -> None:
    E1 = np.array([[1.0, 0, 0]] * 5)
    E2 = np.array([[0.5, 0, 0], [0, 1, 0], [0.8, 0.6, 0], [-0.5, 0.5, 0], [1, 0, 0]])
    expected = [1.0, 2**0.5, 3.6**0.5, 2**0.5, 2.0]
    assert envelope_max([E1, E2]) == pytest.approx(expected, rel=1e-12)
    assert envelope_max([E2, E1]) == pytest.approx(expected, rel=1e-12)
    assert envelope_along([E1, E2], [2.0, 0, 0]) == pytest.approx([1, 0, 1.6, 1, 2])
    assert envelope_max([np.zeros(3), E1[0]]) == 0.0


def test_envelope_is_that_of_the_two_carriers() -> None:
    E1, E2, n = np.array([1.0, 0.2, 0]), np.array([0.4, -0.5, 0.3]), np.array([0.6, 0.8, 0.0])
    first, second = two_carriers((2000.0, 2010.0), dt=1e-6)
    along = (E1 @ n) * first.w + (E2 @ n) * second.w
    ends = [np.abs(along[abs(first.t - t) < 1e-3]).max() for t in (0.0, 0.05)]
    assert abs(ends[0] - ends[1]) == pytest.approx(envelope_along([E1, E2], n), rel=1e-2)


@pytest.mark.parametrize(("name", "carriers"), CASES, ids=[name for name, _ in CASES])
def test_many_carriers_against_a_blind_search(name: str, carriers: Carriers) -> None:
    E = np.random.default_rng(len(name)).normal(size=(len(carriers.frequencies), 4, 3))
    largest = envelope_max(E, carriers)
    assert largest == pytest.approx(blind_search(E, carriers), rel=1e-4)
    tried = np.random.default_rng(1).normal(size=(500, 4, 3))
    some = envelope_along(np.broadcast_to(E[:, None], (len(E), *tried.shape)), tried, carriers)
    assert (some <= largest * (1 + 1e-7)).all()
    assert (largest <= carrier_max(E, carriers)).all()


@pytest.mark.parametrize(
    "carriers",
    [
        Carriers(frequencies=(2000.0, 2010.0, 2030.0), phases=(0.3, 1.0, 2.5)),
        Carriers(frequencies=(2000.0, 2010.0, 2010.0), phases=(0.0, 0.0, 1.0)),
    ],
)
def test_the_envelope_of_a_band_is_that_of_the_signal(carriers: Carriers) -> None:
    from scipy.signal import hilbert

    generator = np.random.default_rng(3)
    E, n = generator.normal(size=(3, 3)), generator.normal(size=3)
    n /= np.linalg.norm(n)
    t = np.arange(100_000) / 1e6  # a beat of 10 Hz, whole periods of every carrier
    f = np.array(carriers.frequencies)[:, None]
    signal = (E @ n) @ np.cos(2 * np.pi * f * t + carriers.phase[:, None])
    envelope = np.abs(hilbert(signal))
    depth = envelope.max() - envelope.min()
    assert envelope_along(E, n, carriers) == pytest.approx(depth, rel=1e-4)
    assert envelope.max() <= carrier_max(E, carriers) * (1 + 1e-9)


def test_bands_add_their_powers() -> None:
    carriers = Carriers(frequencies=(1000.0, 1010.0, 4000.0, 4010.0))
    E, n = np.random.default_rng(4).normal(size=(4, 3)), np.array([0.0, 0.0, 1.0])
    t = np.arange(100_000) / 1e6
    f = np.array(carriers.frequencies)[:, None]
    square = 2 * ((E @ n) @ np.cos(2 * np.pi * f * t)) ** 2
    spectrum = np.fft.rfft(square)
    spectrum[np.fft.rfftfreq(len(t), t[1]) > 100] = 0
    envelope = np.sqrt(np.fft.irfft(spectrum, len(t)))
    depth = envelope.max() - envelope.min()
    assert envelope_along(E, n, carriers) == pytest.approx(depth, rel=1e-6)


def test_pairs_at_two_frequencies_are_two_fields() -> None:
    E = np.random.default_rng(5).normal(size=(2, 30, 3))
    four = np.stack([0.3 * E[0], 0.7 * E[0], -2.0 * E[1], 3.0 * E[1]])
    carriers = Carriers(frequencies=(2000.0, 2000.0, 2010.0, 2010.0))
    assert envelope_max(four, carriers) == pytest.approx(envelope_max(E), rel=1e-12)
    opposed = Carriers(frequencies=(2000.0, 2010.0, 2010.0), phases=(0.0, 0.0, np.pi))
    three = np.stack([E[0], 3 * E[1], 2 * E[1]])
    assert envelope_max(three, opposed) == pytest.approx(envelope_max(E), rel=1e-12)
    # the search agrees with the closed form where both apply
    turned = Carriers(frequencies=(2000.0, 2000.0, 2010.0), phases=(0.0, 1e-6, 0.0))
    assert envelope_max([E[0] / 2, E[0] / 2, E[1]], turned) == pytest.approx(
        envelope_max(E), rel=2e-6
    )


def test_carriers() -> None:
    c = Carriers(frequencies=(2030.0, 1000.0, 2000.0, 1010.5))
    assert c.band.tolist() == [1, 0, 1, 0]
    assert c.order.tolist() == [20, 0, 0, 7]
    assert c.beat == pytest.approx(1.5)
    for bad, match in (
        ({"frequencies": (1000.0,)}, "two frequencies within"),
        ({"frequencies": (1000.0, 3000.0)}, "two frequencies within 500 Hz"),
        ({"frequencies": (1000.0, -1.0)}, "> 0 Hz"),
        ({"frequencies": (1000.0, 1010.0), "phases": (0.0,)}, "one phase for each of 2"),
        ({"frequencies": (1000.0, 1010.0), "fastest_beat": 0.0}, "fastest_beat"),
        ({"frequencies": (1000.0, 1010.0, 1023.7)}, "repeats within 64"),
    ):
        with pytest.raises(InputError, match=match):
            Carriers(**bad)


def test_what_does_not_fit() -> None:
    E = np.ones((3, 4, 3))
    with pytest.raises(InputError, match="only two need none"):
        envelope_max(E)
    with pytest.raises(InputError, match="a field for each of 2"):
        envelope_max(E, Carriers(frequencies=(1000.0, 1010.0)))
    with pytest.raises(InputError, match="shape"):
        envelope_max(np.ones((2, 2)))
    with pytest.raises(InputError, match="finite"):
        envelope_max(E[:2] * np.nan)
    with pytest.raises(InputError, match="length 0"):
        envelope_along(E[:2], [0, 0, 0])
    with pytest.raises(InputError, match="one direction, or one for each"):
        envelope_along(E[:2], np.ones((3, 3)))
