"""Studies of the literature, run anew."""
