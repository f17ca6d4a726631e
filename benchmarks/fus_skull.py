"""A box of 120 x 70 x 70 mm through the default head's occipital bone at 500 kHz: time and size.

``python benchmarks/fus_skull.py``, on two cores with ``OMP_NUM_THREADS=2``.
"""

from __future__ import annotations

import time

import numpy as np

from rheobase.fields.acoustics.media import WATER
from rheobase.fields.acoustics.transducers.catalogue import transducer
from rheobase.fields.acoustics.transducers.placing import place_transducer
from rheobase.fields.acoustics.wave.head_window import head_window
from rheobase.fields.acoustics.wave.sources import source_in
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.window.window import beam_window
from rheobase.meshes.heads import build_head

V1 = [-2e-3, -88e-3, 6e-3]  # MNI, m

head = build_head("mni152")
wall, cpu = time.perf_counter(), time.process_time()
target = head.from_mni(np.array([V1]))[0]
placed = place_transducer(transducer("itrusst-sc1"), head, target=target, entry="Oz")
material = beam_window(head, placed.frame, half_width=0.035, depth=(0.0, 0.12), target=target)
window = head_window(material, placed.frequency)
source = placed.source(velocity=0.04, fluid=WATER, per_wavelength=12).moved(placed.frame)
field = solve_pressure(window, source_in(window, source, WATER)[0])
print(f"{time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} CPU-s")
print(material.report)
print(field.report)
