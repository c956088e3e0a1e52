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

typedef Pack<double> Numbers;

constexpr ptrdiff_t triangle(ptrdiff_t d) { return d * (d + 1) / 2; }

GMMSEG_INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

GMMSEG_INLINE Numbers root(Numbers x) {
    double lane[L];
    store(lane, x);
    for (int l = 0; l < L; ++l) lane[l] = __builtin_sqrt(lane[l]);
    return load(lane);
}

// The numbers of up to L samples; 0 for those that there are not.
GMMSEG_INLINE Numbers load_some(const double* p, int count) {
    if (__builtin_expect(count == L, 1)) return load(p);
    double lane[L] = {};
    for (int l = 0; l < count; ++l) lane[l] = p[l];
    return load(lane);
}

// Working memory of one thread. Groups are of L samples, in rows of a number for each.
struct Scratch {
    const ptrdiff_t d, sums;  // features; 1 where sums are wanted, else 0
    double* const memory;
    double* const offsets;    // d + 1 rows: from the mean, of missing features as expected; the last is of no feature
    double* const products;   // d + 1 rows
    double* const lower;      // triangle(d) rows: root of the missing features' precision
    double* const inverted;   // d rows: 1 / its diagonal
    double* const solution;   // d rows
    double* const inverse;    // triangle(d) rows: inverse of the root
    double* const block;      // d + kRows rows of kSamples: offsets
    double* const shares;     // 1 row of kSamples
    double* const spread;     // (d + 1, d + 1): covariance that is left to missing features
    std::int32_t* const index;  // d rows: the missing features of each sample, and d past the last of them
    ptrdiff_t most = 0;         // missing features of the sample of the group that lacks most

