"""Venue-level statistics from verdicts. Pure: frames in, frames out, any number of groups at once.

`judged` puts one engine's verdicts into one row a paper; all else starts from that.
"""

from reprocensus.statistics.comparison import differences
from reprocensus.statistics.intervals import newcombe, wilson, wilson_of
from reprocensus.statistics.judged import judged
from reprocensus.statistics.scores import edition_scores
from reprocensus.statistics.shares import venue_statistics
from reprocensus.statistics.trends import around_year, trends

__all__ = [
    "around_year",
    "differences",
    "edition_scores",
    "judged",
    "newcombe",
    "trends",
    "venue_statistics",
    "wilson",
    "wilson_of",
]
