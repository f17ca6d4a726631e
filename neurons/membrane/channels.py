"""Kinetics of the voltage-gated channels, a table of functions.

A channel of density g lets through ``g a^power b (v - reversal)`` with gates
``da/dt = (steady(v) - a) / tau(v)``. Calcium channels and what calcium drives are left out: they
are slow, and nodes have none.

The Blue Brain channels (Markram 2015, doi:10.1016/j.cell.2015.09.029; Hay 2011,
doi:10.1371/journal.pcbi.1002107) give sodium, K_Pst, K_Tst and Im at 21 °C with a factor of 2.3 for
10 °C; SKv3_1 and Ih have none. `TEMPERATURE` is that of the Aberra 2018 cells
(doi:10.1088/1741-2552/aadbb1). The squid's channels are those of 6.3 °C with a factor of 3: at
37 °C they carry no spike. Those of unmyelinated mammalian axons (RA_…, Rattay & Aberham 1993,
doi:10.1109/10.250575; SU_…, Sundt 2015, doi:10.1152/jn.00226.2015) are for 37 °C, as in PyFibers
0.13.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from rheobase.neurons.gating import transition_rate
from rheobase.neurons.morphology import Floats

TEMPERATURE = 37.0  # °C
Kinetics = Callable[[Floats], tuple[Floats, Floats]]
"""Steady state (1) and time constant (ms) at potentials (mV), at the reference temperature."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Channel:
    """One kind of channel.

    Parameters
    ----------
    name
        As in ``data/membranes.csv``.
    reversal
        Potential at which its current turns (V).
    power
        Exponent of the first gate, 1 to 4; that of the second is 1.
    gates
        Kinetics of the first gate, and of the second where there is one.
    q10
        Factor of the rates for 10 °C over the reference temperature (°C).
    source
        Author and year.
    """

    name: str
    reversal: float
    power: int
    gates: tuple[Kinetics, ...]
    q10: float
    reference_temperature: float
    source: str

    def kinetics(
        self, v: ArrayLike, temperature: float = TEMPERATURE
    ) -> tuple[tuple[Floats, Floats], ...]:
        """Return steady state (1) and time constant (s) of each gate at potentials ``v`` (V)."""
        factor = self.q10 ** ((temperature - self.reference_temperature) / 10.0)
        mV = np.asarray(v, dtype=np.float64) * 1e3
        values = (gate(mV) for gate in self.gates)
        return tuple((steady, tau * (1e-3 / factor)) for steady, tau in values)


def _linear(v: Floats, A: float, half: float, slope: float) -> Floats:
    """Return A (v - half) / (1 - exp(-(v - half) / slope))."""
    return transition_rate(v, form="linear", A=A, B=-half, C=slope)


def _sigmoid(v: Floats, half: float, slope: float) -> Floats:
    return transition_rate(v, form="sigmoid", A=1.0, B=-half, C=slope)


def _of_rates(opening: Floats, closing: Floats) -> tuple[Floats, Floats]:
    tau = 1.0 / (opening + closing)
    return opening * tau, tau


def _sodium_rates(v: Floats, half: float) -> tuple[Floats, Floats]:
    return _linear(v, 0.182, half, 6.0), _linear(v, -0.124, half, -6.0)


def _sodium_m(half: float) -> Kinetics:
    return lambda v: _of_rates(*_sodium_rates(v, half))


def _sodium_h(half: float) -> Kinetics:
    return lambda v: _of_rates(_linear(v, -0.015, half, -6.0), _linear(v, 0.015, half, 6.0))


def _persistent_m(v: Floats) -> tuple[Floats, Floats]:
    opening, closing = _sodium_rates(v, -38.0)
    return _sigmoid(v, -52.6, 4.6), 6.0 / (opening + closing)


def _persistent_h(v: Floats) -> tuple[Floats, Floats]:
    rates = _linear(v, -2.88e-6, -17.0, -4.63) + _linear(v, 6.94e-6, -64.4, 2.63)
    return _sigmoid(v, -48.8, -10.0), 1.0 / rates


def _slow_potassium_m(v: Floats) -> tuple[Floats, Floats]:
    rising = 175.03 * np.exp(0.026 * np.minimum(v + 10.0, -50.0))
    falling = 13.0 * np.exp(-0.026 * np.maximum(v + 10.0, -50.0))
    return _sigmoid(v, -11.0, 12.0), 1.25 + np.where(v < -60.0, rising, falling)


def _slow_potassium_h(v: Floats) -> tuple[Floats, Floats]:
    bell = np.exp(-(((v + 85.0) / 48.0) ** 2))
    return _sigmoid(v, -64.0, -11.0), 360.0 + (1010.0 + 24.0 * (v + 65.0)) * bell


def _fast_potassium_m(v: Floats) -> tuple[Floats, Floats]:
    return _sigmoid(v, -10.0, 19.0), 0.34 + 0.92 * np.exp(-(((v + 81.0) / 59.0) ** 2))


def _fast_potassium_h(v: Floats) -> tuple[Floats, Floats]:
    return _sigmoid(v, -76.0, -10.0), 8.0 + 49.0 * np.exp(-(((v + 83.0) / 23.0) ** 2))


