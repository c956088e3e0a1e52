"""Sources that say what was read of them."""

import numpy as np


class CountedSource:
    """An array that says which windows and channels of it were read."""

    blocks, sweep = (2, 7), 0

    def __init__(self, array, channels=None, log=None):
        self.array, self.log = array, [] if log is None else log
        self.channels = tuple(range(array.shape[-1])) if channels is None else channels

    @property
    def shape(self):
        return (*self.array.shape[:-1], len(self.channels))

    @property
    def dtype(self):
        return self.array.dtype

    def read(self, window):
        self.log.append(self.channels)
        pixels = self.array[window][..., list(self.channels)]
        return pixels, np.isfinite(pixels).any(axis=-1) if self.dtype.kind == "f" else None


class SelectableSource(CountedSource):
    def select(self, channels):
        return SelectableSource(self.array, tuple(self.channels[c] for c in channels), self.log)
