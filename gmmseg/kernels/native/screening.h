// A screen: directions in which the means of a mixture lie apart, and the mixture in them. Included by mixture.cpp
// alone.
#pragma once
#include <cmath>

#include "densities.h"

namespace {

using gmmseg::kMostDirections;
using gmmseg::Screen;

// Bounds are of distances that are less by so much of themselves: what rounding in a distance may come to, and room for
// the square of an error in its root, (a + e)^2 <= (1 + 1/64) a^2 + 65 e^2.
constexpr double kShrunk = 64.0 / 65;
constexpr double kSpread = 2;   // spreads by which a sample may be nearer than its mean, where gain is foretold

// How far behind the highest a component's log2 density may be for its share to be above 2^-kLost of its weight.
template <class T>
double reach_of(const MixtureJob<T>& job, ptrdiff_t c) {
    const ptrdiff_t d = job.n_features;
    const T *const p = job.params + c * job.params_per_component(), *factor = p + 1 + d;
    double log2_weight = double(p[0]) + 0.5 * double(d) * 2.180292484484;  // log2(pi log2(e))
    for (ptrdiff_t i = 0; i < d; factor += ++i) log2_weight -= std::log2(double(factor[i]));
    const double reach = gmmseg::kLost<T> - (log2_weight < 0 ? log2_weight : 0);
    return reach < 1000 ? reach : 1000;
}

// to (n) += number * from (n)
GMMSEG_INLINE void add(double number, const double* from, ptrdiff_t n, double* to) {
    for (ptrdiff_t i = 0; i < n; ++i) to[i] += number * from[i];
}

// Writes directions (d, most) and returns their number: to the mean that lies farthest off in the metric of the mean
// precision, less what earlier directions show of it. Centred `means` and `turned` (d, K) are used up.
template <class T>
int find_directions(const MixtureJob<T>& job, int most, double* means, double* turned, double* row, double* norms,
                    double* out) {
    const ptrdiff_t d = job.n_features, k = job.n_components, step = job.params_per_component();
    for (ptrdiff_t i = 0; i < d * k; ++i) turned[i] = 0;
    for (ptrdiff_t c = 0; c < k; ++c) {
        const T* factor = job.params + c * step + 1 + d;
        for (ptrdiff_t i = 0; i < d; factor += ++i) {
            for (ptrdiff_t p = 0; p < k; ++p) row[p] = 0;
            for (ptrdiff_t j = 0; j <= i; ++j) add(double(factor[j]), means + j * k, k, row);
            for (ptrdiff_t j = 0; j <= i; ++j) add(double(factor[j]), row, k, turned + j * k);
        }
    }
    for (ptrdiff_t p = 0; p < k; ++p) norms[p] = 0;
    for (ptrdiff_t j = 0; j < d; ++j)
        for (ptrdiff_t p = 0; p < k; ++p) norms[p] += means[j * k + p] * turned[j * k + p];
    double first = 0;
    for (int q = 0; q < most; ++q) {
        ptrdiff_t far = 0;
        for (ptrdiff_t p = 1; p < k; ++p)
            if (norms[p] > norms[far]) far = p;
        if (q == 0) first = norms[far];
        if (!(norms[far] > 1e-6 * first) || !std::isfinite(first)) return q;
        const double unit = 1 / std::sqrt(norms[far]);
        for (ptrdiff_t p = 0; p < k; ++p) row[p] = 0;
        for (ptrdiff_t j = 0; j < d; ++j) {
            out[j * most + q] = unit * turned[j * k + far];
            add(out[j * most + q], means + j * k, k, row);
        }
        for (ptrdiff_t j = 0; j < d; ++j) {
            const double own = unit * means[j * k + far], weighted = out[j * most + q];
            add(-own, row, k, means + j * k);
            add(-weighted, row, k, turned + j * k);
        }
        for (ptrdiff_t p = 0; p < k; ++p) norms[p] -= row[p] * row[p];
    }
    return most;
}

// The lower precision factor (q, q) of component c in directions (d, stride); false where it has none. `solved` (d, q)
// and `moments` (q, q) are working memory.
template <class T>
bool factor_across(const MixtureJob<T>& job, ptrdiff_t c, const double* across, ptrdiff_t stride, ptrdiff_t q,
                   double* solved, double* moments, double* out) {
    const ptrdiff_t d = job.n_features;
    const T* const factor = job.params + c * job.params_per_component() + 1 + d;
    for (ptrdiff_t i = 0; i < d; ++i)
        for (ptrdiff_t r = 0; r < q; ++r) solved[i * q + r] = across[i * stride + r];
    for (ptrdiff_t i = 0; i < q * q; ++i) moments[i] = 0;
    for (ptrdiff_t i = d; i-- > 0;) {
        const T* const row = factor + i * (i + 1) / 2;
        double* const now = solved + i * q;
        for (ptrdiff_t r = 0; r < q; ++r) now[r] /= double(row[i]);
        for (ptrdiff_t j = 0; j < i; ++j) add(-double(row[j]), now, q, solved + j * q);
        for (ptrdiff_t r = 0; r < q; ++r) add(now[r], now, q, moments + r * q);
    }
    if (!gmmseg::GMMSEG_ISA::algebra_kernels.cholesky(moments, q)) return false;
    gmmseg::GMMSEG_ISA::algebra_kernels.invert_lower(moments, q, out);
    for (ptrdiff_t i = 0; i < q * q; ++i)
        if (!(out[i] > -1e15 && out[i] < 1e15)) return false;
    return true;
}

// How many of the directions make a sample cheapest, in products: its bounds, and the densities of components within
// reach one by one; 0 where no number of them pays.
template <class T>
int cheapest(const MixtureJob<T>& job, ptrdiff_t q, const double* means, const double* factors, const T* reaches) {
    const ptrdiff_t d = job.n_features, k = job.n_components, step = job.params_per_component();
    double within[kMostDirections];  // components, of a sample of each
    for (ptrdiff_t i = 0; i < q; ++i) within[i] = double(k);
    for (ptrdiff_t a = 0; a < k; ++a)
        for (ptrdiff_t b = 0; b < k; ++b) {
            double distance = 0;
            const double ahead = double(job.params[b * step] - job.params[a * step]);
            const double reach = ahead + 0.5 * double(d) / kLn2 + reaches[b];
            for (ptrdiff_t i = 0; a != b && i < q; ++i) {
                double y = 0;
                for (ptrdiff_t j = 0; j <= i; ++j)
                    y += factors[(b * q + i) * q + j] * (means[a * q + j] - means[b * q + j]);
                distance += y * y;
                const double root = std::sqrt(distance) - kSpread;
                within[i] += !(root > 0 && root * root > reach);
            }
        }
    const double all = double(k) * double(d) * double(d + 4) / 2, own = double(d) * double(d + 16) / 2 + 4 * double(d);
    double least = all;
    int best = 0;
    for (ptrdiff_t i = 0; i < q; ++i) {
        const double rows = double((i + kTile) / kTile * kTile);
        const double bounds = rows * double(d) + double(k) * (double(i + 1) * rows / 2 + 8) + 2 * double(d);
        const double cost = bounds + within[i] / double(k) * own;
        if (cost < least) least = cost, best = int(i + 1);
    }
    return best;
}

// Writes what bounds a component's squared distances from above: for any scales s, |a b| <= (a^2 / s^2 + b^2 s^2) / 2 turns
// a quadratic form P into sums of squares, those of feature i times the sum of |P_ij| s_j / s_i, and s_i = P_ii^-1/2
// makes these independent of the features' units. `form` and `row` are working memory of d (d + 1) / 2 and d numbers.
template <class T>
void bound_own(const MixtureJob<T>& job, ptrdiff_t c, double* form, double* row, T* out) {
    const ptrdiff_t d = job.n_features;
    const T* factor = job.params + c * job.params_per_component() + 1 + d;
    for (ptrdiff_t i = 0; i < d * (d + 1) / 2; ++i) form[i] = 0;
    for (ptrdiff_t r = 0; r < d; factor += ++r) {
        for (ptrdiff_t i = 0; i <= r; ++i) row[i] = double(factor[i]);
        for (ptrdiff_t i = 0; i <= r; ++i) add(row[i], row, i + 1, form + i * (i + 1) / 2);
    }
    for (ptrdiff_t i = 0; i < d; ++i) row[i] = std::sqrt(form[i * (i + 3) / 2]);
    const double rounding = 1 + double(d + 8) * (sizeof(T) == 4 ? 1.2e-7 : 2.3e-16);
    for (ptrdiff_t i = 0; i < d; ++i) {
        double sum = 0;
        for (ptrdiff_t j = 0; j < d; ++j)
            sum += std::abs(form[i < j ? j * (j + 1) / 2 + i : i * (i + 1) / 2 + j]) / row[j];
        out[i] = T(rounding * sum * row[i]);
    }
}

template <class T>
bool screen(const MixtureJob<T>& job, double* work, Screen<T>& out) {
    const ptrdiff_t d = job.n_features, k = job.n_components, step = job.params_per_component();
    const int most = int(k - 1 < kMostDirections ? k - 1 : kMostDirections), half = int(d / 2);
    const ptrdiff_t stride = most < half ? most : half;
    double *const means = work, *const turned = means + d * k, *const across = turned + d * k;
    double *const solved = across + d * stride, *const moments = solved + d * stride;
    double *const factors = moments + stride * stride, *const places = factors + k * stride * stride;
    double *const row = places + k * stride, *const norms = row + k, *const middle = norms + k;
    double *const squared = middle + d, *const form = squared + d;
    for (ptrdiff_t j = 0; j < d; ++j) {
        middle[j] = 0;
        for (ptrdiff_t c = 0; c < k; ++c) middle[j] += double(job.params[c * step + 1 + j]) / double(k);
        out.middle[j] = T(middle[j]);
        for (ptrdiff_t c = 0; c < k; ++c)
            means[j * k + c] = double(job.params[c * step + 1 + j]) - double(out.middle[j]);
    }
    const ptrdiff_t found = find_directions(job, int(stride), means, turned, row, norms, across);
    for (ptrdiff_t c = 0; c < k; ++c) {
        const T* const mean = job.params + c * step + 1;
        double *const factor = factors + c * found * found, *const place = places + c * found;
        // Nothing is out of reach of a component that has no factor.
        if (!factor_across(job, c, across, stride, found, solved, moments, factor))
            for (ptrdiff_t i = 0; i < found * found; ++i) factor[i] = 0;
        for (ptrdiff_t r = 0; r < found; ++r) {
            place[r] = 0;
            for (ptrdiff_t j = 0; j < d; ++j)
                place[r] += across[j * stride + r] * (double(mean[j]) - double(out.middle[j]));
        }
    }
    for (ptrdiff_t c = 0; c < k; ++c) out.reach[c] = T(reach_of(job, c));
    const ptrdiff_t q = cheapest(job, found, places, factors, out.reach);
    if (q == 0) return false;
    for (ptrdiff_t c = 0; c < k; ++c) bound_own(job, c, form, squared, out.own + c * d);
    const ptrdiff_t wide = (q + kTile - 1) / kTile * kTile;
    out.directions = int(wide);
    double size = 0;
    for (ptrdiff_t j = 0; j < d; ++j)
        for (ptrdiff_t r = 0; r < wide; ++r) {
            const double number = r < q ? across[j * stride + r] : 0;
            out.across[j * wide + r] = T(number);
            size += number * number;
        }
    T* to = out.params;
    for (ptrdiff_t c = 0; c < k; ++c) {
        const T* const p = job.params + c * step;
        // The factor in the first directions is part of that in all.
        const double *const factor = factors + c * found * found, shrunk = std::sqrt(kShrunk);
        double norm = 0, off = 0;
        T *const constant = to++, *const turned_mean = to;
        for (ptrdiff_t i = 0; i < wide; ++i) *to++ = T(0);
        for (ptrdiff_t i = 0; i < wide; ++i) {
            double own = 0;
            for (ptrdiff_t j = 0; j <= i; ++j) {
                const double number = i < q ? factor[i * found + j] : 0;
                *to++ = T(shrunk * number);
                norm += number * number;
                own += i < q ? number * places[c * found + j] : 0;
            }
            turned_mean[i] = T(-shrunk * own);
        }
        for (ptrdiff_t j = 0; j < d; ++j) {
            const double shift = double(p[1 + j]) - double(out.middle[j]);
            off += shift * shift;
        }
        // Twice, since errors in the sample's part and in the mean's add up.
        const double rounding = double(d + q) * (sizeof(T) == 4 ? 6e-8 : 1.2e-16);
        const double slack = 2 * 65 * rounding * rounding * norm * size;
        out.slack[c] = T(slack);
        *constant = T(double(p[0]) + slack * off);
    }
    return true;
}

// Bounds of a component's log2 density over a block, from its samples in the directions; `highest` is raised to them.
template <class T, int Q>
__attribute__((noinline)) void bounds(const T* p, const T* projected, ptrdiff_t packs, T* out, T* highest) {
    for (ptrdiff_t v = 0; v < packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> y[Q], t = fill(p[0]);
        unrolled<Q>([&](auto j) GMMSEG_LAMBDA { y[j.value] = load(projected + j.value * kBlock + v); });
        unrolled<Q>([&](auto i) GMMSEG_LAMBDA {
            Pack<T> sum = fill(p[1 + i.value]);
            unrolled<i.value + 1>([&](auto j) GMMSEG_LAMBDA {
                sum += p[1 + Q + triangle(i.value) + j.value] * y[j.value];
            });
            t -= sum * sum;
        });
        store(out + v, larger(t, fill(kLowest<T>)));
        store(highest + v, larger(t, load(highest + v)));
    }
}
template <class T, int Q = kTile>
void bounds(const MixtureJob<T>& job, int k, const T* projected, ptrdiff_t packs, T* out, T* highest) {
    if (job.screen->directions == Q)
        bounds<T, Q>(job.screen->params + k * (1 + Q + triangle(Q)), projected, packs, out, highest);
    else if constexpr (Q < kMostDirections) bounds<T, Q + kTile>(job, k, projected, packs, out, highest);
}

}  // namespace
