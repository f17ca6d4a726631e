"""Parts of arrays in threads: what comes out does not depend on how many there are.

The parts are the same for every number of threads, and none needs what another one gives. Kernels
and most of NumPy let other threads run meanwhile. Threads are started for each call and end with
it, so nothing spins between calls and nothing is left behind in a process that forks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

#: Items of a part, unless told otherwise: what a part works on stays in the cache.
PART = 16_384


def in_parts[T](work: Callable[[slice], T], n: int, part: int = PART) -> list[T]:
    """Call ``work`` with the slices of ``n`` items, in as many threads as Numba may use.

    Parameters
    ----------
    work
        What to do with the items of a slice; it writes nothing that another slice needs.
    n
        Number of items.
    part
        Items of a slice; the last one may be shorter.

    Returns
    -------
    list
        What ``work`` returned, in the order of the slices.

    Examples
    --------
    >>> in_parts(lambda some: sum(range(some.start, some.stop)), 10, part=4)
    [6, 22, 17]
    """
    from numba import get_num_threads

    parts = [slice(first, min(first + part, n)) for first in range(0, n, part)]
    workers = min(get_num_threads(), len(parts)) if len(parts) > 1 else 1
    if workers < 2:
        return [work(some) for some in parts]
    contexts = [copy_context() for _ in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda context, some: context.run(work, some), contexts, parts))
