"""The parts of `rheobase.meshes.msh`."""
