"""The process that draws: ``python -m rheobase.scenes.child SCENE [JOB]``.

Without a job it opens a window; with one it writes a picture a time beside the scene.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rheobase.scenes.file import load_scene
from rheobase.scenes.plot import draw
from rheobase.scenes.scene import Scene


def window(scene: Scene) -> None:
    """Show a scene until its window is closed."""
    import pyvista as pv

    plotter = pv.Plotter(window_size=[1400, 1100])
    draw(scene, plotter)
    plotter.show(title=scene.title or "rheobase")


def frames(scene: Scene, job: dict[str, Any], folder: Path) -> None:
    """Draw a scene at each of the times of a job as ``0000.png`` and so on."""
    import pyvista as pv

    pv.OFF_SCREEN = True
    plotter = pv.Plotter(off_screen=True, window_size=list(job["size"]))
    how = {"view": job["view"], "bars": job["bars"], "axes": job["axes"]}
    for k, time in enumerate(job["times"]):
        plotter.clear()
        draw(scene, plotter, time=time, **how)
        if job.get("clock"):
            words = f"{1e3 * time:.4g} ms"
            plotter.add_text(words, position="upper_left", font_size=12, color="black")
        plotter.screenshot(str(folder / f"{k:04d}.png"))
    plotter.close()


def main(arguments: list[str]) -> None:
    """Draw what the command line asks for."""
    file = Path(arguments[0])
    if len(arguments) == 1:
        window(load_scene(file))
    else:
        frames(load_scene(file), json.loads(arguments[1]), file.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
