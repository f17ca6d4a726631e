"""Fields under MPI: a volume conductor whose mesh, matrix and recovery several ranks share."""

from rheobase._ranks import run

__all__ = ["run"]
