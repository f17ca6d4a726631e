"""Order of the full simulation in the length of compartments; that in time is in the unit tests."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.membrane import circuit
from rheobase.neurons.spiking import simulate


@pytest.mark.convergence
def test_a_spike_travels_with_an_error_that_falls_with_the_square_of_the_length() -> None:
    def travel(count: int) -> float:
        of = circuit(bare_fibre(4e-3, 1e-6, count), "hodgkin_huxley")
        into = np.zeros(count)
        into[: count // 40] = 40.0 / count  # a current into the first tenth of a millimetre
        seen = [round(0.35 * count), round(0.75 * count)]  # the first beyond each place
        t, v = simulate(
            of, into, 0.2e-3, 2e-9, 12e-3, dt=10e-6, record=[c for s in seen for c in (s - 1, s)],
            temperature=18.5,
        )  # fmt: skip
        passed = []
        for k in (0, 2):
            at = 0.5 * (v[:, k] + v[:, k + 1])  # the face between two compartments
            up = int(np.argmax(at > 0))
            passed.append(float(np.interp(0.0, at[up - 1 : up + 1], t[up - 1 : up + 1])))
        return passed[1] - passed[0]

    coarse, fine, finest = (travel(n) for n in (120, 240, 480))
    assert np.log2((coarse - fine) / (fine - finest)) == pytest.approx(2.0, abs=0.4)
