"""
Focused ultrasound: a bowl, in water and through bone
=====================================================

A bowl at 500 kHz. In water its axis is known in closed form; a layer of bone takes most of the
pressure, moves the focus and warms. Round about the beam's axis all of this takes seconds; a real
skull takes the solver in three dimensions (``rheobase fus run``), with the same calls.
"""

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
from rheobase.fields.acoustics.axisymmetric.source import axial_source
from rheobase.fields.acoustics.media import WATER, LayeredMedium, Plane, fluid_of
from rheobase.fields.acoustics.transducers.catalogue import transducer

# %%
# In water, against theory
# ------------------------
# The transducer of the ITRUSST benchmarks: 64 mm of curvature and of aperture. O'Neil (1949) gives
# the pressure on the axis of a bowl whose face moves with the velocity u,
#
# .. math::
#
#    |p(z)| = \rho c u \left| \frac{2}{1 - z/R} \sin \frac{k (B - z)}{2} \right|,
#
# with the distance B from the rim to the point.

frequency, velocity = 500e3, 0.04  # Hz, m/s
bowl = transducer("itrusst-sc1")
source = axial_source(bowl, velocity=velocity)
water = solve_axisymmetric(
    LayeredMedium((WATER,), ()), source, frequency, depth=(0.0, 0.12), radius=36e-3
)
z = np.arange(0.0401, 0.088, 0.25e-3)  # beside the centre of the bowl, where O'Neil has 0/0
found = np.abs(water.on_axis(z))

c, rho, _ = WATER.at(frequency)
R, a = 64e-3, 32e-3
k = 2 * np.pi * frequency / c
height = R - np.sqrt(R**2 - a**2)
B = np.sqrt((z - height) ** 2 + a**2)
exact = rho * c * velocity * np.abs(2 / (1 - z / R) * np.sin(k * (B - z) / 2))
worst = np.abs(found - exact).max() / exact.max()
print(f"focus {1e-6 * found.max():.3f} MPa at {1e3 * z[found.argmax()]:.1f} mm")
print(f"worst of the axis: {100 * worst:.3f} % of the focus")
assert worst < 5e-3

# %%
# Through bone
# ------------
# The same bowl with 6.5 mm of compact bone between water and brain, 30 mm from its vertex: layers
# like those of the third ITRUSST benchmark, whose exact field peaks at 420.5 kPa. Bone is a fluid
# with loss here (shear waves are left out).

layers = LayeredMedium(
    (WATER, fluid_of("compact_bone"), fluid_of("grey_matter")), (Plane(30e-3), Plane(36.5e-3))
)
behind = solve_axisymmetric(layers, source, frequency, depth=(0.0, 0.12), radius=36e-3)
bone = np.abs(behind.on_axis(z))
print(f"behind bone {1e-6 * bone.max():.3f} MPa at {1e3 * z[bone.argmax()]:.1f} mm")
print(f"that is {100 * bone.max() / found.max():.0f} % of the focus in water")
assert abs(bone.max() / 420.5e3 - 1) < 0.01

# %%
# Energy is conserved: what the bowl radiates is absorbed, thrown back, or leaves in front and at
# the side.

balance = behind.power()
leaves = balance.absorbed + balance.back + balance.front + balance.side
print(f"radiated {balance.radiated:.2f} W, absorbed {balance.absorbed:.2f} W")
print(f"absorbed and gone over radiated: {leaves / balance.radiated:.4f}")
assert abs(leaves / balance.radiated - 1) < 5e-3

figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
ax.plot(1e3 * z, 1e-6 * found, label="water")
ax.plot(1e3 * z, 1e-6 * exact, "k:", label="O'Neil")
ax.plot(1e3 * z, 1e-6 * bone, label="through 6.5 mm of bone")
ax.set(xlabel="depth on the axis (mm)", ylabel="pressure amplitude (MPa)", ylim=0)
ax.legend()
plt.show()

# %%
# The beam. The plate is 1.2 wavelengths thick: what goes to and fro in it adds to what gets through
# or takes from it, so that a millimetre of bone more may let more through, not less.

x = np.linspace(-0.03, 0.03, 181)
deep = np.linspace(1e-3, 0.1, 300)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained", sharey=True)
for ax, field, title in ((axes[0], water, "water"), (axes[1], behind, "through bone")):
    P = np.abs(field.on_lattice(x, np.array([0.0]), deep)[:, 0])
    picture = ax.pcolormesh(1e3 * x, 1e3 * deep, 1e-6 * P.T, cmap="inferno", shading="gouraud")
    ax.set(title=title, xlabel="across (mm)", aspect="equal")
    figure.colorbar(picture, ax=ax, label="MPa", shrink=0.8)
axes[0].set(ylabel="depth (mm)")
for face in (30, 36.5):
    axes[1].axhline(face, color="w", lw=0.7, ls="--")
plt.show()

# %%
# Drive is algebra
# ----------------
# The equation is linear: half the velocity is half the pressure, and ten times it is ten times; a
# quarter of the intensity, a quarter of the heat.

half = np.abs(behind.driven([velocity / 2]).on_axis(z))
assert np.allclose(half, bone / 2, rtol=1e-9)

# %%
# What would warm
# ---------------
# At most :math:`2 \alpha I` of the power of a plane wave of intensity I stays in a cubic metre of
# what it goes through (bone scatters some of it instead). Bone takes far more than brain, at less
# intensity, which is why a long sonication has to watch the skull.

for name, p in (("compact_bone", np.abs(behind.on_axis([33e-3]))[0]), ("grey_matter", bone.max())):
    c, rho, alpha = fluid_of(name).at(frequency)
    intensity = p**2 / (2 * rho * c)
    power = 2 * alpha * intensity
    print(
        f"{name:13s} {1e-3 * p:4.0f} kPa, {1e-4 * intensity:5.2f} W/cm2, {1e-6 * power:5.2f} W/cm3"
    )
