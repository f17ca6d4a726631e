"""Pictures of dosing: fronts, currents on the scalp, limits, maps of coil poses, uncertainty.

Every function draws into a Matplotlib panel and takes plain arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.views import COLOURS

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

Floats = NDArray[np.float64]

RIM = np.deg2rad(115.0)  # polar angle from the vertex at the edge of the flat head
AT_LIMIT = 1e-3  # relative: what is nearer to a limit than this is drawn as being at it


def draw_front(
    panel: Any,
    fronts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    chosen: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw trade-offs, each a curve, and single solutions on or off them.

    Parameters
    ----------
    panel
        Matplotlib axes.
    fronts
        What is to be large and what is to be small, shape (n,) each, by name; in its order, a
        name alone where n is 1.
    xlabel, ylabel
        Names and units: what is to be small, and what is to be large.
    chosen
        The same two numbers of solutions that are marked, by name.
    """
    for colour, (name, (gain, price)) in zip(COLOURS, fronts.items(), strict=False):
        panel.plot(price, gain, ".-", color=colour, ms=5, lw=1.4, label=name)
    marks = zip("*DsPX^v", (chosen or {}).items(), strict=False)
    for marker, (name, (gain, price)) in marks:
        panel.plot(price, gain, marker, color="k", mfc="w", ms=11, mew=1.4, label=name, zorder=5)
    panel.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, None), ylim=(0, None))
    panel.locator_params(axis="x", nbins=6)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def flat_head(positions: ArrayLike, *, vertex: ArrayLike, centre: ArrayLike) -> Floats:
    """Return places on the scalp as seen from above, the angle from the vertex kept.

    Parameters
    ----------
    positions
        Places (m), shape (n, 3).
    vertex, centre
        Top of the head and its middle (m), shape (3,).

    Returns
    -------
    ndarray, shape (n, 2)
        Right and front; 1 is `RIM` away from the vertex.
    """
    up = np.asarray(vertex, dtype=np.float64) - np.asarray(centre)
    up = up / np.linalg.norm(up)
    front = np.array([0.0, 1.0, 0.0]) - up[1] * up
    front = front / np.linalg.norm(front)
    right = np.cross(front, up)
    d = np.asarray(positions, dtype=np.float64) - np.asarray(centre)
    d = d / np.linalg.norm(d, axis=1, keepdims=True)
    across = np.stack([d @ right, d @ front], axis=1)
    size = np.linalg.norm(across, axis=1, keepdims=True)
    away = np.arctan2(size, (d @ up)[:, None])
    flat: Floats = np.divide(across, size, out=np.zeros_like(across), where=size > 0) * away / RIM
    return flat


