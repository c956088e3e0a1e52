"""TIFF files byte by byte, for what no library writes."""

import struct


def entry(code, kind, count, value, order="<"):
    """Make a tag whose value is in the directory: kind 3 for shorts, 4 for longs."""
    raw = struct.pack(order + ("H" if kind == 3 and count == 1 else "I"), value)
    return struct.pack(order + "HHI", code, kind, count) + raw.ljust(4, b"\0")


def directory(entries, following=0):
    """Make a directory of a little-endian TIFF file."""
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


def grey(width, height, *, offset, count, compression=1, bits=8, photometric=1, rows=None, more=()):
    """Return the tags of a page of grey numbers in one strip; `more` are others, as bytes."""
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: photometric, 273: offset, 277: 1}
    tags |= {278: height if rows is None else rows, 279: count}
    made = [(code, entry(code, 3 if code in (258, 259, 262, 277) else 4, 1, value)) for code, value in tags.items()]
    return [tag for _, tag in sorted([*made, *((struct.unpack_from("<H", tag)[0], tag) for tag in more)])]


def one_page(data, width, height, **options):
    """Make a file of one page whose strip lies at its end."""
    n_tags = 9 + len(options.get("more", ()))
    start = 8 + 2 + 12 * n_tags + 4
    return (
        struct.pack("<2sHI", b"II", 42, 8)
        + directory(grey(width, height, offset=start, count=len(data), **options))
        + data
    )


def pages(sizes, *, loop=None):
    """Make a file of one page a (width, height), none of which has pixels of its own; the last may lead to another."""
    length = 2 + 12 * 9 + 4
    out = struct.pack("<2sHI", b"II", 42, 8)
    for i, (width, height) in enumerate(sizes):
        following = 8 + (i + 1) * length if i < len(sizes) - 1 else 0 if loop is None else 8 + loop * length
        out += directory(grey(width, height, offset=8, count=width * height), following)
    return out
