"""The numbers of a sweep one by one: each over the design alone, with its name and unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.sweeps.design import Design

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """A number at every point of a design.

    Parameters
    ----------
    name, unit
        Its name with the labels that tell it from others of a variable, and its unit.
    values
        Over the dimensions of the design; NaN where there is none.
    """

    name: str
    unit: str
    values: NDArray[np.float64]

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def series(data: xr.Dataset, design: Design) -> Iterator[Series]:
    """Yield every number of a sweep over its design.

    Parameters
    ----------
    data
        From `rheobase.sweeps.parts.gathered`.
    design
        Its points.
    """
    dims = tuple(design.dims)
    for name, variable in data.data_vars.items():
        if variable.dtype.kind not in "biuf" or variable.dims[: len(dims)] != dims:
            continue
        own = [str(d) for d in variable.dims[len(dims) :]]
        unit = str(variable.attrs.get("units", ""))
        labels = [_labels(data, d) for d in own]
        for place in product(*(range(len(every)) for every in labels)):
            told = [_told(d, labels[k][i]) for k, (d, i) in enumerate(zip(own, place, strict=True))]
            values = variable.isel(dict(zip(own, place, strict=True))).to_numpy()
            yield Series(
                name=" ".join([str(name), *filter(None, told)]),
                unit="" if unit == "1" else unit,
                values=values.astype(np.float64),
            )


def _labels(data: xr.Dataset, dim: str) -> list[Any]:
    if dim in data.coords:
        found: list[Any] = data[dim].values.tolist()
        return found
    return list(range(data.sizes[dim]))


def _told(dim: str, label: Any) -> str:
    """Return a label as a word: texts speak for themselves, numbers with their dimension."""
    if isinstance(label, str):
        return label
    return f"{dim} {label:g}"
