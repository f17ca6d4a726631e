"""What random places of a lead, conductivities and encapsulation do to what it activates.

The lead is solved for again in each sample, by whatever is called: a coarse grid, the full one. The
numbers it gives are kept in a file as they come, so that what was interrupted is gone on with, and
become polynomials of the inputs (`rheobase.fields.uncertainty.chaos`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import content_key, package_key, whole_file
from rheobase._progress import track
from rheobase.fields.uncertainty.chaos import Chaos, check_samples, fit
from rheobase.fields.uncertainty.inputs import (
    Conductivity,
    EncapsulationThickness,
    Inputs,
    LeadShift,
)
from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]

FORMAT = "rheobase lead samples 1"
TAILS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadSample:
    """What is solved for in one sample.

    Parameters
    ----------
    lead
        The lead in its place.
    sigma
        Conductivities (S/m) that are random, by name of the tissue.
    encapsulation
        Thickness of the encapsulation (m), None if it is not random.
    """

    lead: Lead
    sigma: Mapping[str, float]
    encapsulation: float | None


#: Numbers of one sample by name; the same names each time.
Evaluate = Callable[[LeadSample], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadSamples:
    """Numbers at samples of random inputs.

    Parameters
    ----------
    inputs
        The random inputs, d of them.
    x
        Their samples, shape (n, d).
    values
        The numbers by name, shape (n,) each.
    """

    inputs: Inputs
    x: Floats
    values: Mapping[str, Floats]

    def chaos(self, name: str, *, degree: int | None = None) -> Chaos:
        """Return one of the numbers as a polynomial of the inputs.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        check_option("quantity", name, self.values)
        return fit(self.inputs, self.x, self.values[name], degree=degree)

    def rows(self) -> list[dict[str, Any]]:
        """Return mean, spread, quantiles and Sobol indices of each number, for tables.

        The quantiles are those of the samples, all else is that of the polynomial: where its
        leave-one-out error is not small, indices are rough.
        """
        rows = []
        for name in self.values:
            fitted = self.chaos(name)
            low, middle, high = np.quantile(self.values[name], TAILS).tolist()
            first, total = fitted.first().tolist(), fitted.total().tolist()
            rows.append(
                {
                    "quantity": name,
                    "mean": float(fitted.mean),
                    "sd": float(fitted.sd),
                    "q05": low,
                    "median": middle,
                    "q95": high,
                    "leave_one_out_error": float(fitted.error),
                    "first": dict(zip(self.inputs.names, first, strict=True)),
                    "total": dict(zip(self.inputs.names, total, strict=True)),
                }
            )
        return rows


def sample_quantities(
    evaluate: Evaluate,
    lead: Lead,
    inputs: Inputs,
    path: Path | str,
    *,
    n: int = 64,
    seed: int = 0,
    key: str = "",
) -> LeadSamples:
    """Return numbers at samples of random inputs.

    Parameters
    ----------
    evaluate
        Solves for a sample and gives its numbers.
    lead
        The lead at its place.
    inputs
        What is random: `LeadShift`, `EncapsulationThickness`, `Conductivity`.
    path
        The file (HDF5). One that this call began and did not finish is gone on with; a finished one
        is returned.
    n, seed
        Samples, and the seed that scrambles their sequence.
    key
        What tells ``evaluate`` from another one: everything it depends on that the other arguments
        do not say.

    Raises
    ------
    InputError
        Before anything is solved: if an input is about something else, samples are too few, or the
        file is another one or cannot be written. Later: if a sample cannot be solved for; the
        sentence says which.
    """
    path = Path(path)
    for one in inputs.inputs:
        if not isinstance(one, (LeadShift, EncapsulationThickness, Conductivity)):
            raise InputError(
                "expected random shifts of the lead, its encapsulation or conductivities, got "
                f"{one.name!r}: lead {lead.name!r}"
            )
    check_samples(n, len(inputs))
    x = inputs.sample(n, seed=seed)
    known = content_key(
        package_key("rheobase.fields"),
        key,
        inputs.as_dict(),
        x.tobytes(),
        lead.model.name,
        lead.frame.tobytes(),
    )
    names, values, done = _begun(path, known, n)
    missing = np.flatnonzero(~done)
    for i in track(missing.tolist(), "samples of the lead", total=len(missing)):
        told = ", ".join(f"{m} {v:.4g}" for m, v in zip(inputs.names, x[i].tolist(), strict=True))
        try:
            found = dict(evaluate(_sample(lead, inputs, x[i])))
        except InputError as error:
            raise InputError(f"{error}, in a sample with {told}") from None
        if not names:
            names = sorted(found)
            values = np.full((n, len(names)), np.nan)
        row = np.array([found.get(name, np.nan) for name in names], dtype=np.float64)
        if sorted(found) != names or not np.isfinite(row).all():
            raise InputError(
                f"expected the same finite numbers of every sample, {', '.join(names)}, got "
                f"{found}, in a sample with {told}"
            )
        values[i], done[i] = row, True
        _keep(path, known, names, values, done)
    table = dict(zip(names, values.T, strict=True))
    return LeadSamples(inputs=inputs, x=x, values=table)


