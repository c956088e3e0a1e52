// Statistics of samples in order, so that whole registers have no part in a component and are left out of it. With
// registers of 512 bits and numbers of 32 alone: smaller ones leave less time to be saved. Included by mixture.cpp alone.
#pragma once
#include <optional>
#include <vector>

#include "raised.h"

namespace {

#if defined(__AVX512F__)
constexpr bool kKeepsOrder = true;

using gmmseg::kGranules;
using gmmseg::Reach;
constexpr int kGranule = int(kBlock) / kGranules;
static_assert(kGranule == kLanes<float>);

// Some of the registers of a whole block.
struct Granules {
    const float* x;
    ptrdiff_t row;
    std::uint32_t some;
};
template <class Body>
GMMSEG_INLINE void each_register(const Granules& b, const Body& body) {
    for (std::uint32_t left = b.some; left; left &= left - 1) body(ptrdiff_t(__builtin_ctz(left) * kGranule));
}

// Puts the samples of a chunk in order: first those of one set of components that reach them, then those of the next.
// Sets that follow each other differ in few components.
class Order {
public:
    Order(const MixtureJob<float>& job, ptrdiff_t begin, ptrdiff_t end)
        : job(job), begin(begin), keys(size_t(end - begin + kBlock)), places(size_t(end - begin)) {}

    // Takes the sets of a block, a bit for each component, from densities and their sums.
    void take(const Block<float>& b, ptrdiff_t first, const Scratch<float>& s) {
        for (ptrdiff_t v = 0; v < b.packs * kGranule; v += kGranule) {
            const Pack<float> sum = load(s.factor + v);
            Natural<float> key = {};
            for (int k = job.n_components - 1; k >= 0; --k)
                key = (key << 1) - (Natural<float>)(load(s.densities + k * kBlock + v) > job.reach->shares[k] * sum);
            __builtin_memcpy(keys.data() + (first - begin) + v, &key, sizeof key);
        }
    }

    // Writes the samples, and how many components reach them all in all.
    void write() {
        const size_t n = places.size();
        ptrdiff_t reached = 0;
        for (size_t i = 0; i < n; ++i) reached += __builtin_popcount(keys[i]);
        job.reach->reached->fetch_add(reached);
        for (int shift = 1; shift < job.n_components; shift *= 2)  // from Gray's code to what is counted by it
            for (size_t i = 0; i < n; ++i) keys[i] ^= keys[i] >> shift;
        std::vector<std::uint32_t> before(n);
        for (size_t i = 0; i < n; ++i) places[i] = std::uint32_t(i);
        for (int shift = 0; shift < job.n_components; shift += 8) {
            std::swap(before, places);
            sort(before, shift);
        }
        const ptrdiff_t step = job.sample_stride;
        for (int i = 0; i < job.n_features; ++i)
            put(job.samples + i * job.feature_stride + begin * step, step, job.reach->planes + i * job.n_samples + begin);
        if (job.weights) put(job.weights + begin, 1, job.reach->weights + begin);
    }

private:
    const MixtureJob<float>& job;
    const ptrdiff_t begin;
    std::vector<std::uint32_t> keys, places;
    std::vector<float> copy;

    // By one byte of the keys. Two halves count for themselves: neighbours are often alike, and would wait for each other.
    void sort(const std::vector<std::uint32_t>& before, int shift) {
        const size_t n = before.size(), half = n / 2;
        std::uint32_t starts[2][256] = {}, start = 0;
        const auto digit = [&](size_t i) GMMSEG_LAMBDA { return keys[before[i]] >> shift & 255; };
        for (size_t i = 0; i < half; ++i) ++starts[0][digit(i)], ++starts[1][digit(half + i)];
        if (n % 2) ++starts[1][digit(n - 1)];
        for (int i = 0; i < 256; ++i)
            for (int h = 0; h < 2; ++h) start += starts[h][i], starts[h][i] = start - starts[h][i];
        for (size_t i = 0; i < half; ++i) {
            places[starts[0][digit(i)]++] = before[i];
            places[starts[1][digit(half + i)]++] = before[half + i];
        }
        if (n % 2) places[starts[1][digit(n - 1)]++] = before[n - 1];
    }

