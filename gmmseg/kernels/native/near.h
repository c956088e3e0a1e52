// Densities and moments of the samples that are within reach of a component, row by row of samples. Included by
// mixture.cpp alone.
#pragma once
#include "screening.h"

namespace {

using gmmseg::Margin;

constexpr int kPanel = 128;  // samples of a component whose moments are summed in one go
constexpr int kBehind = 16;  // places that may be written behind those that are found
constexpr int kRows = kRegisterBytes == 64 ? 8 : 4;  // samples, or rows of moments, that are taken at a time
template <class T>
constexpr int kWide = kAcross * kLanes<T>;  // samples that are projected at a time
template <class T>
constexpr int kPadded = kLanes<T> > 8 ? kLanes<T> : 8;  // numbers of a row are a multiple of it, zeros past the last

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

template <class T>
GMMSEG_INLINE T root_of(T x) {
    if constexpr (sizeof(T) == 4) return __builtin_sqrtf(x);
    else return __builtin_sqrt(x);
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
struct Near {
    static constexpr int L = kLanes<T>;
    const MixtureJob<T>& job;
    const ptrdiff_t d, stride;
    const ptrdiff_t tile_size;  // numbers that the tiles of a component's second moments have
    const Kept<1> kept;
    double* const tiles;  // of each panel: what has been added of it
    T* rows;     // the block, (kBlock, stride)
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
    ptrdiff_t size_of_tiles() const {
        ptrdiff_t size = 0;
        each_tile([&](ptrdiff_t, ptrdiff_t, auto halves) { size += kRows * halves.value * L / 2; });
        return size;
    }
    static ptrdiff_t panels_of(const MixtureJob<T>& job) { return (job.parted() ? 2 : 1) * job.n_components; }
    size_t bytes() const {
        const ptrdiff_t k = job.n_components, all = panels_of(job);
        const ptrdiff_t numbers = (kBlock + L + kWide<T> + 2 * k + all * kPanel) * stride + k * factor_size() +
                                  all * kPanel + 4 * k + kBlock * (kMostDirections + k + 2) + 2 * kWide<T>;
        return 8 * size_t(all * (tile_size + 1)) + sizeof(T) * size_t(numbers) + 4 * (kBlock + kBehind);
    }
    explicit Near(const MixtureJob<T>& job)
        : job(job), d(job.n_features), stride((d + kPadded<T> - 1) / kPadded<T> * kPadded<T>), tile_size(size_of_tiles()),
          kept(bytes()), tiles(static_cast<double*>(kept.memory())) {
        const ptrdiff_t k = job.n_components, all = panels_of(job);
        projected = reinterpret_cast<T*>(tiles + all * tile_size);
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
        tile = rows + kBlock * stride;
        factors = tile + L * stride;
        roots = factors + k * factor_size();
        next = reinterpret_cast<T**>(roots + all * kPanel);
        rules = reinterpret_cast<Rule<T>*>(next + all);
        found = reinterpret_cast<std::int32_t*>(rules + k);
        __builtin_memset(tiles, 0, 8 * size_t(all * tile_size));
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

    // Takes the samples of a register, whose features are so far from each other, as rows.
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
        const T* const mean = means + c % job.n_components * stride;
        T part[kBlock];
        for (ptrdiff_t at = 0; at < count; ++at) part[at] = responsibility[found[at]];
        for (ptrdiff_t at = 0; at < count; ++at) part[at] = root_of(part[at]);
        ptrdiff_t place = (next[c] - panel(c)) / stride;
        for (ptrdiff_t at = 0; at < count; ++at) {
            const T root = roots[c * kPanel + place++] = part[at], *const row = rows + found[at] * stride;
            for (ptrdiff_t v = 0; v < stride; v += L) store(next[c] + v, root * (load(row + v) - load(mean + v)));
            next[c] += stride;
            if (place < kPanel) continue;
            flush(c, sums);
            place = 0;
        }
    }

    // Visits the tiles of the second moments: kRows rows from i on, and columns from j on, in so many halves of a register:
    // whole ones alone would go far past the diagonal. A twentieth of an iteration (d = 16 and 64, K = 4).
    template <class Visit>
    GMMSEG_INLINE void each_tile(const Visit& visit) const {
        for (ptrdiff_t i = 0; i < d; i += kRows) {
            ptrdiff_t j = 0;
            for (; 2 * (i + kRows - j) > 3 * L; j += 2 * L) visit(i, j, Index<4>{});
            if (2 * (i + kRows - j) > 2 * L) visit(i, j, Index<3>{});
            else if (2 * (i + kRows - j) > L) visit(i, j, Index<2>{});
            else if (i + kRows > j) visit(i, j, Index<1>{});
        }
    }

    // Of kRows rows from the i-th on, with so many halves of a register of columns from the j-th on.
    template <int Halves>
    GMMSEG_INLINE void products(const T* panel, ptrdiff_t count, ptrdiff_t i, ptrdiff_t j, double* tile) const {
        constexpr int wide = Halves / 2;
        constexpr bool more = Halves % 2;
        Pack<T> sum[kRows * wide + !wide] = {};
        HalfPack<T> half[kRows] = {};
        for (const T* row = panel; row != panel + count * stride; row += stride) {
            Pack<T> x[wide + !wide];
            HalfPack<T> y;
            unrolled<wide>([&](auto c) GMMSEG_LAMBDA { x[c.value] = load(row + j + c.value * L); });
            if constexpr (more) __builtin_memcpy(&y, row + j + wide * L, sizeof y);
            unrolled<kRows>([&](auto r) GMMSEG_LAMBDA {
                const T number = row[i + r.value];
                unrolled<wide>([&](auto c) GMMSEG_LAMBDA { sum[r.value * wide + c.value] += number * x[c.value]; });
                if constexpr (more) half[r.value] += number * y;
            });
        }
        unrolled<kRows * wide>([&](auto r) GMMSEG_LAMBDA { add_to(tile + r.value * L, sum[r.value]); });
        tile += kRows * wide * L;
        if constexpr (more)
            unrolled<kRows>([&](auto r) GMMSEG_LAMBDA { add_to(tile + r.value * L / 2, half[r.value]); });
    }

    // Adds the c-th panel to its sums, of those that are sure their mass too, and empties it.
    void flush(ptrdiff_t c, double* sums) {
        const T *const panel = this->panel(c), *const root = roots + c * kPanel;
        const ptrdiff_t count = (next[c] - panel) / stride;
        if (count == 0) return;
        next[c] = this->panel(c);
        if (c >= job.n_components) {
            Pack<T> mass = {};
            ptrdiff_t i = 0;
            for (; i + L <= count; i += L) mass += load(root + i) * load(root + i);
            sums[0] += total<T>(mass);
            for (; i < count; ++i) sums[0] += double(root[i] * root[i]);
        }
        for (ptrdiff_t v = 0; v < stride; v += L) {
            Pack<T> sum[4] = {};
            ptrdiff_t i = 0;
            for (; i + 4 <= count; i += 4)
                unrolled<4>([&](auto a) GMMSEG_LAMBDA {
                    sum[a.value] += root[i + a.value] * load(panel + (i + a.value) * stride + v);
                });
            for (; i < count; ++i) sum[0] += root[i] * load(panel + i * stride + v);
            T found[L];
            store(found, (sum[0] + sum[1]) + (sum[2] + sum[3]));
            for (ptrdiff_t x = 0; x < L && v + x < d; ++x) sums[1 + v + x] += double(found[x]);
        }
        double* tile = tiles + c * tile_size;
        each_tile([&](ptrdiff_t i, ptrdiff_t j, auto halves) GMMSEG_LAMBDA {
            products<halves.value>(panel, count, i, j, tile);
            tile += kRows * halves.value * L / 2;
        });
    }

    // Adds what is left of the c-th panel, and the tiles of its moments, to its sums.
    void release(ptrdiff_t c, double* sums) {
        flush(c, sums);
        const double* tile = tiles + c * tile_size;
        const auto add = [&](ptrdiff_t i, ptrdiff_t j, ptrdiff_t wide) {
            for (ptrdiff_t r = 0; r < kRows; ++r, tile += wide) {
                double* const __restrict to = sums + 1 + d + (i + r) * (i + r + 1) / 2 + j;
                const double* const __restrict from = tile;
                const ptrdiff_t end = i + r < d ? (wide < i + r - j + 1 ? wide : i + r - j + 1) : 0;
                for (ptrdiff_t x = 0; x < end; ++x) to[x] += from[x];
            }
        };
        each_tile([&](ptrdiff_t i, ptrdiff_t j, auto halves) {
            constexpr ptrdiff_t whole = halves.value / 2 * L;
            if (whole) add(i, j, whole);
            if (halves.value % 2) add(i, j + whole, L / 2);
        });
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
