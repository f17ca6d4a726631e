"""Which share of fibres a current fires: the curve through which the loop stimulates."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.plant import Floats
from rheobase.neurons.loop.rate_model import stn_gpe_facts

#: Columns of the share in a file, and what 1 is in them.
SHARES = {"fraction": 1.0, "activated_percent": 100.0, "percent": 100.0}
LABELS = ("pathway", "lead")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curve:
    """Share of fibres that a pulse fires, straight between points.

    Parameters
    ----------
    amplitude
        Currents (A), ascending from 0, shape (n,).
    fraction
        Share that fires (0 … 1), never falling, shape (n,).
    source
        Where it comes from.

    Raises
    ------
    InputError
        If the points do not rise, a share falls or is outside 0..1.
    """

    amplitude: Floats
    fraction: Floats
    source: str

    def __post_init__(self) -> None:
        """Check the points."""
        a, f = self.amplitude, self.fraction
        if a.ndim != 1 or a.shape != f.shape or len(a) < 2:
            raise InputError(
                f"a curve needs two lists of at least 2 values, got {a.shape} and {f.shape}: "
                f"{self.source}"
            )
        if not (np.isfinite(a).all() and a[0] >= 0 and (np.diff(a) > 0).all()):
            raise InputError(f"amplitudes of a curve must rise from >= 0: {self.source}")
        if not ((f >= 0) & (f <= 1)).all() or (np.diff(f) < 0).any():
            raise InputError(f"shares of a curve must rise within 0..1: {self.source}")

    def of(self, amplitude: ArrayLike) -> NDArray[np.float64]:
        """Return the share that fires at amplitudes (A); 0 below the first point.

        Raises
        ------
        InputError
            If an amplitude is beyond the curve.
        """
        a = np.asarray(amplitude, dtype=np.float64)
        if a.size and not a.max() <= self.amplitude[-1] * (1 + 1e-9):
            raise InputError(
                f"the recruitment curve ends at {self.amplitude[-1] * 1e3:g} mA, got "
                f"{a.max() * 1e3:g} mA: {self.source}"
            )
        found: NDArray[np.float64] = np.interp(a, self.amplitude, self.fraction)
        return np.where(a < self.amplitude[0], 0.0, found)


def curve_of(thresholds: ArrayLike, amplitude: ArrayLike, *, source: str) -> Curve:
    """Return the share of ``thresholds`` (A) that amplitudes (A) reach; NaN are left out.

    For the thresholds of a pathway, of cells or of fibres; inf is one that never fires.

    Raises
    ------
    InputError
        If no threshold is known, or the amplitudes do not rise.
    """
    known = np.asarray(thresholds, dtype=np.float64).ravel()
    known = np.sort(known[~np.isnan(known)])
    if not len(known):
        raise InputError(f"expected thresholds, got none that is known: {source}")
    a = np.asarray(amplitude, dtype=np.float64)
    return Curve(
        amplitude=a, fraction=np.searchsorted(known, a, side="right") / len(known), source=source
    )


def logistic(half: float, slope: float, most: float) -> Curve:
    """Return 1/(1 + exp(-(a - half)/slope)) up to ``most`` (A), less its value at 0.

    A stand-in of no field model, for comparisons with studies that use one.

    Raises
    ------
    InputError
        If a value is not > 0.
    """
    for name, value in (("half", half), ("slope", slope), ("most", most)):
        check_positive(f"{name} of the logistic", value)
    a = np.linspace(0.0, most, 301)
    raw = 1 / (1 + np.exp(-(a - half) / slope))
    return Curve(
        amplitude=a,
        fraction=(raw - raw[0]) / (1 - raw[0]),
        source=f"logistic, half at {half * 1e3:g} mA, slope {slope * 1e3:g} mA (no field model)",
    )


def published_curve() -> Curve:
    """Return the axon collaterals that Fleming et al. 2020 found entrained by a current."""
    table = stn_gpe_facts()["controllers"]["recruitment"]
    return Curve(
        amplitude=np.array(table["amplitude_mA"]) * 1e-3,
        fraction=np.array(table["percent"]) / 100,
        source=table["source"],
    )


def read_curve(path: Path, **labels: str | None) -> Curve:
    """Read a curve: a CSV with amplitude_mA and a share, as ``rheobase dbs`` writes.

    Parameters
    ----------
    path
        File with columns ``amplitude_mA`` and one of ``fraction``, ``activated_percent`` and
        ``percent``.
    labels
        Values that choose the rows by other columns (``pathway="capsule"``); needed where a column
        ``pathway`` or ``lead`` holds several.

    Raises
    ------
    InputError
        If the file is missing or damaged, a label is unknown, or the choice is not one curve.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read a recruitment curve: {error}") from error
    columns = list(rows[0]) if rows else []
    share = next((c for c in SHARES if c in columns), None)
    if "amplitude_mA" not in columns or share is None:
        raise InputError(
            f"expected columns amplitude_mA and one of {', '.join(SHARES)}, got "
            f"{', '.join(map(str, columns)) or 'none'}: {path.name}"
        )
    for name in dict.fromkeys((*LABELS, *labels)):
        wanted = labels.get(name)
        if wanted is not None:
            check_option("column", name, columns, where=path.name)
            check_option(name, wanted, {r[name] for r in rows}, where=path.name)
            rows = [r for r in rows if r[name] == wanted]
        elif name in columns and len({r[name] for r in rows}) > 1:
            several = ", ".join(sorted({r[name] for r in rows}))
            raise InputError(f"expected {name}, one of {several}: {path.name}")
    try:
        values = np.array([[float(r["amplitude_mA"]), float(r[share])] for r in rows])
    except (TypeError, ValueError) as error:
        raise InputError(f"expected numbers, {error}: {path.name}") from error
    chosen = ", ".join(str(v) for v in labels.values() if v)
    return Curve(
        amplitude=values[:, 0] * 1e-3,
        fraction=values[:, 1] / SHARES[share],
        source=path.name + (f", {chosen}" if chosen else ""),
    )
