"""Files that VTK or meshio read, in a process of their own.

A header that lies makes VTK abort the whole process, and some damaged files make it read past the
end of its memory; so its readers run in a child with bounded memory, whose end is an error message
here and nothing worse.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

#: Name of the text in a VTK file, beside its arrays, that says what its coordinates are in.
LENGTH_UNIT = "length unit"
#: Address space of the child: what its libraries map, and that much per byte of the file.
BASE, PER_BYTE = 6 << 30, 100


def read_foreign(
    kind: Literal["surface", "grid"], path: Path
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a surface or a grid of tetrahedra in a process of its own.

    Parameters
    ----------
    kind
        "surface" (points, triangles) or "grid" (points, tets, and "cell:NAME" for each
        whole-number array over the tetrahedra).
    path
        The file.

    Returns
    -------
    arrays : dict
    remarks : dict
        "volumes", "quadratic", "names" and "unit" of a grid (the latter None where unknown),
        "joined" of a surface.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"expected a file, found none: {path}")
    limit = BASE + PER_BYTE * path.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "read.npz"
        module = f"{__package__}._foreign_child"
        command = [
            sys.executable,
            "-P",
            "-m",
            module,
            kind,
            str(path.resolve()),
            str(out),
            str(limit),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "VTK_SMP_MAX_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        if done.returncode or not out.is_file():
            raise InputError(
                f"cannot read {path}: its reader ended with {_how(done.returncode)}, so the file "
                "is damaged or not what its ending says"
            )
        with np.load(out) as file:
            arrays = {name: file[name] for name in file.files}
    remarks: dict[str, Any] = json.loads(str(arrays.pop("meta")))
    if "error" in remarks:
        raise InputError(f"cannot read {path}: {remarks['error']}")
    return arrays, remarks


def _how(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"status {code}"
    except ValueError:
        return f"status {code}"
