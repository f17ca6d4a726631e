"""How far an array can be steered, in water."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.report import Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.acoustics.steering import SteeringMap
    from rheobase.fields.acoustics.transducers.transducer import Transducer
    from rheobase.stations.book import Book
    from rheobase.stations.fus_scene import Scene

Floats = NDArray[np.float64]

ASIDE, ALONG = 0.5, 0.5  # of the focal length: reach of the map to each side
CLEAR = 2.0  # wavelengths between the rim and the nearest target
PER_WAVELENGTH, MOST = 3.0, 4000  # points of the map
LEVELS = (-6.0, -3.0)  # dB, of the steering range
ALONE = 1.0  # dB, by which nothing is louder than the target
HIGHEST = 6.0  # dB, on the scale of what is elsewhere


def water_map(transducer: Transducer, focus: float) -> tuple[Floats, Floats, SteeringMap]:
    """Return the steering map of an array in water, in the plane y = 0 of its beam.

    Parameters
    ----------
    transducer
        In its beam frame.
    focus
        Depth of the unsteered focus (m).

    Returns
    -------
    x, z
        Lateral places and depths of the targets (m), shapes (nx,) and (nz,).
    steering
        Its targets go through z first, shape (nx * nz,).
    """
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import unit_responses
    from rheobase.fields.acoustics.steering import steering_map

    wave = WATER.wavelength(transducer.frequency)
    low = max(float(transducer.outline[:, 2].max()) + CLEAR * wave, (1 - ALONG) * focus)
    sides = np.array([2 * ASIDE * focus, (1 + ALONG) * focus - low])
    step = max(wave / PER_WAVELENGTH, float(np.sqrt(sides.prod() / MOST)))
    nx, nz = (4 * int(np.ceil(0.25 * side / step)) + 1 for side in sides)
    x, z = ASIDE * focus * np.linspace(-1, 1, nx), low + sides[1] * np.linspace(0, 1, nz)
    lattice = np.stack([*np.meshgrid(x, 0.0, z, indexing="ij")], axis=-1)[:, 0]
    points = lattice.reshape(-1, 3)
    G = unit_responses(
        transducer.source(velocity=1.0), points, frequency=transducer.frequency, fluid=WATER
    )
    return x[::2], z[::2], steering_map(points, G, lattice[::2, ::2].reshape(-1, 3))


def write_steering(scene: Scene, book: Book) -> None:
    """Tabulate and draw how far the array of a study can be steered in water."""
    one = scene.transducer
    curved = isfinite(one.curvature_radius)
    focus = one.curvature_radius if curved else float(scene.target_in_beam[2])
    with stage("steering in water"):
        x, z, found = water_map(one, focus)
    pressure, peak = (v.reshape(len(x), len(z)) for v in (found.pressure, found.peak))
    i, k = len(x) // 2, int(np.abs(z - focus).argmin())
    gain, beyond = 20 * np.log10(pressure / pressure[i, k]), 20 * np.log10(peak / pressure)
    rows: list[tuple[str | float, ...]] = []
    for level in LEVELS[::-1]:
        across, along = x[_around(gain[:, k] >= level, i)], z[_around(gain[i] >= level, k)]
        ends = [1e3 * float(v) for v in (across[0], across[-1], along[0], along[-1])]
        rows.append((level, *ends, 100 * float((beyond[gain >= level] < ALONE).mean())))
    columns = ("level (dB)", "x from (mm)", "to", "depth from (mm)", "to ", "alone (%)")
    table = Table(columns=columns, rows=rows)
    book.tables["Steering in water"] = table
    book.sections.append(
        Section(
            title="Steering in water",
            paragraphs=[
                f"Pressure at targets that the array is steered to, against its own focus "
                f"({1e3 * z[k]:.0f} mm): in water, without the skull, in the plane y = 0 of the "
                "beam, equal amplitudes of all elements. Ranges are those across at the depth of "
                "that focus and along the axis; one that ends at "
                f"{1e3 * x[-1]:.0f} mm across or {1e3 * z[0]:.0f} and {1e3 * z[-1]:.0f} mm in "
                "depth goes on beyond the map. A target above the level is alone where nothing in "
                f"the plane is louder by {ALONE:g} dB: no grating lobe, no peak ahead of it.",
            ],
            figures=[book.picture("steering", _draw(x, z, gain, beyond), "Steering in water.")],
            tables=[table],
        )
    )
    named = ("level_dB", "x_from_mm", "x_to_mm", "depth_from_mm", "depth_to_mm", "alone_percent")
    kept: dict[str, Any] = {"ranges": [dict(zip(named, r, strict=True)) for r in rows]}
    book.details["steering_in_water"] = kept


def _around(above: NDArray[np.bool_], at: int) -> slice:
    """Return the stretch around a place that is above the level throughout."""
    below = np.flatnonzero(~above)
    low, high = below[below < at], below[below > at]
    return slice(low[-1] + 1 if len(low) else 0, high[0] if len(high) else len(above))


def _draw(x: Floats, z: Floats, gain: Floats, beyond: Floats) -> Figure:
    """Draw what targets get, and what is louder elsewhere."""
    from rheobase.views import new_figure

    figure = new_figure(10.5, 3.6)
    X, Z = 1e3 * x, 1e3 * z
    for panel, values, label, cmap, ends in zip(
        figure.subplots(1, 2),
        (gain, beyond),
        ("pressure at the target (dB of the focus)", "peak elsewhere over the target (dB)"),
        ("viridis", "cividis"),
        ((-9.0, 3.0), (0.0, HIGHEST)),
        strict=True,
    ):
        shown = panel.pcolormesh(Z, X, values, cmap=cmap, vmin=ends[0], vmax=ends[1])
        lines = panel.contour(Z, X, gain, levels=LEVELS, colors="w", linestyles="-")
        panel.clabel(lines, fmt="%g dB", fontsize=8)
        panel.set(xlabel="depth of the target (mm)", ylabel="target across, x (mm)", aspect="equal")
        figure.colorbar(shown, ax=panel, label=label, extend="both" if ends[0] < 0 else "max")
    return figure
