"""Single fibres: single cables and the double-cable axon, straight or laid along a curve."""

from rheobase.neurons.fibres.curved import lay_along, potential_along
from rheobase.neurons.fibres.straight import bare_fibre, myelinated_fibre

__all__ = ["bare_fibre", "lay_along", "myelinated_fibre", "potential_along"]
