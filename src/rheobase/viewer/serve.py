"""Serving the page until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rheobase._errors import InputError
from rheobase.viewer.door import PLACE, Door

if TYPE_CHECKING:
    from rheobase.viewer.page import Page

HOST = "127.0.0.1"


def serve(
    page: Page, *, port: int = 0, browser: bool = True, ready: Callable[[str], None] | None = None
) -> None:
    """Serve a page to this machine until Ctrl-C.

    Parameters
    ----------
    page
        The page.
    port
        Port; a free one if 0.
    browser
        Whether to open the page in the browser.
    ready
        Called with the address when the page can be opened.

    Raises
    ------
    InputError
        If the port cannot be used.
    """
    check_port(port)
    door = Door(page)

    def started(**_: object) -> None:
        address = door.address(f"http://{HOST}:{page.server.port}{PLACE}")
        if ready is not None:
            ready(address)
        if browser:
            webbrowser.open(address)

    page.server.controller.on_server_ready.add(started)
    try:
        asyncio.run(start(page, port))
    except KeyboardInterrupt:
        page.work.leave()
        raise


async def start(page: Page, port: int) -> None:
    """Serve a page in the running loop, until it is cancelled."""
    with _no_arguments():
        task = page.server.start(
            port=port,
            host=HOST,
            exec_mode="coroutine",
            open_browser=False,
            show_connection_info=False,
            disable_logging=True,
            thread=True,  # Ctrl-C is ours
            timeout=0,
        )
    assert task is not None  # the server was not running
    await task


def check_port(port: int) -> None:
    """Raise `InputError` if a port cannot be served at; 0 stands for any."""
    if not 0 <= port <= 65535:
        raise InputError(f"expected a port from 0 to 65535, got {port}: --port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(f"cannot serve at port {port}: {error.strerror}: --port") from None


@contextmanager
def _no_arguments() -> Iterator[None]:
    """Hide our command line from the server's, which would read it."""
    kept = sys.argv
    sys.argv = kept[:1]
    try:
        yield
    finally:
        sys.argv = kept
