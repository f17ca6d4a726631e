"""The physics: sources, solvers, field bases and what is computed from them."""

from rheobase.fields.anisotropy import (
    TensorImage,
    conductivity_tensors,
    read_directions,
    read_tensors,
)
from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.coils.files import read_coil
from rheobase.fields.coils.frame import pose_from_simnibs, pose_to_simnibs
from rheobase.fields.coils.placing import place_coil
from rheobase.fields.coils.windings import coil
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, Layer, layer, place_electrode
from rheobase.fields.electrodes.meshed import MeshedElectrodes, mesh_electrodes
from rheobase.fields.electrodes.montage import Montage, montage_1x1, montage_4x1
from rheobase.fields.error import envelope_error, error_table, estimate_error
from rheobase.fields.focality import focality, tissue_focality
from rheobase.fields.induction import solve_induction
from rheobase.fields.interference import Carriers, carrier_max, envelope_along, envelope_max
from rheobase.fields.leadfield import LeadField, load_lead_field
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.energy import off_target_energy
from rheobase.fields.optimisation.interference import strongest_modulation
from rheobase.fields.optimisation.interference_focal import focal_modulation
from rheobase.fields.optimisation.interference_front import modulation_front, sampled_nodes
from rheobase.fields.optimisation.interference_pairs import focal_pairs, strongest_pairs
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import Target, point_target, region_target
from rheobase.fields.optimisation.tes import focal, lcmv, max_intensity, pareto
from rheobase.fields.results.compare import compare_fields
from rheobase.fields.results.msh import read_simnibs_results
from rheobase.fields.results.table import field_table
from rheobase.fields.results.vtk import write_vtu
from rheobase.fields.results.write import write_results
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting.modes import CoilModes, load_coil_modes
from rheobase.fields.targeting.modes_solve import coil_modes
from rheobase.fields.targeting.reciprocity import Reciprocity, TargetingMap, reciprocity
from rheobase.fields.tensors import Tensors
from rheobase.fields.uncertainty.chaos import Chaos, fit
from rheobase.fields.uncertainty.distributions import beta, distribution, lognormal, normal, uniform
from rheobase.fields.uncertainty.inputs import (
    CoilShift,
    Conductivity,
    ElectrodeShift,
    Inputs,
    conductivities,
)
from rheobase.fields.uncertainty.maps import uncertainty_maps, uncertainty_table
from rheobase.fields.uncertainty.quantities import component, modulation, strength
from rheobase.fields.uncertainty.samples import FieldSamples, load_samples
from rheobase.fields.uncertainty.sampling import sample_fields
from rheobase.fields.waveforms.files import read_waveform
from rheobase.fields.waveforms.pulses import discharge, tms_pulse
from rheobase.fields.waveforms.shapes import ramped, rectangular, sine, two_carriers
from rheobase.fields.waveforms.waveform import Waveform
from rheobase.meshes.placing.outlines import Disc, Polygon, Rectangle, Ring

__all__ = [
    "Carriers",
    "Chaos",
    "Coil",
    "CoilModes",
    "CoilShift",
    "Conductivity",
    "Conductor",
    "Disc",
    "Electrode",
    "ElectrodeShift",
    "FieldBasis",
    "FieldSamples",
    "Inputs",
    "Layer",
    "LeadField",
    "Limits",
    "MeshedElectrodes",
    "Montage",
    "Polygon",
    "Reciprocity",
    "Rectangle",
    "Ring",
    "Target",
    "TargetingMap",
    "TensorImage",
    "Tensors",
    "Waveform",
    "beta",
    "carrier_max",
    "coil",
    "coil_modes",
    "compare_fields",
    "component",
    "conductivities",
    "conductivity_tensors",
    "discharge",
    "distribution",
    "envelope_along",
    "envelope_error",
    "envelope_max",
    "error_table",
    "estimate_error",
    "field_table",
    "fit",
    "focal",
    "focal_modulation",
    "focal_pairs",
    "focality",
    "layer",
    "lcmv",
    "lead_field",
    "load_basis",
    "load_coil_modes",
    "load_lead_field",
    "load_samples",
    "lognormal",
    "magnetic_dipole",
    "max_intensity",
    "mesh_electrodes",
    "modulation",
    "modulation_front",
    "montage_1x1",
    "montage_4x1",
    "normal",
    "off_target_energy",
    "pareto",
    "place_coil",
    "place_electrode",
    "point_target",
    "pose_from_simnibs",
    "pose_to_simnibs",
    "ramped",
    "read_coil",
    "read_directions",
    "read_simnibs_results",
    "read_tensors",
    "read_waveform",
    "reciprocity",
    "rectangular",
    "region_target",
    "sample_fields",
    "sampled_nodes",
    "sine",
    "solve_conduction",
    "solve_induction",
    "strength",
    "strongest_modulation",
    "strongest_pairs",
    "tissue_focality",
    "tms_pulse",
    "two_carriers",
    "uncertainty_maps",
    "uncertainty_table",
    "uniform",
    "write_results",
    "write_vtu",
]
