"""Pennes' bioheat equation: the temperature of perfused tissue that is heated.

    rho C dT/dt = div(k grad T) - w rho_b c_b (T - T_b) + Q

Solved for the rise u = T - T_0 over the steady temperature T_0 before the heating (the heat of
metabolism is left out: without a surrounding medium T_0 is the temperature of the blood). The
equation is linear, so u has the load as its only source. Where a region was cut out of a mesh, u
is zero; the heat that leaves there is told (`rheobase.fields.heat.result.Energy`).

Reference: Pennes, J Appl Physiol 1:93 (1948), doi:10.1152/jappl.1948.1.2.93.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage, track
from rheobase.fields.heat.phases import Phase
from rheobase.fields.heat.properties import Thermal, thermal_properties
from rheobase.fields.heat.result import Energy, Heating
from rheobase.fields.heat.system import GAMMA, HeatMatrices, Implicit, heat_matrices
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.region import Region, region
from rheobase.meshes.tissues import Tissue

Floats = NDArray[np.float64]
_MOST_STEPS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the skin is next to: coupling water, air.

    Parameters
    ----------
    temperature
        Its temperature (°C).
    transfer
        Heat transfer coefficient h (W/(m² K)); inf holds the skin at the temperature.

    Raises
    ------
    InputError
        If the temperature is not finite or the coefficient not > 0.
    """

    temperature: float
    transfer: float = inf

    def __post_init__(self) -> None:
        """Reject impossible values."""
        if not isfinite(self.temperature):
            raise InputError(f"temperature must be finite °C, got {self.temperature!r}")
        if not self.transfer > 0:
            raise InputError(f"transfer must be > 0 W/(m² K), got {self.transfer!r}")


class Bioheat:
    """Tissue ready to be heated.

    Parameters
    ----------
    tissue_mesh
        A mesh, all of whose surface is skin, or a region of one (`rheobase.meshes.region.region`).
    tissues
        Tissue, or `Thermal` properties, of each label.
    surroundings
        What the skin is next to; None lets no heat through.
    blood_temperature
        T_b (°C).

    Attributes
    ----------
    region
        The region.
    thermal
        Thermal properties of each label.
    baseline
        T_0 at the nodes (°C), shape (n_nodes,).

    Raises
    ------
    InputError
        If a label has no tissue, a tissue lacks a thermal property, or the temperature of the blood
        is not finite.
    """

    def __init__(
        self,
        tissue_mesh: TetMesh | Region,
        tissues: Mapping[int, Tissue | Thermal],
        *,
        surroundings: Surroundings | None = None,
        blood_temperature: float = 37.0,
    ) -> None:
        if not isfinite(blood_temperature):
            raise InputError(f"blood_temperature must be finite °C, got {blood_temperature!r}")
        part = region(tissue_mesh) if isinstance(tissue_mesh, TetMesh) else tissue_mesh
        self.region = part
        self.mesh = part.mesh
        self.thermal = thermal_properties(tissues, self.mesh.labels)
        self.names = {k: getattr(tissues[k], "name", str(k)) for k in self.thermal}
        transfer = surroundings.transfer if surroundings else 0.0
        with stage("assembling heat"):
            skin = part.surface if 0 < transfer < inf else np.empty((0, 3), dtype=np.int32)
            self.matrices: HeatMatrices = heat_matrices(self.mesh, self.thermal, skin, transfer)
        self._held = np.zeros(len(self.mesh.nodes), dtype=np.bool_)
        if transfer == inf:
            self._held[part.surface] = True
        self.baseline = np.full(len(self.mesh.nodes), float(blood_temperature))
        if surroundings is not None:
            self.baseline += self._settled(surroundings.temperature - blood_temperature)
        self._cut = np.zeros_like(self._held)
        self._cut[part.cut] = True
        self._held |= self._cut
        self._steppers: dict[float, Implicit] = {}
        free = ~self._held
        self._M = self.matrices.M[free][:, free]
        self._A = self.matrices.A[free][:, free]

    def _settled(self, difference: float) -> Floats:
        """Return T_0 - T_b (K) beside surroundings that differ by so much from the blood."""
        u = np.where(self._held, difference, 0.0)
        free = ~self._held
        b = difference * self.matrices.skin - self.matrices.A @ u
        u[free] = Implicit(None, self.matrices.A[free][:, free], 1.0).solve(b[free], u[free])
        return u

    def heat(
        self,
        load: ArrayLike,
        phases: Sequence[Phase],
        *,
        step: float = 0.5,
        cooling: float = 60.0,
        probes: ArrayLike | None = None,
    ) -> Heating:
        """Heat the tissue and let it cool.

        Parameters
        ----------
        load
            Heat at the nodes at full power (W), >= 0, shape (n_nodes,)
            (`rheobase.fields.heat.deposit.deposit`).
        phases
            When and by which factor, one after the other
            (`rheobase.fields.acoustics.sonication.Sonication.phases`).
        step
            Longest time step (s); each phase has equal ones.
        cooling
            How long to follow the temperature after the last phase (s), >= 0.
        probes
            Points whose temperature is kept for all times (m), shape (k, 3).

        Raises
        ------
        InputError
            If the load is negative or not finite, phases overlap, a time is impossible, or a probe
            is outside of the mesh.
        """
        q = np.asarray(load, dtype=np.float64)
        n = len(self.mesh.nodes)
        if q.shape != (n,):
            raise InputError(f"expected a load for each of {n} nodes, got {q.shape}")
        if not (np.isfinite(q).all() and (q >= 0).all()):
            bad = int(np.flatnonzero(~(np.isfinite(q) & (q >= 0)))[0])
            raise InputError(f"load must be finite and >= 0 W, got {q[bad]!r}: node {bad}")
        plan = _plan(phases, step, cooling)
        where, share = self._probes(probes)

        free = ~self._held
        starts = self.baseline
        u, previous = np.zeros(n), np.zeros(n)
        dose, peak = np.zeros((2, n))
        times, course = [0.0], [np.zeros(len(where))]
        tally = _Tally(self.matrices, self._held, self._cut)
        before = {dt: s.iterations for dt, s in self._steppers.items()}
        from rheobase.fields.heat._heat_numba import accumulate

        last = 0.0
        for dt, power in track(plan, "heating", total=len(plan)):
            stepper = self._stepper(dt)
            F = power * q
            Mu = self._M @ u[free]
            middle, end = np.zeros(n), np.zeros(n)
            # the change of the last step is the best guess of this one
            change = (u - previous)[free] * (dt / last if last else 0.0)
            middle[free] = stepper.solve(Mu + GAMMA * dt * F[free], u[free] + GAMMA * change)
            Mk = (self._M @ middle[free] - Mu) / (GAMMA * dt)
            b = Mu + dt * ((1 - GAMMA) * Mk + GAMMA * F[free])
            end[free] = stepper.solve(b, middle[free] + (1 - GAMMA) / GAMMA * (middle - u)[free])
            tally.add(dt, F, u, middle, end)
            accumulate(starts, u, end, dt, dose, peak)
            previous, u, last = u, end, dt
            times.append(times[-1] + dt)
            course.append((u[where] * share).sum(axis=1))
        return Heating(
            region=self.region,
            names=self.names,
            baseline=starts,
            peak_rise=peak,
            final_rise=u,
            cem43=dose,
            times=np.array(times),
            probe_rise=np.array(course),
            energy=tally.energy(u),
            fastest_rise=self._fastest(q),
            iterations=sum(s.iterations - before.get(dt, 0) for dt, s in self._steppers.items()),
        )

    def _stepper(self, dt: float) -> Implicit:
        if dt not in self._steppers:
            self._steppers[dt] = Implicit(self._M, self._A, GAMMA * dt)
        return self._steppers[dt]

    def _fastest(self, q: Floats) -> float:
        """Return the largest rate (K/s) at which full power can heat a node."""
        return float((q / self.matrices.M.sum(axis=1)).max())

    def _probes(self, probes: ArrayLike | None) -> tuple[NDArray[np.int32], Floats]:
        if probes is None:
            return np.empty((0, 4), dtype=np.int32), np.empty((0, 4))
        points = np.asarray(probes, dtype=np.float64)
        tet, share = Locator(self.mesh).locate(points)
        if (tet < 0).any():
            bad = int(np.flatnonzero(tet < 0)[0])
            raise InputError(
                f"expected probes in the mesh, got {(points[bad] * 1e3).round(2).tolist()} mm: "
                f"probe {bad}"
            )
        return self.mesh.tets[tet], share


