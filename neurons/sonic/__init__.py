"""Neurons under ultrasound by intramembrane cavitation: sonophore, effective rates, thresholds."""
