"""``[tissue]`` and ``[pulse]`` of deep brain stimulation: what conducts, and what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from rheobase.tables.base import Positive, Table

if TYPE_CHECKING:
    from rheobase.fields.waveforms.trains import PulseTrain


class EncapsulationTable(Table):
    """``[tissue.encapsulation]``: the layer that grows around a lead."""

    thickness_mm: Annotated[float, Field(gt=0, le=2)] = 0.2
    conductivity_S_per_m: Positive = 0.18


class TissueTable(Table):
    """``[tissue]``: constant conductivities, or Cole-Cole dispersion and the contacts' interface.

    With ``dispersion`` the field varies over the spectrum of the pulse; without, tissue is
    resistive and the field follows the current. ``returns`` is where the current of the case leaves
    the head: its lowest part (the neck), or all of the skin of an ellipsoidal head.
    """

    dispersion: Literal["4-term", "3-term"] | None = None
    encapsulation: EncapsulationTable | None = None
    interface: str | None = None
    returns: Literal["neck", "scalp"] = "neck"

    @property
    def dispersive(self) -> bool:
        """Whether the potential depends on the frequency."""
        return self.dispersion is not None or self.interface is not None


class PulseTable(Table):
    """``[pulse]``: one period of the stimulus; its sign and size are those of the steering.

    ``recharge`` says how the charge comes back: in a second phase of the same size, in one that is
    ``ratio`` times as long and as weak, passively with the time constant ``tau_us``, or not.
    """

    width_us: Annotated[float, Field(ge=5, le=10_000)] = 60.0
    rate_Hz: Annotated[float, Field(ge=1, le=1000)] = 130.0
    recharge: Literal["symmetric", "asymmetric", "passive", "none"] = "symmetric"
    gap_us: Annotated[float, Field(ge=0, le=1e5)] = 0.0
    ratio: Annotated[float, Field(ge=1, le=1000)] | None = None
    tau_us: Annotated[float, Field(ge=1, le=1e5)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.recharge == "none" and self.gap_us:
            raise ValueError("gap_us is before a recharge, and recharge = 'none'")
        for key, kind in (("ratio", "asymmetric"), ("tau_us", "passive")):
            if getattr(self, key) is not None and self.recharge != kind:
                raise ValueError(f"{key} belongs to recharge = {kind!r}")
        self.make()  # it fits into its period
        return self

    def make(self) -> PulseTrain:
        """Return the pulse train; 1 in its first phase.

        Raises
        ------
        InputError
            If the phases do not fit between two pulses.
        """
        from rheobase.fields.waveforms.trains import dbs_pulse

        given: dict[str, float] = {} if self.ratio is None else {"ratio": self.ratio}
        if self.tau_us is not None:
            given["tau"] = self.tau_us * 1e-6
        return dbs_pulse(
            self.width_us * 1e-6,
            self.rate_Hz,
            recharge=self.recharge,
            gap=self.gap_us * 1e-6,
            **given,
        )
