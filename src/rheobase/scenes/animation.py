"""Scenes that change in time, as moving pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase._files import whole_file
from rheobase._progress import stage
from rheobase.scenes.picture import HasScene, as_scene, run_child
from rheobase.scenes.scene import Scene, direction

MOST_FRAMES = 120
FORMATS = {".gif": "GIF", ".png": "PNG", ".webp": "WEBP"}


def animate(
    source: Scene | HasScene | Path | str,
    path: Path | str,
    *,
    times: ArrayLike | None = None,
    frames_per_s: float = 12.0,
    view: str | ArrayLike | None = None,
    size: tuple[int, int] = (800, 640),
) -> bool:
    """Draw a scene at many times into one moving picture.

    Parameters
    ----------
    source
        A scene with a layer that changes, a result, or the path of a ``scene.h5``.
    path
        The file: ``.gif``, ``.png`` (animated PNG) or ``.webp``.
    times
        Times to draw (s), rising, shape (n,); those of the layers if None, evenly thinned to
        `MOST_FRAMES`.
    frames_per_s
        Pictures shown in a second.
    view, size
        As for `rheobase.scenes.picture`.

    Returns
    -------
    bool
        Whether off-screen OpenGL works here.

    Raises
    ------
    InputError
        If nothing changes, the file is of another kind, or the times make no sense.
    """
    from PIL import Image

    path, scene = Path(path), as_scene(source)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"expected a file ending in {', '.join(FORMATS)}, got {path.name}")
    check_positive("frames_per_s", frames_per_s)
    chosen = scene.times() if times is None else np.atleast_1d(np.asarray(times, np.float64))
    if not len(chosen):
        raise InputError("expected a scene with a layer that changes in time, nothing does")
    if chosen.ndim != 1 or not np.isfinite(chosen).all() or (np.diff(chosen) <= 0).any():
        raise InputError("expected rising times (s)")
    if times is None and len(chosen) > MOST_FRAMES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_FRAMES).astype(int)]
    job: dict[str, Any] = {
        "view": None if view is None else direction(view),
        "size": size,
        "times": chosen.tolist(),
        "bars": True,
        "axes": True,
        "clock": True,
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        stage(f"drawing {len(chosen)} pictures of {path.name}"),
    ):
        found = run_child(scene, job, Path(folder))
        if not found:
            return False
        kind = FORMATS[path.suffix.lower()]
        images = [Image.open(file).convert("RGB") for file in found]
        if kind == "GIF":  # one palette for all frames, so that colours do not flicker
            palette = images[len(images) // 2].quantize(255)
            images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
        with whole_file(path) as part:
            images[0].save(
                part,
                format=kind,
                save_all=True,
                append_images=images[1:],
                duration=round(1e3 / frames_per_s),
                loop=0,
            )
    return True
