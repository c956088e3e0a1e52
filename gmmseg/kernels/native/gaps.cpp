// Samples each of which lacks features of its own: what is known of them, and what is expected of the rest.
// GMMSEG_ISA names the namespace: this file is compiled once for each instruction set.
#include "kernels.h"
#include "pack.h"

namespace {

using gmmseg::GapsJob;
using std::ptrdiff_t;

constexpr int L = kLanes<double>;
constexpr int kRows = 4;             // rows of a matrix that are multiplied at a time
constexpr ptrdiff_t kSamples = 256;  // whose second moments are taken together
constexpr ptrdiff_t kMost = gmmseg::kGapsChunk;
constexpr double kNothing = 5.421010862427522e-20;  // 2^-64 of a sample is no part of it: less than rounding in sums

typedef Pack<double> Numbers;

constexpr ptrdiff_t triangle(ptrdiff_t d) { return d * (d + 1) / 2; }

GMMSEG_INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

GMMSEG_INLINE Numbers root(Numbers x) {
    double lane[L];
    store(lane, x);
    for (int l = 0; l < L; ++l) lane[l] = __builtin_sqrt(lane[l]);
    return load(lane);
}

// The numbers of up to L samples at some places; 0 for those that there are not.
GMMSEG_INLINE Numbers load_some(const double* p, const ptrdiff_t* places, int count) {
    double lane[L] = {};
    for (int l = 0; l < count; ++l) lane[l] = p[places[l]];
    return load(lane);
}

// A number for each lane, without a way through memory.
template <int... l>
GMMSEG_INLINE Numbers picked(const double* p, const std::int32_t* index, Sequence<l...>) {
    return Numbers{p[index[l]]...};
}

// Working memory of one thread. Groups are of L samples, in rows of a number for each.
struct Scratch {
    const ptrdiff_t d, sums;  // features; 1 where sums are wanted, else 0
    double* const memory;
    double* const samples;    // d rows: the group, NaN where a feature is missing
    double* const offsets;    // d + 1 rows: from the mean, of missing features as expected; the last is of no feature
    double* const products;   // d + 1 rows
    double* const lower;      // triangle(d) rows: root of the missing features' precision
    double* const inverted;   // d rows: 1 / its diagonal
    double* const solution;   // d rows
    double* const inverse;    // triangle(d) rows: inverse of the root
    double* const block;      // d + kRows rows of kSamples: offsets
    double* const shares;     // 1 row of kSamples
    double* const spread;     // (d + 1, d + 1): covariance that is left to missing features
    std::int32_t* const index;  // d + 1 rows: the missing features of each sample, and d past the last of them
    ptrdiff_t most = 0;         // missing features of the sample of the group that lacks most
    double least[kMost];        // of each sample that a thread takes at a time: less than this is no part of it
    ptrdiff_t places[kMost];    // which of them have a part in a component

