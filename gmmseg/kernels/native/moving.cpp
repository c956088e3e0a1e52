// Components that are merged pair by pair, and split in halves, as Python asks for them.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <string_view>

#include "mover.h"

namespace {

using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

constexpr int kSweeps = 30;  // of rotations: six are enough for most matrices
constexpr double kStraight = 1e-30;  // part of the squares of a matrix that may lie beside its axes

Moments taken(const Row& weights, const Table& means, const Parameters& second) {
    const size_t k = means.shape(0), d = means.shape(1);
    require(k > 0 && d > 0 && weights.shape(0) == k && (second.size() == k * d || second.size() == k * d * d),
            "weights, means and second moments differ in their numbers of components or features");
    return {ptrdiff_t(k),
            ptrdiff_t(d),
            ptrdiff_t(second.size() / k),
            Numbers(weights.data(), weights.data() + k),
            Numbers(means.data(), means.data() + k * d),
            Numbers(second.data(), second.data() + second.size())};
}

nb::object shaped(const Moments& of, bool square) {
    const size_t k = size_t(of.k), d = size_t(of.d);
    return nb::cast(square ? given(of.second, {k, d, d}) : given(of.second, {k, d}));
}

nb::tuple merge(const Row& weights, const Table& means, const Parameters& second, int left, bool spherical) {
    require(left > 0, "no component would be left");
    const bool square = second.ndim() == 3;
    Merger merger(taken(weights, means, second), square, spherical);
    std::vector<ptrdiff_t> into;
    {
        nb::gil_scoped_release unlocked;
        into = merger.down_to(size_t(left));
    }
    nb::list groups;
    for (const ptrdiff_t each : into) groups.append(each);
    const Moments& found = merger.all;
    const size_t k = size_t(found.k), d = size_t(found.d);
    return nb::make_tuple(given(found.weights, {k}), given(found.means, {k, d}), shaped(found, square), groups);
}

nb::tuple split(const Row& weights, const Table& means, const Parameters& second, double share) {
    const bool square = second.ndim() == 3;
    const Moments parts = halved(taken(weights, means, second), square, share);
    const size_t k = size_t(parts.k), d = size_t(parts.d);
    return nb::make_tuple(given(parts.weights, {k}), given(parts.means, {k, d}), shaped(parts, square));
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
