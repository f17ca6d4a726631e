"""Deep brain stimulation: leads in the head, unit responses, steering, volumes, dosing."""

from rheobase.fields.dbs.grid.domains import (
    Domain,
    box_domain,
    ellipsoid_domain,
    head_domain,
    sphere_domain,
)
from rheobase.fields.dbs.solution.response import LeadResponse, respond, unit_responses
from rheobase.fields.dbs.solution.store import load_response
from rheobase.fields.dbs.solution.system import Encapsulation, LeadSystem, assemble
from rheobase.fields.dbs.spectrum.dielectrics import dielectrics
from rheobase.fields.dbs.spectrum.interface import Interface, interface
from rheobase.fields.dbs.spectrum.responses import (
    SpectralPoints,
    SpectralResponse,
    load_spectral_points,
    spectral_responses,
)
from rheobase.fields.dbs.steering.dosing import Search, search, therapeutic_window
from rheobase.fields.dbs.steering.goals import Goal
from rheobase.fields.dbs.steering.patterns import splits
from rheobase.fields.dbs.steering.steer import Control, Steering, control, safety_limits, steer
from rheobase.fields.dbs.steering.strength_duration import (
    field_strength_duration,
    strength_duration,
)
from rheobase.fields.dbs.steering.uncertainty import LeadSample, LeadSamples, sample_quantities
from rheobase.fields.dbs.volumes.activated import (
    Activated,
    CurvatureCriterion,
    FieldCriterion,
    SampledLead,
    activated,
    sample_lead,
    volume_curve,
)
from rheobase.fields.dbs.volumes.lattice import Lattice, lead_lattice
from rheobase.fields.dbs.volumes.thresholds import field_threshold, literature_threshold
from rheobase.fields.dbs.volumes.voxels import grid_around, on_grid, strength_at, write_volume
from rheobase.fields.dbs.volumes.zones import (
    Overlap,
    Zone,
    ball_zone,
    image_zone,
    overlap,
    region_zone,
)

__all__ = [
    "Activated",
    "Control",
    "CurvatureCriterion",
    "Domain",
    "Encapsulation",
    "FieldCriterion",
    "Goal",
    "Interface",
    "Lattice",
    "LeadResponse",
    "LeadSample",
    "LeadSamples",
    "LeadSystem",
    "Overlap",
    "SampledLead",
    "Search",
    "SpectralPoints",
    "SpectralResponse",
    "Steering",
    "Zone",
    "activated",
    "assemble",
    "ball_zone",
    "box_domain",
    "control",
    "dielectrics",
    "ellipsoid_domain",
    "field_strength_duration",
    "field_threshold",
    "grid_around",
    "head_domain",
    "image_zone",
    "interface",
    "lead_lattice",
    "literature_threshold",
    "load_response",
    "load_spectral_points",
    "on_grid",
    "overlap",
    "region_zone",
    "respond",
    "safety_limits",
    "sample_lead",
    "sample_quantities",
    "search",
    "spectral_responses",
    "sphere_domain",
    "splits",
    "steer",
    "strength_at",
    "strength_duration",
    "therapeutic_window",
    "unit_responses",
    "volume_curve",
    "write_volume",
]
