"""From the wanted field back to the currents: targets, limits and optimal montages."""
