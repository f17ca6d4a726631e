"""The device on the head: every check that needs the mesh, before the conductor is assembled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.scenes.device import coil_layers, electrode_layers
from rheobase.scenes.scene import Layer
from rheobase.tables.base import metres
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI, PadTable, Turned
from rheobase.tables.head import HeadTable

if TYPE_CHECKING:
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.meshed import MeshedElectrodes
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.electrodes.pads import Pad
    from rheobase.fields.tensors import Tensors
    from rheobase.meshes.head import Head
    from rheobase.stations.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A device on a head, checked and not yet solved for.

    Parameters
    ----------
    head
        The head, the meshed layers of electrodes included.
    tensors
        Its anisotropy, None where it is isotropic.
    coil
        The coil in head coordinates, None for electrodes.
    montages, pads
        Montages and the laid electrodes of each; none for a coil.
    meshed
        The head with its meshed layers as the solver wants it, None without such.
    layers
        The device as it is drawn.
    view
        Unit vector from the head's centre to where the device is best seen from.
    notes
        What a reader must know of it.
    """

    head: Head
    tensors: Tensors | None = None
    coil: Coil | None = None
    montages: tuple[Montage, ...] = ()
    pads: tuple[tuple[Pad, ...], ...] = ()
    meshed: MeshedElectrodes | None = None
    layers: tuple[Layer, ...]
    view: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def place_device(study: Study, head: Head, inputs: Inputs) -> Placed:
    """Put the device of a study on a head.

    Raises
    ------
    InputError
        If a place is not known or off the head, electrodes overlap, a coil reaches into the head,
        a tensor is not positive definite, or results are asked for that the head does not allow.
    """
    _check_results(study, head, inputs)
    with stage("placing the device"):
        if isinstance(study.device, TMS):
            assert inputs.coil is not None  # open_inputs
            return _coil_on(study, study.device, inputs.coil, head, inputs)
        return _electrodes_on(study, study.device, head, inputs)


def _check_results(study: Study, head: Head, inputs: Inputs) -> None:
    """Refuse MNI images, regions and atlases that this head has no place for."""
    from rheobase.meshes.spaces import is_mni

    known = head.mni is not None or is_mni(head.space)
    needs = [r.name for r in study.results.regions if r.mni_mm is not None]
    if study.results.atlas_space == "MNI":
        needs.append(f"atlas {inputs.atlas.name!r}" if inputs.atlas else "atlas")
    if study.results.mni:
        needs.append("mni = true")
    if needs and not known:
        raise InputError(
            f"no transform between MNI and space {head.space!r}, needed by {', '.join(needs)}: "
            f"[results], head {head.name!r}"
        )
    if "nifti" in study.results.formats:
        from rheobase.fields.results.nifti import head_grid

        try:
            head_grid(head, study.results.voxel_mm)
        except InputError as error:
            raise InputError(f"{error}: results.voxel_mm") from None
    for region in inputs.regions:
        if not region.tets(head).any():
            raise InputError(f"region {region.name!r} holds nothing of head {head.name!r}")


def _tensors_of(table: HeadTable, head: Head, inputs: Inputs, notes: list[str]) -> Tensors | None:
    """Return the anisotropy of the head, None without any, and note where it is."""
    if inputs.tensors is None or table.tensors is None:
        return None
    from rheobase.fields.anisotropy import conductivity_tensors

    asked = table.tensors
    found = conductivity_tensors(
        head,
        inputs.tensors,
        tissues=asked.tissues,
        mapping=asked.mapping,
        largest_ratio=asked.largest_ratio,
        mend=asked.mend,
    )
    wanted = np.isin(head.mesh.labels, [head.label_of(name) for name in asked.tissues]).sum()
    notes.append(
        f"{', '.join(asked.tissues)} conduct anisotropically ({asked.mapping}, {asked.file.name}): "
        f"{len(found.tets) / wanted:.0%} of their tetrahedra have a tensor."
    )
    return found


