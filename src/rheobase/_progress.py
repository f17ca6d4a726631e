"""Progress on stderr: one line a stage with its time, a bar where a count is known.

Nothing is drawn when stderr is not a terminal, except one plain line for each finished stage when
``RHEOBASE_PROGRESS=plain`` is set (the ``run`` script's commands do so in CI logs).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_live: list[Any] = []  # what draws now: the last one, those around it wait
_watcher: ContextVar[Callable[[str, float | None], None] | None] = ContextVar("_watcher")


@contextmanager
def watched(tell: Callable[[str, float | None], None]) -> Iterator[None]:
    """Tell a function too what is at work in this thread: the text, and the part that is done.

    The part is None where it is not known.
    """
    token = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(token)


def _tell(text: str, part: float | None = None) -> None:
    watcher = _watcher.get(None)
    if watcher is not None:
        watcher(text, part)


def _mode() -> str:
    chosen = os.environ.get("RHEOBASE_PROGRESS", "")
    if chosen in {"off", "plain", "live"}:
        return chosen
    return "live" if sys.stderr.isatty() else "off"


def announce(text: str) -> None:
    """Say a line before long work, in a log too; ``RHEOBASE_PROGRESS=off`` keeps it back."""
    if os.environ.get("RHEOBASE_PROGRESS") != "off":
        print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _alone(display: Any) -> Iterator[None]:
    """Let one display draw: two at once would overwrite each other's line."""
    if _live:
        _live[-1].stop()
    _live.append(display)
    display.start()
    try:
        yield
    finally:
        display.stop()
        _live.remove(display)
        if _live:
            _live[-1].start()


@contextmanager
def stage(text: str) -> Iterator[None]:
    """Show that the stage ``text`` is at work, then how long it took."""
    mode = _mode()
    _tell(text)
    start = time.perf_counter()
    if mode == "live":
        from rich.console import Console

        with _alone(Console(stderr=True).status(f"{text} …")):
            yield
    else:
        yield
    if mode != "off":
        print(f"  {text}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


def remark(text: str) -> None:
    """Say a line of the progress, where progress is shown."""
    if _mode() != "off":
        print(f"  {text}", file=sys.stderr, flush=True)  # noqa: T201


def track[T](items: Iterable[T], text: str, *, total: int | None = None) -> Iterator[T]:
    """Yield from ``items`` with a bar named ``text``."""
    if _watcher.get(None) is not None:
        items = _counted(items, text, total)
    if _mode() != "live":
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    with _alone(bar):
        yield from bar.track(items, total=total, description=text)


def _counted[T](items: Iterable[T], text: str, total: int | None) -> Iterator[T]:
    """Yield from ``items``, telling the watcher before each how much is done."""
    for k, item in enumerate(items):
        _tell(text, k / total if total else None)
        yield item
