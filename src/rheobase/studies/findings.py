"""What the results say about the published summary; every verdict is computed from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.report import Table
from rheobase.studies.results import MICRO, NEAR

if TYPE_CHECKING:
    from rheobase.studies.results import Results

Floats = NDArray[np.float64]

KOMAROV = "Komarov et al. 2019, doi:10.1371/journal.pcbi.1007277"
ALIKE = 0.15  # polarities whose median thresholds differ by less are no preference
LEAST_SHARE, LEAST_RANK = 0.03, 0.2  # smaller differences and correlations count as none
DEPTH = "response falls with depth"
SIZE = "response falls with the size of the species"
ANODE = "anode stronger than cathode"
CATHODE = "cathode stronger than anode"
SOURCES = {
    DEPTH: KOMAROV,
    SIZE: "published summary of the cross-species study (activating function)",
    ANODE: KOMAROV + ", activating function",
    CATHODE: "full simulations of detailed cells under a near electrode",
}
PREFERENCES = {  # of the figure on polarity, by type: its sign, 0 for none
    "L23_pyramidal": 1,
    "L4_star_pyramidal": 0,
    "L5_pyramidal": 0,
    "L23_martinotti": -1,
}
_WORDS = {1: "prefers the anode", 0: "has no preference", -1: "prefers the cathode"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A published statement and what came out here.

    Parameters
    ----------
    statement, source
        The statement and whose it is.
    mode, condition
        Where it was looked for.
    measured
        The numbers.
    verdict
        "agrees", "differs", or "no difference" where the numbers show none either way.
    """

    statement: str
    source: str
    mode: str
    condition: str
    measured: str
    verdict: str


def findings(results: Results) -> list[Finding]:
    """Return every statement with its verdict, in each mode (and condition)."""
    found: list[Finding] = []
    for mode in results.data["mode"].values.tolist():
        for condition in results.data["condition"].values.tolist():
            found.append(_depth(results, mode, condition))
            found.append(_polarity(results, mode, condition))
            found.extend(_preferences(results, mode, condition))
        found.extend(_size(results, mode))
    return found


def findings_table(found: list[Finding]) -> Table:
    """Return the findings as a table."""
    return Table(
        columns=("published", "mode", "condition", "here", "verdict", "source"),
        rows=[
            (
                f.statement,
                f.mode,
                f.condition,
                f.measured,
                f.verdict,
                f.source,
            )
            for f in found
        ],
    )


def summary(results: Results, found: list[Finding]) -> list[str]:
    """Return what agrees and what differs, in sentences, and why the modes differ if they do."""
    out = []
    for statement in dict.fromkeys(f.statement for f in found):
        parts = []
        for mode in dict.fromkeys(f.mode for f in found):
            own = [f for f in found if f.statement == statement and f.mode == mode]
            if own:
                parts.append(f"{mode} {_told(own)}")
        source = next(f.source for f in found if f.statement == statement)
        out.append(f"“{statement}” ({source}): {'; '.join(parts)}.")
    out.extend(_reason(results))
    return out


def polarity_ratio(results: Results, condition: str, mode: str) -> tuple[float, float, int]:
    """Return how the anode compares with the cathode on the same cells within 1 mm.

    Returns
    -------
    ratio : float
        Median of the anodal over the cathodal threshold.
    share : float
        Share of the cells with the lower threshold at the anode.
    count : int
        Cells that both fire.
    """
    part = results.part(condition, mode)
    anodal, cathodal = part["threshold"].values[:, part["distance"].values <= NEAR]
    both = np.isfinite(anodal) & np.isfinite(cathodal)
    ratio = anodal[both] / cathodal[both]
    return float(np.median(ratio)), float(np.mean(ratio < 1)), len(ratio)


def _depth(results: Results, mode: str, condition: str) -> Finding:
    from scipy.stats import spearmanr

    share = results.share(condition, mode).mean("polarity").transpose("cell_class", "layer")
    values = share.values
    layers = share["layer"].values.tolist()
    k, j = np.nonzero(~np.isnan(values))
    flat = len(set(values[k, j].tolist())) < 2 or len(set(j.tolist())) < 2
    rank = 0.0 if flat else float(spearmanr(j, values[k, j]).statistic)
    means = [f"{layer} {np.nanmean(values[:, i]):.2f}" for i, layer in enumerate(layers)]
    return Finding(
        statement=DEPTH,
        source=SOURCES[DEPTH],
        mode=mode,
        condition=condition,
        measured=f"share that fires: {', '.join(means)}; rank correlation {rank:+.2f}",
        verdict=_verdict(-rank, LEAST_RANK),
    )


