"""Small scenes of Sentinel-2 and Landsat, with the names, folders, metadata and grids of those that are delivered."""

from pathlib import Path

import numpy as np
import rasterio

S2_BANDS = {
    "B02": 10,
    "B03": 10,
    "B04": 10,
    "B08": 10,
    "B05": 20,
    "B06": 20,
    "B07": 20,
    "B8A": 20,
    "B11": 20,
    "B12": 20,
    "B01": 60,
    "B09": 60,
}
S2_ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
LEFT, TOP, CRS = 300_000, 4_900_020, "EPSG:32632"


def write_band(path, values, metres, *, left=LEFT, top=TOP, crs=CRS, **options):
    """Write numbers (rows, columns) as a band with square pixels of so many metres."""
    driver = {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES"} if path.suffix == ".jp2" else {}
    if path.suffix != ".jp2":
        driver = {"driver": "GTiff"}
    profile = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype, "crs": crs}
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = rasterio.Affine(metres, 0, left, 0, -metres, top)
    with rasterio.open(path, "w", **profile, transform=transform, **driver, **options) as file:
        file.write(values, 1)
    return path


def stored_bands(rng, side=60, bands=S2_BANDS):
    """Numbers of each band, at its resolution: a dark and a bright half, which reflect unlike in each band."""
    made = {}
    for number, (band, metres) in enumerate(bands.items()):
        n = side * 10 // metres
        halves = np.where(np.arange(n) < n // 2, 1500 + 50 * number, 3500 + 100 * number)
        made[band] = (halves + rng.integers(-100, 100, (n, n))).astype(np.uint16)
    return made


def s2_metadata(level, images, offset=-1000):
    """The metadata of a product, as far as programs read them."""
    kind = "BOA" if level == "2A" else "RADIO"
    offsets = "".join(f'<{kind}_ADD_OFFSET band_id="{i}">{offset}</{kind}_ADD_OFFSET>' for i in range(13))
    listed = (
        f"<{kind}_ADD_OFFSET_VALUES_LIST>{offsets}</{kind}_ADD_OFFSET_VALUES_LIST>"
        if level == "2A"
        else (f"<Radiometric_Offset_List>{offsets}</Radiometric_Offset_List>")
    )
    if offset is None:
        listed = ""
    files = "".join(f"<IMAGE_FILE>{each}</IMAGE_FILE>" for each in images)
    quantification = (
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
        '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
        if level == "2A"
        else '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    )
    baseline = "02.14" if offset is None else "05.09"
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}'
        '.xsd"><n1:General_Info><Product_Info><PRODUCT_START_TIME>2023-06-05T10:15:59.024Z</PRODUCT_START_TIME>'
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><Datatake><DATATAKE_SENSING_START>"
        "2023-06-05T10:15:59.024Z</DATATAKE_SENSING_START></Datatake><Product_Organisation><Granule_List><Granule>"
        f"{files}</Granule></Granule_List></Product_Organisation></Product_Info><Product_Image_Characteristics>"
        f"{quantification}{listed}</Product_Image_Characteristics></n1:General_Info></n1:Level-{level}_User_Product>"
    )


def make_safe(folder, stored, *, level="2A", offset=-1000, suffix=".jp2", date="20230605", scl=None, tile="T32TLQ"):
    """Make a .SAFE folder of bands {name: numbers} and return its path."""
    safe = Path(folder) / f"S2A_MSIL{level}_{date}T101559_N0509_R065_{tile}_{date}T150000.SAFE"
    granule = f"GRANULE/L{level}_{tile}_A041534_{date}T101559/IMG_DATA"
    images = []
    for band, values in stored.items():
        metres = S2_BANDS.get(band, 60)
        place = f"{granule}/R{metres}m" if level == "2A" else granule
        name = f"{place}/{tile}_{date}T101559_{band}" + (f"_{metres}m" if level == "2A" else "")
        write_band(safe / f"{name}{suffix}", values, metres)
        images.append(name)
    if scl is not None:
        write_band(safe / f"{granule}/R20m/{tile}_{date}T101559_SCL_20m{suffix}", scl, 20)
    (safe / f"MTD_MSIL{level}.xml").write_text(s2_metadata(level, images, offset))
    (safe / "manifest.safe").write_text('<?xml version="1.0"?><xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1"/>')
    return safe


def landsat_metadata(scene, bands, level):
    """The text *_MTL.txt, with keys that both levels have and other numbers for each."""
    contents = "\n".join(f'    FILE_NAME_BAND_{b} = "{scene}_{_prefix(b, level)}B{b}.TIF"' for b in bands)

    def numbers(mult, add):
        lines = [f"    REFLECTANCE_MULT_BAND_{b} = {mult}" for b in bands if b != 10]
        return "\n".join(lines + [f"    REFLECTANCE_ADD_BAND_{b} = {add}" for b in bands if b != 10])

    surface = (
        f"  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS\n{numbers('2.75e-05', '-0.2')}\n"
        "  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS\n"
    )
    return (
        f"GROUP = LANDSAT_METADATA_FILE\n  GROUP = PRODUCT_CONTENTS\n{contents}\n  END_GROUP = PRODUCT_CONTENTS\n"
        + (surface if level == 2 else "")
        + f"  GROUP = LEVEL1_RADIOMETRIC_RESCALING\n{numbers('2.0000E-05', '-0.100000')}\n"
        "    RADIANCE_MULT_BAND_10 = 3.3420E-04\n    RADIANCE_ADD_BAND_10 = 0.10000\n"
        "  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING\nEND_GROUP = LANDSAT_METADATA_FILE\nEND\n"
    )


def _prefix(band, level):
    return "" if level == 1 else "ST_" if band == 10 else "SR_"


def make_landsat(folder, stored, *, level=2, satellite="LC08", date="20230605", qa=None, metadata=True):
    """Make the folder of a scene of bands {number: numbers} and return its path."""
    kind = "L2SP" if level == 2 else "L1TP"
    scene = f"{satellite}_{kind}_195028_{date}_20230613_02_T1"
    place = Path(folder) / scene
    for band, values in stored.items():
        write_band(place / f"{scene}_{_prefix(band, level)}B{band}.TIF", values, 30, tiled=True, compress="deflate")
    if qa is not None:
        write_band(place / f"{scene}_QA_PIXEL.TIF", qa, 30)
    if metadata:
        (place / f"{scene}_MTL.txt").write_text(landsat_metadata(scene, stored, level))
    return place
