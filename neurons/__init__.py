"""The cells and what they are wired into: morphologies, cable, activation, network."""
