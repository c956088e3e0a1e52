// Log2 densities of a mixture's components over one block of samples, and their normalisers. Included by mixture.cpp
// alone.
#pragma once
#include <utility>

#include "grouped.h"
#include "kernels.h"

namespace {

using gmmseg::kBlock;
using gmmseg::kUnrolledFeatures;
using gmmseg::MixtureJob;
using std::ptrdiff_t;

constexpr int kTakenOut = 24;         // taking a number out of a row costs as much as so many sums of products of it
constexpr ptrdiff_t kNearest = 48 << 10;  // bytes of samples that stay in the nearest cache
// Blocks whose sums are held lane by lane before the lanes are added up: 128 float32 numbers a lane, for any register.
constexpr int kHeldBlocks = kLanes<float> > 4 ? kLanes<float> / 4 : 1;

// Densities below this, infinite or undefined are taken as this, so that every sample has finite posteriors.
template <class T>
constexpr T kLowest = sizeof(T) == 4 ? T(-1e30) : T(-1e300);

constexpr int triangle(int d) { return d * (d + 1) / 2; }

// Memory that a thread keeps for its next part of the samples, for one purpose: what comes from the system has to be
// cleared, page by page, which may take two fifths of an iteration (d = 32, K = 4).
template <int Purpose>
class Kept {
public:
    explicit Kept(size_t bytes) : at(own()) {
        own() = {};
        if (at.bytes >= bytes) return;
        ::operator delete(at.memory, kAligned);
        at = {::operator new(bytes, kAligned), bytes};
    }
    ~Kept() {
        if (at.bytes <= kMost && at.bytes > own().bytes) std::swap(at, own());
        ::operator delete(at.memory, kAligned);
    }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    void* memory() const { return at.memory; }
    static constexpr size_t kMost = size_t(1) << 22;

private:
    struct Place {
        void* memory = nullptr;
        size_t bytes = 0;
    } at;
    struct Owner : Place {
        ~Owner() { ::operator delete(this->memory, kAligned); }
    };
    static Place& own() {
        static thread_local Owner owner;
        return owner;
    }
};

// Working memory of one thread: the block's features (where they have to be gathered), and rows of kBlock numbers.
template <class T>
struct Scratch {
    const Kept<0> kept;
    T* const samples;    // d rows
    T* const centred;    // d rounded up to kTile rows
    T* const weighted;   // 1 row
    T* const responsibility;  // 1 row
    T* const weight;     // 1 row: the samples' weights, 0 past the end
    T* const highest;    // 1 row: log2 density of the likeliest component
    T* const factor;     // 1 row: weight / normaliser
    T* const densities;  // K rows
    T* const shares;     // Student-t: K rows of the samples' shares in the scale, and K of the logarithms to base 2 of
                         // what they are divided by; otherwise none
    T* const held;       // K times the sums, a register each; only for an unrolled number of features
    T* const factors;    // K precision factors as `pack` writes them; only for full ones and more features

    static ptrdiff_t held_size(const MixtureJob<T>& job) {
        return job.n_features > kUnrolledFeatures ? 0 : job.n_components * job.params_per_component() * kLanes<T>;
    }
    static ptrdiff_t size(const MixtureJob<T>& job) {
        const ptrdiff_t rows = 2 * (job.n_features + kTile) + 5 + job.n_components * (job.dof ? 3 : 1);
        return rows * kBlock + (held_size(job) + job.n_components * packed_size(job) + 63) / 64 * 64;
    }
    // Numbers of one packed factor.
    static ptrdiff_t packed_size(const MixtureJob<T>& job) {
        const int rows = job.n_features + rows_ahead(job.n_features);
        return job.diagonal || job.n_features <= kUnrolledFeatures ? 0 : group_place(rows);
    }
    explicit Scratch(const MixtureJob<T>& job, bool has_factors = true)
        : kept(sizeof(T) * size_t(size(job))),
          samples(static_cast<T*>(kept.memory())),
          centred(samples + kBlock * (job.n_features + kTile)),
          weighted(centred + kBlock * (job.n_features + kTile)),
          responsibility(weighted + kBlock),
          weight(responsibility + kBlock),
          highest(weight + kBlock),
          factor(highest + kBlock),
          densities(factor + kBlock),
          shares(densities + kBlock * job.n_components),
          held(shares + (job.dof ? 2 * kBlock * job.n_components : 0)),
          factors(held + held_size(job)) {
        __builtin_memset(held, 0, sizeof(T) * held_size(job));
        if (has_factors) pack(job);
    }
    void pack(const MixtureJob<T>& job) {
        __builtin_memset(factors, 0, sizeof(T) * job.n_components * packed_size(job));
        for (int k = 0; packed_size(job) && k < job.n_components; ++k) pack(job, k);
    }
    // Writes kGroup rows of the factor at a time, column by column up to the diagonal; past it are zeros.
    void pack(const MixtureJob<T>& job, int k) {
        const int d = job.n_features, ahead = rows_ahead(d);
        const T* row = job.params + k * job.params_per_component() + 1 + d;
        T* const to = factors + k * packed_size(job);
        for (int i = 0; i < d; row += ++i) {
            const int at = (i + ahead) % kGroup;
            T* const first = to + group_place(i + ahead - at) + ahead * kGroup + at;
            for (int j = 0; j <= i; ++j) first[j * kGroup] = row[j];
        }
    }
};

// One block of samples: where row i of its features starts is x + i * row.
template <class T>
struct Block {
    const T* x;
    ptrdiff_t row;
    ptrdiff_t size;   // samples in it
    ptrdiff_t packs;  // registers that hold them; what is past `size` is zeros, up to a multiple of kAcross registers
};

// Calls body(v) for each register of a block.
template <class T, class Body>
GMMSEG_INLINE void each_register(const Block<T>& b, const Body& body) {
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) body(v);
}

