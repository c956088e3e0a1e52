// Components that are merged pair by pair, and split in halves: moves from one mixture to another, without samples.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <cmath>
#include <limits>
#include <string_view>

#include "calling.h"

namespace {

using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

constexpr int kSquarings = 12;  // after which an axis longer than others by a thousandth is the longest
constexpr int kSweeps = 30;  // of rotations: six are enough for most matrices
constexpr double kStraight = 1e-30;  // part of the squares of a matrix that may lie beside its axes
constexpr double kAlone = 1e-12;  // part of a matrix that is in no other axes

// Merges pair by pair: see gmmseg.mixture.moves.merge_down.
struct Merger {
    ptrdiff_t d, size;  // of the second moments of one component
    bool spherical;
    Numbers weights, means, second, volumes;
    Numbers scratch, mean, moments;

    // Logarithm of the determinant; -inf for a component without volume.
    double log_volume(const double* from) {
        if (size == d) {
            double sum = 0;
            for (ptrdiff_t i = 0; i < d; ++i) sum += spherical ? from[i] : std::log(from[i]);
            return spherical ? double(d) * std::log(sum / double(d)) : sum;
        }
        scratch.assign(from, from + size);
        if (!kernels().algebra.cholesky(scratch.data(), d)) return -std::numeric_limits<double>::infinity();
        double sum = 0;
        for (ptrdiff_t i = 0; i < d; ++i) sum += std::log(scratch[size_t(i * d + i)]);
        return 2 * sum;
    }

    // Takes mean and second moments of what i and j make together.
    void join(ptrdiff_t i, ptrdiff_t j) {
        const double share = weights[size_t(j)] / (weights[size_t(i)] + weights[size_t(j)]), across = share * (1 - share);
        const double *a = means.data() + i * d, *b = means.data() + j * d;
        for (ptrdiff_t r = 0; r < d; ++r) mean[size_t(r)] = b[r] - a[r];
        const double *one = second.data() + i * size, *other = second.data() + j * size, *apart = mean.data();
        double* to = moments.data();
        for (ptrdiff_t r = 0; r < (size == d ? 1 : d); ++r, one += d, other += d, to += d)
            for (ptrdiff_t c = 0; c < d; ++c)
                to[c] = (1 - share) * one[c] + share * other[c] + across * (apart[size == d ? c : r] * apart[c]);
        for (ptrdiff_t r = 0; r < d; ++r) mean[size_t(r)] = a[r] + share * mean[size_t(r)];
    }

