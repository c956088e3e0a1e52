// Densities, posteriors and sufficient statistics of a Gaussian mixture, block by block.
// GMMSEG_ISA names the namespace: this file is compiled once for each instruction set.
#include "kernels.h"
#include "pack.h"

#include <cstdlib>
#include <new>

namespace {

using gmmseg::kBlock;
using gmmseg::MixtureJob;
using std::ptrdiff_t;

constexpr int kUnrolledFeatures = 8;  // up to here the number of features is a constant of the code
constexpr int kTile = 4;              // above it second moments are taken in squares of kTile by kTile
// Blocks whose sums are held lane by lane before the lanes are added up: 128 float32 numbers a lane, for any register.
constexpr int kHeldBlocks = kLanes<float> > 4 ? kLanes<float> / 4 : 1;

// Densities below this, infinite or undefined are taken as this, so that every sample has finite posteriors.
template <class T>
constexpr T kLowest = sizeof(T) == 4 ? T(-1e30) : T(-1e300);

constexpr int triangle(int d) { return d * (d + 1) / 2; }

// Working memory of one thread: the block's features (where they have to be gathered), and rows of kBlock numbers.
template <class T>
struct Scratch {
    T* const memory;
    T* const samples;    // d rows
    T* const centred;    // d rounded up to kTile rows
    T* const weighted;   // kTile rows
    T* const weight;     // 1 row: the samples' weights, 0 past the end
    T* const highest;    // 1 row: log2 density of the likeliest component
    T* const factor;     // 1 row: weight / normaliser
    T* const densities;  // K rows
    T* const held;       // K times the sums, a register each; only for an unrolled number of features

    static ptrdiff_t held_size(const MixtureJob<T>& job) {
        return job.n_features > kUnrolledFeatures ? 0 : job.n_components * job.params_per_component() * kLanes<T>;
    }
    static ptrdiff_t size(const MixtureJob<T>& job) {
        const ptrdiff_t rows = 2 * (job.n_features + kTile) + kTile + 3 + job.n_components;
        return rows * kBlock + (held_size(job) + 63) / 64 * 64;
    }
    explicit Scratch(const MixtureJob<T>& job)
        : memory(static_cast<T*>(std::aligned_alloc(64, sizeof(T) * size(job)))),
          samples(memory),
          centred(samples + kBlock * (job.n_features + kTile)),
          weighted(centred + kBlock * (job.n_features + kTile)),
          weight(weighted + kBlock * kTile),
          highest(weight + kBlock),
          factor(highest + kBlock),
          densities(factor + kBlock),
          held(densities + kBlock * job.n_components) {
        if (!memory) throw std::bad_alloc();
        __builtin_memset(held, 0, sizeof(T) * held_size(job));
    }
    ~Scratch() { std::free(memory); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

// One block of samples: where row i of its features starts is x + i * row.
template <class T>
struct Block {
    const T* x;
    ptrdiff_t row;
    ptrdiff_t size;   // samples in it
    ptrdiff_t packs;  // registers that hold them; lanes past `size` are zeros
};

template <class T>
GMMSEG_INLINE void gather(const T* from, ptrdiff_t stride, ptrdiff_t count, T* to) {
    for (ptrdiff_t i = 0; i < count; ++i) to[i] = from[i * stride];
    for (ptrdiff_t i = count; i % kLanes<T>; ++i) to[i] = T(0);
}

template <class T>
GMMSEG_INLINE Block<T> open_block(const MixtureJob<T>& job, ptrdiff_t first, ptrdiff_t end, Scratch<T>& s) {
    const ptrdiff_t size = end - first < kBlock ? end - first : kBlock;
    const T* x = job.samples + first * job.sample_stride;
    if (job.sample_stride == 1 && size == kBlock) return {x, job.feature_stride, size, kBlock / kLanes<T>};
    for (int i = 0; i < job.n_features; ++i)
        gather(x + i * job.feature_stride, job.sample_stride, size, s.samples + i * kBlock);
    return {s.samples, kBlock, size, (size + kLanes<T> - 1) / kLanes<T>};
}

// ---------------------------------------------------------------------------------------------------------------
// Log2 densities of one component
// ---------------------------------------------------------------------------------------------------------------

template <class T, int D>
GMMSEG_INLINE void densities_full(const Block<T>& b, const T* p, T* out) {
    Pack<T> mean[D], factor[triangle(D)];
    const Pack<T> constant = fill(p[0]);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA { mean[i.value] = fill(p[1 + i.value]); });
    unrolled<triangle(D)>([&](auto i) GMMSEG_LAMBDA { factor[i.value] = fill(p[1 + D + i.value]); });
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> dx[D], t = constant;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA { dx[i.value] = load(b.x + i.value * b.row + v) - mean[i.value]; });
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            constexpr int row = triangle(i.value);
            Pack<T> y = factor[row] * dx[0];
            unrolled_from<1, i.value + 1>([&](auto j) GMMSEG_LAMBDA { y += factor[row + j.value] * dx[j.value]; });
            t -= y * y;
        });
        store(out + v, larger(t, fill(kLowest<T>)));
    }
}

