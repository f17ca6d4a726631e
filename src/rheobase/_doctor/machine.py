"""The machine: cores, memory, disk, compiler, launcher of MPI, browser."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rheobase._doctor.check import Check
from rheobase._files import cache_dir
from rheobase._memory import free_memory

GROUP = "Machine"
MEMORY = 4.0  # GiB: the shipped study on the MNI152 head
DISK = 5.0  # GiB: meshes, fields and a few studies


def machine() -> Iterator[Check]:
    """Yield what the machine offers."""
    yield _system()
    yield Check(
        group=GROUP, name="cores", state="ok", found=f"{len(os.sched_getaffinity(0))} usable"
    )
    yield _memory()
    yield _cache()
    yield _compiler()
    yield _browser()


def _system() -> Check:
    name = f"{platform.system()} {platform.machine()}, {platform.release()}"
    right = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    return Check(
        group=GROUP,
        name="system",
        state="ok" if right else "poor",
        found=name,
        mend="" if right else "only Linux on x86_64 is tested; a container runs elsewhere",
    )


def _limit() -> float:
    """Return the bytes that the control group leaves to this process."""
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text()
        used = Path("/sys/fs/cgroup/memory.current").read_text()
        return float(most) - float(used)
    except (OSError, ValueError):  # no such files, or "max"
        return float("inf")


def _memory() -> Check:
    free = min(free_memory(), _limit()) / 2**30
    return Check(
        group=GROUP,
        name="memory",
        state="ok" if free >= MEMORY else "poor",
        found=f"{free:.1f} GiB free",
        mend=""
        if free >= MEMORY
        else f"{MEMORY:g} GiB are wanted for a whole head: end other programs, or coarsen the mesh",
    )


def _cache() -> Check:
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"rheobase")
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return Check(
            group=GROUP,
            name="cache",
            state="poor",
            found=f"{folder} cannot be written: {error.strerror}",
            mend="set RHEOBASE_CACHE to a folder that can; until then nothing is kept",
        )
    return Check(
        group=GROUP,
        name="cache",
        state="ok" if free >= DISK else "poor",
        found=f"{folder}, {free:.0f} GiB free",
        mend=""
        if free >= DISK
        else "clear some room ('rheobase cache clear'), or set RHEOBASE_CACHE to another disk",
    )


def _compiler() -> Check:
    path = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return Check(
        group=GROUP,
        name="C compiler",
        state="ok" if path else "absent",
        found=path or "none",
        mend="" if path else "only to build from source: install one (Debian: apt install gcc)",
    )


def _browser() -> Check:
    import webbrowser

    try:
        found = webbrowser.get().name
    except webbrowser.Error:
        found = ""
    return Check(
        group="Pictures",
        name="browser",
        state="ok" if found else "absent",
        found=found or "none",
        mend="" if found else "open reports on another computer; 'rheobase view --no-browser'",
    )
