"""The physics: sources, solvers, field bases and what is computed from them."""
