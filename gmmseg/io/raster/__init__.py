"""Rasters that GDAL reads, and GeoTIFF."""
