"""What only several services together can be measured on; stands on them, and no service knows of it.

`python -m borderpost.evaluation --help`: whether the watchlist's thresholds keep their rate of false alarms with the
templates of the face engines.
"""
