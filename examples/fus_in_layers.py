# ruff: noqa: T201 (an example prints)
"""Sound of a bowl through bone: steady focus, a pulse in time, and the force of the sound.

    python examples/fus_in_layers.py [PICTURE.png]

No head: a flat skull between water and brain. The last part is a hypothesis: what a force of this
size does to a neuron is not known.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.focus import focus_metrics
from rheobase.fields.acoustics.media import WATER, LayeredMedium, Plane, fluid_of
from rheobase.fields.acoustics.rayleigh import pressure
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.field import PressureField
from rheobase.fields.acoustics.wave.pulse import PulseField, solve_pulse, tone_burst
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import acoustic_window
from rheobase.neurons.sonic.force import radiation_force, steady_displacement
from rheobase.views import COLOURS, new_figure

FREQUENCY = 500e3
RADIUS, APERTURE = 24e-3, 20e-3  # m, of the bowl
VELOCITY = 0.1  # m/s, of its face
OUTER, INNER = 10e-3, 14e-3  # m, faces of the skull
HALF_WIDTH, DEPTH = 11e-3, (0.0, 36e-3)  # m, of the window
CYCLES = 10.0  # of the pulse, half of them rising
AFTER = 60e-6  # s, that the pulse is followed for
VOXEL = 1e-3  # m, of pieces of brain that take up the force
SHEAR_MODULUS = 1e3  # Pa, chosen: no measurement of tissue at rest

Floats = NDArray[np.float64]


def main(out: str = "fus_in_layers.png", per_wavelength: float = 7.0) -> dict[str, Any]:
    """Solve, print the numbers, draw; return them."""
    brain = fluid_of("grey_matter")
    medium = LayeredMedium((WATER, fluid_of("skull"), brain), (Plane(OUTER), Plane(INNER)))
    window = acoustic_window(
        medium, FREQUENCY, half_width=HALF_WIDTH, depth=DEPTH, per_wavelength=per_wavelength
    )
    device = bowl(curvature_radius=RADIUS, aperture=APERTURE, frequency=FREQUENCY)
    source = device.source(velocity=VELOCITY, per_wavelength=12)
    field = solve_pressure(window, source)

    z = np.arange(INNER + 0.5e-3, DEPTH[1], 0.5e-3)
    x = np.arange(-20, 21) * 0.5e-3
    focus = focus_metrics(x, x, z, field.on_lattice(x, x, z), allow_cut=True)
    deep = np.arange(4e-3, DEPTH[1], 0.1e-3)
    axis = np.column_stack([0 * deep, 0 * deep, deep])
    water = np.abs(pressure(source, axis, frequency=FREQUENCY, fluid=WATER))
    print(f"in water {1e-3 * water.max():.0f} kPa at {1e3 * deep[water.argmax()]:.1f} mm")
    print(f"behind bone {1e-3 * focus.peak:.0f} kPa at {1e3 * focus.position[2]:.1f} mm")

    pulse = solve_pulse(
        window, source, tone_burst(FREQUENCY, CYCLES), duration=AFTER, points=focus.position[None]
    )
    trace = pulse.traces[0]
    most = float(np.abs(trace).max())
    print(f"pulse of {CYCLES:g} cycles: {most / focus.peak:.2f} of the steady pressure there")

    moved, force = displaced(field, axis, brain.sound_speed)
    most_moved = 1e6 * moved[deep > INNER].max()
    print(f"force in the brain {1e6 * force:.0f} µN, along the beam; a hypothesis:")
    print(f"steady displacement up to {most_moved:.2f} µm at {SHEAR_MODULUS / 1e3:g} kPa")
    draw(field, pulse, deep, water, moved, out)
    return {
        "water": water.max(),
        "focus": focus,
        "pulse": most,
        "force": force,
        "displacement": moved,
        "depth": deep,
    }


def displaced(field: PressureField, points: Floats, sound_speed: float) -> tuple[Floats, float]:
    """Return the displacement along the beam (m) at points of it, and the force in all (N).

    Absorbed power is gathered in cubes of brain: one force in the middle of each, along the
    intensity there.
    """
    nodes, power = field.heat_nodes()
    deep = nodes[:, 2] > INNER
    cell, which = np.unique(np.floor(nodes[deep] / VOXEL).astype(int), axis=0, return_inverse=True)
    taken = np.bincount(which.ravel(), power[deep])
    middle = (cell + 0.5) * VOXEL
    way = field.intensity(middle)
    inside = np.isfinite(way).all(axis=1)
    forces = radiation_force(taken[inside], way[inside], sound_speed)
    found = steady_displacement(
        points,
        sources=middle[inside],
        forces=forces,
        volumes=np.full(len(forces), VOXEL**3),
        shear_modulus=SHEAR_MODULUS,
    )
    along: Floats = np.where(points[:, 2] > INNER, found.values[:, 2], np.nan)
    return along, float(forces[:, 2].sum())


def draw(
    field: PressureField, pulse: PulseField, deep: Floats, water: Floats, moved: Floats, out: str
) -> None:
    """Draw a plane of the field, the axis, the pulse at the focus and the displacement."""
    figure = new_figure(15.0, 3.9)
    plane, line, time, shift = figure.subplots(1, 4, width_ratios=(0.85, 1, 1, 1))
    x = np.linspace(-0.99, 0.99, 181) * HALF_WIDTH
    z = np.linspace(0.5e-3, DEPTH[1] - 0.5e-3, 281)
    A = 1e-3 * np.abs(field.on_lattice(x, [0.0], z)[:, 0])
    shown = plane.pcolormesh(1e3 * x, 1e3 * z, A.T, cmap="inferno", shading="gouraud")
    plane.set(xlabel="across the beam, x (mm)", ylabel="depth (mm)", aspect="equal")
    plane.set_title("steady", fontsize=10)
    figure.colorbar(shown, ax=plane, label="pressure amplitude (kPa)")
    axis = np.column_stack([0 * deep, 0 * deep, deep])
    line.plot(1e3 * deep, 1e-3 * water, color=COLOURS[0], label="in water")
    line.plot(1e3 * deep, 1e-3 * np.abs(field.sample(axis)), color=COLOURS[1], label="with bone")
    line.set(xlabel="depth on the axis (mm)", ylabel="pressure amplitude (kPa)", ylim=0)
    line.legend(frameon=False, loc="upper right", fontsize=8)
    time.plot(1e6 * pulse.times, 1e-3 * pulse.traces[0], color=COLOURS[1], lw=1)
    time.set(xlabel="time (µs)", ylabel="pressure at the focus (kPa)")
    time.set_title(f"pulse of {CYCLES:g} cycles", fontsize=10)
    shift.plot(1e3 * deep, 1e6 * moved, color=COLOURS[2])
    shift.set(xlabel="depth on the axis (mm)", ylabel="displacement along the beam (µm)", ylim=0)
    shift.set_title("hypothesis: radiation force, steady", fontsize=10)
    for panel in (plane, line, shift):
        draw_line = panel.axhline if panel is plane else panel.axvline
        for face in (OUTER, INNER):
            draw_line(1e3 * face, color="0.6", lw=0.8, ls="--")
    for panel in (line, time, shift):
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:2])
