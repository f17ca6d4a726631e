"""The heat of a sonication, and the exposure beside the levels of the consensus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.report import Table

if TYPE_CHECKING:
    from rheobase.fields.acoustics.safety import SafetyTable
    from rheobase.fields.heat.deposit import Deposit
    from rheobase.fields.heat.result import Heating
    from rheobase.stations.fus_focus import Focused
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard
    from rheobase.tables.fus_effect import HeatTable

Floats = NDArray[np.float64]

BEAM = 10**-1.2  # of the largest intensity at the bone (-12 dB): the beam's area there
WIDE = 1.5  # times the -6 dB width: the radius of the finer mesh around the axis


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Warmed:
    """Heat in the head.

    Parameters
    ----------
    heating
        Temperature and dose.
    deposit
        What the sound leaves in the mesh.
    probes
        Names of the places of its time courses.
    """

    heating: Heating
    deposit: Deposit
    probes: tuple[str, ...]


def heat_station(table: HeatTable, scene: Scene, heard: Heard, focused: Focused) -> Warmed:
    """Return the heat of the study's sound.

    Raises
    ------
    InputError
        If there is nothing of the head in the box, or edges or steps are too fine.
    """
    from rheobase.fields.heat.bioheat import Bioheat, Surroundings
    from rheobase.fields.heat.deposit import deposit
    from rheobase.meshes.region import near, region

    head = scene.head
    assert head is not None  # UltrasoundStudy
    window = scene.window
    corners = np.array(
        np.meshgrid(*zip(window.low, window.high, strict=True), indexing="ij")
    ).reshape(3, -1)
    there = scene.to_head(corners.T)
    margin = 1e-3 * table.margin_mm
    width = float(np.nanmax([*focused.focus.lateral, 2e-3 * table.edge_mm]))
    axis = np.array([[0, 0, window.low[2]], focused.focus.position])
    ends = scene.to_head(axis)
    with stage("mesh around the beam"):
        part = region(
            head.mesh,
            there.min(axis=0) - margin,
            there.max(axis=0) + margin,
            wanted=near(ends[0], ends[1], WIDE * width, 1e-3 * table.edge_mm),
        )
    with stage("heat that the sound leaves"):
        left = deposit(part.mesh, *heard.chosen.field.heat_nodes())
    hottest = part.mesh.nodes[_strongest(part.mesh, left.load)]
    places = {"target": scene.target, "focus": scene.to_head(focused.focus.position)}
    places["strongest heating"] = hottest
    with stage("temperature"):
        heating = Bioheat(
            part,
            head.tissues,
            surroundings=Surroundings(temperature=table.water_C, transfer=table.transfer),
        ).heat(
            left.load,
            scene.sonication.phases(),
            step=table.step_s,
            cooling=table.cooling_s,
            probes=np.array(list(places.values())),
        )
    return Warmed(heating=heating, deposit=left, probes=tuple(places))


def _strongest(mesh: Any, load: Floats) -> int:
    """Return the node that is heated most for its volume."""
    volumes = np.bincount(
        mesh.tets.ravel(), np.repeat(np.abs(mesh.volumes()) / 4, 4), minlength=len(mesh.nodes)
    )
    return int((load / volumes).argmax())


def heat_table(warmed: Warmed) -> Table:
    """Return the extremes of every tissue."""
    return Table(
        columns=(
            *("tissue", "largest rise (K)", "at (mm)", "highest temperature (°C)"),
            *("thermal dose CEM43 (min)", "largest dose at (mm)"),
        ),
        rows=[
            (
                name,
                t.peak_rise,
                place(t.peak_rise_at),
                t.peak_temperature,
                t.cem43,
                place(t.cem43_at),
            )
            for name, t in warmed.heating.by_tissue().items()
        ],
    )


def place(point: Any) -> str:
    """Return a place in millimetres."""
    return ", ".join(f"{1e3 * c:.1f}" for c in point)


def safety(scene: Scene, heard: Heard, peaks: Any, warmed: Warmed | None) -> SafetyTable:
    """Return the exposure beside the levels of the consensus."""
    from rheobase.fields.acoustics.safety import safety_table
    from rheobase.stations.fus_sound import power_of

    return safety_table(
        peaks,
        scene.sonication,
        None if warmed is None else warmed.heating,
        deposit=None if warmed is None else warmed.deposit,
        power=power_of(scene, heard.chosen.drive),
        beam_area=area_at_bone(scene, heard),
    )


def area_at_bone(scene: Scene, heard: Heard) -> float:
    """Return the area of the beam where it meets the skull, down to -12 dB of its peak (m²)."""
    from rheobase.fields.acoustics.window.anatomy import Kind

    lattice, layers = heard.chosen.lattice, scene.material.layers
    first = scene.material.kinds.index(Kind.COMPACT) - 1
    x, y = lattice.x[:, None], lattice.y[None]
    z = layers.surfaces[first](x, y)
    X, Y = np.broadcast_arrays(x, y, subok=False)
    P = heard.chosen.field.sample(np.stack([X, Y, z], axis=-1).reshape(-1, 3))
    strength = np.nan_to_num(np.abs(P)) ** 2
    cell = (lattice.x[1] - lattice.x[0]) * (lattice.y[1] - lattice.y[0])
    return float(np.count_nonzero(strength > BEAM * strength.max()) * cell)


def safety_rows(table: SafetyTable) -> Table:
    """Return the safety table for the report."""
    return Table(
        columns=("quantity", "tissue", "value", "unit", "level", "verdict", "remark"),
        rows=[
            (
                row.quantity,
                row.tissue or "all",
                row.value,
                row.unit,
                "–" if row.level is None else row.level,
                row.verdict,
                row.remark,
            )
            for row in table.rows
        ],
    )
