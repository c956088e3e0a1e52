"""Virtual rasters: what is understood of them is all that GDAL sees."""

import os

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as translate
from refusals import refusal

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.raster import virtual as subject

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
BANDS = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)


@pytest.mark.parametrize(
    "name",
    [
        "/vsicurl/http://{}/a.tif",
        "http://{}/a.tif",
        "WMS:http://{}/",
        "WMS:http:/{}/a.tif",
        "/vsigzip//etc/hostname",
        "/etc/hostname",
        "../outside.tif",
        "link.tif",
        "pipe.tif",
        "gone.tif",
        "",
    ],
)
@pytest.mark.parametrize("form", ["plain", "lower", "relative", "attribute"])
def test_sources_are_files_of_the_folder(tmp_path, listener, write_raster, virtual, name, form):
    folder = tmp_path / "in"
    folder.mkdir()
    os.rename(write_raster(BANDS), tmp_path / "outside.tif")
    (folder / "link.tif").symlink_to(tmp_path / "outside.tif")
    os.mkfifo(folder / "pipe.tif")
    name = name.format(listener.address)
    tags = {
        "plain": f"<SourceFilename>{name}</SourceFilename>",
        "lower": f"<sourcefilename>{name}</sourcefilename>",
        "relative": f'<SourceFilename RelativeToVRT="1">{name}</SourceFilename>',
        "attribute": f'<SimpleSource SourceFilename="{name}"><SourceBand>1</SourceBand></SimpleSource>',
    }
    os.rename(virtual(tags[form]), folder / "v.vrt")
    refusal(folder / "v.vrt", "goes with|source has no name|of no single file")
    assert not listener.calls


def test_a_name_that_is_a_file_and_an_address(tmp_path, listener, write_raster, virtual, monkeypatch):
    """GDAL would take it for the address."""
    folder = tmp_path / "WMS:http:" / listener.address
    folder.mkdir(parents=True)
    os.rename(write_raster(BANDS), folder / "a.tif")
    monkeypatch.chdir(tmp_path)
    path = virtual(f"<SourceFilename>WMS:http://{listener.address}/a.tif</SourceFilename>")
    np.testing.assert_array_equal(read(path).array[..., 0], BANDS[0])
    assert not listener.calls


@pytest.mark.parametrize("kind", ["VRTRawRasterBand", "VRTDerivedRasterBand", "vrtrawrasterband"])
@pytest.mark.parametrize("form", ["subClass", "subclass", "SUBCLASS", "element"])
def test_bands_that_are_more_than_sources(tmp_path, virtual, kind, form):
    raw = "<SourceFilename relativetoVRT='0'>/etc/hostname</SourceFilename><ImageOffset>0</ImageOffset>"
    band = 'dataType="Byte" band="1"' + ("" if form == "element" else f' {form}="{kind}"')
    source = f"<subClass>{kind}</subClass>{raw}" if form == "element" else raw
    text = f"<VRTRasterBand {band}>{source}</VRTRasterBand>"
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="1">{text}</VRTDataset>')
    refusal(tmp_path / "v.vrt", "export it as GeoTIFF")


@pytest.mark.parametrize("kind", ["VRTWarpedDataset", "VRTPansharpenedDataset", "VRTProcessedDataset"])
def test_kinds_that_are_computed(tmp_path, kind):
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4" subClass="{kind}"></VRTDataset>')
    refusal(tmp_path / "v.vrt", f"of the kind '{kind}'")


@pytest.mark.parametrize("part", ["OpenOptions", "PixelFunctionType", "SourceDataset", "Group"])
def test_parts_that_are_not_known(write_raster, virtual, part):
    write_raster(BANDS)
    source = f'<SourceFilename relativeToVRT="1">r.tif</SourceFilename><{part}>x</{part}>'
    refusal(virtual(f"<SimpleSource>{source}</SimpleSource>"), f"with '{part}', which is not followed")


def test_systems_and_overviews_at_an_address(listener, write_raster, virtual):
    write_raster(BANDS)
    url = f"http://{listener.address}/a"
    overviews = f'<Metadata Domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{url}</MDI></Metadata>'
    path = virtual("r.tif", before=f"<SRS>{url}</SRS>{overviews}<OverviewList>2</OverviewList>")
    np.testing.assert_array_equal(read(path).array[..., 0], BANDS[0])
    read_info(path)
    assert not listener.calls


