"""The parts of `rheobase.meshes.files.msh`."""
