"""The Helmholtz equation round about a beam axis, solved directly."""

from __future__ import annotations

import time
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive
from rheobase._memory import free_memory
from rheobase._progress import track
from rheobase.fields.acoustics.axisymmetric.elements import (
    Condensed,
    condense,
    layer_matrices,
    layout,
    recover,
)
from rheobase.fields.acoustics.axisymmetric.grid import RIM, AxialGrid, axial_grid
from rheobase.fields.acoustics.axisymmetric.loads import RingLoads, ring_loads
from rheobase.fields.acoustics.axisymmetric.pressure import AxialPressure, AxialReport
from rheobase.fields.acoustics.axisymmetric.source import AxialSource
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.fields.acoustics.grid import dispersion
from rheobase.fields.acoustics.media import LayeredMedium

Complexes = NDArray[np.complex128]

#: Largest phase error over the depth of the domain that is solved with (rad).
PHASE = 0.1
ORDERS = (2, 16)
#: How far ahead of a bowl's rim the elements that hold it end, in wavelengths: the pressure bends
#: sharply where the rim is, and is smooth from there.
CLEAR = 1.0 / 15.0
#: Places where the source is checked against the first interface.
PLACES = 200


def solve_axisymmetric(
    medium: LayeredMedium,
    source: AxialSource,
    frequency: float,
    *,
    depth: tuple[float, float],
    radius: float,
    order: int = 10,
    per_wavelength: float = 8.0,
) -> AxialPressure:
    """Solve for the pressure of a source through layers, all round about the z axis.

    div(grad P / rho) + k^2 P / rho = -i w 2 u delta_S with k = w / c - i alpha, in elements of a
    high order whose faces are the interfaces, with perfectly matched layers around. All rings of
    the source are solved for at once, one solution each.

    Parameters
    ----------
    medium
        Fluids and surfaces; the source lies in the first. Beyond ``radius`` the surfaces go on
        flat.
    source
        Rings and their normal velocities.
    frequency
        Hz.
    depth
        Range of z to solve in (m); may begin at the source.
    radius
        Range of r (m).
    order
        Order of the elements, 2 to 16.
    per_wavelength
        Points a wavelength in every fluid. At order 10 over 40 wavelengths, 6 gives errors of some
        1e-4 to 1e-3, 8 of some 1e-5 of the peak.

    Returns
    -------
    AxialPressure
        Values at any point, by ring or driven together.

    Raises
    ------
    InputError
        If there are too few points a wavelength, the source leaves the domain or the first fluid,
        a surface is not round about the axis or layers are too thin, or memory would not do.
    """
    start = time.perf_counter()
    _check_numbers(frequency, depth, radius, order)
    error = _check_resolution(medium, frequency, depth, order, per_wavelength)
    _check_source(medium, source, depth, radius)
    wave = medium.fluids[0].wavelength(frequency)
    shortest = min(fluid.wavelength(frequency) for fluid in medium.fluids)
    _check_memory(
        radius / shortest,
        (depth[1] - depth[0]) / shortest,
        order,
        per_wavelength,
        len(source.rings),
    )
    rim = float(source.depth(source.rings).max())
    grid = axial_grid(
        medium,
        frequency,
        depth=depth,
        radius=radius,
        order=order,
        per_wavelength=per_wavelength,
        ahead=rim + CLEAR * wave * np.isfinite(source.radius_of_curvature),
    )
    loads = ring_loads(grid, source)
    unit = _solve(grid, medium, loads, len(source.rings), frequency)
    unknowns = (grid.layers * order + 1) * (grid.columns * order + 1)
    return AxialPressure(
        medium=medium,
        source=source,
        frequency=frequency,
        grid=grid,
        unit=unit,
        loads=loads,
        report=AxialReport(
            unknowns=unknowns,
            columns=grid.columns,
            layers=grid.layers,
            order=order,
            points_per_wavelength=per_wavelength,
            phase_error=error,
            seconds=time.perf_counter() - start,
            notes=medium.notes,
        ),
    )


def phase_error(order: int, per_wavelength: float, path: float) -> float:
    """Return the phase error of elements over a path (rad): an estimate from above at high orders.

    Exact quadrature makes it N times that of Gauss-Lobatto quadrature (Ainsworth & Wajid 2009, DOI
    10.1137/080724976).

    Parameters
    ----------
    order
        Order N of the elements.
    per_wavelength
        Points a wavelength.
    path
        Length of the path in wavelengths.
    """
    turns = order / per_wavelength
    return path / turns * order * dispersion.phase_error(order, turns)


def _check_numbers(frequency: float, depth: tuple[float, float], radius: float, order: int) -> None:
    """Check what needs no medium."""
    check_frequency(frequency, "axisymmetric solver")
    check_positive("the radius of the domain (m)", radius)
    if not (np.isfinite(depth).all() and depth[0] < depth[1]):
        raise InputError(f"the depth range must go from a smaller to a larger z, got {depth} m")
    if order not in range(ORDERS[0], ORDERS[1] + 1):
        raise InputError(f"the order must be a whole number from 2 to 16, got {order!r}")


