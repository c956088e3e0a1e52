// Moments of one component about its mean over a block, weighted by responsibility. Included by mixture.cpp alone.
#pragma once
#include "densities.h"

namespace {

template <class T>
GMMSEG_INLINE T root_of(T x) {
    if constexpr (sizeof(T) == 4) return __builtin_sqrtf(x);
    else return __builtin_sqrt(x);
}

// With few features the sums of a block start from those of the last and are held lane by lane: 9 % of an iteration at
// d = 5 and K = 8. With more of them the registers are too scarce for it, and the lanes are added up at once.
template <int D>
constexpr bool kHolds = D <= 5;

template <class T, bool Holds>
GMMSEG_INLINE Pack<T> resume(const T* held, int i) {
    if constexpr (Holds) return load(held + i * kLanes<T>);
    else return Pack<T>{};
}

template <class T, bool Holds>
GMMSEG_INLINE void keep(T* held, double* sums, int i, Pack<T> sum) {
    if constexpr (Holds) store(held + i * kLanes<T>, sum);
    else sums[i] += total<T>(sum);
}

// Rows From..To of the second moments, and with the first of them everything else, in registers over the block.
template <class T, int D, int From, int To, class Samples>
GMMSEG_INLINE void moments_rows(const Samples& b, const T* p, const T* density, const T* factor, T* held,
                                double* sums) {
    constexpr int n_second = triangle(To) - triangle(From), place = 1 + D + triangle(From);
    Pack<T> mean[To], zeroth = resume<T, kHolds<D>>(held, 0), first[To], second[n_second];
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA { first[i.value] = resume<T, kHolds<D>>(held, 1 + i.value); });
    unrolled<n_second>([&](auto i) GMMSEG_LAMBDA { second[i.value] = resume<T, kHolds<D>>(held, place + i.value); });
    unrolled<To>([&](auto i) GMMSEG_LAMBDA { mean[i.value] = fill(p[1 + i.value]); });
    each_register(b, [&](ptrdiff_t v) GMMSEG_LAMBDA {
        const Pack<T> r = load(density + v) * load(factor + v);
        Pack<T> dx[To];
        unrolled<To>([&](auto i) GMMSEG_LAMBDA { dx[i.value] = mean[i.value] - load(b.x + i.value * b.row + v); });
        if (From == 0) zeroth += r;
        unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> rdx = r * dx[i.value];
            first[i.value] -= rdx;
            unrolled<i.value + 1>([&](auto j) GMMSEG_LAMBDA {
                second[triangle(i.value) - triangle(From) + j.value] += rdx * dx[j.value];
            });
        });
    });
    if (From == 0) keep<T, kHolds<D>>(held, sums, 0, zeroth);
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA { keep<T, kHolds<D>>(held, sums, 1 + i.value, first[i.value]); });
    unrolled<n_second>([&](auto i) GMMSEG_LAMBDA { keep<T, kHolds<D>>(held, sums, place + i.value, second[i.value]); });
}

template <class T, int D, class Samples>
GMMSEG_INLINE void moments_full(const Samples& b, const T* p, const T* density, const T* factor, T* held,
                                double* sums) {
    if constexpr (D <= 6) {
        moments_rows<T, D, 0, D>(b, p, density, factor, held, sums);
    } else {  // more sums than registers: two passes
        moments_rows<T, D, 0, 5>(b, p, density, factor, held, sums);
        moments_rows<T, D, 5, D>(b, p, density, factor, held, sums);
    }
}

template <class T, int D, class Samples>
GMMSEG_INLINE void moments_diagonal(const Samples& b, const T* p, const T* density, const T* factor, T* held,
                                    double* sums) {
    Pack<T> mean[D], zeroth = resume<T, kHolds<D>>(held, 0), first[D], second[D];
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        mean[i.value] = fill(p[1 + i.value]);
        first[i.value] = resume<T, kHolds<D>>(held, 1 + i.value);
        second[i.value] = resume<T, kHolds<D>>(held, 1 + D + i.value);
    });
    each_register(b, [&](ptrdiff_t v) GMMSEG_LAMBDA {
        const Pack<T> r = load(density + v) * load(factor + v);
        zeroth += r;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> dx = mean[i.value] - load(b.x + i.value * b.row + v), rdx = r * dx;
            first[i.value] -= rdx;
            second[i.value] += rdx * dx;
        });
    });
    keep<T, kHolds<D>>(held, sums, 0, zeroth);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        keep<T, kHolds<D>>(held, sums, 1 + i.value, first[i.value]);
        keep<T, kHolds<D>>(held, sums, 1 + D + i.value, second[i.value]);
    });
}

