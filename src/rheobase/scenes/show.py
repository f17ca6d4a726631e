"""A scene shown at once: as a picture, in a window, in a notebook."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.scenes.file import save_scene
from rheobase.scenes.picture import CURE, HasScene, as_scene, picture
from rheobase.scenes.scene import Scene


def plot(
    source: Scene | HasScene | Path | str,
    png: Path | str | None = None,
    *,
    window: bool = False,
    jupyter: bool | None = None,
    view: str | ArrayLike | None = None,
    time: float | None = None,
) -> Any:
    """Show a scene: in a notebook, in a window or as a picture.

    Parameters
    ----------
    source
        A scene, a result, or the path of a ``scene.h5``.
    png
        Where to write a picture; then nothing else is shown.
    window
        Whether to open a window and wait until it is closed.
    jupyter
        Whether to return what a notebook shows; if None, that depends on where this runs.
    view, time
        As for `picture`.

    Returns
    -------
    pathlib.Path or IPython object or PIL.Image.Image or None
        The path of the picture; the widget of a notebook; the picture itself elsewhere; nothing
        after a window.

    Raises
    ------
    InputError
        If the source is no scene, or what is asked for cannot be drawn here.
    """
    scene = as_scene(source)
    if png is not None:
        if not picture(scene, png, view=view, time=time):
            raise InputError(CURE)
        return Path(png)
    if window:
        if not show(scene):
            raise InputError("no window can be opened here: give the path of a picture")
        return None
    if in_notebook() if jupyter is None else jupyter:
        return notebook(scene, view=view, time=time)
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.png"
        if not picture(scene, file, view=view, time=time):
            raise InputError(CURE)
        with Image.open(file) as image:
            return image.copy()


def show(source: Scene | HasScene | Path | str) -> bool:
    """Show a scene in a window until it is closed; return False where none can be opened."""
    with tempfile.TemporaryDirectory() as folder:
        file = save_scene(Path(folder) / "scene.h5", as_scene(source), compress=False)
        command = [sys.executable, "-m", "rheobase.scenes.child", str(file)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def in_notebook() -> bool:
    """Return whether this runs in a Jupyter kernel."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def notebook(
    scene: Scene, *, view: str | ArrayLike | None = None, time: float | None = None
) -> Any:
    """Return the widget of a scene for a notebook's cell: turned with the mouse, no server."""
    from IPython.display import HTML

    from rheobase.scenes.html import export_html

    page = export_html(scene, view=view, time=time)
    frame = (  # in a div, as IPython warns of a bare iframe
        f'<div><iframe srcdoc="{escape(page, quote=True)}" title="{escape(scene.title)}" '
        'style="width:100%;height:600px;border:0" allowfullscreen></iframe></div>'
    )
    return HTML(frame)  # type: ignore[no-untyped-call]