template <class T, int D>
GMMSEG_INLINE void densities_diagonal(const Block<T>& b, const T* p, T* out) {
    Pack<T> mean[D], factor[D];
    const Pack<T> constant = fill(p[0]);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        mean[i.value] = fill(p[1 + i.value]);
        factor[i.value] = fill(p[1 + D + i.value]);
    });
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> t = constant;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> y = factor[i.value] * (load(b.x + i.value * b.row + v) - mean[i.value]);
            t -= y * y;
        });
        store(out + v, larger(t, fill(kLowest<T>)));
    }
}

template <class T>
GMMSEG_INLINE void centre(const Block<T>& b, const T* mean, int d, T* out) {
    for (int i = 0; i < d; ++i)
        for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>)
            store(out + i * kBlock + v, load(b.x + i * b.row + v) - mean[i]);
}

// Any number of features: four rows of the factor at a time over two registers of samples.
template <class T>
void densities_full_any(const Block<T>& b, const T* p, int d, T* centred, T* out) {
    constexpr int L = kLanes<T>;
    centre(b, p + 1, d, centred);
    const T* factor = p + 1 + d;
    for (ptrdiff_t v = 0; v < b.packs * L; v += L) store(out + v, fill(p[0]));
    for (int i = 0; i < d; i += kTile) {
        const int rows = d - i < kTile ? d - i : kTile;
        const T* row[kTile];
        for (int r = 0; r < kTile; ++r) row[r] = factor + triangle(i + (r < rows ? r : rows - 1));
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            Pack<T> y[kTile] = {};
            for (int j = 0; j < i; ++j) {
                const Pack<T> x = load(centred + j * kBlock + v);
                unrolled<kTile>([&](auto r) GMMSEG_LAMBDA { y[r.value] += row[r.value][j] * x; });
            }
            Pack<T> t = load(out + v);
            for (int r = 0; r < rows; ++r) {
                for (int j = i; j <= i + r; ++j) y[r] += row[r][j] * load(centred + j * kBlock + v);
                t -= y[r] * y[r];
            }
            store(out + v, larger(t, fill(kLowest<T>)));
        }
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

template <class T, int D = 1>
void densities(const MixtureJob<T>& job, const Block<T>& b, const T* p, Scratch<T>& s, T* out) {
    if constexpr (D > kUnrolledFeatures) {
        if (job.diagonal) densities_diagonal_any(b, p, job.n_features, out);
        else densities_full_any(b, p, job.n_features, s.centred, out);
    } else if (job.n_features == D) {
        if (job.diagonal) densities_diagonal<T, D>(b, p, out);
        else densities_full<T, D>(b, p, out);
    } else {
        densities<T, D + 1>(job, b, p, s, out);
    }
}

// Log2 densities of every component into s.densities, the largest into s.highest.
template <class T>
void all_densities(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s) {
    const ptrdiff_t step = job.params_per_component(), end = b.packs * kLanes<T>;
    for (int k = 0; k < job.n_components; ++k) densities(job, b, job.params + k * step, s, s.densities + k * kBlock);
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) {
        Pack<T> m = load(s.densities + v);
        for (int k = 1; k < job.n_components; ++k) m = larger(m, load(s.densities + k * kBlock + v));
        store(s.highest + v, m);
    }
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

constexpr double kLn2 = 0.693147180559945309417232121458;

// Normalisers of one block: s.factor becomes weight / normaliser; returns the block's log-likelihood in units of log2.
template <class T>
double normalise(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, Scratch<T>& s) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t end = b.packs * L;
    Pack<T> sum = {};
    if (!job.weights && b.size == kBlock) {
        // One logarithm for a product of eight normalisers, each between 1 and K: with K <= 2^15 it stays finite.
        for (ptrdiff_t v = 0; v < end; v += 8 * L) {
            Pack<T> product = fill(T(1));
            for (ptrdiff_t u = v; u < v + 8 * L && u < end; u += L) {
                const Pack<T> n = exponentiate(job, s, u);
                store(s.factor + u, T(1) / n);
                product *= n;
                sum += load(s.highest + u);
            }
            sum += log2_positive(product);
        }
        return total<T>(sum);
    }
    for (ptrdiff_t i = 0; i < b.packs * L; ++i)
        s.weight[i] = i >= b.size ? T(0) : job.weights ? job.weights[first + i] : T(1);
    for (ptrdiff_t v = 0; v < end; v += L) {
        const Pack<T> n = exponentiate(job, s, v), w = load(s.weight + v);
        store(s.factor + v, w / n);
        sum += w * (load(s.highest + v) + log2_positive(n));
    }
    return total<T>(sum);
}

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
template <class T, int D, int From, int To>
GMMSEG_INLINE void moments_rows(const Block<T>& b, const T* p, const T* density, const T* factor, T* held,
                                double* sums) {
    constexpr int n_second = triangle(To) - triangle(From), place = 1 + D + triangle(From);
    Pack<T> mean[To], zeroth = resume<T, kHolds<D>>(held, 0), first[To], second[n_second];
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA { first[i.value] = resume<T, kHolds<D>>(held, 1 + i.value); });
    unrolled<n_second>([&](auto i) GMMSEG_LAMBDA { second[i.value] = resume<T, kHolds<D>>(held, place + i.value); });
    unrolled<To>([&](auto i) GMMSEG_LAMBDA { mean[i.value] = fill(p[1 + i.value]); });
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        const Pack<T> r = load(density + v) * load(factor + v);
        Pack<T> dx[To];
        unrolled<To>([&](auto i) GMMSEG_LAMBDA { dx[i.value] = load(b.x + i.value * b.row + v) - mean[i.value]; });
        if (From == 0) zeroth += r;
        unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> rdx = r * dx[i.value];
            first[i.value] += rdx;
            unrolled<i.value + 1>([&](auto j) GMMSEG_LAMBDA {
                second[triangle(i.value) - triangle(From) + j.value] += rdx * dx[j.value];
            });
        });
    }
    if (From == 0) keep<T, kHolds<D>>(held, sums, 0, zeroth);
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA { keep<T, kHolds<D>>(held, sums, 1 + i.value, first[i.value]); });
    unrolled<n_second>([&](auto i) GMMSEG_LAMBDA { keep<T, kHolds<D>>(held, sums, place + i.value, second[i.value]); });
}

