"""
Temporal interference: a beat in depth
======================================

Two pairs of electrodes at 2,000 and 2,010 Hz. Where both fields are of similar strength and
direction the sum swells and fades ten times a second: how strong that modulation is, where it is
largest, and what the carriers do meanwhile.
"""

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields import Disc, Montage, place_electrode, solve_conduction
from rheobase.fields.interference import Carriers, carrier_max, envelope_along, envelope_max
from rheobase.meshes.heads import build_head

# %%
# One solution a pair
# -------------------
# Both pairs lie on the head's sides, one before and one behind. Each is a montage of 1 A; the
# field of both at any currents is algebra.

head = build_head("mni152")
pairs = [
    Montage(
        name=f"{a}-{b}",
        electrodes=tuple(place_electrode(head, name, shape=Disc(radius_mm=10)) for name in (a, b)),
        currents=(1.0, -1.0),
    )
    for a, b in (("F7", "F8"), ("P7", "P8"))
]
basis = solve_conduction(head, pairs)
currents = np.array([2e-3, 2e-3])
E = basis.E * currents[:, None, None]  # (2, n, 3) V/m at 2 mA a pair
modulation = envelope_max(E)  # V/m, peak to peak, along the direction where it is largest
carriers = carrier_max(E)  # V/m: what any membrane sees at its largest

# %%
# Against theory
# --------------
# Along a direction n the modulation of two carriers is :math:`2 \min(|n \cdot E_1|, |n \cdot
# E_2|)`. No direction can beat the closed form of Grossman et al. (2017) that ``envelope_max``
# takes, and a fine search must come close to it.

rng = np.random.default_rng(1)
some = rng.choice(len(modulation), 200, replace=False)
best = np.zeros(len(some))
for n in rng.normal(size=(4000, 3)):
    n /= np.linalg.norm(n)
    along = 2 * np.minimum(*np.abs(E[:, some] @ n))
    best = np.maximum(best, along)
ratio = best / modulation[some]
print(f"best of 4000 directions over the closed form: {ratio.min():.4f} to {ratio.max():.6f}")
assert ratio.max() <= 1 + 1e-9
assert np.median(ratio) > 0.99

# %%
# The same through the general path for any number of carriers, along one direction:

up = np.tile([0.0, 0.0, 1.0], (len(some), 1))
general = envelope_along(E[:, some], up, Carriers(frequencies=(2000.0, 2010.0)))
assert np.allclose(general, 2 * np.minimum(*np.abs(E[:, some, 2])), rtol=1e-6, atol=1e-9)

# %%
# Where it is
# -----------
# A slice between the pairs. The modulation reaches deeper than either carrier alone, but is
# nowhere larger than twice the weaker of them, and the carriers at the rim are many times what
# beats in the middle.

x = np.arange(-0.08, 0.081, 1.5e-3)
X, Z = np.meshgrid(x, np.arange(-0.05, 0.09, 1.5e-3))
points = np.column_stack([X.ravel(), np.full(X.size, -0.01), Z.ravel()])
field, tet = basis.at(points)
field = np.where(tet[:, None] >= 0, field * currents[:, None, None], 0.0)
brain = np.isin(
    np.where(tet >= 0, head.mesh.labels[tet], 0),
    [head.label_of("grey_matter"), head.label_of("white_matter")],
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, values, title in (
    (axes[0], envelope_max(field), "modulation, peak to peak"),
    (axes[1], carrier_max(field), "carriers, largest amplitude"),
):
    shown = np.where(brain, values, np.nan).reshape(X.shape)
    picture = ax.pcolormesh(1e3 * X, 1e3 * Z, shown, cmap="viridis")
    ax.set(title=title, xlabel="right (mm)", ylabel="up (mm)", aspect="equal")
    figure.colorbar(picture, ax=ax, label="V/m", shrink=0.8)
plt.show()

# %%
# Steering without moving
# -----------------------
# More current in one pair and less in the other moves the beat towards the weaker pair: nothing is
# solved again.

grey = basis.split_label == head.label_of("grey_matter")
place, volume = basis.split_position[grey], basis.split_volume[grey]
for first in (1e-3, 2e-3, 3e-3):
    share = np.array([first, 4e-3 - first])
    beat = envelope_max(basis.E[:, grey] * share[:, None, None])
    strong = beat >= np.quantile(beat, 0.99)
    middle = np.average(place[strong, 1], weights=volume[strong])
    front, back = 1e3 * share
    print(f"front {front:.0f}, back {back:.0f} mA: strongest beat at y = {1e3 * middle:+.0f} mm")