template <class T>
GMMSEG_INLINE void gather(const T* from, ptrdiff_t stride, ptrdiff_t count, T* to) {
    if (stride == 1) __builtin_memcpy(to, from, sizeof(T) * size_t(count));
    else
        for (ptrdiff_t i = 0; i < count; ++i) to[i] = from[i * stride];
    for (ptrdiff_t i = count; i % (kAcross * kLanes<T>); ++i) to[i] = T(0);
}

// Lane x of the register that is taken from numbers I + x D, of those of the Next-th register of them; what `own` has
// of earlier ones stays.
template <int D, int I, int Next, class V, int... X>
GMMSEG_INLINE V picked(V own, V next, Sequence<X...>) {
    constexpr int lanes = int(sizeof...(X));
    return __builtin_shufflevector(
        own, next, ((I + X * D) / lanes == Next ? lanes + (I + X * D) % lanes : X)...);
}

// A block of samples that are rows of D numbers: the rows become columns in registers. The whole of `predict` takes
// four fifths of the time that it takes number by number (a million samples, d = 5, K = 6).
template <class T, int D>
GMMSEG_INLINE void turn_rows(const T* from, T* to) {
    constexpr int L = kLanes<T>;
    for (ptrdiff_t v = 0; v < kBlock; v += L, from += D * L) {
        Pack<T> part[D];
        unrolled<D>([&](auto j) GMMSEG_LAMBDA { part[j.value] = load(from + j.value * L); });
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            Pack<T> column = part[0];
            unrolled<D>([&](auto j) GMMSEG_LAMBDA {
                column = picked<D, i.value, j.value>(column, part[j.value], typename Count<L>::type{});
            });
            store(to + i.value * kBlock + v, column);
        });
    }
}
template <class T, int D = 2>
void turn_rows(const MixtureJob<T>& job, const T* from, T* to) {
    if (job.n_features == D) turn_rows<T, D>(from, to);
    else if constexpr (D < kUnrolledFeatures) turn_rows<T, D + 1>(job, from, to);
}

template <class T>
GMMSEG_INLINE Block<T> open_block(const MixtureJob<T>& job, ptrdiff_t first, ptrdiff_t end, Scratch<T>& s) {
    const ptrdiff_t size = end - first < kBlock ? end - first : kBlock;
    if (job.places) {
        const std::uint32_t* const place = job.places + first;
        for (int i = 0; i < job.n_features; ++i) {
            const T* const from = job.samples + i * job.feature_stride;
            T* const to = s.samples + i * kBlock;
            for (ptrdiff_t j = 0; j < size; ++j) to[j] = from[ptrdiff_t(place[j]) * job.sample_stride];
            for (ptrdiff_t j = size; j % (kAcross * kLanes<T>); ++j) to[j] = T(0);
        }
        return {s.samples, kBlock, size, (size + kLanes<T> - 1) / kLanes<T>};
    }
    const T* x = job.samples + first * job.sample_stride;
    if (job.sample_stride == 1 && size == kBlock) return {x, job.feature_stride, size, kBlock / kLanes<T>};
    const bool rows = job.feature_stride == 1 && job.sample_stride == job.n_features;
    if (rows && size == kBlock && job.n_features <= kUnrolledFeatures) turn_rows(job, x, s.samples);
    else
        for (int i = 0; i < job.n_features; ++i)
            gather(x + i * job.feature_stride, job.sample_stride, size, s.samples + i * kBlock);
    return {s.samples, kBlock, size, (size + kLanes<T> - 1) / kLanes<T>};
}

