"""Compare the models of an electrode: pads of 5 x 7 cm on a sphere and a head, discs with gel.

Run as ``python benchmarks/electrodes.py sphere`` (pads on the three-layer sphere, 4.5 mm) or
``python benchmarks/electrodes.py [HEAD.h5]``: pads and a 4x1 ring on a saved head (made from an
image, so that it knows its lattice), or on the coarse default head. CPU seconds.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.basis import FieldBasis
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Model, layer, place_electrode
from rheobase.fields.electrodes.meshed import MeshedElectrodes, mesh_electrodes
from rheobase.fields.electrodes.montage import Montage, montage_4x1
from rheobase.meshes.head import Head
from rheobase.meshes.heads.mni152 import build
from rheobase.meshes.insertion.bodies import Coat, pad
from rheobase.meshes.insertion.insert import insert_into_head
from rheobase.meshes.placing.outlines import Disc, Outline, Rectangle
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.store import load_head
from rheobase.validation.electrodes import sphere_head

SPONGE = (layer("sponge"), layer("rubber"))
GEL = (layer("gel", thickness_mm=2.0),)


def pads(head: Head, model: Model, connector: Outline | None = None) -> Montage:
    """Return two pads of 5 x 7 cm, 5 mm of sponge under 2 mm of rubber, 2 mA."""
    return Montage(
        name="C3-Fp2",
        electrodes=tuple(
            place_electrode(
                head,
                name,
                shape=Rectangle(width_mm=50, height_mm=70),
                layers=SPONGE,
                model=model,
                towards="Cz" if name == "C3" else None,
                connector=connector,
            )
            for name in ("C3", "Fp2")
        ),
        currents=(2e-3, -2e-3),
    )


def discs(head: Head, model: Model) -> Montage:
    """Return a 4x1 ring around C3: discs of 6 mm radius on 2 mm of gel, 2 mA."""
    return montage_4x1(head, centre="C3", current=2e-3, layers=GEL, model=model)


def refined(head: Head, montage: Montage) -> Head:
    """Return the head with the outer 2 mm of the scalp under the electrodes as fine as layers.

    What changes between a pad on this and on the head as it is comes from the mesh.
    """
    scalp, label = Scalp(head.mesh), head.label_of("scalp")
    skin = [Coat(name="skin", label=label, thickness_mm=2.0)]
    bodies = [
        replace(body, only_in=(label,))
        for e in montage.electrodes
        for body in pad(
            scalp,
            e.centre,
            e.shape,
            skin,
            name=e.name,
            rotation_deg=float(np.rad2deg(e.angle(scalp.frame(e.centre, where=e.name)))),
        )
    ]
    return insert_into_head(head, bodies, {})[0]


def strength(basis: FieldBasis, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E (V/m) at 2 mA at points, shape (n, 3)."""
    field: NDArray[np.float64] = 2e-3 * basis.at(points)[0][0]
    return field


def compare(head: Head, title: str, variants: dict[str, Montage]) -> None:
    """Solve each variant and print it beside the first one, which has a fine skin."""
    grey = head.mesh.labels == head.label_of("grey_matter")
    points, weight = head.mesh.centroids()[grey], head.mesh.volumes()[grey]
    first = None
    print(title)
    for name, montage in variants.items():
        start = time.process_time()
        meshed = montage.electrodes[0].model == "meshed"
        place: Head | MeshedElectrodes = mesh_electrodes(head, montage) if meshed else head
        if name.endswith("fine skin"):
            place = refined(head, montage)
        inserting = time.process_time() - start
        basis = solve_conduction(place, montage)
        solving = time.process_time() - start - inserting
        E = strength(basis, points)
        size = np.linalg.norm(E, axis=1)
        first = E if first is None else first
        order = np.argsort(size)
        share = np.cumsum(weight[order]) / weight.sum()
        median, high = (size[order][np.searchsorted(share, q)] for q in (0.5, 0.99))
        apart = np.sqrt(weight @ ((E - first) ** 2).sum(1) / (weight @ (first**2).sum(1)))
        report = basis.report[0]
        print(
            f"  {name}: {report.impedance:.1f} ohm, grey median {median:.4f}, 99 % {high:.4f} V/m, "
            f"apart from the first {100 * apart:.2f} %; delivered {report.mismatch:.0e} off, "
            f"{report.iterations} iterations, {len(basis.mesh.tets):,} tetrahedra, "
            f"inserting {inserting:.0f} s, solving {solving:.0f} s",
            flush=True,
        )


def main() -> None:
    """Run both comparisons."""
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "sphere":
        head = sphere_head(4.5e-3)
    else:
        head = load_head(what) if what else build(resolution="coarse")
    compare(
        head,
        "pads of 5 x 7 cm, 5 mm of sponge under 2 mm of rubber",
        {
            "complete, fine skin": pads(head, "complete"),
            "complete": pads(head, "complete"),
            "ideal, fine skin": pads(head, "ideal"),
            "meshed, metal on all of the rubber": pads(head, "meshed"),
            "meshed, connector of 5 mm radius": pads(head, "meshed", Disc(radius_mm=5)),
        },
    )
    if what == "sphere":
        return
    compare(
        head,
        "4x1, discs of 6 mm radius on 2 mm of gel",
        {
            "complete, fine skin": discs(head, "complete"),
            "complete": discs(head, "complete"),
            "ideal, fine skin": discs(head, "ideal"),
            "meshed": discs(head, "meshed"),
        },
    )


if __name__ == "__main__":
    main()
