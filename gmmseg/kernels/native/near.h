// Densities and moments of the samples that are within reach of a component, row by row of samples. Included by
// mixture.cpp alone.
#pragma once
#include "moments.h"
#include "screening.h"
#include "tiles.h"

namespace {

using gmmseg::Margin;

constexpr int kPanel = 128;  // samples of a component whose moments are summed in one go
constexpr int kStrip = 64;  // samples of a block that are weighed in one go
constexpr int kBehind = 16;  // places that may be written behind those that are found
template <class T>
constexpr int kWide = kAcross * kLanes<T>;  // samples that are projected at a time

// Rows and columns of a square of registers change places, in parts of S lanes.
template <int S, bool Second, class V, int... I>
GMMSEG_INLINE V turned_part(V a, V b, Sequence<I...>) {
    constexpr int lanes = int(sizeof...(I));
    return __builtin_shufflevector(a, b, ((I & S) ? lanes + I - (Second ? 0 : S) : I + (Second ? S : 0))...);
}
template <class T, int S = kLanes<T> / 2>
GMMSEG_INLINE void turn(Pack<T>* square) {
    if constexpr (S > 0) {
        using All = typename Count<kLanes<T>>::type;
        unrolled<kLanes<T>>([&](auto i) GMMSEG_LAMBDA {
            if constexpr (!(i.value & S)) {
                const Pack<T> a = square[i.value], b = square[i.value + S];
                square[i.value] = turned_part<S, false>(a, b, All{});
                square[i.value + S] = turned_part<S, true>(a, b, All{});
            }
        });
        turn<T, S / 2>(square);
    }
}

// By which a sample surely belongs to a component, see Margin: with its own squared distance times `falls` and its bound.
template <class T>
struct Rule {
    T own, other, rises, slack;
};

// Whole numbers of the size of T.
template <class T>
struct WordOf {
    using type = std::int64_t;
};
template <>
struct WordOf<float> {
    using type = std::int32_t;
};

// Working memory of samples within reach.
template <class T>
struct Near : Tiles<T> {
    using Base = Tiles<T>;
    using Base::d, Base::stride, Base::tile_size, Base::tiles, Base::parts, Base::held, Base::L;
    const MixtureJob<T>& job;
    const bool pays;  // see `rows_pay`
    const Kept<1> kept;
    T* rows;     // the block, (kBlock, stride)
    T* spare;    // (kStrip, stride)
    T* tile;     // (L, stride): samples less a mean
    T* factors;  // K times `factor_size`: groups of L rows, column by column up to the last that is not 0
    T* means;    // (K, stride)
    T* panels;   // (K, kPanel, stride): samples less the mean, times the root of their responsibility; with job.sure
                 // as many more of those that are
    T* roots;    // (K, kPanel), or twice as many
    T* projected;  // (kMostDirections, kBlock): the block in the directions of the screen
    T* bounds;     // (K, kBlock), of log2 densities
    T* highest;    // (kBlock): the highest of them
    T* own;        // (K, stride): what bounds a sample's squared distance, times `falls`, from above
    T* sure;       // (kBlock): the component that a sample surely belongs to, or kNone
    typename WordOf<T>::type* names;  // (kWide): the same in whole numbers, of the samples at hand
    T* room;       // (kWide): so far off its mean it does
    T* copy;       // (stride, kWide): samples as `project` copies them, and zeros
    Rule<T>* rules;  // K
    T** next;        // of each panel: where the next sample comes
    std::int32_t* found;  // (kBlock + kBehind): places in a block

