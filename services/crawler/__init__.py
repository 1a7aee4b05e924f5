"""The crawler: visits sites incrementally and keeps the images that it finds (steps 4 to 7)."""