// Asks for the k-th of so many parts of n numbers, for reading or for writing.
template <int Writes, class T>
GMMSEG_INLINE void ask_part(const T* p, ptrdiff_t n, ptrdiff_t k, ptrdiff_t parts) {
    constexpr ptrdiff_t line = 64 / sizeof(T);
    for (ptrdiff_t i = k * n / parts; i < (k + 1) * n / parts; i += line) __builtin_prefetch(p + i, Writes, 2);
}

// Asks for the k-th part, of as many as there are components, of the block after the one at `first`: memory keeps up
// while there is something to compute. `predict` takes .85 of the time so (two million samples, d = 5, K = 6).
template <class T>
GMMSEG_INLINE void ask_ahead(const MixtureJob<T>& job, ptrdiff_t first, ptrdiff_t end, int k) {
    const int d = job.n_features, parts = job.n_components;
    if (end - first < 2 * kBlock || d > kUnrolledFeatures) return;
    const T* const x = job.samples + (first + kBlock) * job.sample_stride;
    if (job.sample_stride == d) ask_part<0>(x, kBlock * d, k, parts);
    else if (job.sample_stride == 1)
        for (int i = 0; i < d; ++i) ask_part<0>(x + i * job.feature_stride, kBlock, k, parts);
}

// ---------------------------------------------------------------------------------------------------------------
// Log2 densities of one component
// ---------------------------------------------------------------------------------------------------------------

// Writes log2 densities.
template <class T>
struct Writing {
    T* const out;
    const T origin = 0;  // what they are counted from

    GMMSEG_INLINE void operator()(ptrdiff_t v, Pack<T> t) const { store(out + v, larger(t, fill(kLowest<T>))); }
};

// Keeps the highest log2 densities, and the names of the components that they are of.
template <class T>
struct Naming {
    T *const highest, *const label;
    const T name;
    const T origin = 0;

    GMMSEG_INLINE void operator()(ptrdiff_t v, Pack<T> t) const {
        const Pack<T> best = load(highest + v);
        store(label + v, t > best ? fill(name) : load(label + v));
        store(highest + v, larger(t, best));
    }
};

template <class T, int D, class Samples, class Take>
GMMSEG_INLINE void densities_full(const Samples& b, const T* p, const Take& take) {
    Pack<T> mean[D], factor[triangle(D)];
    const Pack<T> constant = fill(p[0] - take.origin);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA { mean[i.value] = fill(p[1 + i.value]); });
    unrolled<triangle(D)>([&](auto i) GMMSEG_LAMBDA { factor[i.value] = fill(p[1 + D + i.value]); });
    each_register(b, [&](ptrdiff_t v) GMMSEG_LAMBDA {
        Pack<T> dx[D], t = constant;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA { dx[i.value] = mean[i.value] - load(b.x + i.value * b.row + v); });
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            constexpr int row = triangle(i.value);
            Pack<T> y = factor[row] * dx[0];
            unrolled_from<1, i.value + 1>([&](auto j) GMMSEG_LAMBDA { y += factor[row + j.value] * dx[j.value]; });
            t -= y * y;
        });
        take(v, t);
    });
}

template <class T, int D, class Samples, class Take>
GMMSEG_INLINE void densities_diagonal(const Samples& b, const T* p, const Take& take) {
    Pack<T> mean[D], factor[D];
    const Pack<T> constant = fill(p[0] - take.origin);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        mean[i.value] = fill(p[1 + i.value]);
        factor[i.value] = fill(p[1 + D + i.value]);
    });
    each_register(b, [&](ptrdiff_t v) GMMSEG_LAMBDA {
        Pack<T> t = constant;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> y = factor[i.value] * (mean[i.value] - load(b.x + i.value * b.row + v));
            t -= y * y;
        });
        take(v, t);
    });
}

