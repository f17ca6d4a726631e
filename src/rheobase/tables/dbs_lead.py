"""``[[leads]]``: a model, where it stands, and what its contacts do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Coordinates, Finite, Table, metres
from rheobase.tables.steering import Setting, parse_steering
from rheobase.tables.target import BRAIN_MM, known_targets
from rheobase.tables.trajectory import known_trajectories

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.meshes.leads.lead import Lead
    from rheobase.meshes.leads.model import LeadModel

TARGETS = ("target", "target_mni_mm", "target_mm")
ENTRIES = ("entry_mni_mm", "entry_mm", "direction")


class LeadTable(Table):
    """One lead: by its target and entry (or the direction up its shaft), or at a known target.

    ``contact`` is the one whose middle stands at the target, the tip without; ``rotation_deg``
    turns the marker from the front, anticlockwise seen from the entry. ``options`` change the
    model, or make one's own where the model is "custom".
    """

    name: str = ""
    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    target: str | None = None
    target_mni_mm: Coordinates | None = None
    target_mm: Coordinates | None = None
    entry_mni_mm: Coordinates | None = None
    entry_mm: Coordinates | None = None
    direction: Coordinates | None = None
    contact: Annotated[int | str | None, Field(union_mode="left_to_right")] = None
    rotation_deg: Finite = 0.0
    steering: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        place = self.one_of(*TARGETS)
        way = self.one_of(*ENTRIES, at_most=True)
        if self.target is not None:
            check_option("target", self.target, known_targets())
        if not way and self.target not in known_trajectories():
            known = ", ".join(known_trajectories())
            raise ValueError(
                f"{place} needs one of {', '.join(ENTRIES)}; an entry is known of {known}"
            )
        if self.direction is not None and not any(self.direction):
            raise ValueError("direction must not be 0, 0, 0")
        for key in ("target_mni_mm", "entry_mni_mm"):
            for axis, c, (low, high) in zip(
                "xyz", getattr(self, key) or (), BRAIN_MM, strict=False
            ):
                margin = 30.0 if key.startswith("entry") else 0.0  # an entry may lie on the scalp
                if not low - margin <= c <= high + margin:
                    raise ValueError(
                        f"expected {key} in the head, {low - margin:g} to {high + margin:g} mm "
                        f"along {axis}, got {c:g}"
                    )
        self.setting()  # the line is understood
        return self

    @property
    def needs_mni(self) -> bool:
        """Whether the head must have a transform to MNI space."""
        return self.target_mm is None or self.entry_mni_mm is not None

    @property
    def title(self) -> str:
        """Its name, or that of its target, or of its model."""
        return self.name or self.target or self.model

    @property
    def slug(self) -> str:
        """Its name for files."""
        return "".join(c if c.isalnum() else "_" for c in self.title.lower())

    def setting(self) -> Setting:
        """Return what its contacts do.

        Raises
        ------
        InputError
            If the line is not understood.
        """
        return parse_steering(self.steering)

    def open(self) -> LeadModel:
        """Return its model.

        Raises
        ------
        InputError
            If there is no such model or contact, or the steering does not fit it; with the lead.
        """
        from rheobase.meshes.leads.catalogue import custom_lead, lead_model

        try:
            if self.model == "custom":
                model = custom_lead(self.name or "custom", **self.options)
            else:
                model = lead_model(self.model, **self.options)
            if self.contact is not None:
                model.contact(self.contact)
            self.setting().control(model.names)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{error}: leads, {self.title}") from error
        return model

    def place(self, head: Head) -> Lead:
        """Return the lead in a head.

        Raises
        ------
        InputError
            If the head has no way to MNI space and a coordinate is one of it, or target and entry
            are the same.
        """
        from rheobase.meshes.leads.lead import place_lead

        way: dict[str, Any]
        if self.direction is not None:
            way = {"direction": np.array(self.direction)}
        elif self.entry_mm is not None:
            way = {"entry": metres(self.entry_mm)}
        else:
            usual = known_trajectories()[self.target]["entry_mni_mm"] if self.target else None
            way = {"entry": _in_head(self.entry_mni_mm or usual, head)}
        if self.target_mm is not None:
            target = metres(self.target_mm)
        else:
            known = known_targets()[self.target]["mni_mm"] if self.target else None
            target = _in_head(self.target_mni_mm or known, head)
        return place_lead(
            self.open(),
            target=target,
            contact=self.contact,
            rotation_deg=self.rotation_deg,
            name=self.title,
            **way,
        )


def _in_head(mni_mm: Coordinates | None, head: Head) -> NDArray[np.float64]:
    assert mni_mm is not None  # the table has one of the two
    point: NDArray[np.float64] = head.from_mni(metres(mni_mm)[None])[0]
    return point
