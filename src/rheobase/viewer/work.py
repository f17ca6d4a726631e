"""Callbacks of the page: errors are told on it, long work leaves it alive."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rheobase._errors import InputError


class Work:
    """What the page is busy with.

    Parameters
    ----------
    state
        The state of a trame server; ``busy``, ``busy_part``, ``error`` and ``error_open`` are
        written.
    """

    def __init__(self, state: Any) -> None:
        self._state = state
        self._one = ThreadPoolExecutor(max_workers=1)  # solvers take all cores themselves
        self._loop: asyncio.AbstractEventLoop | None = None
        self._at_work = False
        self._busy = threading.Event()

    def tell(self, error: BaseException) -> None:
        """Show an error in a sentence; the trace of a defect goes to the terminal."""
        if isinstance(error, InputError):
            text = str(error)
        else:
            traceback.print_exception(error, file=sys.stderr)
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            text = f"this did not work: {why} (the terminal has the trace)"
        with self._state:
            self._state.error = text[:1].upper() + text[1:]
            self._state.error_open = True

    def told(self, do: Callable[..., None]) -> Callable[..., None]:
        """Return a callback whose errors are told on the page."""

        def safely(*args: Any, **state: Any) -> None:  # state: what trame hands to watchers
            try:
                do(*args)
            except Exception as error:
                self.tell(error)

        return safely

    async def thread[T](self, do: Callable[[], T]) -> T:
        """Do something in the thread of long work."""

        def counted() -> T:
            self._busy.set()
            try:
                return do()
            finally:
                self._busy.clear()

        return await asyncio.get_running_loop().run_in_executor(self._one, counted)

    def leave(self) -> None:
        """End the process where long work is going on: Python would wait for its end."""
        if self._busy.is_set():
            sys.stderr.write("rheobase: interrupted; what was finished is kept\n")
            sys.stderr.flush()
            os._exit(130)

    async def slow[T](self, text: str, do: Callable[..., T], *args: Any) -> T | None:
        """Do something in the thread of long work while the page shows ``text``.

        Returns None where it failed, after the page has told why.
        """
        if self._at_work:
            self.tell(InputError("something else is at work: wait until it is done"))
            return None
        self._loop, self._at_work = asyncio.get_running_loop(), True
        with self._state:
            self._state.busy, self._state.busy_part = text, -1
        try:
            return await self.thread(lambda: do(*args))
        except Exception as error:
            self.tell(error)
            return None
        finally:
            self._at_work = False
            with self._state:
                self._state.busy = ""

    def progress(self, text: str, part: float | None) -> None:
        """Show what is at work, and the part that is done; called from the thread that works."""

        def show() -> None:
            if self._at_work:
                with self._state:
                    self._state.busy = text
                    self._state.busy_part = -1 if part is None else round(100 * part, 1)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(show)