// Any number of features: kGroup rows of the factor at a time over kAcross registers of samples, which the longest
// rows, taken first, centre in memory that stays in the nearest cache. Twice as fast as over one register and the rows of
// a whole block, whose distance of a power of two gives them few places in that cache (d = 16 to 156), and 1.2 to 1.3
// times as fast as groups of four rows with all columns of theirs, centred beforehand (d = 16 to 64).
template <class T>
void densities_full_any(const Block<T>& b, const T* p, const T* factor, int d, T* centred, T* out) {
    constexpr int L = kLanes<T>, wide = kAcross * L;
    const int ahead = rows_ahead(d), last = ahead + d;
    __builtin_memset(centred, 0, sizeof(T) * size_t(ahead * wide));
    for (ptrdiff_t v = 0; v < b.packs * L; v += wide) {
        Pack<T> t[kAcross];
        unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA { t[a.value] = fill(p[0]); });
        const T* f = factor + group_place(last - kGroup);
        group_of_rows<T, true>(b.x + v, b.row, p + 1, f, ahead, last, centred, t);
        for (int end = last - kGroup; end > 0; end -= kGroup) {
            const T* const group = factor + group_place(end - kGroup);
            group_of_rows<T, false>(b.x + v, b.row, nullptr, group, ahead, end, centred, t);
        }
        unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
            store(out + v + a.value * L, larger(t[a.value], fill(kLowest<T>)));
        });
    }
}

template <class T>
void densities_diagonal_any(const Block<T>& b, const T* p, int d, T* out) {
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> t = fill(p[0]);
        for (int i = 0; i < d; ++i) {
            const Pack<T> y = p[1 + d + i] * (load(b.x + i * b.row + v) - p[1 + i]);
            t -= y * y;
        }
        store(out + v, larger(t, fill(kLowest<T>)));
    }
}

// Of component k, with so few features that their number is a constant of the code.
template <class T, int D = 1, class Samples, class Take>
void few_features(const MixtureJob<T>& job, const Samples& b, int k, const Take& take) {
    const T* p = job.params + k * job.params_per_component();
    if (job.n_features == D) {
        if (job.diagonal) densities_diagonal<T, D>(b, p, take);
        else densities_full<T, D>(b, p, take);
    } else if constexpr (D < kUnrolledFeatures) {
        few_features<T, D + 1>(job, b, k, take);
    }
}

template <class T>
void densities(const MixtureJob<T>& job, const Block<T>& b, int k, Scratch<T>& s, T* out) {
    const T* p = job.params + k * job.params_per_component();
    if (job.n_features <= kUnrolledFeatures) few_features(job, b, k, Writing<T>{out});
    else if (job.diagonal) densities_diagonal_any(b, p, job.n_features, out);
    else densities_full_any(b, p, s.factors + k * s.packed_size(job), job.n_features, s.centred, out);
}

constexpr double kLn2 = 0.693147180559945309417232121458;

// Log2 Gaussian densities become those of a Student-t: with g = 1 + distance / dof, log2 density = constant -
// (dof + d) / 2 log2(g), and a sample's share in the scale is (1 + d / dof) / g.
template <class T>
void lengthen_tails(const MixtureJob<T>& job, const Block<T>& b, int k, Scratch<T>& s, T* out) {
    const T constant = job.params[k * job.params_per_component()], dof = job.dof[k];
    const T per_dof = T(2 * kLn2) / dof, power = (dof + T(job.n_features)) / 2, top = 1 + T(job.n_features) / dof;
    T *const share = s.shares + k * kBlock, *const logarithm = share + job.n_components * kBlock;
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        const Pack<T> g = T(1) + (constant - load(out + v)) * per_dof, log2_g = log2_positive(g);
        store(out + v, constant - power * log2_g);
        store(share + v, top / g);
        store(logarithm + v, log2_g);
    }
}

template <class T>
void add_prior(const MixtureJob<T>& job, const Block<T>& b, int k, ptrdiff_t first, T* out) {
    constexpr int L = kLanes<T>;
    const T* const prior = job.log_prior + k * job.prior_stride + first;
    const ptrdiff_t whole = b.size / L * L;
    const T log2e = T(1 / kLn2);
    for (ptrdiff_t v = 0; v < whole; v += L)
        store(out + v, larger(load(out + v) + log2e * load(prior + v), fill(kLowest<T>)));
    for (ptrdiff_t i = whole; i < b.size; ++i) {
        const T t = out[i] + log2e * prior[i];
        out[i] = t > kLowest<T> ? t : kLowest<T>;
    }
}

// What else the log2 of weight times density of component k depends on.
template <class T>
void finish(const MixtureJob<T>& job, const Block<T>& b, int k, ptrdiff_t first, Scratch<T>& s, T* out) {
    if (job.dof) lengthen_tails(job, b, k, s, out);
    if (job.log_prior) add_prior(job, b, k, first, out);
}

// Log2 of weight times density of component k, with all that it may depend on.
template <class T>
void component(const MixtureJob<T>& job, const Block<T>& b, int k, ptrdiff_t first, Scratch<T>& s, T* out) {
    densities(job, b, k, s, out);
    finish(job, b, k, first, s, out);
}

