"""Gaussian mixtures on planes: parameters, sufficient statistics, seeding, EM. Knows no image."""
