"""What is stimulated and listened to: anything that advances in time under pulses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pulses:
    """Pulses of a stretch of time.

    Parameters
    ----------
    times
        When they begin (s, absolute), ascending, shape (n,).
    fraction
        Share of the fibres or cells that each fires (0 … 1), shape (n,).
    """

    times: Floats
    fraction: Floats

    @classmethod
    def none(cls) -> Pulses:
        """Return no pulse at all."""
        return cls(np.empty(0), np.empty(0))


class Plant(Protocol):
    """A system with signals, advanced stretch by stretch.

    Attributes
    ----------
    dt
        Time between samples of its signals (s).
    signals
        Their names.
    units
        Their units, in the same order.
    """

    @property
    def dt(self) -> float: ...  # noqa: D102

    @property
    def signals(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def units(self) -> tuple[str, ...]: ...  # noqa: D102

    def advance(self, n: int, pulses: Pulses) -> Floats:
        """Advance by ``n`` samples under ``pulses``; return the signals, shape (n, n_signals).

        A sample stands for the end of its step. Pulses begin within the stretch; what they do may
        last beyond it.
        """
        ...