// Centres kTile features from the i-th on, those past the last as the last, and adds up their first moments; for
// diagonal covariances, with the responsibilities, their second ones too; for full ones, with roots of these, they are
// written. All at once: one sum after the other would wait for itself. With `Some` only of the samples whose places in
// the block are given, in as many registers as these need.
template <class T, bool Diagonal, bool Some>
GMMSEG_INLINE void weigh(const Block<T>& b, const T* mean, int d, int i, Scratch<T>& s, const std::int32_t* places,
                         ptrdiff_t end, double* sums) {
    const T *from[kTile], *const share = s.responsibility;
    Pack<T> center[kTile], first[kTile] = {}, second[kTile] = {};
    T* const to = s.centred + i * kBlock;
    for (int r = 0; r < kTile; ++r) {
        const int row = i + r < d ? i + r : d - 1;
        from[r] = b.x + row * b.row;
        center[r] = fill(mean[row]);
    }
    for (int r = 0; Some && r < kTile; ++r) {
        for (ptrdiff_t v = 0; v < end; ++v) to[r * kBlock + v] = from[r][places[v]];
        from[r] = to + r * kBlock;
    }
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) {
        const Pack<T> p = load(share + v);
        unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
            const Pack<T> dx = p * (load(from[r.value] + v) - center[r.value]);
            if constexpr (Diagonal) {
                first[r.value] += dx;
                second[r.value] += dx * (load(from[r.value] + v) - center[r.value]);
            } else {
                first[r.value] += p * dx;
                store(to + r.value * kBlock + v, dx);
            }
        });
    }
    for (int r = 0; r < kTile && i + r < d; ++r) {
        sums[1 + i + r] += total<T>(first[r]);
        if constexpr (Diagonal) sums[1 + d + i + r] += total<T>(second[r]);
    }
}

// Adds products of kGroup rows, from the i-th on, and so many from the j-th on, summed over samples, to the second
// moments.
template <class T, int Columns>
__attribute__((noinline)) void add_products(const T* centred, ptrdiff_t end, int i, int j, double* second) {
    constexpr int L = kLanes<T>, all = kGroup * Columns, places = (all + L - 1) / L * L;
    const T *row = centred + i * kBlock, *column = centred + j * kBlock;
    Pack<T> sum[all] = {};
    for (ptrdiff_t v = 0; v < end; v += L, row += L, column += L) {
        Pack<T> x[Columns];
        unrolled<Columns>([&](auto c) GMMSEG_LAMBDA { x[c.value] = load(column + c.value * kBlock); });
        unrolled<kGroup>([&](auto r) GMMSEG_LAMBDA {
            const Pack<T> y = load(row + r.value * kBlock);
            unrolled<Columns>([&](auto c) GMMSEG_LAMBDA { sum[r.value * Columns + c.value] += y * x[c.value]; });
        });
    }
    Pack<T> ordered[places] = {};
    unrolled<all>([&](auto n) GMMSEG_LAMBDA { ordered[place_of_total<T>(n.value)] = sum[n.value]; });
    T found[places];
    totals<T, places>(ordered, found);
    for (int r = 0; r < kGroup; ++r) {
        double* const to = second + triangle(i + r) + j;
        for (int c = 0; c < Columns; ++c) to[c] += double(found[r * Columns + c]);
    }
}

// Those of kGroup rows with each other, without those before the first one.
template <class T>
__attribute__((noinline)) void add_own_products(const T* centred, ptrdiff_t end, int i, double* second) {
    constexpr int L = kLanes<T>, all = triangle(kGroup), places = (all + L - 1) / L * L;
    const T* row[kGroup];
    for (int r = 0; r < kGroup; ++r) row[r] = centred + (i + r > 0 ? i + r : 0) * kBlock;
    Pack<T> sum[all] = {};
    for (ptrdiff_t v = 0; v < end; v += L) {
        Pack<T> x[kGroup];
        unrolled<kGroup>([&](auto r) GMMSEG_LAMBDA {
            x[r.value] = load(row[r.value] + v);
            unrolled<r.value + 1>([&](auto c) GMMSEG_LAMBDA {
                sum[triangle(r.value) + c.value] += x[r.value] * x[c.value];
            });
        });
    }
    Pack<T> ordered[places] = {};
    unrolled<all>([&](auto n) GMMSEG_LAMBDA { ordered[place_of_total<T>(n.value)] = sum[n.value]; });
    T found[places];
    totals<T, places>(ordered, found);
    for (int r = i < 0 ? -i : 0; r < kGroup; ++r)
        for (int c = i < 0 ? -i : 0; c <= r; ++c) second[triangle(i + r) + i + c] += double(found[triangle(r) + c]);
}

// A density relative to the likeliest component's, up to which a sample has no part in a component: 2^-100.
template <class T>
constexpr T kNothing = T(7.888609052210118e-31);

// Writes the places in the block of the samples that have a part in a component, and their responsibilities first, in
// whole registers; returns how many these fill, or -1 where they are so many that taking them out would cost more than
// it saves. What is left out is less than a part in 1e30 of a sample: nothing in float32, below rounding in float64.
template <class T>
GMMSEG_INLINE ptrdiff_t few_places(const Block<T>& b, const T* density, int d, Scratch<T>& s, std::int32_t* places) {
    const ptrdiff_t most = b.packs * kLanes<T> * d / (d + kTakenOut);
    ptrdiff_t count = 0;
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        if (!any_above(load(density + v), kNothing<T>)) continue;
        if (count + kLanes<T> > most) return -1;
        for (ptrdiff_t i = v; i < v + kLanes<T>; ++i) {
            places[count] = std::int32_t(i);
            count += density[i] > kNothing<T>;
        }
    }
    ptrdiff_t end = 0;
    for (; end < count; ++end) s.responsibility[end] = s.responsibility[places[end]];
    for (; end % kLanes<T>; ++end) places[end] = 0, s.responsibility[end] = T(0);
    return end;
}

