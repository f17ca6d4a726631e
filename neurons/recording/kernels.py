r"""What one synaptic current does in a cell: transmembrane currents by depth, and their dipole.

A synaptic current exp(-t/tau) into some compartments of a passive cell leaves it through the
membrane of all of them. With v the deviation from rest,

    C_c dv_c/dt + g_c v_c + sum_j G_cj (v_c - v_j) = s_c exp(-t/tau),    sum s = 1 A,

the current out of the membrane of compartment c, synapse included, is sum_j G_cj (v_j - v_c): the
currents of a cell sum to zero at any time, and their first moment along the axis to the pia is its
current dipole moment. The cell is soma and dendrites: what a long axon takes out of the cortex
depends on where the model cuts it.

Currents of a network that arrive at such a site at many times add up, convolved with this kernel
(Hagen et al. 2016, doi:10.1093/cercor/bhw237, and 2022, doi:10.1371/journal.pcbi.1010353; for
populations of cells Lindén et al. 2011, doi:10.1016/j.neuron.2011.11.006).

Time goes in steps of TR-BDF2 (Bank et al. 1985, IEEE Trans Electron Devices 32:1992), of second
order and without ringing, however short a compartment. Nothing happens before t = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.circuit import circuit
from rheobase.neurons.membrane.linear import admittance
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.spiking import resting_state

SPACING = 25e-6  # m between the nodes of the depth grid
FINENESS = 10  # steps in the decay of the synaptic current, at least: errors below 0.1 %
LENGTH = 8.0  # time constants of the membrane that a kernel lasts


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Kernel:
    """Transmembrane currents of one cell per synaptic current, at m sites of synapses.

    Parameters
    ----------
    dt
        Step between the times 0, dt, 2 dt, ... (s).
    depth
        Depth grid below the pia (m), ascending, shape (z,).
    current
        Current out of the membrane at each node per synaptic current (1), shape (m, k, z); each
        node stands for the currents around it, weighted linearly, so that sum and first moment are
        those of the compartments.
    """

    dt: float
    depth: Floats
    current: Floats

    @property
    def time(self) -> Floats:
        """Times after the synaptic current sets in (s), shape (k,)."""
        return self.dt * np.arange(self.current.shape[1], dtype=np.float64)

    @property
    def dipole(self) -> Floats:
        """Dipole moment towards the pia per synaptic current (m), shape (m, k)."""
        out: Floats = -(self.current @ self.depth)
        return out

    def spread(self, height: float) -> Kernel:
        """Return the mean kernel of the same cell moved up and down evenly within ``height`` (m).

        Currents at either end of the grid stay there.
        """
        spacing = self.depth[1] - self.depth[0]
        reach = int(np.ceil(0.5 * height / spacing + 0.5))
        at = spacing * np.arange(-reach, reach + 1)
        edge = np.clip((0.5 * height - np.abs(at)) / spacing + 0.5, 0.0, 1.0)
        weight = edge / edge.sum()
        moved = np.zeros_like(self.current)
        nodes = np.arange(len(self.depth))
        for step, w in zip(range(-reach, reach + 1), weight, strict=True):
            np.add.at(
                moved.transpose(2, 0, 1),
                np.clip(nodes + step, 0, len(nodes) - 1),
                w * self.current.transpose(2, 0, 1),
            )
        return Kernel(dt=self.dt, depth=self.depth, current=moved)

    @classmethod
    def mean(cls, kernels: Sequence[Kernel]) -> Kernel:
        """Return the mean of kernels of one grid and step; the longest decides how long it is.

        Raises
        ------
        InputError
            If there are none, or they differ in grid, step or sites.
        """
        if not kernels:
            raise InputError("expected kernels to average, got none")
        first = kernels[0]
        for k in kernels:
            if k.dt != first.dt or not np.array_equal(k.depth, first.depth):
                raise InputError("kernels to average must have one step and one depth grid")
            if len(k.current) != len(first.current):
                raise InputError("kernels to average must have the same number of sites")
        out = np.zeros((len(first.current), max(k.current.shape[1] for k in kernels), len(k.depth)))
        for k in kernels:
            out[:, : k.current.shape[1]] += k.current / len(kernels)
        return cls(dt=first.dt, depth=first.depth, current=out)


def depth_grid(thickness: float, *, margin: float = 0.2e-3, spacing: float = SPACING) -> Floats:
    """Return nodes from above the pia to below the white matter's border (m), shape (z,).

    Parameters
    ----------
    thickness
        Of the cortex (m).
    margin
        On both sides (m); what lies farther counts at the last node.
    spacing
        Between nodes (m).
    """
    above = int(np.ceil(margin / spacing))
    below = int(np.ceil((thickness + margin) / spacing))
    return spacing * np.arange(-above, below + 1, dtype=np.float64)


def depth_of(cell: Cell) -> Floats:
    """Return the depth of each compartment below the pia (m), shape (n,)."""
    out: Floats = cell.depth * cell.thickness - cell.morphology.centre[:, 2]
    return out


def passive_leak(cell: Cell, tau_m: float | None = None) -> Floats:
    """Return the conductance of the membrane of each compartment (S), shape (n,).

    Parameters
    ----------
    cell
        The cell.
    tau_m
        Time constant (s) that the membrane is given outside its myelin: that of the point neurons
        that the cell stands for (Hagen et al. 2016). None leaves it its own at rest, gates frozen.

    Raises
    ------
    InputError
        If ``tau_m`` is not > 0 s.
    """
    of = circuit(cell)
    if tau_m is None:
        own: Floats = admittance(of, resting_state(of), 0.0, gates="frozen").real
        return own
    if not tau_m > 0:
        raise InputError(f"tau_m must be > 0 s, got {tau_m!r}")
    sheath = cell.morphology.kind == Kind.INTERNODE
    out: Floats = np.where(sheath, of.leak, of.capacitance / tau_m)
    return out


def synaptic_kernel(
    cell: Cell,
    sites: ArrayLike,
    *,
    tau: ArrayLike,
    dt: float,
    tau_m: float | None = None,
    depth: Floats | None = None,
    duration: float | None = None,
) -> Kernel:
    """Return what a synaptic current exp(-t/tau) at each of some sites drives through a cell.

    Parameters
    ----------
    cell
        The cell, upright in its cortex.
    sites
        Share of the current that each compartment takes at each site, each row adding up to 1,
        none in the axon, shape (m, n).
    tau
        Decay of the synaptic current (s), one or one for each site, shape (m,).
    dt
        Step of the kernel (s).
    tau_m
        As for `passive_leak`.
    depth
        Depth grid (m); `depth_grid` of the cell's cortex if None.
    duration
        Length of the kernel (s); 8 time constants of the membrane if None.

    Raises
    ------
    InputError
        If a time is not > 0 s, or a site is not a distribution over the cell's compartments.
    """
    shape = cell.morphology
    s = np.atleast_2d(np.asarray(sites, dtype=np.float64))
    if s.ndim != 2 or s.shape[1] != len(shape) or len(s) == 0:
        raise InputError(f"sites must have shape (m, {len(shape)}), got {s.shape}: {cell.name}")
    if not (s >= 0).all() or not np.allclose(s.sum(axis=1), 1.0):
        raise InputError(f"each site must be shares >= 0 that add up to 1: {cell.name}")
    kept = np.flatnonzero(~shape.is_axon)
    if s[:, (shape.capacitance == 0) | shape.is_axon].any():
        raise InputError(f"sites must be on the membrane of soma and dendrites: {cell.name}")
    decay = np.atleast_1d(np.asarray(tau, dtype=np.float64))
    if decay.shape not in {(1,), (len(s),)} or not (np.isfinite(decay) & (decay > 0)).all():
        raise InputError(f"tau must be > 0 s, one or one for each of {len(s)} sites, got {tau!r}")
    if not 0 < dt < np.inf:
        raise InputError(f"dt must be > 0 s, got {dt!r}: kernel")
    leak = passive_leak(cell, tau_m)[kept]
    tree = _Tree(
        parent=np.searchsorted(kept, shape.parent[kept]).astype(np.int32),
        axial=shape.axial[kept],
        capacitance=shape.capacitance[kept],
        leak=leak,
        depth=depth_of(cell)[kept],
    )
    if duration is None:
        duration = LENGTH * float(tree.capacitance.sum() / leak.sum())
    rows = 1 + max(1, int(np.ceil(duration / dt)))
    decay = np.broadcast_to(decay, len(s))
    different, which = np.unique(np.column_stack([s[:, kept], decay]), axis=0, return_inverse=True)
    grid = depth_grid(cell.thickness) if depth is None else depth
    current = tree.stepped(different[:, :-1], different[:, -1], dt, rows, grid)
    return Kernel(dt=dt, depth=grid, current=current[which])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tree:
    """A passive tree of n compartments."""

    parent: NDArray[np.int32]
    axial: Floats
    capacitance: Floats
    leak: Floats
    depth: Floats

    def stepped(self, sites: Floats, tau: Floats, dt: float, rows: int, grid: Floats) -> Floats:
        """Return the currents at the nodes of ``grid`` after each step ``dt``, (m, rows, z)."""
        from rheobase.neurons._cable_numba import factorise
        from rheobase.neurons.recording._recording_numba import GAMMA, respond

        every = max(1, int(np.ceil(FINENESS * dt / tau.min())))
        h = dt / every
        memory = self.capacitance * (2 / (GAMMA * h))
        diagonal = memory + self.leak + self.axial
        np.add.at(diagonal, self.parent[1:], self.axial[1:])
        factor, inverse = np.empty_like(memory), np.empty_like(memory)
        factorise(self.parent, self.axial, diagonal, factor, inverse)
        at = np.clip(self.depth, grid[0], grid[-1])
        low = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, len(grid) - 2)
        part = (at - grid[low]) / (grid[low + 1] - grid[low])
        out = np.empty((rows, len(grid), len(sites)))
        respond(
            self.parent,
            self.axial,
            self.leak,
            memory,
            factor,
            inverse,
            np.ascontiguousarray(sites.T),
            np.ascontiguousarray(tau),
            h,
            every,
            low,
            part,
            out,
        )
        return np.ascontiguousarray(out.transpose(2, 0, 1))
