"""
A session in 3-D: look at a result, peel it, cut it, ask it
===========================================================

The session of someone who wants to *see*: a study is run, its scene is drawn from any side,
tissues come off, slices are cut, a point is asked what is there. Everything here is a call or two;
``rheobase view`` does the same with the mouse.
"""

from pathlib import Path

import numpy as np

import rheobase
from rheobase.scenes import VIEWS, picture, slices

# %%
# A result to look at
# -------------------
# The shipped study of a coil over the hand area, up to the cells. Every study leaves a folder;
# ``open_result`` reads it again without computing, now or next year. (On the command line:
# ``rheobase run tms_motor --out out/tms``.)

out = Path("out")
study = rheobase.load_study(
    "tms_motor",
    change={"cells.types": ["L5_pyramidal"], "cells.placements": 60},
    without=("network",),
    name="scene",
)
study.run(out / "tms")
result = rheobase.open_result(out / "tms")
print(*(f.relative_to(result.out) for f in result.files), sep="\n")

# %%
# What is in the scene
# --------------------
# A scene is a list of layers with their values and units: one description for pictures, report,
# window, notebook and browser.

scene = result.scene()
for layer in scene.layers:
    what = layer.quantities[layer.shown].label if layer.shown else ""
    state = "" if layer.visible else "hidden"
    print(f"{layer.name:24s} {layer.kind:8s} {layer.group:8s} {state:7s} {what}")

# %%
# Pictures
# --------
# ``picture`` draws off screen, in a process of its own. Where there is no OpenGL it returns False
# and draws nothing; the rest of this page still runs.

shown = out / "shown"
shown.mkdir(parents=True, exist_ok=True)


def show(what, name, **how):
    """Draw a scene for this page."""
    if not picture(what, shown / f"{name}.png", size=(1000, 780), **how):
        print(f"no picture of {name}: there is no off-screen OpenGL here")


show(scene, "1_whole")

# %%
# From above, and peeled: layers are switched on and off by name. The arrows are the direction of
# the field, which runs under the middle of the coil and back in two wide arcs.

show(scene, "2_top", view="top")
peeled = scene.without("scalp", "coil").with_layers(scene["arrows"].but(visible=True))
show(peeled, "3_peeled", view=(-1.0, 0.2, 1.0))

# %%
# Linked slices
# -------------
# Three planes through a point; the caption says what is there: coordinates in the head and in MNI
# space, tissue, value and unit.

cut = slices(scene)
print(cut.words)
figure = cut.figure()
figure.savefig(shown / "4_slices.png", dpi=110)

# %%
# Somewhere else, in one tissue only:

volume = cut.volume
lower = slices(scene, at=cut.point - np.array([0.0, 0.0, 0.02]))
print(lower.words)

# %%
# Asking a point, against the field itself
# ----------------------------------------
# The voxels of a scene are for looking. They are sampled from the field that the study wrote, and
# must say what it says, up to their size. In a quiet place (here the middle of the white matter 20
# mm below) the two agree:

mesh = result.field()
print("arrays of the field:", *mesh.array_names)
assert np.isfinite(cut.value)
assert cut.value > lower.value > 0  # the field of a coil falls inwards: no coil focuses in depth

# %%
# That it falls is a theorem: in a uniform conductor the largest field of any coil is on its
# surface (Heller & van Hulsteyn 1992).
#
# In a window, a notebook, a browser
# ----------------------------------
# .. code-block:: python
#
#    result.plot()                # a picture; in a notebook the page below, in its cell
#    result.plot(window=True)     # a window on this desktop
#    result.plot("picture.png", view="left")
#
# .. code-block:: console
#
#    $ rheobase view out/tms
#
# opens a page served by your own computer: peel tissues, clip, change opacity, move slices, pick
# points, and put an electrode or a coil somewhere else with the mouse; the field is solved for
# again, or follows at once when the lead field (electrodes) or the modes of the head (coils) have
# been prepared there. ``--screenshot picture.png`` draws it and stops.

print("named views:", *VIEWS)