    ptrdiff_t factor_size() const {
        ptrdiff_t size = 0;
        for (ptrdiff_t i = 0; i < d; i += L) size += L * (i + L < d ? i + L : d);
        return size;
    }
    // Whether second moments of all samples take fewer products by rows of samples than by columns, and memory is kept.
    static bool rows_pay(const MixtureJob<T>& job) {
        const ptrdiff_t d = job.n_features, tiles = Base::size_of_tiles(d);
        const ptrdiff_t each = (kPanel * sizeof(T) + 16) * (d + L) + (8 + sizeof(T)) * tiles;
        return !job.diagonal && d > L && d > kUnrolledFeatures && 2 * tiles <= d * (d + kTile) &&
               job.n_components * each <= ptrdiff_t(Kept<1>::kMost);
    }
    static ptrdiff_t panels_of(const MixtureJob<T>& job) { return (job.parted() ? 2 : 1) * job.n_components; }
    size_t bytes() const {
        const ptrdiff_t k = job.n_components, all = panels_of(job);
        const ptrdiff_t numbers = (kBlock + kStrip + L + kWide<T> + 2 * k + all * kPanel) * stride +
                                  all * (tile_size + kPanel) + k * factor_size() + 4 * k +
                                  kBlock * (kMostDirections + k + 2) + 2 * kWide<T>;
        return 8 * size_t(all * (tile_size + 2)) + sizeof(T) * size_t(numbers) + 4 * (kBlock + kBehind);
    }
    explicit Near(const MixtureJob<T>& job)
        : Base(job.n_features), job(job), pays(rows_pay(job)), kept(bytes()) {
        const ptrdiff_t k = job.n_components, all = panels_of(job);
        tiles = static_cast<double*>(kept.memory());
        parts = reinterpret_cast<T*>(tiles + all * tile_size);
        projected = parts + all * tile_size;
        bounds = projected + kMostDirections * kBlock;
        highest = bounds + k * kBlock;
        sure = highest + kBlock;
        names = reinterpret_cast<typename WordOf<T>::type*>(sure + kBlock);
        room = sure + kBlock + kWide<T>;
        copy = room + kWide<T>;
        means = copy + kWide<T> * stride;
        own = means + k * stride;
        panels = own + k * stride;
        rows = panels + all * kPanel * stride;
        spare = rows + kBlock * stride;
        tile = spare + kStrip * stride;
        factors = tile + L * stride;
        roots = factors + k * factor_size();
        next = reinterpret_cast<T**>(roots + all * kPanel);
        held = reinterpret_cast<ptrdiff_t*>(next + all);
        rules = reinterpret_cast<Rule<T>*>(held + all);
        found = reinterpret_cast<std::int32_t*>(rules + k);
        __builtin_memset(tiles, 0, (8 + sizeof(T)) * size_t(all * tile_size));
        __builtin_memset(held, 0, sizeof(ptrdiff_t) * size_t(all));
        __builtin_memset(copy, 0, sizeof(T) * size_t((kWide<T> + 2 * k) * stride));
        for (ptrdiff_t i = 0; i < all * kPanel; ++i) roots[i] = T(1);
        for (ptrdiff_t c = 0; c < all; ++c) next[c] = panel(c);
        for (ptrdiff_t c = 0; c < k; ++c) {
            const T* const p = job.params + c * job.params_per_component();
            __builtin_memcpy(means + c * stride, p + 1, sizeof(T) * size_t(d));
            if (!job.screen) continue;
            const Margin margin = job.margins ? job.margins[c] : Margin{0, 1, double(job.screen->reach[c]), 1};
            rules[c] = {T(margin.own + margin.falls * double(*p)), T(margin.other), T(margin.rises), job.screen->slack[c]};
            for (ptrdiff_t i = 0; i < d; ++i) own[c * stride + i] = T(margin.falls) * job.screen->own[c * d + i];
        }
    }
    // Takes the factors, for densities: where no sample has any, that would be a twentieth of an iteration (d = 64, K = 4).
    void prepare() {
        const ptrdiff_t k = job.n_components, size = factor_size();
        __builtin_memset(factors, 0, sizeof(T) * size_t(k * size));
        for (ptrdiff_t c = 0; c < k; ++c) {
            const T* p = job.params + c * job.params_per_component() + 1 + d;
            T* to = factors + c * size;
            for (ptrdiff_t i = 0; i < d; ++i) {
                for (ptrdiff_t j = 0; j <= i; ++j) to[j * L + i % L] = *p++;
                if (i % L == L - 1) to += L * (i + 1);
            }
        }
    }
    T* panel(ptrdiff_t c) const { return panels + c * kPanel * stride; }

