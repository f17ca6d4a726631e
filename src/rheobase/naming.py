"""Names of result files, by the rules of BIDS derivatives: one function for all of them.

A name is a row of ``entity-label`` pairs in a fixed order, a suffix that says what is in the file,
and an extension (bids-specification.readthedocs.io, "File name structure"; ``stat`` is that of its
extension proposal for statistical maps). Labels hold letters and digits only.
"""

from __future__ import annotations

import re

#: Entities in their order in a name.
ENTITIES = ("sub", "space", "stat", "desc")


def label(text: str) -> str:
    """Return ``text`` as a label: letters and digits, words run together.

    Raises
    ------
    ValueError
        If there is neither.

    Examples
    --------
    >>> label("slab-motor"), label("MNI152NLin2009aSym"), label("hot spot")
    ('slabMotor', 'MNI152NLin2009aSym', 'hotSpot')
    """
    words: list[str] = re.findall(r"[0-9A-Za-z]+", text)
    if not words:
        raise ValueError(f"no letter or digit in {text!r}")
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])


def file_name(suffix: str, extension: str, **entities: str) -> str:
    """Return the name of a file.

    Parameters
    ----------
    suffix
        What is in it: ``field``, ``recruitment``, ``statistics`` …
    extension
        With its dot: ``.nc``, ``.nii.gz``.
    **entities
        Some of `ENTITIES`; empty ones are left out.

    Raises
    ------
    ValueError
        If an entity is unknown.

    Examples
    --------
    >>> file_name("field", ".nii.gz", sub="mni152", desc="magnE", space="MNI152NLin2009aSym")
    'sub-mni152_space-MNI152NLin2009aSym_desc-magnE_field.nii.gz'
    """
    if unknown := set(entities) - set(ENTITIES):
        raise ValueError(f"unknown entities {sorted(unknown)}, there are {', '.join(ENTITIES)}")
    pairs = [f"{e}-{label(entities[e])}" for e in ENTITIES if entities.get(e)]
    return "_".join([*pairs, label(suffix)]) + extension
