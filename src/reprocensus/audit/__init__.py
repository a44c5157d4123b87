"""Audit: what an engine said against what people said, and one run against another."""
