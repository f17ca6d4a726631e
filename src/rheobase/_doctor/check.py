"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Fine; missing and not needed; there, but too little or not working, so that something goes
#: without; needed and missing.
State = Literal["ok", "absent", "poor", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    group
        Heading under which it stands.
    name
        What it is.
    state
        How it is: ``ok``; ``absent``, not installed and not needed; ``poor``, so that something
        will be slow or left out; ``missing``, needed and not there or not working.
    found
        What there is: a version, an amount, a path.
    mend
        How to mend or add it; empty where it is fine.
    """

    group: str
    name: str
    state: State
    found: str
    mend: str = ""
