"""What waits for reviewers, and what they decide (paper, step 9)."""
