"""The list of validation cases and the function that runs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from rheobase._errors import check_option
from rheobase._progress import stage
from rheobase.validation.case import Row

CASES: dict[str, str] = {  # id: "module:function" or "module:function:argument" here
    "sphere-tdcs": "sphere:tdcs",
    "sphere-tms-far": "sphere_tms:far",
    "sphere-tms-near": "sphere_tms:near",
    "coil-radial-field": "sphere_tms:radial_field",
    "delivered-current": "electrodes:delivered_current",
    "coil-ring": "coils:ring",
    "infinite-point-source": "closed_forms:infinite_point_source",
    "disk-half-space": "closed_forms:disk_half_space",
    "square-electrode": "square_electrode:square_electrode",
    "ti-vectors": "interference:ti_vectors",
    "reciprocity": "reciprocity:reciprocity",
    "leadfield-superposition": "leadfield:superposition",
    "hdtes-closed-form": "optimisation:closed_forms",
    "ti-optimum-identity": "ti_optimum:optimum_identity",
    "anisotropic-sphere": "anisotropic_sphere:anisotropic_skull",
    "mesher-quality": "mesher:quality_of_images",
    "mesher-ellipsoid": "mesher:ellipsoid",
    "mesher-sphere-field": "mesher:sphere_field",
    "cable-closed-form": "cable:cable_closed_form",
    "activating-function": "cable:activating_function",
    "cable-vs-spiking": "cable_spiking:cable_vs_spiking",
    "rallpack": "rallpack_axon:rallpack",
    "subthreshold": "subthreshold:subthreshold",
    "mrg-threshold": "mrg:mrg_threshold",
    "unmyelinated-fibre": "unmyelinated:unmyelinated_fibre",
    "spiking-neuron": "cells_neuron:spiking_neuron",
    "reciprocity-map": "targeting:reciprocity_map",
    "tms-any-pose": "targeting:tms_any_pose",
    "auricular-layered-disc": "auricular:layered",
    "auricular-perception": "auricular:perception",
    "microcircuit-rates": "microcircuit:microcircuit_rates",
    "network-synapses": "network_synapses:network_synapses",
    "columns-rates": "columns:columns_rates",
    "columns-connectivity": "columns:columns_connectivity",
    "columns-wave": "columns:columns_wave",
    "sonata-roundtrip": "sonata:sonata_roundtrip",
    "measures": "measures:measures",
    "stn-gpe-healthy": "stn_gpe:healthy",
    "stn-gpe-parkinson": "stn_gpe:parkinson",
    "closed-loop-controllers": "closed_loop:controllers",
    "lfp-dipole": "recordings:lfp_dipole",
    "eeg-reciprocity": "recordings:eeg_reciprocity",
    "uncertainty-sphere": "uncertainty:sphere",
    "dbs-axisymmetric-impedance": "dbs:impedance",
    "dbs-axisymmetric-vta": "dbs:vta",
    "dbs-axisymmetric-field": "dbs:field",
    "dbs-point-source": "dbs:point_source",
    "dbs-admittance-symmetry": "dbs:admittance_symmetry",
    "dbs-spectrum": "dbs_spectrum:spectrum",
    "pennes-uniform": "heat:uniform",
    "pennes-gaussian": "heat:gaussian",
    "cem43": "heat:dose",
    "sonic-rs": "sonic:regular_spiking",
    "sonic-lts": "sonic:low_threshold",
    "fus-rayleigh": "acoustic_sources:on_axis",
    "fus-focus": "acoustic_sources:focus",
    "fus-plane-source": "acoustic_sources:plane",
    "fus-bone-thickness": "itrusst:thickness",
    "fus-small-bowl": "itrusst_wave:small_bowl",
}
CASES |= {
    f"brain-{name}": f"brain:{name}" for name in ("bifurcations", "alpha", "network", "transfer")
}
SCENES = [f"bm{n}-sc{s}" for n in range(1, 7) for s in (1, 2)]
CASES |= {f"itrusst-{scene}": f"itrusst:rows:{scene}" for scene in SCENES}
#: Cases of minutes each, run only when they are named.
LONG = {f"itrusst-{scene}-3d": f"itrusst_wave:rows:{scene}" for scene in SCENES}


def run_cases(names: Iterable[str] = ()) -> Iterator[Row]:
    """Run the cases called ``names`` (all of `CASES` if none) and yield their rows.

    Raises
    ------
    InputError
        If a name is unknown, before any case runs.
    """
    known = CASES | LONG
    chosen = [check_option("validation case", n, known) for n in names] or list(CASES)
    for name in chosen:
        module, function, *arguments = known[name].split(":")
        case = getattr(import_module(f"rheobase.validation.{module}"), function)
        with stage(f"validate {name}"):
            rows: list[Row] = case(*arguments)
        yield from rows