// Log2 densities of every component into s.densities, the largest into s.highest; samples up to
// `last` will be asked for next.
//
// With full covariances, where a block is larger than the nearest cache, so few samples at a time that they stay there
// for all components; before each of these parts `visit` is called with where it begins, and its registers.
template <class T, class Visit>
void all_densities(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, ptrdiff_t last, Scratch<T>& s,
                   const Visit& visit) {
    const ptrdiff_t end = b.packs * kLanes<T>;
    const bool whole = job.diagonal || kBlock * job.n_features * ptrdiff_t(sizeof(T)) <= kNearest;
    for (ptrdiff_t v = 0; !whole && v < end; v += kAcross * kLanes<T>) {
        const ptrdiff_t left = b.packs - v / kLanes<T>, packs = left < kAcross ? left : kAcross;
        visit(v, packs);
        for (int k = 0; k < job.n_components; ++k)
            densities(job, Block<T>{b.x + v, b.row, packs * kLanes<T>, packs}, k, s, s.densities + k * kBlock + v);
    }
    if (whole) visit(0, b.packs);
    for (int k = 0; k < job.n_components; ++k) {
        ask_ahead(job, first, last, k);
        if (whole) densities(job, b, k, s, s.densities + k * kBlock);
        finish(job, b, k, first, s, s.densities + k * kBlock);
    }
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) {
        Pack<T> m = load(s.densities + v);
        for (int k = 1; k < job.n_components; ++k) m = larger(m, load(s.densities + k * kBlock + v));
        store(s.highest + v, m);
    }
}
template <class T>
void all_densities(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, ptrdiff_t last, Scratch<T>& s) {
    all_densities(job, b, first, last, s, [](ptrdiff_t, ptrdiff_t) {});
}

// Densities relative to the likeliest component, in place; returns their sum over the components.
template <class T>
GMMSEG_INLINE Pack<T> exponentiate(const MixtureJob<T>& job, Scratch<T>& s, ptrdiff_t v) {
    const Pack<T> m = load(s.highest + v);
    Pack<T> sum = {};
    T* row = s.densities + v;
    for (int k = 0; k < job.n_components; ++k, row += kBlock) {
        const Pack<T> e = exp2_negative(load(row) - m);
        store(row, e);
        sum += e;
    }
    return sum;
}

// Densities of a block relative to the likeliest component's, in place, and their sums into s.factor.
template <class T>
void exponentiate_all(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s) {
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) store(s.factor + v, exponentiate(job, s, v));
}

// Normalisers of one block: the sums in s.factor, raised by so many powers of two, become weight / sum; returns the
// block's log-likelihood in units of log2.
template <class T>
double normalise(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, Scratch<T>& s, int raised) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t end = b.packs * L;
    Pack<T> sum = {};
    if (!job.weights && b.size == kBlock) {
        // One logarithm for a product of eight normalisers, whose powers of two are added up apart.
        Bits<T> powers = -raised * int(b.packs) - Bits<T>{};
        for (ptrdiff_t v = 0; v < end; v += 8 * L) {
            Pack<T> product = fill(T(1));
            for (ptrdiff_t u = v; u < v + 8 * L && u < end; u += L) {
                const Pack<T> n = load(s.factor + u);
                store(s.factor + u, T(1) / n);
                product *= taken_apart<T>(n, powers);
                sum += load(s.highest + u);
            }
            sum += log2_positive(product);
        }
        return total<T>(sum + __builtin_convertvector(powers, Pack<T>));
    }
    const T* weights = job.weights + first;
    if (b.size < kBlock || !job.weights || job.places) {
        if (job.weights && !job.places) __builtin_memcpy(s.weight, weights, sizeof(T) * size_t(b.size));
        else
            for (ptrdiff_t i = 0; i < b.size; ++i) s.weight[i] = job.weights ? job.weights[job.places[first + i]] : T(1);
        for (ptrdiff_t i = b.size; i < end; ++i) s.weight[i] = T(0);
        weights = s.weight;
    }
    for (ptrdiff_t v = 0; v < end; v += L) {
        const Pack<T> n = load(s.factor + v), w = load(weights + v);
        Bits<T> power = -raised - Bits<T>{};
        const Pack<T> rest = taken_apart<T>(n, power);
        store(s.factor + v, w / n);
        sum += w * (load(s.highest + v) + (__builtin_convertvector(power, Pack<T>) + log2_positive(rest)));
    }
    return total<T>(sum);
}

}  // namespace