// Any number of features: kGroup by kAcross second moments at a time, with roots of the responsibilities on either
// side.
template <class T>
void moments_any(const MixtureJob<T>& job, const Block<T>& b, const T* p, const T* density, Scratch<T>& s,
                 double* sums) {
    constexpr int L = kLanes<T>;
    const int d = job.n_features;
    ptrdiff_t end = b.packs * L;
    Pack<T> zeroth = {};
    for (ptrdiff_t v = 0; v < end; v += L) {
        const Pack<T> r = load(density + v) * load(s.factor + v);
        store(s.responsibility + v, r);
        zeroth += r;
    }
    sums[0] += total<T>(zeroth);
    std::int32_t places[kBlock];
    if (job.diagonal) {
        for (int i = 0; i < d; i += kTile) weigh<T, true, false>(b, p + 1, d, i, s, places, end, sums);
        return;
    }
    const ptrdiff_t few = job.dof ? -1 : few_places(b, density, d, s, places);
    if (few >= 0) end = few;
    for (ptrdiff_t v = 0; v < end; ++v) s.responsibility[v] = root_of(s.responsibility[v]);
    for (int i = 0; i < d; i += kTile) {
        if (few >= 0) weigh<T, false, true>(b, p + 1, d, i, s, places, end, sums);
        else weigh<T, false, false>(b, p + 1, d, i, s, places, end, sums);
    }
    double* const second = sums + 1 + d;
    for (int i = -rows_ahead(d); i < d; i += kGroup) {
        int j = 0;
        for (; j + kAcross <= i; j += kAcross) add_products<T, kAcross>(s.centred, end, i, j, second);
        if (i - j == 1) add_products<T, 1>(s.centred, end, i, j, second);
        else if (i - j == 2) add_products<T, 2>(s.centred, end, i, j, second);
        else if (i - j == 3) add_products<T, 3>(s.centred, end, i, j, second);
        add_own_products(s.centred, end, i, second);
    }
}

// Weighs a Student-t component by the samples' shares in its scale, and adds its two further sums.
template <class T>
void take_shares(const MixtureJob<T>& job, const Block<T>& b, int k, Scratch<T>& s, double* further) {
    const T log_top = T(__builtin_log(1 + double(job.n_features) / double(job.dof[k])));
    const T *const share = s.shares + k * kBlock, *const logarithm = share + job.n_components * kBlock;
    T* const density = s.densities + k * kBlock;
    Pack<T> mass = {}, spread = {};
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        const Pack<T> e = load(density + v), r = e * load(s.factor + v), u = load(share + v);
        mass += r;
        spread += r * (log_top - T(kLn2) * load(logarithm + v) - u);
        store(density + v, e * u);
    }
    further[0] += total<T>(mass);
    further[1] += total<T>(spread);
}

template <class T, int D = 1, class Samples>
void few_moments(const MixtureJob<T>& job, const Samples& b, int k, Scratch<T>& s, double* sums) {
    const ptrdiff_t step = job.params_per_component();
    const T *const p = job.params + k * step, *const density = s.densities + k * kBlock;
    T* const held = s.held + k * step * kLanes<T>;
    if (job.n_features != D) {
        if constexpr (D < kUnrolledFeatures) few_moments<T, D + 1>(job, b, k, s, sums);
    } else if (job.diagonal) {
        moments_diagonal<T, D>(b, p, density, s.factor, held, sums + k * step);
    } else {
        moments_full<T, D>(b, p, density, s.factor, held, sums + k * step);
    }
}

template <class T>
void moments(const MixtureJob<T>& job, const Block<T>& b, int k, Scratch<T>& s, double* sums) {
    const ptrdiff_t step = job.params_per_component();
    if (job.n_features <= kUnrolledFeatures) few_moments(job, b, k, s, sums);
    else moments_any(job, b, job.params + k * step, s.densities + k * kBlock, s, sums + k * step);
}

// Adds what is held to the sums, and empties it.
template <class T>
void release(const MixtureJob<T>& job, Scratch<T>& s, double* sums) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t size = Scratch<T>::held_size(job);
    ptrdiff_t i = 0;
    for (; i + L * L <= size; i += L * L) {
        Pack<T> ordered[L];
        T found[L];
        unrolled<L>([&](auto n) GMMSEG_LAMBDA { ordered[place_of_total<T>(n.value)] = load(s.held + i + n.value * L); });
        totals<T, L>(ordered, found);
        for (int n = 0; n < L; ++n) sums[i / L + n] += double(found[n]);
    }
    for (; i < size; i += L) sums[i / L] += total<T>(load(s.held + i));
    __builtin_memset(s.held, 0, sizeof(T) * size);
}

}  // namespace
