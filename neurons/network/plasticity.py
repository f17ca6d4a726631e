"""Short-term plasticity: depression and facilitation of synapses by their own spikes.

Model of Tsodyks, Pawelzik & Markram (1998, Neural Comput 10:821, 10.1162/089976698300017502). A
synapse has resources, of which the part x is ready, and uses the part u of it at a spike. Between
spikes x returns to 1 with ``tau_rec`` and u to 0 with ``tau_facil``; so from one spike to the next,
an interval D later,

    x' = 1 + (x - x u - 1) exp(-D/tau_rec),
    u' = U + u (1 - U) exp(-D/tau_facil),

from x = 1, u = U at the first. A spike sends the weight times u x: the first response of a rested
synapse is U times its weight. The rules are those of NEST's ``tsodyks2_synapse``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortTerm:
    """Constants of short-term plasticity.

    Parameters
    ----------
    U
        Part of the ready resources that the first spike uses, 0 < U <= 1.
    tau_rec
        Time constant (s, > 0) with which resources recover.
    tau_facil
        Time constant (s, >= 0) with which facilitation fades; 0: none.

    Raises
    ------
    InputError
        If a constant is outside its range.
    """

    U: float
    tau_rec: float
    tau_facil: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 < self.U <= 1:
            raise InputError(f"U must be > 0 and <= 1, got {self.U!r}: short-term plasticity")
        if not 0 < self.tau_rec < np.inf:
            raise InputError(f"tau_rec must be > 0 s, got {self.tau_rec!r}: short-term plasticity")
        if not 0 <= self.tau_facil < np.inf:
            raise InputError(
                f"tau_facil must be >= 0 s, got {self.tau_facil!r}: short-term plasticity"
            )

    def efficacies(self, times: ArrayLike) -> NDArray[np.float64]:
        """Return the part u x of the weight that each spike of a train sends, shape (n,).

        Parameters
        ----------
        times
            Times (s) of the spikes, ascending, the first at a rested synapse.

        Examples
        --------
        >>> ShortTerm(U=0.5, tau_rec=0.8).efficacies([0.1, 0.15, 0.2]).round(4)
        array([0.5   , 0.2651, 0.1547])
        """
        sent, x, u = [], 1.0, self.U
        for k, interval in enumerate(np.diff(np.atleast_1d(times), prepend=-np.inf)):
            if k:
                x = 1 + (x - x * u - 1) * np.exp(-interval / self.tau_rec)
                fade = np.exp(-interval / self.tau_facil) if self.tau_facil else 0.0
                u = self.U + u * (1 - self.U) * fade
            sent.append(u * x)
        return np.array(sent)
