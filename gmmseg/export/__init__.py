"""What results look like in other programs: overlays, palettes, exchange formats."""
