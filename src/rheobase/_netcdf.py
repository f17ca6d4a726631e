"""NetCDF files without xarray: it and what it loads take longer than the files do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Dimensions, values and attributes, as `xarray.Dataset` takes them.
Variable = tuple[Any, ...]


def write_netcdf(
    path: Path,
    variables: Mapping[str, Variable],
    *,
    coords: Mapping[str, Variable],
    attrs: Mapping[str, Any],
) -> None:
    """Write labelled arrays as `xarray.Dataset.to_netcdf` would.

    Parameters
    ----------
    path
        The file; `xarray.load_dataset` gives the same as ``xarray.Dataset(variables, coords,
        attrs)``.
    variables, coords
        Arrays by name: their dimensions (a word or a sequence of words), values, and attributes
        where there are any.
    attrs
        Attributes of the file.
    """
    import h5netcdf
    import numpy as np

    every = [
        (name, (dims,) if isinstance(dims, str) else tuple(dims), np.asarray(values), dict(*more))
        for name, (dims, values, *more) in {**coords, **variables}.items()
    ]
    with h5netcdf.File(path, "w") as file:
        for _, dims, values, _ in every:
            for dim, size in zip(dims, values.shape, strict=True):
                file.dimensions.setdefault(dim, size)
        for name, dims, values, told in every:
            words = values.dtype.kind == "U"
            fill = np.nan if values.dtype.kind == "f" else None
            made = file.create_variable(
                name,
                dims,
                dtype=_words() if words else values.dtype,
                fillvalue=None if name in dims else fill,
            )
            made[...] = values.astype(object) if words else values
            beside = [] if name in coords else _beside(dims, coords)
            for key, value in (
                told | ({"coordinates": " ".join(beside)} if beside else {})
            ).items():
                made.attrs[key] = value
        for key, value in attrs.items():
            file.attrs[key] = value


def _beside(dims: tuple[str, ...], coords: Mapping[str, Variable]) -> list[str]:
    """Return the coordinates of some dimensions that are no dimensions themselves."""
    found = []
    for name, (where, *_) in coords.items():
        spans = (where,) if isinstance(where, str) else tuple(where)
        if name not in spans and set(spans) <= set(dims):
            found.append(name)
    return found


def _words() -> Any:
    import h5py

    return h5py.string_dtype()
