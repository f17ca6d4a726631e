"""The physics: sources, solvers, field bases and what is computed from them."""

from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.coils.placing import place_coil
from rheobase.fields.coils.windings import coil
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Contact, Electrode, contact
from rheobase.fields.electrodes.montage import Montage, montage_1x1, montage_4x1
from rheobase.fields.induction import solve_induction
from rheobase.fields.interference import envelope_along, envelope_max
from rheobase.fields.results.vtk import write_vtu
from rheobase.fields.solver import Conductor
from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.fields.waveforms.shapes import rectangular, sine, two_carriers
from rheobase.fields.waveforms.waveform import Waveform
from rheobase.meshes.placing.outlines import Disc, Rectangle

__all__ = [
    "Coil",
    "Conductor",
    "Contact",
    "Disc",
    "Electrode",
    "FieldBasis",
    "Montage",
    "Rectangle",
    "Waveform",
    "coil",
    "contact",
    "envelope_along",
    "envelope_max",
    "load_basis",
    "magnetic_dipole",
    "montage_1x1",
    "montage_4x1",
    "place_coil",
    "rectangular",
    "sine",
    "solve_conduction",
    "solve_induction",
    "tms_pulse",
    "two_carriers",
    "write_vtu",
]
