"""Make a study of simulated heads, segment it by one command, kill that and resume it, and compare volumes and bytes.

usage: benchmark_study.py DATA [--subjects N] [--step N] [--series N] [--keep FOLDER]      needs the `test` extra

DATA has anatomies (`brains/*.nii.gz`, numbers of structures as FreeSurfer has them) and a head whose brain is all that
is not 0 (`samples/ch2bet.nii.gz`). Each subject is one of them, turned by some degrees, with noise of 0.05 and a gain
over the image of 0.3, stored with its axes in some order and from some end, as .nii or .nii.gz; its mask is stored in
another order. `--step 2` takes every second voxel. The volumes of all subjects are compared with their truth, the
outputs of a run that was killed several times with those of one that was not, and the places of all outputs with those
of their images, as nibabel and SimpleITK read them. The scans are stored as DICOM series too, and segmented under the
same masks; highdicom reads where the voxels of the segmentations lie.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from scipy import ndimage

import gmmseg

NOISE, GAIN = 0.05, 0.3
TISSUES = ("csf", "gm", "wm")
STRUCTURES = (
    (4, 5, 14, 15, 24, 43, 44),
    (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58),
    (2, 41, 7, 46, 77, 85),
)
ORDERS = ("RAS", "LPS", "LAS", "PIR", "ASL", "SRP", "RIA", "IAL")
MASK = "{folder}/../../derivatives/masks/{subject}/anat/{subject}_desc-brain_mask.nii.gz"
PROGRAM = "from gmmseg.cli import program; program()"


def anatomies(data: Path, step: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the tissue (0 to 3) of each voxel, and the affine, of each head."""
    found = []
    for path in [*sorted((data / "brains").glob("*.nii.gz")), data / "samples" / "ch2bet.nii.gz"]:
        scan = nib.as_closest_canonical(nib.load(path))
        numbers = np.asarray(scan.dataobj)[::step, ::step, ::step]
        if "ch2bet" in path.name:  # no anatomy comes with it: its own tissue is the truth of what is made from it
            tissue = gmmseg.segment(numbers.astype(np.float32), 3, mask=numbers > 0, channel_axis=None).labels
            ranks = np.argsort(np.argsort([numbers[tissue == c].mean() for c in (1, 2, 3)]))
            tissue = np.array([0, *(ranks + 1)])[tissue]
        else:
            tissue = np.select([np.isin(numbers, each) for each in STRUCTURES], [1, 2, 3], 0)
        box = tuple(slice(max(0, each.min() - 2), each.max() + 3) for each in np.nonzero(tissue))
        found.append((tissue[box].astype(np.uint8), scan.affine @ np.diag([step, step, step, 1])))
    return found


def stored(path: Path, values: np.ndarray, affine: np.ndarray, order: str) -> None:
    """Write a scan with its axes in some order."""
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(order))
    turned = nib.apply_orientation(values, turn)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(turned, affine @ inv_ornt_aff(turn, values.shape)), path)


