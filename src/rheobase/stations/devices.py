"""The field of a placed device: solved for or from the cache, and the quantity that is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._kept import kept, kept_path
from rheobase.config import Study
from rheobase.stations.kept_fields import CODE
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TI

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.pads import Pad
    from rheobase.meshes.head import Head
    from rheobase.stations.placing import Placed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Device:
    """A device on a head and its field.

    Parameters
    ----------
    head
        The head whose mesh the field is on.
    basis
        Field of each unit source.
    amplitudes
        Amplitude of each source in the unit of the basis, shape (k,).
    quantities
        What is written of the field, by name: values at the split nodes (V/m), shape (n_split,) or
        (n_split, 3).
    strength
        The one that is drawn and tabulated (V/m), shape (n_split,).
    name, at
        Its name in words, and at which intensity it is ("" where the study has but one).
    """

    head: Head
    basis: FieldBasis
    amplitudes: Floats
    quantities: dict[str, Floats]
    strength: Floats
    name: str
    at: str


def solve_device(study: Study, placed: Placed) -> Device:
    """Solve for the unit sources of a placed device, unless the cache has them."""
    return device_of(study, placed, _cached(placed, lambda: _solve(placed)))


def device_of(study: Study, placed: Placed, basis: FieldBasis) -> Device:
    """Return a placed device with the field of its unit sources, at the amplitudes of a study."""
    amplitudes, quantities, name, at = _quantities(study, placed, basis)
    first = next(iter(quantities.values()))
    return Device(
        head=placed.head,
        basis=basis,
        amplitudes=amplitudes,
        quantities=quantities,
        strength=first if first.ndim == 1 else np.linalg.norm(first, axis=1),
        name=name,
        at=at,
    )


def _solve(placed: Placed) -> FieldBasis:
    from rheobase.fields.conduction import solve_conduction
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.solver import Conductor

    if placed.coil is not None:
        conductor = Conductor(placed.head, tensors=placed.tensors)
        return solve_induction(conductor, placed.coil, allow_intersection=True)  # as it was placed
    head = placed.meshed or placed.head
    return solve_conduction(head, placed.montages, tensors=placed.tensors)


def _quantities(
    study: Study, placed: Placed, basis: FieldBasis
) -> tuple[Floats, dict[str, Floats], str, str]:
    """Return the amplitudes, what is written, the name of its first in words, and its intensity."""
    table = study.device
    if isinstance(table, TMS):
        intensity = study.results.intensity_A_per_us or 1.0
        a = np.array([intensity * 1e6])
        return a, {"E": basis.combine(a)}, "E magnitude", f"{intensity:g} A/µs"
    a = np.array([m.amplitude for m in placed.montages])
    if not isinstance(table, TI):
        return a, {"E": basis.combine(a)}, "E magnitude", ""
    from rheobase.fields.interference import carrier_max, envelope_along, envelope_max

    carriers = table.carriers()
    fields = a[:, None, None] * basis.E
    name = "TI envelope, peak to peak, "
    if table.direction is None:
        name += "strongest direction"
        quantities = {"maxTI": envelope_max(fields, carriers)}
    else:
        name += "along " + ", ".join(f"{c:g}" for c in table.direction)
        quantities = {"TI": envelope_along(fields, table.direction, carriers)}
    return a, quantities | {"max_carrier": carrier_max(fields, carriers)}, name, ""


def field_file(placed: Placed) -> Path:
    """Return where the cache has, or would have, the field of a placed device.

    The key is made of what the solution is made of: the code, the mesh and its conductivities, the
    elements of the coil or the integrals of the pads. Which file or which words of the study they
    came from does not matter; options that a person gave PETSc do.
    """
    from rheobase.fields.keys import head_parts
    from rheobase.fields.petsc_options import given

    head = placed.head
    parts = head_parts(head, tensors=placed.tensors)
    if placed.coil is not None:
        parts += _coil_parts(placed.coil)
    for montage, pads in zip(placed.montages, placed.pads, strict=True):
        split = [round(current / montage.amplitude, 12) for current in montage.currents]
        parts += [montage.name, split, *_pad_parts(pads)]  # solved for 1 A in all
    kind = "electrodes" if placed.coil is None else "coil"
    name = f"{head.name}-{kind}"
    return kept_path("fields", name, *given(), *parts, code=CODE, extension=".h5")


def _cached(placed: Placed, solve: Callable[[], FieldBasis]) -> FieldBasis:
    """Return the basis from the cache, or solve and keep it."""
    from rheobase.fields.basis import load_basis

    return kept(
        field_file(placed),
        solve,
        load=lambda path: load_basis(path, placed.head.mesh),
        save=lambda path, basis: basis.save(path),
    )


def _coil_parts(coil: Coil) -> list[Any]:
    arrays = [coil.positions, coil.segments, coil.dipoles, coil.moments]
    for one in coil.sampled:
        arrays += [one.values, one.affine, one.pose]
    return [coil.name, *arrays]


def _pad_parts(pads: tuple[Pad, ...]) -> list[Any]:
    parts: list[Any] = []
    for pad in pads:
        parts += [[pad.name, pad.model, pad.g], pad.nodes, pad.m, pad.M.indices, pad.M.data]
    return parts
