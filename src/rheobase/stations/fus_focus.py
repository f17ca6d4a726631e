"""Where the focus is, how large and how strong: in water and behind the skull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.report import Table

if TYPE_CHECKING:
    from rheobase.fields.acoustics.focus import Focus, Transmission
    from rheobase.fields.acoustics.media import Fluid
    from rheobase.fields.acoustics.safety import PressurePeak
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard, Lattice, Sound

Floats = NDArray[np.float64]

WATER_NAME = "in water"
PLANES = 16  # of nodes whose tissues are asked for at a time


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Focused:
    """The focus of one sound.

    Parameters
    ----------
    name
        Of the sound, `WATER_NAME` for that in water.
    focus
        In the beam frame.
    at_target
        Amplitude at the target (Pa).
    off_target
        From the target to the peak (m).
    intensity
        p²/(2 rho c) at the peak (W/m²).
    transmission
        Peak against that in water, None for water itself.
    """

    name: str
    focus: Focus
    at_target: float
    off_target: float
    intensity: float
    transmission: Transmission | None

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values; sizes that the window cuts are None."""
        x, y = self.focus.lateral
        mm = {"lateral_x_mm": x, "lateral_y_mm": y, "axial_mm": self.focus.axial}
        sizes = {k: 1e3 * v for k, v in mm.items()} | {"volume_mm3": 1e9 * self.focus.volume}
        lost = self.transmission
        return {
            "name": self.name,
            "peak_Pa": self.focus.peak,
            "peak_at_beam_mm": (1e3 * self.focus.position).tolist(),
            "at_target_Pa": self.at_target,
            "off_target_mm": 1e3 * self.off_target,
            **{k: v if np.isfinite(v) else None for k, v in sizes.items()},
            "intensity_W_per_m2": self.intensity,
            "transmission": None if lost is None else lost.pressure,
            "transmission_dB": None if lost is None else lost.decibels,
        }


def focus_station(scene: Scene, heard: Heard) -> list[Focused]:
    """Return the focus in water and of every sound.

    Raises
    ------
    InputError
        If nothing of the brain is in the window.
    """
    from rheobase.fields.acoustics.media import WATER

    found = [_focused(WATER_NAME, scene, heard.water, None, WATER, None)]
    brain = scene.material.layers.fluids[-1]
    with stage("focus"):
        for sound in heard.sounds:
            mask = behind_skull(scene, sound.lattice)
            found.append(_focused(sound.name, scene, sound.lattice, mask, brain, found[0]))
    return found


def behind_skull(scene: Scene, lattice: Lattice) -> NDArray[np.bool_]:
    """Return which points of a lattice lie behind the skull and in no bone.

    Raises
    ------
    InputError
        If none does.
    """
    from rheobase.fields.acoustics.window.anatomy import Kind

    points = lattice.points.reshape(-1, 3)
    layers = scene.material.layers
    within = layers.layers(points) == len(layers.surfaces)
    kind = scene.material.anatomy.kinds(scene.to_head(points[within]))
    within[within] = (kind == Kind.SOFT) | (kind == Kind.BRAIN)
    if not within.any():
        raise InputError("expected brain in the window, it ends in the skull: window.depth_mm")
    mask: NDArray[np.bool_] = within.reshape(lattice.pressure.shape)
    return mask


def _focused(
    name: str,
    scene: Scene,
    lattice: Lattice,
    mask: NDArray[np.bool_] | None,
    fluid: Fluid,
    water: Focused | None,
) -> Focused:
    from rheobase.fields.acoustics.focus import focus_metrics, transmission
    from rheobase.fields.acoustics.media import WATER

    try:
        focus = focus_metrics(
            lattice.x, lattice.y, lattice.z, lattice.pressure, mask=mask, allow_cut=True
        )
    except InputError as error:
        raise InputError(f"{error}, {name}") from error
    lost = None
    if water is not None:
        lost = transmission(focus.peak, water.focus.peak, fluid=fluid, water=WATER)
    return Focused(
        name=name,
        focus=focus,
        at_target=_at(lattice, scene.target_in_beam),
        off_target=float(np.linalg.norm(focus.position - scene.target_in_beam)),
        intensity=focus.peak**2 / (2 * fluid.impedance),
        transmission=lost,
    )


