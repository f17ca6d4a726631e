"""A quick look at a transducer through layers: round about its axis, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.report import Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.acoustics.media import LayeredMedium
    from rheobase.fields.acoustics.transducers.transducer import Transducer
    from rheobase.results import Result

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Field = Callable[[Any, Any], Complexes]
"""Radius and depth (m) -> pressure (Pa)."""

BESIDE = 15e-3  # m beside the source
FINE = 8.0  # points of the lattice a wavelength


def layers_of(text: str, curvature: float | None = None) -> LayeredMedium:
    """Return the layers of ``30:skull,36.5:brain``: depths in mm and tissues; water before them.

    Parameters
    ----------
    text
        The line; water alone when empty.
    curvature
        Radius of the first layer's outer sphere (m); the others have the same centre. Flat if None.

    Raises
    ------
    InputError
        If the line is not understood, depths do not grow, or a tissue has no known sound.

    Examples
    --------
    >>> layers_of("30:skull, 36.5:grey_matter").surfaces[1].z
    0.0365
    """
    from rheobase.fields.acoustics.media import WATER, LayeredMedium, Plane, SphereCap, fluid_of

    fluids, depths = [WATER], []
    for part in (p.strip() for p in text.split(",") if p.strip()):
        depth, colon, name = part.partition(":")
        try:
            depths.append(1e-3 * float(depth))
        except ValueError:
            colon = ""
        if not (colon and name.strip() and isfinite(depths[-1])):
            raise InputError(
                f"expected depth:tissue, as in '30:skull,36.5:grey_matter', got {part!r}"
            )
        fluids.append(fluid_of(name.strip()))
    if (np.diff(depths) <= 0).any() or any(d <= 0 for d in depths):
        raise InputError(f"expected depths > 0 that grow, got {text!r}: --layers")
    if curvature is None:
        return LayeredMedium(tuple(fluids), tuple(Plane(d) for d in depths))
    centre = (depths[0] if depths else 0.0) + curvature
    if depths and not depths[-1] < centre:
        raise InputError(f"a sphere of {1e3 * curvature:g} mm ends before the layers do: --layers")
    return LayeredMedium(tuple(fluids), tuple(SphereCap(centre - d, centre) for d in depths))


def quick_look(
    name: str,
    *,
    layers: str,
    curvature_mm: float | None,
    pressure_kPa: float,
    frequency_kHz: float | None,
    depth_mm: float | None,
    radius_mm: float | None,
    out: Path,
) -> Result:
    """Solve for a transducer of rings through layers, with and without them.

    Parameters
    ----------
    name
        Of the catalogue.
    layers, curvature_mm
        As `layers_of`.
    pressure_kPa
        At the face of the source.
    frequency_kHz
        Another than the catalogue's.
    depth_mm, radius_mm
        What is looked at: twice the focal length, and the source with some room beside it.
    out
        Folder of the results.

    Raises
    ------
    InputError
        If the transducer is not round about its axis, or numbers cannot go together.
    """
    from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
    from rheobase.fields.acoustics.axisymmetric.source import axial_source
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.transducers.catalogue import transducer
    from rheobase.results import finish, open_book
    from rheobase.stations.fus_inputs import positive

    one = transducer(name)
    if frequency_kHz is not None:
        one = replace(one, frequency=1e3 * positive(frequency_kHz, "--frequency-kHz"))
    velocity = 1e3 * positive(pressure_kPa, "--pressure-kPa") / WATER.impedance
    source = axial_source(one, velocity)
    reach = one.curvature_radius if one.curvature_radius < inf else 3 * one.aperture
    deep = 2 * reach if depth_mm is None else 1e-3 * positive(depth_mm, "--depth-mm")
    wide = 0.5 * one.aperture + BESIDE
    if radius_mm is not None:
        wide = 1e-3 * positive(radius_mm, "--radius-mm")
    curvature = None if curvature_mm is None else 1e-3 * positive(curvature_mm, "--curvature-mm")
    medium = layers_of(layers, curvature)
    lines = {
        "title": f"{name} through {layers or 'water'}",
        "transducer": name,
        "layers": layers,
        "pressure_kPa": pressure_kPa,
    }
    text = "".join(f"{k} = {v!r}\n".replace("'", '"') for k, v in lines.items())
    with open_book(text, out, head="layers") as book:
        with stage(f"sound through {len(medium.surfaces)} layers"):
            solved = solve_axisymmetric(
                medium, source, one.frequency, depth=(0.0, deep), radius=wide
            )
        fields: dict[str, Field] = {"in water": partial(_in_water, one, velocity)}
        if layers:
            fields["through the layers"] = solved.sample
        last = float(medium.surfaces[-1](0.0, 0.0)) if layers else 0.0
        table = _table(fields, one.frequency, deep, wide, last)
        book.tables["Focus"] = table
        picture = book.picture(
            "quick",
            _picture(fields, medium, deep, wide),
            "Pressure in a half plane and on the axis.",
        )
        power = solved.power()
        book.sections.append(
            Section(
                title="Sound",
                paragraphs=[
                    f"{name} at {one.frequency / 1e3:g} kHz, {pressure_kPa:g} kPa at its face: "
                    f"{power.radiated:.3g} W leave it."
                ],
                figures=[picture],
                tables=[table],
            )
        )
        book.notes.extend([*one.notes, *medium.notes])
        if one.status:
            book.notes.append(f"{one.name}: {one.status} ({one.reference})")
        return finish(book, title=str(lines["title"]), question="", text=text, seed=0, read={})


def _in_water(one: Transducer, velocity: float, r: ArrayLike, z: ArrayLike) -> Complexes:
    """Return the pressure in water ahead of the source's rim by Rayleigh's integral, else NaN."""
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import pressure

    source = one.source(velocity=velocity)
    R, Z = np.broadcast_arrays(np.asarray(r, np.float64), np.asarray(z, np.float64))
    points = np.stack([R, np.zeros_like(R), Z], axis=-1).reshape(-1, 3)
    found = np.full(len(points), np.nan, np.complex128)
    ahead = points[:, 2] > source.points[:, 2].max() + 0.5 * WATER.wavelength(one.frequency)
    found[ahead] = pressure(source, points[ahead], frequency=one.frequency, fluid=WATER)
    return found.reshape(R.shape)


def _lattice(frequency: float, deep: float, wide: float) -> tuple[Floats, Floats]:
    from rheobase.fields.acoustics.media import WATER

    step = WATER.wavelength(frequency) / FINE
    return np.arange(0.0, wide, step), np.arange(0.0, deep + step, step).clip(0, deep)


def _table(
    fields: dict[str, Field], frequency: float, deep: float, wide: float, last: float
) -> Table:
    """Return the foci on the axis, beyond the ``last`` layer's face."""
    _, z = _lattice(frequency, deep, wide)
    z = np.unique(z[z >= last])
    rows: list[tuple[str | float, ...]] = []
    first = 0.0
    for words, field in fields.items():
        A = np.nan_to_num(np.abs(field(0.0, z)))
        k = int(A.argmax())
        at, peak = _summit(z, A, k)
        r = np.linspace(0.0, wide, 2000)
        across = np.abs(field(r, at))
        low = np.flatnonzero(across < 0.5 * across[0])
        width = 2e3 * r[low[0]] if len(low) else float("nan")
        first = first or peak
        axial: str | float = _axial(z, A, k)
        if not isfinite(float(axial)):
            axial = "cut by the layers"
        rows.append((words, 1e-3 * peak, 1e3 * at, width, axial, 100 * peak / first))
    return Table(
        columns=(
            *("sound", "peak behind the layers (kPa)", "at (mm)", "-6 dB lateral (mm)"),
            *("axial (mm)", "peak of that in water (%)"),
        ),
        rows=rows,
    )


