"""A result looked at and worked on: a page in a browser, a notebook.

>>> from rheobase.viewer import facts_at
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rheobase.viewer.bench import Bench, open_bench
    from rheobase.viewer.facts import Facts, Probe, facts_at
    from rheobase.viewer.notebook import in_notebook
    from rheobase.viewer.placing import Moved, place_coil, place_electrode

__all__ = [
    "Bench",
    "Facts",
    "Moved",
    "Probe",
    "facts_at",
    "in_notebook",
    "open_bench",
    "place_coil",
    "place_electrode",
]

_FROM = {
    "Bench": "bench",
    "open_bench": "bench",
    "Facts": "facts",
    "Probe": "facts",
    "facts_at": "facts",
    "in_notebook": "notebook",
    "Moved": "placing",
    "place_coil": "placing",
    "place_electrode": "placing",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"rheobase.viewer.{_FROM[name]}"), name)
