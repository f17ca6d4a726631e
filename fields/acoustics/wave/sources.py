"""Sources in a window: what they add to the nodes, and far transducers brought to its edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.plane import plane_source
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.window import AcousticWindow

#: Largest part of a source's volume velocity that may lie outside of the window.
LOST = 0.01
#: Points a wavelength of the plane that stands for a far source.
PER_WAVELENGTH = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Right-hand side of a source, at the nodes where it is not 0.

    Parameters
    ----------
    nodes
        Flat numbers of nodes, shape (n,).
    values
        i w 2 u dA integrated in their basis functions, shape (n,).
    outside
        Part of the source's |u| dA outside of the grid.
    """

    nodes: NDArray[np.intp]
    values: NDArray[np.complex128]
    outside: float


def source_load(window: AcousticWindow, source: Source) -> Load:
    """Return what a source adds to the nodes of a window.

    Raises
    ------
    InputError
        If more than a hundredth of the source is outside of the window, or it does not move.
    """
    volume = np.abs(source.velocity) * source.area
    if not volume.sum() > 0.0:
        raise InputError("expected a source that moves, got a normal velocity of 0 everywhere")
    inner = ((source.points >= window.low - 1e-9) & (source.points <= window.high + 1e-9)).all(1)
    lost = float(volume[~inner].sum() / volume.sum())
    if lost > LOST:
        low, high = (1e3 * p for p in (source.points.min(axis=0), source.points.max(axis=0)))
        raise InputError(
            f"expected the source inside of the window, {100 * lost:.0f} % of it are outside: it "
            f"has ({low[0]:.1f}, {low[1]:.1f}, {low[2]:.1f}) to ({high[0]:.1f}, {high[1]:.1f}, "
            f"{high[2]:.1f}) mm, the window {_corner(window.low)} to {_corner(window.high)} mm"
        )
    found = window.grid.locate(source.points)
    values = found.scatter(2j * window.omega * source.velocity * source.area).ravel()
    nodes = np.flatnonzero(values)
    outside = float(volume[~found.inside].sum() / volume.sum())
    return Load(nodes=nodes, values=values[nodes], outside=outside)


def _corner(point: NDArray[np.float64]) -> str:
    return "({:.1f}, {:.1f}, {:.1f})".format(*(1e3 * point))


def source_in(window: AcousticWindow, source: Source, fluid: Fluid) -> tuple[Source, float]:
    """Return a source of the head frame for a window, and the share of its beam that misses it.

    A source inside of the window is only brought to its beam frame. One that reaches out of it is
    replaced by the velocity that it gives to the fluid on a plane at the window's start.

    Parameters
    ----------
    window
        The window; its first layers must be of ``fluid``.
    source
        The source, in the head frame.
    fluid
        What is between the two.

    Raises
    ------
    InputError
        If the source reaches out of the window and yet beyond its start.
    """
    there = source.moved(np.linalg.inv(window.frame))
    outside = (there.points < window.low) | (there.points > window.high)
    if not outside.any():
        return there, 0.0
    plane = plane_source(
        there, float(window.low[2]), half_width=-window.low[:2], frequency=window.frequency,
        fluid=fluid, per_wavelength=PER_WAVELENGTH,
    )  # fmt: skip
    return plane.source, plane.missed
