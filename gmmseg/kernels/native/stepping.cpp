// Whole numbers of a picture that are stepped by one until the picture is enlarged to what is known of it.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

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
inline float beyond(float value, float least, float most) { return std::min(std::max(value, least), most) - value; }

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

    // Pixels before and after one that add to what it adds to.
    std::pair<ptrdiff_t, ptrdiff_t> beside(ptrdiff_t i) const {
        ptrdiff_t first = i, last = i;
        while (first > 0 && starts[first - 1] + reach > starts[i]) --first;
        while (last + 1 < n && starts[last + 1] < starts[i] + reach) ++last;
        return {first, last};
    }
};

struct Stepper {
    float* levels;
    const float *least, *most;
    Axis rows, columns;
    bool by_axis;
    float low, high;
    ptrdiff_t width;                     // of the enlarged picture
    std::vector<float> wide, enlarged;  // enlarged along rows alone, and along both axes
    std::vector<std::uint8_t> off, around, tried;  // blocks with a number beyond its bounds; how many next to one are; those
                                                 // that no step helps
    std::vector<float> missed;                   // of a row of blocks

    float rounded(float value) const {
        return by_axis ? std::min(std::max(whole(value + 0.5f), low), high) : value;
    }

    void enlarge() {
        wide.assign(size_t(rows.n * width), 0.0f);
        enlarged.assign(size_t(rows.n * rows.scale * width), 0.0f);
        std::vector<float> line(size_t(width), 0.0f);
        for (ptrdiff_t i = 0; i < rows.n; ++i) {
            float* row = wide.data() + i * width;
            for (ptrdiff_t j = 0; j < columns.n; ++j)
                for (ptrdiff_t f = 0; f < columns.reach; ++f)
                    row[columns.starts[j] + f] += levels[i * columns.n + j] * columns.band(j)[f];
            for (ptrdiff_t c = 0; c < width; ++c) line[size_t(c)] = rounded(row[c]);
            for (ptrdiff_t f = 0; f < rows.reach; ++f) {
                float* to = enlarged.data() + (rows.starts[i] + f) * width;
                const float weight = rows.band(i)[f];
                for (ptrdiff_t c = 0; c < width; ++c) to[c] += weight * line[size_t(c)];
            }
        }
    }

    // Tells which blocks of a row, from `first` to `last`, have a number beyond its bounds.
    void look(ptrdiff_t i, ptrdiff_t first, ptrdiff_t last) {
        const ptrdiff_t begin = first * columns.scale, number = (last + 1) * columns.scale - begin;
        float* const sums = missed.data();
        for (ptrdiff_t r = 0; r < rows.scale; ++r) {
            const ptrdiff_t from = (i * rows.scale + r) * width + begin;
            const float *now = enlarged.data() + from, *under = least + from, *over = most + from;
            for (ptrdiff_t c = 0; c < number; ++c)
                sums[c] = (r ? sums[c] : 0.0f) + std::abs(beyond(now[c], under[c], over[c]));
        }
        for (ptrdiff_t j = first; j <= last; ++j) {
            float sum = 0;
            for (ptrdiff_t c = 0; c < columns.scale; ++c) sum += sums[(j - first) * columns.scale + c];
            const std::uint8_t found = sum != 0;
            if (off[size_t(i * columns.n + j)] == found) continue;
            off[size_t(i * columns.n + j)] = found;
            for (ptrdiff_t r = std::max<ptrdiff_t>(i - 1, 0); r <= std::min(i + 1, rows.n - 1); ++r)
                for (ptrdiff_t c = std::max<ptrdiff_t>(j - 1, 0); c <= std::min(j + 1, columns.n - 1); ++c)
                    around[size_t(r * columns.n + c)] += found ? 1 : -1;
        }
    }

