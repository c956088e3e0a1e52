"""Measure what workers of Dask cost and bring: ratios to one process, taken in one run, in turns.

    python scripts/benchmark_dask.py [--side 20480] [--rounds 3] [--windows 8] [--rates]

Prints a table: the rate of two workers against one process of two threads, what scheduling of small chunks costs, the
graph of a mosaic of 100 gigapixels, and the memory of a worker at chunks of 4 096 x 4 096 pixels of six bands. The
mosaic is also simulated: a virtual raster that repeats one tile, of which the graph and the schedule are built whole;
some of its chunks at random are computed as workers do and compared with what one process finds there.
"""

import argparse
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import rasterio

import gmmseg
from gmmseg import io
from gmmseg.batch.cluster import connected
from gmmseg.image import windows
from gmmseg.labelling.chunks import chunk_sides, chunks_of, label_chunk
from gmmseg.labelling.graph import work_on
from gmmseg.labelling.layers import layer_named
from gmmseg.platforms import peak_memory

_FIELD = 64  # pixels along a side of a field of one class
_MOSAIC = 316_228  # pixels along a side of 100 gigapixels
_TILE = (4600, 5000)  # rows and columns of what it repeats


def write_scene(path, side, n_bands=1, dtype="uint8"):
    """Write fields of three classes with noise, compressed, in blocks of 512 x 512."""
    rng = np.random.default_rng(0)
    top = 1 if dtype == "uint8" else 40
    profile = {"driver": "GTiff", "width": side, "height": side, "count": n_bands, "dtype": dtype}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    with rasterio.open(path, "w", crs="EPSG:32633", transform=place, **profile, **layout) as file:
        for row in range(0, side, 512):
            rows = min(512, side - row)
            fields = rng.integers(0, 3, (n_bands, -(-rows // _FIELD), -(-side // _FIELD)))
            means = np.array([60, 110, 170])[fields].repeat(_FIELD, 1).repeat(_FIELD, 2)[:, :rows, :side]
            noise = rng.normal(0, 12, (rows, side)).astype(np.float32)
            window = rasterio.windows.Window(0, row, side, rows)
            file.write(np.clip((means + noise) * top, 0, 255 * top).astype(dtype), window=window)


def seconds(work, cluster):
    """Return how long a call takes by the clock, and how much processor time here and of the workers."""
    used, start = processor_time(cluster), time.perf_counter()
    work()
    return time.perf_counter() - start, processor_time(cluster) - used


def processor_time(cluster):
    """Return the processor time that this process and its workers have taken."""
    of_workers = () if cluster is None else cluster.client.run(time.process_time).values()
    return time.process_time() + sum(of_workers)


def in_turns(rounds, **works):
    """Return the median seconds by the clock and of processors, of each of several calls, taken in turns."""
    taken = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, cluster) in works.items():
            taken[name].append(seconds(work, cluster))
    return {name: [statistics.median(each) for each in zip(*pairs, strict=True)] for name, pairs in taken.items()}


def compare(scene, model, folder, rounds):
    """Return seconds of one process and of workers, at chunks of 4 096 and of 512: by the clock, and of processors."""
    image = io.read(scene, memory=0)
    target = folder / "labels.tif"

    def alone():
        gmmseg.apply(model, image, threads=2).save(target, overwrite=True)

    with connected(workers=2, side=4096) as large, connected(workers=2, side=512) as small:

        def working(cluster):
            def work():
                cluster.computing(gmmseg.apply(model, image)).save(target, overwrite=True)
                cluster.finish()

            return work

        for warm_up in (alone, working(large), working(small)):
            warm_up()
        return in_turns(rounds, alone=(alone, None), large=(working(large), large), small=(working(small), small))


def graph_of_a_mosaic(model):
    """Return processor time and bytes of the graph of 100 gigapixels, built and optimised, and its tasks a chunk."""
    source = da.zeros((_MOSAIC, _MOSAIC), chunks=4096, dtype=np.uint8)
    found = gmmseg.apply(model, source)
    start = time.process_time()
    (optimised,) = dask.optimize(found.to_dask())
    taken = time.process_time() - start
    n_tasks = len(dict(optimised.__dask_graph__())) / source.npartitions
    tracemalloc.start()
    dask.optimize(found.to_dask())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken, peak, n_tasks


def write_mosaic(folder):
    """Write a virtual raster of 100 gigapixels that repeats a tile whose sides are no sides of chunks."""
    rows, columns = _TILE
    write_scene(folder / "tile.tif", max(_TILE))
    source = (
        '<SimpleSource><SourceFilename relativeToVRT="1">tile.tif</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="{w}" ySize="{h}"/><DstRect xOff="{x}" yOff="{y}" xSize="{w}" ySize="{h}"/>'
        "</SimpleSource>"
    )
    sources = [
        source.format(x=x, y=y, w=min(columns, _MOSAIC - x), h=min(rows, _MOSAIC - y))
        for y in range(0, _MOSAIC, rows)
        for x in range(0, _MOSAIC, columns)
    ]
    path = folder / "mosaic.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{_MOSAIC}" rasterYSize="{_MOSAIC}">'
        f'<VRTRasterBand dataType="Byte" band="1">{"".join(sources)}</VRTRasterBand></VRTDataset>'
    )
    return path


def simulated_mosaic(folder, n_windows):
    """Print what a mosaic of 100 gigapixels takes: chunks and schedule whole, some chunks at random computed twice."""
    image = io.read(write_mosaic(folder), memory=0, max_pixels=_MOSAIC**2)
    model = gmmseg.fit(folder / "tile.tif", 3)  # a fit to the mosaic would read all of it once
    found = gmmseg.apply(model, image)
    start = time.process_time()
    graph = dict(found.to_dask(chunk=4096).__dask_graph__())
    scheduled = dask.order.order(graph)
    print(f"mosaic: graph and schedule {time.process_time() - start:.2f} s of processor time, {len(scheduled)} tasks")
    work = work_on(found, layer_named("labels"))
    chunks = [chunk for chunk, _ in chunks_of(work, chunk_sides(image, 4096))]
    rng, taken, differing = np.random.default_rng(0), 0.0, 0
    for number in rng.choice(len(chunks), n_windows, replace=False):
        chunk = chunks[number]
        start = time.process_time()
        labels = label_chunk(work, chunk)
        taken += time.process_time() - start
        around = windows.widened(chunk.tile.inner, 300, image.shape)
        one = gmmseg.apply(model, image.crop(around)).labels
        own = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(chunk.tile.inner, around, strict=True))
        differing += np.count_nonzero(labels != one[own])
    hours = taken / n_windows * len(chunks) / 3600
    print(f"mosaic: {n_windows} of {len(chunks)} chunks  {differing} labels differ, {taken / n_windows:.2f} s a chunk")
    print(f"mosaic: extrapolated       {hours:.1f} core-hours for all of it")


