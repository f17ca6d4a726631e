"""How much current an effect takes, by pulse width.

Weiss found that the charge at threshold rises linearly with the width w of the pulse,

    I w = I_rheobase (w + w_chronaxie),

so that a line through charges gives the current of an endless pulse and the width at which twice
as much is needed (Lapicque named both). Computed myelinated axons keep to it (Bostock, J Physiol
341:59 (1983)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.volumes.thresholds import field_threshold, table_ranges

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StrengthDuration:
    """Currents that an effect takes, by pulse width.

    Parameters
    ----------
    widths
        Pulse widths (s), ascending, shape (k,).
    currents
        What each takes (A), shape (k,).
    rheobase
        Current of an endless pulse by Weiss's line (A).
    chronaxie
        Width that takes twice as much (s).
    misfit
        Largest deviation of the currents from the line, relative.
    remarks
        What to know of the data.
    """

    widths: Floats
    currents: Floats
    rheobase: float
    chronaxie: float
    misfit: float
    remarks: tuple[str, ...] = ()

    def __call__(self, widths: ArrayLike) -> Floats:
        """Return the currents (A) of Weiss's line at pulse widths (s)."""
        w = np.asarray(widths, dtype=np.float64)
        current: Floats = self.rheobase * (1 + self.chronaxie / w)
        return current

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for tables and JSON (us, mA)."""
        return {
            "pulse_width_us": (1e6 * self.widths).tolist(),
            "current_mA": (1e3 * self.currents).tolist(),
            "rheobase_mA": 1e3 * self.rheobase,
            "chronaxie_us": 1e6 * self.chronaxie,
            "misfit": self.misfit,
            "remarks": list(self.remarks),
        }


def strength_duration(
    widths: ArrayLike, currents: ArrayLike, *, remarks: tuple[str, ...] = ()
) -> StrengthDuration:
    """Return Weiss's line through the charges at threshold, by least squares.

    Parameters
    ----------
    widths
        Pulse widths (s), ascending, shape (k,), two or more.
    currents
        Currents at threshold (A), shape (k,).
    remarks
        Kept with it.

    Raises
    ------
    InputError
        If there are fewer than two, they are not > 0 or do not ascend, or no line with a rheobase
        > 0 and a chronaxie >= 0 goes through them.

    Examples
    --------
    >>> line = strength_duration([60e-6, 120e-6], [3e-3, 2e-3])
    >>> round(line.rheobase, 6), round(line.chronaxie, 8)
    (0.001, 0.00012)
    """
    w, i = np.asarray(widths, dtype=np.float64), np.asarray(currents, dtype=np.float64)
    if w.ndim != 1 or w.shape != i.shape or len(w) < 2:
        raise InputError(
            f"expected two or more pulse widths and as many currents, got {w.shape} and {i.shape}"
        )
    if (
        not ((w > 0) & (i > 0) & np.isfinite(w) & np.isfinite(i)).all()
        or not (np.diff(w) > 0).all()
    ):
        raise InputError("expected ascending pulse widths > 0 s and currents > 0 A, all finite")
    slope, offset = np.polyfit(w, i * w, 1).tolist()
    if not (slope > 0 and offset >= 0):
        raise InputError(
            "expected currents that fall with the pulse width, and charges that rise, got "
            f"{(1e3 * i).round(3).tolist()} mA at {(1e6 * w).round(1).tolist()} us"
        )
    line = slope * (1 + offset / slope / w)
    return StrengthDuration(
        widths=w,
        currents=i,
        rheobase=slope,
        chronaxie=offset / slope,
        misfit=float(np.abs(line / i - 1).max()),
        remarks=remarks,
    )


def field_strength_duration(
    current: float, threshold: float, diameter: float, *, suspect: bool = False
) -> StrengthDuration:
    """Return what an effect takes at each pulse width of the table of field thresholds.

    |E| is proportional to the current, so the current is to the threshold: one amplitude tells all.

    Parameters
    ----------
    current
        Current (A) that has the effect where |E| counts from ``threshold`` on.
    threshold
        In V/m.
    diameter
        Outer diameter of the axons (m).
    suspect
        Whether rows may be used that sources disagree about; they are left out if not.

    Raises
    ------
    InputError
        If the table does not reach there, or fewer than two rows are left.
    """
    widths, used, remarks = [], [], set()
    for width in table_ranges()[0].tolist():
        try:
            found = field_threshold(width, diameter, suspect=suspect)
        except InputError:
            field_threshold(width, diameter, suspect=True)  # none at all: out of the table
            remarks.add(f"left out {1e6 * width:g} us: sources disagree")
            continue
        widths.append(width)
        used.append(current * found.value / threshold)
        remarks |= set(found.remarks)
    return strength_duration(widths, used, remarks=tuple(sorted(remarks)))
