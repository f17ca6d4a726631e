"""Draw the picture of docs/waveforms.md: python docs/images/waveforms.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rheobase.fields.waveforms.pulses import load_pulses, tms_pulse
from rheobase.fields.waveforms.shapes import ramped, rectangular, two_carriers

mpl.use("Agg")
FIELD, CURRENT = "#204080", "#c05020"


def main() -> None:
    """Draw pulses with the coil's current, and currents through electrodes."""
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    axes = figure.subplots(2, 4)
    for ax, name in zip(axes[0], load_pulses(), strict=True):
        pulse = tms_pulse(name)
        ends = [pulse.t[0] - 4e-5, pulse.t[0]]
        t = np.concatenate([ends, pulse.t, [pulse.t[-1], pulse.t[-1] + 4e-5]])
        ax.plot(1e6 * t, np.concatenate([[0, 0], pulse.w, [0, 0]]), color=FIELD)
        current = pulse.integrated()
        rest = np.concatenate([[0, 0], current.w, [current.w[-1]] * 2])
        ax.plot(1e6 * t, rest, color=CURRENT, ls="--")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("time (µs)")
    axes[0, 3].legend(["dI/dt (and -E)", "coil current I"], fontsize=8, loc="upper right")
    pulse = rectangular(200e-6)
    axes[1, 0].plot(1e6 * pulse.t, pulse.w, color=FIELD)
    axes[1, 0].set_title("rectangular", fontsize=10)
    axes[1, 0].set_xlabel("time (µs)")
    direct, alternating = ramped(20.0, ramp=5.0), ramped(20.0, ramp=5.0, frequency=1.0)
    for ax, waveform, title in (
        (axes[1, 1], direct, "direct, ramped"),
        (axes[1, 2], alternating, "alternating at 1 Hz, ramped"),
    ):
        ax.plot(waveform.t, waveform.w, color=FIELD)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("time (s)")
    first, second = two_carriers((2000.0, 2100.0), beats=2.0)
    axes[1, 3].plot(1e3 * first.t, 0.5 * (first.w + second.w), color=FIELD, lw=0.6)
    axes[1, 3].set_title("2000 and 2100 Hz, added", fontsize=10)
    axes[1, 3].set_xlabel("time (ms)")
    for ax in axes.ravel():
        ax.axhline(0, color="#00000040", lw=0.6)
        ax.set_ylim(-1.12, 1.12)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
