"""ITRUSST benchmarks 1 to 6: a bowl and a disc through flat and curved skull layers.

Cases are in ``data/itrusst.toml``; the metrics are those of the intercomparison (Aubry et al.,
J Acoust Soc Am 152:1003 (2022), doi:10.1121/10.0013426). The reference is exact in all of them:
the layered solution behind flat faces, partial waves behind curved ones.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
from rheobase.fields.acoustics.axisymmetric.source import AxialSource, bowl, disc
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, Plane, SphereCap, Surface
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, Rings, bowl_rings, disc_rings
from rheobase.validation.acoustic_spheres import SphericalField
from rheobase.validation.case import Row

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

#: How far to the side the axisymmetric solver goes (m): beyond it curved faces go on flat.
RADIUS = {"flat": 0.040, "curved": 0.055}
LIMIT, PLACE = 0.005, 0.5  # relative, and mm
SOURCE = "exact: layers by Hankel transforms, spheres by partial waves; Aubry et al. 2022"


@cache
def facts() -> dict[str, Any]:
    """Return what is known of the benchmark."""
    text = files("rheobase.validation").joinpath("data/itrusst.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def lattice() -> tuple[Floats, Floats]:
    """Return the lateral places (141,) and the depths (241,) of the output (m)."""
    first, last, step = facts()["output"]["lateral_mm"]
    lateral = 1e-3 * np.linspace(first, last, 1 + round((last - first) / step))
    first, last, step = facts()["output"]["depth_mm"]
    return lateral, 1e-3 * np.linspace(first, last, 1 + round((last - first) / step))


@dataclass(frozen=True, slots=True)
class Scene:
    """One benchmark with one source.

    Parameters
    ----------
    case
        "bm1" … "bm6".
    transducer
        "sc1", the bowl, or "sc2", the disc.
    """

    case: str
    transducer: str

    @property
    def frequency(self) -> float:
        """Frequency (Hz)."""
        return float(facts()["frequency"])

    @property
    def velocity(self) -> float:
        """Normal velocity of the source (m/s)."""
        return float(facts()["velocity"])

    @property
    def medium(self) -> LayeredMedium:
        """Fluids and faces in the beam frame."""
        case, f = facts()["case"][self.case], self.frequency
        fluids = []
        for name in case["fluids"]:
            c, rho, loss = facts()["material"][name]
            fluids.append(Fluid.from_decibels(name, c, rho, loss, frequency=f))
        z = [1e-3 * face for face in case["faces_mm"]]
        surfaces: list[Surface] = [Plane(face) for face in z]
        if self.centre is not None:
            surfaces = [SphereCap(self.centre - face, self.centre) for face in z]
        return LayeredMedium(tuple(fluids), tuple(surfaces))

    @property
    def centre(self) -> float | None:
        """Height of the spheres' centre (m); None where faces are flat."""
        centre = facts()["case"][self.case].get("sphere_centre_mm")
        return None if centre is None else 1e-3 * centre

    @property
    def source(self) -> AxialSource:
        """The transducer."""
        facts_of = facts()["transducer"][self.transducer]
        aperture = 1e-3 * facts_of["aperture_mm"]
        if self.transducer == "sc2":
            return disc(diameter=aperture, velocity=self.velocity)
        bend = 1e-3 * facts_of["radius_of_curvature_mm"]
        return bowl(radius=bend, aperture=aperture, velocity=self.velocity)

    @property
    def rings(self) -> Rings:
        """The transducer for the exact solutions."""
        facts_of = facts()["transducer"][self.transducer]
        aperture = 1e-3 * facts_of["aperture_mm"]
        if self.transducer == "sc2":
            return disc_rings(aperture / 2)
        return bowl_rings(1e-3 * facts_of["radius_of_curvature_mm"], aperture)

    def exact(self) -> LayeredField | SphericalField:
        """Return the exact field."""
        layers = [Layer(*fluid.at(self.frequency)) for fluid in self.medium.fluids]
        z = [1e-3 * face for face in facts()["case"][self.case]["faces_mm"]]
        u, f = self.velocity, self.frequency
        if self.centre is None:
            return LayeredField(layers, z, self.rings, velocity=u, frequency=f)
        radii = [self.centre - face for face in z]
        return SphericalField(layers, radii, self.centre, self.rings, velocity=u, frequency=f)

    @cache  # noqa: B019 - twelve scenes at most
    def exact_lattice(self) -> Complexes:
        """Return the exact P (Pa) on the lattice, shape (141, 241)."""
        lateral, depth = lattice()
        half = self.exact().sample(lateral[len(lateral) // 2 :], depth)
        return np.concatenate([half[:0:-1], half])


SCENES = {
    f"{case}-{transducer}": Scene(case, transducer)
    for case in ("bm1", "bm2", "bm3", "bm4", "bm5", "bm6")
    for transducer in ("sc1", "sc2")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One field against another, as the intercomparison compares them.

    Parameters
    ----------
    l2, linf
        Difference of amplitudes beyond the exit plane over the reference (norm, maximum).
    phased
        L2 of the complex difference, phase and all.
    peak, peak_reference
        Largest amplitude on the axis in the brain's region (Pa), between points of the lattice.
    place, place_reference
        Its depth (m); the start of the region if the amplitude only falls there.
    width, width_reference
        Full lateral width at half amplitude (m): of the bowl's beam at the peak, of the disc's at
        60 mm.
    """

    l2: float
    linf: float
    phased: float
    peak: float
    peak_reference: float
    place: float
    place_reference: float
    width: float
    width_reference: float


def rows(name: str) -> list[Row]:
    """Compare the axisymmetric solver with the exact field of a scene, and that with its peak."""
    scene, case = SCENES[name], f"itrusst-{name}"
    exact = scene.exact_lattice()
    found = comparison_rows(case, "axisymmetric", compare(scene, exact, axisymmetric(scene)))
    if known := facts()["peak"].get(scene.transducer, {}).get(scene.case):
        same = compare(scene, exact, exact)
        values = (("kPa", same.peak / 1e3, 1e-5), ("mm", 1e3 * same.place, 0.02))
        for (unit, value, limit), reference in zip(values, known, strict=True):
            error = abs(value - reference) / (reference if unit == "kPa" else 1.0)
            what = {"kPa": "peak in the brain", "mm": "place of it (error: mm)"}[unit]
            found.append(
                Row(
                    case=case,
                    quantity=f"exact: {what}",
                    value=value,
                    reference=reference,
                    error=error,
                    limit=limit,
                    unit=unit,
                    source="itrusst.toml: O'Neil 1949, or layered solution of other hands",
                )
            )
    return found


def thickness() -> list[Row]:
    """Send the bowl's beam through bone of 1 to 10 mm, which is now clearer, now duller."""
    scene, z, plates = SCENES["bm3-sc1"], 1e-3 * np.linspace(45, 70, 101), range(1, 11)
    fluids, f = scene.medium.fluids, scene.frequency
    layers = [Layer(*fluid.at(f)) for fluid in fluids]
    peaks = []
    for plate in plates:
        faces = [30e-3, 30e-3 + 1e-3 * plate]
        exact = LayeredField(layers, faces, scene.rings, velocity=scene.velocity, frequency=f)
        solved = solve_axisymmetric(
            LayeredMedium(fluids, tuple(Plane(face) for face in faces)),
            scene.source,
            f,
            depth=(0.0, z[-1]),
            radius=RADIUS["flat"],
        )
        peaks.append((abs(solved.on_axis(z)).max(), abs(exact.sample(0.0, z)).max()))
    found, known = np.array(peaks).T
    error = abs(found / known - 1)
    return [
        Row(
            case="fus-bone-thickness",
            quantity=f"axisymmetric: peak of the bowl's beam behind {plate} mm of bone",
            value=float(found[i]) / 1e3,
            reference=float(known[i]) / 1e3,
            error=float(error[i]),
            limit=LIMIT,
            unit="kPa",
            source=SOURCE,
        )
        for i, plate in enumerate(plates)
    ]


def axisymmetric(scene: Scene) -> Complexes:
    """Return P (Pa) of the axisymmetric solver on the lattice, shape (141, 241)."""
    lateral, depth = lattice()
    solved = solve_axisymmetric(
        scene.medium,
        scene.source,
        scene.frequency,
        depth=(depth[0], depth[-1]),
        radius=RADIUS["flat" if scene.centre is None else "curved"],
    )
    half = solved.sample(lateral[len(lateral) // 2 :, None], depth)
    return np.concatenate([half[:0:-1], half])


def comparison_rows(case: str, solver: str, m: Metrics, limit: float = LIMIT) -> list[Row]:
    """Return a comparison as rows; ``limit`` holds for all but the place of the peak."""
    peak, place = abs(m.peak / m.peak_reference - 1), 1e3 * abs(m.place - m.place_reference)
    wide, beyond = abs(m.width / m.width_reference - 1), "beyond the exit plane"
    values = [
        ("peak in the brain", m.peak / 1e3, m.peak_reference / 1e3, peak, limit, "kPa"),
        (
            "lateral width, half amplitude",
            m.width * 1e3,
            m.width_reference * 1e3,
            wide,
            limit,
            "mm",
        ),
        (f"amplitude {beyond}, relative L2", m.l2, 0.0, m.l2, limit, "1"),
        (f"amplitude {beyond}, largest over the peak", m.linf, 0.0, m.linf, limit, "1"),
        (f"amplitude and phase {beyond}, relative L2", m.phased, 0.0, m.phased, limit, "1"),
    ]
    if m.place_reference > lattice()[1][0] + 1e-3 * facts()["output"]["peak_from_mm"]:
        at = "place of the peak (error: mm)"
        values.insert(1, (at, 1e3 * m.place, 1e3 * m.place_reference, place, PLACE, "mm"))
    return [
        Row(
            case=case,
            quantity=f"{solver}: {quantity}",
            value=value,
            reference=reference,
            error=error,
            limit=most,
            unit=unit,
            source=SOURCE,
        )
        for quantity, value, reference, error, most, unit in values
    ]


def compare(scene: Scene, reference: Complexes, other: Complexes) -> Metrics:
    """Compare complex pressures (Pa) on the lattice, shape (141, 241)."""
    exit_plane = 1e-3 * facts()["transducer"][scene.transducer]["exit_plane_mm"]
    beyond = lattice()[1] > exit_plane - 1e-9
    ref, got = reference[:, beyond], other[:, beyond]
    difference = abs(got) - abs(ref)
    peaks = [_peak(P) for P in (other, reference)]
    at = facts()["transducer"][scene.transducer].get("width_at_mm", 1e3 * peaks[1][1])
    widths = [
        _width(P[:, round(at / facts()["output"]["depth_mm"][2])]) for P in (other, reference)
    ]
    return Metrics(
        l2=float(np.linalg.norm(difference) / np.linalg.norm(ref)),
        linf=float(abs(difference).max() / abs(ref).max()),
        phased=float(np.linalg.norm(got - ref) / np.linalg.norm(ref)),
        peak=peaks[0][0],
        peak_reference=peaks[1][0],
        place=peaks[0][1],
        place_reference=peaks[1][1],
        width=widths[0],
        width_reference=widths[1],
    )


def _peak(P: Complexes) -> tuple[float, float]:
    """Return the largest amplitude on the axis in the brain's region, and its depth."""
    lateral, depth = lattice()
    inside = depth > 1e-3 * facts()["output"]["peak_from_mm"] - 1e-9
    axis, z = abs(P[len(lateral) // 2, inside]), depth[inside]
    i = int(axis.argmax())
    if not 0 < i < len(axis) - 1:
        return float(axis[i]), float(z[i])
    before, at, after = axis[i - 1 : i + 2]
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    return float(at - 0.25 * (before - after) * shift), float(z[i] + shift * (z[1] - z[0]))


def _width(across: Complexes) -> float:
    """Return the full width (m) at half of the largest amplitude of a lateral profile."""
    lateral, amplitude = lattice()[0], abs(across)
    top, half = int(amplitude.argmax()), 0.5 * amplitude.max()
    ends = []
    for side in (slice(top, None, -1), slice(top, None)):
        x, a = lateral[side], amplitude[side]
        i = int(np.argmax(a < half))
        ends.append(x[i - 1] + (a[i - 1] - half) / (a[i - 1] - a[i]) * (x[i] - x[i - 1]))
    return float(ends[1] - ends[0])
