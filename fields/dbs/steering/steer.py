"""Any steering of a lead from its unit responses: currents, voltages, impedances, charge.

A unit response is the field of 1 A out of one contact and back at the case, the other contacts
floating. With Z the potentials of the contacts per unit current (N, N), any steering obeys

    V = Z I + c,    sum I + I_case = 0,

with a case at 0 V (c = 0), or without one: then I_case = 0 and c is what the potentials float by.
A contact has its current given, its voltage given, or floats (I = 0: its metal still conducts).
What is given picks N rows, or N + 1 with c, of a small linear system.

Currents are positive out of the contact into the tissue: an anode has a positive one, a cathode a
negative one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import isfinite
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive

if TYPE_CHECKING:
    from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]
Values = Mapping[str, float] | Mapping[int, float]

CLOSED = 1e-6  # of the current of all contacts; what their sum may be off


class UnitResponses(Protocol):
    """What a steering needs of the solved lead."""

    @property
    def lead(self) -> Lead:
        """Return the lead in the head."""
        ...

    @property
    def contacts(self) -> Sequence[str]:
        """Return the names of the N contacts that have a response, from the tip."""
        ...

    @property
    def insulated(self) -> Sequence[str]:
        """Return the contacts that were solved for as insulators."""
        ...

    @property
    def layer(self) -> float:
        """Return the thickness of the encapsulation (m), 0 without one."""
        ...

    @property
    def areas(self) -> Floats:
        """Return the area of each contact (m²), shape (N,)."""
        ...

    @property
    def Z(self) -> Floats:
        """Return the potential of each contact (row) per current of each (ohm), shape (N, N)."""
        ...

    def potential(self, points: ArrayLike) -> Floats:
        """Return potentials (V/A) at points (m), shape (n, 3): (N, n); NaN outside the tissue."""
        ...

    def field(self, points: ArrayLike) -> Floats:
        """Return fields (V/m per A) at points (m), shape (n, 3): (N, n, 3); NaN outside."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Control:
    """What a stimulator does at each contact of a lead.

    Parameters
    ----------
    names
        The contacts, N of them.
    currents
        Currents (A) by place, out of the contact; contacts in neither mapping float.
    voltages
        Voltages (V) by place: against the case, or against each other without one.
    returns
        Whether the case returns current.

    See `control`, which makes one of names and checks it.
    """

    names: tuple[str, ...]
    currents: Mapping[int, float]
    voltages: Mapping[int, float]
    returns: bool

    def solve(self, Z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return currents (A) and voltages (V) of the contacts, shape (..., N) each.

        Parameters
        ----------
        Z
            Impedances (ohm), real or complex, one matrix or many (one a frequency), shape
            (..., N, N).

        Returns
        -------
        currents, voltages
            Without a case and with all currents given the potentials are those against far tissue
            (the grounded boundary), which then carries no net current.
        """
        n = len(self.names)
        held = sorted(self.voltages)
        I = np.zeros((*Z.shape[:-2], n), dtype=Z.dtype)  # noqa: E741
        for k, current in self.currents.items():
            I[..., k] = current
        if held:
            wanted = np.array([self.voltages[k] for k in held])
            rest = wanted - (Z[..., held, :] @ I[..., None])[..., 0]
            A = Z[..., held, :][..., held]
            if self.returns:
                I[..., held] = np.linalg.solve(A, rest[..., None])[..., 0]
            else:
                m = len(held)
                whole = np.zeros((*Z.shape[:-2], m + 1, m + 1), dtype=Z.dtype)
                whole[..., :m, :m] = A
                whole[..., :m, m] = whole[..., m, :m] = 1.0
                right = np.concatenate([rest, -I.sum(axis=-1, keepdims=True)], axis=-1)
                found = np.linalg.solve(whole, right[..., None])[..., 0]
                I[..., held] = found[..., :m]
        return I, (Z @ I[..., None])[..., 0]


def control(
    names: Sequence[str],
    currents: Values | None = None,
    *,
    voltages: Values | None = None,
    case: bool | float = True,
    insulated: Sequence[str] = (),
) -> Control:
    """Return what a stimulator does, checked.

    Parameters
    ----------
    names
        Contacts that have a unit response; an int in a mapping stands for its decimal name.
    currents
        Current of some contacts (A), positive out of the contact.
    voltages
        Voltage of others (V).
    case
        True: the case is at 0 V and returns what is left; False: there is none, and currents sum
        to 0; a number: current out of the case (A), which sums to 0 with all the others.
    insulated
        Contacts that have none.

    Raises
    ------
    InputError
        If a contact is out of range, insulated, has a current and a voltage or comes twice; a value
        is no finite number; nothing is driven; currents do not sum to 0 with the case; the current
        of a case is given beside voltages; or voltages do not differ, so that no current flows.

    Examples
    --------
    >>> control(["1", "2", "3", "4"], {2: -2e-3, 3: -1e-3}).currents
    {1: -0.002, 2: -0.001}
    """
    by_current = _placed(currents or {}, "current", "A", names, insulated)
    by_voltage = _placed(voltages or {}, "voltage", "V", names, insulated)
    for k in by_current:
        if k in by_voltage:
            raise InputError(
                f"expected a current or a voltage, got both {by_current[k]:g} A and "
                f"{by_voltage[k]:g} V: contact {names[k]!r}"
            )
    if not any(by_current.values()) and not by_voltage:
        raise InputError(
            "expected a current or voltage of one contact at least, got none: steering"
        )
    asked: object = case
    given = not isinstance(asked, (bool, np.bool_))
    if given and not (isinstance(asked, Real) and isfinite(asked)):
        raise InputError(f"expected True, False or a finite current (A), got {case!r}: case")
    if given and by_voltage:
        raise InputError(
            f"expected case=True or case=False beside voltages, got the current {case:g} A of the "
            "case, which the voltages decide: steering"
        )
    returns = bool(case)
    if not by_voltage and (given or not returns):
        back = float(case) if given else 0.0
        rest = sum(by_current.values()) + back
        if abs(rest) > CLOSED * max(abs(back), *map(abs, by_current.values())):
            told = "with the case's " + f"{back * 1e3:g} mA" if given else "without a case"
            raise InputError(
                f"expected currents that sum to 0 {told}, they leave {rest * 1e3:.6g} mA: steering"
            )
    levels = {*by_voltage.values(), *([0.0] if returns else [])}
    if not any(by_current.values()) and len(levels) < 2:
        back_at = "the 0 V of the case" if returns else "each other, as there is no case"
        raise InputError(
            f"expected voltages that differ from {back_at}, got {levels.pop():g} V alone: steering"
        )
    return Control(names=tuple(names), currents=by_current, voltages=by_voltage, returns=returns)


def _placed(
    values: Mapping[Any, Any],
    what: str,
    unit: str,
    names: Sequence[str],
    insulated: Sequence[str],
) -> dict[int, float]:
    placed: dict[int, float] = {}
    for name, value in values.items():
        text = str(name)
        if text in insulated:
            raise InputError(
                f"expected a contact that conducts, got {text!r}, solved for as an insulator "
                f"({what} {value!r}): steering"
            )
        if text not in names:
            first, last = (names[0], names[-1]) if names else ("", "")
            raise InputError(
                f"expected a contact from {first!r} to {last!r}, got {text!r} ({what} {value!r}): "
                "steering"
            )
        if isinstance(value, bool) or not (isinstance(value, Real) and isfinite(value)):
            raise InputError(f"expected a finite {what} ({unit}), got {value!r}: contact {text!r}")
        k = list(names).index(text)
        if k in placed:
            raise InputError(f"expected one {what} for each contact, got two: contact {text!r}")
        placed[k] = float(value)
    return placed


@dataclass(frozen=True, kw_only=True, eq=False)
class Steering:
    """One setting of a lead.

    Parameters
    ----------
    response
        Unit responses it is a mix of.
    currents
        Current out of each contact (A), shape (N,).
    voltages
        Potential of each contact (V), against the case or, without one, far tissue, shape (N,).
    returns
        Whether there is a case.
    driven
        Whether each contact is driven; the others float, shape (N,).
    """

    response: UnitResponses = field(repr=False)
    currents: Floats
    voltages: Floats
    returns: bool
    driven: NDArray[np.bool_]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the contacts."""
        return tuple(self.response.contacts)

    @property
    def case_current(self) -> float:
        """Current out of the case (A); 0 without one."""
        return -float(self.currents.sum()) if self.returns else 0.0

    @property
    def total(self) -> float:
        """Current that enters the tissue (A), and leaves it."""
        return float((np.abs(self.currents).sum() + abs(self.case_current)) / 2)

    @property
    def power(self) -> float:
        """Power during the pulse (W): sum of V I over the contacts."""
        return float(self.voltages @ self.currents)

    @property
    def impedance(self) -> float:
        """Load of the stimulator (ohm): power / total².

        Of two terminals, or several at one voltage, it is voltage over current; NaN without any.
        """
        return self.power / self.total**2 if self.total else float("nan")

    @property
    def contact_impedance(self) -> Floats:
        """|V / I| of each contact (ohm), NaN of one without current, shape (N,)."""
        out = np.full(len(self.currents), np.nan)
        np.divide(np.abs(self.voltages), np.abs(self.currents), out=out, where=self.currents != 0)
        return out

    def scaled(self, factor: float) -> Steering:
        """Return the setting with all currents and voltages times ``factor``."""
        return Steering(
            response=self.response,
            currents=factor * self.currents,
            voltages=factor * self.voltages,
            returns=self.returns,
            driven=self.driven,
        )

    def field(self, points: ArrayLike) -> Floats:
        """Return the field (V/m) at points (m), shape (n, 3) both; NaN outside the tissue."""
        E: Floats = np.tensordot(self.currents, self.response.field(points), axes=1)
        return E

    def potential(self, points: ArrayLike) -> Floats:
        """Return the potential (V) at points (m), shape (n, 3): (n,); NaN outside the tissue."""
        V: Floats = self.currents @ self.response.potential(points)
        return V

    def safety(self, pulse_width: float) -> Safety:
        """Return the charge of a phase that lasts ``pulse_width`` (s).

        Raises
        ------
        InputError
            If the pulse width is not > 0 s.
        """
        check_positive("pulse_width (s)", pulse_width)
        charge = np.abs(self.currents) * pulse_width
        return Safety(names=self.names, charge=charge, density=charge / self.response.areas)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each contact, and one for the case, for tables and JSON."""
        rows: list[dict[str, Any]] = [
            {
                "contact": name,
                "state": "driven" if driven else "floating",
                "current_mA": 1e3 * current,
                "voltage_V": voltage,
                "impedance_ohm": impedance if isfinite(impedance) else None,
            }
            for name, driven, current, voltage, impedance in zip(
                self.names,
                self.driven.tolist(),
                self.currents.tolist(),
                self.voltages.tolist(),
                self.contact_impedance.tolist(),
                strict=True,
            )
        ]
        rows += [{"contact": n, "state": "insulated"} for n in self.response.insulated]
        if self.returns:
            current = 1e3 * self.case_current
            rows.append(
                {"contact": "case", "state": "return", "current_mA": current, "voltage_V": 0}
            )
        return rows


def steer(
    response: UnitResponses,
    currents: Values | None = None,
    *,
    voltages: Values | None = None,
    case: bool | float = True,
) -> Steering:
    """Return the setting of a lead with given currents and voltages; nothing is solved again.

    Parameters
    ----------
    response
        Unit responses of the lead.
    currents, voltages, case
        As for `control`.

    Raises
    ------
    InputError
        As in `control`.
    """
    asked = control(
        response.contacts, currents, voltages=voltages, case=case, insulated=response.insulated
    )
    found, potential = asked.solve(np.asarray(response.Z))
    driven = np.zeros(len(asked.names), dtype=np.bool_)
    driven[[*asked.currents, *asked.voltages]] = True
    return Steering(
        response=response,
        currents=found,
        voltages=potential,
        returns=asked.returns,
        driven=driven,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Safety:
    """Charge of one phase of a pulse, beside limits from the literature (``data/dbs_safety.toml``).

    Parameters
    ----------
    names
        Contacts.
    charge
        Charge of each (C), shape (N,).
    density
        Charge per area, averaged over the contact (C/m²), shape (N,); at the rims it is larger.
    """

    names: tuple[str, ...]
    charge: Floats
    density: Floats

    @property
    def shannon_k(self) -> Floats:
        """Return log10(D) + log10(Q), D in uC/cm² and Q in uC, shape (N,); -inf without charge."""
        with np.errstate(divide="ignore"):
            k: Floats = np.log10(1e2 * self.density) + np.log10(1e6 * self.charge)
        return k

    def over(self) -> list[str]:
        """Return one sentence for each limit that a contact is over."""
        k, D = safety_limits()["Shannon k"], safety_limits()["charge density"]
        said = []
        for name, density, own in zip(
            self.names, (1e2 * self.density).tolist(), self.shannon_k.tolist(), strict=True
        ):
            if density > D["value"]:
                said.append(
                    f"contact {name}: {density:.1f} uC/cm² a phase, above {D['value']:g} "
                    f"({D['source']})"
                )
            if own >= k["value"]:
                said.append(
                    f"contact {name}: Shannon k {own:.2f}, not below {k['value']:g} ({k['source']})"
                )
        return said


@cache
def safety_limits() -> Mapping[str, Mapping[str, Any]]:
    """Return the limits of charge in ``data/dbs_safety.toml``, by name."""
    import tomllib

    text = files("rheobase.fields").joinpath("data", "dbs_safety.toml").read_text(encoding="utf-8")
    return MappingProxyType({row["name"]: row for row in tomllib.loads(text)["limit"]})
