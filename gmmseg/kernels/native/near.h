// Densities and moments of the samples that are within reach of a component, row by row of samples. Included by
// mixture.cpp alone.
#pragma once
#include "screening.h"

namespace {

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

// Working memory of samples within reach.
template <class T>
struct Near {
    static constexpr int L = kLanes<T>;
    const MixtureJob<T>& job;
    const ptrdiff_t d, stride;
    T* memory;
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
    T* own;        // (K, stride): what bounds a sample's squared distance from above
    T* sure;       // (kBlock): the component that a sample surely belongs to, or kNone
    T* room;       // (kBlock): squared distance from its mean up to which it does
    T *weight, *root;  // (kBlock): of the samples, and what it is the square of; 1 where they have none
    T* taken;      // (kBlock): 1 where a sample is in the sums of those that are sure, or else 0
    std::int32_t *found, *filled;  // (kBlock + kBehind) places in a block; samples in each panel

    ptrdiff_t factor_size() const {
        ptrdiff_t size = 0;
        for (ptrdiff_t i = 0; i < d; i += L) size += L * (i + L < d ? i + L : d);
        return size;
    }
    explicit Near(const MixtureJob<T>& job)
        : job(job), d(job.n_features), stride((d + kPadded<T> - 1) / kPadded<T> * kPadded<T>) {
        const ptrdiff_t k = job.n_components, size = factor_size(), all = job.parted() ? 2 * k : k;
        const ptrdiff_t numbers = (kBlock + L + 2 * k + all * kPanel) * stride + k * size + all * kPanel +
                                  kBlock * (kMostDirections + k + 6);
        memory = static_cast<T*>(::operator new(sizeof(T) * numbers + 4 * (kBlock + kBehind + all), kAligned));
        projected = memory;
        bounds = projected + kMostDirections * kBlock;
        highest = bounds + k * kBlock;
        sure = highest + kBlock;
        room = sure + kBlock;
        weight = room + kBlock;
        root = weight + kBlock;
        taken = root + kBlock;
        rows = taken + kBlock;
        tile = rows + kBlock * stride;
        means = tile + L * stride;
        own = means + k * stride;
        panels = own + k * stride;
        factors = panels + all * kPanel * stride;
        roots = factors + k * size;
        found = reinterpret_cast<std::int32_t*>(roots + all * kPanel);
        filled = found + kBlock + kBehind;
        __builtin_memset(means, 0, sizeof(T) * 2 * k * stride);
        __builtin_memset(factors, 0, sizeof(T) * k * size);
        __builtin_memset(filled, 0, 4 * all);
        for (ptrdiff_t i = 0; i < kBlock; ++i) weight[i] = root[i] = T(1);
        for (ptrdiff_t c = 0; c < k; ++c) {
            const T* p = job.params + c * job.params_per_component() + 1;
            for (ptrdiff_t i = 0; i < d; ++i) means[c * stride + i] = *p++;
            for (ptrdiff_t i = 0; job.screen && i < d; ++i) own[c * stride + i] = job.screen->own[c * d + i];
            T* to = factors + c * size;
            for (ptrdiff_t i = 0; i < d; ++i) {
                for (ptrdiff_t j = 0; j <= i; ++j) to[j * L + i % L] = *p++;
                if (i % L == L - 1) to += L * (i + 1);
            }
        }
    }
    ~Near() { ::operator delete(memory, kAligned); }
    Near(const Near&) = delete;
    Near& operator=(const Near&) = delete;

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
    // Takes those of a register as `project` has copied them.
    void take_copied(const T* copy, ptrdiff_t v, T* to) const {
        take(copy + v / kWide<T> * kWide<T> * d + v % kWide<T>, kWide<T>, to);
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
        for (ptrdiff_t at = 0; at < count; ++at) {
            const ptrdiff_t i = found[at], place = c * kPanel + filled[c];
            const T root = roots[place] = part[at];
            for (ptrdiff_t v = 0; v < stride; v += L)
                store(panels + place * stride + v, root * (load(rows + i * stride + v) - load(mean + v)));
            if (++filled[c] == kPanel) flush(c, sums);
        }
    }

