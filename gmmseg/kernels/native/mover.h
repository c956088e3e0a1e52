// Components that are merged pair by pair, and split in halves: moves from one mixture to another, without samples.
// Included by moving.cpp and parting.h.
#pragma once
#include <cmath>
#include <limits>

#include "calling.h"

namespace {

constexpr int kSquarings = 12;  // after which an axis longer than others by a thousandth is the longest
constexpr double kAlone = 1e-12;  // part of a matrix that is in no other axes
constexpr double kNarrow = 0.25, kWide = 1.75;  // variances of the halves in scale

// Components by their moments; second ones about the means are (k, d, d), or (k, d) of components along the axes.
struct Moments {
    ptrdiff_t k, d, size;  // size: of the second moments of one component
    Numbers weights, means, second;
};

// Sum of the logarithms of positive numbers, one a product of several; -inf where one of them is 0.
class LogProduct {
    double sum = 0, product = 1;

  public:
    void take(double number) {
        if (!(number > 1e-100 && number < 1e100)) {
            sum += std::log(number);
            return;
        }
        product *= number;
        if (product < 1e-100 || product > 1e100) {
            sum += std::log(product);
            product = 1;
        }
    }
    double value() const { return sum + std::log(product); }
};

// Merges pair by pair: see gmmseg.mixture.moves.merge_down.
struct Merger {
    Moments all;
    bool square, spherical;
    Numbers volumes, scratch, mean, moments;

    Merger(Moments given, bool square, bool spherical)
        : all(std::move(given)), square(square), spherical(spherical), mean(size_t(all.d)), moments(size_t(all.size)) {}

    // Logarithm of the determinant; -inf for a component without volume. Of a matrix the upper triangle is read.
    double log_volume(const double* from) {
        const ptrdiff_t d = all.d;
        LogProduct whole;
        if (!square) {
            double sum = 0;
            for (ptrdiff_t i = 0; i < d; ++i) {
                if (spherical) sum += from[i];
                else whole.take(from[i]);
            }
            return spherical ? double(d) * std::log(sum / double(d)) : whole.value();
        }
        scratch.assign(from, from + all.size);
        if (!kernels().algebra.cholesky(scratch.data(), d)) return -std::numeric_limits<double>::infinity();
        for (ptrdiff_t i = 0; i < d; ++i) whole.take(scratch[size_t(i * d + i)]);
        return 2 * whole.value();
    }

    // Takes mean and second moments of what i and j make together, of matrices the upper triangle alone.
    void join(ptrdiff_t i, ptrdiff_t j) {
        const ptrdiff_t d = all.d;
        const double share = all.weights[size_t(j)] / (all.weights[size_t(i)] + all.weights[size_t(j)]);
        const double own = 1 - share, across = share * own;
        const double *a = all.means.data() + i * d, *b = all.means.data() + j * d;
        for (ptrdiff_t r = 0; r < d; ++r) mean[size_t(r)] = b[r] - a[r];
        const double *one = all.second.data() + i * all.size, *other = all.second.data() + j * all.size;
        const double* const apart = mean.data();
        double* to = moments.data();
        for (ptrdiff_t r = 0; r < (square ? d : 1); ++r, one += d, other += d, to += d) {
            if (square) {
                const double step = across * apart[r];
                for (ptrdiff_t c = r; c < d; ++c) to[c] = own * one[c] + share * other[c] + step * apart[c];
            } else {
                for (ptrdiff_t c = 0; c < d; ++c) to[c] = own * one[c] + share * other[c] + across * (apart[c] * apart[c]);
            }
        }
        for (ptrdiff_t r = 0; r < d; ++r) mean[size_t(r)] = a[r] + share * mean[size_t(r)];
    }

