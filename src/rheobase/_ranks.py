"""The ranks of an MPI run: rank 0 works through the program, the others help when it calls.

Under ``mpiexec -n N`` every rank starts the same program. `run` lets only rank 0 go through it; the
others wait (asleep, they poll) for calls. A call names a method of an object that every rank has a
part of (`rheobase.fields.parallel.share`); all ranks, rank 0 among them, then do it together.

Errors end the run with one sentence. Work that needs no other rank is done in `Team.agree`, after
which all ranks know whether one of them failed and rank 0 raises what the others could not say.
What fails elsewhere, where others may already wait for a message, ends all ranks at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rheobase._errors import InputError

#: What launchers tell the processes that they start: MPICH, Intel MPI, Slurm, Open MPI.
_LAUNCHED = ("PMI_SIZE", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE")
_TOLD = ("PMI_", "PMIX_", "HYDI_", "HYDRA_", "MPI_LOCAL", "OMPI_")
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_NAP = 0.01  # s: the longest that a waiting rank sleeps
_team: Team | None = None


class RankError(RuntimeError):
    """What another rank could not do."""


class Team:
    """The ranks of this run.

    Parameters
    ----------
    comm
        The communicator of all ranks (mpi4py).

    Attributes
    ----------
    comm, rank, size
        The communicator, this rank and how many there are.
    sent, received
        Bytes of arrays that rank 0 has sent to the others and got from them; what the solver
        exchanges between neighbours is not in it.
    busy
        Whether a call is under way: other ranks may be waiting in the middle of it.
    """

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank: int = comm.rank
        self.size: int = comm.size
        self.sent = self.received = 0
        self._parts: dict[int, Any] = {}
        self._dropped: list[int] = []
        self._numbers = 0
        self._agreed: Exception | None = None  # what all ranks raised last
        self.busy = False

    def create(self, kind: type, *small: Any, whole: Any = None) -> int:
        """Make an object with a part on every rank, on rank 0; return its number.

        Parameters
        ----------
        kind
            Class of the parts, called with this team, ``whole`` (None but on rank 0) and ``small``.
        small
            Arguments, pickled to every rank.
        whole
            What only rank 0 has.
        """
        self._numbers += 1
        self._together((self._numbers, kind, small), whole)
        return self._numbers

    def call(self, number: int, method: str, *small: Any, whole: Any = None) -> Any:
        """Call a method of every part, on rank 0; return what the one of rank 0 returned."""
        return self._together((number, method, small), whole)

    def everywhere(self, function: Callable[[], Any]) -> list[Any]:
        """Call a function of a module on every rank, on rank 0; return what each returned."""
        found: list[Any] = self._together((0, function, ()), None)
        return found

    def drop(self, number: int) -> None:
        """Have every rank forget an object before the next call."""
        self._dropped.append(number)

    def agree[T](self, work: Callable[[], T]) -> T:
        """Do ``work`` on every rank; raise on all if one failed.

        The work needs no other rank, or fails on all of them alike.

        Raises
        ------
        InputError, RankError
            What the first rank that failed has to say.
        """
        mine: T
        failed: Exception | None = None
        try:
            mine = work()
        except Exception as error:
            failed = error
        said = self.comm.allgather(None if failed is None else _sentence(self.rank, failed))
        first = next((s for s in said if s is not None), None)
        if first is not None:
            kind, text = first
            self._agreed = kind(text)
            raise self._agreed from failed
        return mine

    def _together(self, order: Any, whole: Any) -> Any:
        self.busy = True
        self._tell((self._dropped, order))
        for number in self._dropped:
            self._parts.pop(number, None)
        self._dropped = []
        try:
            result = self._do(order, whole)
        except Exception as error:
            self.busy = error is not self._agreed
            raise
        self.busy = False
        return result

    def _do(self, order: Any, whole: Any) -> Any:
        number, what, small = order
        if number == 0:
            return self.comm.gather(self.agree(what))
        if isinstance(what, str):
            return getattr(self._parts[number], what)(whole, *small)
        self._parts[number] = what(self, whole, *small)
        return None

    def _tell(self, message: Any) -> None:
        """Wake the others and give them a message."""
        self.comm.Ibarrier().Wait()
        self.comm.bcast(message)

    def serve(self) -> None:
        """Do what rank 0 calls for, until it says that it was all."""
        while True:
            wake, nap = self.comm.Ibarrier(), 1e-5
            while not wake.Test():
                time.sleep(nap)
                nap = min(2 * nap, _NAP)
            message = self.comm.bcast(None)
            if message is None:
                return
            dropped, order = message
            for number in dropped:
                self._parts.pop(number, None)
            try:
                self._do(order, None)
            except BaseException as error:
                if error is self._agreed:
                    continue
                _say(_sentence(self.rank, error)[1])
                self.abort(1)

    def end(self, status: int) -> None:
        """Let the others go; if they may be waiting in the middle of a call, end all at once."""
        if self.busy:
            self.abort(status or 1)
        self._tell(None)
        self._parts.clear()

    def abort(self, status: int) -> None:
        """End all ranks at once with an exit status, without a further word from MPI."""
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self.comm.Abort(status)


def run[T](program: Callable[[], T]) -> T | int:
    """Run a program on rank 0 with the other ranks, if there are any, at its service.

    Parameters
    ----------
    program
        What to run. It calls the package's functions as on one rank: volume conductors
        (`rheobase.fields.solver.Conductor`) made in it are shared by all ranks.

    Returns
    -------
    On rank 0 (and without MPI) what ``program`` returned; 0 on the other ranks.
    """
    team = start()
    if team is None:
        return program()
    if team.rank:
        team.serve()
        return 0
    status = 1
    try:
        result = program()
        status = result if isinstance(result, int) else 0
        return result
    except (InputError, RankError) as error:
        _say(str(error))
        status = 2 if isinstance(error, InputError) else 1
        raise SystemExit(status) from None
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        raise
    except KeyboardInterrupt:
        _say("interrupted; what was finished is kept")
        status = 130
        raise SystemExit(status) from None
    except BaseException as error:
        if team.busy:  # all ranks end here: say what happened
            _say(_sentence(0, error)[1])
        raise
    finally:
        team.end(status)


def start() -> Team | None:
    """Return the team of this run, made on the first call; None if this is the only rank."""
    global _team
    if _team is None and launched():
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        if "numba" in sys.modules:
            import numba

            numba.set_num_threads(1)
        from rheobase._dolfinx import petsc

        petsc()
        from mpi4py import MPI

        for name in [n for n in os.environ if n.startswith(_TOLD)]:
            del os.environ[name]  # processes that are started from here are no ranks
        if MPI.COMM_WORLD.size > 1:
            _team = Team(MPI.COMM_WORLD)
            if _team.rank:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # rank 0 decides what to do
                os.environ["RHEOBASE_PROGRESS"] = "off"
    return _team


def launched() -> bool:
    """Return whether a launcher of MPI started this process."""
    return any(name in os.environ for name in _LAUNCHED)


def active() -> Team | None:
    """Return the team of this run, None if there is one rank."""
    return _team


def check_alone(what: str) -> None:
    """Refuse what does not run on several ranks.

    Raises
    ------
    InputError
        If there are several.
    """
    if _team is not None:
        raise InputError(
            f"{what} does not run on several MPI ranks, there are {_team.size}: "
            "start it without mpiexec"
        )


def _sentence(rank: int, error: BaseException) -> tuple[type[Exception], str]:
    """Return the kind of an error, and what it says, where and on which rank."""
    if isinstance(error, InputError):
        return InputError, str(error)
    if isinstance(error, RankError):
        return RankError, str(error)
    import traceback

    where = ""
    if frames := traceback.extract_tb(error.__traceback__):
        where = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})"
    first = str(error).strip().split("\n")[0]
    return RankError, f"rank {rank}: {type(error).__name__}: {first}{where}"


def _say(sentence: str) -> None:
    print(f"rheobase: {sentence}", file=sys.stderr, flush=True)  # noqa: T201
