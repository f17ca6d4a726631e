"""``[head]``: the head, and the diffusion image that makes it anisotropic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from rheobase._errors import InputError
from rheobase.tables.base import Coordinates, FilePath, Positive, Table, beside

TENSOR_TISSUES = ("white_matter", "grey_matter")


def _file_or_name(
    labels: dict[str, str] | str | Path, info: ValidationInfo
) -> dict[str, str] | str | Path:
    """Return the path of a label table; a bare name is one that comes with rheobase."""
    if isinstance(labels, str) and Path(labels).suffix:
        return beside(Path(labels), info)
    return labels


class TensorTable(Table):
    """``[head.tensors]``: a diffusion image and how conductivity follows from it."""

    file: FilePath
    content: Literal["tensors", "directions"] = "tensors"
    axes: Literal["fsl", "voxel", "world"] = "fsl"
    order: Literal["upper", "lower", "diagonal"] | None = None
    ratio: Positive | None = None
    mapping: Literal["volume-normalised", "direct"] = "volume-normalised"
    largest_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    tissues: Annotated[tuple[str, ...], Field(min_length=1)] = TENSOR_TISSUES
    mend: bool = False

    @model_validator(mode="after")
    def _fits_content(self) -> Self:
        if self.content == "directions" and self.ratio is None:
            raise ValueError("directions need the ratio of the conductivities along and across")
        if self.content == "tensors" and self.ratio is not None:
            raise ValueError("ratio belongs to content = 'directions', tensors have their own")
        if self.content == "directions" and self.order is not None:
            raise ValueError("order belongs to content = 'tensors'")
        return self


class HeadTable(Table):
    """``[head]``: a built-in head by name, or a file (or folder) of one's own.

    ``options`` holds what only one head or one reader knows ("area" of a slab, "radii_mm" of the
    sphere …); they are checked against it before anything is built.
    """

    name: str | None = None
    resolution: str | None = None
    edge_length_mm: Positive | None = None
    file: FilePath | None = None
    labels: Annotated[dict[str, str] | str | Path | None, AfterValidator(_file_or_name)] = None
    species: Literal["human", "macaque", "rat", "mouse"] | None = None
    fiducials_mm: dict[str, Coordinates] | None = None
    tissues: FilePath | dict[str, dict[str, Any]] | None = None
    tensors: TensorTable | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.name is None) == (self.file is None):
            raise ValueError("expected either name (a built-in head) or file, got both or neither")
        only_file = {"labels", "species", "fiducials_mm"} & self.model_fields_set
        if self.name is not None and only_file:
            raise ValueError(f"{', '.join(sorted(only_file))} belongs to a head from a file")
        if self.file is not None and self.resolution is not None:
            raise ValueError(
                "resolution belongs to a built-in head, give edge_length_mm for a file"
            )
        twice = (set(HeadTable.model_fields) - {"options"}) & set(self.options)
        if twice:
            raise ValueError(
                f"give {', '.join(sorted(twice))} in [head] itself, not in its options"
            )
        return self

    def given(self) -> dict[str, Any]:
        """Return the options for `build_head` or `read_head` that were given."""
        labels: Any = self.labels
        if isinstance(labels, dict):
            try:
                labels = {int(k): v for k, v in labels.items()}
            except ValueError:
                raise InputError(
                    f"expected whole numbers as labels, got {', '.join(labels)}: head.labels"
                ) from None
        named = {
            "resolution": self.resolution,
            "edge_length_mm": self.edge_length_mm,
            "labels": labels,
            "species": self.species,
            "fiducials_mm": self.fiducials_mm,
        }
        return {k: v for k, v in named.items() if v is not None} | self.options
