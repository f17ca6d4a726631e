"""The channels of the exported membranes as NMODL files, written from their published equations.

Each gate is given by its steady state and time constant as expressions of the potential v (mV) in
NMODL's own syntax, with two helpers: ``linoid(x, k) = x / (1 - exp(-x / k))`` and
``either(x, a, b)``, a below x = 0 and b above. A second transcription beside
`rheobase.neurons.membrane`, on purpose: a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REFERENCE = 21.0  # temperature of the measured rates (deg C)
Q10 = 2.3
TWELVE = 12.0 ** (10 / 30.7)  # 12 times the squid's rates from 6.3 to 37 deg C


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One gate: its name, its power in the conductance, steady state (1) and time constant (ms)."""

    name: str
    power: int
    inf: str
    tau: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mechanism:
    """One channel.

    Parameters
    ----------
    gates
        Its gates; the conductance is the density times the product of their powers.
    ion
        "na" or "k"; "" carries a mixed current with a reversal potential of its own.
    q10, reference
        Factor of the rates for 10 deg C, and the temperature they are given for (deg C).
    source
        Where the kinetics come from.
    """

    gates: tuple[Gate, ...]
    ion: str
    source: str
    q10: float = 1.0
    reference: float = REFERENCE


def _two_rates(name: str, power: int, alpha: str, beta: str) -> Gate:
    total = f"({alpha} + {beta})"
    return Gate(name=name, power=power, inf=f"{alpha} / {total}", tau=f"1 / {total}")


def _charged(name: str, power: int, rate: float, charge: int, half: int, share: float) -> Gate:
    """Borg-Graham 1987: a gate by its charge (e), 26.73 mV being that of heat at 37 deg C."""
    x = f"{charge} * (v + {half}) / {8.315 * 310.16 / 96.48:.12g}"
    return Gate(
        name=name,
        power=power,
        inf=f"1 / (1 + exp({x}))",
        tau=f"exp({share} * {x}) / ({rate} * (1 + exp({x})))",
    )


def _transient_sodium(shift: int) -> tuple[Gate, ...]:
    """Colbert & Pan 2002, m³h, with both gates ``shift`` mV to the right."""
    m, h = 38 - shift, 66 - shift
    return (
        _two_rates("m", 3, f"0.182 * linoid(v + {m}, 6)", f"0.124 * linoid(-(v + {m}), 6)"),
        _two_rates("h", 1, f"0.015 * linoid(-(v + {h}), 6)", f"0.015 * linoid(v + {h}, 6)"),
    )


_SLOW_K = "Korngreen & Sakmann 2000, 10 mV to the left for the junction potential"

