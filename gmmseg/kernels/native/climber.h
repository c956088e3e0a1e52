// A mixture that EM works on. Included by factoring.cpp, parting.h and running.h.
#pragma once
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <limits>
#include <string_view>

#include "summing.h"

namespace {

template <class T>
using Planes = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

constexpr double kLogTwoPi = 1.837877066409345483560659;
constexpr double kMostPrecise = 1e15;  // as of gmmseg.mixture.degenerate
constexpr double kFlat = 1e-14;  // part of a variance, a feature, that is rounding: as of gmmseg.mixture.degenerate
constexpr int kTurns = 20;  // in which a longest axis is found, well enough to be cut across
constexpr double kSurely = 1 + 1e-9;  // times what rounding may be short of
constexpr double kNoZero = 10 * std::numeric_limits<double>::epsilon();  // added to counts, so that none is 0

enum class Family { full, tied, diag, spherical };

Family family_of(std::string_view name) {
    if (name == "full") return Family::full;
    if (name == "tied") return Family::tied;
    require(name == "diag" || name == "spherical", "the covariance family is not known");
    return name == "diag" ? Family::diag : Family::spherical;
}

// A mixture that EM works on: covariances of its family's shape, and the lower precision factors of each component.
struct Climber {
    Family family;
    ptrdiff_t k, d;
    Numbers weights, means, covariances, factors;

    bool diagonal() const { return family == Family::diag || family == Family::spherical; }
    bool shared() const { return family == Family::tied; }

    // Writes the inverse of a component's lower factor, which takes the place of its covariance; false where it has no
    // volume but what rounding left.
    bool invert(double* lower, ptrdiff_t c, double* out) const {
        if (!kernels().algebra.cholesky(lower, d)) return false;
        kernels().algebra.invert_lower(lower, d, out);
        const double *const own = covariances.data() + c * d * d, most = 1 / (kFlat * double(d));
        bool usable = true;
        for (ptrdiff_t i = 0; i < d; ++i)
            for (ptrdiff_t j = 0; j <= i; ++j) usable &= out[i * d + j] * out[i * d + j] * own[j * d + j] < most;
        return usable;
    }

    // Takes the factors from the covariances, and marks the components that have none which is usable; false for any.
    bool factorise(std::vector<char>& bad) {
        const ptrdiff_t size = diagonal() ? d : d * d;
        factors.resize(size_t(k * size));
        Numbers lower(diagonal() ? Numbers() : covariances);
        for (ptrdiff_t c = 0; c < k; ++c) {
            double* const own = factors.data() + c * size;
            bool usable = true;
            if (diagonal()) {
                for (ptrdiff_t i = 0; i < d; ++i) {
                    const double variance = covariances[size_t(family == Family::diag ? c * d + i : c)];
                    usable = usable && variance > 0 && std::isfinite(variance);
                    own[i] = usable ? 1 / std::sqrt(variance) : 0;
                }
            } else if (shared() && c) {
                std::copy_n(factors.data(), d * d, own);
                usable = !bad[0];
            } else {
                usable = invert(lower.data() + c * size, c, own);
            }
            usable = usable && std::all_of(own, own + size, [](double x) { return std::abs(x) < kMostPrecise; });
            const double* const mean = means.data() + c * d;
            usable = usable && std::all_of(mean, mean + d, [](double x) { return std::isfinite(x); });
            bad[size_t(c)] |= char(!usable);
        }
        return std::none_of(bad.begin(), bad.end(), [](char x) { return x; });
    }

    // The longest axis of a component, as long as its variance there: by turns, from the feature that varies most.
    double longest(ptrdiff_t c, double* axis) const {
        std::fill_n(axis, d, 0.0);
        if (diagonal()) {
            const double* const own = covariances.data() + (family == Family::diag ? c * d : c);
            const ptrdiff_t at = family == Family::diag ? std::max_element(own, own + d) - own : 0;
            axis[at] = 1;
            return own[at];
        }
        const double* const own = covariances.data() + c * d * d;
        ptrdiff_t widest = 0;
        for (ptrdiff_t i = 1; i < d; ++i)
            if (own[i * d + i] > own[widest * d + widest]) widest = i;
        axis[widest] = 1;
        Numbers turned(static_cast<size_t>(d));
        double length = 0;
        for (int turn = 0; turn < kTurns; ++turn) {
            double sum = 0;
            for (ptrdiff_t i = 0; i < d; ++i) {
                turned[size_t(i)] = 0;
                for (ptrdiff_t j = 0; j < d; ++j) turned[size_t(i)] += own[i * d + j] * axis[j];
                sum += turned[size_t(i)] * turned[size_t(i)];
            }
            length = std::sqrt(sum);
            if (!(length > 0)) break;
            for (ptrdiff_t i = 0; i < d; ++i) axis[i] = turned[size_t(i)] / length;
        }
        return length;
    }

