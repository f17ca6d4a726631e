"""rheobase: from a brain-stimulation device to spikes.

The sub-packages are, each importing only those before it: :mod:`rheobase.meshes`,
:mod:`rheobase.fields`, :mod:`rheobase.neurons`, :mod:`rheobase.validation`; studies, reports and
the command line stand on top of them. Research and education software; no medical device.
"""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":  # importlib.metadata costs more than the rest of this import
        from importlib.metadata import version

        return version("rheobase")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
