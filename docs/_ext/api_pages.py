"""Facts about modules for the templates of the reference."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType


def names_of(module: str) -> list[str]:
    """Return where the names that a package offers (``__all__``) are defined.

    Empty for a module: its own names are on its page.
    """
    package = importlib.import_module(module)
    if not hasattr(package, "__path__"):
        return []
    found = (_defined(package, name) for name in getattr(package, "__all__", ()))
    return sorted({place for place in found if place is not None}, key=_last)


def _defined(package: ModuleType, name: str) -> str | None:
    """Return the full name of a class or function where it is defined, None for other values."""
    thing = getattr(package, name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return None
    module = getattr(thing, "__module__", "") or ""
    if not module.startswith("rheobase") or module == package.__name__:
        return None
    return f"{module}.{thing.__qualname__}"


def _last(place: str) -> tuple[str, str]:
    return place.rpartition(".")[2].lower(), place