    // Goes on by a part of the way from another mixture; with a component of no weight there is no volume, either.
    void leave_behind(const Climber& from, double part) {
        const auto go = [part](Numbers& to, const Numbers& before) {
            for (size_t i = 0; i < to.size(); ++i) to[i] += part * (to[i] - before[i]);
        };
        go(weights, from.weights);
        go(means, from.means);
        go(covariances, from.covariances);
    }

    // Sum of the variances of a component, which no axis is longer than.
    double trace(ptrdiff_t c) const {
        double sum = 0;
        for (ptrdiff_t i = 0; i < d; ++i)
            sum += covariances[size_t(family == Family::spherical ? c : diagonal() ? c * d + i : (c * d + i) * d + i)];
        return sum;
    }

    // Puts each bad component on one half of the good one with the most spread samples, as gmmseg.mixture.degenerate
    // does.
    void rescue(const std::vector<char>& bad) {
        Numbers axes(size_t(k * d)), lengths(size_t(k), -1.0);
        double total = 0, sum = 0;
        for (const double each : weights) total += each;
        const ptrdiff_t size = ptrdiff_t(covariances.size()) / k;
        for (ptrdiff_t c = 0; c < k; ++c) {
            if (!bad[size_t(c)]) continue;
            ptrdiff_t donor = -1;
            const auto spread = [&](ptrdiff_t g, double length) { return weights[size_t(g)] * length; };
            for (ptrdiff_t g = 0; g < k; ++g) {
                if (bad[size_t(g)]) continue;
                double& length = lengths[size_t(g)];
                const double most = length < 0 ? kSurely * trace(g) : length;
                if (donor >= 0 && !(spread(g, most) > spread(donor, lengths[size_t(donor)]))) continue;
                if (length < 0) length = longest(g, axes.data() + g * d);
                if (donor < 0 || spread(g, length) > spread(donor, lengths[size_t(donor)])) donor = g;
            }
            weights[size_t(c)] = weights[size_t(donor)] = weights[size_t(donor)] / 2;
            const double step = std::sqrt(std::max(lengths[size_t(donor)], 0.0));
            for (ptrdiff_t i = 0; i < d; ++i) {
                const double shift = step * axes[size_t(donor * d + i)], middle = means[size_t(donor * d + i)];
                means[size_t(c * d + i)] = middle + shift;
                means[size_t(donor * d + i)] = middle - shift;
            }
            std::copy_n(covariances.data() + donor * size, size, covariances.data() + c * size);
        }
        for (const double each : weights) sum += each;
        for (double& each : weights) each *= total / sum;
    }

    // What noise of variance (d) in the samples of a component takes from its expected log density.
    double blur(ptrdiff_t c, const double* noise) const {
        double sum = 0;
        const double* f = factors.data() + c * d * (diagonal() ? 1 : d);
        for (ptrdiff_t i = 0; i < (diagonal() ? 1 : d); ++i)
            for (ptrdiff_t j = 0; j < d; ++j) sum += f[i * d + j] * f[i * d + j] * noise[j];
        return sum / 2;
    }

    void constants(const double* noise, double* out) const {
        for (ptrdiff_t c = 0; c < k; ++c) {
            double sum = std::log(weights[size_t(c)]) - 0.5 * double(d) * kLogTwoPi;
            for (ptrdiff_t i = 0; i < d; ++i) sum += std::log(factors[size_t(diagonal() ? c * d + i : (c * d + i) * d + i)]);
            out[c] = noise ? sum - blur(c, noise) : sum;
        }
    }

    // How large the constants are in the mean: what is rounded, and cancels in the objective.
    double terms(const double* noise) const {
        Numbers each(static_cast<size_t>(k));
        constants(noise, each.data());
        double sum = 0;
        for (size_t c = 0; c < size_t(k); ++c)
            if (weights[c] > 0) sum += weights[c] * std::abs(each[c]);
        return sum;
    }

