"""j-Wave on the peers' case, after ``run_kwave.py``: ``run_jwave.py water|bone [--out FOLDER]``.

Compilation is timed apart: the same compiled function runs twice.
"""

from __future__ import annotations

from importlib.metadata import version

import jax
import numpy as np
from case import (
    LAYER,
    PRESSURE,
    SHAPE,
    STEP,
    STEPS,
    amplitude,
    arguments,
    materials,
    save,
    signal,
    timed,
)
from jax import numpy as jnp
from jaxdf import FourierSeries
from jwave.acoustics import simulate_wave_propagation
from jwave.acoustics.time_varying import TimeWavePropagationSettings
from jwave.geometry import Domain, Medium, TimeAxis

asked = arguments()
steps, wave = STEPS[asked.case], signal(asked.case)
domain = Domain(tuple(n + 2 * LAYER for n in SHAPE), (STEP,) * 3)
c, rho = (
    FourierSeries(jnp.asarray(v[..., None], jnp.float32), domain)
    for v in materials(asked.case, LAYER)
)
medium = Medium(domain, sound_speed=c, density=rho, attenuation=0.0, pml_size=LAYER)
weights = jnp.asarray(np.pad(np.load(asked.out / "weights.npy"), LAYER)[..., None])
inner = (slice(LAYER, -LAYER),) * 3


class Bowl:
    """The weighted signal, as j-Wave asks sources for it."""

    def on_grid(self, n: jax.Array) -> jax.Array:
        return weights * jnp.asarray(PRESSURE * wave, jnp.float32)[n.astype(jnp.int32)]


@jax.jit
def march() -> jax.Array:
    return simulate_wave_propagation(
        medium,
        TimeAxis(2e-6 / steps, (len(wave) - 0.5) * 2e-6 / steps),
        settings=TimeWavePropagationSettings(checkpoint=False),
        sources=Bowl(),
        sensors=lambda p, u, rho: p.on_grid[(*inner, 0)],
    )


_, first, _ = timed(lambda: march().block_until_ready())
result, cpu, wall = timed(lambda: march().block_until_ready())
save(
    asked.out,
    "jwave",
    asked.case,
    amplitude(np.asarray(result[-steps:])),
    version=f"j-Wave {version('jwave')}, JAX {version('jax')}",
    steps=len(result),
    cpu_seconds=cpu,
    wall_seconds=wall,
    compile_cpu_seconds=first - cpu,
)
