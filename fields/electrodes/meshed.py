"""Electrodes whose layers are bodies in the mesh.

Gel, sponge and rubber are inserted above the skin; the metal lies on top of the last layer, on all
of it or on a connector, and has one voltage. So current may spread along the layers, which the
complete electrode model leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import OVERHANG, Pad, check_apart, lay, lay_montage, pad_on
from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.head import Head
from rheobase.meshes.insertion.bodies import Body, Coat, pad
from rheobase.meshes.insertion.insert import Inserted, insert_into_head
from rheobase.meshes.placing.cover import cover
from rheobase.meshes.placing.scalp import Frame, Scalp
from rheobase.meshes.tissues import Tissue, tissue

#: Conductance of the metal per area (S/m²): it has one voltage within 1 µV at 1 A/m².
METAL = 1e6
#: A face of the last layer is its top where it looks away from the scalp within 45 degrees.
UPWARDS = 0.7071
#: Labels of layers begin here; 500 is that of gel and sponge in a head.
FIRST_LABEL = 501


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshedElectrodes:
    """A head with the layers of electrodes in its mesh.

    Parameters
    ----------
    head
        The head, layers included.
    electrodes
        The electrodes whose layers are meshed, by name.
    pads
        Where the metal of each is, by name.
    inserted
        What was kept of the mesh, and the tetrahedra of each layer ("C3 gel").
    """

    head: Head
    electrodes: Mapping[str, Electrode]
    pads: Mapping[str, Pad]
    inserted: Inserted

    @cached_property
    def scalp(self) -> Scalp:
        """The outer surface, layers included."""
        return Scalp(self.head.mesh)

    def lay(self, montage: Montage) -> list[Pad]:
        """Return the pads of a montage in this mesh.

        Raises
        ------
        InputError
            If the layers of an electrode that should be meshed are not.
        """
        pads = []
        for e in montage.electrodes:
            if e.model != "meshed":
                pads.append(lay(e, self.scalp))
            elif e.name in self.pads and _same(e, self.electrodes[e.name]):
                pads.append(self.pads[e.name])
            else:
                raise InputError(
                    f"expected electrodes whose layers are in the mesh, {', '.join(self.pads)}, "
                    f"got electrode {e.name!r}: montage {montage.name!r}"
                )
        return pads


def mesh_electrodes(
    head: Head, montages: Sequence[Montage] | Montage, *, edge_length: float | None = None
) -> MeshedElectrodes:
    """Insert the layers of all electrodes whose model is "meshed".

    Parameters
    ----------
    head
        A head that knows the lattice of its mesh: one made from an image.
    montages
        One montage or several. They may share electrodes: the same name, place and layers.
    edge_length
        Wanted mean edge in the layers (m); half of the thinnest layer of each electrode if None.

    Raises
    ------
    InputError
        If an electrode is off the head, two overlap, no layer is to be meshed, or the head does
        not know its lattice.
    """
    montages = [montages] if isinstance(montages, Montage) else list(montages)
    scalp = Scalp(head.mesh)
    chosen: dict[str, Electrode] = {}
    laid: dict[str, Pad] = {}
    for montage in montages:
        for e, bare in zip(montage.electrodes, lay_montage(montage, scalp), strict=True):
            if e.model != "meshed":
                continue
            if not _same(e, chosen.setdefault(e.name, e)):
                raise InputError(f"two different electrodes to be meshed are called {e.name!r}")
            laid[e.name] = bare
    if not chosen:
        raise InputError("expected an electrode of model 'meshed', got none")
    electrodes = list(chosen.values())
    check_apart(electrodes, list(laid.values()), scalp, where="electrodes to be meshed")
    tissues = _tissues(head, electrodes)
    label = {t.name: t.label for t in tissues.values()}
    bodies: dict[str, tuple[Body, ...]] = {}
    for e in electrodes:
        frame = scalp.frame(e.centre, where=f"electrode {e.name!r}", limit=e.limit_mm * 1e-3)
        coats = [
            Coat(
                name=one.name,
                label=label[_material(one.name, one.sigma)],
                thickness_mm=one.thickness_mm,
                outline=one.shape,
            )
            for one in e.layers
        ]
        bodies[e.name] = pad(
            scalp,
            frame.origin,
            e.shape,
            coats,
            name=e.name,
            edge_length=edge_length,
            rotation_deg=float(np.rad2deg(e.angle(frame))),
        )
    with_layers, inserted = insert_into_head(
        head, [b for own in bodies.values() for b in own], tissues
    )
    outer, tet = with_layers.mesh.outer_faces()
    return MeshedElectrodes(
        head=with_layers,
        electrodes=chosen,
        pads={
            e.name: _metal(
                e, e.frame(scalp), [b.name for b in bodies[e.name]], inserted, outer, tet
            )
            for e in electrodes
        },
        inserted=inserted,
    )


def _same(a: Electrode, b: Electrode) -> bool:
    """Return whether two electrodes of one name are the same."""
    a_to, b_to = (np.full(3, np.nan) if e.towards is None else e.towards for e in (a, b))
    return a is b or (
        np.array_equal(a.centre, b.centre)
        and np.array_equal(a_to, b_to, equal_nan=True)
        and (a.shape, a.layers, a.model, a.rotation_deg, a.connector)
        == (b.shape, b.layers, b.model, b.rotation_deg, b.connector)
    )


def _material(name: str, sigma: float) -> str:
    return f"{name} of {sigma:g} S/m"


def _tissues(head: Head, electrodes: Sequence[Electrode]) -> dict[int, Tissue]:
    """Return the tissue of each material of the layers by label."""
    known = {t.name: t for t in head.tissues.values()}
    free = (label for label in count(FIRST_LABEL) if label not in head.tissues)
    made: dict[str, Tissue] = {}
    for e in electrodes:
        for one in e.layers:
            name = _material(one.name, one.sigma)
            if name not in made:
                made[name] = known.get(name) or replace(
                    tissue("saline_gel").with_value(
                        "conductivity", one.sigma, source="layer of an electrode"
                    ),
                    name=name,
                    label=next(free),
                )
    return {t.label: t for t in made.values()}


def _metal(
    electrode: Electrode,
    frame: Frame,
    layers: Sequence[str],
    inserted: Inserted,
    outer: NDArray[np.int32],
    tet: NDArray[np.int64],
) -> Pad:
    """Return the pad of the metal on top of the last layer.

    Parameters
    ----------
    electrode, frame
        The electrode and its place on the bare scalp.
    layers
        Names of its bodies.
    inserted
        The mesh with them.
    outer, tet
        Outer triangles of the mesh and the tetrahedron of each.
    """
    mesh = inserted.mesh
    faces = outer[np.isin(tet, inserted.bodies[layers[-1]])]
    corner = mesh.nodes[faces]
    normal = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normal, axis=1)
    scalp = frame.scalp
    near, _ = frame.within(1.5 * electrode.shape.reach + 2 * scalp.edge)
    skin = SurfaceTree.of_triangles(scalp.nodes[scalp.triangles[near]])
    feet = skin.nearest(corner.reshape(-1, 3)).reshape(-1, 3, 3)
    height = np.linalg.norm(corner - feet, axis=2)
    up = (corner - feet).sum(axis=1)
    last = electrode.layers[-1].thickness_mm * 1e-3
    above = sum(one.thickness_mm for one in electrode.layers) * 1e-3 - 0.5 * last
    top = (up * normal).sum(axis=1) > UPWARDS * area * np.linalg.norm(up, axis=1)
    top &= height.min(axis=1) > above  # at its rim a layer may slope down to the skin
    faces, area = faces[top], area[top]
    uv = frame.coordinates(feet[top].reshape(-1, 3)).reshape(-1, 3, 2)
    connector = electrode.connector
    covered = cover(
        area, uv, (lambda p: -np.ones(len(p))) if connector is None else connector.outside
    )
    nodes, m, M = pad_on(faces, covered)
    wanted = (connector or electrode.layers[-1].shape or electrode.shape).area
    if not m.sum() > (1 - OVERHANG) * wanted:
        raise InputError(
            f"the top of the layers carries {m.sum() * 1e4:.2f} of {wanted * 1e4:.2f} cm² "
            f"of metal: electrode {electrode.name!r}"
        )
    own = np.zeros(len(mesh.tets), np.bool_)
    own[np.concatenate([inserted.bodies[name] for name in layers])] = True
    inside = np.zeros(len(mesh.nodes), np.bool_)
    inside[mesh.tets[own]] = True
    inside[mesh.tets[~own]] = False
    return Pad(
        name=electrode.name,
        model="meshed",
        nodes=nodes,
        m=m,
        M=M,
        g=METAL,
        coverage={},
        enclosed=np.flatnonzero(inside).astype(np.int32),
    )
