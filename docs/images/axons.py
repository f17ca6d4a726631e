"""Draw the picture of docs/axons.md: python docs/images/axons.py (about a minute)."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.response import unit_responses
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.meshes.leads.medium import uniform
from rheobase.neurons.fibres.mrg import mrg_axon
from rheobase.neurons.fibres.mrg_thresholds import mrg_run, mrg_thresholds
from rheobase.neurons.pathways.activation import pathway_model
from rheobase.neurons.pathways.bundle import bundle
from rheobase.neurons.pathways.placing import place_axons
from rheobase.neurons.pathways.sampled import sample_axons
from rheobase.validation.mrg import limit, neuron_conditions, point_source

BLUE, RED, GREY, GREEN = "#2f6690", "#c8553d", "#8a8a8a", "#3d7a52"
mpl.use("Agg")


def main() -> None:
    """Draw a spike, strength-duration curves, the linear rule, and a recruitment curve."""
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    spike, width, rule, curve = figure.subplots(2, 2).ravel()
    axon = mrg_axon(10e-6)
    x = axon.compartments(31)
    x -= 0.5 * x[-1]
    t, v = mrg_run(axon, -point_source(x, 1e-3), 100e-6, 0.121e-3, 1.3e-3)
    for k in range(15, 30, 2):
        spike.plot(1e3 * t, 1e3 * v[:, k], color=BLUE, alpha=1 - 0.05 * (k - 15))
    t, v = mrg_run(axon, -point_source(x, 1e-3), 100e-6, 0.119e-3, 1.3e-3)
    spike.plot(1e3 * t, 1e3 * v[:, 15], color=RED)
    spike.axvspan(0, 0.1, color=GREY, alpha=0.2, lw=0)
    spike.set(xlabel="time (ms)", ylabel="membrane potential of nodes (mV)")
    spike.set_title("10 µm axon, cathode at 1 mm: 121 µA (blue), 119 µA (red)", fontsize=10)

    found = [c for c in neuron_conditions() if c["name"].startswith("cathode")]
    for um, colour in ((5.7, RED), (10.0, BLUE), (16.0, GREEN)):
        axon = mrg_axon(um * 1e-6)
        x = axon.compartments(31)
        x -= 0.5 * x[-1]
        widths = np.geomspace(25e-6, 600e-6, 12)
        ours = [mrg_thresholds(axon, [-point_source(x, 1e-3)], w).amplitude[0] for w in widths]
        width.loglog(1e6 * widths, 1e3 * np.array(ours), color=colour, label=f"{um:g} µm")
        points = [c for c in found if c["diameter_um"] == um and c["name"].endswith(" 1 mm")]
        width.plot(
            [c["phases"][0][0][0] for c in points],
            [1e3 * limit(c) for c in points],
            "o",
            color=colour,
        )
    width.set(xlabel="pulse width (µs)", ylabel="threshold at 1 mm (mA)")
    width.set_xticks([30, 60, 100, 200, 500], ["30", "60", "100", "200", "500"])
    width.set_xticks([], minor=True)
    width.set_yticks([0.05, 0.1, 0.2, 0.4], ["0.05", "0.1", "0.2", "0.4"])
    width.set_yticks([], minor=True)
    width.legend(title="line: here, dots: NEURON", fontsize=9)

    lead = place_lead(lead_model("Medtronic 3389"), target=[0, 0, 0], direction=[0, 0, 1])
    response = unit_responses(lead, uniform(0.2), sphere_domain(0.04))
    via = [[2.0e-3, 1.5e-3, 4e-3]]
    lines = bundle(
        [3e-3, -0.018, -0.012], [2e-3, 0.014, 0.022], 300, via=via, spread=2.5e-3, seed=1
    )
    axons = place_axons(lines, 5.7e-6, name="bundle", compartments=True)
    sampled = sample_axons(axons, response, lead=lead, encapsulation=0.2e-3)
    pattern = [0.0, -1e-3, 0.0, 0.0]
    full = pathway_model(sampled, 60e-6, "mrg").activation(pattern, unit="mA")
    quick = pathway_model(sampled, 60e-6).activation(pattern, unit="mA")
    for k, (name, colour) in enumerate((("cathode", BLUE), ("anode", RED))):
        fires = np.isfinite(full.threshold[k])
        rule.loglog(
            full.threshold[k, fires], quick.threshold[k, fires], ".", color=colour, label=name
        )
    ends = np.array([0.3, 100])
    rule.plot(ends, ends, color=GREY, lw=0.8)
    rule.set(
        xlabel="threshold of the double cable (mA)", ylabel="threshold of the linear rule (mA)"
    )
    rule.legend(fontsize=9)
    amplitudes = np.linspace(0, 12, 241)
    for one, style in ((full, "-"), (quick, ":")):
        share = one.percent(amplitudes)
        for k, colour in enumerate((BLUE, RED)):
            curve.plot(amplitudes, share.values[k], style, color=colour)
    fates = ", ".join(f"{n} {name}" for name, n in full.fates.items() if n)
    curve.set(xlabel="amplitude (mA)", ylabel="activated (%)", ylim=(0, 101), xlim=(0, 12))
    curve.set_title(f"300 fibres past contact 2 of a 3389, 60 µs: {fates}", fontsize=10)
    curve.text(0.3, 92, "cathode (blue), anode (red); dots: linear rule", fontsize=9)
    figure.savefig(Path(__file__).with_name("axons.png"), dpi=110)


if __name__ == "__main__":
    main()
