"""What the stages of a study take: the figures of src/rheobase/data/plans/costs.toml.

    ./run python benchmarks/costs.py STUDY [TABLE.KEY=VALUE …]

runs a study twice (the first run compiles, and fills the cache) and prints, for each stage of the
second, seconds of processor time and the most memory (MiB) while it lasted; with `cold` among the
arguments the cache is an empty one, so that heads are built and fields solved in both.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rheobase._progress as progress
from rheobase._cli_options import parse_options

STAGES: list[tuple[int, str, float, float]] = []
depth = 0


def peak() -> float:
    """Return the most memory since `forget` (MiB)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) / 1024
    raise OSError("no VmHWM in /proc/self/status")


def forget() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def recorded(text: str) -> Iterator[None]:
    global depth
    start, place, level = time.process_time(), len(STAGES), depth
    STAGES.append((level, text, 0.0, 0.0))
    if level == 0:
        forget()
    depth += 1
    try:
        yield
    finally:
        depth -= 1
        STAGES[place] = (level, text, time.process_time() - start, peak())


def main() -> None:
    progress.stage = recorded  # before the stations import it
    from rheobase.study_file import load_study

    name, *pairs = sys.argv[1:]
    cold = "cold" in pairs
    change = parse_options([p for p in pairs if p != "cold"])
    for _ in range(2):
        with tempfile.TemporaryDirectory() as out:
            if cold:
                os.environ["RHEOBASE_CACHE"] = f"{out}/cache"
            STAGES.clear()
            start = time.process_time()
            load_study(name, change=change).run(f"{out}/run")
            whole = time.process_time() - start
    print(f"{name} {' '.join(pairs)}: {whole:.2f} s")
    for level, text, seconds, memory in STAGES:
        print(f"{'  ' * level}{text:<{60 - 2 * level}}{seconds:9.2f} s {memory:8.0f} MiB")
    known = sum(seconds for level, _, seconds, _ in STAGES if level == 0)
    print(f"{'outside of stages':<60}{whole - known:9.2f} s")


if __name__ == "__main__":
    main()
