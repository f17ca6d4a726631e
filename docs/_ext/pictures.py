"""Pictures that a tutorial writes to files, for sphinx-gallery."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst

#: Where tutorials write, from their own folder.
FOLDER = "out"
_shown: set[tuple[str, int]] = set()


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Return the reST of the PNGs that the block wrote into ``out/tutorials/shown``."""
    folder = Path(block_vars["src_file"]).parent / FOLDER / "shown"
    taken = []
    for picture in sorted(folder.glob("*.png"), key=lambda p: p.stat().st_mtime_ns):
        mark = (str(picture), picture.stat().st_mtime_ns)
        if mark not in _shown:
            _shown.add(mark)
            target = next(block_vars["image_path_iterator"])
            shutil.copyfile(picture, target)
            taken.append(target)
    return figure_rst(taken, gallery_conf["src_dir"])
