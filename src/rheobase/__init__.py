"""rheobase: from a brain-stimulation device to spikes.

>>> import rheobase
>>> rheobase.load_study("tms_motor").kind.name
'field'

``run`` runs a study of any kind, ``load_study`` reads and checks one, ``open_result`` opens the
folder of a run. The sub-packages are, each importing only those before it: :mod:`rheobase.meshes`,
:mod:`rheobase.fields`, :mod:`rheobase.neurons`, :mod:`rheobase.validation`; studies, reports and
the command line stand on top of them. Research and education software; no medical device.
"""

TYPE_CHECKING = False  # typing itself costs more than the rest of this import
if TYPE_CHECKING:
    from typing import Any

    from rheobase.results import open_result
    from rheobase.study_file import load_study, run

__all__ = ["__version__", "load_study", "open_result", "run"]

_MODULES = {
    "load_study": "rheobase.study_file",
    "run": "rheobase.study_file",
    "open_result": "rheobase.results",
}


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("rheobase")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
