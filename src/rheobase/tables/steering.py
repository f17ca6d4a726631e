"""What every contact of a lead does, in one line: ``2:-2mA, 3:-1mA, case``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rheobase._errors import InputError, check_option

if TYPE_CHECKING:
    from rheobase.fields.dbs.steering.steer import Control

CASE, OFF, FLOAT = "case", "off", "float"
UNITS = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6, "V": 1.0, "mV": 1e-3}
MOST = {"A": 0.1, "V": 100.0}  # more is a slip of the unit, not a stimulator
VALUE = re.compile(r"([+\-−]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Zµ]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the contacts of a lead do; those that are not named float.

    Parameters
    ----------
    currents
        Current out of the contact (A), by contact.
    voltages
        Voltage (V), by contact.
    off
        Contacts that are insulated.
    case
        Whether the case takes part, or the current (A) out of it.
    """

    currents: Mapping[str, float] = field(default_factory=dict)
    voltages: Mapping[str, float] = field(default_factory=dict)
    off: tuple[str, ...] = ()
    case: bool | float = False

    def control(self, contacts: Sequence[str]) -> Control:
        """Return it for a lead with these contacts.

        Raises
        ------
        InputError
            If the lead has no such contact, or the currents do not sum to 0 with the case.
        """
        from rheobase.fields.dbs.steering.steer import control

        for name in self.off:
            check_option("contact", name, contacts, where="steering")
        return control(
            [c for c in contacts if c not in self.off],
            self.currents,
            voltages=self.voltages,
            case=self.case,
            insulated=self.off,
        )


def parse_steering(text: str) -> Setting:
    """Return what a line says that contacts do.

    Parameters
    ----------
    text
        Parts with commas between them: a contact and its current or voltage (``2:-2mA``,
        ``3:1.5V``; negative is cathodic), ``4:float`` (as if it were not named), ``4:off``
        (insulated), and ``case``: it takes the rest of the currents and is what voltages are
        against; ``case:+2mA`` where its current is to be checked. Without a case currents go from
        contact to contact.

    Raises
    ------
    InputError
        If a part is none of these, or a contact comes twice.

    Examples
    --------
    >>> parse_steering("2:-2mA, 3:-1mA, case")
    Setting(currents={'2': -0.002, '3': -0.001}, voltages={}, off=(), case=True)
    """
    currents: dict[str, float] = {}
    voltages: dict[str, float] = {}
    states: dict[str, str] = {}
    case: bool | float = False
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, colon, value = (p.strip() for p in part.partition(":"))
        if name in {*currents, *voltages, *states} or (name == CASE and case is not False):
            raise InputError(f"{name!r} comes twice in {text!r}: steering")
        if name == CASE and not colon:
            case = True
        elif value in {OFF, FLOAT} and name != CASE:
            states[name] = value
        else:
            number, unit = _value(part, value)
            if name == CASE and unit == "V":
                raise InputError(f"the case is what voltages are against, got {part!r}: steering")
            if name == CASE:
                case = number
            else:
                (voltages if unit == "V" else currents)[name] = number
    off = tuple(name for name, state in states.items() if state == OFF)
    return Setting(currents=currents, voltages=voltages, off=off, case=case)


def _value(part: str, value: str) -> tuple[float, str]:
    """Return a number in A or V, and which of the two."""
    found = VALUE.fullmatch(value)
    if found is None or found[2] not in UNITS:
        raise InputError(
            "expected contact:current or contact:voltage (2:-2mA, 3:1.5V), contact:off, "
            f"contact:float or case, got {part!r}: steering"
        )
    unit = found[2][-1]
    number = float(found[1].replace("−", "-")) * UNITS[found[2]]
    if abs(number) > MOST[unit]:
        raise InputError(f"expected at most {MOST[unit]:g} {unit}, got {part!r}: steering")
    return number, unit