template <class T, int D>
GMMSEG_INLINE void moments_full(const Block<T>& b, const T* p, const T* density, const T* factor, T* held,
                                double* sums) {
    if constexpr (D <= 6) {
        moments_rows<T, D, 0, D>(b, p, density, factor, held, sums);
    } else {  // more sums than registers: two passes
        moments_rows<T, D, 0, 5>(b, p, density, factor, held, sums);
        moments_rows<T, D, 5, D>(b, p, density, factor, held, sums);
    }
}

template <class T, int D>
GMMSEG_INLINE void moments_diagonal(const Block<T>& b, const T* p, const T* density, const T* factor, T* held,
                                    double* sums) {
    Pack<T> mean[D], zeroth = resume<T, kHolds<D>>(held, 0), first[D], second[D];
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        mean[i.value] = fill(p[1 + i.value]);
        first[i.value] = resume<T, kHolds<D>>(held, 1 + i.value);
        second[i.value] = resume<T, kHolds<D>>(held, 1 + D + i.value);
    });
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        const Pack<T> r = load(density + v) * load(factor + v);
        zeroth += r;
        unrolled<D>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> dx = load(b.x + i.value * b.row + v) - mean[i.value], rdx = r * dx;
            first[i.value] += rdx;
            second[i.value] += rdx * dx;
        });
    }
    keep<T, kHolds<D>>(held, sums, 0, zeroth);
    unrolled<D>([&](auto i) GMMSEG_LAMBDA {
        keep<T, kHolds<D>>(held, sums, 1 + i.value, first[i.value]);
        keep<T, kHolds<D>>(held, sums, 1 + D + i.value, second[i.value]);
    });
}

template <class T>
double dot(const T* a, const T* b, ptrdiff_t end) {
    Pack<T> sum = {};
    for (ptrdiff_t v = 0; v < end; v += kLanes<T>) sum += load(a + v) * load(b + v);
    return total<T>(sum);
}