def _shaw(v: Floats) -> tuple[Floats, Floats]:
    return _sigmoid(v, 18.7, 9.7), 4.0 * _sigmoid(v, -46.56, 44.14)


def _muscarinic(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(3.3e-3 * np.exp(0.1 * (v + 35.0)), 3.3e-3 * np.exp(-0.1 * (v + 35.0)))


def _cation(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(_linear(v, -6.43e-3, -154.9, -11.9), 0.193 * np.exp(v / 33.1))


def _squid_m(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(_linear(v, 0.1, -40.0, 10.0), 4.0 * np.exp(-(v + 65.0) / 18.0))


def _squid_h(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(0.07 * np.exp(-(v + 65.0) / 20.0), _sigmoid(v, -35.0, 10.0))


def _squid_n(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(_linear(v, 0.01, -55.0, 10.0), 0.125 * np.exp(-(v + 65.0) / 80.0))


def _at_minus_70(gate: Kinetics) -> Kinetics:
    """Return a gate of the squid for a membrane that rests 5 mV lower."""
    return lambda v: gate(v + 5.0)


def _traub_m(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(_linear(v, 0.32, -45.9, 4.0), _linear(v, -0.28, -18.9, -5.0))


def _traub_h(v: Floats) -> tuple[Floats, Floats]:
    return _of_rates(0.128 * np.exp(-(v + 54.0) / 18.0), 4.0 * _sigmoid(v, -31.0, 5.0))


def _borg_graham(rate: float, charge: float, half: float, share: float) -> Kinetics:
    """Return a gate by the elementary charges that move with it, at `TEMPERATURE`."""
    steepness = charge * 96.48 / (8.315 * (273.16 + TEMPERATURE))  # 1/mV

    def gate(v: Floats) -> tuple[Floats, Floats]:
        x = steepness * (v - half)
        steady = 1.0 / (1.0 + np.exp(x))
        return steady, np.exp(share * x) * steady / rate

    return gate


def _channel(
    name: str,
    reversal: float,
    power: int,
    gates: tuple[Kinetics, ...],
    source: str,
    q10: float = 2.3,
    reference_temperature: float = 21.0,
) -> Channel:
    return Channel(
        name=name,
        reversal=reversal,
        power=power,
        gates=gates,
        q10=q10,
        reference_temperature=reference_temperature,
        source=source,
    )


_NA, _K, _H = 50e-3, -85e-3, -45e-3  # V, of the Blue Brain cells
_SQUID_NA, _SQUID_K = 50e-3, -77e-3
_SQUID = 3.0, 6.3  # factor for 10 °C, and over which temperature
_TWELVE = 12.0 ** (10 / (37.0 - 6.3)), 6.3  # 12 times the squid's rates at 37 °C

CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        c.name: c
        for c in (
            _channel(
                "NaTa_t", _NA, 3, (_sodium_m(-38.0), _sodium_h(-66.0)), "Colbert and Pan 2002"
            ),
            _channel(
                "NaTs2_t",
                _NA,
                3,
                (_sodium_m(-32.0), _sodium_h(-60.0)),
                "Colbert and Pan 2002, moved by 6 mV",
            ),
            _channel(
                "Nap_Et2", _NA, 3, (_persistent_m, _persistent_h), "Magistretti and Alonso 1999"
            ),
            _channel(
                "K_Pst", _K, 2, (_slow_potassium_m, _slow_potassium_h), "Korngreen and Sakmann 2000"
            ),
            _channel(
                "K_Tst", _K, 4, (_fast_potassium_m, _fast_potassium_h), "Korngreen and Sakmann 2000"
            ),
            _channel("SKv3_1", _K, 1, (_shaw,), "Rettig 1992", 1.0),
            _channel("Im", _K, 1, (_muscarinic,), "Adams 1982"),
            _channel("Ih", _H, 1, (_cation,), "Kole 2006", 1.0),
            _channel(
                "HH_Na", _SQUID_NA, 3, (_squid_m, _squid_h), "Hodgkin and Huxley 1952", *_SQUID
            ),
            _channel("HH_K", _SQUID_K, 4, (_squid_n,), "Hodgkin and Huxley 1952", *_SQUID),
            _channel(
                "RA_Na",
                45e-3,
                3,
                (_at_minus_70(_squid_m), _at_minus_70(_squid_h)),
                "Rattay and Aberham 1993",
                *_TWELVE,
            ),
            _channel(
                "RA_K", -82e-3, 4, (_at_minus_70(_squid_n),), "Rattay and Aberham 1993", *_TWELVE
            ),
            _channel(
                "SU_Na",
                50e-3,
                3,
                (_traub_m, _traub_h),
                "Traub and Miles 1991, shifted as in Sundt 2015",
                3.0,
                30.0,
            ),
            _channel(
                "SU_K",
                -90e-3,
                3,
                (_borg_graham(0.03, -5.0, -32.0, 0.4), _borg_graham(1e-3, 2.0, -61.0, 1.0)),
                "Borg-Graham 1987, as in Sundt 2015",
                3.0,
                30.0,
            ),
        )
    }
)
