"""Attempts in processes of their own: libraries that may crash, hang or be of the wrong kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rheobase._doctor.check import Check, State

SOLVERS, PICTURES = "Solvers", "Pictures"
_PATIENCE = 300.0  # s; each takes 1 s to 3 s on a free core, much longer from a cold network disk

_DOLFINX = """
from importlib.metadata import PackageNotFoundError, version
from rheobase._dolfinx import dolfinx, petsc
PETSc, found = petsc(), dolfinx()
from mpi4py import MPI
try:
    source = "wheel " + version("dolfinx-solver-real")
except PackageNotFoundError:
    source = "fenics-dolfinx"
pc = PETSc.PC().create(PETSc.COMM_SELF)
A = PETSc.Mat().createAIJ((1, 1), csr=([0, 1], [0], [1.0]), comm=PETSc.COMM_SELF)
A.assemble()
pc.setOperators(A)
pc.setType("cholesky")
pc.setFactorSolverType("mumps")
pc.setUp()
petsc_version = ".".join(map(str, PETSc.Sys.getVersion()))
library = " ".join(MPI.Get_library_version().partition("\\n")[0].strip("\\0").split())
print(f"{found.__version__} ({source}), PETSc {petsc_version} with MUMPS, {library}")
"""

_NUMBA = """
from importlib import import_module
import numba
layers = []
for layer, module in (("tbb", "tbbpool"), ("omp", "omppool"), ("workqueue", "workqueue")):
    try:
        import_module(f"numba.np.ufunc.{module}")
        layers.append(layer)
    except ImportError:
        pass
print(f"{numba.__version__}, {numba.get_num_threads()} threads by {layers[0]}")
"""

_CAD = """
import netgen.meshing, netgen.occ, morphio, libsonata, h5py, clarabel
print("netgen, morphio, libsonata, h5py and clarabel load")
"""

_OPENGL = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter
window, renderer = vtkRenderWindow(), vtkRenderer()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
picture = vtkWindowToImageFilter()
picture.SetInput(window)
picture.Update()
pixel = [picture.GetOutput().GetScalarComponentAsDouble(4, 4, 0, i) for i in range(3)]
assert pixel == [255, 0, 0], "the picture is wrong"
words = dict(line.split(":", 1) for line in window.ReportCapabilities().splitlines() if ":" in line)
name = words.get("OpenGL renderer string", "").strip() or "unnamed renderer"
print(name)
"""

_JUPYTER = """
from importlib.metadata import version
import ipykernel, ipywidgets
print("ipykernel " + version("ipykernel"))
"""


def _attempt(
    code: str, environment: Mapping[str, str] | None = None, *, before: tuple[str, ...] = ()
) -> tuple[str, str]:
    """Return the last line that the code printed and, where it failed, the last thing it said."""
    try:
        run = subprocess.run(
            [*before, sys.executable, "-c", code],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_PATIENCE:g} s"
    except OSError as error:
        return "", str(error)
    if run.returncode == 0:
        return run.stdout.strip().splitlines()[-1], ""
    if run.returncode < 0:
        return "", f"crashed (signal {-run.returncode})"
    said = run.stderr.strip().splitlines()
    return "", said[-1] if said else f"ended with status {run.returncode}"


def _told(
    group: str, name: str, answer: tuple[str, str], *, without: State, mend: str
) -> Iterator[Check]:
    found, wrong = answer
    yield Check(
        group=group,
        name=name,
        state="ok" if found else without,
        found=found or wrong,
        mend="" if found else mend,
    )


def dolfinx() -> Iterator[Check]:
    """Yield DOLFINx and PETSc: from where, which, and whether they factor a matrix."""
    mend = (
        "pip install 'dolfinx-solver-real>=0.11,<0.12', or in conda: "
        "conda install -c conda-forge fenics-dolfinx=0.11 'petsc=*=real_*'"
    )
    yield from _told(SOLVERS, "DOLFINx", _attempt(_DOLFINX), without="missing", mend=mend)


def numba() -> Iterator[Check]:
    """Yield the compiler of kernels: its version and threads."""
    mend = "pip install --force-reinstall numba"
    yield from _told(SOLVERS, "Numba", _attempt(_NUMBA), without="missing", mend=mend)


def libraries() -> Iterator[Check]:
    """Yield whether other compiled libraries load."""
    mend = (
        "install the package that is named again; netgen needs libGL (Debian: apt install libgl1)"
    )
    yield from _told(SOLVERS, "libraries", _attempt(_CAD), without="missing", mend=mend)


def opengl() -> Iterator[Check]:
    """Yield whether a picture can be drawn without a screen, and by what; and a screen."""
    answer = _attempt(_OPENGL)
    if not answer[0]:
        second = _attempt(_OPENGL, {"VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow"})
        answer = second if second[0] else answer
    mend = "reports go without 3-D pictures; Debian: apt install libegl1 libgl1-mesa-dri"
    yield from _told(PICTURES, "off screen", answer, without="poor", mend=mend)
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    yield Check(
        group=PICTURES,
        name="screen",
        state="ok" if screen else "absent",
        found=screen or "none",
        mend="" if screen else "'rheobase view' opens a page in the browser instead of a window",
    )


def jupyter() -> Iterator[Check]:
    """Yield whether notebooks can hold scenes."""
    mend = "pip install jupyterlab 'rheobase[notebook]'"
    yield from _told(PICTURES, "Jupyter", _attempt(_JUPYTER), without="absent", mend=mend)


def mpi() -> Iterator[Check]:
    """Yield whether the launcher of MPI starts two processes that know of each other."""
    mend = "only for fields on several processes: install the launcher of the MPI named above"
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if launcher is None:
        yield Check(group=SOLVERS, name="MPI launcher", state="absent", found="none", mend=mend)
        return
    code = "from mpi4py.MPI import COMM_WORLD as world; world.rank or print(world.size)"
    size, wrong = _attempt(code, before=(launcher, "-n", "2"))
    if size and size != "2":
        size, wrong = "", f"{launcher} belongs to another MPI: it starts single processes"
    found = f"{launcher}, 2 processes" if size else ""
    yield from _told(SOLVERS, "MPI launcher", (found, wrong), without="poor", mend=mend)


#: Each starts processes of its own; they can run at the same time.
PROBES = (dolfinx, opengl, numba, libraries, mpi, jupyter)
