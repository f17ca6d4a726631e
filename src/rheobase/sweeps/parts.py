"""What is kept of each point: one small file, whole or absent, and the whole put together.

A part is a line of JSON (names, dimensions, attributes, types and shapes) and the bytes of the
arrays after it: a tenth of a millisecond to write or read, where NetCDF takes twenty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
            found[where][name] = Variable(dims=tuple(dims), values=flat.reshape(shape), attrs=attrs)
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
    found = [parts[k] for k in index.tolist()]
    labels = _labels(found)
    first = found[0]
    for name in dict.fromkeys(name for part in found for name in part.data):
        whole = _whole(name, found, index, n, labels)
        one = next(part.data[name] for part in found if name in part.data)
        values = whole.reshape(*design.shape, *whole.shape[1:])
        result[name] = ((*dims, *one.dims), values, dict(one.attrs))
    attrs = {name: c.attrs for name, c in first.coords.items()}
    own = {dim: ((dim,), values, attrs.get(dim)) for dim, values in labels.items()}
    told = {  # about the labels, where all points tell the same
        name: (c.dims, c.values, c.attrs)
        for name, c in first.coords.items()
        if name not in labels and all(_equal(part.coords.get(name), c) for part in found)
    }
    return result.assign_coords(own | told)


def _equal(one: Variable | None, other: Variable) -> bool:
    return one is not None and one.dims == other.dims and np.array_equal(one.values, other.values)


def _labels(parts: Sequence[Part]) -> dict[str, NDArray[Any]]:
    """Return the labels along each dimension of the results, those of all parts together."""
    found: dict[str, dict[Any, None]] = {}
    for part in parts:
        for name, one in part.coords.items():
            if one.dims == (name,):
                found.setdefault(name, {}).update(dict.fromkeys(one.values.tolist()))
    return {name: np.array(list(values)) for name, values in found.items()}


def _whole(
    name: str,
    parts: Sequence[Part],
    index: NDArray[np.intp],
    n: int,
    labels: Mapping[str, NDArray[Any]],
) -> NDArray[Any]:
    """Return a variable at all n points: NaN, or "", where a point has none.

    Raises
    ------
    InputError
        If it has other dimensions at some points, or another length along one without labels.
    """
    told = {
        (v.dims, tuple(s for d, s in zip(v.dims, v.values.shape, strict=True) if d not in labels))
        for part in parts
        if (v := part.data.get(name)) is not None
    }
    if len(told) > 1:
        raise InputError(
            f"results must have the same dimensions at each point, {name!r} has "
            f"{' and '.join(sorted(str(x) for x in told))}: sweep"
        )
    have = [k for k, part in enumerate(parts) if name in part.data]
    variables = [parts[k].data[name] for k in have]
    dims = variables[0].dims
    shape = tuple(
        len(labels[d]) if d in labels else size
        for d, size in zip(dims, variables[0].values.shape, strict=True)
    )
    dtype = np.result_type(*(v.values.dtype for v in variables))
    places = [_places(parts[k], variables[i], labels) for i, k in enumerate(have)]
    if len(have) == n and all(p is None for p in places):
        return np.stack([v.values for v in variables])
    text = dtype.kind == "U"
    whole = np.full((n, *shape), "" if text else np.nan, dtype if text else np.float64)
    for k, variable, place in zip(have, variables, places, strict=True):
        here: Any = whole[index[k]]
        if place is None:
            whole[index[k]] = variable.values
        else:
            here[np.ix_(*place)] = variable.values
    return whole


def _places(
    part: Part, variable: Variable, labels: Mapping[str, NDArray[Any]]
) -> list[NDArray[np.intp]] | None:
    """Return where the labels of a part are among all of them, None where it has just these."""
    found, same = [], True
    for dim, size in zip(variable.dims, variable.values.shape, strict=True):
        if dim not in labels:
            found.append(np.arange(size))
            continue
        every = labels[dim].tolist()
        own = part.coords[dim].values.tolist() if dim in part.coords else every
        same = same and own == every
        found.append(np.array([every.index(label) for label in own], dtype=np.intp))
    return None if same else found