    // The M step, from sums about the origins: see gmmseg.mixture.statistics.m_step.
    template <class T>
    void step(const double* sums, const double* added) {
        const ptrdiff_t second = diagonal() ? d : d * (d + 1) / 2, columns = 1 + d + second;
        double total = 0;
        for (ptrdiff_t c = 0; c < k; ++c) total += sums[c * columns] + kNoZero;
        std::fill(covariances.begin(), covariances.end(), 0.0);
        for (ptrdiff_t c = 0; c < k; ++c) {
            const double *first = sums + c * columns + 1, *moments = first + d, count = first[-1] + kNoZero;
            double* mean = means.data() + c * d;
            const double share = shared() ? count / total : 1;
            double* out = covariances.data();
            if (family == Family::spherical) out += c;
            else if (!shared()) out += c * d * (diagonal() ? 1 : d);
            for (ptrdiff_t i = 0; i < d; ++i) {
                const double offset = first[i] / count;
                if (diagonal()) {
                    const double variance = (moments[i] - count * (offset * offset)) / count + added[i];
                    if (family == Family::diag) out[i] = variance;
                    else *out += variance / double(d);
                    continue;
                }
                for (ptrdiff_t j = 0; j <= i; ++j) {
                    const double m = (*moments++ - count * (offset * (first[j] / count))) / count;
                    out[i * d + j] += share * m;
                }
            }
            for (ptrdiff_t i = 0; i < d; ++i) mean[i] = double(T(mean[i])) + first[i] / count;
            weights[size_t(c)] = count / total;
        }
        if (diagonal()) return;
        for (ptrdiff_t c = 0; c < (shared() ? 1 : k); ++c) {
            double* out = covariances.data() + c * d * d;
            for (ptrdiff_t i = 0; i < d; ++i) {
                out[i * d + i] += added[i];
                for (ptrdiff_t j = 0; j < i; ++j) out[j * d + i] = out[i * d + j];
            }
        }
    }
};

using Limits = std::tuple<double, double, double>;
using Start = std::tuple<Row, Table, Parameters, nb::str>;

size_t size_of_covariances(const Climber& now) {
    return size_t(now.shared() ? now.d * now.d : now.family == Family::spherical ? now.k
                  : now.diagonal() ? now.k * now.d : now.k * now.d * now.d);
}

// The weights of samples; null for None. A converted copy would be gone before anybody reads it.
template <class T>
const T* weights_of(const Planes<T>& planes, const nb::object& weights) {
    if (weights.is_none()) return nullptr;
    nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> mass;
    require(nb::try_cast(weights, mass, false) && mass.shape(0) == planes.shape(1),
            "there is not one weight for each sample, contiguous and of the type of the planes");
    return mass.data();
}

// The samples of a run, when all that goes with them is of the right size.
template <class T>
MixtureJob<T> checked(const Planes<T>& planes, const nb::object& weights, const Climber& now, const Row& added,
                      const nb::object& noise) {
    require(now.k > 0 && now.d > 0 && planes.shape(0) == size_t(now.d) && added.shape(0) == size_t(now.d),
            "planes, weights, means and variances differ in their numbers of components or features");
    require(noise.is_none() || nb::cast<Row>(noise).shape(0) == size_t(now.d),
            "there is not one variance of noise for each feature");
    MixtureJob<T> job = job_of<T>(planes, int(now.k), now.diagonal());
    job.weights = weights_of(planes, weights);
    return job;
}

// A mixture as it is given, its covariances of its family's shape.
Climber taken(const Start& start) {
    const auto& [shares, means, covariances, family] = start;
    const size_t k = means.shape(0), d = means.shape(1);
    Climber now{family_of(family.c_str()), ptrdiff_t(k), ptrdiff_t(d), {}, {}, {}, {}};
    require(shares.shape(0) == k && covariances.size() == size_of_covariances(now),
            "weights or covariances have not the shape of their family");
    now.weights.assign(shares.data(), shares.data() + k);
    now.means.assign(means.data(), means.data() + k * d);
    now.covariances.assign(covariances.data(), covariances.data() + covariances.size());
    return now;
}

// The covariances of a mixture as Python takes them.
nb::object shaped(const Climber& now) {
    const size_t k = size_t(now.k), d = size_t(now.d);
    if (now.family == Family::spherical) return nb::cast(given(now.covariances, {k}));
    if (now.diagonal()) return nb::cast(given(now.covariances, {k, d}));
    return nb::cast(now.shared() ? given(now.covariances, {d, d}) : given(now.covariances, {k, d, d}));
}

}  // namespace
