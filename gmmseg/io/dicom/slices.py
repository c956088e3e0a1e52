"""The pixels of DICOM slices: decoded, scaled to the units of the scanner, colours as RGB."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window
from gmmseg.io.dicom.dicom_file import explained
from gmmseg.io.dicom.frame_pixels import decoded
from gmmseg.io.dicom.frames import Frame
from gmmseg.io.dicom.series import Series
from gmmseg.io.request import Reading

__all__ = ["Slices"]

_COPIES = 6  # of a frame's stored numbers that decoders and pydicom hold at once
_WIDE = 8  # bytes of a number on its way to the scanner's units


@dataclass(frozen=True)
class Slices(WindowSource):
    """The pixels of a series: a source that decodes the slices of a window.

    Parameters
    ----------
    series : Series
    reading : Reading
        Whose budget holds for what is inflated.

    Notes
    -----
    Integers stay integers where slopes and intercepts are whole numbers, in the smallest signed dtype of 16 or 32 bits
    that holds the scaled values; otherwise pixels are float32. MONOCHROME1, white at the lowest value, is turned
    around where values have no unit.
    """

    series: Series
    reading: Reading

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return (*self.series.shape, 3 if self.color else 1)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Slices."""
        return (*[1] * (len(self.series.shape) - 2), *self.series.shape[-2:])

    sweep = 0

    @property
    def frame_bytes(self) -> int:
        """What a frame takes while it is decoded and turned into the scanner's units."""
        header = self.series.header
        samples = int(header.get("SamplesPerPixel") or 1)
        stored = max(1, int(header.BitsAllocated) // 8)
        each = samples * _COPIES * stored + self.shape[-1] * (self.dtype.itemsize + _WIDE)
        return math.prod(self.series.shape[-2:]) * each

    @cached_property
    def color(self) -> bool:
        """Whether pixels are red, green and blue."""
        return int(self.series.header.get("SamplesPerPixel", 1)) == 3 or self._photometric == "PALETTE COLOR"

    @cached_property
    def _photometric(self) -> str:
        return str(self.series.header.get("PhotometricInterpretation", "MONOCHROME2"))

    @cached_property
    def _range(self) -> tuple[int, int]:
        """Of the stored numbers."""
        header = self.series.header
        bits = int(header.get("BitsStored") or header.BitsAllocated)
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if header.get("PixelRepresentation") else (0, (1 << bits) - 1)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        header = self.series.header
        if self._photometric == "PALETTE COLOR":
            return np.dtype(np.uint8 if int(header.RedPaletteColorLookupTableDescriptor[2]) == 8 else np.uint16)
        if header.get("ModalityLUTSequence") and not self.color:
            return np.dtype(np.float32)
        bits = int(header.get("BitsAllocated", 8))
        if bits == 64:
            return np.dtype(np.float64)
        if self._scalings == {(1.0, 0.0)} or self.color:
            kind = "i" if header.get("PixelRepresentation") else "u"
            return np.dtype(np.float32 if self._floating else f"{kind}{max(1, bits // 8)}")
        return self._scaled_dtype()

    @cached_property
    def _floating(self) -> bool:
        """Whether numbers are stored as floats, which have no pixel representation."""
        return "PixelRepresentation" not in self.series.header

    @cached_property
    def _scalings(self) -> set[tuple[float, float]]:
        return {(frame.slope, frame.intercept) for frame in self.series.frames}

    def _scaled_dtype(self) -> np.dtype[Any]:
        """Return a signed dtype that holds whole numbers after scaling, float32 where there are others."""
        if self._floating or not all(number.is_integer() for number in itertools.chain(*self._scalings)):
            return np.dtype(np.float32)
        ends = [int(slope) * end + int(intercept) for slope, intercept in self._scalings for end in self._range]
        for dtype in (np.int16, np.int32):
            if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
                return np.dtype(dtype)
        return np.dtype(np.float32)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels, and where they are valid: not the padding around what was scanned."""
        frames = self.series.frames
        with explained(frames[0].path):
            out, valid = self._decode(frames[window[0]] if len(window) == 3 else frames, window[-2:])
        if out.dtype.kind == "f":
            valid &= np.isfinite(out).all(axis=-1)
        if len(window) == 2:
            out, valid = out[0], valid[0]
        return out, None if valid.all() else valid

    def _decode(self, frames: tuple[Frame, ...], plane: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return a part of some frames, and where it is none of the padding."""
        rows, columns = (range(n)[s] for n, s in zip(self.shape[-3:-1], plane, strict=True))
        out = np.empty((len(frames), len(rows), len(columns), self.shape[-1]), self.dtype)
        valid = np.ones(out.shape[:-1], bool)
        for _, group in itertools.groupby(enumerate(frames), key=lambda each: each[1].path):
            members = list(group)
            file = members[0][1].file
            with explained(file.path), np.errstate(all="ignore"):
                each = decoded(file, [frame.index for _, frame in members], self.reading)
                for (number, frame), raw in zip(members, each, strict=True):
                    part = raw[plane]
                    out[number] = self._values(part, frame).reshape(out.shape[1:])
                    valid[number] = self._known(part, frame)
        return out, valid

    def _values(self, raw: np.ndarray, frame: Frame) -> np.ndarray:
        """Return what stored numbers mean."""
        if self._photometric == "PALETTE COLOR":
            from pydicom.pixels import apply_color_lut

            return np.asarray(apply_color_lut(raw, frame.header))
        if self.color:
            return raw
        if frame.header.get("ModalityLUTSequence"):
            from pydicom.pixels import apply_modality_lut

            return np.asarray(apply_modality_lut(raw, frame.header))
        if self._scalings != {(1.0, 0.0)}:
            whole = self.dtype.kind == "i"
            values: np.ndarray = raw.astype(np.int64 if whole else np.float64)
            values *= int(frame.slope) if whole else frame.slope
            values += int(frame.intercept) if whole else frame.intercept
            return values
        if self._photometric == "MONOCHROME1" and raw.dtype.kind in "iu":
            return np.asarray((sum(self._range) - raw.astype(np.int64)).astype(raw.dtype))
        return raw

    def _known(self, raw: np.ndarray, frame: Frame) -> np.ndarray | bool:
        """Return where stored numbers are none of the padding."""
        padding = frame.header.get("PixelPaddingValue")
        if padding is None or self.color:
            return True
        limit = frame.header.get("PixelPaddingRangeLimit", padding)
        return np.asarray((raw < min(padding, limit)) | (raw > max(padding, limit)))
