"""Study files with columns, electrodes and the whole brain: what is refused, and how it is said."""

import copy
from typing import Any

import pytest

from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.study_file import load_study
from rheobase.tables.network import Columns, Microcircuit

COIL: dict[str, Any] = {
    "title": "x",
    "head": {"name": "mni152"},
    "device": {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "C3"},
    "cells": {"types": ["L5_pyramidal"]},
    "network": {"model": "columns", "intensity_A_per_us": 100.0},
}
PADS: dict[str, Any] = {
    "title": "x",
    "head": {"name": "mni152"},
    "device": {
        "kind": "tes",
        "electrodes": [
            {"name": "a", "position": "C3", "current_mA": 1.0},
            {"name": "b", "position": "Fp2", "current_mA": -1.0},
        ],
    },
    "cells": {"types": ["L5_pyramidal"], "frequency_Hz": 10.0},
    "network": {"model": "columns"},
}


def changed(table: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return the study with other tables; None takes one away."""
    out = copy.deepcopy(table)
    for name, value in parts.items():
        if value is None:
            del out[name]
        else:
            out[name] = value
    return out


def test_the_model_tells_which_network_it_is() -> None:
    assert isinstance(parse_study(COIL).network, Columns)
    assert isinstance(parse_study(PADS).network, Columns)
    plain = changed(COIL, network={"intensity_A_per_us": 100.0})
    assert isinstance(parse_study(plain).network, Microcircuit)


@pytest.mark.parametrize("name", ["tms_columns", "tacs_columns", "tms_brain"])
def test_shipped_studies_are_valid(name: str) -> None:
    study: Any = load_study(name, kind="field").study
    assert study.cells is not None


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            changed(COIL, network={"model": "column", "intensity_A_per_us": 1.0}),
            "unknown model 'column', nearest: columns",
        ),
        (
            changed(COIL, network={"model": "columns", "scale": 0.1}),
            r"unknown key 'scale'.*\[network\]",
        ),
        (
            changed(COIL, network={"model": "columns"}),
            "network.intensity_A_per_us is that of the pulses of a coil .'tms'.: set it",
        ),
        (
            changed(PADS, network={"model": "columns", "intensity_A_per_us": 1.0}),
            "leave it out with 'tes'",
        ),
        (
            changed(PADS, cells={"types": ["L5_pyramidal"]}),
            "needs an alternating current: set cells.frequency_Hz",
        ),
        (
            changed(PADS, network={"intensity_A_per_us": 1.0}),
            "'microcircuit' needs a pulsed device .'tms'. to drive it, got 'tes'",
        ),
        (changed(COIL, cells=None), r"\[network\] needs \[cells\]"),
        (
            changed(COIL, network=None, eeg={"electrodes": ["C3", "C4"]}),
            r"\[eeg\] shows what pulses .'tms'. evoke",
        ),
        (
            changed(PADS, eeg={"electrodes": ["C3", "C4"]}),
            r"\[eeg\] shows what pulses .'tms'. evoke",
        ),
        (
            changed(PADS, brain={"intensity_A_per_us": 1.0}),
            r"\[brain\] needs \[cells\] and a pulsed device",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_study(table)
