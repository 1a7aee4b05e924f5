"""Runs over many images at once: asked for, due or handed over; launched as Spark jobs, watched."""
