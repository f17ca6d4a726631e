"""Measure and draw what docs/dbs_volumes.md shows: python docs/images/dbs_volumes.py."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.response import LeadResponse, unit_responses
from rheobase.fields.dbs.solution.system import Encapsulation
from rheobase.fields.dbs.steering.dosing import Search, search, therapeutic_window
from rheobase.fields.dbs.steering.goals import Goal, shares
from rheobase.fields.dbs.steering.steer import Steering, steer
from rheobase.fields.dbs.steering.strength_duration import field_strength_duration
from rheobase.fields.dbs.steering.uncertainty import LeadSample, LeadSamples, sample_quantities
from rheobase.fields.dbs.volumes.activated import (
    FieldCriterion,
    SampledLead,
    activated,
    sample_lead,
)
from rheobase.fields.dbs.volumes.thresholds import field_threshold
from rheobase.fields.dbs.volumes.zones import Zone, ball_zone, overlap
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.uncertainty.distributions import normal, uniform
from rheobase.fields.uncertainty.inputs import (
    Conductivity,
    EncapsulationThickness,
    Inputs,
    LeadShift,
)
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.leads.medium import uniform as uniform_medium

mpl.use("Agg")
HERE = Path(__file__).parent
TARGET, SPARED, DARK = "#3d7a52", "#c8553d", "#30343c"
WIDTH, DIAMETER = 60e-6, 3.5e-6
FIELD = FieldCriterion(threshold=field_threshold(WIDTH, DIAMETER).value)
SAMPLES = 32


def timed[T](what: str, work: Callable[[], T]) -> T:
    """Run ``work`` and print its CPU time."""
    start = time.process_time()
    found = work()
    print(f"{what}: {time.process_time() - start:.2f} CPU-s")  # noqa: T201
    return found


def main() -> None:
    """Check case A, then dose a directional lead and ask how sure that is."""
    case_a()
    lead = place_lead(
        lead_model("Medtronic SenSight B33005"), target=(0, 0, 0), direction=(0, 0, 1), contact=3
    )
    centre = lead.to_head([[0.0, 0.0, lead.model.contact(3).middle[1]]])[0]
    front = lead.contact_centre("2") - centre
    front /= np.linalg.norm(front)
    target = ball_zone(centre + 2.4e-3 * front + [0, 0, 5e-4], 1.6e-3, name="target")
    spared = ball_zone(centre - 2.8e-3 * front, 1.8e-3, name="spared")
    response = timed("eight unit responses", lambda: solved(lead, 0.2, 0.2e-3, 1.0))
    sampled = timed("field at the cells", lambda: sample_lead(response))
    around = ball_zone(centre, 6e-3)
    rest = Zone(
        name="all else within 6 mm",
        inside=lambda x: around.inside(x) & ~target.inside(x),
        volume=around.volume - target.volume,
    )
    goals = [
        Goal(of=target),
        Goal(of=spared, weight=-1.0, at_most=0.05),
        Goal(of=rest, weight=-2.0),
    ]
    found = timed(
        "search",
        lambda: search(sampled, goals, Limits(total=6e-3, each=4e-3), criterion=FIELD),
    )
    print(found.considered, found.rows(3))  # noqa: T201
    assert found.steering is not None
    print([overlap(activated(found.steering, FIELD, sampled), z) for z in (target, spared)])  # noqa: T201
    print(found.steering.safety(WIDTH).over() or "no limit of charge is passed")  # noqa: T201
    figure = Figure(figsize=(11.0, 8.2), layout="constrained")
    (plane, curves), (duration, spread) = figure.subplots(2, 2)
    draw_plane(plane, sampled, found.steering, front, (target, spared))
    draw_curves(curves, sampled, found, (target, spared))
    draw_duration(duration, found.best.amplitude)
    samples = timed(
        f"{SAMPLES} samples", lambda: sampled_leads(lead, found.steering, target, spared)
    )
    draw_spread(spread, samples)
    figure.savefig(HERE / "dbs_volumes.png", dpi=110)


def case_a() -> None:
    """Print volumes of a 3389 in a sphere beside those of an independent solution."""
    lead = Lead(model=lead_model("Medtronic 3389"), tip=np.zeros(3), direction=np.array([0, 0, 1]))
    response = unit_responses(
        lead,
        uniform_medium(0.2),
        sphere_domain(0.04, (0, 0, 4.25e-3)),
        insulated=("1", "3", "4"),
    )
    sampled = sample_lead(response)
    criterion = FieldCriterion(threshold=200.0)
    settings = {f"{k} mA": (steer(response, {2: k * 1e-3}), v) for k, v in KNOWN.items()}
    settings["1 V"] = steer(response, voltages={2: 1.0}), 25.734
    for name, (setting, known) in settings.items():
        start = time.process_time()
        volume = 1e9 * activated(setting, criterion, sampled).volume
        spent = 1e3 * (time.process_time() - start)
        error = 100 * (volume / known - 1)
        print(f"case A {name}: {volume:.3f} mm3, {error:+.2f} %, {spent:.0f} ms")  # noqa: T201


KNOWN = {1: 10.133, 2: 31.04, 3: 58.32}


def solved(lead: Lead, sigma: float, layer: float, resolution: float) -> LeadResponse:
    """Return the unit responses of a lead in a large sphere."""
    return unit_responses(
        lead,
        uniform_medium(sigma),
        sphere_domain(0.06),
        encapsulation=Encapsulation(thickness=layer, tissue=0.07),
        resolution=resolution,
    )


def sampled_leads(lead: Lead, setting: Steering, target: Zone, spared: Zone) -> LeadSamples:
    """Return shares and volume of one setting for random places, tissue and encapsulation."""
    names = setting.names
    currents = {n: c for n, c in zip(names, setting.currents.tolist(), strict=True) if c}

    def numbers(sample: LeadSample) -> dict[str, float]:
        assert sample.encapsulation is not None
        response = solved(sample.lead, sample.sigma["tissue"], sample.encapsulation, 0.6)
        found = activated(steer(response, currents), FIELD)
        reached, hit = (overlap(found, zone).share for zone in (target, spared))
        return {"target": reached, "spared": hit, "volume_mm3": 1e9 * found.volume}

    inputs = Inputs(
        [
            *(LeadShift(axis=axis, distribution=normal(0.0, 0.5)) for axis in ("x", "y", "z")),
            LeadShift(axis="turn", distribution=normal(0.0, 15.0)),
            Conductivity(tissue="tissue", distribution=uniform(0.15, 0.3)),
            EncapsulationThickness(distribution=uniform(0.05, 0.4)),
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        return sample_quantities(numbers, lead, inputs, Path(folder) / "s.h5", n=SAMPLES)


def draw_plane(
    ax: Axes, sampled: SampledLead, setting: Steering, front: np.ndarray, zones: tuple[Zone, ...]
) -> None:
    """Draw the field in the plane of the axis and the front contact."""
    lead = sampled.lattice.lead
    middle = lead.to_head([[0.0, 0.0, lead.model.contact(3).middle[1]]])[0]
    across, up = np.meshgrid(np.linspace(-7e-3, 7e-3, 281), np.linspace(-6e-3, 6e-3, 241))
    points = middle + across[..., None] * front + up[..., None] * lead.direction
    flat = points.reshape(-1, 3)
    E = np.linalg.norm(setting.field(flat), axis=1)
    E[lead.outside(flat) < 0] = np.nan
    shown = np.log10(E).reshape(across.shape)
    mm = 1e3 * across, 1e3 * up
    image = ax.pcolormesh(*mm, shown, cmap="viridis", vmin=1, vmax=3.3, shading="auto")
    assert ax.figure is not None
    ax.figure.colorbar(image, ax=ax, label="log10 |E| (V/m)")
    ax.contour(*mm, shown, levels=[np.log10(FIELD.threshold)], colors="white", linewidths=2)
    for zone, colour in zip(zones, (TARGET, SPARED), strict=True):
        inside = np.asarray(zone.inside(flat), dtype=float).reshape(across.shape)
        ax.contour(*mm, inside, levels=[0.5], colors=colour, linewidths=2.5)
    for contact in lead.model.contacts:
        places = lead.surface(np.linspace(*contact.z, 30), contact.middle[0]) - middle
        sides = (-1.0, 1.0) if contact.theta is None else (1.0,)
        if contact.theta is None or places[0] @ front > 0.9 * lead.model.radius:
            for side in sides:
                x = side * np.full(30, 1e3 * lead.model.radius)
                ax.plot(x, 1e3 * (places @ lead.direction), color="#f0c040", lw=3)
    ax.set(
        aspect="equal",
        xlabel="mm",
        ylabel="mm",
        title="white: border of the volume; green: target, red: spared",
    )


def draw_curves(ax: Axes, sampled: SampledLead, found: Search, zones: tuple[Zone, Zone]) -> None:
    """Draw the shares of both zones over the amplitude, and the window."""
    assert found.steering is not None
    amplitudes = np.linspace(0, 6e-3, 61)
    factors = amplitudes / found.best.amplitude
    target, spared = (
        shares(zone, found.steering, factors, criterion=FIELD, sampled=sampled) for zone in zones
    )
    window = therapeutic_window(amplitudes, target, spared, gain=0.5, side_effect=0.05)
    print(window)  # noqa: T201
    ax.axvspan(1e3 * window.gain, 1e3 * min(window.side_effect, 6e-3), color="#e8e4d8")
    ax.plot(1e3 * amplitudes, 100 * target, color=TARGET, lw=2, label="target")
    ax.plot(1e3 * amplitudes, 100 * spared, color=SPARED, lw=2, label="spared")
    ax.axvline(1e3 * found.best.amplitude, color=DARK, ls="--", lw=1, label="best amplitude")
    ax.set(xlabel="mA", ylabel="activated share (%)", title="therapeutic window", ylim=(0, 100))
    ax.legend(frameon=False)


def draw_duration(ax: Axes, amplitude: float) -> None:
    """Draw the amplitude with the same volume over the pulse width."""
    for diameter, colour in ((2.5e-6, SPARED), (3.5e-6, DARK), (5e-6, TARGET)):
        line = field_strength_duration(amplitude, FIELD.threshold, diameter)
        print(diameter, line.as_dict())  # noqa: T201
        at = np.linspace(25e-6, 130e-6, 100)
        told = f"{1e6 * diameter:g} um, chronaxie {1e6 * line.chronaxie:.0f} us"
        ax.plot(1e6 * at, 1e3 * line(at), color=colour, lw=1.5, label=told)
        ax.plot(1e6 * line.widths, 1e3 * line.currents, "o", color=colour)
    ax.set(
        xlabel="pulse width (us)",
        ylabel="mA",
        title="amplitude that reaches as far",
        ylim=(0, None),
    )
    ax.legend(frameon=False)


def draw_spread(ax: Axes, samples: LeadSamples) -> None:
    """Draw what the spread of the share of the target comes from."""
    rows = {row["quantity"]: row for row in samples.rows()}
    for row in rows.values():
        print(row)  # noqa: T201
    total = rows["target"]["total"]
    ax.barh(list(total), list(total.values()), color=TARGET)
    said = ", ".join(
        f"{name} {100 * rows[name]['q05']:.0f} to {100 * rows[name]['q95']:.0f} %"
        for name in ("target", "spared")
    )
    ax.set(
        xlabel="total Sobol index of the share of the target",
        title=f"5th to 95th percentile:\n{said}",
    )


if __name__ == "__main__":
    main()
