"""
DBS: one solution, every setting
================================

A lead of four contacts in tissue. The response of each contact is solved for once; currents,
polarities and mixes of contacts are sums of them, and so are the volumes that they activate.
"""

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields.dbs import (
    Encapsulation,
    FieldCriterion,
    activated,
    field_threshold,
    sample_lead,
    sphere_domain,
    steer,
)
from rheobase.fields.dbs.solution.response import unit_responses
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.meshes.leads.medium import uniform

# %%
# A lead in tissue
# ----------------
# A Medtronic 3389 whose second contact is at the origin, in a ball of 40 mm of 0.2 S/m. In a head
# ``from_head(head)`` and ``head_domain(head)`` take the places of ``uniform`` and the sphere;
# everything below stays as it is.

lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1), contact=2)
domain = sphere_domain(40e-3, (0, 0, 0))
alone = unit_responses(lead, uniform(0.2), domain, insulated=[1, 3, 4])

# %%
# Against theory
# --------------
# An independent axisymmetric solution of this case has 563.22 ohm, to 0.01. By hand: far away the
# contact is a point source, :math:`V = I (1/r - 1/R) / 4 \pi \sigma` in a ball of radius R.

impedance = alone.Z[0, 0]
print(f"impedance {impedance:.2f} ohm, reference 563.22: {100 * (impedance / 563.22 - 1):+.2f} %")
assert abs(impedance / 563.22 - 1) < 2e-3

r = np.array([10e-3, 20e-3, 30e-3])
found = alone.potential(np.column_stack([r, 0 * r, 0 * r]))[0]
point = (1 / r - 1 / 40e-3) / (4 * np.pi * 0.2)
print("over a point source's potential at 10, 20, 30 mm:", (found / point).round(3))
assert np.allclose(found / point, 1.0, atol=0.05)

# %%
# Steering is algebra
# -------------------
# Now all four contacts are there, behind 0.2 mm of scar. A contact that is not driven floats: its
# metal still shunts the field. ``Z`` holds the potential of each contact for one ampere out of
# each, and by reciprocity it is symmetric.

scar = Encapsulation(thickness=0.2e-3, tissue=0.1)
response = unit_responses(lead, uniform(0.2), domain, encapsulation=scar)
print(response.Z.round(1))
assert np.allclose(response.Z, response.Z.T, rtol=1e-9)

settings = {
    "2-, case+": steer(response, {2: -2e-3}),
    "2- 3-, case+": steer(response, {2: -1e-3, 3: -1e-3}),
    "2- 1+ (bipolar)": steer(response, {2: -2e-3, 1: 2e-3}, case=False),
}
for name, setting in settings.items():
    over = setting.safety(60e-6).over()
    print(f"{name:16s} {setting.impedance:6.0f} ohm, {1e3 * setting.power:.2f} mW", *over)

# %%
# What is activated
# -----------------
# A threshold of \|E\| stands for straight axons of one diameter at one pulse width; its source
# comes with it. The field is sampled once, a volume then takes hundredths of a second.

known = field_threshold(pulse_width=60e-6, diameter=3.5e-6)
criterion = FieldCriterion(threshold=known.value)
print(f"threshold {known.value:.0f} V/m: {known.source}")
sampled = sample_lead(response)
for name, setting in settings.items():
    volume = activated(setting, criterion, sampled)
    up = 1e3 * volume.centroid[2]
    print(f"{name:16s} {1e9 * volume.volume:6.1f} mm3, centre {up:+.2f} mm up the lead")

milliampere = np.linspace(0.5, 4, 15)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, split in (("2-", {2: -1.0}), ("2- 3-", {2: -0.5, 3: -0.5})):
    volumes = [
        activated(steer(response, {k: 1e-3 * a * x for k, x in split.items()}), criterion, sampled)
        for a in milliampere
    ]
    ax.plot(milliampere, [1e9 * v.volume for v in volumes], label=name)
ax.set(xlabel="current (mA)", ylabel="activated volume (mm³)")
ax.legend()
plt.show()

# %%
# A field that falls with the square of the distance has volumes that grow with the current to the
# power 3/2 once they are larger than the contact:

one, four = (activated(steer(response, {2: -x}), criterion, sampled).volume for x in (1e-3, 4e-3))
power = np.log(four / one) / np.log(4)
print(f"volume grows with the current to the power {power:.2f} (point source: 1.5)")
assert 1.2 < power < 2.0

# %%
# The field itself, in a plane through the lead: potential of two settings.

x = np.linspace(-8e-3, 8e-3, 161)
X, Z = np.meshgrid(x, x)
points = np.column_stack([X.ravel(), 0 * X.ravel(), Z.ravel()])
unit = response.potential(points)  # (4, n) V/A, NaN inside the lead
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained", sharey=True)
for ax, (name, setting) in zip(axes, settings.items(), strict=True):
    V = (setting.currents @ unit).reshape(X.shape)
    picture = ax.contourf(
        1e3 * X, 1e3 * Z, V, levels=np.linspace(-1.5, 1.5, 31), cmap="RdBu_r", extend="both"
    )
    ax.set(title=name, xlabel="mm", aspect="equal")
figure.colorbar(picture, ax=axes, label="V")
plt.show()
