"""What a field activates: volumes below the cell, thresholds, zones, voxels."""