MECHANISMS: Mapping[str, Mechanism] = MappingProxyType(
    {
        "NaTa_t": Mechanism(
            gates=_transient_sodium(0), ion="na", q10=Q10, source="Colbert & Pan 2002"
        ),
        "NaTs2_t": Mechanism(
            gates=_transient_sodium(6),
            ion="na",
            q10=Q10,
            source="Colbert & Pan 2002, 6 mV to the right",
        ),
        "Nap_Et2": Mechanism(
            gates=(
                Gate(
                    name="m",
                    power=3,
                    inf="1 / (1 + exp(-(v + 52.6) / 4.6))",
                    tau="6 / (0.182 * linoid(v + 38, 6) + 0.124 * linoid(-(v + 38), 6))",
                ),
                Gate(
                    name="h",
                    power=1,
                    inf="1 / (1 + exp((v + 48.8) / 10))",
                    tau="1 / (2.88e-6 * linoid(-(v + 17), 4.63)"
                    " + 6.94e-6 * linoid(v + 64.4, 2.63))",
                ),
            ),
            ion="na",
            q10=Q10,
            source="Magistretti & Alonso 1999",
        ),
        "K_Pst": Mechanism(
            gates=(
                Gate(
                    name="m",
                    power=2,
                    inf="1 / (1 + exp(-(v + 11) / 12))",
                    tau="1.25 + either(v + 60,"
                    " 175.03 * exp(0.026 * (v + 10)), 13 * exp(-0.026 * (v + 10)))",
                ),
                Gate(
                    name="h",
                    power=1,
                    inf="1 / (1 + exp((v + 64) / 11))",
                    tau="360 + (1010 + 24 * (v + 65)) * exp(-((v + 85) / 48)^2)",
                ),
            ),
            ion="k",
            q10=Q10,
            source=_SLOW_K,
        ),
        "K_Tst": Mechanism(
            gates=(
                Gate(
                    name="m",
                    power=4,
                    inf="1 / (1 + exp(-(v + 10) / 19))",
                    tau="0.34 + 0.92 * exp(-((v + 81) / 59)^2)",
                ),
                Gate(
                    name="h",
                    power=1,
                    inf="1 / (1 + exp((v + 76) / 10))",
                    tau="8 + 49 * exp(-((v + 83) / 23)^2)",
                ),
            ),
            ion="k",
            q10=Q10,
            source=_SLOW_K,
        ),
        "SKv3_1": Mechanism(
            gates=(
                Gate(
                    name="m",
                    power=1,
                    inf="1 / (1 + exp(-(v - 18.7) / 9.7))",
                    tau="4 / (1 + exp(-(v + 46.56) / 44.14))",
                ),
            ),
            ion="k",
            source="Rettig 1992",
        ),
        "Im": Mechanism(
            gates=(
                _two_rates("m", 1, "3.3e-3 * exp(0.1 * (v + 35))", "3.3e-3 * exp(-0.1 * (v + 35))"),
            ),
            ion="k",
            q10=Q10,
            source="Adams 1982",
        ),
        "HH_Na": Mechanism(
            gates=(
                _two_rates("m", 3, "0.1 * linoid(v + 40, 10)", "4 * exp(-(v + 65) / 18)"),
                _two_rates("h", 1, "0.07 * exp(-(v + 65) / 20)", "1 / (1 + exp(-(v + 35) / 10))"),
            ),
            ion="na",
            q10=3.0,
            reference=6.3,
            source="Hodgkin & Huxley 1952, rest at -65 mV",
        ),
        "HH_K": Mechanism(
            gates=(_two_rates("n", 4, "0.01 * linoid(v + 55, 10)", "0.125 * exp(-(v + 65) / 80)"),),
            ion="k",
            q10=3.0,
            reference=6.3,
            source="Hodgkin & Huxley 1952, rest at -65 mV",
        ),
        "RA_Na": Mechanism(
            gates=(
                _two_rates("m", 3, "0.1 * linoid(v + 45, 10)", "4 * exp(-(v + 70) / 18)"),
                _two_rates("h", 1, "0.07 * exp(-(v + 70) / 20)", "1 / (1 + exp(-(v + 40) / 10))"),
            ),
            ion="na",
            q10=TWELVE,
            reference=6.3,
            source="Rattay & Aberham 1993",
        ),
        "RA_K": Mechanism(
            gates=(_two_rates("n", 4, "0.01 * linoid(v + 60, 10)", "0.125 * exp(-(v + 70) / 80)"),),
            ion="k",
            q10=TWELVE,
            reference=6.3,
            source="Rattay & Aberham 1993",
        ),
        "SU_Na": Mechanism(
            gates=(
                _two_rates("m", 3, "0.32 * linoid(v + 45.9, 4)", "0.28 * linoid(-(v + 18.9), 5)"),
                _two_rates("h", 1, "0.128 * exp(-(v + 54) / 18)", "4 / (1 + exp(-(v + 31) / 5))"),
            ),
            ion="na",
            q10=3.0,
            reference=30.0,
            source="Traub & Miles 1991, shifted as in Sundt 2015",
        ),
        "SU_K": Mechanism(
            gates=(_charged("n", 3, 0.03, -5, 32, 0.4), _charged("l", 1, 0.001, 2, 61, 1.0)),
            ion="k",
            q10=3.0,
            reference=30.0,
            source="Borg-Graham 1987, as in Sundt 2015; steepness at 37 deg C",
        ),
        "Ih": Mechanism(
            gates=(
                _two_rates("m", 1, "6.43e-3 * linoid(-(v + 154.9), 11.9)", "0.193 * exp(v / 33.1)"),
            ),
            ion="",
            source="Kole, Hallermann & Stuart 2006",
        ),
    }
)

