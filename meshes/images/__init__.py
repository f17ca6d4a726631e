"""Label images: their tables, their repair, voxels of surfaces."""
