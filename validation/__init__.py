"""Exact solutions, published numbers and peers; `rheobase validate` runs them."""
