"""Where the log and the keys are kept."""
