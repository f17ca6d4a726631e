# ruff: noqa: T201 (an example prints)
"""How sure is the field of a montage? Conductivities and the place of an electrode, both unknown.

    python examples/how_sure.py [HEAD [RESOLUTION [PICTURE.png]]]

Two pads for the left motor cortex, 2 mA. The conductivities of five tissues vary over the ranges of
the tissue table, the anode by a few millimetres. Sobol' samples with one preconditioner and warm
starts, then polynomial chaos: mean, spread and what the variance is made of, in the hand area and
all over the cortex.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rheobase.dosing_views import draw_sobol, draw_spread
from rheobase.field_views import draw_cortex, on_sheet
from rheobase.fields import Montage, Rectangle, layer, place_electrode, solve_conduction
from rheobase.fields.uncertainty.distributions import normal
from rheobase.fields.uncertainty.inputs import Conductivity, ElectrodeShift, Inputs, conductivities
from rheobase.fields.uncertainty.maps import region_values, uncertainty_maps, uncertainty_table
from rheobase.fields.uncertainty.quantities import strength
from rheobase.fields.uncertainty.sampling import sample_fields
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball, tissue_region
from rheobase.scenes.device import electrode_layers, target_layer
from rheobase.views import new_figure

HAND, RADIUS = (-0.037, -0.021, 0.058), 0.010  # m, MNI: the hand knob; of the target
CURRENT = 2e-3  # A
TISSUES = ("scalp", "skull", "csf", "grey_matter", "white_matter")
OWN: tuple[Conductivity, ...] = ()  # distributions instead of those of the tissue table
SHIFT_MM = 5.0  # standard deviation of the anode's place, in both directions
SAMPLES = 64
STORED = ("grey_matter", "white_matter")


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "how_sure.png"
) -> dict[str, Any]:
    """Sample, fit, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    pad = {"shape": Rectangle(width_mm=50, height_mm=50), "layers": [layer("sponge")]}
    ends = tuple(place_electrode(head, name, **pad) for name in ("C3", "Fp2"))
    montage = Montage(name="C3-Fp2", electrodes=ends, currents=(CURRENT, -CURRENT))
    inputs = Inputs(
        [
            *(OWN or conductivities(head, TISSUES)),
            *(
                ElectrodeShift(electrode="C3", axis=axis, distribution=normal(0.0, SHIFT_MM))
                for axis in ("front", "right")
            ),
        ]
    )
    regions = [
        ball(HAND, RADIUS, space="MNI", name="hand area") & tissue_region("grey_matter"),
        tissue_region("grey_matter"),
        tissue_region("white_matter"),
    ]
    quantity = strength([CURRENT])
    with tempfile.TemporaryDirectory() as folder:
        samples = sample_fields(
            head,
            montage,
            inputs,
            Path(folder) / "samples.h5",
            n=SAMPLES,
            tissues=STORED,
        )
        rows = uncertainty_table(samples, quantity, head, regions)
        _, _, values = region_values(samples, quantity, head, regions[:1])
        maps = uncertainty_maps(samples, quantity)
    basis = solve_conduction(head, montage)  # at the values of the tissue table

    print(f"{SAMPLES} samples of {len(inputs)} inputs, chaos of degree {rows[0]['degree']}")
    print(f"|E| at 2 mA (V/m)             {'mean':>7s} {'sd':>7s}  {'5 %':>7s} {'95 %':>7s}  error")
    for row in rows:
        print(
            f"{row['region']:28s} {row['mean']:8.4f} {row['sd']:7.4f} {row['q5']:8.4f} "
            f"{row['q95']:7.4f} {row['error']:6.2g}"
        )
    print("\nshare of the variance         " + " ".join(f"{n:>12s}" for n in inputs.names))
    for row in rows:
        shares = " ".join(f"{row[f'total_{n}']:12.3f}" for n in inputs.names)
        print(f"{row['region']:29s} {shares}")
    draw(head, basis, samples, maps, rows, values[:, 0], montage, out)
    return {"rows": rows, "maps": maps, "values": values[:, 0], "inputs": inputs, "basis": basis}


def draw(
    head: Head,
    basis: Any,
    samples: Any,
    maps: Any,
    rows: list[dict[str, Any]],
    values: Any,
    montage: Montage,
    out: str,
) -> None:
    """Draw mean and relative spread on the cortex, the hand area's samples and indices."""
    figure = new_figure(17.0, 4.3)
    mean, spread, samples_of, shares = figure.subplots(1, 4, width_ratios=(1.1, 1.1, 0.9, 0.9))
    ring = target_layer(head, head.from_mni(HAND)[0], RADIUS)
    relative = np.divide(maps.sd, maps.mean, out=np.zeros_like(maps.sd), where=maps.mean > 0)
    for panel, value, label, devices in (
        (mean, maps.mean, "mean of |E| (V/m)", electrode_layers(head, montage)),
        (spread, 100 * relative, "standard deviation (% of the mean)", []),
    ):
        on_cortex = on_sheet(head, basis, samples.on_split(value), STORED)
        shown = draw_cortex(
            panel,
            head,
            on_cortex,
            limit=float(np.nanpercentile(on_cortex, 99.5)),
            view=(-0.7, 0.35, 0.65),
            devices=[ring, *devices],
        )
        figure.colorbar(shown, ax=panel, label=label, shrink=0.8, extend="max")
    draw_spread(
        samples_of,
        values,
        xlabel="|E|, mean of the hand area (V/m)",
        quantiles={q: rows[0][f"q{100 * q:g}"] for q in (0.05, 0.95)},
    )
    names = maps.names
    draw_sobol(
        shares,
        {n: rows[0][f"first_{n}"] for n in names},
        {n: rows[0][f"total_{n}"] for n in names},
        title="hand area",
    )
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