    // Takes the samples of so many registers, whose features are so far from each other, as rows.
    void take(const T* x, ptrdiff_t distance, ptrdiff_t packs, T* to) const {
        for (ptrdiff_t v = 0; v < packs * L; v += L) take(x + v, distance, to + v * stride);
    }
    void take(const T* x, ptrdiff_t distance, T* to) const {
        for (ptrdiff_t i = 0; i < stride; i += L) {
            Pack<T> square[L];
            unrolled<L>([&](auto r) GMMSEG_LAMBDA {
                square[r.value] = i + r.value < d ? load(x + (i + r.value) * distance) : Pack<T>{};
            });
            turn<T>(square);
            unrolled<L>([&](auto r) GMMSEG_LAMBDA { store(to + r.value * stride + i, square[r.value]); });
        }
    }

    // Adds the squares of kRows centred samples times groups of Wide * L rows of a factor, each to a register. Not
    // inlined, lest constants of what surrounds it take the registers that the products need.
    template <int Wide>
    __attribute__((noinline)) static void squares(const T* from, ptrdiff_t stride, const T* factor, ptrdiff_t first,
                                                  ptrdiff_t second, Pack<T>* out) {
        Pack<T> y[kRows] = {}, z[kRows] = {};
        const T *f = factor, *g = factor + L * first, *const end = from + first;
        for (const T* x = from; x != end; ++x, f += L, g += L) {
            const Pack<T> a = load(f), b = Wide > 1 ? load(g) : Pack<T>{};
            for (int r = 0; r < kRows; ++r) {
                const Pack<T> number = fill(x[r * stride]);
                y[r] += a * number;
                if constexpr (Wide > 1) z[r] += b * number;
            }
        }
        for (const T* x = end; Wide > 1 && x != from + second; ++x, g += L) {
            const Pack<T> b = load(g);
            for (int r = 0; r < kRows; ++r) z[r] += b * fill(x[r * stride]);
        }
        for (int r = 0; r < kRows; ++r) out[r] += Wide > 1 ? y[r] * y[r] + z[r] * z[r] : y[r] * y[r];
    }

    // Log2 densities of component c at the first `count` places that were found, and what is highest of them.
    void densities(ptrdiff_t c, ptrdiff_t count, T* density, T* highest) {
        const T* const factor = factors + c * factor_size();
        const T *const mean = means + c * stride, constant = job.params[c * job.params_per_component()];
        for (ptrdiff_t at = 0; at < count; at += L) {
            const ptrdiff_t some = count - at < L ? count - at : L;
            Pack<T> square[L < kRows ? kRows : L], ordered[L];
            unrolled<(L < kRows ? kRows : L)>([&](auto r) GMMSEG_LAMBDA { square[r.value] = Pack<T>{}; });
            for (ptrdiff_t r = 0; r < some; ++r)
                for (ptrdiff_t v = 0; v < stride; v += L)
                    store(tile + r * stride + v, load(rows + found[at + r] * stride + v) - load(mean + v));
            for (ptrdiff_t r = 0; r < some; r += kRows) {
                const T* group = factor;
                for (ptrdiff_t i = 0; i < d; i += 2 * L) {
                    const ptrdiff_t first = i + L < d ? i + L : d, second = i + 2 * L < d ? i + 2 * L : d;
                    if (first < d) squares<2>(tile + r * stride, stride, group, first, second, square + r);
                    else squares<1>(tile + r * stride, stride, group, first, second, square + r);
                    group += L * (first + second);
                }
            }
            unrolled<L>([&](auto r) GMMSEG_LAMBDA { ordered[place_of_total<T>(r.value)] = square[r.value]; });
            T sums[L];
            totals<T, L>(ordered, sums);
            for (ptrdiff_t r = 0; r < some; ++r) {
                const ptrdiff_t i = found[at + r];
                const T value = constant - sums[r];
                density[i] = value > kLowest<T> ? value : kLowest<T>;
                if (density[i] > highest[i]) highest[i] = density[i];
            }
        }
    }

