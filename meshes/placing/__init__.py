"""Where devices sit on a head: scalp, landmarks, 10-10 positions, outlines of pads."""
