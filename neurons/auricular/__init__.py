"""Stimulation of the vagus nerve at the ear: its auricular branch under surface electrodes."""

from rheobase.neurons.auricular.courses import courses
from rheobase.neurons.auricular.field import ear_field, ear_montage
from rheobase.neurons.auricular.recruitment import AuricularRecruitment, auricular_recruitment

__all__ = [
    "AuricularRecruitment",
    "auricular_recruitment",
    "courses",
    "ear_field",
    "ear_montage",
]
