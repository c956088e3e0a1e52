"""Satellite scenes: folders of band files that are one image, of Sentinel-2 and Landsat."""