def make(data: Path, raw: Path, subjects: int, step: int) -> dict[str, np.ndarray]:
    """Write the study, and return the millilitres of each tissue by subject."""
    heads = anatomies(data, step)
    truth = {}
    for number in range(subjects):
        rng = np.random.default_rng(number)
        tissue, affine = heads[number % len(heads)]
        tissue = ndimage.rotate(tissue, rng.uniform(-8, 8), (0, 1), reshape=False, order=0)
        z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in tissue.shape), indexing="ij")
        a, b, c = rng.normal(size=3)
        field = a * z + b * y * y + c * z * x
        volume = np.array([0, 0.2, 0.55, 0.85])[tissue] * np.exp(GAIN * field / np.abs(field).max())
        volume += rng.normal(0, NOISE, volume.shape) * (tissue > 0)
        name = f"sub-{number + 1:02}"
        order, other = rng.choice(ORDERS, 2, replace=False)
        suffix = ("nii.gz", "nii")[number % 2]
        kind = (np.float32, np.int16)[number // 2 % 2]
        values = (volume if kind is np.float32 else np.rint(1000 * volume)).astype(kind)
        stored(raw / name / "anat" / f"{name}_T1w.{suffix}", values, affine, order)
        mask = raw / "derivatives" / "masks" / name / "anat" / f"{name}_desc-brain_mask.nii.gz"
        stored(mask, (tissue > 0).astype(np.uint8), affine, other)
        voxel = abs(np.linalg.det(affine[:3, :3])) / 1000
        truth[name] = np.bincount(tissue.ravel(), minlength=4)[1:] * voxel
    return truth


def batch(raw: Path, results: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the one command."""
    command = [sys.executable, "-P", "-c", PROGRAM, "batch", str(raw), "--bids", "--mask", MASK, "-k", "3", "-q"]
    command += ["--class-names", ",".join(TISSUES), "--bias-field", "--also", "soft", "--out-dir", str(results)]
    command += ["--table", f"{results}.csv", *options]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])})


def killed(raw: Path, results: Path, subjects: int) -> int:
    """Kill a run when one and two thirds of the subjects are done, resume it, and return how often it was killed."""
    manifest, kills = results / "manifest.jsonl", 0
    for share in (1 / 3, 2 / 3):
        running = batch(raw, results, "--resume")
        while running.poll() is None:
            if manifest.exists() and manifest.read_bytes().count(b"\n") >= max(1, share * subjects):
                running.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.02)
        running.wait()
    if batch(raw, results, "--resume").wait():
        raise SystemExit("the resumed run failed")
    return kills


def digests(folder: Path) -> dict[str, str]:
    """Return the hashes of the results; the manifest has times in it."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.jsonl"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def moved(raw: Path, results: Path) -> int:
    """Return how many outputs do not lie where their images do, by nibabel or by SimpleITK."""
    import SimpleITK  # here, because it is of the test extra

    wrong = 0
    for path in sorted(results.rglob("*seg.nii.gz")):
        name = path.name.partition("_")[0]
        (image,) = (raw / name / "anat").glob("*_T1w.*")
        same = np.allclose(nib.load(path).affine, nib.load(image).affine, atol=1e-4)
        one, two = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(image))
        for each in ("GetOrigin", "GetDirection", "GetSpacing", "GetSize"):
            same &= np.allclose(getattr(one, each)(), getattr(two, each)(), atol=1e-4)
        wrong += not same
    return wrong


def as_series(folder: Path, scan: nib.Nifti1Image) -> None:
    """Write a scan as a DICOM series of slices along its last axis."""
    import pydicom  # here, because few of these runs need it
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True)
    affine = np.diag([-1, -1, 1, 1]) @ scan.affine  # towards left and back, as in DICOM
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    values = np.asarray(scan.dataobj)
    values = np.rint(1000 * values if values.dtype.kind == "f" else values).astype(np.int16)
    for number in range(values.shape[2]):
        made = pydicom.Dataset()
        made.file_meta = pydicom.dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
        made.SeriesInstanceUID, made.StudyInstanceUID, made.FrameOfReferenceUID = series, study, frame
        made.Modality, made.PatientID, made.InstanceNumber = "CT", folder.name, number + 1
        for name in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
            setattr(made, name, "")
        made.AccessionNumber, made.ReferringPhysicianName, made.SeriesNumber = "", "", 1
        made.Rows, made.Columns = values.shape[1], values.shape[0]
        made.ImageOrientationPatient = [*np.round(affine[:3, 0] / steps[0], 6), *np.round(affine[:3, 1] / steps[1], 6)]
        made.ImagePositionPatient = [*np.round(affine[:3, 3] + number * affine[:3, 2], 4)]
        made.PixelSpacing, made.SliceThickness = [steps[1], steps[0]], steps[2]
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
        made.RescaleSlope, made.RescaleIntercept = 1, 0
        made.PixelData = np.ascontiguousarray(values[:, :, number].T).tobytes()
        made.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def elsewhere(raw: Path, place: Path, names: list[str]) -> int:
    """Return how many DICOM segmentations have other labels, where highdicom places them, than NIfTI ones there."""
    try:
        import highdicom  # here, because it is of the test extra
    except ImportError:
        raise SystemExit("highdicom is not there to read the segmentations: pip install highdicom") from None
    wrong = 0
    for name in names:
        (scan,) = (raw / name / "anat").glob("*_T1w.*")
        (mask,) = (raw / "derivatives" / "masks" / name / "anat").glob("*_mask.nii.gz")
        as_series(place / name, nib.load(scan))
        for suffix in ("dcm", "nii.gz"):
            command = [sys.executable, "-P", "-c", PROGRAM, "segment", str(place / name), "--mask", str(mask)]
            command += ["-k", "3", "--bias-field", "-q", "-o", str(place / f"{name}.{suffix}")]
            environment = {**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])}
            subprocess.run(command, check=True, env=environment)
        seg = highdicom.seg.segread(place / f"{name}.dcm").get_volume(combine_segments=True)
        labels = nib.load(place / f"{name}.nii.gz")
        found = np.argwhere(seg.array)
        points = np.diag([-1, -1, 1, 1]) @ seg.affine @ np.append(found, np.ones((len(found), 1)), axis=1).T
        index = np.linalg.inv(labels.affine) @ points
        there = np.rint(index[:3]).astype(int)
        expected = np.asarray(labels.dataobj)
        same = np.allclose(index[:3], there, atol=0.01) and len(found) == np.count_nonzero(expected)
        wrong += not (same and (expected[tuple(there)] == seg.array[tuple(found.T)]).all())
    return wrong


