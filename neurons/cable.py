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
    """The factorised backward-Euler matrices of one cell, one for each different step.

    Parameters
    ----------
    morphology
        The cell, n compartments.
    dt
        Length of each step (s), shape (steps,); inf for the steady state.
    which
        Row of the matrices that each step uses, shape (steps,).
    factor, inverse, memory
        G/d to the parent (1) and 1/d (ohm) of the eliminated tree, and C/dt (S), shape (rows, n).
    """

    morphology: Morphology
    dt: Floats
    which: NDArray[np.int64]
    factor: Floats
    inverse: Floats
    memory: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Criterion:
    """What the deviations of a cell are compared with.

    Parameters
    ----------
    weight
        What the deviation of each compartment is multiplied with after each step (1/V, one over its
        threshold; 0 where it is not judged), shape (steps, n).
    near
        A compartment up the tree, or the own, whose deviation counts too, shape (n,).
    share
        How much of it is added to the own.
    grows
        Whether only deviations that grow during a step count, shape (steps,).
    """

    weight: Floats
    near: NDArray[np.int32]
    share: float
    grows: NDArray[np.bool_]


def factorise(morphology: Morphology, dt: ArrayLike) -> CableFactor:
    """Eliminate the tree for every step in ``dt`` (s), shape (steps,).

    Raises
    ------
    InputError
        If a step is not > 0 s.
    """
    from rheobase.neurons._cable_numba import factorise as eliminate

    steps = np.atleast_1d(np.asarray(dt, dtype=np.float64))
    if not (steps > 0).all():
        raise InputError(f"dt must be > 0 s, got {dt!r}")
    different, which = np.unique(steps, return_inverse=True)
    axial, capacitance, leak = morphology.axial, morphology.capacitance, morphology.leak
    joined = axial.copy()
    np.add.at(joined, morphology.parent[1:], axial[1:])
    memory = capacitance / different[:, None]
    factor, inverse = np.empty_like(memory), np.empty_like(memory)
    for k in range(len(different)):
        eliminate(morphology.parent, axial, memory[k] + leak + joined, factor[k], inverse[k])
    return CableFactor(
        morphology=morphology, dt=steps, which=which, factor=factor, inverse=inverse, memory=memory
    )


def polarisation(
    morphology: Morphology, rise: ArrayLike, drive: ArrayLike, dt: ArrayLike = np.inf
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
        Length of each step (s), one or shape (steps,); with inf a step is the steady state.

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

    n, d = len(morphology), np.asarray(drive, dtype=np.float64)
    up = np.array(rise, dtype=np.float64)
    if up.shape != (n,):
        raise InputError(f"rise must have shape ({n},), got {up.shape}")
    tree = factorise(morphology, dt)
    if len(tree.dt) not in (1, len(d)):
        raise InputError(f"dt must be one or as many as steps, got {len(tree.dt)} for {len(d)}")
    trace: Floats = step_double(
        morphology.parent,
        np.broadcast_to(tree.which, d.shape),
        tree.factor,
        tree.inverse,
        tree.memory,
        injected(morphology, up),
        d,
        np.zeros(n),
    )
    return trace


def influence(tree: CableFactor, where: int | Floats, drive: ArrayLike, step: int = -1) -> Floats:
    """Return what each rise adds to the deviation of a compartment after a step, in float64.

    The matrices of the scheme are symmetric, so that a current into compartment a moves b as the
    same current into b moves a: the steps, taken backwards from the compartment, give the row.

    Parameters
    ----------
    tree
        Factorised cell, n compartments.
    where
        The compartment looked at, or weights of all of them, shape (n,).
    drive
        Amplitude during each step, shape (steps,).
    step
        The step after which it is looked at.

    Returns
    -------
    ndarray, shape (n,)
        With rises (V), shape (n,), ``influence(…) @ rise`` is the deviation (V), as `polarisation`
        gives it.
    """
    from rheobase.neurons._cable_numba import solve_double

    cell, d = tree.morphology, np.asarray(drive, dtype=np.float64)
    of_current = np.zeros(len(cell))
    if isinstance(where, int):
        current = np.zeros(len(cell))
        current[where] = 1.0
    else:
        current = where.copy()
    for k in range(len(d) + step if step < 0 else step, -1, -1):
        row = tree.which[k]
        solve_double(cell.parent, tree.factor[row], tree.inverse[row], current)
        of_current += d[k] * current
        current *= tree.memory[row]
    out: Floats = cell.axial * (of_current[cell.parent] - of_current)
    out[0] = 0.0
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
    criterion: Criterion,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Step many placements through a waveform and keep the largest scaled deviation of each sign.

    Parameters
    ----------
    tree
        Cell factorised for the steps.
    rise
        Rises (V per unit amplitude), shape (blocks, n, lanes), as `Sampler.rises` gives.
    drive
        Amplitude during each step, shape (steps,).
    criterion
        What deviations are compared with.

    Returns
    -------
    response
        Largest deviation over its threshold among compartments and steps, up and down (1), shape
        (2, blocks * lanes).
    site
        Its compartment, -1 where none deviates that way, same shape.
    """
    from rheobase.neurons._cable_numba import respond

    cell = tree.morphology
    w, share = criterion.weight.astype(np.float32), np.float32(criterion.share)
    a = np.asarray(drive, dtype=np.float32)
    blocks, _, lanes = rise.shape
    out = np.empty((blocks, 2, lanes), dtype=np.float32)
    where = np.empty((blocks, 2, lanes), dtype=np.int32)
    axial, factor, inverse, memory = (
        x.astype(np.float32) for x in (cell.axial, tree.factor, tree.inverse, tree.memory)
    )
    respond(
        cell.parent,
        axial,
        tree.which,
        factor,
        inverse,
        memory,
        a,
        w,
        criterion.near,
        share,
        criterion.grows,
        rise,
        out,
        where,
    )
    response = out.transpose(1, 0, 2).reshape(2, -1)
    return response, where.transpose(1, 0, 2).reshape(2, -1)
