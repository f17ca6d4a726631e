"""The process that draws: ``python -m rheobase.scenes.child SCENE [JOB]``.

Without a job it opens a window; with one it writes a picture a time beside the scene.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rheobase.scenes.drawing import draw, point_camera
from rheobase.scenes.file import load_scene
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
        plotter.scalar_bars.clear()
        plotter.clear_actors()  # clear() would take the lights too
        draw(scene, plotter, time=time, **how)
        if job.get("clock"):
            words = f"{1e3 * time:.4g} ms"
            plotter.add_text(words, position="upper_left", font_size=12, color="black")
        plotter.screenshot(str(folder / f"{k:04d}.png"))
    plotter.close()


def page(scene: Scene, job: dict[str, Any], folder: Path) -> None:
    """Encode a scene for a browser as ``index.json``; nothing is rendered."""
    import pyvista as pv

    from rheobase.scenes.html import encode

    pv.OFF_SCREEN = True
    plotter = pv.Plotter(off_screen=True, window_size=[900, 640])
    every = replace(scene, layers=tuple(layer.but(visible=True) for layer in scene.layers))
    draw(every, plotter, time=job["time"], bars=False, axes=False)
    point_camera(scene, plotter, job["view"])
    (folder / "index.json").write_text(json.dumps(encode(plotter)), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Draw what the command line asks for."""
    file = Path(arguments[0])
    if len(arguments) == 1:
        window(load_scene(file))
        return
    job = json.loads(arguments[1])
    if job.get("page"):
        page(load_scene(file), job, file.parent)
    else:
        frames(load_scene(file), job, file.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