def deviations(table: Path, truth: dict[str, np.ndarray]) -> np.ndarray:
    """Return by how many percent of the truth each volume is off, (subjects, tissues)."""
    found = {name: np.zeros(3) for name in truth}
    with table.open() as file:
        for row in csv.DictReader(file):
            found[Path(row["image"]).name.partition("_")[0]][int(row["label"]) - 1] = float(row["volume_ml"])
    return np.array([100 * (found[name] / truth[name] - 1) for name in truth])


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--subjects", type=int, default=40)
    arguments.add_argument("--step", type=int, default=1)
    arguments.add_argument("--series", type=int, default=40, help="how many are stored as DICOM series too")
    arguments.add_argument("--keep", type=Path, help="a folder for the study and its results")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        raw = folder / "raw"
        truth = make(chosen.data, raw, chosen.subjects, chosen.step)
        print(f"{chosen.subjects} subjects made", flush=True)
        start = time.perf_counter()
        if batch(raw, raw / "derivatives" / "gmmseg").wait():
            raise SystemExit("the run failed")
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"one command: {wall:.0f} s, {(used.ru_utime + used.ru_stime) / chosen.subjects:.1f} CPU seconds a subject"
        )
        off = deviations(raw / "derivatives" / "gmmseg.csv", truth)
        for tissue, column in zip(TISSUES, off.T, strict=True):
            within = np.mean(np.abs(column) <= 1)
            print(f"{tissue:4} off by {column.mean():+.2f} % on average, {np.abs(column).max():.2f} at most, ", end="")
            print(f"within 1 %: {within:.0%}")
        print(f"outputs in another place: {moved(raw, raw / 'derivatives' / 'gmmseg')}", flush=True)
        series = [*truth][: chosen.series]
        print(f"DICOM segmentations of {len(series)} in another place: {elsewhere(raw, folder / 'dicom', series)}")
        kills = killed(raw, raw / "derivatives" / "again", chosen.subjects)
        one, two = (digests(raw / "derivatives" / name) for name in ("gmmseg", "again"))
        tables = [(raw / "derivatives" / f"{name}.csv").read_bytes() for name in ("gmmseg", "again")]
        same = one == two and tables[0] == tables[1]
        print(f"killed {kills} times and resumed: {len(one)} files, {'the same bytes' if same else 'OTHER BYTES'}")


if __name__ == "__main__":
    main()
