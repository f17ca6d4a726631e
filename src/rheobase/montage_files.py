"""Montages as files that stimulator software and people take: CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._files import Door

FORMAT = "rheobase montage 1"
STEP = 1e-6  # A, in which stimulators take currents


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """Currents that one source drives.

    Parameters
    ----------
    currents
        Current (A) into the head by electrode.
    carrier
        Frequency (Hz), 0 for direct current.
    """

    currents: Mapping[str, float]
    carrier: float = 0.0


def rounded(currents: ArrayLike, *, step: float = STEP) -> NDArray[np.float64]:
    """Return currents as whole numbers of a stimulator's steps that still sum to 0.

    Each is rounded to the nearest step; what is then left over goes, a step each, to those that
    rounding moved farthest the other way.

    Parameters
    ----------
    currents
        Currents (A), shape (n,).
    step
        Smallest step of the stimulator (A).

    Raises
    ------
    InputError
        If they are not finite or do not sum to zero.

    Examples
    --------
    >>> (rounded([1.0 / 3, 1.0 / 3, 1.0 / 3, -1.0], step=0.01) * 100).round().astype(int).tolist()
    [34, 33, 33, -100]
    """
    exact = np.asarray(currents, dtype=np.float64) / step
    if not np.isfinite(exact).all():
        raise InputError("expected finite currents, got others: montage")
    if abs(exact.sum()) > 1e-6 * max(1.0, float(np.abs(exact).sum())):
        raise InputError(f"current sums to {exact.sum() * step * 1e3:g} mA, must be 0: montage")
    whole = np.rint(exact)
    over = round(float(whole.sum()))
    moved = np.argsort(np.sign(over) * (exact - whole), kind="stable")[: abs(over)]
    whole[moved] -= np.sign(over)
    steps: NDArray[np.float64] = whole * step
    return steps


def write_montage(
    door: Door,
    channels: Sequence[Channel],
    *,
    positions: Mapping[str, ArrayLike],
    facts: Mapping[str, Any],
    step: float = STEP,
) -> None:
    """Write a montage as CSV and as JSON; electrodes without current are left out.

    Parameters
    ----------
    door
        Gives the path of each file.
    channels
        Sources of current, one for a usual montage.
    positions
        Position of each electrode in the head (m), shape (3,).
    facts
        What else the JSON says of the montage, as plain values.
    step
        Of the stimulator (A); currents are written as `rounded` to it.

    Raises
    ------
    InputError
        If the currents of a channel do not sum to zero, or a file cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for number, channel in enumerate(channels, start=1):
        names = list(channel.currents)
        for name, I in zip(  # noqa: E741
            names, rounded([channel.currents[n] for n in names], step=step), strict=True
        ):
            if I == 0:
                continue
            x, y, z = (np.asarray(positions[name]) * 1e3).round(2).tolist()
            row = {"electrode": name, "current_mA": round(float(I) * 1e3, 9)}
            row |= {"channel": number, "carrier_Hz": channel.carrier}
            rows.append(row | {"x_mm": x, "y_mm": y, "z_mm": z})
    if not rows:
        raise InputError(f"expected currents of {step * 1e3:g} mA or more, got none: montage")
    with door(".csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with door(".json") as part:
        whole = {"format": FORMAT, **facts, "step_mA": step * 1e3, "electrodes": rows}
        part.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