    static ptrdiff_t size(const GapsJob& job) {
        const ptrdiff_t d = job.n_features, rows = 2 * (d + 1) + triangle(d) + 2 * d;
        const ptrdiff_t further = triangle(d) * L + (d + kRows + 1) * kSamples + (d + 1) * (d + 1);
        return (rows * L + (job.mass ? further : 0) + d * L + 7) / 8 * 8;
    }
    explicit Scratch(const GapsJob& job)
        : d(job.n_features),
          sums(job.mass ? 1 : 0),
          memory(static_cast<double*>(::operator new(sizeof(double) * size_t(size(job)), kAligned))),
          offsets(memory),
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

// Finds the features that samples first..first + count lack.
void look(const GapsJob& job, ptrdiff_t first, int count, Scratch& s) {
    int missing[L] = {};
    for (ptrdiff_t i = 0; i < s.d * L; ++i) s.index[i] = int(s.d);
    for (ptrdiff_t i = 0; i < s.d; ++i) {
        const double* x = job.samples + i * job.n_samples + first;
        for (int l = 0; l < count; ++l)
            if (x[l] != x[l]) s.index[missing[l]++ * L + l] = int(i);
    }
    s.most = 0;
    for (int l = 0; l < L; ++l) s.most = missing[l] > s.most ? missing[l] : s.most;
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
Numbers fill_in(const GapsJob& job, ptrdiff_t first, int count, ptrdiff_t k, Scratch& s) {
    const ptrdiff_t d = s.d, most = s.most;
    const double *mean = job.means + k * d, *precision = job.precisions + k * (d + 1) * (d + 1);
    for (ptrdiff_t i = 0; i < d; ++i) {
        const Numbers x = load_some(job.samples + i * job.n_samples + first, count);
        store(s.offsets + i * L, x == x ? x - mean[i] : Numbers{});
    }
    if (most == 0) return Numbers{};
    multiply(precision, d + 1, d, s.offsets, [&](ptrdiff_t) GMMSEG_LAMBDA { return d; },
             [&](ptrdiff_t i, Numbers sum) GMMSEG_LAMBDA { store(s.products + i * L, sum); });
    Numbers log_root = {};
    double lane[L];
    for (ptrdiff_t a = 0; a < most; ++a) {
        const std::int32_t* at = s.index + a * L;
        double* row = s.lower + triangle(a) * L;
        for (ptrdiff_t b = 0; b < a; ++b) {
            const std::int32_t* to = s.index + b * L;
            for (int l = 0; l < L; ++l) lane[l] = precision[at[l] * (d + 1) + to[l]];
            Numbers sum = load(lane);
            const double* other = s.lower + triangle(b) * L;
            for (ptrdiff_t c = 0; c < b; ++c) sum -= load(row + c * L) * load(other + c * L);
            store(row + b * L, sum * load(s.inverted + b * L));
        }
        for (int l = 0; l < L; ++l) lane[l] = at[l] < d ? precision[at[l] * (d + 2)] : 1.0;
        Numbers sum = load(lane);
        const Numbers least = 2.2e-16 * sum;  // by rounding nothing or less may be left
        for (ptrdiff_t c = 0; c < a; ++c) sum -= load(row + c * L) * load(row + c * L);
        const Numbers diagonal = root(larger(sum, least));
        store(row + a * L, diagonal);
        store(s.inverted + a * L, 1.0 / diagonal);
        log_root += log2_positive(diagonal);
        for (int l = 0; l < L; ++l) lane[l] = s.products[at[l] * L + l];
        sum = load(lane);
        for (ptrdiff_t c = 0; c < a; ++c) sum += load(row + c * L) * load(s.solution + c * L);
        store(s.solution + a * L, -sum * load(s.inverted + a * L));
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

// Adds the covariance that is left to the missing features, C, times the samples' mass to the spread.
void add_what_is_left(Numbers mass, Scratch& s) {
    for (ptrdiff_t a = 0; a < s.most; ++a) {
        double* row = s.inverse + triangle(a) * L;
        for (ptrdiff_t b = 0; b < a; ++b) {
            Numbers sum = {};
            for (ptrdiff_t c = b; c < a; ++c)
                sum -= load(s.lower + (triangle(a) + c) * L) * load(s.inverse + (triangle(c) + b) * L);
            store(row + b * L, sum * load(s.inverted + a * L));
        }
        store(row + a * L, load(s.inverted + a * L));
    }
    for (ptrdiff_t a = 0; a < s.most; ++a)
        for (ptrdiff_t b = 0; b <= a; ++b) {
            Numbers sum = {};
            for (ptrdiff_t c = a; c < s.most; ++c)
                sum += load(s.inverse + (triangle(c) + a) * L) * load(s.inverse + (triangle(c) + b) * L);
            sum *= mass;
            for (int l = 0; l < L; ++l) s.spread[s.index[a * L + l] * (s.d + 1) + s.index[b * L + l]] += sum[l];
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

void tell_distances(const GapsJob& job, ptrdiff_t first, int count, ptrdiff_t k, Numbers log_root, Scratch& s) {
    Numbers distance = {};
    multiply(job.factors + k * s.d * s.d, s.d, s.d, s.offsets, [](ptrdiff_t rows) GMMSEG_LAMBDA { return rows; },
             [&](ptrdiff_t, Numbers y) GMMSEG_LAMBDA { distance += y * y; });
    log_root *= 0.693147180559945309417232121458;
    for (int l = 0; l < count; ++l) {
        job.distances[k * job.n_samples + first + l] = distance[l];
        job.log_roots[k * job.n_samples + first + l] = log_root[l];
    }
}

void expect(const GapsJob& job, ptrdiff_t first, int count, ptrdiff_t k, Scratch& s) {
    const Numbers share = load_some(job.shares + k * job.n_samples + first, count);
    for (ptrdiff_t i = 0; i < s.d; ++i) {
        const Numbers x = share * (load(s.offsets + i * L) + job.means[k * s.d + i]);
        for (int l = 0; l < count; ++l) job.expected[i * job.n_samples + first + l] += x[l];
    }
}

void gaps(const GapsJob& job, ptrdiff_t begin, ptrdiff_t end, double* sums) {
    Scratch s(job);
    const ptrdiff_t d = s.d, columns = 1 + d + triangle(d);
    for (ptrdiff_t start = begin; start < end; start += kSamples) {
        const ptrdiff_t stop = smaller(end, start + kSamples);
        for (ptrdiff_t k = 0; k < job.n_components; ++k) {
            __builtin_memset(s.spread, 0, sizeof(double) * size_t(s.sums * (d + 1) * (d + 1)));
            for (ptrdiff_t first = start; first < stop; first += L) {
                const int count = int(smaller(L, stop - first));
                look(job, first, count, s);
                const Numbers log_root = fill_in(job, first, count, k, s);
                if (job.distances) tell_distances(job, first, count, k, log_root, s);
                if (job.expected) expect(job, first, count, k, s);
                if (!job.mass) continue;
                store(s.shares + first - start, load_some(job.shares + k * job.n_samples + first, count));
                for (ptrdiff_t i = 0; i < d; ++i)
                    store(s.block + i * kSamples + first - start, load(s.offsets + i * L));
                add_what_is_left(load_some(job.mass + k * job.n_samples + first, count), s);
            }
            if (!job.mass) continue;
            double* to = sums + k * columns;
            add_moments((stop - start + L - 1) / L * L, s, to);
            for (ptrdiff_t i = 0; i < d; ++i)
                for (ptrdiff_t j = 0; j <= i; ++j) to[1 + d + triangle(i) + j] += s.spread[i * (d + 1) + j];
        }
    }
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
extern const Gaps gaps_kernel;
const Gaps gaps_kernel = gaps;
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
