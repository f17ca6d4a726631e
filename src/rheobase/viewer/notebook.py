"""The page of a result in the cell of a notebook."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option
from rheobase.viewer.door import Door
from rheobase.viewer.drawn import choose
from rheobase.viewer.page import Page
from rheobase.viewer.serve import HOST, start
from rheobase.viewer.session import Session

if TYPE_CHECKING:
    from rheobase.results import Result

_tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive


def in_notebook(
    result: Result,
    *,
    live: bool = True,
    height: int = 760,
    drawing: str = "auto",
    address: str = f"http://{HOST}:{{port}}/index.html",
) -> Any:
    """Return what the cell of a notebook shows of a result.

    Parameters
    ----------
    result
        The result.
    live
        The whole page, served by this kernel as long as it runs; otherwise only the 3-D scene,
        which also works in a notebook that is opened without a kernel.
    height
        Of the cell (pixels).
    drawing
        As for `rheobase.viewer.drawn.choose`.
    address
        Where the browser finds the page, with ``{port}``: that of a proxy where the kernel runs on
        another machine, such as ``/proxy/{port}/index.html`` under jupyter-server-proxy.

    Returns
    -------
    IPython.display.IFrame or IPython.display.HTML

    Raises
    ------
    InputError
        If there is no scene, or ``live`` is asked for outside a running kernel.
    """
    check_option("drawing", drawing, ("auto", "browser", "server"))
    if not live:
        from rheobase.scenes.show import notebook

        return notebook(result.scene())
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise InputError("expected a notebook: its kernel serves the page; or live=False") from None
    from IPython.display import IFrame

    session = Session(result.scene(), result)
    page = Page(session, drawing=choose(drawing, session.stage.triangles))
    port, door = _free_port(), Door(page)
    task = loop.create_task(start(page, port))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    frame: Any = IFrame(door.address(address.format(port=port)), width="100%", height=height)
    return frame


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