    // Of kRows rows from the i-th on, with Wide registers of columns from the j-th on.
    template <class Register, int Wide>
    GMMSEG_INLINE void products(const T* panel, ptrdiff_t count, ptrdiff_t i, ptrdiff_t j, double* second) const {
        constexpr int lanes = int(sizeof(Register) / sizeof(T));
        Register sum[kRows * Wide] = {};
        for (const T* row = panel; row != panel + count * stride; row += stride) {
            Register x[Wide];
            unrolled<Wide>([&](auto c) GMMSEG_LAMBDA {
                __builtin_memcpy(&x[c.value], row + j + c.value * lanes, sizeof(Register));
            });
            unrolled<kRows>([&](auto r) GMMSEG_LAMBDA {
                const Register number = row[i + r.value] - Register{};
                unrolled<Wide>([&](auto c) GMMSEG_LAMBDA { sum[r.value * Wide + c.value] += number * x[c.value]; });
            });
        }
        T found[kRows * Wide * lanes];
        unrolled<kRows * Wide>([&](auto r) GMMSEG_LAMBDA {
            __builtin_memcpy(found + r.value * lanes, &sum[r.value], sizeof(Register));
        });
        for (ptrdiff_t r = 0; r < kRows && i + r < d; ++r) {
            double* const to = second + (i + r) * (i + r + 1) / 2 + j;
            const T* const from = found + r * Wide * lanes;
            const ptrdiff_t end = i + r - j + 1;
            if (end >= Wide * lanes)
                for (int x = 0; x < Wide * lanes; ++x) to[x] += double(from[x]);
            else
                for (ptrdiff_t x = 0; x < end; ++x) to[x] += double(from[x]);
        }
    }

    // Adds the c-th panel to its sums, but for their number, and empties it.
    void flush(ptrdiff_t c, double* sums) {
        const T *const panel = panels + c * kPanel * stride, *const root = roots + c * kPanel;
        const ptrdiff_t count = filled[c];
        filled[c] = 0;
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
        double* const second = sums + 1 + d;
        for (ptrdiff_t i = 0; i < d; i += kRows) {
            ptrdiff_t j = 0;
            for (; j + L < i + kRows && j + 2 * L <= stride; j += 2 * L) products<Pack<T>, 2>(panel, count, i, j, second);
            // Of the last columns half may lie past the diagonal: a twentieth of an iteration (d = 16, K = 4).
            for (; j < i + kRows && j < stride; j += L)
                if (2 * (i + kRows - j) > L) products<Pack<T>, 1>(panel, count, i, j, second);
                else products<HalfPack<T>, 1>(panel, count, i, j, second);
        }
    }
};

// Writes a block's samples, less the middle, along the directions of a screen, and the samples into `copy`, kWide of
// each feature together: where one lies, the next feature's are not far. Returns the largest of their squared norms.
template <class T>
T project(const MixtureJob<T>& job, const Block<T>& b, T* copy, T* out) {
    constexpr int L = kLanes<T>, wide = kWide<T>;
    const Screen<T>& screen = *job.screen;
    const ptrdiff_t d = job.n_features;
    Pack<T> largest = {};
    for (ptrdiff_t v = 0; v < b.packs * L; v += wide) {
        T* const tile = copy + v * d;
        Pack<T> norm[kAcross] = {};
        const auto along = [&](int q, auto is_first) GMMSEG_LAMBDA {
            Pack<T> y[kTile * kAcross] = {};
            for (ptrdiff_t j = 0; j < d; ++j) {
                Pack<T> x[kAcross];
                unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                    const T* const from = is_first.value ? b.x + j * b.row + v : tile + j * wide;
                    x[a.value] = load(from + a.value * L);
                    if constexpr (is_first.value) {
                        // The next block's: rows lie too far apart to be foreseen.
                        __builtin_prefetch(from + a.value * L + kBlock, 0, 2);
                        store(tile + j * wide + a.value * L, x[a.value]);
                    }
                    x[a.value] -= screen.middle[j];
                    if constexpr (is_first.value) norm[a.value] += x[a.value] * x[a.value];
                });
                unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
                    const Pack<T> number = fill(screen.across[j * screen.directions + q + r.value]);
                    unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                        y[r.value * kAcross + a.value] += number * x[a.value];
                    });
                });
            }
            unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
                unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
                    store(out + (q + r.value) * kBlock + v + a.value * L, y[r.value * kAcross + a.value]);
                });
            });
        };
        along(0, Index<1>{});
        for (int q = kTile; q < screen.directions; q += kTile) along(q, Index<0>{});
        unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA { largest = larger(norm[a.value], largest); });
    }
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

// Bounds of the components' log2 densities, and the highest of them. Returns the largest squared norm of a sample.
template <class T>
T near_bounds(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s, Near<T>& near) {
    const T farthest = project(job, b, s.centred, near.projected);
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) store(near.highest + v, fill(kLowest<T>));
    for (int k = 0; k < job.n_components; ++k)
        bounds(job, k, near.projected, b.packs, near.bounds + k * kBlock, near.highest);
    return farthest;
}

// Log2 densities of the components within reach of a sample, and the largest; of all others, the lowest that there is.
// Returns the largest squared norm of a sample.
template <class T>
T near_densities(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s, Near<T>& near) {
    const ptrdiff_t end = b.packs * kLanes<T>;
    const T farthest = near_bounds(job, b, s, near);
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) near.take_copied(s.centred, v, near.rows + v * near.stride);
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