def _coil_on(study: Study, table: TMS, coil: Coil, head: Head, inputs: Inputs) -> Placed:
    from rheobase.fields.coils.placing import place_coil, stand
    from rheobase.meshes.placing.scalp import Scalp

    pose = table.pose()
    if pose is not None:
        placed = stand(coil, Scalp(head.mesh), pose, contact=table.contact)
    else:
        spot = table.where if table.space == "head" else head.from_mni(table.where)[0]
        target = None if table.target_mm is None else metres(table.target_mm)
        if table.target_mni_mm is not None:
            target = head.from_mni(metres(table.target_mni_mm))[0]
        given = {
            "handle_angle_deg": table.handle_angle_deg,
            "handle_towards": table.handle_towards,
            "distance_mm": table.distance_mm,
        }
        options: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        if table.handle_towards_mm is not None:
            options["handle_towards"] = metres(table.handle_towards_mm)
        placed = place_coil(
            coil,
            head,
            position=spot if target is None else None,
            target=target,
            contact=table.contact,
            **options,
        )
    for one in placed.sampled:
        one.at(head.mesh.nodes, where=f"coil {coil.name!r}")  # refused where it covers no node
    notes = list(placed.notes)
    most = placed.dIdt_max
    if most is not None and table.intensities_A_per_us.stop * 1e6 > most:
        notes.append(
            f"Intensities go up to {table.intensities_A_per_us.stop:g} A/µs; the stimulator of "
            f"coil {coil.name!r} gives at most {most * 1e-6:g} A/µs."
        )
    tensors = _tensors_of(study.head, head, inputs, notes)
    return Placed(
        head=head,
        tensors=tensors,
        coil=placed,
        layers=tuple(coil_layers(placed)),
        view=direction_to(head, placed.pose[:3, 3]),
        notes=tuple(notes),
    )


def _electrodes_on(study: Study, table: TES | TI, head: Head, inputs: Inputs) -> Placed:
    from rheobase.fields.electrodes.meshed import mesh_electrodes
    from rheobase.fields.electrodes.pads import check_apart, lay_montage
    from rheobase.meshes.placing.scalp import Scalp

    montages = montages_of(head, table)
    scalp = Scalp(head.mesh)
    pads = [lay_montage(m, scalp) for m in montages]
    every = [e for m in montages for e in m.electrodes]
    if len(montages) > 1:
        check_apart(every, [p for laid in pads for p in laid], scalp, where="device.pairs")
    layers = electrode_layers(head, montages)
    view = direction_to(head, np.mean([e.centre for e in every], axis=0))
    meshed = None
    if any(e.model == "meshed" for e in every):
        meshed = mesh_electrodes(head, montages)
        head, pads = meshed.head, [meshed.lay(m) for m in montages]
    notes: list[str] = []
    tensors = _tensors_of(study.head, head, inputs, notes)
    return Placed(
        head=head,
        tensors=tensors,
        montages=tuple(montages),
        pads=tuple(map(tuple, pads)),
        meshed=meshed,
        layers=tuple(layers),
        view=view,
        notes=tuple(notes),
    )


def montages_of(head: Head, table: TES | TI) -> list[Montage]:
    """Return the montages of a study's electrodes."""
    from rheobase.fields.electrodes.montage import Montage, montage_4x1

    if isinstance(table, TI):
        montages = []
        for pair in table.pairs:
            ends = [_electrode(head, pair, end) for end in (pair.anode, pair.cathode)]
            current = pair.current_mA * 1e-3
            montages.append(
                Montage(
                    name="-".join(e.name for e in ends),
                    electrodes=tuple(ends),
                    currents=(current, -current),
                )
            )
        return montages
    if table.montage_4x1 is not None:
        hd = table.montage_4x1
        return [
            montage_4x1(
                head,
                centre=hd.centre,
                current=hd.current_mA * 1e-3,
                ring=hd.ring or (hd.ring_mm or 50.0) * 1e-3,
                rotation_deg=hd.rotation_deg or 0.0,
                shape=hd.outline(),
                layers=[one.make() for one in hd.layers],
                model=hd.model,
            )
        ]
    electrodes = table.electrodes or []
    return [
        Montage(
            name="-".join(e.name for e in electrodes),
            electrodes=tuple(_electrode(head, e, e, name=e.name) for e in electrodes),
            currents=tuple(e.current_mA * 1e-3 for e in electrodes),
        )
    ]


def _electrode(head: Head, pad: PadTable, place: Turned, *, name: str | None = None) -> Electrode:
    from rheobase.fields.electrodes.electrode import MNI_LIMIT_MM, place_electrode

    mni = place.space == "MNI"
    towards = place.towards if place.towards_mm is None else metres(place.towards_mm)
    return place_electrode(
        head,
        head.from_mni(place.where)[0] if mni else place.where,
        name=name,
        shape=pad.outline(),
        layers=[one.make() for one in pad.layers],
        model=pad.model,
        rotation_deg=place.rotation_deg,
        towards=towards,
        limit_mm=MNI_LIMIT_MM if mni else None,
    )


def direction_to(head: Head, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector from the middle of the head towards a point."""
    middle = (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    towards: NDArray[np.float64] = point - middle
    size = np.linalg.norm(towards)
    return towards / size if size > 1e-3 else np.array([0.0, 0.3, 1.0]) / np.hypot(0.3, 1.0)
