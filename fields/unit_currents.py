"""Unit currents: 1 A in through one electrode, and evenly out of the surface of the head.

The load of electrode l is m_l/A_l - s/S, with s_i = ∫ phi_i over the surface and S its area
(`rheobase.fields.electrodes.pads` has m and A). Currents I_l that sum to zero give

    V = sum_l I_l V_l,   K W + C W = sum_l I_l d_l,

where nothing of the even part is left, and d_l is the defect of V_l (`rheobase.fields.correction`)
away from the singular nodes of electrode l: its own and those of attached metal. V_l and d_l know
nothing of the other electrodes' currents, so montages add up whatever they are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.contacts import Contacts
from rheobase.fields.correction import defects
from rheobase.fields.electrodes.pads import Pad, pad_contacts, pad_load
from rheobase.fields.solver import Conductor, Solve


@dataclass(frozen=True, eq=False)
class UnitCurrents:
    """Electrodes attached to a conductor, each to carry 1 A.

    Parameters
    ----------
    conductor
        The conductor.
    pads
        The electrodes, n of them.
    """

    conductor: Conductor
    pads: Sequence[Pad]

    @cached_property
    def contacts(self) -> Contacts | None:
        """The operator of all electrodes of the complete model."""
        return pad_contacts(self.pads)

    @cached_property
    def _metal(self) -> NDArray[np.int32]:
        """The singular nodes of attached metal."""
        under = [pad.enclosed for pad in self.pads if pad.model != "ideal"]
        return np.concatenate([np.empty(0, np.int32), *under])

    def solve(
        self, rows: Iterable[int], *, rtol: float | None = None, goal: float | None = None
    ) -> tuple[NDArray[np.float64], list[Solve]]:
        """Solve for the unit currents of some electrodes.

        Parameters
        ----------
        rows
            The electrodes, k of them.
        rtol, goal
            As for `Conductor.solve`.

        Returns
        -------
        V : ndarray, shape (k, n_nodes)
            Potential (V).
        solves : list of Solve
        """
        return self.conductor.solve(self.loads(rows), contacts=self.contacts, rtol=rtol, goal=goal)

    def loads(self, rows: Iterable[int]) -> NDArray[np.float64]:
        """Return the right-hand sides of the unit currents (A), shape (k, n_nodes)."""
        part, surface = self.conductor.part, self.conductor.surface
        b = np.stack([pad_load(self.conductor, [self.pads[row]], np.ones(1)) for row in rows])
        for load in b:
            load -= np.bincount(part, load)[part] * surface
        return b

    def singular(self, rows: Iterable[int]) -> list[NDArray[np.int32]]:
        """Return the nodes where each unit current is singular."""
        return [np.concatenate([self.pads[row].enclosed, self._metal]) for row in rows]

    def defects(self, V: NDArray[np.float64], rows: Iterable[int]) -> NDArray[np.float64]:
        """Return the defect of what `solve` gave (A), shape (k, n_nodes)."""
        return defects(self.conductor, V, self.singular(rows))


def check_joined(conductor: Conductor, pads: Sequence[Pad]) -> None:
    """Check that current can flow between all electrodes.

    Raises
    ------
    InputError
        If they sit on parts of the mesh that are not connected.
    """
    parts = np.unique(np.concatenate([conductor.part[pad.nodes] for pad in pads]))
    if len(parts) > 1:
        raise InputError(
            "expected all electrodes on one connected part of the mesh, got "
            f"{len(parts)} parts: electrodes {', '.join(pad.name for pad in pads)}"
        )
