"""The reference of Rallpack 3: the same axon integrated by SciPy's LSODA to 1e-9.

    python benchmarks/rallpack_axon.py > validation/data/rallpack_axon.toml

It shares the compartments with the package, and the formulas of Hodgkin and Huxley, written anew;
neither its scheme, its tables nor its tree solve. Takes a minute of CPU.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

COUNT, LENGTH, DIAMETER = 1000, 1e-3, 1e-6
CURRENT, DURATION = 0.1e-9, 0.25  # A, s
RHO, CM, GL, EL = 1.0, 0.01, 0.25, -65.0  # ohm m, F/m², S/m², mV
GNA, ENA, GK, EK = 1200.0, 50.0, 360.0, -77.0


def linear(x: np.ndarray, k: float) -> np.ndarray:
    """Return x / (1 - exp(-x / k))."""
    small = np.abs(x) < 1e-7
    safe = np.where(small, 1.0, x)
    return np.where(small, k + 0.5 * x, safe / -np.expm1(-safe / k))


def rates(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return opening and closing rates (1/ms) of m, h, n, shape (3, COUNT)."""
    opening = np.stack(
        [0.1 * linear(v + 40, 10), 0.07 * np.exp(-(v + 65) / 20), 0.01 * linear(v + 55, 10)]
    )
    closing = np.stack(
        [
            4 * np.exp(-(v + 65) / 18),
            1 / (1 + np.exp(-(v + 35) / 10)),
            0.125 * np.exp(-(v + 65) / 80),
        ]
    )
    return opening, closing


def main() -> None:
    """Integrate, and print when both ends cross 0 mV and how high they go."""
    h = LENGTH / COUNT
    area = np.pi * DIAMETER * h
    joint = np.pi * DIAMETER**2 / 4 / (RHO * h) / (CM * area)  # 1/s
    injected = CURRENT / (CM * area)  # V/s, or mV/ms

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        v, m, hh, n = y.reshape(COUNT, 4).T
        out = np.empty((COUNT, 4))
        current = GNA * m**3 * hh * (v - ENA) + GK * n**4 * (v - EK) + GL * (v - EL)
        flow = joint * np.diff(v) * 1e-3
        dv = -current / CM * 1e-3
        dv[:-1] += flow
        dv[1:] -= flow
        dv[0] += injected
        opening, closing = rates(v)
        out[:, 0] = dv
        out[:, 1:] = (opening * (1 - np.stack([m, hh, n])) - closing * np.stack([m, hh, n])).T
        return out.ravel()

    start = np.full(COUNT, -65.0)
    opening, closing = rates(start)
    y = np.column_stack([start, (opening / (opening + closing)).T]).ravel()
    ends = [lambda t, y, i=i: y[i] for i in (0, 4 * (COUNT - 1))]
    tops = [lambda t, y, i=i: slope(t, y)[i] for i in (0, 4 * (COUNT - 1))]
    for e in ends:
        e.direction = 1.0
    for e in tops:
        e.direction = -1.0
    got = solve_ivp(
        slope,
        (0, DURATION * 1e3),
        y,
        method="LSODA",
        rtol=1e-9,
        atol=1e-9,
        lband=4,
        uband=4,
        events=ends + tops,
    )
    print('source = "own reference: SciPy LSODA, tolerance 1e-9 (benchmarks/rallpack_axon.py)"')
    print('status = "computed"')
    for name, k in (("near", 0), ("far", 1)):
        crossings = ", ".join(f"{x:.6f}" for x in got.t_events[k])
        peaks = got.y_events[2 + k]
        where = 4 * (COUNT - 1) * k
        high = ", ".join(f"{p[where]:.5f}" for p in peaks if p[where] > -20)
        print(f"{name}_crossings_ms = [{crossings}]")
        print(f"{name}_peaks_mV = [{high}]")


if __name__ == "__main__":
    main()
