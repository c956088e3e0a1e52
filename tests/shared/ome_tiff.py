"""OME-TIFF files whose XML says what a test wants."""

import tifffile

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def uuid(number):
    return f"urn:uuid:{number:08d}-1111-1111-1111-111111111111"


def ome_xml(shape, data, *, number=0, more=""):
    """Make XML of an image of (n_z, n_channels, rows, columns) of uint8."""
    n_z, n_c, rows, columns = shape
    channels = "".join(f'<Channel ID="Channel:0:{c}" Name="{"abcdef"[c]}"/>' for c in range(n_c)) if n_c < 6 else ""
    return (
        f'<OME xmlns="{NAMESPACE}" UUID="{uuid(number)}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYCZT" Type="uint8" SizeX="{columns}" SizeY="{rows}" SizeC="{n_c}" SizeZ="{n_z}" SizeT="1">'
        f"{channels}{data}</Pixels></Image>{more}</OME>"
    )


def plane(c=0, z=0, ifd=0, name=None, number=0, count=1):
    """Make an element that says where a plane is."""
    inside = "" if name is None else f'<UUID FileName="{name}">{uuid(number)}</UUID>'
    return f'<TiffData FirstC="{c}" FirstZ="{z}" FirstT="0" IFD="{ifd}" PlaneCount="{count}">{inside}</TiffData>'


def write_ome(path, values, xml, **options):
    """Write pages of one file; options are tifffile's."""
    options = {"photometric": "minisblack", "compression": "zlib", "metadata": None} | options
    tifffile.imwrite(path, values, description=xml, **options)


def write_set(folder, values, *, leave_out=(), **options):
    """Write one file a plane of (n_z, n_channels, rows, columns), named 0.ome.tif and so on; return the first."""
    planes = [(z, c) for z in range(values.shape[0]) for c in range(values.shape[1])]
    data = "".join(plane(c, z, 0, f"{i}.ome.tif", i) for i, (z, c) in enumerate(planes))
    for i, (z, c) in enumerate(planes):
        if i not in leave_out:
            write_ome(folder / f"{i}.ome.tif", values[z, c], ome_xml(values.shape, data, number=i), **options)
    return folder / "0.ome.tif"