    double cost(ptrdiff_t i, ptrdiff_t j) {
        join(i, j);
        const double a = weights[size_t(i)], b = weights[size_t(j)];
        const double value = (a + b) * log_volume(moments.data()) - a * volumes[size_t(i)] - b * volumes[size_t(j)];
        return std::fmin(value, std::numeric_limits<double>::max());  // NaN, of components without volume, is dear
    }
};

nb::tuple merge(const Row& weights, const Table& means, const Parameters& second, int left, bool spherical) {
    const size_t k = means.shape(0), d = means.shape(1);
    require(weights.shape(0) == k && d > 0 && left > 0 && (second.size() == k * d || second.size() == k * d * d),
            "weights, means and second moments differ in their numbers of components or features");
    const bool square = second.ndim() == 3;
    Merger all{ptrdiff_t(d), ptrdiff_t(square ? d * d : d), spherical, {}, {}, {}, {}, {}, {}, {}};
    all.weights.assign(weights.data(), weights.data() + k);
    all.means.assign(means.data(), means.data() + k * d);
    all.second.assign(second.data(), second.data() + second.size());
    all.mean.resize(d);
    all.moments.resize(size_t(all.size));
    std::vector<ptrdiff_t> kept(k), into(k);
    Numbers costs(k * k, std::numeric_limits<double>::infinity());
    {
        nb::gil_scoped_release unlocked;
        for (size_t i = 0; i < k; ++i) {
            kept[i] = into[i] = ptrdiff_t(i);
            all.volumes.push_back(all.log_volume(all.second.data() + i * size_t(all.size)));
        }
        // The costs of i with j stand at the lower of the two.
        const auto price = [&](ptrdiff_t i, ptrdiff_t j) {
            costs[size_t(std::min(i, j)) * k + size_t(std::max(i, j))] = all.cost(i, j);
        };
        for (size_t i = 0; i < k; ++i)
            for (size_t j = i + 1; j < k; ++j) price(ptrdiff_t(i), ptrdiff_t(j));
        while (kept.size() > size_t(left)) {
            ptrdiff_t i = kept[0], j = kept[1];
            for (size_t a = 0; a < kept.size(); ++a)
                for (size_t b = a + 1; b < kept.size(); ++b)
                    if (costs[size_t(kept[a]) * k + size_t(kept[b])] < costs[size_t(i) * k + size_t(j)])
                        i = kept[a], j = kept[b];
            all.join(i, j);
            all.weights[size_t(i)] += all.weights[size_t(j)];
            std::copy(all.mean.begin(), all.mean.end(), all.means.begin() + i * ptrdiff_t(d));
            std::copy(all.moments.begin(), all.moments.end(), all.second.begin() + i * all.size);
            all.volumes[size_t(i)] = all.log_volume(all.moments.data());
            kept.erase(std::find(kept.begin(), kept.end(), j));
            std::replace(into.begin(), into.end(), j, i);
            for (const ptrdiff_t other : kept)
                if (other != i) price(i, other);
        }
    }
    Numbers parts[3];
    for (const ptrdiff_t c : kept) {
        parts[0].push_back(all.weights[size_t(c)]);
        parts[1].insert(parts[1].end(), all.means.begin() + c * ptrdiff_t(d), all.means.begin() + (c + 1) * ptrdiff_t(d));
        parts[2].insert(parts[2].end(), all.second.begin() + c * all.size, all.second.begin() + (c + 1) * all.size);
    }
    nb::list groups;
    for (const ptrdiff_t c : into) groups.append(std::find(kept.begin(), kept.end(), c) - kept.begin());
    const size_t m = kept.size();
    return nb::make_tuple(given(parts[0], {m}), given(parts[1], {m, d}),
                          square ? given(parts[2], {m, d, d}) : given(parts[2], {m, d}), groups);
}

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

nb::tuple split(const Row& weights, const Table& means, const Parameters& second, double share) {
    const size_t k = means.shape(0), d = means.shape(1), size = k ? second.size() / k : 0;
    require(k > 0 && weights.shape(0) == k && d > 0 && (second.size() == k * d || second.size() == k * d * d),
            "weights, means and second moments differ in their numbers of components or features");
    const bool square = second.ndim() == 3;
    Numbers halves(2 * k), places(2 * k * d), moments(2 * k * size), middle(d, 0.0), unit(d), step(d), scaled(size);
    const double *const from = means.data(), *const all = second.data();
    for (size_t c = 0; c < k; ++c) {
        halves[c] = halves[k + c] = weights.data()[c] / 2;
        for (size_t i = 0; i < d; ++i) middle[i] += weights.data()[c] * from[c * d + i];
    }
    for (size_t i = 0; i < d; ++i) {
        double variance = 0;
        for (size_t c = 0; c < k; ++c) {
            const double offset = from[c * d + i] - middle[i], own = all[c * size + (square ? i * d + i : i)];
            variance += weights.data()[c] * (own + offset * offset);
        }
        unit[i] = variance > 0 ? std::sqrt(variance) : 1;
    }
    for (size_t c = 0; c < k; ++c) {
        const double* own = all + c * size;
        double length = 0;
        if (square) {
            for (size_t e = 0; e < size; ++e) scaled[e] = own[e] / (unit[e / d] * unit[e % d]);
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
            places[c * d + i] = from[c * d + i] - step[i];
            places[(k + c) * d + i] = from[c * d + i] + step[i];
        }
        for (size_t r = 0; r < (square ? d : 1); ++r)
            for (size_t i = 0; i < d; ++i) {
                const size_t e = r * d + i;
                moments[c * size + e] = moments[(k + c) * size + e] = own[e] - step[square ? r : i] * step[i];
            }
    }
    return nb::make_tuple(given(halves, {2 * k}), given(places, {2 * k, d}),
                          square ? given(moments, {2 * k, d, d}) : given(moments, {2 * k, d}));
}

// Writes the axes (d, d) of a symmetric matrix, one below the other from the longest to the shortest, each of length 1
// and on the side of the feature that is most of it, and their lengths: by rotations in planes (Jacobi 1846).
void axes_of(Numbers matrix, ptrdiff_t d, double* axes, double* lengths) {
    const auto at = [&](ptrdiff_t i, ptrdiff_t j) -> double& { return matrix[size_t(i * d + j)]; };
    Numbers turned(size_t(d * d), 0.0);
    for (ptrdiff_t i = 0; i < d; ++i) turned[size_t(i * d + i)] = 1;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        double beside = 0, along = 0;
        for (ptrdiff_t i = 0; i < d; ++i)
            for (ptrdiff_t j = 0; j <= i; ++j) (i == j ? along : beside) += at(i, j) * at(i, j);
        if (!(beside > kStraight * along)) break;
        for (ptrdiff_t p = 0; p < d; ++p)
            for (ptrdiff_t q = p + 1; q < d; ++q) {
                if (at(p, q) == 0) continue;
                const double ratio = (at(q, q) - at(p, p)) / (2 * at(p, q));
                const double tangent = std::copysign(1.0, ratio) / (std::abs(ratio) + std::sqrt(ratio * ratio + 1));
                const double cosine = 1 / std::sqrt(tangent * tangent + 1), sine = tangent * cosine;
                const auto turn = [&](double& a, double& b) {
                    const double one = a, other = b;
                    a = cosine * one - sine * other;
                    b = sine * one + cosine * other;
                };
                for (ptrdiff_t i = 0; i < d; ++i) turn(at(i, p), at(i, q));
                for (ptrdiff_t i = 0; i < d; ++i) turn(at(p, i), at(q, i));
                for (ptrdiff_t i = 0; i < d; ++i) turn(turned[size_t(p * d + i)], turned[size_t(q * d + i)]);
            }
    }
    std::vector<ptrdiff_t> order(static_cast<size_t>(d));
    for (ptrdiff_t i = 0; i < d; ++i) order[size_t(i)] = d - 1 - i;
    std::stable_sort(order.begin(), order.end(), [&](ptrdiff_t i, ptrdiff_t j) { return at(i, i) > at(j, j); });
    for (ptrdiff_t r = 0; r < d; ++r) {
        const double* const from = turned.data() + order[size_t(r)] * d;
        const double* const most = std::max_element(from, from + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
        const double side = *most < 0 ? -1 : 1;
        for (ptrdiff_t i = 0; i < d; ++i) axes[r * d + i] = side * from[i];
        lengths[r] = at(order[size_t(r)], order[size_t(r)]);
    }
}

nb::tuple divisions(const Row& weights, const Table& means, const Parameters& covariances, const nb::str& name, int ranks,
                    bool in_scale, double share) {
    const std::string_view family = name.c_str();
    const size_t k = means.shape(0), d = means.shape(1), ways = size_t(ranks) + in_scale, m = ways * k, w = k + 1;
    const bool tied = family == "tied", full = family == "full", round = family == "spherical";
    const size_t size = tied || full ? d * d : round ? 1 : d;  // of the covariance of one component, or of all
    require(tied || full || round || family == "diag", "the covariance family is not known");
    require(k > 0 && weights.shape(0) == k && ranks >= 0 && size_t(ranks) <= d && covariances.size() == (tied ? 1 : k) * size,
            "weights, means and covariances differ in their numbers of components or features");
    Numbers shares(m * w), places(m * w * d), moments(m * (tied ? 1 : w) * size), axes(d * d), lengths(d), dense(d * d);
    for (size_t c = 0; c < k; ++c) {
        const double *const mean = means.data() + c * d, *const own = covariances.data() + (tied ? 0 : c * size);
        std::fill(dense.begin(), dense.end(), 0.0);
        if (tied || full) std::copy_n(own, size, dense.begin());
        else
            for (size_t i = 0; i < d; ++i) dense[i * d + i] = own[round ? 0 : i];
        axes_of(dense, ptrdiff_t(d), axes.data(), lengths.data());
        for (size_t way = 0; way < ways; ++way) {
            const size_t start = way * k + c;
            for (size_t other = 0, to = start * w; other < k; ++other) {
                if (other == c) continue;
                shares[to] = weights.data()[other];
                std::copy_n(means.data() + other * d, d, places.data() + to * d);
                if (!tied) std::copy_n(covariances.data() + other * size, size, moments.data() + to * size);
                ++to;
            }
            if (tied) std::copy_n(own, size, moments.data() + start * size);
            const bool axis = way < size_t(ranks);
            Numbers step(d, 0.0);
            for (size_t i = 0; axis && i < d; ++i)
                step[i] = share * std::sqrt(std::max(lengths[way], 0.0)) * axes[way * d + i];
            for (int half = 0; half < 2; ++half) {
                const size_t to = (start + 1) * w - 2 + size_t(half);
                shares[to] = weights.data()[c] / 2;
                for (size_t i = 0; i < d; ++i) places[to * d + i] = half ? mean[i] + step[i] : mean[i] - step[i];
                for (size_t e = 0; !tied && e < size; ++e) {
                    double taken = step[e % d] * step[full ? e / d : e % d];
                    for (size_t i = 1; round && i < d; ++i) taken += step[i] * step[i];
                    moments[to * size + e] = axis ? own[e] - taken / double(round ? d : 1) : (half ? 1.75 : 0.25) * own[e];
                }
            }
        }
    }
    nb::object shaped;
    if (tied) shaped = nb::cast(given(moments, {m, d, d}));
    else if (full) shaped = nb::cast(given(moments, {m, w, d, d}));
    else if (round) shaped = nb::cast(given(moments, {m, w}));
    else shaped = nb::cast(given(moments, {m, w, d}));
    return nb::make_tuple(given(shares, {m, w}), given(places, {m, w, d}), shaped);
}

}  // namespace

void bind_moving(nb::module_& m) {
    m.def("merge", &merge);
    m.def("split", &split);
    m.def("divisions", &divisions);
}
