"""The protected set in memory, and which of its images an image shows (paper, step 8)."""
