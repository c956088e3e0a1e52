// Posteriors and sufficient statistics of a Gaussian mixture, block by block.
// GMMSEG_ISA names the namespace: this file is compiled once for each instruction set.
#include <memory>

#include "reaching.h"
#include "sure.h"

namespace {

// ---------------------------------------------------------------------------------------------------------------
// Moments of one component about its mean, weighted by responsibility
// ---------------------------------------------------------------------------------------------------------------

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

// Centres kTile features from the i-th on, those past the last as the last, weighs them, and adds up their first
// moments; for diagonal covariances their second ones too. All at once: one sum after the other would wait for itself.
// With `Some` only of the samples whose places in the block are given, in as many registers as these need.
template <class T, bool Diagonal, bool Some>
GMMSEG_INLINE void weigh(const Block<T>& b, const T* mean, int d, int i, Scratch<T>& s, const std::int32_t* places,
                         ptrdiff_t end, double* sums) {
    const T *from[kTile], *const share = s.responsibility;
    Pack<T> center[kTile], first[kTile] = {}, second[kTile] = {};
    T *const to = s.centred + i * kBlock, *const weighted = s.weighted;
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
            const Pack<T> dx = load(from[r.value] + v) - center[r.value], rdx = p * dx;
            first[r.value] += rdx;
            if constexpr (Diagonal) {
                second[r.value] += rdx * dx;
            } else {
                store(to + r.value * kBlock + v, dx);
                store(weighted + r.value * kBlock + v, rdx);
            }
        });
    }
    for (int r = 0; r < kTile && i + r < d; ++r) {
        sums[1 + i + r] += total<T>(first[r]);
        if constexpr (Diagonal) sums[1 + d + i + r] += total<T>(second[r]);
    }
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

// Any number of features: a tile of kTile by kAcross second moments at a time. 1.3 times as fast as where first moments
// and the registers of a tile are added up one by one (d = 16 to 64).
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
    const ptrdiff_t few = job.dof || job.diagonal ? -1 : few_places(b, density, d, s, places);
    if (few >= 0) end = few;
    for (int i = 0; i < d; i += kTile) {
        if (job.diagonal) {
            weigh<T, true, false>(b, p + 1, d, i, s, places, end, sums);
            continue;
        }
        if (few >= 0) weigh<T, false, true>(b, p + 1, d, i, s, places, end, sums);
        else weigh<T, false, false>(b, p + 1, d, i, s, places, end, sums);
        double* second = sums + 1 + d;
        const int rows = d - i < kTile ? d - i : kTile;
        for (int j = 0; j < i + rows; j += kAcross) {
            const T *row = s.weighted, *column = s.centred + j * kBlock;
            Pack<T> sum[kTile * kAcross] = {};
            for (ptrdiff_t v = 0; v < end; v += L, row += L, column += L) {
                Pack<T> x[kAcross];
                unrolled<kAcross>([&](auto c) GMMSEG_LAMBDA { x[c.value] = load(column + c.value * kBlock); });
                unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
                    const Pack<T> rdx = load(row + r.value * kBlock);
                    unrolled<kAcross>([&](auto c) GMMSEG_LAMBDA {
                        sum[r.value * kAcross + c.value] += rdx * x[c.value];
                    });
                });
            }
            Pack<T> ordered[kTile * kAcross];
            unrolled<kTile * kAcross>(
                [&](auto i) GMMSEG_LAMBDA { ordered[place_of_total<T>(i.value)] = sum[i.value]; });
            T found[kTile * kAcross];
            totals<T, kTile * kAcross>(ordered, found);
            for (int r = 0; r < rows; ++r) {
                double* to = second + triangle(i + r) + j;
                if (j + kAcross <= i + r + 1)
                    for (int c = 0; c < kAcross; ++c) to[c] += double(found[r * kAcross + c]);
                else
                    for (int c = 0; j + c <= i + r; ++c) to[c] += double(found[r * kAcross + c]);
            }
        }
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
    const ptrdiff_t size = Scratch<T>::held_size(job);
    for (ptrdiff_t i = 0; i < size; i += kLanes<T>) sums[i / kLanes<T>] += total<T>(load(s.held + i));
    __builtin_memset(s.held, 0, sizeof(T) * size);
}

// ---------------------------------------------------------------------------------------------------------------
// The three kernels, over samples begin..end
// ---------------------------------------------------------------------------------------------------------------

