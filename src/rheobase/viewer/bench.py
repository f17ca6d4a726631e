"""The device of a result on its head, with what is needed to solve for it again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.stations.kept_fields import lead_field_file, modes_file

if TYPE_CHECKING:
    from rheobase.config import Study
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.recovery import SplitNodes
    from rheobase.fields.solver import Conductor
    from rheobase.fields.targeting.modes import CoilModes
    from rheobase.meshes.head import Head
    from rheobase.meshes.locate import Locator
    from rheobase.meshes.placing.scalp import Scalp
    from rheobase.results import Result
    from rheobase.stations.placing import Placed

Floats = NDArray[np.float64]

MODES = 250  # of coils: about 0.3 % in the grey matter (docs/targeting.md)
TISSUES = ("grey_matter", "white_matter")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """A device that can be moved.

    Parameters
    ----------
    coil
        The coil in head coordinates; None for electrodes.
    dIdt
        Its rate of current (A/s).
    montages
        Electrodes and their currents (A); none for a coil.
    """

    coil: Coil | None = None
    dIdt: float = 1e6
    montages: tuple[Montage, ...] = ()

    @property
    def amplitudes(self) -> Floats:
        """Amplitude of each source: A/s of a coil, A of a montage, shape (k,)."""
        if self.coil is not None:
            return np.array([self.dIdt])
        return np.array([m.amplitude for m in self.montages])

    @property
    def electrodes(self) -> dict[str, Electrode]:
        """All electrodes by name."""
        return {e.name: e for m in self.montages for e in m.electrodes}


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A head with what is needed to solve for its device again; long parts on first use.

    Parameters
    ----------
    study
        The study that the result is of.
    placed
        Its device on its head.
    coil
        The coil in its own frame, None for electrodes.
    """

    study: Study
    placed: Placed
    coil: Coil | None

    @property
    def head(self) -> Head:
        """The head, without meshed electrodes."""
        return self.placed.head

    @property
    def rig(self) -> Rig:
        """The device as the study has it."""
        intensity = self.study.results.intensity_A_per_us or 1.0
        return Rig(
            coil=self.placed.coil, dIdt=1e6 * intensity, montages=tuple(self.placed.montages)
        )

    @cached_property
    def scalp(self) -> Scalp:
        """The scalp."""
        from rheobase.meshes.placing.scalp import Scalp

        return Scalp(self.head.mesh)

    @cached_property
    def conductor(self) -> Conductor:
        """The solver."""
        from rheobase.fields.solver import Conductor

        return Conductor(self.head, tensors=self.placed.tensors)

    @cached_property
    def split(self) -> SplitNodes:
        """The split nodes of the head."""
        from rheobase.fields.recovery import split_nodes

        return split_nodes(self.head.mesh)

    @cached_property
    def locator(self) -> Locator:
        """What finds the tetrahedron of a point."""
        from rheobase.meshes.locate import Locator

        return Locator(self.head.mesh)

    @cached_property
    def grey(self) -> NDArray[np.intp]:
        """The split nodes of the grey matter, shape (n,)."""
        from rheobase.stations.field import grey_label

        return np.flatnonzero(self.split.label == grey_label(self.head))

    @cached_property
    def volume(self) -> Floats:
        """Volume each split node stands for (m³), shape (n_split,)."""
        from rheobase.fields._basis_numba import split_volumes

        mesh = self.head.mesh
        found: Floats = split_volumes(mesh.volumes(), self.split.of_tet, len(self.split.node))
        return found

    def robust(self, strength: Floats) -> float:
        """Return the 99.9th percentile by volume of a strength in the grey matter, as studies do.

        Parameters
        ----------
        strength
            At the split nodes, shape (n_split,); 1 where it is known nowhere in the grey matter.
        """
        from rheobase.meshes.regions.statistics import weighted_percentiles

        known = self.grey[np.isfinite(strength[self.grey])]
        if not len(known):
            return 1.0
        return float(weighted_percentiles(strength[known], self.volume[known], 99.9))

    @property
    def kept(self) -> Path:
        """The file of the prepared responses, whether it is there or not."""
        from rheobase.fields.leadfield_solve import all_places

        head, tensors = self.head, self.placed.tensors
        if self.coil is not None:
            return modes_file(head, self.tissues, MODES, tensors)
        return lead_field_file(head, all_places(head), self.tissues, tensors)

    @property
    def tissues(self) -> list[str]:
        """Tissues that prepared responses are kept for."""
        have = [t.name for t in self.head.tissues.values()]
        return [t for t in TISSUES if t in have] or have[:1]

    def prepare(self) -> None:
        """Solve for the responses that moves are then made of, unless they are kept already."""
        if self.coil is None:
            from rheobase.fields.leadfield_solve import lead_field

            lead_field(self.head, self.kept, tissues=self.tissues, conductor=self.conductor)
        else:
            from rheobase.fields.targeting.modes_solve import coil_modes

            coil_modes(
                self.head,
                self.kept,
                tissues=self.tissues,
                modes=MODES,
                conductor=self.conductor,
            )

    @property
    def prepared(self) -> bool:
        """Whether the responses are kept."""
        return self.kept.is_file() and self.responses is not None

    @property
    def responses(self) -> LeadField | CoilModes | None:
        """The kept responses, None where there are none or not all of them."""
        if "_responses" not in self.__dict__ and self.kept.is_file():
            try:
                self.__dict__["_responses"] = self._load()
            except InputError:
                return None
        found: LeadField | CoilModes | None = self.__dict__.get("_responses")
        return found

    def _load(self) -> LeadField | CoilModes:
        from rheobase.fields.leadfield import load_lead_field
        from rheobase.fields.targeting.modes import load_coil_modes

        found: LeadField | CoilModes = (
            load_lead_field(self.kept) if self.coil is None else load_coil_modes(self.kept)
        )
        mesh = self.head.mesh
        if not (
            np.array_equal(found.mesh.nodes, mesh.nodes)
            and np.array_equal(found.mesh.tets, mesh.tets)
            and np.array_equal(found.mesh.labels, mesh.labels)
        ):
            raise InputError(f"expected the responses of this head, delete the file: {self.kept}")
        return found


def field_study(result: Result) -> Study:
    """Return the study of a result of coils or electrodes.

    Raises
    ------
    InputError
        If it is of another kind.
    """
    from rheobase.config import Study
    from rheobase.study_file import load_study

    study = load_study(result.out).study
    if not isinstance(study, Study):
        raise InputError(
            "expected a field study (tms, tes or ti) to move its device in, got another kind: "
            f"{result.out}"
        )
    return study


def open_bench(result: Result) -> Bench:
    """Return the head and the device of a result, ready to be moved.

    Raises
    ------
    InputError
        If the result is of another kind of study, or as `bench_of`.
    """
    return bench_of(field_study(result))


def bench_of(study: Study) -> Bench:
    """Return the head and the device of a study, ready to be moved.

    Raises
    ------
    InputError
        If the layers of its electrodes are meshed: they would have to be meshed again at every
        move; or where the study does not fit its head.
    """
    from rheobase.stations.head import open_head
    from rheobase.stations.inputs import open_inputs
    from rheobase.stations.placing import place_device

    inputs = open_inputs(study)
    placed = place_device(study, open_head(study.head), inputs)
    if placed.meshed is not None:
        raise InputError(
            "expected electrodes of model 'complete' or 'ideal' to move them, got 'meshed'"
        )
    return Bench(study=study, placed=placed, coil=inputs.coil)
