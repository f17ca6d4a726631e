"""What comes from files of other programs: meshes, surfaces, volumes, caps."""
