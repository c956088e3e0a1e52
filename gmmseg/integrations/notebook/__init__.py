"""gmmseg in notebooks: what results show of themselves."""
