"""The nodes of a SONATA circuit as populations and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.interchange import models
from rheobase.neurons.interchange.configs import Config
from rheobase.neurons.interchange.hdf5 import check_memory, open_file
from rheobase.neurons.interchange.numbers import read_json, unshifted
from rheobase.neurons.interchange.tables import read_table
from rheobase.neurons.network.model import LIFPopulation, SpikeSource

_POINT, _VIRTUAL = ("point_neuron", "point_process"), "virtual"
_BYTES = 64  # of a node while it is read
_SIGNS = {"e": True, "exc": True, "i": False, "inh": False}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Nodes:
    """Nodes of a circuit.

    Parameters
    ----------
    cells
        Populations, one a type of node, in the order of the files and of the types' numbers.
    rows
        Row of each of ``cells`` in its table of types, with the "population" of nodes.
    sources
        Virtual nodes, a source each population of nodes.
    unsigned
        Names of the populations and sources whose sign the file does not say.
    place
        Number in the network of each node, by population of nodes; cells come first.
    positions
        Somata (m), shape (n_cells, 3), or None unless all have x, y and z.
    """

    cells: list[LIFPopulation]
    rows: list[dict[str, str]]
    sources: list[SpikeSource]
    unsigned: set[str]
    place: dict[str, NDArray[np.int64]]
    positions: NDArray[np.float64] | None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return sum(p.size for p in self.cells)


def typed_files(
    circuit: Config, what: str
) -> Iterator[tuple[Path, Path, dict[int, dict[str, str]]]]:
    """Yield each HDF5 file of ``what`` ("node", "edge"), its table of types and what that holds."""
    for entry in circuit.section("networks").get(f"{what}s", []):
        path = circuit.file(circuit.need(entry, f"{what}s_file", f"each of the {what}s"))
        types = circuit.file(circuit.need(entry, f"{what}_types_file", f"each of the {what}s"))
        yield path, types, read_table(types, f"{what}_type_id")


def type_row(rows: Mapping[int, dict[str, str]], number: int, table: Path) -> dict[str, str]:
    """Return the row of a type.

    Raises
    ------
    InputError
        If the table has no such type.
    """
    if number not in rows:
        raise InputError(f"type {number} must be in the table of types: {table}")
    return rows[number]


def parameters(folder: Path, row: Mapping[str, str], table: Path) -> tuple[dict[str, object], str]:
    """Return the parameters that a type names, and where they are for a sentence."""
    if "dynamics_params" not in row:
        return {}, str(table)
    path = folder / row["dynamics_params"]
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"parameters must be a JSON object: {path}")
    return content, f"{path} of {table}"


def number(row: Mapping[str, str], key: str, table: Path) -> Decimal:
    """Return the field ``key`` of a type as a number, 0 where it is not given.

    Raises
    ------
    InputError
        If it is no number.
    """
    try:
        return Decimal(row.get(key, "0"))
    except InvalidOperation as error:
        raise InputError(f"{key} must be a number, got {row[key]!r}: {table}") from error


def read_nodes(circuit: Config) -> Nodes:
    """Read the nodes of ``circuit``.

    Raises
    ------
    InputError
        If a file is not SONATA, a population mixes virtual nodes and cells, or a node is of
        another kind than a point neuron or virtual, has a model that the engine has not, or
        parameters of its own.
    """
    cells: list[LIFPopulation] = []
    cell_rows: list[dict[str, str]] = []
    virtual: list[tuple[str, SpikeSource]] = []
    unsigned: set[str] = set()
    place: dict[str, NDArray[np.int64]] = {}
    somata: list[NDArray[np.float64] | None] = []
    folder = circuit.file(circuit.section("components").get("point_neuron_models_dir", "."))
    n = 0
    for path, table, rows in typed_files(circuit, "node"):
        for name, types, xyz in _populations(path):
            kinds = {int(k): type_row(rows, int(k), table) for k in np.unique(types)}
            if _is_virtual(kinds, name, table):
                row = next(iter(kinds.values()))
                virtual.append((name, _source(name, row, len(types))))
                if _sign(row) is None:
                    unsigned.add(name)
                continue
            place[name] = np.empty(len(types), dtype=np.int64)
            for k, row in kinds.items():
                chosen = np.flatnonzero(types == k)
                cells.append(_cell(name, k, row, len(chosen), folder, table))
                cell_rows.append(row | {"population": name})
                if _sign(row) is None:
                    unsigned.add(cells[-1].name)
                place[name][chosen] = n + np.arange(len(chosen))
                somata.append(None if xyz is None else xyz[chosen])
                n += len(chosen)
    for name, source in virtual:
        place[name] = n + np.arange(source.size)
        n += source.size
    known = [x for x in somata if x is not None]
    return Nodes(
        cells=cells,
        rows=cell_rows,
        sources=[source for _, source in virtual],
        unsigned=unsigned,
        place=place,
        positions=np.concatenate(known) if known and len(known) == len(somata) else None,
    )


def _populations(
    path: Path,
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64] | None]]:
    """Yield name, type of each node and positions (m) of each population of a file."""
    with open_file(path) as file:
        for name, group in file.get("nodes", {}).items():
            if "node_type_id" not in group or "0" not in group:
                raise InputError(f"nodes {name!r} must have 'node_type_id' and a group '0': {path}")
            if "1" in group:
                raise InputError(f"nodes {name!r} must have one group of attributes: {path}")
            check_memory(group["node_type_id"].size, _BYTES, f"nodes {name!r}", path)
            plain = group["0"]
            if len(plain.get("dynamics_params", {})):
                raise InputError(
                    f"neurons of a type must share their parameters, each has its own "
                    f"{sorted(plain['dynamics_params'])}: nodes {name!r} of {path}"
                )
            xyz = None
            if all(axis in plain for axis in "xyz"):
                xyz = np.stack([np.asarray(plain[axis], float) for axis in "xyz"], axis=1) * 1e-6
            yield name, np.asarray(group["node_type_id"], dtype=np.int64), xyz


def _is_virtual(kinds: Mapping[int, Mapping[str, str]], name: str, table: Path) -> bool:
    found = {row.get("model_type", "") for row in kinds.values()}
    if found == {_VIRTUAL}:
        return True
    if not found <= set(_POINT):
        raise InputError(
            f"model_type must be 'virtual' or 'point_neuron' for all nodes of a population, got "
            f"{sorted(found)}: {name!r} of {table}"
        )
    return False


def _sign(row: Mapping[str, str]) -> bool | None:
    return _SIGNS.get(row.get("ei", row.get("synapse_class", "")).lower())


def _source(name: str, row: Mapping[str, str], size: int) -> SpikeSource:
    return SpikeSource(
        name=name, layer=row.get("layer", name), excitatory=_sign(row) is not False, size=size
    )


def _cell(
    name: str, kind: int, row: Mapping[str, str], size: int, folder: Path, table: Path
) -> LIFPopulation:
    schema, _, model = row.get("model_template", "").rpartition(":")
    if schema != "nest":
        raise InputError(
            f"model_template must be one of NEST's ('nest:iaf_psc_exp'), got "
            f"{row.get('model_template')!r}: type {kind} of {table}"
        )
    given, where = parameters(folder, row, table)
    cell, start, current = models.neuron(model, given, where=where)
    return LIFPopulation(
        name=row.get("pop_name", f"{name}_{kind}"),
        layer=row.get("layer", name),
        excitatory=_sign(row) is not False,
        size=size,
        neuron=cell,
        direct_current=current,
        V0_mean=start,
        V0_sd=unshifted(number(row, "V_m_sd", table), 3),
    )
