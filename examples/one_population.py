# ruff: noqa: T201 (an example prints)
"""One population of cortical cells under TMS, tDCS, temporal interference and an electrode.

    python examples/one_population.py [HEAD [RESOLUTION [PICTURE.png]]]

Pyramidal, PV, SST and VIP cells of all layers around the hand knob. A coil and a lead are strong
enough to fire them: one threshold for each cell and polarity. The currents through the scalp are
not: how far they shift the membrane. All results go to a NetCDF file beside the picture.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields import (
    Disc,
    FieldBasis,
    Montage,
    coil,
    layer,
    place_coil,
    place_electrode,
    solve_conduction,
    solve_induction,
    tms_pulse,
)
from rheobase.fields.dbs.grid.domains import head_domain
from rheobase.fields.dbs.solution.response import LeadResponse, unit_responses
from rheobase.fields.dbs.solution.system import Encapsulation
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.meshes.leads.medium import from_head
from rheobase.meshes.placing.scalp import Scalp
from rheobase.neurons import Population, place_in_sheet, polarisation, thresholds
from rheobase.neurons.generate import type_of
from rheobase.views import COLOURS, draw_slice, new_figure

HAND = (-0.037, -0.021, 0.058)  # m, MNI: the hand knob of the left precentral gyrus
RADIUS = 0.007  # m, of the ball that holds the cells
CELLS = 20  # of each type
CLASSES, LAYERS = ("PYR", "PV", "SST", "VIP"), ("L2/3", "L4", "L5", "L6")
TYPES = tuple(type_of(kind, where) for kind in CLASSES for where in LAYERS)
RATE = 150e6  # A/s at the peak of the pulse of the coil
WIDTH = 60e-6  # s, of the pulse of the lead
CURRENT = 5e-3  # A through its contact
CARRIERS = (2000.0, 2010.0)  # Hz
LEAD, SCAR = "Medtronic 3389", 0.2e-3  # and its encapsulation (m)


@dataclass(frozen=True)
class ContactField:
    """Field per ampere out of one contact of a lead; nothing inside the lead and its scar."""

    response: LeadResponse
    contact: str
    unit: str = "A"

    def at(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return E (V/m per A), shape (1, n, 3), and -1 for points that are no tissue."""
        k = self.response.contacts.index(self.contact)
        E = self.response.field(points)[k : k + 1]
        tissue = np.isfinite(E[0]).all(axis=1) & (self.response.lead.outside(points) >= SCAR)
        return np.nan_to_num(E), np.where(tissue, 0, -1).astype(np.int32)

    def place(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the middle of the contact (m) and the direction up the shaft, shape (3,) each."""
        lead = self.response.lead
        height = lead.model.contact(self.contact).middle[1]
        foot, middle, above = lead.to_head([[0, 0, 0], [0, 0, height], [0, 0, 1]])
        return middle, above - foot


def main(
    head: Head | str = "mni152", resolution: str | None = "coarse", out: str = "one_population.png"
) -> dict[str, Any]:
    """Solve, place, stimulate four times, print the table, save, draw; return the datasets."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    centre = crown(head)
    induced = solve_induction(head, [place_coil(coil("magstim-70mm-figure8"), head, target=centre)])
    conducted = scalp_currents(head)
    contact = ContactField(contact_in_cortex(head, centre), "2")
    cells = population(head, induced, centre)

    one = 1e-3 * np.eye(3)  # 1 mA through each montage: tDCS, and the two pairs
    slow_and_carriers = {"frequency": [10.0, *CARRIERS], "weights": one[[1, 1, 2]]}
    found = {
        "tms": thresholds(cells, induced, waveform=tms_pulse("biphasic")).to_xarray(),
        "lead": thresholds(cells, contact, waveform=WIDTH).to_xarray(),
        "tdcs": polarisation(cells, conducted, weights=one[0], unit="mA"),
        "ti": polarisation(cells, conducted, **slow_and_carriers, unit="mA"),
    }
    save(found, Path(out).with_suffix(".nc"))
    tell(found)
    draw(head, induced, contact, cells, found, out)
    return found


def crown(head: Head) -> NDArray[np.float64]:
    """Return the middle of the column nearest to the scalp within `RADIUS` of the hand knob (m)."""
    middle = head.cortex.points(0.5)
    away = np.linalg.norm(middle - head.from_mni([HAND])[0], axis=1)
    near, scalp = middle[away <= max(RADIUS, away.min())], Scalp(head.mesh)
    return near[np.argmin([scalp.nearest(x)[1] for x in near])]


def scalp_currents(head: Head) -> FieldBasis:
    """Solve for C3-Fp2 and for two pairs on both sides of C3, per ampere."""
    sponge = {"shape": Disc(radius_mm=20), "layers": [layer("sponge")]}
    disc = {"shape": Disc(radius_mm=6)}
    pairs = (("C3", "Fp2", sponge), ("FC1", "CP1", disc), ("FC5", "CP5", disc))
    return solve_conduction(
        head,
        [
            Montage(
                name=f"{a}-{b}",
                electrodes=tuple(place_electrode(head, name, **kind) for name in (a, b)),
                currents=(1.0, -1.0),
            )
            for a, b, kind in pairs
        ],
    )


def contact_in_cortex(head: Head, centre: NDArray[np.float64]) -> LeadResponse:
    """Solve for a lead from the nearest scalp, its second contact in the cortex."""
    entry, _ = Scalp(head.mesh).nearest(centre)
    lead = place_lead(lead_model(LEAD), target=centre, entry=entry, contact="2")
    scar = Encapsulation(thickness=SCAR, tissue=0.18)
    return unit_responses(lead, from_head(head), head_domain(head), encapsulation=scar)


def population(head: Head, basis: FieldBasis, centre: NDArray[np.float64]) -> Population:
    """Place cells; of each type keep the first whose soma the mesh holds in grey matter."""
    drawn = place_in_sheet(
        head.cortex,
        species="human",
        counts=dict.fromkeys(TYPES, 3 * CELLS),
        seed=1,
        centre=centre,
        radius=RADIUS,
        clones=2,
    )
    tet, _ = basis.locator.locate(drawn.position)
    grey = (tet >= 0) & (head.mesh.labels[tet] == head.label_of("grey_matter"))
    return drawn.select(
        np.concatenate([np.flatnonzero(grey & (drawn.type == t))[:CELLS] for t in TYPES])
    )


def save(found: dict[str, Any], path: Path) -> None:
    """Write all four datasets as groups of one file."""
    import xarray as xr

    xr.DataTree.from_dict(found).to_netcdf(path, engine="h5netcdf")


def somata(ti: Any) -> list[NDArray[np.float64]]:
    """Return what 1 mA of pair 1 at 10 Hz, both carriers together, and their beat do (uV).

    The potential of a soma under both carriers swells and fades by twice the weaker of them, peak
    to peak: that is the envelope of two fast oscillations, and no slow potential.
    """
    slow, *carriers = 1e6 * ti.amplitude.sel(site="soma", statistic="mean").values
    return [slow, np.sum(carriers, axis=0), 2 * np.min(carriers, axis=0)]


def columns(found: dict[str, Any]) -> dict[str, tuple[NDArray[np.float64], str]]:
    """Return the columns of the table: a number for each cell, and how their median is printed.

    Shares have no format: where a cell fires 100, where it does not 0, and NaN where the lead or
    its scar takes too much of it.
    """
    tdcs = 1e6 * np.abs(found["tdcs"].amplitude.sel(statistic="largest").isel(frequency=0))
    tips = tdcs.sel(site=["basal", "apical"]).max("site")
    rate = found["tms"].threshold.values[0]
    anode, cathode = found["lead"].threshold.values
    slow, carriers, beat = somata(found["ti"])

    def share(threshold: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
        return np.where(np.isnan(threshold), np.nan, 100.0 * (threshold <= limit))

    return {
        "TMS A/us": (1e-6 * rate, ".0f"),
        f"% at {1e-6 * RATE:.0f}": (share(rate, RATE), ""),
        "tDCS soma": (tdcs.sel(site="soma").values, ".1f"),
        "tips": (tips.values, ".0f"),
        "axon ends": (tdcs.sel(site="terminal").values, ".0f"),
        "TI 10 Hz": (slow, ".1f"),
        "carriers": (carriers, ".2f"),
        "envelope": (beat, ".2f"),
        "cathode mA": (1e3 * cathode, ".1f"),
        "anode mA": (1e3 * anode, ".1f"),
        f"% at -{1e3 * CURRENT:.0f}": (share(cathode, CURRENT), ""),
    }


def tell(found: dict[str, Any]) -> None:
    """Print one row for each type: medians over its cells, and the percentage that fires."""
    table, kinds = columns(found), found["tms"].type.values
    print("medians; polarisation in uV at 1 mA, temporal interference at 1 mA through each pair")
    print(f"{'':18s}" + "".join(f"{name:>11s}" for name in table))
    for name in TYPES:
        print(f"{name:18s}", end="")
        for values, form in table.values():
            mine = values[kinds == name]
            print(f"{np.nanmedian(mine):11{form}}" if form else f"{np.nanmean(mine):11.0f}", end="")
        print()
    print("\n" + "\n".join(n for n in (found[k].attrs["notes"] for k in ("lead", "ti")) if n))


def draw(
    head: Head,
    induced: FieldBasis,
    contact: ContactField,
    cells: Population,
    found: dict[str, Any],
    out: str,
) -> None:
    """Draw where the cells are, and what each stimulus does to them by class."""
    from matplotlib.colors import Normalize

    figure = new_figure(17.0, 9.0)
    (section, tms, lead), (tdcs, ti, both) = figure.subplots(2, 3)
    at, up = contact.place()
    strength = induced.magnitude([RATE])
    shown = draw_slice(
        section,
        head,
        lambda points: induced.interpolate(strength, points),
        axis=1,
        at=at[1],
        norm=Normalize(0, 250),
        step=5e-4,
    )
    figure.colorbar(shown, ax=section, label=f"|E| of the coil at {1e-6 * RATE:.0f} A/µs (V/m)")
    near = cells.select(np.abs(cells.position[:, 1] - at[1]) < 3e-3).position
    section.plot(1e3 * near[:, 0], 1e3 * near[:, 2], ".", color="white", ms=5, mec="k", mew=0.5)
    shaft = 1e3 * (at + np.outer([-0.003, 0.03], up))
    section.plot(shaft[:, 0], shaft[:, 2], color="red", lw=3)
    section.set(xlim=1e3 * at[0] + np.array([-25, 25]), ylim=1e3 * at[2] + np.array([-25, 25]))

    values = {name: value for name, (value, _) in columns(found).items()}
    kinds = found["tms"].cell_class.values
    far = 1e3 * np.linalg.norm(cells.position - at, axis=1)
    sites = ("tDCS soma", "tips", "axon ends")
    weak = ("TI 10 Hz", "carriers", "envelope")
    for k, (kind, colour) in enumerate(zip(CLASSES, COLOURS, strict=False)):
        of = kinds == kind
        rates, share = np.sort(values["TMS A/us"][of]), np.arange(1, of.sum() + 1) / of.sum()
        tms.step(rates, share, where="post", color=colour, label=kind)
        dots = {"ls": "", "marker": "o", "ms": 4, "color": colour}
        lead.plot(far[of], values["cathode mA"][of], label=kind, **dots)
        lead.plot(far[of], values["anode mA"][of], mfc="none", **dots)
        both.plot(values["TMS A/us"][of], values["cathode mA"][of], label=kind, **dots)
        for panel, names in ((tdcs, sites), (ti, weak)):
            for j, name in enumerate(names):
                boxes = panel.boxplot(
                    values[name][of], positions=[j + 0.18 * (k - 1.5)], widths=0.14, sym=""
                )
                for part in (line for lines in boxes.values() for line in lines):
                    part.set_color(colour)
    tms.axvline(1e-6 * RATE, color="0.7", zorder=0)
    tms.set(
        xlabel="TMS, biphasic: dI/dt at the peak (A/µs)", ylabel="share that fires", xlim=(0, 500)
    )
    lead.loglog()
    lead.set_xticks(ticks := [0.5, 1, 2, 5], ticks)
    lead.xaxis.minorticks_off()
    lead.set(xlabel="soma from the contact (mm)", ylabel="threshold (mA), anode hollow")
    both.semilogy()
    both.set(xlabel="TMS threshold (A/µs)", ylabel="cathodal threshold (mA)", xlim=(0, 500))
    tdcs.set_xticks(range(3), ["soma", "dendrite tip", "axon end"])
    tdcs.set(ylabel="largest |polarisation| by C3-Fp2 (µV per mA)")
    ti.set_xticks(range(3), ["pair 1 at 10 Hz", "both carriers", "their envelope"])
    ti.set(ylabel="soma (µV at 1 mA in each pair)", yscale="log", ylim=3e-2)
    for panel in (tms, lead, tdcs, ti, both):
        panel.spines[["top", "right"]].set_visible(False)
    tms.legend(frameon=False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