    static ptrdiff_t size(const GapsJob& job) {
        const ptrdiff_t d = job.n_features, rows = d + 2 * (d + 1) + triangle(d) + 2 * d;
        const ptrdiff_t further = triangle(d) * L + (d + kRows + 1) * kSamples + (d + 1) * (d + 1);
        return (rows * L + (job.mass ? further : 0) + (d + 1) * L + 7) / 8 * 8;
    }
    explicit Scratch(const GapsJob& job)
        : d(job.n_features),
          sums(job.mass ? 1 : 0),
          memory(static_cast<double*>(::operator new(sizeof(double) * size_t(size(job)), kAligned))),
          samples(memory),
          offsets(samples + d * L),
          products(offsets + (d + 1) * L),
          lower(products + (d + 1) * L),
          inverted(lower + triangle(d) * L),
          solution(inverted + d * L),
          inverse(solution + d * L),
          block(inverse + sums * triangle(d) * L),
          shares(block + sums * (d + kRows) * kSamples),
          spread(shares + sums * kSamples),
          index(reinterpret_cast<std::int32_t*>(spread + sums * (d + 1) * (d + 1))) {
        __builtin_memset(memory, 0, sizeof(double) * size_t(size(job)));
    }
    ~Scratch() { ::operator delete(memory, kAligned); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

// Takes samples at up to L places, and finds the features that they lack.
void take(const GapsJob& job, const ptrdiff_t* places, int count, Scratch& s) {
    std::int32_t missing[L] = {};
    for (ptrdiff_t i = 0; i <= s.d * L + L - 1; ++i) s.index[i] = std::int32_t(s.d);
    for (ptrdiff_t i = 0; i < s.d; ++i) {
        const double* const x = job.samples + i * job.n_samples;
        double* const to = s.samples + i * L;
        store(to, Numbers{});
        for (int l = 0; l < count; ++l) {  // without a branch that could not be foreseen
            const double number = to[l] = x[places[l]];
            s.index[missing[l] * L + l] = std::int32_t(i);
            missing[l] += number != number;
        }
    }
    s.most = 0;
    for (int l = 0; l < L; ++l) {
        s.index[missing[l] * L + l] = std::int32_t(s.d);
        s.most = missing[l] > s.most ? missing[l] : s.most;
    }
}

// Rows of a matrix (d, stride), as many columns of it as `columns` says up to a row, times what is in `from`.
template <class Columns, class Use>
GMMSEG_INLINE void multiply(const double* matrix, ptrdiff_t stride, ptrdiff_t d, const double* from,
                            const Columns& columns, const Use& use) {
    for (ptrdiff_t i = 0; i < d; i += kRows) {
        const double* row[kRows];
        for (int r = 0; r < kRows; ++r) row[r] = matrix + stride * smaller(i + r, d - 1);
        Numbers sum[kRows] = {};
        for (ptrdiff_t j = 0, end = columns(smaller(i + kRows, d)); j < end; ++j) {
            const Numbers x = load(from + j * L);
            unrolled<kRows>([&](auto r) GMMSEG_LAMBDA { sum[r.value] += row[r.value][j] * x; });
        }
        for (int r = 0; r < kRows && i + r < d; ++r) use(i + r, sum[r]);
    }
}

// Offsets of the samples from the mean of component k, those of missing features as expected from the others: -C P x,
// where C is the inverse of the missing features' part of the precision P. Returns the logarithm to base 2 of the root
// of that part's determinant.
Numbers fill_in(const GapsJob& job, ptrdiff_t k, Scratch& s) {
    using All = Count<L>::type;
    const ptrdiff_t d = s.d, most = s.most;
    const double *mean = job.means + k * d, *precision = job.precisions + k * (d + 1) * (d + 1);
    for (ptrdiff_t i = 0; i < d; ++i) {
        const Numbers x = load(s.samples + i * L);
        store(s.offsets + i * L, x == x ? x - mean[i] : Numbers{});
    }
    if (most == 0) return Numbers{};
    multiply(precision, d + 1, d, s.offsets, [&](ptrdiff_t) GMMSEG_LAMBDA { return d; },
             [&](ptrdiff_t i, Numbers sum) GMMSEG_LAMBDA { store(s.products + i * L, sum); });
    std::int32_t row[L], at[L];
    for (ptrdiff_t a = 0; a < most; ++a) {
        for (int l = 0; l < L; ++l) row[l] = s.index[a * L + l] * std::int32_t(d + 1);
        for (ptrdiff_t b = 0; b <= a; ++b) {
            for (int l = 0; l < L; ++l) at[l] = row[l] + s.index[b * L + l];
            store(s.lower + (triangle(a) + b) * L, picked(precision, at, All{}));
        }
        for (int l = 0; l < L; ++l) at[l] = s.index[a * L + l] * L + l;
        store(s.solution + a * L, -picked(s.products, at, All{}));
    }
    // Column by column of the root, of which rows do not wait for each other; the solution is one more row of it.
    Numbers log_root = {};
    const auto row_of = [&](ptrdiff_t a) GMMSEG_LAMBDA {
        return a < most ? s.lower + triangle(a) * L : s.solution;
    };
    for (ptrdiff_t b = 0; b < most; ++b) {
        double* const own = row_of(b);
        Numbers sum = load(own + b * L);
        // A row past those of the sample is of the unit matrix.
        for (int l = 0; l < L; ++l) sum[l] = s.index[b * L + l] < d ? sum[l] : 1.0;
        const Numbers least = 2.2e-16 * sum;  // by rounding nothing or less may be left
        Numbers even = {}, odd = {};
        for (ptrdiff_t c = 0; c + 1 < b; c += 2) {
            even += load(own + c * L) * load(own + c * L);
            odd += load(own + (c + 1) * L) * load(own + (c + 1) * L);
        }
        if (b % 2) even += load(own + (b - 1) * L) * load(own + (b - 1) * L);
        const Numbers diagonal = root(larger(sum - (even + odd), least)), inverted = 1.0 / diagonal;
        store(own + b * L, diagonal);
        store(s.inverted + b * L, inverted);
        log_root += log2_positive(diagonal);
        for (ptrdiff_t a = b + 1; a <= most; a += kRows) {
            double* rows[kRows];
            for (int r = 0; r < kRows; ++r) rows[r] = row_of(smaller(a + r, most));
            Numbers products[kRows] = {};
            for (ptrdiff_t c = 0; c < b; ++c) {
                const Numbers x = load(own + c * L);
                unrolled<kRows>([&](auto r) GMMSEG_LAMBDA { products[r.value] += load(rows[r.value] + c * L) * x; });
            }
            for (int r = 0; r < kRows && a + r <= most; ++r)
                store(rows[r] + b * L, (load(rows[r] + b * L) - products[r]) * inverted);
        }
    }
    for (ptrdiff_t a = most - 1; a >= 0; --a) {
        Numbers sum = load(s.solution + a * L);
        for (ptrdiff_t c = a + 1; c < most; ++c)
            sum -= load(s.lower + (triangle(c) + a) * L) * load(s.solution + c * L);
        sum *= load(s.inverted + a * L);
        store(s.solution + a * L, sum);
        for (int l = 0; l < L; ++l) s.offsets[s.index[a * L + l] * L + l] = sum[l];
    }
    return log_root;
}

// Adds the covariance that is left to the missing features, C, times the samples' mass to the spread. Sums are kRows at
// a time: one alone would wait for itself.
void add_what_is_left(Numbers mass, Scratch& s) {
    for (ptrdiff_t a = 0; a < s.most; ++a) {
        double* row = s.inverse + triangle(a) * L;
        const double* const lower = s.lower + triangle(a) * L;
        const Numbers inverted = load(s.inverted + a * L);
        for (ptrdiff_t b = 0; b < a; b += kRows) {
            Numbers sum[kRows] = {};
            for (ptrdiff_t c = b; c < a; ++c) {
                const Numbers x = load(lower + c * L);
                const double* const other = s.inverse + (triangle(c) + b) * L;
                const ptrdiff_t columns = c - b + 1;
                if (columns >= kRows)
                    unrolled<kRows>([&](auto r) GMMSEG_LAMBDA { sum[r.value] -= x * load(other + r.value * L); });
                else
                    unrolled<kRows>([&](auto r) GMMSEG_LAMBDA {
                        if (r.value < columns) sum[r.value] -= x * load(other + r.value * L);
                    });
            }
            for (int r = 0; r < kRows && b + r < a; ++r) store(row + (b + r) * L, sum[r] * inverted);
        }
        store(row + a * L, inverted);
    }
    for (ptrdiff_t a = 0; a < s.most; ++a)
        for (ptrdiff_t b = 0; b <= a; b += kRows) {
            Numbers sum[kRows] = {};
            for (ptrdiff_t c = a; c < s.most; ++c) {
                const double* const row = s.inverse + triangle(c) * L;
                const Numbers x = load(row + a * L);
                unrolled<kRows>([&](auto r) GMMSEG_LAMBDA {
                    sum[r.value] += x * load(row + smaller(b + r.value, a) * L);
                });
            }
            for (int r = 0; r < kRows && b + r <= a; ++r) {
                double lane[L];
                store(lane, sum[r] * mass);
                const std::int32_t *const i = s.index + a * L, *const j = s.index + (b + r) * L;
                for (int l = 0; l < L; ++l) s.spread[i[l] * (s.d + 1) + j[l]] += lane[l];
            }
        }
}

// Adds the moments of a block of samples that are filled in.
void add_moments(ptrdiff_t end, Scratch& s, double* sums) {
    for (ptrdiff_t v = 0; v < end; v += L) sums[0] += total<double>(load(s.shares + v));
    double* second = sums + 1 + s.d;
    for (ptrdiff_t i = 0; i < s.d; ++i, second += i) {
        const double* x = s.block + i * kSamples;
        Numbers sum = {};
        for (ptrdiff_t v = 0; v < end; v += L) sum += load(x + v) * load(s.shares + v);
        sums[1 + i] += total<double>(sum);
        for (ptrdiff_t j = 0; j <= i; j += kRows) {
            const double* other = s.block + j * kSamples;
            Numbers product[kRows] = {};
            for (ptrdiff_t v = 0; v < end; v += L) {
                const Numbers weighted = load(x + v) * load(s.shares + v);
                unrolled<kRows>([&](auto r) GMMSEG_LAMBDA {
                    product[r.value] += weighted * load(other + r.value * kSamples + v);
                });
            }
            for (int r = 0; r < kRows && j + r <= i; ++r) second[j + r] += total<double>(product[r]);
        }
    }
}

void tell_distances(const GapsJob& job, int count, ptrdiff_t k, Numbers log_root, const ptrdiff_t* places,
                    Scratch& s) {
    Numbers distance = {};
    multiply(job.factors + k * s.d * s.d, s.d, s.d, s.offsets, [](ptrdiff_t rows) GMMSEG_LAMBDA { return rows; },
             [&](ptrdiff_t, Numbers y) GMMSEG_LAMBDA { distance += y * y; });
    log_root *= 0.693147180559945309417232121458;
    for (int l = 0; l < count; ++l) {
        job.distances[k * job.n_samples + places[l]] = distance[l];
        job.log_roots[k * job.n_samples + places[l]] = log_root[l];
    }
}

void expect(const GapsJob& job, int count, ptrdiff_t k, const ptrdiff_t* places, Scratch& s) {
    const Numbers share = load_some(job.shares + k * job.n_samples, places, count);
    for (ptrdiff_t i = 0; i < s.d; ++i) {
        const Numbers x = share * (load(s.offsets + i * L) + job.means[k * s.d + i]);
        for (int l = 0; l < count; ++l) job.expected[i * job.n_samples + places[l]] += x[l];
    }
}

// Distances of all components, group by group of samples, whose gaps are looked for once.
void distances(const GapsJob& job, ptrdiff_t begin, ptrdiff_t end, Scratch& s) {
    for (ptrdiff_t first = begin; first < end; first += L) {
        const int count = int(smaller(L, end - first));
        for (int l = 0; l < count; ++l) s.places[l] = first + l;
        take(job, s.places, count, s);
        for (ptrdiff_t k = 0; k < job.n_components; ++k) tell_distances(job, count, k, fill_in(job, k, s), s.places, s);
    }
}

// What depends on responsibilities, of each component only over the samples that have a part in it: where classes lie
// apart, a K-th of them (.56 to .73 of the time of a fit from d = 20 on, `scripts/benchmark_tables.py missing`).
void weighted(const GapsJob& job, ptrdiff_t begin, ptrdiff_t end, double* sums, Scratch& s) {
    const ptrdiff_t d = s.d, columns = 1 + d + triangle(d);
    const double* const parts = (job.mass ? job.mass : job.shares) + begin;
    for (ptrdiff_t i = 0; i < end - begin; ++i) {
        s.least[i] = 0;
        for (ptrdiff_t k = 0; k < job.n_components; ++k) s.least[i] += kNothing * parts[k * job.n_samples + i];
    }
    for (ptrdiff_t k = 0; k < job.n_components; ++k) {
        __builtin_memset(s.spread, 0, sizeof(double) * size_t(s.sums * (d + 1) * (d + 1)));
        ptrdiff_t found = 0;
        for (ptrdiff_t i = 0; i < end - begin; ++i)
            if (!(parts[k * job.n_samples + i] <= s.least[i])) s.places[found++] = begin + i;
        for (ptrdiff_t start = 0; start < found; start += kSamples) {
            const ptrdiff_t stop = smaller(found, start + kSamples);
            for (ptrdiff_t at = start; at < stop; at += L) {
                const int count = int(smaller(L, stop - at));
                const ptrdiff_t* const places = s.places + at;
                take(job, places, count, s);
                fill_in(job, k, s);
                if (job.expected) {
                    expect(job, count, k, places, s);
                    continue;
                }
                store(s.shares + at - start, load_some(job.shares + k * job.n_samples, places, count));
                for (ptrdiff_t i = 0; i < d; ++i) store(s.block + i * kSamples + at - start, load(s.offsets + i * L));
                add_what_is_left(load_some(job.mass + k * job.n_samples, places, count), s);
            }
            if (job.mass) add_moments((stop - start + L - 1) / L * L, s, sums + k * columns);
        }
        if (!job.mass) continue;
        double* const second = sums + k * columns + 1 + d;
        for (ptrdiff_t i = 0; i < d; ++i)
            for (ptrdiff_t j = 0; j <= i; ++j) second[triangle(i) + j] += s.spread[i * (d + 1) + j];
    }
}

void gaps(const GapsJob& job, ptrdiff_t begin, ptrdiff_t end, double* sums) {
    Scratch s(job);
    if (job.distances) distances(job, begin, end, s);
    else weighted(job, begin, end, sums, s);
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
extern const Gaps gaps_kernel;
const Gaps gaps_kernel = gaps;
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