def draw_currents(
    panel: Any,
    places: ArrayLike,
    currents: ArrayLike,
    names: Sequence[str],
    *,
    limit: float,
) -> ScalarMappable:
    """Draw electrodes on a flat head, coloured by their current.

    Parameters
    ----------
    panel
        Matplotlib axes.
    places
        From `flat_head`, shape (n, 2).
    currents
        Currents into the head (A), shape (n,); those of 0 are small and grey.
    names
        Names of the electrodes, n of them.
    limit
        Ends of the colour scale (A).

    Returns
    -------
    matplotlib.cm.ScalarMappable
        In mA, for `Figure.colorbar`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Circle

    xy, I = np.asarray(places), np.asarray(currents) * 1e3  # noqa: E741
    colours = ScalarMappable(Normalize(-limit * 1e3, limit * 1e3), "PuOr_r")
    panel.add_patch(Circle((0, 0), 1.0, fill=False, color="0.5", lw=1.2))
    panel.plot([-0.12, 0, 0.12], [0.993, 1.12, 0.993], color="0.5", lw=1.2)
    idle = I == 0
    panel.plot(*xy[idle].T, ".", color="0.8", ms=3)
    for (x, y), current, name in zip(xy[~idle], I[~idle], np.array(names)[~idle], strict=True):
        face = colours.to_rgba(current)
        ink = "w" if float(np.dot(face[:3], (0.3, 0.59, 0.11))) < 0.5 else "k"
        panel.add_patch(Circle((x, y), 0.075, fc=face, ec="0.3", lw=0.8, zorder=3))
        panel.text(x, y, name, ha="center", va="center", fontsize=6.5, color=ink, zorder=4)
    panel.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
    panel.axis("off")
    return colours


def draw_limits(panel: Any, used: Mapping[str, float], allowed: Mapping[str, float]) -> None:
    """Draw how much of each limit a solution uses; those at their limit stand out.

    Parameters
    ----------
    panel
        Matplotlib axes.
    used, allowed
        What is used and what is allowed, in the same unit, by name of the limit.
    """
    names = list(used)
    part = np.array([used[n] / allowed[n] for n in names])
    at = part >= 1 - AT_LIMIT
    y = -np.arange(len(names))
    panel.barh(y, part * 100, color=np.where(at, COLOURS[1], "0.75").tolist(), height=0.7)
    panel.axvline(100, color="k", lw=1)
    for row, share, active in zip(y, part, at, strict=True):
        text = f"{share:.0%}" + (", active" if active else "")
        panel.text(2, row, text, va="center", fontsize=8)
    panel.set(yticks=y, yticklabels=names, xlabel="% of the limit", xlim=(0, 110))
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right"]].set_visible(False)


def draw_poses(
    panel: Any,
    places: ArrayLike,
    values: ArrayLike,
    directions: ArrayLike,
    *,
    best: int,
    allowed: ArrayLike | None = None,
    spacing: float,
    arrows: bool = True,
) -> Any:
    """Draw a value at places of a coil on the flattened scalp, with the best direction at each.

    Parameters
    ----------
    panel
        Matplotlib axes.
    places
        Along the scalp (m), right and front, shape (n, 2).
    values
        Shape (n,).
    directions
        Direction of the current below the coil there, shape (n, 2).
    best
        The place that is marked.
    allowed
        Where the coil may stand, shape (n,); elsewhere there is a cross.
    spacing
        Distance between places (m).
    arrows
        Whether directions have heads; without, opposite ones are the same.

    Returns
    -------
    matplotlib.collections.PathCollection
        For `Figure.colorbar`.
    """
    xy, v, d = np.asarray(places) * 1e3, np.asarray(values), np.asarray(directions)
    ok = np.ones(len(v), bool) if allowed is None else np.asarray(allowed)
    spread = float(np.ptp(xy, axis=0).max()) + spacing * 1e3
    inches = panel.figure.dpi_scale_trans.inverted().transform(panel.bbox)
    size = (0.92 * spacing * 1e3 / spread * float(np.ptp(inches, axis=0).min()) * 72) ** 2
    shown = panel.scatter(*xy[ok].T, c=v[ok], s=size, marker="o", cmap="viridis", lw=0)
    panel.plot(*xy[~ok].T, "x", color="0.6", ms=4)
    length = 0.38 * spacing * 1e3
    unit = d / np.linalg.norm(d, axis=1, keepdims=True) * length
    panel.quiver(
        *(xy - unit)[ok].T,
        *(2 * unit)[ok].T,
        angles="xy",
        scale_units="xy",
        scale=1,
        color="w",
        width=0.004,
        headwidth=4 if arrows else 0,
        headlength=4 if arrows else 0,
        headaxislength=4 if arrows else 0,
    )
    panel.plot(*xy[best], "o", mfc="none", mec="red", mew=2, ms=np.sqrt(size) + 3)
    panel.set(
        xlabel="along the scalp, to the right (mm)",
        ylabel="along the scalp, to the front (mm)",
        aspect="equal",
    )
    panel.spines[["top", "right"]].set_visible(False)
    return shown


def draw_angles(
    panel: Any, angles: ArrayLike, values: Mapping[str, ArrayLike], *, ylabel: str
) -> None:
    """Draw a value against the angle of the handle.

    Parameters
    ----------
    panel
        Matplotlib axes.
    angles
        Angles (degrees), shape (n,).
    values
        Shape (n,), by name.
    ylabel
        Name and unit of the value.
    """
    for colour, (name, v) in zip(COLOURS, values.items(), strict=False):
        panel.plot(angles, v, ".-", color=colour, ms=4, label=name)
        k = int(np.argmax(v))
        panel.plot(np.asarray(angles)[k], np.asarray(v)[k], "o", mfc="none", mec=colour, ms=9)
    panel.set(xlabel="handle, 0 backwards (degrees)", ylabel=ylabel)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def draw_shares(
    panel: Any,
    values: Mapping[str, tuple[ArrayLike, ArrayLike, str]],
    *,
    above: bool,
    xlabel: str,
    ylabel: str,
    marks: Mapping[str, tuple[float, str]] | None = None,
) -> None:
    """Draw which share of a whole lies above, or not above, each value.

    Parameters
    ----------
    panel
        Matplotlib axes.
    values
        Values and their weights, shape (n,) each, and the colour of the line, by name; what is not
        finite counts in the whole and is never reached.
    above
        Whether the share falls from 1 (values above) or rises to it (values reached).
    xlabel, ylabel
        Names and units.
    marks
        Values with a vertical line, and its colour, by name.
    """
    low = reach = 0.0
    for name, (value, weight, colour) in values.items():
        v, w = np.asarray(value, dtype=np.float64), np.asarray(weight, dtype=np.float64)
        order = np.argsort(v)
        x, share = v[order], np.cumsum(w[order]) / w.sum()
        known = np.isfinite(x)
        x, share = x[known], share[known]
        x, share = np.concatenate([x[:1], x]), np.concatenate([[0.0], share])
        part = 100 * (1 - share if above else share)
        panel.step(x, part, color=colour, lw=1.6, where="post", label=name)
        low, reach = min(low, float(x[0])), max(reach, float(x[-1]))
    for name, (at, colour) in (marks or {}).items():
        panel.axvline(at, color=colour, lw=1.2, ls=":", label=name)
        reach = max(reach, 1.05 * at)
    panel.set(xlabel=xlabel, ylabel=ylabel, xlim=(low, reach), ylim=(0, 102))
    panel.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    panel.spines[["top", "right"]].set_visible(False)


def draw_sobol(
    panel: Any, first: Mapping[str, float], total: Mapping[str, float], *, title: str = ""
) -> None:
    """Draw the Sobol indices of parameters, the largest on top.

    Parameters
    ----------
    panel
        Matplotlib axes.
    first, total
        First-order and total index by parameter.
    title
        What they are the indices of.
    """
    names = sorted(total, key=lambda n: total[n], reverse=True)
    y = -np.arange(len(names))
    panel.barh(y, [total[n] for n in names], color="0.8", height=0.7, label="total")
    panel.barh(y, [first[n] for n in names], color=COLOURS[0], height=0.4, label="alone")
    panel.set(yticks=y, yticklabels=[n.replace("_", " ") for n in names])
    panel.set(xlabel="share of the variance (Sobol index)", xlim=(0, 1.02))
    panel.set_title(title, fontsize=10)
    panel.legend(frameon=False, fontsize=8, loc="lower right")
    panel.spines[["top", "right"]].set_visible(False)


def draw_spread(
    panel: Any,
    samples: ArrayLike,
    *,
    xlabel: str,
    quantiles: Mapping[float, float],
    nominal: float | None = None,
) -> None:
    """Draw how a number is distributed over samples, with its mean and quantiles.

    Parameters
    ----------
    panel
        Matplotlib axes.
    samples
        Shape (n,).
    xlabel
        Name and unit.
    quantiles
        Those that are marked, by their level (0 to 1): of a surrogate, or of the samples.
    nominal
        The number at the nominal parameters.
    """
    x = np.asarray(samples, dtype=np.float64)
    panel.hist(x, bins=min(40, max(8, len(x) // 8)), color="0.8")
    panel.axvline(x.mean(), color=COLOURS[0], lw=2, label=f"mean {x.mean():.3g}")
    for q, value in quantiles.items():
        panel.axvline(value, color=COLOURS[1], ls="--", lw=1.2, label=f"{q:.0%}: {value:.3g}")
    if nominal is not None:
        panel.axvline(nominal, color="k", lw=1.2, label=f"nominal {nominal:.3g}")
    panel.set(xlabel=xlabel, ylabel="samples")
    panel.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    panel.spines[["top", "right"]].set_visible(False)