def moved_lead(lead: Lead, shift: Mapping[str, float]) -> Lead:
    """Return a lead shifted and turned in its own frame.

    Parameters
    ----------
    lead
        The lead.
    shift
        "x", "y", "z" (mm), "pitch", "roll" and "turn" (degrees), as `LeadShift` has them; 0 if not
        there. The lead is turned first, about x, y and then z through its tip.
    """
    from scipy.spatial.transform import Rotation

    angles = [shift.get(axis, 0.0) for axis in ("pitch", "roll", "turn")]
    axes = lead.frame[:3, :3]
    turned = axes @ Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    tip = lead.tip + axes @ np.array([1e-3 * shift.get(axis, 0.0) for axis in "xyz"])
    straight = Lead(model=lead.model, tip=tip, direction=turned[:, 2], name=lead.name)
    x0, y0 = straight.frame[:3, 0], straight.frame[:3, 1]
    rotation = float(np.arctan2(turned[:, 0] @ y0, turned[:, 0] @ x0))
    return Lead(
        model=lead.model, tip=tip, direction=turned[:, 2], rotation=rotation, name=lead.name
    )


def _sample(lead: Lead, inputs: Inputs, x: Floats) -> LeadSample:
    shift: dict[str, float] = {}
    sigma: dict[str, float] = {}
    thickness = None
    for one, value in zip(inputs.inputs, x.tolist(), strict=True):
        if isinstance(one, LeadShift):
            shift[one.axis] = value
        elif isinstance(one, Conductivity):
            sigma[one.tissue] = value
        else:
            thickness = 1e-3 * value
    moved = moved_lead(lead, shift) if shift else lead
    return LeadSample(lead=moved, sigma=sigma, encapsulation=thickness)


def _begun(path: Path, key: str, n: int) -> tuple[list[str], Floats, NDArray[np.bool_]]:
    """Return names, numbers and what is done of a file; nothing where there is none."""
    import h5py

    if not path.exists():
        return [], np.zeros((n, 0)), np.zeros(n, dtype=np.bool_)
    try:
        with h5py.File(path) as file:
            kind = file.attrs.get("format", "")
            if kind != FORMAT:
                raise InputError(f"expected {FORMAT!r}, got {kind!r}: {path}")
            if file.attrs["key"] != key:
                raise InputError(
                    "expected samples of this lead, inputs, quantities and version, got others "
                    f"(delete them or choose another name): {path}"
                )
            return json.loads(file.attrs["names"]), file["values"][:], file["done"][:]
    except (OSError, KeyError) as error:
        raise InputError(f"cannot read samples of a lead: {error}: {path}") from error


def _keep(
    path: Path, key: str, names: Sequence[str], values: Floats, done: NDArray[np.bool_]
) -> None:
    """Write what is done so far; the file is whole at any time."""
    import h5py

    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["key"] = key
        file.attrs["names"] = json.dumps(list(names))
        file["values"] = values
        file["done"] = done
