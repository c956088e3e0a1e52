// Whole numbers of a picture that are stepped by one until the picture is enlarged to what is known of it.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include "calling.h"

namespace {

using Levels = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bounds = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Starts = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr float GAIN = 1e-4f;  // of squares, beyond what rounding does to their sums

// The next whole number below, without the call that some processors need for it.
inline float whole(float value) {
    const float cut = float(std::int32_t(value));
    return cut > value ? cut - 1.0f : cut;
}

// How far a value lies below its bounds; less than 0 above them.
inline float beyond(float value, float least, float most) {
    return std::max(least - value, 0.0f) - std::max(value - most, 0.0f);
}

// What each pixel along an axis adds to pixels of the enlarged picture, from `starts` on.
struct Axis {
    const std::int32_t* starts;
    const float* weights;
    ptrdiff_t reach, n, scale;  // scale: enlarged pixels for each one

    Axis(const Starts& from, const Bounds& bands, size_t pixels, size_t enlarged)
        : starts(from.data()), weights(bands.data()), reach(ptrdiff_t(bands.shape(1))), n(ptrdiff_t(pixels)),
          scale(ptrdiff_t(enlarged / std::max<size_t>(pixels, 1))) {
        require(from.shape(0) == pixels && bands.shape(0) == pixels && enlarged % std::max<size_t>(pixels, 1) == 0,
                "an axis has not one start and one band for each pixel");
        for (ptrdiff_t i = 0; i < n; ++i)
            require(starts[i] >= 0 && starts[i] + reach <= ptrdiff_t(enlarged), "a band lies beyond the picture");
    }
    const float* band(ptrdiff_t i) const { return weights + i * reach; }
};

struct Stepper {
    float* levels;
    const float *least, *most;
    Axis rows, columns;
    bool by_axis;
    float low, high;
    ptrdiff_t width;                     // of the enlarged picture
    std::vector<float> wide, enlarged;   // enlarged along rows alone, and along both axes
    std::vector<std::uint8_t> off, tried;  // blocks with a number beyond its bounds; those that no step helps
    std::vector<float> change, sums;

    float rounded(float value) const {
        return by_axis ? std::min(std::max(whole(value + 0.5f), low), high) : value;
    }

    void enlarge() {
        wide.assign(size_t(rows.n * width), 0.0f);
        enlarged.assign(size_t(rows.n * rows.scale * width), 0.0f);
        for (ptrdiff_t i = 0; i < rows.n; ++i) {
            float* row = wide.data() + i * width;
            for (ptrdiff_t j = 0; j < columns.n; ++j)
                for (ptrdiff_t f = 0; f < columns.reach; ++f)
                    row[columns.starts[j] + f] += levels[i * columns.n + j] * columns.band(j)[f];
            for (ptrdiff_t f = 0; f < rows.reach; ++f) {
                float* to = enlarged.data() + (rows.starts[i] + f) * width;
                for (ptrdiff_t c = 0; c < width; ++c) to[c] += rows.band(i)[f] * rounded(row[c]);
            }
        }
    }

    bool near_one_off(ptrdiff_t i, ptrdiff_t j) const {
        for (ptrdiff_t r = std::max<ptrdiff_t>(i - 1, 0); r <= std::min(i + 1, rows.n - 1); ++r)
            for (ptrdiff_t c = std::max<ptrdiff_t>(j - 1, 0); c <= std::min(j + 1, columns.n - 1); ++c)
                if (off[size_t(r * columns.n + c)]) return true;
        return false;
    }

    void look(ptrdiff_t i, ptrdiff_t j) {
        bool found = false;
        for (ptrdiff_t r = i * rows.scale; r < (i + 1) * rows.scale; ++r)
            for (ptrdiff_t c = j * columns.scale; c < (j + 1) * columns.scale; ++c)
                {
                const ptrdiff_t at = r * width + c;
                found |= beyond(enlarged[size_t(at)], least[at], most[at]) != 0;
            }
        off[size_t(i * columns.n + j)] = found;
    }

