"""gmmseg evaluate."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import rasterio
from PIL import Image as Pillow

from gmmseg.io import read_labels


def test_a_table_for_people_and_json_for_programs(run):
    truth = np.ones((40, 60), np.uint8)
    truth[:, 20:40], truth[:, 40:] = 5, 9
    ours = truth.copy()
    ours[:10, :20] = 5
    np.save("truth.npy", truth)
    np.save("ours.npy", ours)
    text = run("evaluate", "ours.npy", "truth.npy").out
    assert "covering                         0.8" in text
    assert "Dice of true class 9             1.0000  (label 9)" in text
    facts = json.loads(run("evaluate", "ours.npy", "truth.npy", "truth.npy", "--json").out)
    assert facts["dice"] == {"1": 6 / 7, "5": 8 / 9, "9": 1.0}
    assert 0 < facts["boundary_f"] < 1


def test_what_cannot_be_compared_is_one_line(refuse):
    np.save("truth.npy", np.ones((4, 6), np.uint8))
    np.save("ours.npy", np.ones((4, 5), np.uint8))
    assert "the truth has (4, 6)" in refuse("evaluate", "ours.npy", "truth.npy", code=2)
    assert "none.npy does not exist" in refuse("evaluate", "ours.npy", "none.npy", code=1)
    assert "TRUTH is missing" in refuse("evaluate", "ours.npy", code=2)


@pytest.fixture
def scenes(folder):
    """before.tif and after.tif of 30 m, 6 x 8 pixels; three classes, named; the first row has no data."""
    before = np.ones((6, 8), np.uint8)
    before[:, 4:] = 2
    before[0] = 0
    after = before.copy()
    after[1:3, 4:] = 1
    after[5, 0] = 3
    profile = {"driver": "GTiff", "height": 6, "width": 8, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    for name, values, left in (("before", before, 0), ("after", after, 0), ("moved", after, 15)):
        transform = rasterio.Affine(30, 0, 390_000 + left, 0, -30, 5_820_000)
        with rasterio.open(f"{name}.tif", "w", transform=transform, **profile) as raster:
            raster.write(values[None])
    return before, after


def table(places, header="x,y,class"):
    """Points at the centres of pixels: (row, column, class)."""
    rows = [f"{390_000 + 30 * column + 15},{5_820_000 - 30 * row - 15},{each}" for row, column, each in places]
    return "\n".join([header, *rows])


def test_points(run, folder, scenes):
    (folder / "plots.csv").write_text(table([(1, 0, 1), (2, 1, 1), (3, 2, 2), (1, 5, 2), (2, 6, 2), (0, 0, 1)]))
    finished = run("evaluate", "before.tif", "plots.csv")
    assert finished.code == 0
    assert "map \\ truth  1  2  points" in finished.out
    # Both classes have 20 pixels of 0.09 ha, on the ground a little more; of the first a third is the second.
    sizes = [line.split()[-4:] for line in finished.out.splitlines() if "+-" in line]
    assert sizes[0] == ["1.801", "1.201", "+-", "1.177"]
    assert "1 of 6 points lie where before.tif has no data; they are left out" in finished.err
    facts = json.loads(run("evaluate", "before.tif", "plots.csv", "--json", "--confidence", 0.9).out)
    assert facts["matrix"] == [[2, 1], [0, 2]]
    assert facts["overall"]["value"] == pytest.approx(5 / 6)
    assert (facts["unit"], facts["total_area"]) == ("ha", pytest.approx(3.6, rel=1e-3))
    assert facts["users"]["1"]["error"] == pytest.approx(1.6449 * (2 / 9 / 2) ** 0.5, rel=1e-3)


def test_points_by_name(run, folder, scenes):
    (folder / "plots.csv").write_text(table([(1, 0, "sea"), (2, 5, "land")]))
    assert "overall accuracy 1.0000" in run("evaluate", "before.tif", "plots.csv", "--class-names", "sea,land").out


def test_a_change_map_in_hectares(run, folder, scenes):
    finished = run("evaluate", "before.tif", "after.tif", "--change-map", "change.tif")
    assert finished.code == 0, finished.err
    assert finished.out.splitlines()[0].startswith("before \\ after (ha)")
    assert [line.split()[2:] for line in finished.out.splitlines()[1:4]] == [
        ["1.711", "0", "0.09005", "1.801"],  # UTM shows squares as 0.9994 of what they are here
        ["0.7204", "1.081", "0", "1.801"],
        ["0", "0", "0", "0"],
    ]
    before, after = scenes
    expected = np.where(before == 0, 0, np.where(before == after, 1, np.where(after == 3, 3, 2)))
    np.testing.assert_array_equal(read_labels("change.tif"), expected)
    with rasterio.open("change.tif") as raster:
        assert raster.transform.c == 390_000
    facts = json.loads(
        run("evaluate", "before.tif", "after.tif", "--change-map", "change.tif", "--overwrite", "--json").out
    )
    assert facts["kinds"] == {"1": "unchanged", "2": "class 2 to class 1", "3": "class 1 to class 3"}


@pytest.fixture
def areas(folder, scenes):
    """Training areas of 4 and 7 in before.tif, as areas.tif, and the same without a place; all right but one pixel."""
    truth = np.zeros((6, 8), np.uint8)
    truth[2:4, 1:3], truth[3:5, 5:8] = 4, 7
    truth[4, 7] = 4
    with rasterio.open("before.tif") as raster:
        profile = raster.profile
    with rasterio.open("areas.tif", "w", **profile) as raster:
        raster.write(truth[None])
    np.save("areas.npy", truth)
    np.save("before.npy", scenes[0])


def test_areas_on_the_ground_are_partly_labelled(run, areas):
    finished = run("evaluate", "before.tif", "areas.tif")
    assert "the truth is 0 at 75.0% of the pixels that have a label, which are left out; with --fully-" in finished.err
    assert finished.out.splitlines()[-1] == "overall accuracy 0.9000, kappa 0.8000"
    facts = json.loads(run("evaluate", "before.tif", "areas.tif", "--json").out)
    assert facts["dice"] == {"4": pytest.approx(8 / 9), "7": pytest.approx(10 / 11)}
    assert facts["confusion"]["matrix"] == [[4, 0], [1, 5]]
    assert facts["confusion"]["users"] == {"4": 1.0, "7": pytest.approx(5 / 6)}
    whole = run("evaluate", "before.tif", "areas.tif", "--fully-labelled", "--json")
    assert whole.err == ""
    assert json.loads(whole.out)["dice"] == {"4": pytest.approx(8 / 25), "7": pytest.approx(10 / 25)}


def test_areas_in_an_array_count_as_before_and_that_is_said(run, areas):
    finished = run("evaluate", "before.npy", "areas.npy", "--json")
    assert json.loads(finished.out)["dice"] == {"4": pytest.approx(8 / 25), "7": pytest.approx(10 / 25)}
    assert "count as wrong in Dice and boundaries; --partly-labelled leaves them out" in finished.err
    partly = run("evaluate", "before.npy", "areas.npy", "--partly-labelled", "--json")
    assert (json.loads(partly.out)["dice"]["4"], partly.err) == (pytest.approx(8 / 9), "")


def test_a_background_that_both_maps_have_is_nothing_to_say(run, folder):
    truth = np.zeros((10, 20), np.uint8)
    truth[2:8, 2:9], truth[2:8, 9:18] = 1, 2
    np.save("truth.npy", truth)
    np.save("ours.npy", np.roll(truth, 1, axis=1))
    assert run("evaluate", "ours.npy", "truth.npy").err == ""


def test_objects_and_masks(run, folder):
    truth = np.zeros((30, 40), np.uint8)
    truth[2:9, 2:9], truth[20:27, 20:27] = 255, 255
    ours = np.roll(truth, 1, axis=0)
    ours[20:, :] = 0
    Pillow.fromarray(truth).save("truth.png")
    Pillow.fromarray(ours).save("ours.png")
    facts = json.loads(run("evaluate", "ours.png", "truth.png", "--instances", "--json").out)
    assert (facts["found"], facts["true"], facts["f1"]["0.75"]) == (1, 2, pytest.approx(2 / 3))
    assert "Dice of the background" in run("evaluate", "ours.png", "truth.png").out
    assert "background" not in run("evaluate", "ours.png", "truth.png", "--no-background").out


def test_surfaces_of_volumes_in_millimetres(run, folder):
    truth = np.zeros((12, 12, 12), np.uint8)
    truth[2:8, 2:8, 2:8], truth[9:11] = 1, 2
    ours = np.where(truth, 3 - truth, 0).astype(np.uint8)
    ours[2, 2:8, 2:8] = 0
    for name, values in (("truth", truth), ("ours", ours)):
        header = nibabel.Nifti1Image(values, np.diag([2.0, 1, 1, 1]))
        header.header.set_xyzt_units("mm")
        nibabel.save(header, f"{name}.nii.gz")
    finished = run("evaluate", "ours.nii.gz", "truth.nii.gz", "--surfaces")
    assert finished.out.splitlines()[-2].split()[3:] == ["0.3600", "0.4320", "-16.7%"]
    facts = json.loads(run("evaluate", "ours.nii.gz", "truth.nii.gz", "--surfaces", "--json").out)
    assert facts["unit"] == "mm"
    assert facts["surfaces"]["1"]["hausdorff95"] == pytest.approx(2)
    assert facts["surfaces"]["1"]["volume"] == pytest.approx(5 * 36 * 2)
    assert facts["surfaces"]["1"]["difference"] == pytest.approx(-1 / 6)
    assert facts["surfaces"]["2"]["hausdorff95"] == 0
    command = ["evaluate", "ours.nii.gz", "truth.nii.gz", "--change-map", "change.nii.gz", "--json"]
    facts = json.loads(run(*command).out)
    assert (facts["unit"], np.sum(facts["areas"])) == ("ml", pytest.approx((5 * 36 + 288) * 2 / 1000))
    numbered = json.loads(run("evaluate", "ours.nii.gz", "truth.nii.gz", "--as-numbered", "--json").out)
    assert numbered["dice"]["1"] == 0


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        ("before.tif outside.csv", "outside.csv: 1 of 2 points lie outside of the label map, the first at 1, 2", 2),
        ("before.tif lake.csv", "lake.csv has a point of class 'lake'; the classes are not named in the label map", 2),
        ("before.tif none.csv", "none.csv cannot be read", 1),
        ("before.tif nodata.csv", "no point lies where before.tif has a class", 2),
        ("before.tif outside.csv --instances", "--instances is for truths that are label maps", 2),
        ("before.tif outside.csv --fully-labelled", "--fully-labelled is for truths that are label maps", 2),
        ("before.tif outside.csv after.tif", "points in outside.csv is compared one at a time", 2),
        ("before.tif after.tif after.tif --surfaces", "--surfaces is compared one at a time, but 2 truths", 2),
        ("before.tif moved.tif", "moved.tif lies elsewhere than before.tif", 1),
        ("before.tif moved.tif --change-map c.tif", "moved.tif lies elsewhere than before.tif", 1),
        ("before.tif photo_labels.png --change-map c.tif", "before.tif has shape (6, 8), the truth has (40, 60)", 2),
        ("before.tif after.tif --change-map after.tif --overwrite", "would be written over an input", 2),
        ("before.tif after.tif --change-map photo.png", "photo.png exists already; pass --overwrite", 1),
        ("before.tif after.tif --change-map c.tif --instances", "--change-map and --instances do not go together", 2),
        ("before.tif after.tif --confidence 95", "95", 2),
    ],
)
def test_refusals(refuse, folder, scenes, arguments, words, code):
    (folder / "outside.csv").write_text(f"{table([(1, 0, 1)])}\n1,2,1\n")
    (folder / "lake.csv").write_text(table([(1, 0, "lake")]))
    (folder / "nodata.csv").write_text(table([(0, 0, 1)]))
    Pillow.fromarray(np.ones((40, 60), np.uint8)).save("photo_labels.png")
    assert words in refuse("evaluate", *arguments.split(), code=code)


def test_places_of_every_format_count(run, refuse):
    labels = np.ones((4, 5, 6), np.uint8)
    labels[2:] = 2
    for name, origin in (("a", 0), ("b", 500)):
        header = (
            f"NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 6 5 4\nencoding: raw\n"
            f"space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: ({origin},0,0)\n\n"
        )
        Path(f"{name}.nrrd").write_bytes(header.encode() + labels.tobytes())
    assert "b.nrrd lies elsewhere than a.nrrd" in refuse("evaluate", "a.nrrd", "b.nrrd", code=1)
    assert json.loads(run("evaluate", "a.nrrd", "a.nrrd", "--surfaces", "--json").out)["unit"] == "mm"


def test_options_that_would_do_nothing_are_refused(refuse):
    np.save("a.npy", np.ones((4, 5), np.uint8))
    for options in (("--instances", "--surfaces"), ("--instances", "--background"), ("--class-names", "a")):
        assert options[0] in refuse("evaluate", "a.npy", "a.npy", *options, code=2)
    for options in (("--partly-labelled", "--surfaces"), ("--fully-labelled", "--instances")):
        assert f"{options[0]} and {options[1]} do not go together" in refuse(
            "evaluate", "a.npy", "a.npy", *options, code=2
        )
    assert "--confidence is for truths that are points" in refuse(
        "evaluate", "a.npy", "a.npy", "--confidence", ".9", code=2
    )
