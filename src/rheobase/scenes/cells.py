"""Layers of placed cells, coloured by threshold, chance to fire, or polarisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.scenes.field import amount, rounded, signed
from rheobase.scenes.scene import Category, Layer, Quantity

if TYPE_CHECKING:
    from rheobase.neurons.recruitment import Recruitment

RADIUS = 5e-4  # of a cell as it is drawn (m)
ENDS = (2.0, 98.0)  # percentiles of the thresholds at which the colours end


def recruited_layer(
    recruited: Recruitment,
    *,
    scale: float = 1.0,
    unit: str | None = None,
    amplitude: float | None = None,
    name: str = "cells",
    radius: float = RADIUS,
) -> Layer:
    """Return placed cells by their threshold, type, depth and chance to fire.

    Parameters
    ----------
    recruited
        Thresholds of the cells.
    scale, unit
        Factor to the unit that people use, and that unit: 1e-6 and "A/µs" of a coil; its own unit
        if None.
    amplitude
        Where it is given (in ``unit``), the chance to fire is that of the type and layer of a
        cell at it, in the polarity in which more of them fire.
    name, radius
        Of the layer; radius of a cell in metres.

    Returns
    -------
    Layer
        Points with the quantities "threshold" (of the better polarity; none where a cell never
        fires), "type", "depth", and "probability".
    """
    better = scale * recruited.threshold.min(axis=0)
    better = np.where(np.isfinite(better), better, np.nan)
    seen = better[np.isfinite(better)]
    ends = np.percentile(seen, ENDS) if len(seen) else np.array([0.0, 1.0])
    of = recruited.unit if unit is None else unit
    found = {
        "threshold": Quantity(
            values=rounded(better),
            label="threshold",
            unit=of,
            colours="viridis_r",
            limits=(float(ends[0]), float(ends[1])),
        ),
        "type": labels(recruited.type, "type of cell"),
        "depth": Quantity(
            values=rounded(recruited.depth),
            label="depth of the soma",
            unit="0 pia, 1 white matter",
            colours="cividis",
            limits=(0.0, 1.0),
        ),
    }
    if amplitude is not None:
        fires = np.zeros(len(recruited))
        share = np.fmax.reduce(recruited.shares([amplitude / scale]), axis=1).ravel()
        for k, members in enumerate(recruited.groups(("type", "layer")).values()):
            fires[members] = share[k]
        words = f"fires at {amplitude:g} {of}"
        found["probability"] = amount(fires, words, "share of its type and layer", limit=1.0)
    return points_layer(name, recruited.position, found, radius=radius)


def polarised_layer(
    position: ArrayLike,
    polarisation: ArrayLike,
    types: NDArray[np.str_],
    *,
    name: str = "cells",
    radius: float = RADIUS,
) -> Layer:
    """Return placed cells by the polarisation of their somata.

    Parameters
    ----------
    position
        Somata (m), shape (n, 3).
    polarisation
        Of each (V), shape (n,), above 0 depolarised.
    types
        Type of each, shape (n,).
    name, radius
        Of the layer; radius of a cell in metres.
    """
    shown = 1e3 * np.asarray(polarisation, dtype=np.float64)
    found = {
        "polarisation": signed(shown, "polarisation of the soma", "mV"),
        "type": labels(types, "type of cell"),
    }
    return points_layer(name, position, found, radius=radius)


def points_layer(
    name: str, position: ArrayLike, quantities: dict[str, Quantity], *, radius: float
) -> Layer:
    """Return points of the group "cells" (m), shape (n, 3), with quantities, hidden at first."""
    return Layer(
        name=name,
        kind="points",
        group="cells",
        points=np.asarray(position, dtype=np.float32),
        quantities=quantities,
        shown=next(iter(quantities)),
        radius=radius,
        visible=False,
    )


def labels(names: NDArray[np.str_], label: str) -> Quantity:
    """Return words on points as categories, in the colours of the reports."""
    from rheobase.views import COLOURS

    known = list(dict.fromkeys(np.asarray(names).tolist()))
    if not known:
        raise InputError(f"expected at least one name: {label}")
    number = {n: k for k, n in enumerate(known, start=1)}
    values = np.array([number[n] for n in np.asarray(names).tolist()], dtype=np.int32)
    kinds = {
        k: Category(name=str(n), colour=COLOURS[(k - 1) % len(COLOURS)]) for n, k in number.items()
    }
    return Quantity(values=values, label=label, categories=kinds)
