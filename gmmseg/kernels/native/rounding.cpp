// What rounding took from numbers of 8 bits, and how much features change with them and from pixel to pixel: NumPy's part
// of it takes five times as long for an icon.
#include <nanobind/ndarray.h>

#include <array>
#include <cmath>

#include "calling.h"

namespace {

using Levels = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = std::vector<std::int64_t>;

constexpr double kTurn = 6.283185307179586476925287;
constexpr int kLevels = 8, kWide = 8, kMany = 32;  // as in gmmseg.kernels.intervals
constexpr double kMostly = 0.75;

// Distinct numbers, ascending, and how often there is each.
struct Histogram {
    Counts values, counts;

    void add(std::int64_t value, std::int64_t count) {
        values.push_back(value);
        counts.push_back(count);
    }
    std::int64_t total() const {
        std::int64_t sum = 0;
        for (const auto count : counts) sum += count;
        return sum;
    }
};

// The step that most numbers keep but for 1, and a number on it; a step of 0 where there is none.
std::pair<std::int64_t, std::int64_t> step_of(const Histogram& all) {
    Counts descending = all.counts;
    std::sort(descending.rbegin(), descending.rend());
    const double enough = kMostly * double(all.total());
    size_t place = 0;
    for (std::int64_t sum = descending[0]; double(sum) < enough; sum += descending[place]) ++place;
    const std::int64_t least = descending[place];
    Histogram middles;  // of numbers that are the same but for 1
    std::int64_t before = 0, size = 0, weighted = 0;
    const auto finish = [&] {
        if (size) middles.add(std::int64_t(std::nearbyint(double(weighted) / double(size))), size);
    };
    for (size_t i = 0; i < all.values.size(); ++i) {
        if (all.counts[i] < least) continue;
        if (size && all.values[i] - before > 2) {
            finish();
            size = weighted = 0;
        }
        before = all.values[i];
        size += all.counts[i];
        weighted += all.values[i] * all.counts[i];
    }
    finish();
    if (middles.values.size() < kLevels) return {0, 0};
    std::array<int, 256> times{};
    for (size_t i = 1; i < middles.values.size(); ++i) ++times[size_t(middles.values[i] - middles.values[i - 1])];
    const auto largest = std::max_element(middles.counts.begin(), middles.counts.end()) - middles.counts.begin();
    return {std::max_element(times.begin(), times.end()) - times.begin(), middles.values[size_t(largest)]};
}

Histogram in_steps(const Histogram& all) {
    const size_t n = all.values.size();
    if (n < kMany) return all;
    const auto [step, on] = step_of(all);
    if (step < kWide) return all;
    Counts rounded(n);
    std::int64_t near = 0;
    bool any = false;
    for (size_t i = 0; i < n; ++i) {
        const std::int64_t from = all.values[i] - on + step / 2, off = ((from % step) + step) % step - step / 2;
        any = any || off != 0;
        near += std::abs(off) <= 1 ? all.counts[i] : 0;
        rounded[i] = std::clamp(all.values[i] - off, all.values[0], all.values[n - 1]);
    }
    if (!any || double(near) < kMostly * double(all.total())) return all;
    Histogram found;  // what was ascending still is
    for (size_t i = 0; i < n; ++i) {
        if (found.values.empty() || found.values.back() != rounded[i]) found.add(rounded[i], 0);
        found.counts.back() += all.counts[i];
    }
    return found.values.size() < kMany ? all : found;
}

// The mean squared width of the intervals that numbers stand for, by twelve.
double variance(const Histogram& of) {
    const size_t n = of.values.size();
    const auto gap = [&](size_t i) { return n < kLevels ? 1.0 : double(of.values[i + 1] - of.values[i]); };
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
        const double down = i ? gap(i - 1) : gap(n > 2 ? 1 : 0), up = i + 1 < n ? gap(i) : gap(n > 2 ? n - 3 : 0);
        const double width = std::min(down > 2 * up ? up : down, up > 2 * down ? down : up);
        sum += width * width * double(of.counts[i]);
    }
    return sum / double(of.total()) / 12;
}

nb::object rounding(const Levels& levels, int k) {
    const size_t n = levels.shape(0), channels = levels.shape(1);
    Numbers found(channels);
    for (size_t channel = 0; channel < channels; ++channel) {
        std::array<std::int64_t, 256> counts{};
        const std::uint8_t* at = levels.data() + ptrdiff_t(channel) * levels.stride(1);
        for (size_t i = 0; i < n; ++i, at += levels.stride(0)) ++counts[*at];
        Histogram all;
        for (int value = 0; value < 256; ++value)
            if (counts[size_t(value)]) all.add(value, counts[size_t(value)]);
        const Histogram kept = in_steps(all);
        if (kept.values.size() > size_t(std::max(1, k))) found[channel] = variance(kept);
    }
    return nb::cast(given(found, {channels}));
}

// The mean cosine of the phases, in turns, that a sum of the channels by some factors has.
double mean_cosine(const Levels& levels, const Row& factors) {
    const size_t n = levels.shape(0), channels = levels.shape(1);
    require(factors.shape(0) == channels && n > 0, "there is not one factor for each channel, or no sample");
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
        const std::uint8_t* at = levels.data() + ptrdiff_t(i) * levels.stride(0);
        double turns = 0;
        for (size_t c = 0; c < channels; ++c) turns += factors.data()[c] * double(at[ptrdiff_t(c) * levels.stride(1)]);
        sum += std::cos(kTurn * turns);
    }
    return sum / double(n);
}

