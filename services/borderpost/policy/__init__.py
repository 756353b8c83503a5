"""The policy: from what was found to an outcome. Data from a TOML file and pure functions over it; needs no service."""
