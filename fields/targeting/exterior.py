"""Vector fields of currents in the head, anywhere outside it.

The functional J = sum_i a_i · A_i of a coil (`rheobase.fields.targeting.adjoint`) is, by the sum
over currents that A is, a sum over the coil's elements,

    J = sum_j dl_j · F(r_j) + sum_k m_k · curl F(r_k),   F(x) = mu0/4pi sum_i a_i / |x - x_i|.

Outside the head F is harmonic and falls off, so it is known from its values on a surface around
the head: they are summed over all nodes once, few equivalent currents below the scalp are fitted to
them (method of fundamental solutions, Fairweather & Karageorghis 1998), and those make F on a grid.
By the maximum principle the largest misfit on the surface is the largest anywhere beyond it; points
that took no part in the fit tell how large it is. Between grid points F is interpolated by cubic
polynomials.

Reference: Fairweather & Karageorghis, Adv Comput Math 9:69 (1998), doi:10.1023/A:1018981221740.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase._threads import in_parts
from rheobase.fields.coils.coil import Coil
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.fields.targeting.distance import ScalpDistance, grid_points

CLEARANCE = 0.005  # of the surface that F is fitted on (m): copper is further from the scalp
DEPTH = 0.010  # of the equivalent currents below the scalp (m)
CELL = 0.010  # one equivalent current in each (m)
SPACING = 0.006  # of the grid (m)
_HELD_OUT = 5  # every fifth point of the surface only checks the fit
_PART = 128  # points of a thread's piece of work
_POSES = 64  # poses of one


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExteriorField:
    """F of r functionals on a grid around the head.

    Parameters
    ----------
    low
        First point of the grid (m), shape (3,).
    spacing
        Of the grid (m).
    values
        F (V s/m per ampere, and unit of the functional), shape (nx, ny, nz, 3 r), float32.
    misfit
        Largest error of F on held-out points around the head, relative to the largest |F| there.
    """

    low: NDArray[np.float64]
    spacing: float
    values: NDArray[np.float32]
    misfit: float

    def of_poses(self, elements: Coil, poses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return J of a coil at poses.

        Parameters
        ----------
        elements
            Line elements in the coil's own frame (`equivalent` makes few of any coil).
        poses
            From there to the head (m), shape (n, 4, 4).

        Returns
        -------
        ndarray, shape (n, r)
            At dI/dt = 1 A/s.

        Raises
        ------
        InputError
            If an element lies beyond the grid.
        """
        from rheobase.fields.targeting._poses_numba import sum_over_elements

        n = len(poses)
        out = np.zeros((n, self.values.shape[3] // 3))
        P = np.ascontiguousarray(poses, dtype=np.float64)
        positions, segments = map(np.ascontiguousarray, (elements.positions, elements.segments))
        grid = self.values, self.low, self.spacing
        outside = sum(
            in_parts(
                lambda some: sum_over_elements(*grid, positions, segments, P[some], out[some]),
                n,
                _POSES,
            )
        )
        if outside:
            size = 1e3 * self.spacing * (np.array(self.values.shape[:3]) - 1)
            raise InputError(
                f"expected a coil within a box of {size.round().astype(int).tolist()} mm around "
                f"the head, got elements outside it at {outside:,} of {n:,} poses: coil "
                f"{elements.name!r}"
            )
        return out


def exterior_field(
    nodes: NDArray[np.float64],
    a: NDArray[np.float64],
    distance: ScalpDistance,
    *,
    reach: float,
) -> ExteriorField:
    """Return the field of currents at the nodes on a grid outside the head.

    Parameters
    ----------
    nodes
        Nodes of the mesh (m), shape (n, 3).
    a
        Currents (A m), shape (r, n, 3).
    distance
        Distance from the scalp.
    reach
        How far the grid extends beyond the head (m).

    Returns
    -------
    ExteriorField
    """
    from scipy.linalg import cho_factor, cho_solve

    columns = np.ascontiguousarray(a.swapaxes(1, 2).reshape(-1, a.shape[1]))
    with stage("field of the currents outside the head"):
        on = distance.surface(CLEARANCE, 0.75 * CELL)[0]
        sources = distance.surface(-DEPTH, CELL)[0]
        wanted = np.empty((len(columns), len(on)))
        _potential(on, nodes, columns, wanted)
        G = 1.0 / np.linalg.norm(on[:, None] - sources, axis=2)
        check = np.arange(len(on)) % _HELD_OUT == 0
        fit = G[~check]
        normal = fit.T @ fit
        normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal)
        charges = cho_solve(cho_factor(normal), fit.T @ wanted[:, ~check].T).T
        error = charges @ G[check].T - wanted[:, check]
        sizes = [
            np.linalg.norm(x.reshape(len(a), 3, -1), axis=1).max(axis=1)
            for x in (error, wanted[:, check])
        ]
        head = distance.low + distance.spacing * np.argwhere(distance.values < 0)
        low = head.min(axis=0) - reach
        grid, shape = grid_points(low, head.max(axis=0) + reach, SPACING)
        values = np.empty((len(columns), len(grid)))
        _potential(grid, sources, np.ascontiguousarray(charges), values)
    return ExteriorField(
        low=low,
        spacing=SPACING,
        values=np.ascontiguousarray((MU0_OVER_4PI * values.T).reshape(*shape, -1), np.float32),
        misfit=float((sizes[0] / sizes[1]).max()),
    )


def _potential(
    points: NDArray[np.float64],
    sources: NDArray[np.float64],
    charges: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write sum_i q_i/|x - x_i| of rows of charges (c, n) at points (m, 3) into ``out`` (c, m)."""
    from rheobase.fields.targeting._exterior_numba import potential

    at, of = np.ascontiguousarray(points), np.ascontiguousarray(sources)
    in_parts(lambda some: potential(at, of, charges, some.start, some.stop, out), len(at), _PART)