    // Steps a level to the side that the numbers around it pull it to, where their squares become less. The reach along
    // columns is a constant of the code, or 0: then `reach` is.
    template <int REACH>
    bool step(ptrdiff_t i, ptrdiff_t j) {
        constexpr ptrdiff_t MOST = REACH ? REACH : 64;
        const ptrdiff_t reach = REACH ? REACH : columns.reach, top = rows.starts[i], left = columns.starts[j];
        const float *down = rows.band(i), *along = columns.band(j);
        // Column by column, which compilers make vectors of: they do not change the order of a sum.
        float squares[MOST] = {}, pulls[MOST] = {}, change[MOST];
        for (ptrdiff_t r = 0; r < rows.reach; ++r) {
            const ptrdiff_t from = (top + r) * width + left;
            const float *now = enlarged.data() + from, *under = least + from, *over = most + from;
            for (ptrdiff_t c = 0; c < reach; ++c) {
                const float m = beyond(now[c], under[c], over[c]);
                squares[c] += m * m;
                pulls[c] += m * down[r];
            }
        }
        float gain = 0, pull = 0;
        for (ptrdiff_t c = 0; c < reach; ++c) gain += squares[c], pull += pulls[c] * along[c];
        if (pull == 0 || !(gain > GAIN)) return false;
        const float sign = pull > 0 ? 1.0f : -1.0f, level = levels[i * columns.n + j] + sign;
        if (level < low || level > high) return false;
        float* row = wide.data() + i * width + left;
        for (ptrdiff_t c = 0; c < reach; ++c)
            change[c] = by_axis ? rounded(row[c] + sign * along[c]) - rounded(row[c]) : sign * along[c];
        std::fill_n(squares, reach, 0.0f);
        for (ptrdiff_t r = 0; r < rows.reach; ++r) {
            const ptrdiff_t from = (top + r) * width + left;
            const float *now = enlarged.data() + from, *under = least + from, *over = most + from;
            for (ptrdiff_t c = 0; c < reach; ++c) {
                const float m = beyond(now[c] + down[r] * change[c], under[c], over[c]);
                squares[c] += m * m;
            }
        }
        for (ptrdiff_t c = 0; c < reach; ++c) gain -= squares[c];
        if (!(gain > GAIN)) return false;
        levels[i * columns.n + j] = level;
        for (ptrdiff_t c = 0; c < reach; ++c) row[c] += sign * along[c];
        for (ptrdiff_t r = 0; r < rows.reach; ++r) {
            float* now = enlarged.data() + (top + r) * width + left;
            for (ptrdiff_t c = 0; c < reach; ++c) now[c] += down[r] * change[c];
        }
        for (ptrdiff_t r = top / rows.scale; r <= (top + rows.reach - 1) / rows.scale; ++r)
            look(r, left / columns.scale, (left + reach - 1) / columns.scale);
        const auto above = rows.beside(i), aside = columns.beside(j);
        for (ptrdiff_t r = above.first; r <= above.second; ++r)
            std::fill(&tried[size_t(r * columns.n + aside.first)], &tried[size_t(r * columns.n + aside.second)] + 1, 0);
        return true;
    }

    template <int REACH>
    void sweep_all(int sweeps) {
        bool stepped = true;
        for (int sweep = 0; stepped && sweep < sweeps; ++sweep) {
            stepped = sweep == 0;
            const std::vector<std::uint8_t>& wanted = sweep == 0 ? off : around;
            for (ptrdiff_t i = 0; i < rows.n; ++i)
                for (ptrdiff_t j = 0; j < columns.n; ++j) {
                    const size_t at = size_t(i * columns.n + j);
                    std::uint64_t some = 1;
                    if (j + 8 <= columns.n) std::memcpy(&some, &wanted[at], 8);
                    if (some == 0) {
                        j += 7;
                        continue;
                    }
                    if (tried[at] || !wanted[at]) continue;
                    tried[at] = 1;
                    stepped |= step<REACH>(i, j);
                }
        }
    }

    void run(int sweeps) {
        enlarge();
        off.assign(size_t(rows.n * columns.n), 0);
        around = tried = off;
        missed.resize(size_t(width));
        for (ptrdiff_t i = 0; i < rows.n; ++i)
            if (columns.n) look(i, 0, columns.n - 1);
        switch (columns.reach) {
            case 1: return sweep_all<1>(sweeps);
            case 4: return sweep_all<4>(sweeps);
            case 8: return sweep_all<8>(sweeps);
            case 12: return sweep_all<12>(sweeps);
            case 16: return sweep_all<16>(sweeps);
            default: return sweep_all<0>(sweeps);
        }
    }
};

void step_levels(Levels levels, const Bounds& least, const Bounds& most, const Starts& row_starts, const Bounds& row_bands,
                 const Starts& column_starts, const Bounds& column_bands, std::tuple<float, float> limits, bool by_axis,
                 int sweeps) {
    require(column_bands.shape(1) <= 64, "a band along columns is wider than 64");
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