    double cost(ptrdiff_t i, ptrdiff_t j) {
        join(i, j);
        const double a = all.weights[size_t(i)], b = all.weights[size_t(j)];
        const double value = (a + b) * log_volume(moments.data()) - a * volumes[size_t(i)] - b * volumes[size_t(j)];
        return std::fmin(value, std::numeric_limits<double>::max());  // NaN, of components without volume, is dear
    }

    // Merges down to so many components, and returns into which of them each one went.
    std::vector<ptrdiff_t> down_to(size_t left) {
        const size_t k = size_t(all.k), d = size_t(all.d), size = size_t(all.size);
        std::vector<ptrdiff_t> kept(k), into(k);
        Numbers costs(k * k, std::numeric_limits<double>::infinity());
        for (size_t i = 0; i < k; ++i) {
            kept[i] = into[i] = ptrdiff_t(i);
            volumes.push_back(log_volume(all.second.data() + i * size));
        }
        // The costs of i with j stand at the lower of the two.
        const auto price = [&](ptrdiff_t i, ptrdiff_t j) {
            costs[size_t(std::min(i, j)) * k + size_t(std::max(i, j))] = cost(i, j);
        };
        for (size_t i = 0; i < k; ++i)
            for (size_t j = i + 1; j < k; ++j) price(ptrdiff_t(i), ptrdiff_t(j));
        while (kept.size() > left) {
            ptrdiff_t i = kept[0], j = kept[1];
            for (size_t a = 0; a < kept.size(); ++a)
                for (size_t b = a + 1; b < kept.size(); ++b)
                    if (costs[size_t(kept[a]) * k + size_t(kept[b])] < costs[size_t(i) * k + size_t(j)])
                        i = kept[a], j = kept[b];
            join(i, j);
            for (size_t r = 0; square && r < d; ++r)
                for (size_t c = 0; c < r; ++c) moments[r * d + c] = moments[c * d + r];
            all.weights[size_t(i)] += all.weights[size_t(j)];
            std::copy(mean.begin(), mean.end(), all.means.begin() + i * ptrdiff_t(d));
            std::copy(moments.begin(), moments.end(), all.second.begin() + i * ptrdiff_t(size));
            volumes[size_t(i)] = log_volume(moments.data());
            kept.erase(std::find(kept.begin(), kept.end(), j));
            std::replace(into.begin(), into.end(), j, i);
            if (kept.size() == left) break;
            for (const ptrdiff_t other : kept)
                if (other != i) price(i, other);
        }
        Moments some{ptrdiff_t(kept.size()), all.d, all.size, {}, {}, {}};
        const auto append = [](Numbers& to, const Numbers& from, ptrdiff_t place, ptrdiff_t each) {
            to.insert(to.end(), from.begin() + place * each, from.begin() + (place + 1) * each);
        };
        for (const ptrdiff_t c : kept) {
            append(some.weights, all.weights, c, 1);
            append(some.means, all.means, c, all.d);
            append(some.second, all.second, c, all.size);
        }
        all = std::move(some);
        for (ptrdiff_t& c : into) c = std::find(kept.begin(), kept.end(), c) - kept.begin();
        return into;
    }
};

// Writes the longest axis of a covariance (d, d), of length 1, and returns the variance along it. Of powers of a matrix
// by 2 to the turns all that is left is the longest axis; of axes equal to a part in a thousand, some mean of them.
double longest_axis(const double* covariance, ptrdiff_t d, double* axis) {
    const auto trace = [d](const Numbers& of) {
        double sum = 0;
        for (ptrdiff_t i = 0; i < d; ++i) sum += of[size_t(i * d + i)];
        return sum;
    };
    std::fill_n(axis, d, 0.0);
    Numbers power(covariance, covariance + d * d), next(power.size());
    double size = trace(power);
    if (!(size > 0) || !std::isfinite(size)) return 0;
    for (int turn = 0; turn < kSquarings; ++turn) {
        for (double& each : power) each /= size;
        kernels().algebra.square(power.data(), d, next.data());
        size = trace(next);  // 1 of a single axis
        std::swap(power, next);
        if (size > 1 - kAlone) break;
    }
    ptrdiff_t widest = 0;
    double norm = 0, length = 0;
    for (ptrdiff_t i = 1; i < d; ++i)
        if (power[size_t(i * d + i)] > power[size_t(widest * d + widest)]) widest = i;
    for (ptrdiff_t i = 0; i < d; ++i) norm += power[size_t(widest * d + i)] * power[size_t(widest * d + i)];
    for (ptrdiff_t i = 0; i < d; ++i) axis[i] = power[size_t(widest * d + i)] / std::sqrt(norm);
    for (ptrdiff_t i = 0; i < d; ++i) {
        double sum = 0;
        for (ptrdiff_t j = 0; j < d; ++j) sum += covariance[i * d + j] * axis[j];
        length += axis[i] * sum;
    }
    return length;
}

// Two for each component, side by side on its longest axis: see gmmseg.kernels.split.
Moments halved(const Moments& whole, bool square, double share) {
    const size_t k = size_t(whole.k), d = size_t(whole.d), size = size_t(whole.size);
    Moments parts{2 * whole.k, whole.d, whole.size, Numbers(2 * k), Numbers(2 * k * d), Numbers(2 * k * size)};
    Numbers middle(d, 0.0), unit(d), step(d), scaled(size);
    const double *const from = whole.means.data(), *const all = whole.second.data();
    for (size_t c = 0; c < k; ++c) {
        parts.weights[c] = parts.weights[k + c] = whole.weights[c] / 2;
        for (size_t i = 0; i < d; ++i) middle[i] += whole.weights[c] * from[c * d + i];
    }
    for (size_t i = 0; i < d; ++i) {
        double variance = 0;
        for (size_t c = 0; c < k; ++c) {
            const double offset = from[c * d + i] - middle[i], own = all[c * size + (square ? i * d + i : i)];
            variance += whole.weights[c] * (own + offset * offset);
        }
        unit[i] = variance > 0 ? std::sqrt(variance) : 1;
    }
    for (size_t c = 0; c < k; ++c) {
        const double* own = all + c * size;
        double length = 0;
        if (square) {
            for (size_t r = 0; r < d; ++r)
                for (size_t i = 0; i < d; ++i) scaled[r * d + i] = own[r * d + i] / (unit[r] * unit[i]);
            length = longest_axis(scaled.data(), ptrdiff_t(d), step.data());
        } else {
            std::fill(step.begin(), step.end(), 0.0);
            for (size_t i = 0; i < d; ++i) scaled[i] = own[i] / (unit[i] * unit[i]);
            const size_t widest = size_t(std::max_element(scaled.begin(), scaled.end()) - scaled.begin());
            length = scaled[widest];
            step[widest] = 1;
        }
        for (size_t i = 0; i < d; ++i) {
            step[i] *= share * std::sqrt(std::max(length, 0.0)) * unit[i];
            parts.means[c * d + i] = from[c * d + i] - step[i];
            parts.means[(k + c) * d + i] = from[c * d + i] + step[i];
        }
        for (size_t r = 0; r < (square ? d : 1); ++r)
            for (size_t i = 0; i < d; ++i) {
                const size_t e = r * d + i;
                parts.second[c * size + e] = parts.second[(k + c) * size + e] = own[e] - step[square ? r : i] * step[i];
            }
    }
    return parts;
}

// A narrow and a wide one for each component: see gmmseg.mixture.moves.split_in_scale.
Moments halved_in_scale(const Moments& whole) {
    Moments parts{2 * whole.k, whole.d, whole.size, {}, {}, {}};
    for (const double scale : {kNarrow, kWide}) {
        for (const double each : whole.weights) parts.weights.push_back(each / 2);
        for (const double each : whole.second) parts.second.push_back(scale * each);
        parts.means.insert(parts.means.end(), whole.means.begin(), whole.means.end());
    }
    return parts;
}

}  // namespace
