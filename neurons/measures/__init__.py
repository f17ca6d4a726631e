"""What is measured on spikes and signals: spectra, locking, connectivity, waves; and sweeps."""
