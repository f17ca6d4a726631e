"""What all tables of a study file share: strict keys, points, paths beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Coordinates = tuple[Finite, Finite, Finite]


def beside(path: Path, info: ValidationInfo) -> Path:
    """Return a path as seen from the folder of the study file, where there is one."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path


FilePath = Annotated[Path, AfterValidator(beside)]


class Table(BaseModel):
    """A table of the study file: no unknown key, no change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def one_of(self, *names: str, at_most: bool = False) -> str:
        """Return which one of some keys is given, "" for none where that is allowed.

        Raises
        ------
        ValueError
            If several are, or none is.
        """
        given = [n for n in names if getattr(self, n) is not None]
        if len(given) > 1 or not (given or at_most):
            came = " and ".join(given) or "none"
            raise ValueError(f"expected one of {', '.join(names)}, got {came}")
        return given[0] if given else ""

    def files(self) -> dict[str, Path]:
        """Return the files that this table and those in it name, by key."""
        found: dict[str, Path] = {}
        for key in type(self).model_fields:
            _collect(key, getattr(self, key), found)
        return found


def _collect(key: str, value: Any, found: dict[str, Path]) -> None:
    if isinstance(value, Path):
        found[key] = value
    elif isinstance(value, Table):
        found.update({f"{key}.{k}": p for k, p in value.files().items()})
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            _collect(f"{key}.{k}", item, found)


def metres(mm: Coordinates) -> NDArray[np.float64]:
    """Return coordinates in metres, shape (3,)."""
    return np.array(mm) * 1e-3


class Place(Table):
    """A place: a 10-10 name, or coordinates in the space of the head or in MNI space."""

    position: str | None = None
    position_mm: Coordinates | None = None
    mni_mm: Coordinates | None = None

    @property
    def where(self) -> str | NDArray[np.float64]:
        """The 10-10 name, or the coordinates (m), shape (3,)."""
        mm = self.position_mm or self.mni_mm
        return self.position or "" if mm is None else metres(mm)

    @property
    def space(self) -> Literal["head", "MNI"]:
        """Space of the coordinates."""
        return "head" if self.mni_mm is None else "MNI"
