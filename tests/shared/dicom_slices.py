"""DICOM slices made in memory."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
)

COLLECTION = Path(pydicom.__file__).parent / "data"
SAMPLES = COLLECTION / "test_files"
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
N_SLICES, ROWS, COLUMNS = 6, 20, 25
STEP, SIDES = 2.5, (0.8, 0.7)


def dataset(number, stored, *, sop_class=CTImageStorage, **attributes):
    """Make a CT slice in memory."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = f"1.2.3.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2", "1.2.3", "1.2.9"
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.SeriesDescription = "CT", 3, number + 1, "Head"
    made.PatientID, made.PatientName, made.StudyDate, made.StudyTime = "17", "Doe^Jane", "20200102", "030405"
    made.Rows, made.Columns, made.SamplesPerPixel = *stored.shape[-2:], 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelSpacing, made.SliceThickness = list(SIDES), STEP
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = stored.tobytes()
    for name, value in attributes.items():
        if value is None:
            del made[name]
        else:
            setattr(made, name, value)
    return made


def position(number, orientation, step=STEP):
    normal = np.cross(orientation[:3], orientation[3:])
    return [float(each) for each in np.array([-10.0, -20.0, 30.0]) + normal * step * number]


def only(number, **attributes):
    """Change attributes of one slice."""

    def change(made):
        if made.InstanceNumber == number + 1:
            for name, value in attributes.items():
                setattr(made, name, value)
        return made

    return change


def enhanced(head, order, **shared):
    """Make a multi-frame CT whose frames are stored in this order."""
    stored = head[list(order)]
    made = dataset(0, stored, sop_class=EnhancedCTImageStorage, NumberOfFrames=len(order))
    for name in ("PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del made[name]
    common, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(OBLIQUE)
    measures.PixelSpacing, measures.SliceThickness = list(SIDES), STEP
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1024, "HU"
    common.PlaneOrientationSequence = Sequence([orientation])
    common.PixelMeasuresSequence = Sequence([measures])
    common.PixelValueTransformationSequence = Sequence([values])
    made.SharedFunctionalGroupsSequence = Sequence([common])
    made.PerFrameFunctionalGroupsSequence = Sequence([])
    for number in order:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = position(number, OBLIQUE)
        group.PlanePositionSequence = Sequence([place])
        made.PerFrameFunctionalGroupsSequence.append(group)
    return made
