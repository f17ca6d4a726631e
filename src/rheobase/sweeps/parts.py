"""What is kept of each point: one small file, whole or absent, and the whole put together.

A part is a line of JSON (names, dimensions, attributes, types and shapes) and the bytes of the
arrays after it: a tenth of a millisecond to write or read, where NetCDF takes twenty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.sweeps.design import Design

if TYPE_CHECKING:
    import xarray as xr

PENDING = "not run"
#: Kinds of arrays that a result may have: booleans, whole numbers, floats, texts.
KINDS = "biufU"
END = b"\n"  # of the header


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variable:
    """An array of a point's result: dimensions, values, attributes."""

    dims: tuple[str, ...]
    values: NDArray[Any]
    attrs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The result of one point.

    Parameters
    ----------
    data, coords
        Variables and coordinates by name.
    seconds
        Time that it took.
    """

    data: Mapping[str, Variable]
    coords: Mapping[str, Variable]
    seconds: float


def part_of(made: Any, *, seconds: float = 0.0) -> Part:
    """Return the part of what a function returned.

    Parameters
    ----------
    made
        A dataset, or a mapping of names to numbers, ``(dims, array)`` or data arrays.
    seconds
        Time that it took.

    Raises
    ------
    InputError
        If it holds something else than numbers and texts.
    """
    import xarray as xr

    if not isinstance(made, xr.Dataset | Mapping):
        raise InputError(f"expected a mapping of names to numbers or a dataset, got {made!r}")
    data = made if isinstance(made, xr.Dataset) else xr.Dataset(dict(made))
    return Part(
        data={str(n): _variable(str(n), v) for n, v in data.data_vars.items()},
        coords={str(n): _variable(str(n), v) for n, v in data.coords.items()},
        seconds=seconds,
    )


def _variable(name: str, found: xr.DataArray) -> Variable:
    values = found.to_numpy()
    if values.dtype == object and all(isinstance(v, str) for v in values.flat):
        values = values.astype(str)
    if values.dtype.kind not in KINDS:
        raise InputError(f"expected numbers or texts, got {values.dtype}: result {name!r}")
    attrs = json.loads(json.dumps(dict(found.attrs), default=str))
    return Variable(dims=tuple(map(str, found.dims)), values=values, attrs=attrs)


def write_part(path: Path, part: Part) -> None:
    """Write the result of a point; the file is whole or absent."""
    every = {"data": part.data, "coords": part.coords}
    named = [(where, name, v) for where, own in every.items() for name, v in own.items()]
    header = {
        "seconds": part.seconds,
        "variables": [
            (where, name, v.dims, dict(v.attrs), v.values.dtype.str, v.values.shape)
            for where, name, v in named
        ],
    }
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(json.dumps(header).encode() + END)
        for _, _, v in named:
            file.write(np.ascontiguousarray(v.values).tobytes())


def read_part(path: Path) -> Part:
    """Return the result of a point.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    content = path.read_bytes()
    first = content.find(END) + len(END)
    try:
        header = json.loads(content[: first - len(END)])
        found: dict[str, dict[str, Variable]] = {"data": {}, "coords": {}}
        for where, name, dims, attrs, dtype, shape in header["variables"]:
            flat = np.frombuffer(content, dtype, prod(shape), first)
            found[where][name] = Variable(
                dims=tuple(dims), values=flat.reshape(shape), attrs=attrs
            )
            first += flat.nbytes
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged (delete it and go on): {error}") from None
    return Part(data=found["data"], coords=found["coords"], seconds=float(header["seconds"]))


def gathered(design: Design, parts: Mapping[int, Part], errors: Mapping[int, str]) -> xr.Dataset:
    """Return all points over the dimensions of their design.

    Parameters
    ----------
    design
        The points.
    parts
        Results by the index of the point.
    errors
        What points without a result said, by index; those in neither have not run.

    Returns
    -------
    xarray.Dataset
        Numbers NaN and texts "" where there is no result, and ``error`` over the design: "" where
        there is one.

    Raises
    ------
    InputError
        If the points have not the same names, dimensions and coordinates.
    """
    import xarray as xr

    n, dims = len(design), tuple(design.dims)
    said = np.array([("" if k in parts else errors.get(k, PENDING)) for k in range(n)], dtype=str)
    result = xr.Dataset({"error": (dims, said.reshape(design.shape))}, coords=design.coordinates())
    for dim in dims:
        if dim not in result.coords:
            result = result.assign_coords({dim: np.arange(result.sizes[dim])})
    if not parts:
        return result
    index = np.array(sorted(parts))
    first = parts[int(index[0])]
    for k in index.tolist():
        _check_same(first, parts[k])
    for name, one in first.data.items():
        values = np.stack([parts[k].data[name].values for k in index.tolist()])
        whole = _filled(values, index, n).reshape(*design.shape, *values.shape[1:])
        result[name] = ((*dims, *one.dims), whole, dict(one.attrs))
    return result.assign_coords({k: (c.dims, c.values, c.attrs) for k, c in first.coords.items()})


def _filled(values: NDArray[Any], index: NDArray[np.intp], n: int) -> NDArray[Any]:
    """Return values at all n points: NaN, or "", at those that have none."""
    if len(index) == n:
        return values
    text = values.dtype.kind == "U"
    whole = np.full((n, *values.shape[1:]), "" if text else np.nan, values.dtype if text else float)
    whole[index] = values
    return whole


def _check_same(first: Part, other: Part) -> None:
    """Refuse parts that do not fit together."""

    def told(part: Part) -> dict[str, Any]:
        shapes = {name: (v.dims, v.values.shape) for name, v in part.data.items()}
        return shapes | {name: (v.dims, v.values.tolist()) for name, v in part.coords.items()}

    one, two = told(first), told(other)
    if one != two:
        differ = sorted(k for k in {*one, *two} if one.get(k) != two.get(k))
        raise InputError(
            "results must have the same names, shapes and coordinates at each point, "
            f"{', '.join(differ)} differ: sweep"
        )
