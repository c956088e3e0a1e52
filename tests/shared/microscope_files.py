"""Files as microscopes and ImageJ write them: bright squares on noise, in two channels, in planes, over time."""

import numpy as np
import tifffile

LENGTHS = {"T": 4, "Z": 3, "C": 2, "Y": 24, "X": 30}
SIZES = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 1.5}
INTERVAL = {"TimeIncrement": 2.5, "TimeIncrementUnit": "s"}


def pixels(axes, seed=0):
    """Make uint16 values (*axes)."""
    shape = tuple(LENGTHS[axis] for axis in axes)
    values = np.random.default_rng(seed).normal(100, 8, shape)
    values[..., 6:16, 8:20] += 80
    return values.round().astype(np.uint16)


def write_ome(path, axes, **options):
    """Write an OME-TIFF file of these axes, its channels named DAPI and GFP, and return its values."""
    values = pixels(axes)
    facts = {"axes": axes, **{name: size for name, size in SIZES.items() if name[-1] in axes}}
    facts |= {"Channel": {"Name": ["DAPI", "GFP"]}} if "C" in axes else {}
    facts |= INTERVAL if "T" in axes else {}
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=facts, **options)
    return values


def write_imagej(path, axes, **facts):
    """Write an ImageJ file of these axes, 0.2 by 0.25 microns, planes 1.5 microns apart, and return its values."""
    values = pixels(axes)
    own = {"axes": axes, "unit": "micron"}
    own |= {"spacing": 1.5} if "Z" in axes else {}
    own |= {"finterval": 2.5} if "T" in axes else {}
    if "C" in axes:
        own["Labels"] = ["DAPI", "GFP"] * (values.size // (2 * 24 * 30))
    tifffile.imwrite(path, values, imagej=True, resolution=(5, 4), metadata=own | facts)
    return values
