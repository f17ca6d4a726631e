"""Working points out on a Dask cluster: one that runs, or one started here.

The workers need this package and the folder of the sweep under the same path: a shared disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rheobase._errors import InputError
from rheobase.sweeps.work import Bunch, Maker, bunch_done, died, fail

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
PATIENCE = "10s"  # within which a scheduler answers


def check_cluster() -> None:
    """Refuse Dask where it is not installed.

    Raises
    ------
    InputError
        With what mends it.
    """
    if find_spec("distributed") is None:
        raise InputError("Dask needs the package distributed: pip install 'rheobase[cluster]'")


def on_cluster(make: Maker, bunches: Sequence[Bunch], address: str, jobs: int) -> Iterator[int]:
    """Work bunches out on a cluster; yield how many tasks were done.

    Parameters
    ----------
    make, bunches
        As in `rheobase.sweeps.work`.
    address
        Of a scheduler ("tcp://host:8786", or the path of its file), or "local" for one with
        ``jobs`` workers of one thread on this machine.
    jobs
        Workers of a local cluster.

    Raises
    ------
    InputError
        If Dask is not installed or no scheduler answers.
    """
    check_cluster()
    from distributed import KilledWorker, as_completed

    left = [bunch for bunch in bunches if bunch]
    with _client(address, jobs) as client:
        futures = {client.submit(_alone, make, b, pure=False, retries=0): b for b in left}
        broken: list[Bunch] = []
        for future in as_completed(list(futures)):
            bunch = futures.pop(future)
            if future.status == "finished":
                yield future.result()
            else:
                broken.append(bunch)
        for bunch in broken:  # a worker died with it
            for task in bunch:
                if task.left:
                    future = client.submit(_alone, make, [task], pure=False, retries=0)
                    error = future.exception()
                    if isinstance(error, KilledWorker):
                        died(task)
                    elif error is not None:  # it could not begin: what is asked cannot be sent
                        fail(task, f"{type(error).__name__}: {error}", "")
                yield 1


@contextmanager
def _client(address: str, jobs: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    quiet = {
        "distributed.scheduler.allowed-failures": 0,  # what kills a worker is tried alone, here
        "distributed.worker.daemon": False,
    }
    if address == LOCAL:
        with (
            dask.config.set(quiet),
            LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=50,
                env={"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = (
            Client(scheduler_file=address, timeout=PATIENCE)
            if address.endswith(".json")
            else Client(address, timeout=PATIENCE)
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a Dask scheduler at {address} (tcp://host:8786), got {error}: --dask"
        ) from None
    with client:
        yield client


def _alone(make: Maker, bunch: Bunch) -> int:
    """Work out a bunch with one thread, as Dask has told the other libraries of its workers."""
    from numba import set_num_threads

    set_num_threads(1)
    return bunch_done(make, bunch)
