"""
TMS: from a coil to the cells that fire
=======================================

A figure-of-eight coil over the hand area: the field that it induces, the pulse that gives it a
course in time, and the share of cells of two kinds that it fires. The first part is in a sphere,
where theory says what must come out.
"""

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields import coil, place_coil, solve_induction, tms_pulse
from rheobase.meshes.heads import build_head
from rheobase.neurons import place_in_sheet, thresholds

# %%
# Against theory: a sphere
# ------------------------
# No coil outside of a body of spherical layers makes a radial field in it, whatever the layers
# conduct (Heller & van Hulsteyn 1992). Nothing in the solver knows that: charge that gathers on
# every face has to cancel the radial part of :math:`-\partial A / \partial t`.

ball = build_head("sphere", edge_length_mm=4.5)
figure_of_eight = coil("magstim-70mm-figure8")
basis = solve_induction(ball, place_coil(figure_of_eight, ball, position="Cz"))

brain = basis.split_label == ball.label_of("grey_matter")
outwards = basis.split_position[brain]
outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-12)
E = basis.E[0, brain]
volume = basis.split_volume[brain]
radial = np.sqrt(volume @ np.sum(E * outwards, axis=1) ** 2 / (volume @ np.sum(E**2, axis=1)))
print(f"radial part of the field in the brain: {100 * radial:.2f} % (theory: 0)")
assert radial < 0.01

# %%
# The primary field alone would not pass: about the strength of what the charges take away.

primary = place_coil(figure_of_eight, ball, position="Cz").vector_potential(
    basis.split_position[brain]
)
share = np.sqrt(
    volume @ np.sum(primary * outwards, axis=1) ** 2 / (volume @ np.sum(primary**2, axis=1))
)
print(f"radial part of dA/dt alone: {100 * share:.0f} %")

# %%
# In a head
# ---------
# ``mni152`` is made once and kept; the coil stands over C3, its handle backwards and to the side.
# The solution is for a current that rises by 1 A/s: times 10⁶ for the usual 1 A/µs.

head = build_head("mni152")
placed = place_coil(figure_of_eight, head, position="C3", handle_angle_deg=45)
tms = solve_induction(head, placed)
strength = tms.magnitude([1e6])  # V/m at 1 A/µs, at the nodes of each tissue
grey = head.label_of("grey_matter")
print("|E| in grey matter, 50, 99 and 99.9 %:", tms.percentiles(strength, grey, [50, 99, 99.9]))

# %%
# A slice through the strongest place. ``at`` gives the field anywhere; air is NaN.

peak = tms.peak(strength, grey)
x = np.arange(-0.085, 0.086, 1.5e-3)
z = np.arange(-0.06, 0.101, 1.5e-3)
X, Z = np.meshgrid(x, z)
points = np.column_stack([X.ravel(), np.full(X.size, peak.position[1]), Z.ravel()])
field, tet = tms.at(points)
shown = np.where(tet >= 0, 1e6 * np.linalg.norm(field[0], axis=1), np.nan).reshape(X.shape)
tissue = np.where(tet >= 0, head.mesh.labels[tet], 0).reshape(X.shape)

figure, ax = plt.subplots(figsize=(6, 5.2), layout="constrained")
picture = ax.pcolormesh(1e3 * x, 1e3 * z, shown, cmap="viridis", vmax=np.nanpercentile(shown, 99.5))
ax.contour(1e3 * x, 1e3 * z, tissue == grey, levels=[0.5], colors="w", linewidths=0.6)
ax.set(xlabel="right (mm)", ylabel="up (mm)", aspect="equal", title="field at 1 A/µs")
figure.colorbar(picture, label="|E| (V/m)")
plt.show()

# %%
# Which cells fire
# ----------------
# Cells stand in the columns of the cortex around the peak: 40 pyramidal cells of layer 5 and 40
# basket cells of layer 4. Each gets **one threshold**: the field is linear in the intensity, so
# there is nothing to gain from trying intensities one after the other.

cells = place_in_sheet(
    head.cortex,
    species="human",
    counts={"L5_pyramidal": 40, "L4_basket": 40},
    seed=1,
    centre=peak.position,
    radius=0.008,
    clones=2,
)
pulse = tms_pulse("biphasic")
fired = thresholds(cells, tms, waveform=pulse)
print(fired.quantiles([0.05, 0.5, 0.95]).to_series().div(1e6).unstack().round(0))  # A/µs

# %%
# The probability at any intensity is the share of thresholds below it: a curve that needs no
# further run.

intensity = 1e6 * np.linspace(0, 400, 201)  # A/s
probability = fired.probability(intensity, by=("type",))
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for kind in probability.type.values:
    for polarity, style in (("plus", "-"), ("minus", ":")):
        ax.plot(
            1e-6 * intensity,
            probability.sel(type=kind, polarity=polarity),
            style,
            label=f"{kind}, {'as given' if polarity == 'plus' else 'reversed'}",
        )
ax.set(xlabel="dI/dt at the peak of the pulse (A/µs)", ylabel="share of cells that fire")
ax.legend(fontsize=8)
plt.show()

# %%
# Doubling a field halves every threshold: that is all there is to an amplitude, and a check that
# costs nothing.

twice = thresholds(cells, tms, waveform=pulse, weights=[2.0])
known = np.isfinite(fired.threshold)
assert np.allclose(2 * twice.threshold[known], fired.threshold[known], rtol=1e-3)
print("worst of", known.sum(), "thresholds at twice the field within 0.1 % of half")

# %%
# What these numbers are worth: ``fired.notes`` says how far the fast mode is from full simulations
# of such cells, and the page on limits says what the default head is not.

print(*fired.notes, sep="\n")
