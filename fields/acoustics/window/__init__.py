"""Windows of beams into heads: layers with smooth faces out of meshes, labels and tomograms."""
