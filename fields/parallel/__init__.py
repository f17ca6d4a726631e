"""Fields on several processes: each rank assembles and solves its part of the mesh."""
