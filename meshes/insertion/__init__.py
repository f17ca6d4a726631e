"""Bodies that enter a finished mesh: electrodes with gel, leads and other implicit shapes."""