def memory_of_a_worker(folder):
    """Return the bytes that a worker takes which computes chunks of 4 096 x 4 096 of six bands."""
    path = folder / "bands.tif"
    write_scene(path, 3 * 4096, 6, "uint16")
    model = gmmseg.fit(path, 4, sample=20_000)
    with connected(workers=1, side=4096) as cluster:
        cluster.computing(gmmseg.apply(model, io.read(path, memory=0))).save(folder / "bands.npy")
        cluster.finish()
        return max(cluster.client.run(peak_memory).values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_480, help="of the scene, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=8, help="chunks of the simulated mosaic that are computed")
    parser.add_argument("--rates", action="store_true", help="nothing but the rates of workers and one process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_scene(folder / "scene.tif", options.side)
        model = gmmseg.fit(folder / "scene.tif", 3)
        if not options.rates:
            simulated_mosaic(folder, options.windows)
            taken, peak, n_tasks = graph_of_a_mosaic(model)
            print(f"graph of 100 gigapixels    {taken:.2f} s, {peak / 1e6:.0f} MB, {n_tasks:.3f} tasks a chunk")
            print(f"memory of a worker         {memory_of_a_worker(folder) / 2**20:.0f} MiB", flush=True)
        taken = compare(folder / "scene.tif", model, folder, options.rounds)
        for what, at in (("by the clock", 0), ("processor time", 1)):
            alone, large, small = (taken[name][at] for name in ("alone", "large", "small"))
            print(f"rate of two workers        {alone / large:.2f} of one process of two threads, {what}")
            print(f"cost of chunks of 512      {small / alone:.2f} times one process, {what}")
        print(f"                           {options.side**2 / 1e6:.0f} MP, {(options.side // 512) ** 2} small chunks")


if __name__ == "__main__":
    main()
