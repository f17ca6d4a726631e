"""The study by which ``rheobase run`` solves for what an optimisation found, on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rheobase.montage_files import Channel, rounded
from rheobase.tables.optimise import OptimiseStudy
from rheobase.tables.text import plain, toml_text

if TYPE_CHECKING:
    from rheobase.stations.book import Book

RADIUS_MM = 6.0  # of the discs of a lead field


def write_study(book: Book, study: OptimiseStudy, what: Mapping[str, Any]) -> None:
    """Write ``run.toml``: the head of a study, and the tables that say what was found."""
    whole = {"title": study.title, "seed": study.seed, "head": plain(study.head)}
    with book.own("run.toml", title="Study of what was found", role="study") as part:
        part.write_text(toml_text({**whole, **what}), encoding="utf-8")


def _pad(name: str) -> dict[str, Any]:
    return {"name": name, "position": name, "radius_mm": RADIUS_MM, "model": "ideal"}


def _tes(channel: Channel) -> dict[str, Any]:
    names = list(channel.currents)
    whole = rounded([channel.currents[n] for n in names]) * 1e3
    electrodes = [
        {**_pad(n), "current_mA": round(i, 9)}
        for n, i in zip(names, whole.tolist(), strict=True)
        if i
    ]
    return {"kind": "tes", "electrodes": electrodes}


def device_of(channels: Sequence[Channel]) -> dict[str, Any] | None:
    """Return ``[device]`` for `rheobase run`, None for carriers with three or more electrodes."""
    if len(channels) == 1:
        return _tes(channels[0])
    ends = [sorted(c.currents.items(), key=lambda item: -item[1]) for c in channels]
    if any(sum(1 for _, i in found if i) != 2 for found in ends):
        return None
    return {
        "kind": "ti",
        "pairs": [
            {
                "anode": found[0][0],
                "cathode": found[-1][0],
                "current_mA": round(found[0][1] * 1e3, 6),
                "carrier_Hz": channel.carrier,
                "radius_mm": RADIUS_MM,
                "model": "ideal",
            }
            for found, channel in zip(ends, channels, strict=True)
        ],
    }
