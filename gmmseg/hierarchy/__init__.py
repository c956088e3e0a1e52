"""Connected regions at every level of detail."""
