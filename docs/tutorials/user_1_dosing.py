"""
A dosing script: from a target to a montage, a current and its limits
=====================================================================

The script of someone who has a target and a stimulator: which electrodes, how much current through
each, what it does to the rest of the brain, and what it costs to keep to few electrodes.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields import lead_field
from rheobase.fields.optimisation.energy import off_target_energy
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import region_target, rows
from rheobase.fields.optimisation.tes import focal, max_intensity
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball

# %%
# The target
# ----------
# The left dorsolateral prefrontal cortex, as a ball of 10 mm in MNI space. What is to be large is
# the field *into* the cortex, which is what an anode gives.

head = build_head("mni152")
region = ball((-0.038, 0.044, 0.026), 0.010, space="MNI", name="left DLPFC")
target = region_target(head, region).along_columns(head)

# %%
# Every electrode once
# --------------------
# A lead field holds the field of 1 A through each electrode. From there every montage is a sum:
# ``C`` is what a milliampere of each electrode does to the target, ``Q`` what currents do to the
# rest of the brain. (Here ten positions around the target and over the head; ``lead_field`` takes
# all of them if none are named.)

POSITIONS = ("F3", "F1", "F5", "AF3", "FC3", "Fz", "Fp2", "F4", "Cz", "P7")
BRAIN = ("grey_matter", "white_matter")
file = Path(tempfile.mkdtemp()) / "lead_field.h5"
field = lead_field(head, file, POSITIONS, tissues=BRAIN)
C = rows(field, target)  # V/m in the target at 1 A
Q = off_target_energy(head, field, target, tissues=BRAIN)

# %%
# The strongest, and the most focal
# ---------------------------------
# Both are convex programmes with a proved optimum. The limits are those of the stimulator: 2 mA in
# all, 1 mA an electrode.

limits = Limits(total=2e-3, each=1e-3)
strongest = max_intensity(C, limits, names=field.names, Q=Q)
half = 0.5 * strongest.value
quiet = focal(C, Q, limits, value=half, names=field.names)
few = focal(C, Q, Limits(total=2e-3, each=1e-3, electrodes=4), value=half, names=field.names)

usual = {"F3": 2e-3, "Fp2": -2e-3}
montages = {
    "strongest": strongest.montage(),
    "focal, half the field": quiet.montage(),
    "the same with 4 electrodes": few.montage(),
    "F3 and Fp2": usual,
}
numbers = {}
print(f"{'':28s} target (V/m)   rest, rms (V/m)")
for name, montage in montages.items():
    current = np.array([montage.get(e, 0.0) for e in field.names])
    numbers[name] = (float((C @ current)[0]), float(np.sqrt(current @ Q @ current)))
    print(f"{name:28s} {numbers[name][0]:12.3f} {numbers[name][1]:17.4f}")
    print(
        "   "
        + ", ".join(f"{e} {1e3 * i:+.2f}" for e, i in montage.items() if abs(i) > 5e-6)
        + " mA"
    )

# %%
# Against theory
# --------------
# What has to hold of any optimum, whatever the head: nothing within the limits is stronger than
# the strongest; with only a limit on the total the best is one pair, which a search through all
# pairs finds too.

loose = max_intensity(C, Limits(total=2e-3), names=field.names, Q=Q)
pairs = 2e-3 * (C[0][:, None] - C[0][None, :])
print(
    f"best pair of {len(POSITIONS) ** 2}: {pairs.max():.4f}, the programme: {loose.value:.4f} V/m"
)
assert np.isclose(loose.value, pairs.max(), rtol=1e-5)
assert strongest.value <= loose.value * (1 + 1e-6)
assert numbers["focal, half the field"][1] <= numbers["the same with 4 electrodes"][1] * (1 + 1e-4)

figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, (value, rest) in numbers.items():
    ax.plot(1e3 * rest, 1e3 * value, "o", label=name)
ax.set(
    xlabel="rest of the brain, rms of |E| (mV/m)",
    ylabel="target, field into the cortex (mV/m)",
    xlim=0,
    ylim=0,
)
ax.legend(fontsize=8)
plt.show()

# %%
# The current that a wanted field takes
# -------------------------------------
# Fields are linear in the current: 0.1 V/m in the target takes

wanted = 0.1
for name in ("focal, half the field", "F3 and Fp2"):
    total = sum(i for i in montages[name].values() if i > 0)
    print(f"{name:24s} {1e3 * total * wanted / numbers[name][0]:.2f} mA")

# %%
# The same from the command line
# ------------------------------
# .. code-block:: console
#
#    $ rheobase optimise tes --head mni152 --target "left DLPFC"
#    $ rheobase optimise dose --device tdcs_motor --target C3 --field 0.2
#    $ rheobase uncertainty my_study.toml
#
# writes report, montage and provenance; the last says how sure the field is, for conductivities
# and places that are not. **None of these is a prescription** (see the page on safety): they are
# properties of a model of one head.