def test_an_ordinary_mosaic(tmp_path, write_raster, virtual):
    """What a description says of its pixels is kept: bands, names, nodata, place, colour tables, scales."""
    write_raster(BANDS, "a.tif", nodata=3, finish=lambda raster: raster.set_band_description(1, "red & <hot>"))
    with rasterio.open(tmp_path / "a.tif") as raster:
        translate(raster, tmp_path / "made.vrt", driver="VRT")
        crs, transform = raster.crs, raster.transform
    image = read(tmp_path / "made.vrt")
    assert image.channel_names == ("red & <hot>",)
    assert image.place.affine == tuple(transform)[:6]
    assert rasterio.CRS.from_wkt(image.place.crs) == crs
    assert not image.valid[0, 3]
    assert image.valid.sum() == 19
    source = '<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>1</SourceBand>'
    path = virtual(f"<complexSource>{source}<scaleratio>2</scaleratio><ScaleOffset>1</ScaleOffset></complexSource>")
    assert read(path).array[0, :3, 0].tolist() == [1, 3, 5]


def test_virtual_rasters_of_virtual_rasters(tmp_path, write_raster, virtual):
    write_raster(BANDS)
    virtual("r.tif", "a.vrt")
    (tmp_path / "below").mkdir()
    os.rename(tmp_path / "r.tif", tmp_path / "below" / "r.tif")
    os.rename(tmp_path / "a.vrt", tmp_path / "below" / "a.vrt")
    virtual("below/a.vrt", "b.vrt")
    np.testing.assert_array_equal(read(virtual("b.vrt")).array[..., 0], BANDS[0])
    source = read(tmp_path / "v.vrt", memory=0).pixels
    np.testing.assert_array_equal(source.read((slice(1, 3), slice(0, 5)))[0][..., 0], BANDS[0, 1:3])


def test_a_virtual_raster_of_itself(virtual):
    refusal(virtual("v.vrt"), "of itself")


def test_virtual_rasters_that_multiply(tmp_path, virtual, write_raster, monkeypatch):
    write_raster(BANDS)
    source = '<SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename></SimpleSource>'
    virtual("r.tif", "0.vrt")
    for level in range(1, 8):
        virtual(source.format(f"{level - 1}.vrt") * 8, f"{level}.vrt")
    monkeypatch.setattr(subject, "MOST_BYTES", 1 << 20)
    refusal(tmp_path / "7.vrt", "more than 1 MiB of descriptions")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xml", b"<GDAL_WMS><Service name='TMS'><ServerUrl>http://localhost/</ServerUrl></Service></GDAL_WMS>"),
        ("a.jpg", b"\xff\xd8\xff\xfe  <VRTDataset rasterXSize='5' rasterYSize='4'></VRTDataset>"),
        ("a.img", b"EHFA_HEADER_TAG<VRTDataset rasterXSize='5' rasterYSize='4'></VRTDataset>"),
        ("a.asc", b"ncols 5\nnrows 4\n<VRTDataset rasterXSize='5' rasterYSize='4'></VRTDataset>"),
        ("a.dat", b"<VRTDataset rasterXSize='5' rasterYSize='4'></VRTDataset>"),
        ("a.mrf", b"<MRF_META></MRF_META>"),
    ],
)
def test_sources_that_other_drivers_would_take(tmp_path, virtual, name, content):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "a.hdr").write_text("ENVI\nsamples = 5\nlines = 4\nbands = 1\n")
    refusal(virtual(name), "none of the files that mosaics are made of ")


@pytest.mark.parametrize(
    "content",
    [
        "<VRTDataset",
        "<a><VRTDataset/></a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><VRTDataset rasterXSize='5' rasterYSize='4'>&b;</VRTDataset>",
        "<VRTDataset rasterXSize='5'>\udcff</VRTDataset>",
        "<VRTDataset>" * 100_000,
        "<VRTDataset rasterXSize='5' rasterYSize='4'/>",
        "<VRTDataset rasterXSize='5' rasterYSize='4'><VRTRasterBand>"
        + "<MaskBand><VRTRasterBand>" * 2
        + "</VRTRasterBand></MaskBand>" * 2
        + "</VRTRasterBand></VRTDataset>",
    ],
)
def test_damaged_descriptions(tmp_path, content):
    (tmp_path / "v.vrt").write_text(content, errors="surrogateescape")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "v.vrt")
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_mask_beside_a_virtual_raster(tmp_path, write_raster, virtual):
    write_raster(BANDS)
    write_raster(BANDS, "v.vrt.msk")
    refusal(virtual("r.tif"), r"mask beside it \(v\.vrt\.msk\); export it")
