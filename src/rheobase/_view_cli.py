"""Command line: ``rheobase view``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rheobase._errors import InputError, check_option
from rheobase._progress import stage

if TYPE_CHECKING:
    from rheobase.results import Result
    from rheobase.scenes.scene import Scene

DRAWING = ("auto", "browser", "server")


def view(
    result: Annotated[Path, typer.Argument(help="The folder of a result, or its scene.h5.")],
    port: Annotated[int, typer.Option("--port", help="Port of the page; a free one if 0.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, open no browser.")
    ] = False,
    drawing: Annotated[
        str, typer.Option("--drawing", help="Who draws: auto, browser or server.")
    ] = "auto",
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Write a picture (PNG) and stop.")
    ] = None,
    window: Annotated[
        bool, typer.Option("--window", help="Open a window on this desktop instead of a page.")
    ] = False,
    looking: Annotated[
        str | None,
        typer.Option("--from", help="Picture from: left, right, front, back, top, bottom."),
    ] = None,
) -> None:
    """Look at a result in 3-D: peel, cut, click to know, place the device and solve again."""
    check_option("drawing", drawing, DRAWING, where="--drawing")
    if screenshot is not None and window:
        raise InputError("expected --screenshot or --window, got both")
    opened, scene = _open(result)
    if screenshot is not None:
        _picture(scene, screenshot, looking)
    elif looking is not None:
        raise InputError("--from belongs to --screenshot")
    elif window:
        _window(scene)
    else:
        _page(opened, scene, port=port, browser=not no_browser, drawing=drawing)


def _open(path: Path) -> tuple[Result | None, Scene]:
    """Return the result of a folder and its scene; no result of a scene that stands alone."""
    from rheobase.results import open_result
    from rheobase.scenes.file import load_scene

    if path.is_file():
        beside = path.parent if (path.parent / "provenance.json").is_file() else None
        return (None if beside is None else open_result(beside)), load_scene(path)
    result = open_result(path)
    return result, result.scene()


def _picture(scene: Scene, png: Path, looking: str | None) -> None:
    from rheobase.scenes import CURE, picture

    if png.suffix.lower() != ".png":
        raise InputError(f"expected a file ending in .png, got {png}: --screenshot")
    with stage("drawing"):
        drawn = picture(scene, png, view=looking)
    if not drawn:
        raise InputError(CURE)
    typer.echo(png)


def _window(scene: Scene) -> None:
    from rheobase.scenes import show

    if not _display() or not show(scene):
        raise InputError(
            "no window can be opened here: there is no display, or no OpenGL; leave --window out "
            "for a page in a browser, or give --screenshot FILE.png"
        )


def _display() -> bool:
    """Return whether there is a display: VTK would draw into nothing without one."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY"))


def _page(result: Result | None, scene: Scene, *, port: int, browser: bool, drawing: str) -> None:
    from rheobase.viewer.serve import check_port, serve

    check_port(port)
    with stage("drawing"):
        from rheobase.viewer.drawn import choose
        from rheobase.viewer.page import Page
        from rheobase.viewer.session import Session

        session = Session(scene, result)
        page = Page(session, drawing=choose(drawing, session.stage.triangles))

    def ready(address: str) -> None:
        typer.echo(f"{address}\n{page.status}. Ctrl-C stops.")

    serve(page, port=port, browser=browser, ready=ready)
