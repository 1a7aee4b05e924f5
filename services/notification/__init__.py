"""Tells owners of noted matches, by signed webhooks and by lists that they can ask (step 10)."""
