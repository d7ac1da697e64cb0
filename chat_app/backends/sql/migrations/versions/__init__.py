"""One module a revision, in order of its name."""
