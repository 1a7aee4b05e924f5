"""The matcher: compares, decides, keeps matches and reviews (paper, Algorithm 2, steps 8 and 9)."""