def _at(lattice: Lattice, point: Floats) -> float:
    """Return the amplitude at a point, from the complex pressure around it (Pa)."""
    from scipy.interpolate import RegularGridInterpolator

    axes = (lattice.x, lattice.y, lattice.z)
    near = [slice(max(int(np.searchsorted(a, c)) - 4, 0), int(np.searchsorted(a, c)) + 4)
            for a, c in zip(axes, point, strict=True)]  # fmt: skip
    here = tuple(a[s] for a, s in zip(axes, near, strict=True))
    P = lattice.pressure[tuple(near)]
    read = [RegularGridInterpolator(here, part, method="cubic")(point) for part in (P.real, P.imag)]
    return float(np.hypot(*read)[0])


def focus_table(found: list[Focused]) -> Table:
    """Return the foci side by side."""
    return Table(
        columns=(
            *("sound", "peak (kPa)", "off target (mm)", "at the target (kPa)"),
            *("-6 dB lateral x, y (mm)", "axial (mm)", "volume (mm³)"),
            *("I at the peak (W/cm²)", "peak of that in water (%)", "(dB)"),
        ),
        rows=[
            (
                f.name,
                f.focus.peak * 1e-3,
                f.off_target * 1e3,
                f.at_target * 1e-3,
                ", ".join(_size(1e3 * w) for w in f.focus.lateral),
                _size(1e3 * f.focus.axial),
                _size(1e9 * f.focus.volume),
                f.intensity * 1e-4,
                "" if f.transmission is None else 100 * f.transmission.pressure,
                "" if f.transmission is None else f.transmission.decibels,
            )
            for f in found
        ],
    )


def _size(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "cut by the window"


def tissue_peaks(scene: Scene, sound: Sound) -> dict[str, PressurePeak]:
    """Return the largest pressure in each tissue of the head, at the nodes of the window."""
    from rheobase.fields.acoustics.safety import pressure_peaks

    planes, rows, columns = scene.window.inner
    found: dict[str, PressurePeak] = {}
    with stage("largest pressure in each tissue"):
        for start in range(planes.start, planes.stop, PLANES):
            part = range(start, min(start + PLANES, planes.stop))
            points = scene.window.grid.points(np.array(part), rows, columns).reshape(-1, 3)
            A = np.abs(sound.field.phasor[part.start : part.stop, rows, columns]).reshape(-1)
            names = tissue_names(scene, points)
            inside = names != ""
            values = scene.material.sound(points[inside], scene.frequency)
            peaks = pressure_peaks(
                names[inside],
                A[inside],
                values[:, 1],
                values[:, 0],
                scene.to_head(points[inside]),
            )
            for name, peak in peaks.items():
                if name not in found or peak.pressure > found[name].pressure:
                    found[name] = peak
    return found


def tissue_names(scene: Scene, points: Floats) -> NDArray[np.str_]:
    """Return the tissue at points of the beam frame (m), "" outside of the head, shape (n,)."""
    there = scene.to_head(points)
    if scene.head is None:
        from rheobase.fields.acoustics.window.anatomy import Kind

        kind = scene.material.anatomy.kinds(there)
        layers = scene.material.layers
        within = layers.layers(points) == len(layers.surfaces)
        names = np.where(kind >= Kind.COMPACT, "skull", np.where(within, "brain", "scalp"))
        found: NDArray[np.str_] = np.where(kind == Kind.OUTSIDE, "", names)
        return found
    labels = head_labels(scene, there)
    table: NDArray[np.str_] = np.full(max(scene.head.tissues) + 1, "", dtype="U40")
    for label, tissue in scene.head.tissues.items():
        table[label] = tissue.name
    found = table[labels]
    return found


def head_labels(scene: Scene, points: Floats) -> NDArray[np.integer[Any]]:
    """Return the tissue label at points of the head (m), 0 outside, shape (n,)."""
    medium = getattr(scene.material.anatomy, "medium", None)
    if medium is None:
        from rheobase.meshes.leads.medium import from_head

        assert scene.head is not None  # callers
        medium = from_head(scene.head)
    found: NDArray[np.integer[Any]] = medium.labels(points)
    return found
