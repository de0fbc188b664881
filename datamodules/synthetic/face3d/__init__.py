"""3D faces as meshes: where they come from, how they are posed, and what two views of one tell about each other."""