// Adds the statistics of samples begin..end where components are out of reach of most: these neither have densities nor
// a part in the moments. Three times as fast where classes lie apart (d = 64 and K = 16, `scripts/benchmark_tables.py
// iteration`).
template <class T>
void add_near(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, Scratch<T>& s, Near<T>& near, double* sums,
              double* loglik) {
    const ptrdiff_t step = job.params_per_component();
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        T farthest = 0;
        if (job.screen) farthest = near_densities(job, b, s, near);
        else all_densities(job, b, first, first, s);
        const bool any_sure = job.sure && find_sure(job, b, first, s, near, farthest);
        const bool in_rows = job.screen || any_sure;
        for (ptrdiff_t v = 0; any_sure && !job.screen && v < b.packs * kLanes<T>; v += kLanes<T>)
            near.take(b.x + v, b.row, near.rows + v * near.stride);
        exponentiate_all(job, b, s);
        if (any_sure) take_sure(job, b, first, s, near, sums);
        *loglik += kLn2 * normalise(job, b, first, s, 0);
        for (int k = 0; k < job.n_components; ++k) {
            const T* const density = s.densities + k * kBlock;
            const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
                return Bits<T>(load(density + v) > fill(kNothing<T>));
            });
            if (!in_rows || 2 * count > b.packs * kLanes<T>) {
                moments(job, b, k, s, sums);
                continue;
            }
            Pack<T> mass = {};
            for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
                const Pack<T> r = load(density + v) * load(s.factor + v);
                store(s.responsibility + v, r);
                mass += r;
            }
            sums[k * step] += total<T>(mass);
            near.append(k, count, s.responsibility, sums + k * step);
        }
    }
}

// The same, but for samples that surely belong to one component by bounds alone, as long as most do.
template <class T>
void near_statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    const ptrdiff_t step = job.params_per_component();
    Scratch<T> s(job, false);
    Near<T> near(job);
    std::unique_ptr<std::uint32_t[]> others(new std::uint32_t[size_t(end - begin + kBlock)]);
    ptrdiff_t first = begin, count = 0;
    const ptrdiff_t origin = job.places ? 0 : begin;
    for (bool most = job.screen; most && first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        const ptrdiff_t before = count;
        for (ptrdiff_t v = 0; v < b.size; v += kWide<T>)
            count += take_certain(job, b, first, v, near, origin, others.get() + count, sums);
        most = 6 * (count - before) < b.size;
    }
    if (count > 0 || first < end) {
        s.pack(job);
        near.prepare();
    }
    MixtureJob<T> rest = job;
    rest.samples += origin * job.sample_stride;
    if (job.weights) rest.weights += origin;
    if (job.sure) rest.sure += origin;
    rest.places = others.get();
    add_near(rest, 0, count, s, near, sums, loglik);
    add_near(job, first, end, s, near, sums, loglik);
    for (int k = 0; k < (job.parted() ? 2 : 1) * job.n_components; ++k) near.release(k, sums + k * step);
}

template <class T>
void statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    if (job.screen || job.sure) return near_statistics(job, begin, end, sums, loglik);
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        if (job.reach) return reach_statistics(job, begin, end, sums, loglik);
#endif
    Scratch<T> s(job);
    const NoDenormals none;
    bool is_far = false;
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        const int raised = relative_densities(job, b, first, s, is_far);
        *loglik += kLn2 * normalise(job, b, first, s, raised);
        for (int k = 0; k < job.n_components; ++k) {
            if (job.dof) take_shares(job, b, k, s, sums + job.n_components * job.params_per_component() + 2 * k);
            moments(job, b, k, s, sums);
        }
        if ((first - begin) / kBlock % kHeldBlocks == kHeldBlocks - 1) release(job, s, sums);
    }
    release(job, s, sums);
}

// Whether no density is infinite or undefined, as of samples that lack a feature, from the largest of minus their
// logarithms. That of a Student-t no longer shows it.
template <class T>
bool is_known(const MixtureJob<T>& job, Pack<T> farthest) {
    bool known = !job.dof;
    for (int i = 0; i < kLanes<T>; ++i) known &= farthest[i] < -kLowest<T>;
    return known;
}

// Relative densities of a class, which are those of its components together.
template <class T>
GMMSEG_INLINE Pack<T> of_class(const MixtureJob<T>& job, const Scratch<T>& s, int c, ptrdiff_t v) {
    Pack<T> sum = {};
    for (int k = job.begins[c]; k < job.begins[c + 1]; ++k) sum += load(s.densities + k * kBlock + v);
    return sum;
}

