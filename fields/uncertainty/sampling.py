"""Solving for the field at samples of random inputs, to a file that keeps what is finished.

Sixteen samples at a time are solved together (`rheobase.fields.uncertainty.family`): potentials,
their corrections from the recovered fluxes of each sample's own conductivities, and the recovered
field of their sum, as in a single solution (`rheobase.fields.correction`). A file that was begun
and not finished is gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import allocate, content_key, package_key, room_for, whole_file
from rheobase._progress import track
from rheobase.fields.coils.coil import Coil
from rheobase.fields.correction import defects
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.keys import head_parts
from rheobase.fields.recovery import Recovery
from rheobase.fields.solver import Conductor
from rheobase.fields.uncertainty.chaos import check_samples
from rheobase.fields.uncertainty.family import Family, Recycled
from rheobase.fields.uncertainty.inputs import Conductivity, Inputs
from rheobase.fields.uncertainty.samples import FORMAT, FieldSamples, load_samples, opened
from rheobase.fields.uncertainty.sources import WAVE, CoilSources, ElectrodeSources, Sources
from rheobase.meshes.head import Head
from rheobase.meshes.store import write_mesh

Floats = NDArray[np.float64]

RTOL = 1e-6  # of the residual


def sample_fields(
    head: Head,
    sources: Sequence[Montage] | Sequence[Coil] | Montage | Coil,
    inputs: Inputs,
    path: Path | str,
    *,
    n: int = 200,
    seed: int = 0,
    tissues: Sequence[str] | None = None,
    conductor: Conductor | None = None,
    rtol: float = RTOL,
) -> FieldSamples:
    """Solve for the fields of sources at samples of random inputs.

    Parameters
    ----------
    head
        The head.
    sources
        Montages (at 1 A of total current) or coils (at 1 A/s).
    inputs
        What is random.
    path
        The file (HDF5). One that this call began and did not finish is gone on with; a finished one
        is returned.
    n, seed
        Samples, and the seed that scrambles their sequence.
    tissues
        Names of the tissues whose field is stored, all if None.
    conductor
        Solver of this head with tensors, or with other conductivities of the tissues that are not
        random; its multigrid preconditions all samples. Made with the means of the inputs if None.
    rtol
        Largest true relative residual of every solution.

    Returns
    -------
    FieldSamples

    Raises
    ------
    InputError
        Before anything is solved: if the samples are too few for the inputs, an input is not of
        this head or these sources, a placement fails in a sample, a tissue is unknown, or the file
        is another one or cannot be written.
    """
    path = Path(path)
    if conductor is not None and conductor.mesh is not head.mesh:
        raise InputError(f"expected a conductor of this head's mesh: head {head.name!r}")
    if not 0 < rtol < 1:
        raise InputError(f"rtol must be between 0 and 1, got {rtol!r}")
    check_samples(n, len(inputs))
    labels = _labels(head, inputs)
    kept_labels = [head.label_of(t) for t in tissues] if tissues is not None else None
    x = inputs.sample(n, seed=seed)
    made = _sources(head, sources, inputs, x)
    key = _key(head, conductor, made, inputs, x, [kept_labels, rtol])
    if path.exists():
        with opened(path) as file:
            if file.attrs["key"] != key:
                raise InputError(
                    "expected samples of this head, sources, inputs and version, got others "
                    f"(delete them or choose another name): {path}"
                )
            if file["done"][:].all():
                return load_samples(path)
    if conductor is None:
        sigma = {label: t.sigma for label, t in head.tissues.items() if label not in labels}
        sigma |= {label: inputs.distributions[i].mean for label, i in labels.items()}
        conductor = Conductor(head, sigma)
    work = _Work(conductor, made, labels, x, kept_labels, rtol)
    if not path.exists():
        work.create(path, key, inputs)
    work.go_on(path)
    return load_samples(path)


def _labels(head: Head, inputs: Inputs) -> dict[int, int]:
    """Return the place of the input that is the conductivity of each label."""
    known = {t.name: label for label, t in head.tissues.items() if label in head.mesh.labels}
    labels = {}
    for i, one in enumerate(inputs.inputs):
        if isinstance(one, Conductivity):
            check_option("tissue", one.tissue, known, where=f"head {head.name!r}")
            labels[known[one.tissue]] = i
    return labels


def _sources(
    head: Head,
    sources: Sequence[Montage] | Sequence[Coil] | Montage | Coil,
    inputs: Inputs,
    x: Floats,
) -> Sources:
    given: list[Montage | Coil] = [sources] if isinstance(sources, (Montage, Coil)) else [*sources]
    names = [one.name for one in given]
    if not given or len(set(names)) < len(names):
        raise InputError(f"expected sources with different names, got {names}")
    montages = [one for one in given if isinstance(one, Montage)]
    coils = [one for one in given if isinstance(one, Coil)]
    if len(montages) == len(given):
        return ElectrodeSources(head.mesh, montages, inputs, x)
    if len(coils) == len(given):
        return CoilSources(head.mesh, coils, inputs, x)
    raise InputError(f"expected montages or coils, got {', '.join(names)}")


def _key(
    head: Head,
    conductor: Conductor | None,
    sources: Sources,
    inputs: Inputs,
    x: Floats,
    choice: list[Any],
) -> str:
    """Return the key of everything that decides what the file holds."""
    sigma, tensors = None, None
    if conductor is not None:
        sigma, tensors = conductor.sigma, conductor.tensors
    return content_key(
        package_key("rheobase.fields"),
        *head_parts(head, sigma=sigma, tensors=tensors),
        inputs.as_dict(),
        x,
        choice,
        *sources.key(),
    )


class _Work:
    """What is solved for in each sample."""

    def __init__(
        self,
        conductor: Conductor,
        sources: Sources,
        labels: dict[int, int],
        x: Floats,
        kept_labels: list[int] | None,
        rtol: float,
    ) -> None:
        self.conductor = conductor
        self.sources = sources
        self.x = x
        self.rtol = rtol
        self.kept = np.arange(len(conductor.split.node))
        if kept_labels is not None:
            self.kept = np.flatnonzero(np.isin(conductor.split.label, kept_labels))
        self.family = Family(conductor)
        self.sigma = np.tile(self.family.mean, (len(x), 1))
        for label, i in labels.items():
            self.sigma[:, np.searchsorted(self.family.labels, label)] = x[:, i]
        whole = conductor.recovery
        self.recovery = Recovery(
            rows=whole.rows[self.kept],
            patch=whole.patch[self.kept],
            weight=whole.weight[self.kept],
        )
        k, m = sources.mixing.shape
        self.potentials = [Recycled(self.family) for _ in range(m)]
        self.corrections = [Recycled(self.family) for _ in range(k)]

    def create(self, path: Path, key: str, inputs: Inputs) -> None:
        """Make the file with all its space and nothing solved."""
        import h5py

        mesh = self.conductor.mesh
        n, k = len(self.x), len(self.sources.names)
        path.parent.mkdir(parents=True, exist_ok=True)
        room_for(path, 12 * n * k * len(self.kept) + 24 * len(mesh.nodes) + 20 * len(mesh.tets))
        with whole_file(path) as part, h5py.File(part, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["key"] = key
            file.attrs["names"] = json.dumps(self.sources.names)
            file.attrs["unit"] = self.sources.unit
            file.attrs["inputs"] = json.dumps(inputs.as_dict())
            write_mesh(file, mesh)
            file["x"] = self.x
            file["kept"] = self.kept
            allocate(file, "E", (n, len(self.kept), k, 3), "float32")
            file["iterations"] = np.zeros(n, dtype=np.int64)
            file["residual"] = np.zeros(n)
            file["done"] = np.zeros(n, dtype=np.bool_)

    def go_on(self, path: Path) -> None:
        """Solve for what the file lacks."""
        import h5py

        try:
            file = h5py.File(path, "r+")
        except OSError as error:
            raise InputError(f"cannot go on with sampled fields: {error}: {path}") from None
        with file:
            missing = np.flatnonzero(~file["done"][:])
            waves = [missing[i : i + WAVE] for i in range(0, len(missing), WAVE)]
            for samples in track(waves, "sampling fields", total=len(waves)):
                self._solve(file, samples)

    def _solve(self, file: Any, samples: NDArray[np.intp]) -> None:
        """Solve for some samples and write them; only then are they done."""
        c, sources = self.conductor, self.sources
        k, m = sources.mixing.shape
        own = sources.of_solution()
        sigma = self.sigma[samples]
        b, contacts, singular = [], [], []
        for i, row in zip(samples.tolist(), sigma, strict=True):
            b.append(sources.loads(c, i, row))
            contacts.append(sources.contacts(c, i))
            singular += sources.singular(c, i)
        of_solution = [of_source[s] for of_source in contacts for s in own]
        V, cost = self._potential(
            self.potentials, np.concatenate(b), np.repeat(sigma, m, axis=0), of_solution
        )
        d = defects(c, V, singular, sigma=np.repeat(sigma, m, axis=0))
        W, more = self._potential(
            self.corrections,
            np.einsum("km,smn->skn", sources.mixing, d.reshape(len(samples), m, -1)).reshape(
                -1, d.shape[1]
            ),
            np.repeat(sigma, k, axis=0),
            [one for of_source in contacts for one in of_source],
        )
        W += np.einsum("km,smn->skn", sources.mixing, V.reshape(len(samples), m, -1)).reshape(
            W.shape
        )
        nodes = c.split.node[self.kept]
        for place, i in enumerate(samples.tolist()):
            E = -self.recovery.gradient(W[place * k : (place + 1) * k])
            E += sources.applied(i, nodes)
            file["E"][i] = E.swapaxes(0, 1)
        file["iterations"][samples] = cost[0] + more[0]
        file["residual"][samples] = np.maximum(cost[1], more[1])
        file.flush()
        file["done"][samples] = True
        file.flush()

    def _potential(
        self,
        recycled: Sequence[Recycled],
        b: Floats,
        sigma: Floats,
        contacts: Sequence[Any],
    ) -> tuple[Floats, tuple[NDArray[np.int64], Floats]]:
        """Solve for each right-hand side of each sample, from what earlier samples had.

        Returns the potentials, and of each sample the iterations and the largest residual.
        """
        kinds = [recycled[i % len(recycled)] for i in range(len(b))]
        x = np.stack([one.start(*row) for one, *row in zip(kinds, b, sigma, contacts, strict=True)])
        solves = self.family.solve(b, sigma, contacts=contacts, start=x, rtol=self.rtol)
        for one, solution in zip(kinds, x, strict=True):
            one.add(solution)
        shape = -1, len(recycled)
        iterations = np.array([s.iterations for s in solves]).reshape(shape).sum(axis=1)
        residual = np.array([s.residual for s in solves]).reshape(shape).max(axis=1)
        return x, (iterations, residual)
