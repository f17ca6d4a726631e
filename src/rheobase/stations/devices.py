"""From the device table of a study to its field basis and what a picture needs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import cache_dir, content_key, keep, package_key
from rheobase.config import TES, TI, TMS

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.meshes.head import Head

Scene = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Device:
    """A device on a head.

    Parameters
    ----------
    basis
        Field of each unit source.
    scene
        Lines and patches that draw the device, named as :func:`rheobase._render.render` wants.
    view
        Unit vector from the head's centre to where the device is best seen from.
    notes
        What a reader must know of it.
    """

    basis: FieldBasis
    scene: Scene
    view: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def _cached_basis(head: Head, table: TMS | TES | TI, solve: Callable[[], FieldBasis]) -> FieldBasis:
    """Return the basis from the cache, or solve and keep it."""
    from rheobase.fields.basis import load_basis

    mesh = head.mesh
    key = content_key(
        package_key("rheobase.fields"),
        mesh.nodes.tobytes(),
        mesh.tets.tobytes(),
        mesh.labels.tobytes(),
        {t.name: [label, t.sigma] for label, t in head.tissues.items()},
        {name: list(map(float, p)) for name, p in head.positions.items()},
        table.model_dump(mode="json"),
    )
    path = cache_dir() / "fields" / f"{head.name}-{table.kind}-{key}.h5"
    if path.is_file():
        try:
            return load_basis(path)
        except InputError:  # damaged: solve anew
            path.unlink(missing_ok=True)
    basis = solve()
    keep(path, basis.save)
    return basis


def _direction(head: Head, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector from the middle of the head to the middle of ``points``."""
    middle = (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    towards = points.mean(axis=0) - middle
    size = np.linalg.norm(towards)
    return towards / size if size > 1e-3 else np.array([0.0, 0.3, 1.0]) / np.hypot(0.3, 1.0)


def pads_of(head: Head, table: TES | TI) -> list[Any]:
    """Return the montages of a study's electrodes (`Montage`)."""
    from rheobase.fields.electrodes.electrode import layer, place_electrode
    from rheobase.fields.electrodes.montage import Montage, montage_1x1
    from rheobase.meshes.placing.outlines import Disc, Rectangle

    if isinstance(table, TI):
        return [
            montage_1x1(
                head,
                anode=p.anode,
                cathode=p.cathode,
                current=p.current_mA * 1e-3,
                shape=Disc(radius_mm=p.radius_mm),
            )
            for p in table.pairs
        ]
    pads = [
        place_electrode(
            head,
            e.position,
            name=e.name,
            shape=Disc(radius_mm=e.radius_mm)
            if e.shape == "disc"
            else Rectangle(width_mm=e.size_mm[0], height_mm=e.size_mm[1]),
            rotation_deg=e.rotation_deg,
            layers=[layer(e.contact)],
        )
        for e in table.electrodes
    ]
    return [
        Montage(
            name="-".join(e.name for e in table.electrodes),
            electrodes=tuple(pads),
            currents=tuple(e.current_mA * 1e-3 for e in table.electrodes),
        )
    ]


def electrodes_on(head: Head, table: TES | TI) -> Device:
    """Lay the electrodes on the head and solve for a unit current of each montage."""
    from rheobase.fields.conduction import solve_conduction
    from rheobase.fields.electrodes.pads import lay_montage
    from rheobase.meshes.placing.scalp import Scalp

    montages = pads_of(head, table)
    scalp = Scalp(head.mesh)
    scene: Scene = {}
    centres = []
    for montage in montages:
        for pad, electrode, current in zip(
            lay_montage(montage, scalp), montage.electrodes, montage.currents, strict=True
        ):
            covered = np.array([t for t, f in pad.coverage.items() if f > 0.5])
            name = f"{montage.name} {electrode.name}"
            scene[f"patch_{name}"] = head.mesh.nodes[scalp.triangles[covered]]
            scene[f"colour_{name}"] = np.array(
                [0.84, 0.37, 0.0] if current > 0 else [0.0, 0.45, 0.70]
            )
            centres.append(electrode.centre)
    basis = _cached_basis(head, table, lambda: solve_conduction(head, montages))
    return Device(basis=basis, scene=scene, view=_direction(head, np.array(centres)))


def coil_on(head: Head, table: TMS) -> Device:
    """Place the coil on the head and solve for 1 A/s of coil current."""
    from rheobase.fields.coils.placing import place_coil
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.induction import solve_induction

    placed = place_coil(
        coil(table.coil),
        head,
        position=table.position,
        handle_angle_deg=table.handle_angle_deg,
        distance_mm=table.distance_mm,
    )
    scene: Scene = {}
    for k, line in enumerate(placed.lines()):
        scene[f"line_{k}"] = line
        scene[f"colour_{k}"] = np.array([0.72, 0.45, 0.20])
    basis = _cached_basis(head, table, lambda: solve_induction(head, placed))
    return Device(
        basis=basis, scene=scene, view=_direction(head, head.position(table.position)[None, :])
    )


def device_on(head: Head, table: TMS | TES | TI) -> Device:
    """Put the device of a study on a head and solve for its unit sources."""
    return coil_on(head, table) if isinstance(table, TMS) else electrodes_on(head, table)
