"""A validation case and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured number beside its reference.

    Parameters
    ----------
    case
        Id of the case ("sphere-tdcs").
    quantity
        What was measured, in words, with the mesh or the setting it was measured on.
    value, reference
        Measured and reference value, in ``unit``.
    error, limit
        Deviation as ``quantity`` defines it and the largest one that passes. Both are relative
        (1) unless ``quantity`` says otherwise.
    unit
        Unit of value and reference.
    source
        Where the reference comes from.
    """

    case: str
    quantity: str
    value: float
    reference: float
    error: float
    limit: float
    unit: str
    source: str

    @property
    def passed(self) -> bool:
        """Whether the error is within the limit (a NaN never is)."""
        return bool(self.error <= self.limit)

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values, ``passed`` included."""
        names = ("case", "quantity", "value", "reference", "error", "limit", "unit", "source")
        return {n: getattr(self, n) for n in names} | {"passed": self.passed}
