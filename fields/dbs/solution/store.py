"""Unit responses of a lead in one HDF5 file."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.fields.dbs.grid.chart import Chart
from rheobase.fields.dbs.grid.domains import Domain
from rheobase.fields.dbs.grid.layers import Layer, LeadGrid
from rheobase.fields.dbs.solution.response import LeadResponse, ResponseReport
from rheobase.meshes.leads.lead import Lead
from rheobase.meshes.leads.model import Contact, LeadModel

#: Of the files of `save_response`.
FORMAT = "rheobase lead response 1"
ARRAYS = ("conn", "values", "Z")
LENGTHS = ("radius", "reach", "z_stretch", "z_top", "z_centre")


def save_response(response: LeadResponse, path: Path | str) -> None:
    """Write the unit responses of a lead to one file; it appears only when complete.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import h5py

    lead, grid = response.lead, response.grid
    domain = grid.chart.domain
    model = {f.name: getattr(lead.model, f.name) for f in fields(LeadModel) if f.init}
    head = {
        "model": model | {"contacts": [asdict(c) for c in lead.model.contacts]},
        "place": {
            "tip": lead.tip.tolist(),
            "direction": lead.direction.tolist(),
            "rotation": lead.rotation,
            "name": lead.name,
        },
        "chart": {name: getattr(grid.chart, name) for name in LENGTHS},
        "domain": {
            "kind": domain.kind,
            "half": domain.half.tolist(),
            "centre": domain.centre.tolist(),
            "axes": domain.axes.tolist(),
            "grounded": domain.grounded,
        },
        "order": grid.order,
        "encapsulation": grid.encapsulation,
        "contacts": response.contacts,
        "insulated": response.insulated,
        "report": asdict(response.report),
    }
    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["head"] = json.dumps(head)
        for name in ARRAYS:
            file.create_dataset(name, data=getattr(response, name))
        for i, layer in enumerate(grid.layers):
            for axis in ("s", "T", "theta"):
                file.create_dataset(f"layers/{i}/{axis}", data=getattr(layer, axis))


def load_response(path: Path | str) -> LeadResponse:
    """Read what `save_response` wrote.

    Raises
    ------
    InputError
        If there is no such file or it is none of these.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kind = str(file.attrs.get("format", ""))
            if kind != FORMAT:
                raise InputError(
                    f"expected a file of format {FORMAT!r}, got {kind or 'another one'!r}: {path}"
                )
            head = json.loads(file.attrs["head"])
            arrays = {name: file[name][:] for name in ARRAYS}
            layers = tuple(
                Layer(**{axis: file[f"layers/{i}/{axis}"][:] for axis in ("s", "T", "theta")})
                for i in range(len(file["layers"]))
            )
        return _response(head, arrays, layers)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"cannot read unit responses of a lead: {error}: {path}") from error


def _response(
    head: dict[str, Any], arrays: dict[str, Any], layers: tuple[Layer, ...]
) -> LeadResponse:
    """Put the parts of a file together."""
    model = dict(head["model"])
    model["contacts"] = tuple(
        Contact(
            name=c["name"],
            z=tuple(c["z"]),
            theta=None if c["theta"] is None else tuple(c["theta"]),
            tip=c["tip"],
        )
        for c in model["contacts"]
    )
    model["marker"] = None if model["marker"] is None else tuple(model["marker"])
    model["notes"] = tuple(model["notes"])
    place = dict(head["place"])
    lead = Lead(
        model=LeadModel(**model),
        tip=np.array(place["tip"]),
        direction=np.array(place["direction"]),
        rotation=place["rotation"],
        name=place["name"],
    )
    domain: Any = {k: v if isinstance(v, str) else np.array(v) for k, v in head["domain"].items()}
    grid = LeadGrid(
        chart=Chart(**head["chart"], domain=Domain(**domain)),
        layers=layers,
        order=tuple(head["order"]),
        encapsulation=head["encapsulation"],
    )
    report = dict(head["report"])
    report["seconds"] = tuple(report["seconds"])
    return LeadResponse(
        lead=lead,
        contacts=tuple(head["contacts"]),
        insulated=tuple(head["insulated"]),
        grid=grid,
        report=ResponseReport(**report),
        **arrays,
    )
