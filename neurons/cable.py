r"""The linear cable: how far a field polarises the membrane of a resting cell.

With deviation from rest ``v``, quasi-potential outside ``V_e`` and inside ``v + V_e``, current
balance of compartment c with its neighbours j reads

    C_c dv_c/dt + g_c v_c + sum_j G_cj [(v_c + V_e,c) - (v_j + V_e,j)] = 0,

so the activating function ``f_c = sum_j G_cj (V_e,j - V_e,c)`` drives the passive tree. Backward
Euler with the step ``dt`` gives one tree solve a step (Hines 1984), factorised once for a cell and
step and shared by all its placements. The source enters through the rises of V_e along the tree, so
nothing cancels in float32. Sealed ends; v = 0 before the pulse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.morphology import Floats, Morphology


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CableFactor:
    """The factorised backward-Euler matrix of one cell for one step.

    Parameters
    ----------
    morphology
        The cell, n compartments.
    dt
        Step (s); inf for the steady state.
    factor, inverse
        G/d to the parent (1) and 1/d (ohm) of the eliminated tree, shape (n,).
    """

    morphology: Morphology
    dt: float
    factor: Floats
    inverse: Floats

    @property
    def memory(self) -> Floats:
        """C/dt of each compartment (S), shape (n,)."""
        memory: Floats = self.morphology.capacitance / self.dt
        return memory


def factorise(morphology: Morphology, dt: float) -> CableFactor:
    """Eliminate the tree for step ``dt`` (s).

    Raises
    ------
    InputError
        If ``dt`` is not > 0 s.
    """
    from rheobase.neurons._cable_numba import factorise as eliminate

    if not dt > 0:
        raise InputError(f"dt must be > 0 s, got {dt!r}")
    axial = morphology.axial
    diagonal = morphology.capacitance / dt + morphology.leak + axial
    np.add.at(diagonal, morphology.parent[1:], axial[1:])
    factor, inverse = np.empty(len(morphology)), np.empty(len(morphology))
    eliminate(morphology.parent, axial, diagonal, factor, inverse)
    return CableFactor(morphology=morphology, dt=dt, factor=factor, inverse=inverse)


def polarisation(
    morphology: Morphology, rise: ArrayLike, drive: ArrayLike, dt: float = np.inf
) -> Floats:
    """Return the deviation from rest at every compartment after every step, in float64.

    Parameters
    ----------
    morphology
        The cell, n compartments.
    rise
        Rise of the outside potential from the parent (V per unit amplitude), shape (n,).
    drive
        Amplitude during each step, shape (steps,).
    dt
        Step (s); with inf each step is the steady state.

    Returns
    -------
    ndarray, shape (steps, n)
        Deviation v (V).

    Raises
    ------
    InputError
        If shapes differ or ``dt`` is not > 0 s.
    """
    from rheobase.neurons._cable_numba import step_double

    n = len(morphology)
    up = np.array(rise, dtype=np.float64)
    if up.shape != (n,):
        raise InputError(f"rise must have shape ({n},), got {up.shape}")
    tree = factorise(morphology, dt)
    trace: Floats = step_double(
        morphology.parent,
        tree.factor,
        tree.inverse,
        tree.memory,
        injected(morphology, up),
        np.asarray(drive, dtype=np.float64),
        np.zeros(n),
    )
    return trace


def influence(tree: CableFactor, compartment: int, drive: ArrayLike) -> Floats:
    """Return what each rise adds to the deviation of one compartment after every step, in float64.

    The matrices of the scheme are symmetric, so that a current into compartment a moves b as the
    same current into b moves a: one impulse response of the whole cell gives a row for every step.

    Parameters
    ----------
    tree
        Factorised cell, n compartments.
    compartment
        The one looked at.
    drive
        Amplitude during each step, shape (steps,).

    Returns
    -------
    ndarray, shape (steps, n)
        With rises (V), shape (n,), ``influence(…) @ rise`` is the deviation (V) after each step, as
        `polarisation` gives it.
    """
    from rheobase.neurons._cable_numba import step_double

    cell = tree.morphology
    d = np.asarray(drive, dtype=np.float64)
    unit, once = np.zeros(len(cell)), np.zeros(len(d))
    unit[compartment] = once[0] = 1.0
    impulse = step_double(
        cell.parent, tree.factor, tree.inverse, tree.memory, unit, once, np.zeros(len(cell))
    )
    lag = np.subtract.outer(np.arange(len(d)), np.arange(len(d)))
    of_current = np.where(lag >= 0, d[lag], 0.0) @ impulse
    out: Floats = cell.axial * (of_current[:, cell.parent] - of_current)
    out[:, 0] = 0.0
    return out


def injected(morphology: Morphology, rise: Floats) -> Floats:
    """Return the activating function as a current, f_c = sum_j G_cj (V_e,j - V_e,c) (A), (n,)."""
    flow = morphology.axial * rise
    flow[0] = 0.0
    f: Floats = -flow
    np.add.at(f, morphology.parent[1:], flow[1:])
    return f


def largest_response(
    tree: CableFactor,
    rise: NDArray[np.float32],
    drive: ArrayLike,
    weight: ArrayLike,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Step many placements through a waveform and keep the largest scaled deviation of each sign.

    Parameters
    ----------
    tree
        Factorised cell.
    rise
        Rises (V per unit amplitude), shape (blocks, n, lanes), as `Sampler.rises` gives.
    drive, weight
        Amplitude during each step, and what its deviation is multiplied with (1/V, one over the
        threshold; 0 where the step is not judged), shape (steps,).

    Returns
    -------
    response
        Largest ``weight * v`` over sites and steps, and of ``-weight * v`` (1), shape
        (2, blocks * lanes).
    site
        Its compartment, -1 where no site deviates that way, same shape.
    """
    from rheobase.neurons._cable_numba import respond, respond_once

    cell = tree.morphology
    w = np.asarray(weight, dtype=np.float32)
    a = np.asarray(drive, dtype=np.float32)
    blocks, _, lanes = rise.shape
    out = np.empty((blocks, 2, lanes), dtype=np.float32)
    where = np.empty((blocks, 2, lanes), dtype=np.int32)
    axial, factor, inverse = (x.astype(np.float32) for x in (cell.axial, tree.factor, tree.inverse))
    if len(a) == 1 and a[0] == 1.0:
        respond_once(cell.parent, axial, factor, inverse, cell.site, w[0], rise, out, where)
    else:
        memory = tree.memory.astype(np.float32)
        respond(cell.parent, axial, factor, inverse, memory, cell.site, a, w, rise, out, where)
    response = out.transpose(1, 0, 2).reshape(2, -1)
    return response, where.transpose(1, 0, 2).reshape(2, -1)
