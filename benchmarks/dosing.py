"""The numbers of docs/dosing.md that no picture or test makes.

    ./run python benchmarks/dosing.py [LEADFIELD.h5]

Coverage of the interval of `same_recruitment_dose`; thresholds in cortex of several thicknesses;
the dose over F3 that repeats the field over C3 on the default head; how far the estimates of
`rank_stimuli` are off on a ball, and, with a lead field of that head (89 electrodes, grey and white
matter kept), below C3.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

PULSE = 200e-6


def coverage(trials: int = 1000) -> None:
    """Thresholds drawn from two lognormal distributions, one three times the other."""
    from rheobase.neurons import UniformField, place_in_slab, thresholds
    from rheobase.neurons.dose import same_recruitment_dose

    cells = place_in_slab(species="rat", counts={"L5_pyramidal": 120}, seed=3, radius=1e-3)
    base = thresholds(cells, UniformField(E=[0, 0, 1.0]), waveform=PULSE)
    rng = np.random.default_rng(5)
    held = 0
    for k in range(trials):
        here, there = np.exp(0.3 * rng.standard_normal((2, *base.threshold.shape)))
        reference, other = replace(base, threshold=here), replace(base, threshold=3 * there)
        interval = same_recruitment_dose(reference, other, amplitude=1.0, seed=k).interval
        assert interval is not None
        held += interval[0] <= 3 <= interval[1]
    print(f"interval of 90 %: held the dose in {held} of {trials} pairs of {len(base)} cells")


def thickness() -> None:
    """Flat human cortex of 3 mm, a point electrode over its middle and a uniform field."""
    from rheobase.meshes.heads.slab import flat_sheet
    from rheobase.neurons import PointSource, UniformField
    from rheobase.neurons.thickness import thickness_effect

    sheet = flat_sheet(20e-3, 3e-3, 1e-3)
    fields = {
        "point electrode 2 mm above the pia": PointSource(position=[0, 0, 2e-3], conductivity=0.3),
        "uniform field": UniformField(E=[0, 0, -1.0]),
    }
    for name, field in fields.items():
        effect = thickness_effect(
            sheet,
            field,
            factors=[0.75, 0.9, 1.0, 1.1, 1.2, 1.3],
            waveform=PULSE,
            species="human",
            counts={"L23_pyramidal": 200, "L5_pyramidal": 200},
            seed=1,
            centre=sheet.points(0.5).mean(axis=0),
            radius=5e-3,
        )
        for kind in ("L23_pyramidal", "L5_pyramidal"):
            for side, polarity in enumerate(("plus", "minus")):
                median = [np.median(r.threshold[side, r.type == kind]) for r in effect.recruitments]
                change = median / median[2] - 1
                told = ", ".join(
                    f"{100 * c:+.1f} % at {f:g}"
                    for c, f in zip(change, effect.factors, strict=True)
                )
                print(f"{name}, {kind}, {polarity}: median threshold {told}")


def motor_threshold() -> None:
    """A figure-8 over C3 and F3: what 60 A/us at threshold, or 50 % of the output, ask for."""
    from rheobase.fields.coils.placing import place_coil
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.dose import distance_adjusted, exposure, motor_threshold_dose
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.optimisation.target import region_target
    from rheobase.meshes.heads import build_head
    from rheobase.meshes.regions.region import ball

    head = build_head("mni152")
    assert head.cortex is not None
    tool = coil("magstim-70mm-figure8")
    coils = [
        replace(place_coil(tool, head, position=p, handle_angle_deg=45), name=p)
        for p in ("C3", "F3")
    ]
    basis = solve_induction(head, coils)
    depth, felt = {}, {}
    for k, name in enumerate(basis.names):
        away = np.linalg.norm(head.cortex.points(0.0) - head.position(name), axis=1)
        nearest = head.cortex.points(0.5)[away.argmin()]
        felt[name] = exposure(basis, np.eye(2)[k], region_target(head, ball(nearest, 0.01)))
        depth[name] = away.min()
        print(
            f"{name}: cortex {1e3 * depth[name]:.1f} mm deep, mean field "
            f"{1e6 * felt[name].statistic():.2f} V/m per A/us"
        )
    for statistic in ("mean", 99.0):
        dose = motor_threshold_dose(60e6, motor=felt["C3"], target=felt["F3"], statistic=statistic)
        print(
            f"60 A/us over C3 are {1e-6 * dose.amplitude:.1f} over F3, x {dose.factor:.2f}: "
            f"{dose.held}"
        )
    linear = distance_adjusted(50.0, motor=depth["C3"], target=depth["F3"])
    print(f"linear rule: 50 % become {linear:.1f} %, x {linear / 50:.2f}")


def ranking_on_ball() -> None:
    """All of 1,500 random montages of nine electrodes, 200 cells of the rat in a ball."""
    from rheobase.fields.electrodes.electrode import place_electrode
    from rheobase.fields.leadfield_solve import lead_field
    from rheobase.fields.waveforms.pulses import tms_pulse
    from rheobase.meshes.placing.outlines import Disc
    from rheobase.neurons.generate import generate_cell
    from rheobase.neurons.nearby import nearby
    from rheobase.neurons.objectives import objective
    from rheobase.neurons.placement import place_cells
    from rheobase.neurons.recruit import rank_stimuli, responses
    from rheobase.validation.leadfield import WHERE, ball

    head = ball(0.018)
    discs = [place_electrode(head, name, shape=Disc(radius_mm=10)) for name in WHERE]
    rng = np.random.default_rng(0)
    up = 0.4 * rng.standard_normal((200, 3)) + [0, 0, 1]
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    types = [generate_cell(name, "rat", seed=1) for name in ("L5_pyramidal", "L4_basket")]
    cells = place_cells(types, position=0.072 * up, normal=up, cell=np.arange(200) % 2, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        field = lead_field(head, Path(folder) / "ball.h5", discs, reference="Cz")
        near = nearby(cells, field)
    montages = rng.standard_normal((1500, len(field.names)))
    montages -= montages.mean(axis=1, keepdims=True)
    montages /= 0.5 * np.abs(montages).sum(axis=1, keepdims=True)  # 1 A in all
    for name, pulse in (("rectangle", PULSE), ("biphasic", tms_pulse("biphasic"))):
        felt = objective(cells, near, waveform=pulse)
        pair = field.currents({"C3": 1.0, "C4": -1.0})
        stimuli = 0.8 * np.median(felt.thresholds(pair).threshold[0]) * montages
        share = np.array([np.mean(responses(felt, s) >= 1) for s in stimuli])
        for first in (4, 8, 16, 24):
            found = rank_stimuli(felt, stimuli, first=first)
            above = found.share - share
            print(
                f"ball, {name}, {first} first and {len(found.checked)} checked of "
                f"{len(stimuli):,}: found {found.share[found.best]:.1%}, best {share.max():.1%}; "
                f"estimates off by {100 * above.min():+.1f} to {100 * above.max():+.1f} %"
            )


def ranking(path: Path) -> None:
    """Estimated and true share at 300 of all pairs, 1.2 times the median threshold of C3-Fp2."""
    from rheobase.fields.leadfield import load_lead_field
    from rheobase.meshes.heads import build_head
    from rheobase.neurons import place_in_sheet
    from rheobase.neurons.nearby import nearby
    from rheobase.neurons.objectives import objective
    from rheobase.neurons.recruit import rank_stimuli, responses

    head, field = build_head("mni152"), load_lead_field(path)
    assert head.cortex is not None
    middle = head.cortex.points(0.5)
    drawn = place_in_sheet(
        head.cortex,
        species="human",
        counts={"L5_pyramidal": 320},
        seed=1,
        centre=middle[np.linalg.norm(middle - head.position("C3"), axis=1).argmin()],
        radius=8e-3,
    )
    near = nearby(drawn, field)
    tet = near.locator.locate(drawn.position)[0]
    grey = head.mesh.labels[tet] == head.label_of("grey_matter")
    felt = objective(drawn.select(np.flatnonzero(grey)[:200]), near, waveform=PULSE)
    known = felt.thresholds(field.currents({"C3": 1.0, "Fp2": -1.0}))
    print(
        f"{len(known)} cells: {np.count_nonzero(known.outside)} reach into tissues not kept, "
        f"{np.count_nonzero(known.outside > 0.05)} by more than 5 %"
    )
    unit = np.eye(len(field.names))
    pairs = (unit[:, None] - unit)[~unit.astype(bool)] * 1.2 * np.nanmedian(known.threshold)
    found = rank_stimuli(felt, pairs)
    rest = np.setdiff1d(np.arange(len(pairs)), found.checked)
    some = np.random.default_rng(0).choice(rest, 300, replace=False)
    share = np.array([np.mean(responses(felt, pairs[i]) >= 1) for i in some])
    above = found.share[some] - share
    print(
        f"{len(pairs):,} pairs, {len(found.checked)} checked, best {found.share[found.best]:.1%}; "
        f"estimates of 300 others (true share up to {share.max():.1%}) off by "
        f"{100 * above.min():+.1f} to {100 * above.max():+.1f} % of the cells"
    )


def main(path: Path | None) -> None:
    """Print all of them, with CPU seconds."""
    work = [coverage, thickness, motor_threshold, ranking_on_ball]
    if path is not None:
        work.append(lambda: ranking(path))
    for part in work:
        start = time.process_time()
        part()
        print(f"  ({time.process_time() - start:.0f} CPU-s)", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
