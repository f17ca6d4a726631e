"""Leads with contacts: their geometry, their place in a head, and the tissue around them."""
