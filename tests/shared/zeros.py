"""Zeros by the gigabyte, deflated in no time."""

import struct
import zlib


def deflated_zeros(n_bytes):
    """A zlib stream of so many zeros: one mebibyte is deflated, and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole, rest = divmod(n_bytes, 1 << 20)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler32 = struct.pack(">I", n_bytes % 65521 << 16 | 1)
    return b"\x78\xda" + mebibyte * whole + packer.compress(bytes(rest)) + packer.flush() + adler32
