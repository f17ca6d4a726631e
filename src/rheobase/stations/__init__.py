"""The stations of a study, from head to network; each adds its part to the book of the run."""