    void put(const float* from, ptrdiff_t step, float* to) {
        if (from == to) {
            copy.assign(from, from + places.size());
            from = copy.data();
        }
        if (step == 1)
            for (size_t i = 0; i < places.size(); ++i) to[i] = from[places[i]];
        else
            for (size_t i = 0; i < places.size(); ++i) to[i] = from[ptrdiff_t(places[i]) * step];
    }
};

// How far below the level of a granule densities may fall before what was left out is looked at again, in units of log2.
constexpr int kFall = 4;

// The granules that a component may reach, by the bounds, which are brought up to date.
GMMSEG_INLINE std::uint32_t perhaps_reached(const Reach& reach, int k, float constant, const float* levels,
                                            float* distances) {
    std::uint32_t out = 0;
    for (int g = 0; g < kGranules; g += kGranule) {
        const Pack<float> q = larger(reach.nearer[k] * load(distances + g) - reach.moved[k], Pack<float>{});
        store(distances + g, q);
        out |= std::uint32_t(above(load(levels + g) + (reach.parts[k] - float(kFall)), constant - q * q)) << g;
    }
    return ~out;
}

// Which granules of a block something holds in, for any of their samples.
template <class Holds>
GMMSEG_INLINE std::uint32_t granules_where(const Holds& holds) {
    Natural<float> found = {}, bit = 1 - Natural<float>{};
    for (ptrdiff_t v = 0; v < kBlock; v += kGranule, bit += bit)
        found = (Natural<float>)_mm512_mask_or_epi32((__m512i)found, holds(v), (__m512i)found, (__m512i)bit);
    return std::uint32_t(_mm512_reduce_or_epi32((__m512i)found));
}

// Calls body(g) for each granule of a set.
template <class Body>
GMMSEG_INLINE void each_granule(std::uint32_t some, const Body& body) {
    for (; some; some &= some - 1) body(__builtin_ctz(some));
}

// As raised_densities, of the granules that each component reaches, which are told in `reached`. Bounds tell most of the
// others; where they have become too weak densities do.
ptrdiff_t reached_densities(const MixtureJob<float>& job, const Block<float>& b, ptrdiff_t first, float peak,
                            Scratch<float>& s, std::uint32_t* reached) {
    const Reach& reach = *job.reach;
    const ptrdiff_t step = job.params_per_component(), block = first / kBlock;
    float *const levels = reach.levels + block * kGranules;
    float *const distances = reach.distances + block * job.n_components * kGranules;
    alignas(64) float floors[kGranules];
    __builtin_memset(s.factor, 0, sizeof(float) * kBlock);
    for (int g = 0; g < kGranules; g += kGranule) store(floors + g, exp2_raised(load(levels + g) - peak));
    const auto add = [&](int k, std::uint32_t some) {
        few_features(job, Granules{b.x, b.row, some}, k, Summing<float>{s.densities + k * kBlock, s.factor, peak});
    };
    for (int k = 0; k < job.n_components; ++k) {
        const float constant = job.params[k * step];
        reached[k] = constant > kLowest<float> ? perhaps_reached(reach, k, constant, levels, distances + k * kGranules) : 0;
        add(k, reached[k]);
    }
    for (ptrdiff_t v = 0; v < kBlock; v += kGranule) store(s.highest + v, fill(peak));
    const auto below = [&](float times, float least) GMMSEG_LAMBDA {
        return granules_where([&](ptrdiff_t v) GMMSEG_LAMBDA {
            return above(fill(floors[v / kGranule] * times > least ? floors[v / kGranule] * times : least), load(s.factor + v));
        });
    };
    std::uint32_t redone = 0;
    const std::uint32_t stale = below(0.25f, kLeastSum<float>) | ~below(16, 0);
    each_granule(below(1 / float(1 << kFall), kLeastSum<float>), [&](int g) {
        const std::uint32_t bit = std::uint32_t(1) << g;
        for (int k = 0; k < job.n_components; ++k)
            if (!(reached[k] & bit) && job.params[k * step] > kLowest<float>) add(k, bit);
        for (int k = 0; k < job.n_components; ++k) reached[k] |= bit;
        if (!any_below(load(s.factor + g * kGranule), kLeastSum<float>)) return;
        redone |= bit;
        raise_again(job, b, g * kGranule, s);
    });
    each_granule(stale, [&](int g) {
        const Pack<float> log2s = load(s.highest + g * kGranule) + log2_positive(load(s.factor + g * kGranule));
        levels[g] = _mm512_reduce_min_ps((__m512)log2s) - float(kRaised<float>);
    });
    for (int k = 0; k < job.n_components; ++k) {
        const float* const density = s.densities + k * kBlock;
        const Pack<float> share = fill(reach.shares[k]);
        const std::uint32_t some = granules_where([&](ptrdiff_t v) GMMSEG_LAMBDA {
            return above(load(density + v), share * load(s.factor + v));
        });
        each_granule(reached[k] & ~some & ~redone, [&](int g) {
            const float most = _mm512_reduce_max_ps((__m512)load(density + g * kGranule));
            const int power = int(__builtin_bit_cast(std::uint32_t, most) >> 23) - 126 - kRaised<float>;  // rounded up
            distances[k * kGranules + g] = __builtin_sqrtf(job.params[k * step] - peak - float(power));
        });
        reached[k] &= some;
    }
    return __builtin_popcount(redone);
}

// Statistics of samples in order, or of those that are to be put in order: components' sums are over what they reach. Of the
// time of EM in 60 iterations are left four fifths (d = 5, K = 8, a photograph's colours and places).
template <class T>
void reach_statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    Scratch<T> s(job);
    const NoDenormals none;
    const float peak = peak_of(job);
    bool is_far = false;
    std::vector<std::uint32_t> reached(static_cast<size_t>(job.n_components));
    std::optional<Order> order;
    if (job.reach->planes) order.emplace(job, begin, end);
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        const bool whole = order || b.size < kBlock || is_far;
        int raised = kRaised<float>;
        if (whole) raised = relative_densities(job, b, first, s, is_far);
        else is_far = 4 * reached_densities(job, b, first, peak, s, reached.data()) > b.packs;
        if (order) order->take(b, first, s);
        *loglik += kLn2 * normalise(job, b, first, s, raised);
        for (int k = 0; k < job.n_components; ++k) {
            if (whole) moments(job, b, k, s, sums);
            else few_moments(job, Granules{b.x, b.row, reached[size_t(k)]}, k, s, sums);
        }
        if ((first - begin) / kBlock % kHeldBlocks == kHeldBlocks - 1) release(job, s, sums);
    }
    release(job, s, sums);
    if (order) order->write();
}

#else
constexpr bool kKeepsOrder = false;
#endif

}  // namespace
