"""Figures that are kept by content: the same numbers are drawn once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rheobase._kept import kept_bytes, kept_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 200_000_000  # bytes of all that are kept


def kept_figure(
    view: Callable[..., Figure],
    *args: Any,
    made_of: Sequence[Any] = (),
    code: Sequence[str] = (),
    **how: Any,
) -> bytes:
    """Return a figure as PNG, from the cache where the same numbers were drawn before.

    Parameters
    ----------
    view
        A function of a module that draws.
    *args, **how
        What it is given: numbers, words, arrays, and sequences, mappings and data classes of them.
    made_of
        What the figure depends on in place of the arguments, where they are others than these.
    code
        Packages and modules that have a part in it besides the module of the function.

    Raises
    ------
    TypeError
        If the figure depends on something of another type, or on a function without a name.
    """
    if "<" in view.__qualname__:
        raise TypeError(f"expected a function of a module, got {view.__qualname__}")

    def draw() -> bytes:
        drawn = io.BytesIO()
        view(*args, **how).savefig(drawn, format="png")
        return drawn.getvalue()

    parts = [view.__qualname__, version("matplotlib"), *plain(made_of or [args, how])]
    path = kept_path(
        "figures",
        view.__name__,
        *parts,
        code=(view.__module__, "rheobase.views", *code),
        extension=".png",
    )
    return kept_bytes(path, draw, most=MOST)


def plain(value: Any) -> Iterator[Any]:
    """Yield all that a value holds, as `rheobase._files.content_key` takes it.

    Examples
    --------
    >>> list(plain({"a": (1, "b")}))
    ['mapping of 1', 'a', 'sequence of 2', 1, 'b']

    Raises
    ------
    TypeError
        If it holds something else than numbers, words, arrays, sequences, mappings, data classes.
    """
    if value is None or isinstance(value, str | bool | int | float):
        yield value
    elif hasattr(value, "tobytes"):  # arrays and numbers of NumPy
        if value.dtype.hasobject:
            raise TypeError(f"expected numbers or words, got an array of {value.dtype}")
        yield value
    elif isinstance(value, Mapping):
        yield f"mapping of {len(value)}"
        for key, one in value.items():
            yield from plain(key)
            yield from plain(one)
    elif isinstance(value, list | tuple):
        yield f"sequence of {len(value)}"
        for one in value:
            yield from plain(one)
    elif is_dataclass(value):
        yield type(value).__qualname__
        for field in fields(value):
            yield field.name
            yield from plain(getattr(value, field.name))
    else:
        raise TypeError(f"expected plain values, got {type(value).__name__}")
