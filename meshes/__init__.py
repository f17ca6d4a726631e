"""The patient and the animal: tissues, heads, the image mesher, readers and writers."""

from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.tissues import Tissue, load_tissues, tissue

__all__ = ["CorticalSheet", "Head", "TetMesh", "Tissue", "load_tissues", "tissue"]