// Any number of features: a tile of kTile by kTile second moments at a time.
template <class T>
void moments_any(const MixtureJob<T>& job, const Block<T>& b, const T* p, const T* density, Scratch<T>& s,
                 double* sums) {
    constexpr int L = kLanes<T>;
    const int d = job.n_features;
    const ptrdiff_t end = b.packs * L;
    centre(b, p + 1, d, s.centred);
    sums[0] += dot(density, s.factor, end);
    for (int i = 0; i < d; i += kTile) {
        const int rows = d - i < kTile ? d - i : kTile;
        for (int r = 0; r < kTile; ++r) {
            const T* x = s.centred + (i + (r < rows ? r : 0)) * kBlock;
            Pack<T> sum = {};
            for (ptrdiff_t v = 0; v < end; v += L) {
                const Pack<T> rdx = load(density + v) * load(s.factor + v) * load(x + v);
                store(s.weighted + r * kBlock + v, rdx);
                sum += rdx;
            }
            if (r < rows) sums[1 + i + r] += total<T>(sum);
        }
        double* second = sums + 1 + d;
        if (job.diagonal) {
            for (int r = 0; r < rows; ++r)
                second[i + r] += dot(s.weighted + r * kBlock, s.centred + (i + r) * kBlock, end);
            continue;
        }
        for (int j = 0; j <= i; j += kTile) {
            const int columns = d - j < kTile ? d - j : kTile;
            const T* column[kTile];
            for (int c = 0; c < kTile; ++c) column[c] = s.centred + (j + (c < columns ? c : 0)) * kBlock;
            Pack<T> sum[kTile * kTile] = {};
            for (ptrdiff_t v = 0; v < end; v += L)
                unrolled<kTile>([&](auto r) GMMSEG_LAMBDA {
                    const Pack<T> rdx = load(s.weighted + r.value * kBlock + v);
                    unrolled<kTile>([&](auto c) GMMSEG_LAMBDA {
                        sum[r.value * kTile + c.value] += rdx * load(column[c.value] + v);
                    });
                });
            for (int r = 0; r < rows; ++r)
                for (int c = 0; c < columns && j + c <= i + r; ++c)
                    second[triangle(i + r) + j + c] += total<T>(sum[r * kTile + c]);
        }
    }
}

template <class T, int D = 1>
void moments(const MixtureJob<T>& job, const Block<T>& b, int k, Scratch<T>& s, double* sums) {
    const ptrdiff_t step = job.params_per_component();
    const T *const p = job.params + k * step, *const density = s.densities + k * kBlock;
    T* const held = s.held + k * step * kLanes<T>;
    if constexpr (D > kUnrolledFeatures) moments_any(job, b, p, density, s, sums + k * step);
    else if (job.n_features != D) moments<T, D + 1>(job, b, k, s, sums);
    else if (job.diagonal) moments_diagonal<T, D>(b, p, density, s.factor, held, sums + k * step);
    else moments_full<T, D>(b, p, density, s.factor, held, sums + k * step);
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

template <class T>
void statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    Scratch<T> s(job);
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        all_densities(job, b, s);
        *loglik += kLn2 * normalise(job, b, first, s);
        for (int k = 0; k < job.n_components; ++k) moments(job, b, k, s, sums);
        if ((first - begin) / kBlock % kHeldBlocks == kHeldBlocks - 1) release(job, s, sums);
    }
    release(job, s, sums);
}

template <class T>
void posterior(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, T* out, ptrdiff_t stride, T* log_density) {
    constexpr int L = kLanes<T>;
    Scratch<T> s(job);
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        all_densities(job, b, s);
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            const Pack<T> n = exponentiate(job, s, v);
            store(s.factor + v, T(1) / n);
            if (log_density) store(s.highest + v, T(kLn2) * (load(s.highest + v) + log2_positive(n)));
        }
        if (log_density) __builtin_memcpy(log_density + first, s.highest, sizeof(T) * b.size);
        if (!out) continue;
        const ptrdiff_t whole = b.size / L * L;
        for (int k = 0; k < job.n_components; ++k) {
            const T* density = s.densities + k * kBlock;
            T* to = out + k * stride + first;
            for (ptrdiff_t v = 0; v < whole; v += L) store(to + v, load(density + v) * load(s.factor + v));
            for (ptrdiff_t i = whole; i < b.size; ++i) to[i] = density[i] * s.factor[i];
        }
    }
}

template <class T>
void classify(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, std::uint8_t* out8, std::int64_t* out64,
              int offset) {
    constexpr int L = kLanes<T>;
    Scratch<T> s(job);
    const ptrdiff_t step = job.params_per_component();
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        T* const label = s.factor;
        densities(job, b, job.params, s, s.highest);
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) store(label + v, fill(T(offset)));
        for (int k = 1; k < job.n_components; ++k) {
            densities(job, b, job.params + k * step, s, s.densities);
            const Pack<T> name = fill(T(offset + k));
            for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
                const Pack<T> t = load(s.densities + v), best = load(s.highest + v);
                store(label + v, t > best ? name : load(label + v));
                store(s.highest + v, larger(t, best));
            }
        }
        if (out8)
            for (ptrdiff_t i = 0; i < b.size; ++i) out8[first + i] = std::uint8_t(int(label[i]));
        else
            for (ptrdiff_t i = 0; i < b.size; ++i) out64[first + i] = std::int64_t(label[i]);
    }
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
extern const Kernels mixture_kernels;
const Kernels mixture_kernels = {GMMSEG_ISA_NAME,   statistics<float>, statistics<double>, posterior<float>,
                                 posterior<double>, classify<float>,   classify<double>};
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
