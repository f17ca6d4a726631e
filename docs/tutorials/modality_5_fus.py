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
# The same bowl with 6.5 mm of compact bone between water and brain, 30 mm from its vertex: the
# layers of the third benchmark. Bone is a fluid with loss here (shear waves are left out).

layers = LayeredMedium(
    (WATER, fluid_of("compact_bone"), fluid_of("grey_matter")), (Plane(30e-3), Plane(36.5e-3))
)
behind = solve_axisymmetric(layers, source, frequency, depth=(0.0, 0.12), radius=36e-3)
bone = np.abs(behind.on_axis(z))
print(f"behind bone {1e-6 * bone.max():.3f} MPa at {1e3 * z[bone.argmax()]:.1f} mm")
print(f"that is {100 * bone.max() / found.max():.0f} % of the focus in water")
balance = behind.power()
print(balance)

figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
ax.plot(1e3 * z, 1e-6 * found, label="water")
ax.plot(1e3 * z, 1e-6 * exact, "k:", label="O'Neil")
ax.plot(1e3 * z, 1e-6 * bone, label="through 6.5 mm of bone")
ax.set(xlabel="depth on the axis (mm)", ylabel="pressure amplitude (MPa)", ylim=0)
ax.legend()
plt.show()

# %%
# The beam. A plate thinner than a wavelength would ring; this one is just over one wavelength
# thick, so that thickness matters more than loss.

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
# The absorbed power per volume is :math:`2 \alpha_{abs} I`. Bone takes far more of it than brain
# at the same intensity, which is why it is the skull that a long sonication has to watch. Without
# conduction and blood the rise after one second is Q / (ρ C):

for name in ("compact_bone", "grey_matter"):
    fluid = fluid_of(name)
    c, rho, alpha = fluid.at(frequency)
    where = (z > 36.5e-3) if name == "grey_matter" else None
    p = bone.max() if where is not None else np.abs(behind.on_axis([33e-3]))[0]
    intensity = p**2 / (2 * rho * c)
    print(
        f"{name:13s} p {1e-3 * p:5.0f} kPa, I {1e-4 * intensity:6.2f} W/cm2, loss {alpha:5.1f} Np/m"
    )