def _check_resolution(
    medium: LayeredMedium,
    frequency: float,
    depth: tuple[float, float],
    order: int,
    per_wavelength: float,
) -> float:
    """Return the phase error over the depth; refuse one that is too large."""
    check_positive("points a wavelength", per_wavelength)
    shortest = min(fluid.wavelength(frequency) for fluid in medium.fluids)
    path = (depth[1] - depth[0]) / shortest
    error = phase_error(order, per_wavelength, path)
    if error > PHASE:
        needed = ceil(10.0 * per_wavelength * (error / PHASE) ** (0.5 / order)) / 10.0
        raise InputError(
            f"{per_wavelength:g} points a wavelength are too few at order {order} over "
            f"{path:.0f} wavelengths of {1e3 * shortest:.3g} mm: set per_wavelength to "
            f"{needed:.1f} or more"
        )
    return error


def _check_source(
    medium: LayeredMedium, source: AxialSource, depth: tuple[float, float], radius: float
) -> None:
    """Check that the source lies in the domain and in its first fluid."""
    wide = float(source.rings.max())
    if wide > radius:
        raise InputError(
            f"the source is {1e3 * wide:g} mm in radius and leaves the domain of "
            f"{1e3 * radius:g} mm: set radius to more"
        )
    t = np.linspace(0.0, 1.0, PLACES)
    r, z, _ = np.stack([source.along(ring, t) for ring in range(len(source.rings))], axis=1)
    if z.min() < depth[0] or z.max() > depth[1]:
        raise InputError(
            f"the source lies at z = {1e3 * z.min():g} … {1e3 * z.max():g} mm and leaves the depth "
            f"range {1e3 * depth[0]:g} … {1e3 * depth[1]:g} mm"
        )
    if medium.surfaces:
        room = np.ravel(medium.surfaces[0](r, 0.0 * r) - z)
        if not (room > 0.0).all():
            i = int(np.argmin(np.nan_to_num(room, nan=-np.inf)))
            raise InputError(
                f"the source must lie ahead of {medium.fluids[1].name!r}, at r = "
                f"{1e3 * r.flat[i]:.3g} mm it is at z = {1e3 * z.flat[i]:.4g} mm, "
                f"{-1e3 * room[i]:.3g} mm inside"
            )


def _check_memory(
    radius: float, path: float, order: int, per_wavelength: float, rings: int
) -> None:
    """Refuse what would not fit in memory; radius and path in wavelengths."""
    columns, layers = (
        ceil((length + n * RIM) * per_wavelength / order) for length, n in ((radius, 1), (path, 2))
    )
    face, edges = columns * order + 1, (columns + 1) * (order - 1)
    nodes = layers * columns * (order + 1) ** 2
    inner = columns * (4 * order + rings) * (order - 1) ** 2
    size = 16 * (layers * ((edges + face) * (face + rings) + inner) + 2 * rings * nodes)
    free = free_memory()
    if size > free:
        raise InputError(
            f"{columns} x {layers} elements of order {order} take about {size / 1e9:.1f} GB, there "
            f"are {free / 1e9:.1f} GB: use a smaller radius or depth, or fewer points a wavelength"
        )


def _solve(
    grid: AxialGrid, medium: LayeredMedium, loads: RingLoads, rings: int, frequency: float
) -> Complexes:
    """Return the pressure of each ring at 1 m/s, (layers, columns, nodes, rings).

    Block elimination in depth: the lower face and the upright edges of one layer after the other,
    from the front, each with the absorbing half of the domain behind it. (Layers eliminated on
    their own, between faces held at zero, would resonate where they are half a wavelength thick.)
    """
    omega = 2.0 * pi * frequency
    where = layout(grid.order, grid.columns)
    face, upto = where.face, where.face + where.edges
    kinds: dict[tuple[int, float], Condensed] = {}
    inner = []
    answers = []
    matrix, load = np.zeros((face, face), complex), np.zeros((face, rings), complex)
    for index in track(range(grid.layers), "layers", total=grid.layers):
        here = (1j * omega * loads.in_layer(index, grid.columns, rings)).astype(np.complex128)
        kind = None if here.any() else grid.kind(index)
        layer = kinds.get(kind) if kind else None
        if layer is None:
            c, rho, alpha = medium.fluids[grid.region[index]].at(frequency)
            layer = condense(layer_matrices(grid, index, omega / c - 1j * alpha, rho), here, where)
            if kind:
                kinds[kind] = layer
        inner.append(layer.inner)
        own = layer.matrix[:upto, :upto].copy()
        own[:face, :face] += matrix
        right = np.concatenate([layer.matrix[:upto, upto:], layer.load[:upto]], axis=1)
        right[:face, face:] += load
        answer = np.linalg.solve(own, right)
        answers.append(answer)
        seen = layer.matrix[upto:, :upto] @ answer
        matrix = layer.matrix[upto:, upto:] - seen[:, :face]
        load = layer.load[upto:] - seen[:, face:]
    out = np.empty((grid.layers, grid.columns, (grid.order + 1) ** 2, rings), complex)
    above = np.linalg.solve(matrix, load)
    for index in reversed(range(grid.layers)):
        answer = answers.pop()
        below = answer[:, face:] - answer[:, :face] @ above
        out[index] = recover(inner.pop(), np.concatenate([below, above]), where)
        above = below[:face]
    return out