def _summit(z: Floats, A: Floats, k: int) -> tuple[float, float]:
    """Return place and height of the parabola through a sample and its neighbours."""
    if not 0 < k < len(z) - 1:
        return float(z[k]), float(A[k])
    c = np.polyfit(z[k - 1 : k + 2] - z[k], A[k - 1 : k + 2], 2)
    shift = -c[1] / (2 * c[0])
    return float(z[k] + shift), float(np.polyval(c, shift))


def _axial(z: Floats, A: Floats, k: int) -> float:
    """Return the length of the axis around a sample above half of it (mm)."""
    low = np.flatnonzero(0.5 * A[k] > A)
    left, right = low[low < k], low[low > k]
    if not (len(left) and len(right)):
        return float("nan")
    ends = []
    for a, b in ((left[-1], left[-1] + 1), (right[0] - 1, right[0])):
        ends.append(z[a] + (0.5 * A[k] - A[a]) / (A[b] - A[a]) * (z[b] - z[a]))
    return float(1e3 * (ends[1] - ends[0]))


def _picture(fields: dict[str, Field], medium: LayeredMedium, deep: float, wide: float) -> Figure:
    from matplotlib.colors import Normalize

    from rheobase.fus_views import draw_axis
    from rheobase.views import new_figure

    names = list(fields)
    r, z = np.linspace(0.0, wide, 160), np.linspace(0.0, deep, 480)
    images = {n: 1e-3 * np.abs(f(r[:, None], z[None])) for n, f in fields.items()}
    top = float(np.nanmax([np.nanquantile(a, 0.9998) for a in images.values()]))
    figure = new_figure(9.5, 9.0 * len(names) * 2 * wide / deep + 3.6)
    *panels, axis = figure.subplots(
        len(names) + 1, 1, height_ratios=[*[2 * wide / deep] * len(names), 0.4]
    )
    for panel, name in zip(panels, names, strict=True):
        shown = panel.imshow(
            np.concatenate([images[name][:0:-1], images[name]]),
            origin="lower",
            extent=(0, 1e3 * deep, -1e3 * wide, 1e3 * wide),
            cmap="inferno",
            norm=Normalize(0, top),
        )
        if name != "in water":
            both = np.concatenate([-r[:0:-1], r])
            for surface in medium.surfaces:
                panel.plot(1e3 * surface(np.abs(both), 0 * both), 1e3 * both, color="w", lw=0.9)
        panel.set(xlabel="depth from the source (mm)", ylabel="across (mm)", aspect="equal")
        panel.set(xlim=(0, 1e3 * deep), title=name)
    figure.colorbar(shown, ax=panels, label="pressure amplitude (kPa)", extend="max", shrink=0.8)
    curves = {n: np.abs(f(0.0, z)) for n, f in fields.items()}
    best = z[int(np.nanargmax(curves["in water"]))]
    draw_axis(axis, z, curves, float(best), mark="peak in water")
    return figure