    // Steps a level to the side that the numbers around it pull it to, where their squares become less.
    bool step(ptrdiff_t i, ptrdiff_t j) {
        const ptrdiff_t top = rows.starts[i], left = columns.starts[j];
        const float *down = rows.band(i), *along = columns.band(j);
        // Column by column, which compilers make vectors of: they do not change the order of a sum.
        float *const squares = sums.data(), *const pulls = squares + columns.reach;
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (ptrdiff_t r = 0; r < rows.reach; ++r) {
            const float *under = least + (top + r) * width + left, *over = most + (top + r) * width + left;
            const float* now = enlarged.data() + (top + r) * width + left;
            for (ptrdiff_t c = 0; c < columns.reach; ++c) {
                const float m = beyond(now[c], under[c], over[c]);
                squares[c] += m * m;
                pulls[c] += m * down[r];
            }
        }
        float gain = 0, pull = 0;
        for (ptrdiff_t c = 0; c < columns.reach; ++c) gain += squares[c], pull += pulls[c] * along[c];
        if (pull == 0) return false;
        const float sign = pull > 0 ? 1.0f : -1.0f, level = levels[i * columns.n + j] + sign;
        if (level < low || level > high) return false;
        float* row = wide.data() + i * width + left;
        for (ptrdiff_t c = 0; c < columns.reach; ++c)
            change[size_t(c)] = by_axis ? rounded(row[c] + sign * along[c]) - rounded(row[c]) : sign * along[c];
        std::fill_n(squares, columns.reach, 0.0f);
        for (ptrdiff_t r = 0; r < rows.reach; ++r) {
            const float *under = least + (top + r) * width + left, *over = most + (top + r) * width + left;
            const float* now = enlarged.data() + (top + r) * width + left;
            for (ptrdiff_t c = 0; c < columns.reach; ++c) {
                const float m = beyond(now[c] + down[r] * change[size_t(c)], under[c], over[c]);
                squares[c] += m * m;
            }
        }
        for (ptrdiff_t c = 0; c < columns.reach; ++c) gain -= squares[c];
        if (!(gain > GAIN)) return false;
        levels[i * columns.n + j] = level;
        for (ptrdiff_t c = 0; c < columns.reach; ++c) row[c] += sign * along[c];
        for (ptrdiff_t r = 0; r < rows.reach; ++r)
            for (ptrdiff_t c = 0; c < columns.reach; ++c)
                enlarged[size_t((top + r) * width + left + c)] += down[r] * change[size_t(c)];
        const ptrdiff_t last_row = (top + rows.reach - 1) / rows.scale, last = (left + columns.reach - 1) / columns.scale;
        for (ptrdiff_t r = top / rows.scale; r <= last_row; ++r)
            for (ptrdiff_t c = left / columns.scale; c <= last; ++c) look(r, c);
        for (ptrdiff_t r = std::max<ptrdiff_t>(i - rows.reach, 0); r < std::min(i + rows.reach + 1, rows.n); ++r)
            for (ptrdiff_t c = std::max<ptrdiff_t>(j - columns.reach, 0); c < std::min(j + columns.reach + 1, columns.n); ++c)
                tried[size_t(r * columns.n + c)] = 0;
        return true;
    }

    void run(int sweeps) {
        enlarge();
        off.assign(size_t(rows.n * columns.n), 0);
        tried.assign(off.size(), 0);
        change.resize(size_t(columns.reach));
        sums.resize(size_t(2 * columns.reach));
        for (ptrdiff_t i = 0; i < rows.n; ++i)
            for (ptrdiff_t j = 0; j < columns.n; ++j) look(i, j);
        bool stepped = true;
        for (int sweep = 0; stepped && sweep < sweeps; ++sweep) {
            stepped = sweep == 0;
            for (ptrdiff_t i = 0; i < rows.n; ++i)
                for (ptrdiff_t j = 0; j < columns.n; ++j) {
                    const size_t at = size_t(i * columns.n + j);
                    if (tried[at] || !(sweep == 0 ? off[at] != 0 : near_one_off(i, j))) continue;
                    tried[at] = 1;
                    stepped |= step(i, j);
                }
        }
    }
};

void step_levels(Levels levels, const Bounds& least, const Bounds& most, const Starts& row_starts, const Bounds& row_bands,
                 const Starts& column_starts, const Bounds& column_bands, std::tuple<float, float> limits, bool by_axis,
                 int sweeps) {
    require(least.shape(0) == most.shape(0) && least.shape(1) == most.shape(1), "bounds differ in their shape");
    Stepper stepper{levels.data(),
                    least.data(),
                    most.data(),
                    Axis(row_starts, row_bands, levels.shape(0), least.shape(0)),
                    Axis(column_starts, column_bands, levels.shape(1), least.shape(1)),
                    by_axis,
                    std::get<0>(limits),
                    std::get<1>(limits),
                    ptrdiff_t(least.shape(1)),
                    {},
                    {},
                    {},
                    {},
                    {},
                    {}};
    const nb::gil_scoped_release unlocked;
    stepper.run(sweeps);
}

}  // namespace

void bind_stepping(nb::module_& m) {
    m.def("step_levels", &step_levels, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(),
          nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
}
