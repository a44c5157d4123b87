"""reprocensus: what AI papers document for their reproduction, judged with quoted evidence."""

__version__ = "0.1.0"