    // Adds the samples that were found to the c-th panel, and the panel to the sums where it is full.
    void append(ptrdiff_t c, ptrdiff_t count, const T* responsibility, double* sums) {
        T part[kBlock];
        for (ptrdiff_t at = 0; at < count; ++at) part[at] = responsibility[found[at]];
        for (ptrdiff_t at = 0; at < count; ++at) part[at] = root_of(part[at]);
        for (ptrdiff_t at = 0, some; at < count; at += some) {
            const ptrdiff_t place = (next[c] - panel(c)) / stride;
            some = count - at < kPanel - place ? count - at : kPanel - place;
            weigh<true>(c, part + at, rows, found + at, some, next[c]);
            __builtin_memcpy(roots + c * kPanel + place, part + at, sizeof(T) * size_t(some));
            next[c] += some * stride;
            if (place + some == kPanel) flush(c, sums);
        }
    }
    // The same of all samples of a block, so few at a time that they stay in the nearest cache: .95 of an iteration in
    // which every component reaches all (d = 64, K = 4).
    void append_all(ptrdiff_t c, ptrdiff_t count, const T* responsibility) {
        T root[kBlock];
        for (ptrdiff_t i = 0; i < count; ++i) root[i] = root_of(responsibility[i]);
        for (ptrdiff_t i = 0; i < count; i += kStrip) {
            const ptrdiff_t some = count - i < kStrip ? count - i : kStrip;
            weigh<false>(c, root + i, rows + i * stride, nullptr, some, spare);
            this->add_products(c, spare, some);
        }
    }

    // Writes samples less the mean times the roots of their responsibilities, and adds up their first moments, but of
    // those that are sure. They are all from some on, or those at the places.
    template <bool Places>
    void weigh(ptrdiff_t c, const T* root, const T* from, const std::int32_t* places, ptrdiff_t count, T* to) const {
        ptrdiff_t v = 0;
        for (; v + 4 * L <= stride; v += 4 * L) weigh<Places, 4>(c, root, from, places, count, to, v);
        for (; v + 2 * L <= stride; v += 2 * L) weigh<Places, 2>(c, root, from, places, count, to, v);
        if (v < stride) weigh<Places, 1>(c, root, from, places, count, to, v);
    }
    template <bool Places, int Wide>
    void weigh(ptrdiff_t c, const T* root, const T* from, const std::int32_t* places, ptrdiff_t count, T* to,
               ptrdiff_t v) const {
        const ptrdiff_t stride = this->stride;  // what is written might change it, for all that the compiler knows
        const T* const mean = means + c % job.n_components * stride + v;
        constexpr int several = 4 / Wide;  // samples at a time: a sum of one after the other would wait for itself
        Pack<T> middle[Wide], sum[Wide * several] = {};
        unrolled<Wide>([&](auto a) GMMSEG_LAMBDA { middle[a.value] = load(mean + a.value * L); });
        from += v, to += v;
        const auto take = [&](ptrdiff_t at, auto s) GMMSEG_LAMBDA {
            const T* const row = from + (Places ? places[at] : at) * stride;
            const Pack<T> times = fill(root[at]);
            unrolled<Wide>([&](auto a) GMMSEG_LAMBDA {
                const Pack<T> dx = times * (load(row + a.value * L) - middle[a.value]);
                store(to + at * stride + a.value * L, dx);
                sum[s.value * Wide + a.value] += times * dx;
            });
        };
        ptrdiff_t at = 0;
        for (; at + several <= count; at += several)
            unrolled<several>([&](auto s) GMMSEG_LAMBDA { take(at + s.value, s); });
        for (; at < count; ++at) take(at, Index<0>{});
        T* const first = parts + c * tile_size + v;
        for (int i = 0; c < job.n_components && i < Wide * several; ++i)
            store(first + i % Wide * L, load(first + i % Wide * L) + sum[i]);
    }

