"""Prefect flows that run the stages of reprocensus."""
