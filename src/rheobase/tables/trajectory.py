"""Where a lead usually enters for a target."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def known_trajectories() -> dict[str, dict[str, Any]]:
    """Return the MNI coordinate (mm) of an entry by the name of its target, source and status."""
    text = files("rheobase").joinpath("data/trajectories.csv").read_text(encoding="utf-8")
    return {
        row["target"]: {
            "entry_mni_mm": tuple(float(row[f"{c}_mm"]) for c in "xyz"),
            "source": row["source"],
            "status": row["status"],
        }
        for row in csv.DictReader(text.splitlines())
    }
