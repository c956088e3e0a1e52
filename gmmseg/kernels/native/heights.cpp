// Heights of objects and of the pixels that they are of: see gmmseg.kernels.half_counts.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include "calling.h"

namespace {

using Pixels = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Known = nb::ndarray<const bool, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr double THIN = 8;  // pixels of a run that is rim for the most part; one of twice as many is not

// Of the n pixels of a line that are of objects, as `found` is above 0, raises it to half the height of their run.
void raise(const float* heights, float* found, ptrdiff_t n, ptrdiff_t step) {
    double sum = 0, squares = 0, cubes = 0;
    ptrdiff_t first = 0;  // of the run
    const auto end = [&](ptrdiff_t i) {
        const double share = std::min(std::max(2 - double(i - first) / THIN, 0.0), 1.0);
        const double wide = squares / sum, thin = cubes / squares;
        const float half = float((wide + share * (thin - wide)) / 2);
        for (; first < i; ++first) found[first * step] = std::max(found[first * step], half);
        sum = squares = cubes = 0;
    };
    for (ptrdiff_t i = 0; i < n; ++i) {
        if (found[i * step] > 0) {
            const double value = double(heights[i * step]);
            sum += value;
            squares += value * value;
            cubes += value * value * value;
        } else {
            if (first < i) end(i);
            first = i + 1;
        }
    }
    if (first < n) end(n);
}

// What is smoothed and found in the pictures of a volume has rows so far from each other, and pictures, that the pixels
// of a column do not crowd the same places of the caches.
struct Volume {
    const ptrdiff_t depth, rows, columns, pitch, plane;
    Volume(ptrdiff_t depth, ptrdiff_t rows, ptrdiff_t columns)
        : depth(depth), rows(rows), columns(columns), pitch(((columns + 15) / 16 | 1) * 16), plane(rows * pitch + 16) {}

    // Sums of three numbers in the order of whole arrays that are shifted; the last ones are counted twice.
    static float mean(const float* at, ptrdiff_t i, ptrdiff_t n, ptrdiff_t step) {
        const float other = i > 0 ? at[-step] : i + 1 < n ? at[step] : *at;
        return ((*at + other) + (i > 0 && i + 1 < n ? at[step] : *at)) / 3;
    }

    void smooth(const float* from, float* line, float* to) const {
        for (ptrdiff_t y = 0; y < rows; ++y, from += columns, to += pitch) {
            if (y > 0 && y + 1 < rows)
                for (ptrdiff_t x = 0; x < columns; ++x)
                    line[x] = ((from[x] + from[x - columns]) + from[x + columns]) / 3;
            else
                for (ptrdiff_t x = 0; x < columns; ++x) line[x] = mean(from + x, y, rows, columns);
            for (ptrdiff_t x = 1; x + 1 < columns; ++x) to[x] = ((line[x] + line[x - 1]) + line[x + 1]) / 3;
            to[0] = mean(line, 0, columns, 1);
            to[columns - 1] = mean(line + columns - 1, columns - 1, columns, 1);
        }
    }

    // Half the heights of a picture's objects by its rows and columns, and means of its pixels.
    void halve(const float* heights, const bool* valid, float border, float* line, float* means, float* halves) const {
        smooth(heights, line, means);
        for (ptrdiff_t y = 0; y < rows; ++y) {
            const float* const from = means + y * pitch;
            const bool* const known = valid + y * columns;
            float* const to = halves + y * pitch;
            for (ptrdiff_t x = 0; x < columns; ++x)
                to[x] = known[x] && from[x] > border ? std::numeric_limits<float>::min() : 0.0f;
            raise(from, to, columns, 1);
        }
        for (ptrdiff_t x = 0; x < columns; ++x) raise(means + x, halves + x, rows, pitch);
    }

    size_t memory() const { return size_t(2 * depth * plane + columns); }

    // Writes for each pixel whether it is of an object, 1, and above half its height, 2; returns the highest half.
    float tell(const float* heights, const bool* valid, float border, float* memory, std::uint8_t* sides) const {
        float *const means = memory, *const halves = means + depth * plane, highest = 0;
        for (ptrdiff_t z = 0; z < depth; ++z)
            halve(heights + z * rows * columns, valid + z * rows * columns, border, halves + depth * plane,
                  means + z * plane, halves + z * plane);
        for (ptrdiff_t y = 0; depth > 1 && y < rows; ++y)
            for (ptrdiff_t x = y * pitch; x < y * pitch + columns; ++x) raise(means + x, halves + x, depth, plane);
        for (ptrdiff_t z = 0; z < depth; ++z)
            for (ptrdiff_t y = 0; y < rows; ++y, sides += columns)
                for (ptrdiff_t x = 0; x < columns; ++x) {
                    const ptrdiff_t at = z * plane + y * pitch + x;
                    sides[x] = halves[at] > 0 ? 1 + (means[at] > halves[at]) : 0;
                    highest = std::max(highest, halves[at]);
                }
        return highest;
    }
};

std::tuple<nb::ndarray<nb::numpy, std::int64_t>, float> half_counts(const Pixels& heights, const Known& valid,
                                                                    float border, int steps, int depth) {
    for (size_t i = 0; i < 3; ++i)
        require(heights.shape(i) == valid.shape(i), "heights and valid differ in their shapes");
    require(steps > 0 && border >= 0, "the border is below 0, or there is no step above it");
    require(depth > 0 && heights.shape(0) % size_t(depth) == 0, "the pictures are not of volumes of this depth");
    const Volume one(depth, ptrdiff_t(heights.shape(1)), ptrdiff_t(heights.shape(2)));
    const ptrdiff_t number = ptrdiff_t(heights.shape(0)) / depth, bins = steps + 2;
    const ptrdiff_t size = depth * one.rows * one.columns;
    auto* const counts = new std::int64_t[size_t(2 * bins)]();
    const nb::capsule owner(counts, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    float highest = 0;
    if (size > 0) {
        const nb::gil_scoped_release unlocked;
        const std::unique_ptr<float[]> memory(new float[one.memory()]);
        const std::unique_ptr<std::uint8_t[]> sides(new std::uint8_t[size_t(number * size)]);
        for (ptrdiff_t i = 0; i < number; ++i)
            highest = std::max(highest, one.tell(heights.data() + i * size, valid.data() + i * size, border,
                                                 memory.get(), sides.get() + i * size));
        const float scale = float(double(steps) / (double(highest) - double(border)));
        for (ptrdiff_t j = 0; highest > border && j < number * size; ++j) {
            if (!sides[j]) continue;
            const float place = std::min(std::max((heights.data()[j] - border) * scale, -1.0f), float(steps));
            ++counts[(sides[j] - 1) * bins + ptrdiff_t(place + 1)];
        }
    }
    return {nb::ndarray<nb::numpy, std::int64_t>(counts, {2, size_t(bins)}, owner), highest};
}

}  // namespace

void bind_heights(nb::module_& m) {
    m.def("half_counts", &half_counts, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg());
}
