"""Which cells every pose of a coil fires: the modes of the head combined for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._kept import note_use
from rheobase._progress import stage
from rheobase.stations.kept_fields import modes_file
from rheobase.tables.coil import WaveformTable

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.solver import Conductor
    from rheobase.fields.targeting.modes import CoilModes
    from rheobase.fields.targeting.reciprocity import TargetingMap
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.neurons.recruit import Ranking
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.tables.optimise import OptimiseTMS

Floats = NDArray[np.float64]

MODES = 200  # of the default head: 1 % of the field at most for a coil of 70 mm, 4 % for 25 mm
_AT_ONCE = 1000  # poses whose B is held


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fired:
    """The share of cells that each pose fires.

    Parameters
    ----------
    share
        Share of the cells, shape (p, a): exact, up to the modes, where checked, else estimated.
    best
        Position and angle of the best of those checked.
    ranking
        How it was found.
    missing
        Part of the coil's field that the modes lack, at worst.
    cells
        The cells.
    """

    share: Floats
    best: tuple[int, int]
    ranking: Ranking
    missing: float
    cells: Population

    def rows(self, curve: Floats, rate: float) -> list[tuple[str, float]]:
        """Return what is reached: thresholds (A/µs) solved for at the best pose, at a dI/dt."""
        return [
            ("cells that fire, by modes (%)", 100 * float(self.share[self.best])),
            ("cells that fire, solved for (%)", 100 * _share(curve, rate)),
            ("median threshold, solved for (A/µs)", float(np.nanmedian(curve))),
        ]

    def facts(self, curve: Floats, rate: float) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "share_by_modes": float(self.share[self.best]),
            "share_solved": _share(curve, rate),
            "poses_checked": len(self.ranking.checked),
            "settled": self.ranking.settled,
            "correction": self.ranking.correction,
            "modes_missing": self.missing,
        }

    def paragraphs(self, rate: float) -> list[str]:
        """Return what was compared, and what of it is guaranteed."""
        cells, ranking = self.cells, self.ranking
        end = (
            "no other's estimate, raised by as much, is above the best"
            if ranking.settled
            else "others may be above the best by that much"
        )
        return [
            f"Chosen by the share of {len(cells):,} {cells.type[0]} cells ({cells.layer[0]}) that "
            f"fire at {rate:.4g} A/µs. {len(ranking.checked)} poses were evaluated with the cable, "
            f"the others estimated from these; evaluation raised an estimate by "
            f"{ranking.correction:.1%} of the cells at most, and {end}. That is no proof: a pose "
            "that was not evaluated can be better than its estimate.",
            f"Fields of all poses come from modes of the head that lack at most {self.missing:.1%} "
            "of the coil's magnetic field; the best pose is solved for on its own.",
        ]


def fire(
    table: OptimiseTMS,
    head: Head,
    conductor: Conductor,
    cells: Population,
    coil: Coil,
    found: TargetingMap,
) -> Fired:
    """Return the share of cells that every pose fires.

    Raises
    ------
    InputError
        If the file of modes is that of another head.
    """
    from rheobase.neurons.objectives import objective
    from rheobase.neurons.recruit import rank_stimuli

    assert table.intensity_A_per_us is not None  # OptimiseTMS
    modes = _modes(table, head, conductor)
    poses = found.poses.reshape(-1, 4, 4)
    with stage("poses as modes"):
        blocks = [
            modes.coefficients(coil, poses[first : first + _AT_ONCE])
            for first in range(0, len(poses), _AT_ONCE)
        ]
    c, missing = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    with stage("fields at the cells"):
        felt = objective(cells, modes, waveform=_pulse(table, coil))
    ranking = rank_stimuli(felt, c * table.intensity_A_per_us * 1e6)
    shape = found.poses.shape[:2]
    i, j = np.unravel_index(ranking.best, shape)
    return Fired(
        share=ranking.share.reshape(shape),
        best=(int(i), int(j)),
        ranking=ranking,
        missing=float(missing.max()),
        cells=cells,
    )


def fired_by(table: OptimiseTMS, coil: Coil, basis: FieldBasis, cells: Population) -> Recruitment:
    """Return the thresholds (A/s) of the cells in a field that was solved for."""
    from rheobase.neurons.activation import thresholds

    return thresholds(cells, basis, waveform=_pulse(table, coil))


def _pulse(table: OptimiseTMS, coil: Coil) -> Any:
    return (table.waveform or WaveformTable(name="biphasic")).make(coil)


def _share(curve: Floats, rate: float) -> float:
    """Return the share of cells, those of unknown threshold silent, that fire."""
    return float(np.mean(np.nan_to_num(curve, nan=np.inf) <= rate))


def _modes(table: OptimiseTMS, head: Head, conductor: Conductor) -> CoilModes:
    """Return the modes of the head: a file that is given, the cache's, or new ones."""
    from rheobase.fields.targeting.modes import load_coil_modes
    from rheobase.fields.targeting.modes_solve import coil_modes

    if table.coil_modes is not None:
        modes = load_coil_modes(table.coil_modes)
        if not np.array_equal(modes.mesh.nodes, head.mesh.nodes):
            raise InputError(
                f"expected the coil modes of head {head.name!r}, got those of another mesh: "
                f"optimise.coil_modes, {table.coil_modes}"
            )
        return modes
    have = {t.name for t in head.tissues.values()}
    tissues = sorted({"grey_matter", "white_matter", "csf"} & have)  # that axons reach
    count = table.modes or MODES
    path = note_use(modes_file(head, tissues, count))
    return coil_modes(head, path, tissues=tissues, modes=count, conductor=conductor)
