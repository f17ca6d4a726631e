"""Speed of start: python benchmarks/start.py [--demo].

Seconds on this machine, the least of several runs in new processes: `import rheobase` beyond Python
itself, `rheobase --help`; with --demo the median of three runs of `rheobase demo` after a first
one, so with a warm cache.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

RUNS = 15


def seconds(
    command: list[str], runs: int = RUNS, pick: Callable[[list[float]], float] = min
) -> tuple[float, float]:
    """Return the least wall time and the least CPU time of a command, or the medians."""
    wall, cpu = [], []
    for _ in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return pick(wall), pick(cpu)


def machine() -> str:
    """Return the processor, its cores, and the versions that matter."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{model}, {cores} cores, load {load:.1f}, Python {platform.python_version()}, "
        f"rheobase {version('rheobase')}, bytecode "
        f"{'not written' if sys.dont_write_bytecode else 'written'}"
    )


def main() -> None:
    print(machine())
    python, rheobase = [sys.executable, "-c"], [str(Path(sys.executable).with_name("rheobase"))]
    empty, loaded = seconds([*python, "pass"]), seconds([*python, "import rheobase"])
    wall, cpu = (1e3 * (b - a) for a, b in zip(empty, loaded, strict=True))
    print(f"import rheobase, beyond Python: {wall:.0f} ms ({cpu:.0f} ms of CPU)")
    wall, cpu = seconds([*rheobase, "--help"])
    print(f"rheobase --help: {wall:.2f} s ({cpu:.2f} s of CPU)")
    if "--demo" in sys.argv:
        with tempfile.TemporaryDirectory() as out:
            demo = [*rheobase, "demo", "--out", f"{out}/demo"]
            seconds(demo, 1)
            wall, cpu = seconds(demo, 3, median)
        print(f"rheobase demo, warm cache: {wall:.1f} s ({cpu:.1f} s of CPU)")


if __name__ == "__main__":
    main()
