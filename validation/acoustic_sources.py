"""Sources of ultrasound in water against closed forms and against each other."""

from __future__ import annotations

import numpy as np

from rheobase.fields.acoustics.focus import focus_metrics
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.plane import plane_source
from rheobase.fields.acoustics.rayleigh import back_propagate, pressure
from rheobase.fields.acoustics.steering import Conjugation, transfers
from rheobase.fields.acoustics.transducers.catalogue import transducer
from rheobase.validation.acoustic_closed_forms import (
    Layer,
    bowl_on_axis,
    disc_on_axis,
    point_source,
)
from rheobase.validation.case import Row

P0 = 60e3  # Pa
SPEED, DENSITY = 1500.0, 1000.0
LOSSES = {"water": 0.0, "lossy water": 23.025851}  # Np/m at 1 MHz: 1 dB/cm at 500 kHz
ONEIL = "O'Neil, J Acoust Soc Am 21:516 (1949)"


def on_axis() -> list[Row]:
    """Compare bowl and disc of the ITRUSST benchmark on their axis, without and with loss."""
    rows = []
    z = np.linspace(0.012, 0.12, 400)
    points = np.stack([0 * z, 0 * z, z], axis=1)
    for name, loss in LOSSES.items():
        fluid = Fluid(name=name, sound_speed=SPEED, density=DENSITY, attenuation=loss)
        for key in ("itrusst-sc1", "itrusst-sc2"):
            one = transducer(key)
            layer = Layer(*fluid.at(one.frequency))
            p0 = layer.source_pressure(P0 / fluid.impedance, one.frequency)
            k = layer.wavenumber(one.frequency)
            exact = (
                bowl_on_axis(z, radius=0.064, aperture=0.064, pressure=p0, k=k)
                if key == "itrusst-sc1"
                else disc_on_axis(z, radius=0.01, pressure=p0, k=k)
            )
            source = one.source(pressure=P0, fluid=fluid)
            P = pressure(source, points, frequency=one.frequency, fluid=fluid)
            rows.append(
                Row(
                    case="fus-rayleigh",
                    quantity=f"peak on the axis of {key} in {name}; error: largest difference of "
                    "complex pressures over the peak",
                    value=float(np.abs(P).max()),
                    reference=float(np.abs(exact).max()),
                    error=float(np.abs(P - exact).max() / np.abs(exact).max()),
                    limit=1e-9,
                    unit="Pa",
                    source=ONEIL,
                )
            )
    return rows


def focus() -> list[Row]:
    """Measure the bowl's focus on a lattice of half a millimetre."""
    fluid = Fluid(name="water", sound_speed=SPEED, density=DENSITY)
    one = transducer("itrusst-sc1")
    x, z = np.arange(-8, 9) * 5e-4, 0.04 + np.arange(105) * 5e-4
    points = np.stack(np.meshgrid(x, x, z, indexing="ij"), axis=-1).reshape(-1, 3)
    P = pressure(one.source(pressure=P0, fluid=fluid), points, frequency=one.frequency, fluid=fluid)
    found = focus_metrics(x, x, z, P.reshape(len(x), len(x), len(z)))
    fine = np.linspace(0.04, 0.09, 50_001)
    exact = np.abs(
        bowl_on_axis(
            fine,
            radius=0.064,
            aperture=0.064,
            pressure=P0,
            k=Layer(*fluid.at(one.frequency)).wavenumber(one.frequency),
        )
    )
    high = fine[exact >= 0.5 * exact.max()]
    top = float(fine[exact.argmax()])
    return [
        Row(
            case="fus-focus",
            quantity=f"{what} of itrusst-sc1 in water from a lattice of 0.5 mm",
            value=value,
            reference=reference,
            error=abs(value - reference) / scale,
            limit=limit,
            unit=unit,
            source=ONEIL,
        )
        for what, value, reference, scale, limit, unit in (
            ("peak pressure", found.peak, float(exact.max()), float(exact.max()), 1e-4, "Pa"),
            ("place of the peak (error in m)", float(found.position[2]), top, 1.0, 2e-5, "m"),
            ("-6 dB length", found.axial, float(np.ptp(high)), float(np.ptp(high)), 1e-3, "m"),
        )
    ]


def plane() -> list[Row]:
    """Compare a plane source with the bowl, and back-propagation with its adjoint."""
    fluid = Fluid(name="water", sound_speed=SPEED, density=DENSITY)
    one = transducer("itrusst-sc1")
    source = one.source(velocity=1.0, fluid=fluid)
    target = np.array([0.001, -0.002, 0.062])
    made = plane_source(source, 0.02, half_width=0.045, frequency=one.frequency, fluid=fluid)
    direct = pressure(source, target, frequency=one.frequency, fluid=fluid)[0]
    again = pressure(made.source, target, frequency=one.frequency, fluid=fluid)[0]
    screen = np.exp(1j * np.sin(500 * made.source.points[:, 0]))
    there = pressure(
        made.source.driven(screen * made.source.velocity),
        target,
        frequency=one.frequency,
        fluid=fluid,
    )[0]
    r = np.linalg.norm(made.source.points - target, axis=1)
    p = screen * point_source(
        r, flow=1e-6, layer=Layer(*fluid.at(one.frequency)), frequency=one.frequency
    )
    back = back_propagate(made.source, p, source.points, frequency=one.frequency, fluid=fluid)
    gain = Conjugation(transfers(source, back, flow=1e-6)).gain
    return [
        Row(
            case="fus-plane-source",
            quantity=what,
            value=value,
            reference=reference,
            error=error,
            limit=limit,
            unit="Pa per m/s",
            source=origin,
        )
        for what, value, reference, error, limit, origin in (
            (
                "itrusst-sc1 near its focus, radiated again from a plane of 90 mm at 20 mm",
                abs(again),
                abs(direct),
                abs(again - direct) / abs(direct),
                1e-3,
                "Rayleigh integral over the bowl itself",
            ),
            (
                "transfer to the target through a phase screen on that plane, by reciprocity",
                gain,
                abs(there),
                abs(gain / abs(there) - 1),
                1e-9,
                "the way forward through the same screen",
            ),
        )
    ]
