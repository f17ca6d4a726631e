"""
A parameter study: species, settings, and a run that was killed
===============================================================

The study of someone who wants the same stimulus on many cells, heads or settings. One function
over a grid, then a study file over its keys; what is finished stays finished, and what fails says
why and stops nothing else.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from rheobase.neurons import generate_cell, polarisation_length
from rheobase.sweeps.study import load_sweep
from rheobase.sweeps.sweep import sweep

out = Path("out")

# %%
# One function over a grid
# ------------------------
# How many millivolts does 1 V/m along the column move the soma of a cell? A function of species,
# type and frequency; the sweep gives labelled arrays.


def length_of(species, kind, frequency):
    """Return the polarisation length of a soma (mm: mV per V/m)."""
    cell = generate_cell(kind, species, seed=1)
    found = polarisation_length([cell], frequency=frequency, azimuths=4)
    soma = found.amplitude.sel(site="soma", statistic="largest")
    return {"length": 1e3 * float(np.abs(soma).mean())}


axes = {
    "species": ["mouse", "rat", "human"],
    "kind": ["L23_pyramidal", "L5_pyramidal", "L4_basket"],
    "frequency": [0.0, 10.0, 100.0, 1000.0],
}
found = sweep(length_of, axes, out=out / "lengths")
print(found.length.sel(frequency=0.0).to_pandas().round(3))

# %%
# Against theory
# --------------
# A membrane is a low-pass filter: at 1 kHz little is left of a steady shift. And large cells are
# moved more than small ones of their kind: the shift of an end is the field times the shorter of
# the cable's length constant and its own length. (Somata of round basket cells sit near the middle
# of their tree and hardly move at all: what is left there is no rule.)

pyramidal = found.length.sel(kind="L5_pyramidal")
falls = pyramidal.sel(frequency=1000.0) / pyramidal.sel(frequency=0.0)
print(falls.rename("left of it at 1 kHz").to_pandas().round(2))
assert (falls < 0.5).all()
steady = pyramidal.sel(frequency=0.0)
assert steady.sel(species="human") > steady.sel(species="rat") > steady.sel(species="mouse")

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for species in axes["species"]:
    ax.plot(
        axes["frequency"][1:],
        pyramidal.sel(species=species)[1:],
        "o-",
        label=species,
    )
ax.set(xscale="log", xlabel="frequency (Hz)", ylabel="L5 pyramidal soma, mV per V/m", ylim=0)
ax.legend()
plt.show()

# %%
# A study file over its keys
# --------------------------
# Any study can be swept: the file names it, dotted keys are the axes, and ``[outputs]`` says which
# numbers are kept. Heads, matrices and fields that points share are made once.

(out / "ball.toml").write_text("""
title = "A coil over a sphere"

[head]
name = "sphere"
edge_length_mm = 4.5

[device]
kind = "tms"
coil = "magstim-70mm-figure8"
position = "C3"
handle_angle_deg = 0.0
""")
(out / "angles.toml").write_text("""
title = "How the field turns with the coil"
study = "ball.toml"

[axes]
"device.handle_angle_deg" = [0.0, 90.0, 180.0]
"device.distance_mm" = [4.0, 12.0]

[outputs]
places = ["grey_matter"]
statistics = ["mean", "p99"]
""")

# %%
# From the command line this is ``rheobase sweep angles.toml``, with ``--jobs 4`` for four
# processes and ``--dask`` for a cluster. Here the first two points are worked out, as if the run
# had been killed then; the second call does the other four and keeps those.

study = load_sweep(out / "angles.toml")
part = study.work_out(out / "angles", chosen=range(2))
print("still to do:", int((part.error == "not run").sum()))
whole = study.work_out(out / "angles")
assert (whole.error == "").all()
print(whole)

# %%
# Against theory
# --------------
# Turning a coil by half a turn turns the field's sign, nothing else, and any figure-of-eight loses
# field with distance:

strength = whole.E
turned = strength.sel({"device.handle_angle_deg": 180.0}) / strength.sel(
    {"device.handle_angle_deg": 0.0}
)
print("half a turn:", np.round(turned.values.ravel(), 3))
assert np.allclose(turned, 1.0, atol=0.03)  # the mesh is not symmetric
assert (
    strength.sel({"device.distance_mm": 12.0}) < strength.sel({"device.distance_mm": 4.0})
).all()

# %%
# What a point said when it failed
# --------------------------------
# A point that cannot be computed keeps its sentence, and the others go on.


def fragile(x):
    """Return the square root of a number that is not negative."""
    if x < 0:
        raise ValueError(f"expected x >= 0, got {x}")
    return {"root": x**0.5}


mixed = sweep(fragile, {"x": [4.0, -1.0, 9.0]}, out=out / "fragile")
print(mixed.to_dataframe())
assert mixed.root.sel(x=9.0) == 3.0
assert "expected x >= 0" in str(mixed.error.sel(x=-1.0).values)
