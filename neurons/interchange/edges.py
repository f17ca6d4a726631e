"""The edges of a SONATA circuit as synapses and short-term plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.neurons.interchange import models
from rheobase.neurons.interchange.configs import Config
from rheobase.neurons.interchange.hdf5 import PIECE, check_memory, member, open_file
from rheobase.neurons.interchange.nodes import Nodes, number, parameters, typed_files
from rheobase.neurons.network.model import Synapses
from rheobase.neurons.network.plasticity import ShortTerm

Plasticity = dict[tuple[str, str], ShortTerm]
_COLUMNS = ("syn_weight", "delay", "nsyns")
_BYTES = 14  # of a synapse while it is read
_LONGEST = 2**16 - 1  # steps


class _Synapses:
    """Synapses in the order of the files, all memory taken at once."""

    def __init__(self, n: int, n_neurons: int) -> None:
        self.count = np.zeros(n_neurons, np.int64)  # synapses of each source
        self.source, self.target = np.empty(n, np.int32), np.empty(n, np.int32)
        self.weight, self.delay = np.empty(n, np.float32), np.empty(n, np.uint16)
        self.filled, self.last, self.ordered = 0, -1, True

    def add(
        self, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any], delay: NDArray[Any]
    ) -> None:
        """Append synapses and note whether they still ascend by source, then target."""
        key = (source.astype(np.int64) << 32) | target
        self.ordered &= bool(key[0] >= self.last and (np.diff(key) >= 0).all())
        self.last = int(key[-1])
        piece = slice(self.filled, self.filled + len(source))
        self.source[piece], self.target[piece] = source, target
        self.weight[piece], self.delay[piece] = weight, delay
        self.filled = piece.stop
        self.count += np.bincount(source, minlength=len(self.count))

    def rows(self) -> Synapses:
        """Return them by source."""
        target, weight, delay = self.target, self.weight, self.delay
        if not self.ordered:
            order = np.lexsort((target, self.source))
            target, weight, delay = target[order], weight[order], delay[order]
        short = delay.max(initial=0) < 256
        return Synapses(
            start=np.concatenate([[0], np.cumsum(self.count)]),
            target=target,
            weight=weight,
            delay=delay.astype(np.uint8) if short else delay,
        )


def read_edges(circuit: Config, nodes: Nodes, *, dt: float) -> tuple[Synapses, Plasticity]:
    """Read the edges of ``circuit``.

    Parameters
    ----------
    circuit
        Configuration.
    nodes
        Its nodes.
    dt
        Step of the network (s); delays are rounded to it.

    Raises
    ------
    InputError
        If a file is not SONATA, an edge ends where there is no cell, has no weight or delay, or a
        model that the engine has not, a delay is below one step, or synapses of one pair of
        populations have different plasticity.
    """
    folder = circuit.file(circuit.section("components").get("synaptic_models_dir", "."))
    plasticity: dict[tuple[int, int], ShortTerm | None] = {}
    with ExitStack() as files:
        found = []
        for path, table, rows in typed_files(circuit, "edge"):
            for group in files.enter_context(open_file(path)).get("edges", {}).values():
                found.append(_Population(path, table, rows, group, nodes, folder))
        n = sum(edges.n for edges in found)
        check_memory(n, _BYTES, "synapses", circuit.path)
        synapses = _Synapses(n, nodes.n_cells + sum(s.size for s in nodes.sources))
        plastic = any(any(edges.short_term) for edges in found)
        for edges in found:
            edges.read(synapses, plasticity if plastic else None, dt)
    names = [p.name for p in nodes.cells] + [s.name for s in nodes.sources]
    kept = {(names[q], names[p]): k for (q, p), k in plasticity.items() if k is not None}
    return synapses.rows(), kept


class _Population:
    """A population of edges, its file open."""

    def __init__(
        self,
        path: Path,
        table: Path,
        rows: Mapping[int, dict[str, str]],
        group: Any,
        nodes: Nodes,
        folder: Path,
    ) -> None:
        self.path, self.where = path, f"{group.name!r} of {path}"
        if "1" in group:
            raise InputError(f"edges must have one group of attributes: {self.where}")
        self.plain = member(group, "0", path)
        self.ends, self.place = [], []
        for end in ("source_node_id", "target_node_id"):
            self.ends.append(member(group, end, path))
            name = _text(self.ends[-1].attrs.get("node_population", ""))
            if name not in nodes.place:
                raise InputError(
                    f"{end!r} must be of nodes of the circuit, got {name!r}: {self.where}"
                )
            self.place.append(nodes.place[name])
        if self.place[1].max(initial=0) >= nodes.n_cells:
            raise InputError(f"synapses must end on cells, not on virtual nodes: {self.where}")
        self.n = len(self.ends[0])
        self.types = member(group, "edge_type_id", path)
        for column in (self.ends[1], self.types, *(self.plain.get(c) for c in _COLUMNS)):
            if column is not None and column.shape != (self.n,):
                raise InputError(
                    f"{column.name!r} must have one number for each of {self.n} edges, got "
                    f"{column.shape}: {path}"
                )
        self.used = np.array(sorted(rows), dtype=np.int64)
        kinds = [rows[k] for k in self.used]
        for row in kinds:
            if "weight_function" in row:
                raise InputError(
                    f"weights must be numbers, not made by {row['weight_function']!r}: {table}"
                )
        self.given = {
            key: np.array([float(number(row, key, table)) for row in kinds])
            for key in ("syn_weight", "delay")
            if all(key in row for row in kinds)
        }
        self.short_term = []
        for row in kinds:
            given, where = parameters(folder, row, table)
            model = row.get("model_template", models.STATIC).removeprefix("nest:")
            self.short_term.append(models.synapse(model, given, where=where))
        sizes = [p.size for p in nodes.cells] + [s.size for s in nodes.sources]
        self.population = np.repeat(np.arange(len(sizes)), sizes)
        powers = [models.weight_power(models.model_name(p.neuron)) for p in nodes.cells]
        self.unit = 10.0 ** -np.array(powers, dtype=float)

    def read(
        self,
        synapses: _Synapses,
        plasticity: dict[tuple[int, int], ShortTerm | None] | None,
        dt: float,
    ) -> None:
        """Append the edges, piece by piece, and note the plasticity of each pair if asked to."""
        for i in track(range(0, self.n, PIECE), self.where, total=-(-self.n // PIECE)):
            piece = slice(i, min(i + PIECE, self.n))
            source, target = self._ends(0, piece), self._ends(1, piece)
            kind = self._kinds(piece)
            weight = self._column("syn_weight", piece, kind) * self.unit[self.population[target]]
            if "nsyns" in self.plain:  # as many synapses, acting as one
                weight = weight * np.asarray(self.plain["nsyns"][piece])
            delay = np.rint(self._column("delay", piece, kind) * 1e-3 / dt)
            if not ((delay >= 1) & (delay <= _LONGEST)).all():
                raise InputError(
                    f"delays must be 1 to {_LONGEST} steps of {dt * 1e3:g} ms, got "
                    f"{delay.min():g} to {delay.max():g}: {self.where}"
                )
            synapses.add(source, target, weight, delay)
            if plasticity is not None:
                self._note(plasticity, source, target, kind)

    def _ends(self, end: int, piece: slice) -> NDArray[np.int64]:
        place, nodes = self.place[end], np.asarray(self.ends[end][piece], dtype=np.int64)
        if not (nodes.min() >= 0 and nodes.max() < len(place)):
            raise InputError(f"edges must end on nodes 0..{len(place) - 1}: {self.where}")
        return np.asarray(place[nodes])

    def _kinds(self, piece: slice) -> NDArray[np.int64]:
        types = np.asarray(self.types[piece], dtype=np.int64)
        kind = np.minimum(np.searchsorted(self.used, types), len(self.used) - 1)
        if not len(self.used) or (self.used[kind] != types).any():
            raise InputError(f"every edge_type_id must be in the table of types: {self.where}")
        return kind

    def _column(self, name: str, piece: slice, kind: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a number of each edge, from the file or else from its type."""
        if name in self.plain:
            return np.asarray(self.plain[name][piece], dtype=np.float64)
        if name not in self.given:
            raise InputError(f"{name!r} must be with the edges or with all types: {self.where}")
        return np.asarray(self.given[name][kind])

    def _note(
        self,
        plasticity: dict[tuple[int, int], ShortTerm | None],
        source: NDArray[np.int64],
        target: NDArray[np.int64],
        kind: NDArray[np.int64],
    ) -> None:
        shape = (self.population[-1] + 1, len(self.unit), len(self.short_term))
        code = np.ravel_multi_index((self.population[source], self.population[target], kind), shape)
        for q, p, k in zip(*np.unravel_index(np.unique(code), shape), strict=True):
            if plasticity.setdefault((int(q), int(p)), self.short_term[k]) != self.short_term[k]:
                raise InputError(
                    f"synapses between two populations must share their plasticity: {self.where}"
                )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
