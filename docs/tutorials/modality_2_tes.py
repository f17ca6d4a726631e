"""
tDCS: where the current goes, and what it does to membranes
===========================================================

Two sponges on the scalp. The field in the head, proof that the current arrives where it was asked
for, and the millivolts by which it shifts cortical cells, which it is far too weak to fire.
"""

import matplotlib.pyplot as plt
import numpy as np

from rheobase.fields import Montage, Rectangle, layer, place_electrode, solve_conduction
from rheobase.meshes.heads import build_head
from rheobase.neurons import place_in_sheet, polarisation

# %%
# Two pads
# --------
# Places are 10-10 names (or coordinates); sizes are measured along the scalp.

head = build_head("mni152")
sponge = {"layers": [layer("sponge")]}
anode = place_electrode(head, "C3", shape=Rectangle(width_mm=50, height_mm=50), **sponge)
cathode = place_electrode(head, "Fp2", shape=Rectangle(width_mm=70, height_mm=50), **sponge)
montage = Montage(name="C3-Fp2", electrodes=(anode, cathode), currents=(2e-3, -2e-3))
basis = solve_conduction(head, montage)  # V/m per ampere
(report,) = basis.report
print("asked and delivered (per ampere):", report.asked, report.delivered)
print(f"impedance {report.impedance:.0f} ohm")
assert np.allclose(report.delivered, report.asked, atol=1e-6)

# %%
# Against theory: what goes in comes out
# --------------------------------------
# Charge is conserved. Of 2 mA from C3, all must cross any surface that separates the pads: here the
# flux of :math:`\sigma E` through the plane 20 mm to the left of the midline, summed over points a
# millimetre apart. What it misses is the error of the recovered field and of that sum.

step = 1e-3
y = np.arange(-0.13, 0.13, step)
z = np.arange(-0.20, 0.12, step)
Y, Z = np.meshgrid(y, z)
plane = np.column_stack([np.full(Y.size, -20e-3), Y.ravel(), Z.ravel()])
E, tet = basis.at(plane)
sigma = np.zeros(max(head.tissues) + 1)
sigma[list(head.tissues)] = [tissue.sigma for tissue in head.tissues.values()]
inside = tet >= 0
J = sigma[head.mesh.labels[tet[inside]]] * E[0, inside, 0]  # A/m2 per ampere
through = 2e-3 * J.sum() * step**2
print(f"current through the plane: {1e3 * through:.3f} mA of 2 mA")
assert abs(through - 2e-3) < 0.05 * 2e-3

# %%
# The field in the cortex
# -----------------------
# A field basis is per ampere; amplitudes are algebra. Volume-weighted percentiles say more than a
# largest value, which depends on the mesh.

strength = basis.magnitude([2e-3])  # V/m at 2 mA
for name in ("scalp", "skull", "csf", "grey_matter", "white_matter"):
    middle, high = basis.percentiles(strength, head.label_of(name), [50, 99])
    print(f"{name:13s} median {middle:.3f}, 99 % {high:.3f} V/m")

# %%
# On a slice through C3: current runs along the cerebrospinal fluid, and dips into the gyri.

at = head.position("C3")[1]
x = np.arange(-0.085, 0.086, 1.5e-3)
X, Z = np.meshgrid(x, np.arange(-0.06, 0.101, 1.5e-3))
points = np.column_stack([X.ravel(), np.full(X.size, at), Z.ravel()])
field, tet = basis.at(points)
shown = np.where(tet >= 0, 2e-3 * np.linalg.norm(field[0], axis=1), np.nan).reshape(X.shape)
grey = np.where(tet >= 0, head.mesh.labels[tet], 0).reshape(X.shape) == head.label_of("grey_matter")
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
picture = ax.pcolormesh(1e3 * X, 1e3 * Z, shown, cmap="viridis", vmax=0.6)
ax.contour(1e3 * X, 1e3 * Z, grey, levels=[0.5], colors="w", linewidths=0.6)
ax.set(xlabel="right (mm)", ylabel="up (mm)", aspect="equal", title="2 mA from C3 to Fp2")
figure.colorbar(picture, label="|E| (V/m)", extend="max")
plt.show()

# %%
# What membranes feel
# -------------------
# Pyramidal cells of layer 5 and basket cells of layer 4 around the hand area. A steady field of a
# fraction of a V/m moves a soma by a fraction of a millivolt: thresholds would be hundreds of
# times higher. The field enters the cortex below the anode, which depolarises the somata of most
# pyramidal cells there and hyperpolarises their tufts.

cells = place_in_sheet(
    head.cortex,
    species="human",
    counts={"L5_pyramidal": 40, "L4_basket": 40},
    seed=1,
    centre=head.cortex.points(0.5)[
        np.argmin(np.linalg.norm(head.cortex.points(0.5) - head.position("C3"), axis=1))
    ],
    radius=0.012,
    clones=2,
)
shift = polarisation(cells, basis, weights=[2e-3], unit="2 mA")
soma = 1e3 * shift.amplitude.sel(site="soma", statistic="largest").squeeze("frequency")  # mV
for kind in ("L5_pyramidal", "L4_basket"):
    values = soma[(soma.type == kind).values]
    mean, most = float(values.mean()), float(abs(values).max())
    print(f"{kind}: soma {mean:+.3f} mV on average, {most:.3f} at most")
    assert most < 2.0

# %%
# Half the current is half the shift: weak fields are linear, and the check says that nothing else
# crept in.

half = polarisation(cells, basis, weights=[1e-3], unit="1 mA")
assert np.allclose(2 * half.amplitude, shift.amplitude, rtol=1e-5, atol=1e-9, equal_nan=True)
