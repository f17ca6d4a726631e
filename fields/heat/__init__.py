"""Heat in tissue: Pennes' equation on a mesh, thermal dose."""
