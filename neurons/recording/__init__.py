"""What electrodes see of a network: potentials in the cortex, current sources, dipoles for EEG."""
