"""The registration service: owners, their keys, and their photos (paper, steps 1 to 3)."""