// Samples with one of their channels moved, down and then up, and how wide that is: see gmmseg.kernels.stepped.
nb::tuple stepped(const Levels& levels) {
    const size_t n = levels.shape(0), channels = levels.shape(1);
    std::uint8_t* const moved = new std::uint8_t[2 * channels * n * channels + 1];
    const nb::capsule owner(moved, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
    Numbers widths(channels * n);
    for (size_t side = 0, to = 0; side < 2; ++side)
        for (size_t channel = 0; channel < channels; ++channel)
            for (size_t i = 0; i < n; ++i)
                for (size_t c = 0; c < channels; ++c, ++to) {
                    const int value = levels.data()[ptrdiff_t(i) * levels.stride(0) + ptrdiff_t(c) * levels.stride(1)];
                    const int next = c != channel ? value : side ? std::min(value + 1, 255) : std::max(value - 1, 0);
                    moved[to] = std::uint8_t(next);
                    if (c == channel) widths[channel * n + i] += std::abs(next - value);
                }
    return nb::make_tuple(nb::ndarray<nb::numpy, std::uint8_t>(moved, {2, channels, n, channels}, owner),
                          given(widths, {channels, n}));
}

using Planes = nb::ndarray<const float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// The mean square of what is known of n numbers.
double mean_square(const double* __restrict values, ptrdiff_t n) {
    constexpr ptrdiff_t lanes = 8;  // so that no sum waits for the one before it
    double sums[lanes] = {}, known[lanes] = {};
    const auto add = [&](ptrdiff_t lane, double value) {
        sums[lane] += value == value ? value * value : 0;
        known[lane] += value == value ? 1 : 0;
    };
    ptrdiff_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (ptrdiff_t lane = 0; lane < lanes; ++lane) add(lane, values[i + lane]);
    for (; i < n; ++i) add(0, values[i]);
    double sum = 0, number = 0;
    for (ptrdiff_t lane = 0; lane < lanes; ++lane) sum += sums[lane], number += known[lane];
    return sum / std::max(number, 1.0);
}

nb::object squared_slopes(const Planes& planes, const Table& widths, const Table& mixing) {
    const ptrdiff_t d = ptrdiff_t(planes.shape(0)), channels = ptrdiff_t(planes.shape(2));
    const ptrdiff_t n = ptrdiff_t(planes.shape(3)), mixed = ptrdiff_t(mixing.shape(0));
    require(planes.shape(1) == 2 && ptrdiff_t(widths.shape(0)) == channels && ptrdiff_t(widths.shape(1)) == n &&
                ptrdiff_t(mixing.shape(1)) == channels,
            "planes, widths and mixtures differ in their numbers of channels or samples");
    Numbers slopes(size_t(channels * n)), mixture{}, found(size_t((channels + mixed) * d));
    mixture.resize(size_t(n));
    for (ptrdiff_t f = 0; f < d; ++f) {
        const float *less = planes.data() + f * 2 * channels * n, *more = less + channels * n;
        for (ptrdiff_t i = 0; i < channels * n; ++i) slopes[size_t(i)] = double(more[i] - less[i]) / widths.data()[i];
        for (ptrdiff_t c = 0; c < channels; ++c) found[size_t(c * d + f)] = mean_square(slopes.data() + c * n, n);
        for (ptrdiff_t m = 0; m < mixed; ++m) {
            std::fill(mixture.begin(), mixture.end(), 0.0);
            for (ptrdiff_t c = 0; c < channels; ++c) {
                const double factor = mixing.data()[m * channels + c];
                for (ptrdiff_t i = 0; i < n; ++i) mixture[size_t(i)] += factor * slopes[size_t(c * n + i)];
            }
            found[size_t((channels + m) * d + f)] = mean_square(mixture.data(), n);
        }
    }
    return nb::cast(given(found, {size_t(channels + mixed), size_t(d)}));
}

using Features = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;
using Places = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Usable = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Sums of squared differences of pixels and others: see gmmseg.kernels.squared_changes.
nb::object squared_changes(const Features& planes, const Places& places, const Usable& usable) {
    const size_t d = planes.shape(0), others = usable.shape(0), n = usable.shape(1);
    require(places.shape(0) == others + 1 && places.shape(1) == n, "places and those that are usable differ in number");
    constexpr float most = std::numeric_limits<float>::max();
    Numbers found(d);
    for (size_t f = 0; f < d; ++f) {
        const float* const plane = planes.data() + ptrdiff_t(f) * planes.stride(0);
        const auto at = [&](std::int64_t place) { return plane[place * planes.stride(1)]; };
        for (size_t other = 0; other < others; ++other) {
            const std::int64_t *here = places.data(), *there = here + (other + 1) * n;
            const bool* const counts = usable.data() + other * n;
            constexpr size_t lanes = 8;  // so that no sum waits for the one before it
            double sums[lanes] = {};
            for (size_t i = 0; i < n; ++i) {
                const float change = at(there[i]) - at(here[i]);
                const double known = change == change ? std::clamp(change, -most, most) : 0;
                sums[i % lanes] += counts[i] ? known * known : 0;
            }
            for (const double sum : sums) found[f] += sum;
        }
    }
    return nb::cast(given(found, {d}));
}

}  // namespace

void bind_rounding(nb::module_& m) {
    m.def("rounding", &rounding, nb::arg().noconvert(), nb::arg());
    m.def("mean_cosine", &mean_cosine, nb::arg().noconvert(), nb::arg());
    m.def("stepped", &stepped, nb::arg().noconvert());
    m.def("squared_changes", &squared_changes, nb::arg().noconvert(), nb::arg(), nb::arg());
    m.def("squared_slopes", &squared_slopes, nb::arg().noconvert(), nb::arg(), nb::arg());
}
