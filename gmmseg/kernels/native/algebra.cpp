// Triangular factors, sums of products and distances of few samples. Compiled once for each instruction set (GMMSEG_ISA):
// compilers turn the loops over rows into vectors, which need not be whole.
#include <cmath>
#include <type_traits>

#include "kernels.h"

namespace {

using std::ptrdiff_t;

constexpr int kTogether = 4;  // rows that are taken off a row at once: it is read and written a quarter as often
constexpr int kMany = 16;     // or so many, where there are

// Adds so many rows (n, stride), each times its own number, to a row of `size` numbers, from `first` on.
inline void add_rows(const double* __restrict rows, ptrdiff_t stride, const double* __restrict factors, ptrdiff_t n,
                     ptrdiff_t first, ptrdiff_t size, double* __restrict to) {
    ptrdiff_t r = 0;
    for (; r + kMany <= n; r += kMany) {
        const double *const a = rows + r * stride, *const f = factors + r;
        for (ptrdiff_t m = first; m < size; ++m) {
            double sum = to[m];
#pragma GCC unroll 4
            for (ptrdiff_t i = 0; i < kMany; i += kTogether)
                sum += (f[i] * a[i * stride + m] + f[i + 1] * a[(i + 1) * stride + m]) +
                       (f[i + 2] * a[(i + 2) * stride + m] + f[i + 3] * a[(i + 3) * stride + m]);
            to[m] = sum;
        }
    }
    for (; r + kTogether <= n; r += kTogether) {
        const double *a = rows + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
        const double fa = factors[r], fb = factors[r + 1], fc = factors[r + 2], fd = factors[r + 3];
        for (ptrdiff_t m = first; m < size; ++m) to[m] += (fa * a[m] + fb * b[m]) + (fc * c[m] + fd * d[m]);
    }
    for (; r < n; ++r) {
        const double* a = rows + r * stride;
        const double f = factors[r];
        for (ptrdiff_t m = first; m < size; ++m) to[m] += f * a[m];
    }
}

// As `cholesky` and `invert_lower`, of a number of features that the code knows: in registers they take .45 of the time
// (d = 5), and `begin` of pictures of 64 x 64 with them .93.
template <int D>
bool factor_few(double* a) {
    double factor[D][D];
#pragma GCC unroll 8
    for (int j = 0; j < D; ++j) {
        double left = a[j * D + j];
#pragma GCC unroll 8
        for (int m = 0; m < j; ++m) left -= factor[j][m] * factor[j][m];
        if (!(left > 0) || !std::isfinite(left)) return false;
        a[j * D + j] = factor[j][j] = std::sqrt(left);
        const double inverse = 1 / factor[j][j];
#pragma GCC unroll 8
        for (int i = j + 1; i < D; ++i) {
            double sum = a[j * D + i];
#pragma GCC unroll 8
            for (int m = 0; m < j; ++m) sum -= factor[i][m] * factor[j][m];
            a[i * D + j] = factor[i][j] = sum * inverse;
        }
    }
    return true;
}

template <int D>
void invert_few(const double* lower, double* out) {
#pragma GCC unroll 8
    for (int i = 0; i < D; ++i) {
        const double inverse = 1 / lower[i * D + i];
#pragma GCC unroll 8
        for (int j = 0; j < D; ++j) {
            double sum = 0;
#pragma GCC unroll 8
            for (int m = j; m < i; ++m) sum += lower[i * D + m] * out[m * D + j];
            out[i * D + j] = j < i ? -inverse * sum : j == i ? inverse : 0;
        }
    }
}

// Calls a function with the number of features as a constant; false where they are too many for one.
template <int D = 1, class Call>
bool with_few(ptrdiff_t d, const Call& call) {
    if (d == D) {
        call(std::integral_constant<int, D>());
        return true;
    }
    if constexpr (D < gmmseg::kUnrolledFeatures) return with_few<D + 1>(d, call);
    return false;
}

// Row by row of the upper triangle, kTogether rows at a time, and then turned.
bool cholesky(double* a, ptrdiff_t d) {
    bool usable = false;
    if (with_few(d, [&](auto D) { usable = factor_few<D.value>(a); })) return usable;
    double column[kTogether];
    for (ptrdiff_t j = 0; j < d; j += kTogether) {
        const ptrdiff_t end = j + kTogether < d ? j + kTogether : d;
        for (ptrdiff_t i = j; i < d; ++i) {
            double* const row = a + i * d;
            const ptrdiff_t above = (i < end ? i : end) - j;
            for (ptrdiff_t r = 0; r < above; ++r) column[r] = -a[(j + r) * d + i];
            add_rows(a + j * d, d, column, above, i, d, row);
            if (i >= end) continue;
            if (!(row[i] > 0) || !std::isfinite(row[i])) return false;
            const double inverse = 1 / (row[i] = std::sqrt(row[i]));
            for (ptrdiff_t m = i + 1; m < d; ++m) row[m] *= inverse;
        }
    }
    for (ptrdiff_t i = 0; i < d; ++i)
        for (ptrdiff_t j = 0; j < i; ++j) a[i * d + j] = a[j * d + i];
    return true;
}

// Column by column of the lower triangles, so that no row waits for another.
void joined_pivots(const double* second, const double* means, ptrdiff_t columns, ptrdiff_t d, ptrdiff_t own,
                   ptrdiff_t first, const double* shares, double* work, double* pivots) {
    constexpr ptrdiff_t lanes = gmmseg::kAbreast;
    double *const lower = work, *const apart = lower + d * (d + 1) / 2 * lanes, *const column = apart + d * lanes;
    double rest[lanes], across[lanes], inverse[lanes], sum[lanes];
    for (ptrdiff_t l = 0; l < lanes; ++l) across[l] = shares[l] * (rest[l] = 1 - shares[l]);
    for (ptrdiff_t r = 0; r < d; ++r)
        for (ptrdiff_t l = 0; l < lanes; ++l) apart[r * lanes + l] = means[r * columns + first + l] - means[r * columns + own];
    for (ptrdiff_t c = 0; c < d; ++c) {
        const double* const above = lower + c * (c + 1) / 2 * lanes;
        for (ptrdiff_t l = 0; l < lanes; ++l) column[l] = across[l] * apart[c * lanes + l];
        for (ptrdiff_t r = c; r < d; ++r) {
            double* const row = lower + r * (r + 1) / 2 * lanes;
            const double* const from = second + (r * (r + 1) / 2 + c) * columns;
            for (ptrdiff_t l = 0; l < lanes; ++l)
                sum[l] = rest[l] * from[own] + shares[l] * from[first + l] + column[l] * apart[r * lanes + l];
            for (ptrdiff_t m = 0; m < c * lanes; m += lanes)
                for (ptrdiff_t l = 0; l < lanes; ++l) sum[l] -= row[m + l] * above[m + l];
            if (r == c)
                for (ptrdiff_t l = 0; l < lanes; ++l) inverse[l] = 1 / std::sqrt(pivots[c * lanes + l] = sum[l]);
            else
                for (ptrdiff_t l = 0; l < lanes; ++l) row[c * lanes + l] = sum[l] * inverse[l];
        }
    }
}

void invert_lower(const double* lower, ptrdiff_t d, double* out) {
    if (with_few(d, [&](auto D) { invert_few<D.value>(lower, out); })) return;
    __builtin_memset(out, 0, sizeof(double) * size_t(d * d));
    for (ptrdiff_t i = 0; i < d; ++i) {
        double* const row = out + i * d;
        // Rows above have zeros past their diagonals, so all of them are as long as the longest of those added at once.
        for (ptrdiff_t m = 0; m < i; m += 2 * kTogether) {
            const ptrdiff_t n = i - m < 2 * kTogether ? i - m : 2 * kTogether;
            add_rows(out + m * d, d, lower + i * d + m, n, 0, m + n, row);
        }
        const double inverse = 1 / lower[i * d + i];
        for (ptrdiff_t j = 0; j < i; ++j) row[j] *= -inverse;
        row[i] = inverse;
    }
}

void add_batch(const double* x, const double* mass, const double* rows, ptrdiff_t n, double* out) {
    constexpr ptrdiff_t size = gmmseg::kBatch;
    double own[size];
    for (ptrdiff_t i = 0; i < size; ++i) own[i] = x[i] * mass[i];
    for (ptrdiff_t r = 0; r < n; ++r, rows += size) {
        double sums[8] = {};  // one after the other a sum would wait for itself
        for (ptrdiff_t i = 0; i < size; i += 8)
            for (ptrdiff_t lane = 0; lane < 8; ++lane) sums[lane] += own[i + lane] * rows[i + lane];
        out[r] += ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
}

void square(const double* matrix, ptrdiff_t d, double* out) {
    __builtin_memset(out, 0, sizeof(double) * size_t(d * d));
    for (ptrdiff_t r = 0; r < d; ++r) add_rows(matrix, d, matrix + r * d, d, 0, d, out + r * d);
}

template <class T>
double nearer(const T* planes, ptrdiff_t n, ptrdiff_t d, ptrdiff_t place, const double* mass, const double* now,
              T* squared, double* out) {
    for (ptrdiff_t i = 0; i < n; ++i) squared[i] = T(0);
    for (ptrdiff_t r = 0; r < d; ++r) {
        const T* const values = planes + r * n;
        const T centre = values[place];
        for (ptrdiff_t i = 0; i < n; ++i) squared[i] += (values[i] - centre) * (values[i] - centre);
    }
    for (ptrdiff_t i = 0; i < n; ++i) {
        const double distance = double(squared[i] * T(mass[i]));
        out[i] = distance < now[i] ? distance : now[i];
    }
    double sums[8] = {};  // one after the other a sum would wait for itself
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int lane = 0; lane < 8; ++lane) sums[lane] += out[i + lane];
    for (; i < n; ++i) sums[0] += out[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Algebra algebra_kernels{cholesky, joined_pivots, invert_lower, add_batch, square, nearer<float>, nearer<double>};
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