_HELPERS = """
FUNCTION linoid(x, k) {
    if (fabs(x / k) < 1e-5) {
        linoid = k + x / 2
    } else {
        linoid = x / (1 - exp(-x / k))
    }
}

FUNCTION either(x, a, b) {
    if (x < 0) {
        either = a
    } else {
        either = b
    }
}
"""

OUTSIDE = """: The potential outside: e_extracellular = amplitude * potential.

NEURON {
    SUFFIX outside
    RANGE potential
    GLOBAL amplitude
    POINTER e
}

PARAMETER {
    potential = 0 (mV)
    amplitude = 0 (1)
}

ASSIGNED { e (mV) }

INITIAL { e = amplitude * potential }

BEFORE BREAKPOINT { e = amplitude * potential }
"""


def mod_text(name: str) -> str:
    """Return the NMODL file of the channel ``name``, whose density is ``gbar`` (S/cm2)."""
    m = MECHANISMS[name]
    current = f"i{m.ion}" if m.ion else "i"
    reversal = f"e{m.ion}" if m.ion else "e"
    uses = (
        f"USEION {m.ion} READ {reversal} WRITE {current}"
        if m.ion
        else f"NONSPECIFIC_CURRENT {current}\n    RANGE e"
    )
    product = " * ".join(g.name if g.power == 1 else f"{g.name}^{g.power}" for g in m.gates)
    heat = f"{m.q10:.12g}^((celsius - {m.reference:g}) / 10)" if m.q10 != 1 else "1"
    names = [g.name for g in m.gates]
    text = [
        f": {name}: {m.source}. Rates at {m.reference:g} deg C, warmed with Q10 = {m.q10:.4g}."
        if m.q10 != 1
        else f": {name}: {m.source}. Rates do not depend on temperature.",
        "",
        "NEURON {",
        f"    SUFFIX {name}",
        f"    {uses}",
        "    RANGE gbar",
        "}",
        "",
        "UNITS {",
        "    (S) = (siemens)",
        "    (mV) = (millivolt)",
        "    (mA) = (milliamp)",
        "}",
        "",
        "PARAMETER {",
        "    gbar = 0 (S/cm2)",
        *(() if m.ion else ("    e = -45 (mV)",)),
        "}",
        "",
        "ASSIGNED {",
        "    v (mV)",
        "    celsius (degC)",
        f"    {current} (mA/cm2)",
        *((f"    {reversal} (mV)",) if m.ion else ()),
        *(f"    {n}inf\n    {n}tau (ms)" for n in names),
        "}",
        "",
        f"STATE {{ {' '.join(names)} }}",
        "",
        "BREAKPOINT {",
        "    SOLVE states METHOD cnexp",
        f"    {current} = gbar * {product} * (v - {reversal})",
        "}",
        "",
        "INITIAL {",
        "    rates()",
        *(f"    {n} = {n}inf" for n in names),
        "}",
        "",
        "DERIVATIVE states {",
        "    rates()",
        *(f"    {n}' = ({n}inf - {n}) / {n}tau" for n in names),
        "}",
        "",
        "UNITSOFF",
        "",
        "PROCEDURE rates() {",
        "    LOCAL heat",
        f"    heat = {heat}",
        *(f"    {g.name}inf = {g.inf}\n    {g.name}tau = ({g.tau}) / heat" for g in m.gates),
        "}",
        _HELPERS,
        "UNITSON",
    ]
    return "\n".join(text) + "\n"