def _polarity(results: Results, mode: str, condition: str) -> Finding:
    """Compare polarities with the activating functions or the full simulations of others."""
    statement = ANODE if mode == "af" else CATHODE
    ratio, lower, count = polarity_ratio(results, condition, mode)
    share = results.share(condition, mode).mean(["cell_class", "layer"])
    anodal, cathodal = (float(share.sel(polarity=p)) for p in ("anodal", "cathodal"))
    stronger = anodal - cathodal if mode == "af" else cathodal - anodal
    return Finding(
        statement=statement,
        source=SOURCES[statement],
        mode=mode,
        condition=condition,
        measured=(
            f"mean share that fires {anodal:.2f} anodal, {cathodal:.2f} cathodal; threshold ratio "
            f"anodal/cathodal {ratio:.2f} (median), below 1 in {lower:.0%} of {count} cells"
        ),
        verdict=_verdict(stronger, LEAST_SHARE),
    )


def _preferences(results: Results, mode: str, condition: str) -> Iterator[Finding]:
    """Compare the preferences of single types with those that the founding paper drew."""
    types = results.data["type"].values
    medians = results.data["threshold"].sel(mode=mode, condition=condition, quantile=0.5).values
    for name, published in PREFERENCES.items():
        for k, j in np.argwhere(types == name):
            anodal, cathodal = medians[k, j]
            if np.isfinite([anodal, cathodal]).all():
                ratio = anodal / cathodal
                sign = 0 if abs(np.log(ratio)) < np.log1p(ALIKE) else (1 if ratio < 1 else -1)
                yield Finding(
                    statement=f"{name} {_WORDS[published]}",
                    source=KOMAROV + ", figure 5",
                    mode=mode,
                    condition=condition,
                    measured=f"{_WORDS[sign]}: median threshold anodal/cathodal {ratio:.2f}",
                    verdict="agrees" if sign == published else "differs",
                )


def _size(results: Results, mode: str) -> Iterator[Finding]:
    """Compare the species, each in its own cortex, at its own largest and at the same current."""
    from rheobase.meshes.cortex.layers import layer_table

    data = results.data
    own = data["condition"].values[data["cells"].values == data["cortex"].values].tolist()
    if len({str(data["cells"].sel(condition=c).values) for c in own}) < 2:
        return
    order = sorted(
        own, key=lambda c: layer_table(str(data["cortex"].sel(condition=c).values)).thickness
    )
    same = min(results.largest(c) for c in own)
    for words, amplitude in (("each at its largest current", None), (_current(same), same)):
        shares = [float(results.share(c, mode, amplitude).mean()) for c in order]
        told = ", ".join(f"{c} {s:.2f}" for c, s in zip(order, shares, strict=True))
        yield Finding(
            statement=SIZE,
            source=SOURCES[SIZE],
            mode=mode,
            condition=words,
            measured=f"mean share that fires, thinnest cortex first: {told}",
            verdict="agrees" if (np.diff(shares) < 0).all() else "differs",
        )


def _reason(results: Results) -> Iterator[str]:
    """Say why the activating function and the cable disagree on polarity, where they do."""
    modes = results.data["mode"].values.tolist()
    if not {"af", "cable"} <= set(modes):
        return
    ratios = {
        m: [polarity_ratio(results, c, m)[0] for c in results.data["condition"].values.tolist()]
        for m in ("af", "cable")
    }
    af, cable = (float(np.median(ratios[m])) for m in ("af", "cable"))
    ends = _at_ends(results, "cable")
    if not (cable > af and ends > 0.5):
        return
    yield (
        f"The median anodal/cathodal threshold ratio is {af:.2f} in af and {cable:.2f} in cable. "
        "The activating function judges every place by itself, over one internode, so curvature of "
        "the potential, above all at bends, which has either sign under either polarity, counts "
        f"at once: {_at_ends(results, 'af'):.0%} of its decisions fall at ends of axons. The cable "
        "(and the full simulation) averages the drive over the length constant of the axon. Much "
        f"of the curvature cancels, and ends remain, where {ends:.0%} of the spikes start. Ends "
        "that point to the electrode are depolarised by a cathode and are the nearest; an anode "
        "depolarises those that point away."
    )


def _at_ends(results: Results, mode: str) -> float:
    """Return the share of thresholds that belong to an end of an axon."""
    from rheobase.neurons.morphology import Kind

    sites = [p.data["site"].values.ravel() for p in results.parts if p.mode == mode]
    known = np.concatenate(sites)
    return float(np.mean(known[known >= 0] == int(Kind.TERMINAL)))


def _verdict(effect: float, least: float) -> str:
    """Return what an effect says that is > 0 as published."""
    if abs(effect) < least:
        return "no difference"
    return "agrees" if effect > 0 else "differs"


def _current(amplitude: float) -> str:
    return f"all at {amplitude / MICRO:g} µA"


def _told(found: list[Finding]) -> str:
    """Return how many findings say what."""
    verdicts = [f.verdict for f in found]
    if len(set(verdicts)) == 1:
        return f"{verdicts[0]} ({'all of ' if len(found) > 1 else ''}{len(found)})"
    parts = []
    for verdict in dict.fromkeys(verdicts):
        where = ", ".join(f.condition for f in found if f.verdict == verdict)
        parts.append(f"{verdict} ({where})")
    return ", ".join(parts)
