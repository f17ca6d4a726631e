"""A result looked at and worked on: a page in a browser, a notebook, a window."""
