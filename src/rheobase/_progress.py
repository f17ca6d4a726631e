"""Progress on stderr: one line a stage with its time, a bar where a count is known.

Nothing is drawn when stderr is not a terminal, except one plain line for each finished stage when
``RHEOBASE_PROGRESS=plain`` is set (the ``run`` script's commands do so in CI logs).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def _mode() -> str:
    chosen = os.environ.get("RHEOBASE_PROGRESS", "")
    if chosen in {"off", "plain", "live"}:
        return chosen
    return "live" if sys.stderr.isatty() else "off"


@contextmanager
def stage(text: str) -> Iterator[None]:
    """Show that the stage ``text`` is at work, then how long it took."""
    mode = _mode()
    start = time.perf_counter()
    if mode == "live":
        from rich.console import Console

        with Console(stderr=True).status(f"{text} …"):
            yield
    else:
        yield
    if mode != "off":
        print(f"  {text}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


def track[T](items: Iterable[T], text: str, *, total: int | None = None) -> Iterator[T]:
    """Yield from ``items`` with a bar named ``text``."""
    if _mode() != "live":
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as bar

    yield from bar(
        items, description=text, total=total, console=Console(stderr=True), transient=True
    )