    // Adds the c-th panel to its sums, of those that are sure their mass and first moments too, and empties it.
    void flush(ptrdiff_t c, double* sums) {
        const T* const panel = this->panel(c);
        const ptrdiff_t count = (next[c] - panel) / stride;
        if (count == 0) return;
        next[c] = this->panel(c);
        if (c >= job.n_components) add_mass(panel, roots + c * kPanel, count, sums);
        this->add_products(c, panel, count);
    }
    void add_mass(const T* panel, const T* root, ptrdiff_t count, double* sums) const {
        Pack<T> mass = {};
        ptrdiff_t i = 0;
        for (; i + L <= count; i += L) mass += load(root + i) * load(root + i);
        sums[0] += total<T>(mass);
        for (; i < count; ++i) sums[0] += double(root[i] * root[i]);
        for (ptrdiff_t v = 0; v < stride; v += L) {
            Pack<T> sum[4] = {};
            for (i = 0; i + 4 <= count; i += 4)
                unrolled<4>([&](auto a) GMMSEG_LAMBDA {
                    sum[a.value] += root[i + a.value] * load(panel + (i + a.value) * stride + v);
                });
            for (; i < count; ++i) sum[0] += root[i] * load(panel + i * stride + v);
            T found[L];
            store(found, (sum[0] + sum[1]) + (sum[2] + sum[3]));
            for (ptrdiff_t x = 0; x < L && v + x < d; ++x) sums[1 + v + x] += double(found[x]);
        }
    }

    // Adds what is left of the c-th panel, and the tiles of its moments, to its sums.
    void release(ptrdiff_t c, double* sums) {
        flush(c, sums);
        this->add_moments(c, sums);
    }
};

// Writes kWide samples, whose features are so far from each other, less the middle along the directions of a screen, and
// the samples into `copy`: where one lies, the next feature's are not far. Returns the largest of their squared norms.
template <class T>
T project(const MixtureJob<T>& job, const T* samples, ptrdiff_t row, T* copy, T* out) {
    constexpr int L = kLanes<T>, wide = kWide<T>;
    const T *const middle = job.screen->middle, *const across = job.screen->across;
    const ptrdiff_t d = job.n_features, directions = job.screen->directions;
    Pack<T> norm[kAcross] = {};
    const auto along = [&](ptrdiff_t q, auto is_first) GMMSEG_LAMBDA {
        Pack<T> y[kTile * kAcross] = {};
        for (ptrdiff_t j = 0; j < d; ++j) {
            Pack<T> x[kAcross];
            unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                const T* const from = is_first.value ? samples + j * row : copy + j * wide;
                x[a.value] = load(from + a.value * L);
                if constexpr (is_first.value) {
                    // Those after the next: rows lie too far apart to be foreseen.
                    __builtin_prefetch(from + a.value * L + 2 * wide, 0, 2);
                    store(copy + j * wide + a.value * L, x[a.value]);
                }
                x[a.value] -= middle[j];
                if constexpr (is_first.value) norm[a.value] += x[a.value] * x[a.value];
            });
            unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
                const Pack<T> number = fill(across[j * directions + q + r.value]);
                unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                    y[r.value * kAcross + a.value] += number * x[a.value];
                });
            });
        }
        unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
            unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                store(out + (q + r.value) * kBlock + a.value * L, y[r.value * kAcross + a.value]);
            });
        });
    };
    along(0, Index<1>{});
    for (ptrdiff_t q = kTile; q < directions; q += kTile) along(q, Index<0>{});
    Pack<T> largest = norm[0];
    unrolled_from<1, kAcross>([&](auto a) GMMSEG_LAMBDA { largest = larger(norm[a.value], largest); });
    T most = 0;
    for (int i = 0; i < L; ++i) most = largest[i] > most ? largest[i] : most;
    return most;
}

