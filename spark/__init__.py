"""Sweeps and backlogs by Spark: what outgrows one process, with the same results."""
