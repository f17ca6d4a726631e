"""Draw the picture of docs/leads.md: python docs/images/leads.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rheobase._errors import InputError
from rheobase.meshes.leads.catalogue import lead_model, lead_names
from rheobase.meshes.leads.model import Contact, LeadModel

SHAFT, METAL, FIRST, MARKER = "#e4e0d4", "#5a6b7a", "#c8553d", "#3d7a52"
RODENT = ("NuMed", "MicroProbes", "FHC")
DEPTH = ("DIXI", "PMT", "Huake-Hengsheng", "AdTech")
mpl.use("Agg")


def body(model: LeadModel, low: float, high: float) -> np.ndarray:
    """Return the outline (mm) of the lead between two heights (m), shape (n, 2)."""
    cap = model.height_of(np.linspace(0, 0.5 * np.pi * model.radius, 40))
    z = np.concatenate([[low], cap[(cap > low) & (cap < high)], [high]])
    wide = model.radius * np.sin(np.minimum(model.arc_of(z) / model.radius, np.pi / 2))
    return 1e3 * np.concatenate([np.c_[wide, z], np.c_[-wide, z][::-1]])


def seen(model: LeadModel, contact: Contact) -> np.ndarray | None:
    """Return the outline (mm) of a contact seen from the marker's side, None from behind."""
    if contact.theta is None:
        return body(model, *contact.z)
    middle = 0.5 * sum(contact.theta)
    turned = np.array(contact.theta) - 2 * np.pi * np.round(middle / (2 * np.pi))
    low, high = np.clip(turned, -np.pi / 2, np.pi / 2)
    if not high > low:
        return None
    y, (z0, z1) = model.radius * np.sin([low, high]), contact.z
    return 1e3 * np.array([[y[0], z0], [y[1], z0], [y[1], z1], [y[0], z1]])


def draw(ax: Axes, models: dict[str, LeadModel], gap: float, top: float, unit: str) -> None:
    """Draw leads side by side, ``gap`` (mm) apart."""
    for k, (title, model) in enumerate(models.items()):
        at = np.array([k * gap, 0.0])
        ax.fill(*(at + body(model, 0.0, 1e-3 * top)).T, fc=SHAFT, ec="#999999", lw=0.3)
        if model.marker and model.marker[1] < 1e-3 * top:
            wide = 0.5 * model.diameter * np.array([-1, 1, 1, -1]) * 1e3
            low, high = 1e3 * np.array(model.marker)
            ax.fill(*(at + np.c_[wide, [low, low, high, high]]).T, fc=MARKER, ec="none")
        for contact in model.contacts:
            outline = seen(model, contact)
            if outline is not None:
                first = contact.theta is not None and np.isclose(sum(contact.theta), 0)
                ax.fill(*(at + outline).T, fc=FIRST if first else METAL, ec="none")
        ax.text(at[0], -0.02 * top, title, rotation=90, ha="center", va="top", fontsize=6)
    ax.patch.set_alpha(0)
    ax.set(xlim=(-gap, len(models) * gap), ylim=(-0.02 * top, top), aspect="equal", xticks=[])
    ax.set_ylabel(f"height above the tip ({unit})", fontsize=7)
    ax.tick_params(labelsize=6)
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)


def main() -> None:
    """Draw every lead that has a geometry, those of one geometry once."""
    groups: dict[tuple[object, ...], list[LeadModel]] = {}
    for name in lead_names():
        try:
            model = lead_model(name)
        except InputError:
            continue
        groups.setdefault((model.maker, model.diameter, model.contacts), []).append(model)
    kinds: dict[str, dict[str, LeadModel]] = {"brain": {}, "depth": {}, "rodent": {}}
    for same in groups.values():
        model = same[0]
        title = model.name.replace("Boston Scientific", "Boston")
        if len(same) > 1:
            title += " to " + same[-1].name.split()[-1]
        kind = "rodent" if model.maker in RODENT else "depth" if model.maker in DEPTH else "brain"
        kinds[kind][title] = model
    fig = Figure(figsize=(11, 10), dpi=130)
    top = fig.add_axes((0.05, 0.65, 0.74, 0.34))
    draw(top, kinds["brain"], 3.0, 40.0, "mm")
    side = fig.add_axes((0.85, 0.65, 0.13, 0.34))
    draw(side, kinds["rodent"], 1.2, 5.0, "mm, enlarged")
    bottom = fig.add_axes((0.05, 0.17, 0.94, 0.34))
    draw(bottom, kinds["depth"], 6.5, 90.0, "mm")
    fig.savefig(Path(__file__).with_name("leads.png"))


if __name__ == "__main__":
    main()