// Writes the places of a block at which something holds, and perhaps others behind them; returns how many they are.
// Whether a register has any cannot be foreseen, so that there is no branch: a fifth of an iteration (d = 16, K = 16).
template <class T, class Holds>
GMMSEG_INLINE ptrdiff_t find(const Block<T>& b, std::int32_t* found, const Holds& holds) {
    constexpr int L = kLanes<T>;
    ptrdiff_t count = 0;
    for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
        const Bits<T> held = holds(v);
#if defined(__AVX512VL__)
        const __m512i steps = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        unsigned bits;
        if constexpr (sizeof(T) == 4) bits = _mm512_test_epi32_mask((__m512i)held, (__m512i)held);
        else bits = _mm512_test_epi64_mask((__m512i)held, (__m512i)held);
        const __m512i places = _mm512_add_epi32(_mm512_set1_epi32(int(v)), steps);
        _mm512_storeu_si512(found + count, _mm512_maskz_compress_epi32(__mmask16(bits), places));
        count += __builtin_popcount(bits);
#else
        for (int i = 0; i < L; ++i) {
            found[count] = std::int32_t(v + i);
            count += held[i] != 0;
        }
#endif
    }
    return count;
}

// Log2 densities of the components within reach of a sample, and the largest; of all others, the lowest that there is.
// Returns the largest squared norm of a sample.
template <class T>
T near_densities(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s, Near<T>& near) {
    const ptrdiff_t end = b.packs * kLanes<T>;
    T farthest = 0;
    for (ptrdiff_t v = 0; v < end; v += kWide<T>) {
        const T most = project(job, b.x + v, b.row, near.copy, near.projected + v);
        farthest = most > farthest ? most : farthest;
        for (ptrdiff_t a = 0; a < kWide<T>; a += kLanes<T>)
            near.take(near.copy + a, kWide<T>, near.rows + (v + a) * near.stride);
    }
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) store(near.highest + v, fill(kLowest<T>));
    for (int k = 0; k < job.n_components; ++k)
        bounds(job, k, near.projected, b.packs, near.bounds + k * kBlock, near.highest);
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) store(s.highest + v, fill(kLowest<T>));
    for (int k = 0; k < job.n_components; ++k) {
        T* const density = s.densities + k * kBlock;
        const T* const bound = near.bounds + k * kBlock;
        for (ptrdiff_t v = 0; v < end; v += kLanes<T>) store(density + v, fill(kLowest<T>));
        const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
            return Bits<T>(load(bound + v) >= load(near.highest + v));
        });
        near.densities(k, count, density, s.highest);
    }
    for (int k = 0; k < job.n_components; ++k) {
        T* const density = s.densities + k * kBlock;
        const T* const bound = near.bounds + k * kBlock;
        const T slack = job.screen->slack[k] * farthest + job.screen->reach[k];
        const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
            const Pack<T> u = load(bound + v);
            return Bits<T>(u < load(near.highest + v)) & Bits<T>(u + slack >= load(s.highest + v));
        });
        if (2 * count > end) {
            densities(job, b, k, s, density);
            for (ptrdiff_t v = 0; v < end; v += kLanes<T>)
                store(s.highest + v, larger(load(density + v), load(s.highest + v)));
        } else {
            near.densities(k, count, density, s.highest);
        }
    }
    return farthest;
}

}  // namespace
