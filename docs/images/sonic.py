"""Draw docs/images/sonic.png: effective potential, thresholds by duty cycle, rates by pressure."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.sonic import effective_table, respond, sonic_cell, threshold_curve
from rheobase.validation.sonic import LOG

CELLS = {"RS": "tab:blue", "FS": "tab:red", "LTS": "tab:green"}
NAMES = {"RS": "regular spiking", "FS": "fast spiking", "LTS": "low-threshold"}


def train(duty: float) -> Sonication:
    """Return a second of 500 kHz in pulses at 100 Hz."""
    return Sonication.at_rate(500e3, pulse_rate=100, duty_cycle=duty, train_duration=1.0)


fig, (front, duty, rate) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")

table = effective_table("LTS", frequency=500e3)
A = np.linspace(10e3, 45e3, 300)
known = np.geomspace(100, 600e3, 50)
known = known[(known > 9.5e3) & (known < 47e3)]
for k, Q in enumerate((-60e-5, -54e-5, -45e-5, -30e-5)):
    colour = plt.colormaps["viridis"](k / 3.5)
    rest = Q / sonic_cell("LTS").capacitance
    for x, style in ((A, "-"), (known, "o--")):
        V = np.array([table.at(a, np.array([Q]))[0][0] for a in x]) - rest
        label = f"{Q * 1e5:.0f} nC/cm²" if style == "-" else None
        front.plot(x / 1e3, 1e3 * V, style, color=colour, label=label, lw=1, ms=3)
front.set(xlabel="peak pressure (kPa)", ylabel="effective potential less Q/C (mV)")
front.set_title("low-threshold cell; dots: amplitudes of PySONIC")
front.legend(title="charge", fontsize=8)

duties = np.array([0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
for cell, colour in CELLS.items():
    curve = threshold_curve(cell, [train(d) for d in duties.tolist()])
    duty.loglog(100 * duties, curve.pressure / 1e3, color=colour, label=NAMES[cell])
    log = LOG.get(cell, {})
    duty.plot([100 * d for d in log], [p / 1e3 for p in log.values()], "x", color=colour)
duty.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
duty.set_yticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
duty.minorticks_off()
duty.set(xlabel="duty cycle (%)", ylabel="threshold pressure (kPa)")
duty.set_title("1 s at 500 kHz, 100 Hz; crosses: PySONIC's log")
duty.legend(fontsize=8)

p = np.geomspace(15e3, 600e3, 60)
for cell, colour in CELLS.items():
    table = effective_table(cell, frequency=500e3)
    for d, style in ((1.0, "-"), (0.5, "--"), (0.05, ":")):
        spikes = [respond(table, train(d), a).rate for a in p.tolist()]
        rate.semilogx(p / 1e3, spikes, style, color=colour)
for style, text in (("-", "continuous"), ("--", "50 %"), (":", "5 %")):
    rate.plot([], [], style, color="k", label=text)
rate.set(xlabel="peak pressure (kPa)", ylabel="spikes per second", yscale="symlog")
rate.set_xticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
rate.minorticks_off()
rate.set_title("mean rate in 1 s")
rate.legend(fontsize=8)

fig.savefig(Path(__file__).with_name("sonic.png"), dpi=110)