// Writes the likeliest class of each sample of a block into s.factor, counted from `offset`, from the densities of the
// components, and the largest of these into s.highest. It is that of the likeliest component where all those of another class together cannot have as much, and
// as `posterior` has it elsewhere.
template <class T>
void name_classes(const MixtureJob<T>& job, const Block<T>& b, T offset, Scratch<T>& s) {
    const T behind = T(__builtin_log2(double(job.most_of_a_class()))) + T(0x1p-8);
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> best = fill(2 * kLowest<T>), second = best, label = {};
        const auto see = [&](int c, Pack<T> value) GMMSEG_LAMBDA {
            const Bits<T> leads = value > best;
            second = larger(leads ? best : value, second);
            label = leads ? fill(offset + T(c)) : label;
            best = larger(value, best);
        };
        for (int c = 0; c < job.n_classes; ++c) {
            Pack<T> highest = fill(2 * kLowest<T>);
            for (int k = job.begins[c]; k < job.begins[c + 1]; ++k)
                highest = larger(load(s.densities + k * kBlock + v), highest);
            see(c, highest);
        }
        store(s.highest + v, best);
        if (any_above(second - best, -behind)) {
            const Pack<T> share = T(1) / exponentiate(job, s, v);
            best = second = fill(T(-1));
            for (int c = 0; c < job.n_classes; ++c) see(c, of_class(job, s, c, v) * share);
        }
        store(s.factor + v, label);
    }
}

template <class T>
bool posterior(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, T* out, ptrdiff_t stride, T* log_density) {
    constexpr int L = kLanes<T>;
    Scratch<T> s(job);
    Pack<T> farthest = {};
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        all_densities(job, b, first, end, s);
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            farthest = larger(-load(s.highest + v), farthest);
            const Pack<T> n = exponentiate(job, s, v);
            store(s.factor + v, T(1) / n);
            if (log_density) store(s.highest + v, T(kLn2) * (load(s.highest + v) + log2_positive(n)));
        }
        if (log_density) __builtin_memcpy(log_density + first, s.highest, sizeof(T) * b.size);
        if (!out) continue;
        const ptrdiff_t whole = b.size / L * L;
        const int n_classes = job.begins ? job.n_classes : job.n_components;
        for (int c = 0; c < n_classes; ++c) {
            const T* const density = job.begins ? s.weighted : s.densities + c * kBlock;
            T* to = out + c * stride + first;
            for (ptrdiff_t v = 0; job.begins && v < b.packs * L; v += L) store(s.weighted + v, of_class(job, s, c, v));
            for (ptrdiff_t v = 0; v < whole; v += L) store(to + v, load(density + v) * load(s.factor + v));
            for (ptrdiff_t i = whole; i < b.size; ++i) to[i] = density[i] * s.factor[i];
        }
    }
    return is_known(job, farthest);
}

template <class T>
bool classify(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, std::uint8_t* out8, std::int64_t* out64,
              int offset) {
    constexpr int L = kLanes<T>;
    const bool at_once = job.n_features <= kUnrolledFeatures && !job.dof && !job.log_prior;
    Scratch<T> s(job);
    Pack<T> farthest = {};
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        T* const label = s.factor;
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            store(s.highest + v, fill(kLowest<T>));
            store(label + v, fill(T(offset)));
        }
        if (job.begins) {
            for (int k = 0; k < job.n_components; ++k) {
                ask_ahead(job, first, end, k);
                component(job, b, k, first, s, s.densities + k * kBlock);
            }
            name_classes(job, b, T(offset), s);
        }
        for (int k = 0; !job.begins && k < job.n_components; ++k) {
            ask_ahead(job, first, end, k);
            if (out64) ask_part<1>(out64 + first, b.size, k, job.n_components);
            const Naming<T> take{s.highest, label, T(offset + k)};
            if (at_once) {
                few_features(job, b, k, take);
                continue;
            }
            component(job, b, k, first, s, s.densities);
            for (ptrdiff_t v = 0; v < b.packs * L; v += L) take(v, load(s.densities + v));
        }
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) farthest = larger(-load(s.highest + v), farthest);
        if (out8)
            for (ptrdiff_t i = 0; i < b.size; ++i) out8[first + i] = std::uint8_t(int(label[i]));
        else
            for (ptrdiff_t i = 0; i < b.size; ++i) out64[first + i] = std::int64_t(label[i]);
    }
    return is_known(job, farthest);
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
extern const Kernels mixture_kernels;
const Kernels mixture_kernels = {GMMSEG_ISA_NAME,  kKeepsOrder, statistics<float>, statistics<double>,
                                 screen<float>,    screen<double>,    posterior<float>,
                                 posterior<double>, classify<float>,  classify<double>};
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