class _Tally:
    """Where the heat goes, with the weights of the steps: the balance is that of the matrices."""

    def __init__(
        self, matrices: HeatMatrices, held: NDArray[np.bool_], cut: NDArray[np.bool_]
    ) -> None:
        self._matrices = matrices
        self._surfaces = [
            (m, matrices.M[m].sum(axis=0), matrices.A[m].sum(axis=0)) for m in (held, cut)
        ]
        self._sums = np.zeros(5)

    def add(self, dt: float, F: Floats, u: Floats, middle: Floats, end: Floats) -> None:
        """Add a step."""
        k1 = (middle - u) / (GAMMA * dt)
        k2 = (end - u - (1 - GAMMA) * dt * k1) / (GAMMA * dt)
        matrices = self._matrices
        for weight, v, rate in ((1 - GAMMA, middle, k1), (GAMMA, end, k2)):
            into = [F[nodes].sum() - M @ rate - A @ v for nodes, M, A in self._surfaces]
            self._sums += (
                dt * weight * np.array([F.sum(), matrices.perfusion @ v, matrices.skin @ v, *into])
            )

    def energy(self, u: Floats) -> Energy:
        """Return the sums (J), with what is stored in the rise ``u``."""
        deposited, perfused, skin, held, cut = self._sums.tolist()
        return Energy(
            deposited=deposited,
            stored=float((self._matrices.M @ u).sum()),
            perfused=perfused,
            skin=skin,
            held=held,
            cut=cut,
        )


def _plan(phases: Sequence[Phase], step: float, cooling: float) -> list[tuple[float, float]]:
    """Return duration (s) and power of each step, checked."""
    check_positive("step", step)
    if not (isfinite(cooling) and cooling >= 0):
        raise InputError(f"cooling must be >= 0 s, got {cooling!r}")
    if not phases:
        raise InputError("expected at least one phase of heating, got none")
    now = 0.0
    stretches: list[tuple[float, float]] = []
    for k, phase in enumerate(phases):
        gap = phase.start - now
        length = phase.end - phase.start
        slack = 1e-9 * max(abs(phase.end), 1e-300)
        fine = isfinite(phase.power) and phase.power >= 0
        if not (gap >= -slack and isfinite(length) and length > 0 and fine):
            raise InputError(f"expected phases of power >= 0 one after the other, got {phase}: {k}")
        stretches += [(gap, 0.0)] * (gap > slack) + [(length, phase.power)]
        now = phase.end
    stretches += [(cooling, 0.0)] * (cooling > 0)
    counts = [ceil(length / step - 1e-9) for length, _ in stretches]
    if sum(counts) > _MOST_STEPS:
        raise InputError(
            f"{sum(counts)} time steps are too many, choose a step above {step:g} s or average "
            "faster pulses"
        )
    plan: list[tuple[float, float]] = []
    for (length, power), count in zip(stretches, counts, strict=True):
        plan += [(float(f"{length / count:.12g}"), power)] * count
    return plan
