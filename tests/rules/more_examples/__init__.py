"""Further examples of the rules, proven as those on the rules themselves; for rules whose test file is long."""
