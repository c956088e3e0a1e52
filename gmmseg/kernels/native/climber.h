// A mixture that EM works on, and runs of EM. Included by climbing.cpp, dividing.cpp, factoring.cpp,
// tying.cpp and parting.h.
#pragma once
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <limits>
#include <string_view>

#include "arranged.h"

namespace {

template <class T>
using Planes = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

constexpr double kLogTwoPi = 1.837877066409345483560659;
constexpr double kMostPrecise = 1e15;  // as of gmmseg.mixture.em
constexpr double kFlat = 1e-14;  // part of a variance, a feature, that is rounding: as of gmmseg.mixture.em
constexpr int kTurns = 20;  // in which a longest axis is found, well enough to be cut across
constexpr double kSurely = 1 + 1e-9;  // times what rounding may be short of
constexpr double kNone = 10 * std::numeric_limits<double>::epsilon();  // added to counts, so that none is 0

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

    // Sum of the variances of a component, which no axis is longer than.
    double trace(ptrdiff_t c) const {
        double sum = 0;
        for (ptrdiff_t i = 0; i < d; ++i)
            sum += covariances[size_t(family == Family::spherical ? c : diagonal() ? c * d + i : (c * d + i) * d + i)];
        return sum;
    }

    // Puts each bad component on one half of the good one with the most spread samples, as gmmseg.mixture.em does.
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

    // The M step, from sums about the origins: see gmmseg.mixture.statistics.m_step.
    template <class T>
    void step(const double* sums, const double* added) {
        const ptrdiff_t second = diagonal() ? d : d * (d + 1) / 2, columns = 1 + d + second;
        double total = 0;
        for (ptrdiff_t c = 0; c < k; ++c) total += sums[c * columns] + kNone;
        std::fill(covariances.begin(), covariances.end(), 0.0);
        for (ptrdiff_t c = 0; c < k; ++c) {
            const double *first = sums + c * columns + 1, *moments = first + d, count = first[-1] + kNone;
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

// What EM starts from, and what it comes to: parameters, and the objective before each M step.
struct Run {
    Climber now;
    Numbers history;
    bool settled = false, anew = false;
    int done = 0, rescued = 0;
    double fall = 0;
};

// Work of an iteration, in multiplications, from which on whoever presses Ctrl-C would wait for the end of a run.
constexpr double kLong = 1 << 26;

// Ends a run where Ctrl-C was pressed: Python tells only whom asks.
inline void heed_signals() {
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals()) throw nb::python_error();
}

// Iterates from where a run is, see gmmseg.kernels.climb; `noise` (d) may be null. False where it ended early because
// a component would have been too light, or degenerate, and not to be put elsewhere.
template <class T>
bool iterate(Run& run, MixtureJob<T> job, const double* added, const double* noise, const Limits& limits,
             int iterations, int rescues, int threads) {
    const auto [tolerance, precision, least] = limits;
    Climber& now = run.now;
    Numbers& history = run.history;
    const size_t k = size_t(now.k), d = size_t(now.d), n = size_t(job.n_samples);
    double weight = double(n);
    if (job.weights) {
        weight = 0;
        for (size_t i = 0; i < n; ++i) weight += double(job.weights[i]);
    }
    Numbers slack(added, added + d), constants(k), sums(size_t(job.sums()));
    for (size_t i = 0; noise && i < d; ++i) slack[i] -= noise[i];
    std::vector<T> values(size_t(job.n_components * job.params_per_component()));
    job.params = values.data();
    const ptrdiff_t columns = job.params_per_component();
    std::vector<char> bad(k, 0);
    if (!now.factorise(bad)) return false;
    Climber next = now;
    Crew crew(threads);
    Lasting<T> lasting(job, iterations);
    Arranged arranged(job, iterations);
    const bool is_long = double(n) * double(now.k) * double(now.d) * double(now.d) > kLong;
    while (!run.settled && run.done < iterations) {
        now.constants(noise, constants.data());
        pack_parameters(job, constants.data(), now.means.data(), now.factors.data(), values.data());
        std::fill(sums.begin(), sums.end(), 0.0);
        const Place place{now.k,  now.d, now.shared(), now.weights.data(), constants.data(), now.means.data(),
                          now.covariances.data(), now.factors.data()};
        double reached;
        if constexpr (sizeof(T) == 4) reached = arranged.able ? arranged.statistics(job, place, crew, sums.data())
                                                              : lasting.statistics(job, place, crew, sums.data());
        else reached = lasting.statistics(job, place, crew, sums.data());
        next.means = now.means;
        next.template step<T>(sums.data(), added);
        for (size_t c = 0; c < k; ++c) bad[c] = sums[c * size_t(columns)] < 0.999 * least;
        const bool whole = next.factorise(bad);
        if (!whole) {
            const bool some = std::any_of(bad.begin(), bad.end(), [](char x) { return !x; });
            if (!some || now.shared() || run.rescued >= rescues) return false;
            next.rescue(bad);
            std::fill(bad.begin(), bad.end(), char(0));
            if (!next.factorise(bad)) return false;
        }
        if (run.anew) history.clear();
        run.anew = !whole;
        run.rescued += run.anew;
        ++run.done;
        const double value = reached / std::max(weight, std::numeric_limits<double>::min());
        const double gain = history.empty() ? std::numeric_limits<double>::infinity() : value - history.back();
        history.push_back(value);
        double explained = 0;
        if (gain < 0) {
            explained = precision * std::max(1.0, std::abs(value));
            for (size_t c = 0; c < k; ++c) explained += now.weights[c] * now.blur(ptrdiff_t(c), slack.data());
            if (-gain > explained) run.fall = std::max(run.fall, -gain);
        }
        std::swap(now, next);
        run.settled = whole && std::abs(gain) < tolerance && (gain >= 0 || -gain <= explained);
        if (is_long) heed_signals();
    }
    return true;
}

size_t size_of_covariances(const Climber& now) {
    return size_t(now.shared() ? now.d * now.d : now.family == Family::spherical ? now.k
                  : now.diagonal() ? now.k * now.d : now.k * now.d * now.d);
}

// Mixtures of as many components each, their parameters one after the other.
struct Several {
    Climber first;  // of which the family and the numbers of components and features are those of all
    size_t count;
    Numbers weights, means, covariances;

    size_t k() const { return size_t(first.k); }
    size_t d() const { return size_t(first.d); }
    size_t size() const { return size_of_covariances(first); }

    Climber mixture(size_t row) const {
        const auto part = [row](const Numbers& from, size_t each) {
            return Numbers(from.begin() + ptrdiff_t(row * each), from.begin() + ptrdiff_t((row + 1) * each));
        };
        return {first.family, first.k, first.d, part(weights, k()), part(means, k() * d()), part(covariances, size()), {}};
    }

    // Only those of some rows, in their order.
    Several select(const std::vector<size_t>& rows) const {
        Several some{first, 0, {}, {}, {}};
        for (const size_t row : rows) some.append(mixture(row));
        return some;
    }

    void append(const Climber& now) {
        weights.insert(weights.end(), now.weights.begin(), now.weights.end());
        means.insert(means.end(), now.means.begin(), now.means.end());
        covariances.insert(covariances.end(), now.covariances.begin(), now.covariances.end());
        ++count;
    }
};

// Puts what runs from each of several mixtures come to in their place, and returns the objective of each; -inf where a
// run ended early.
template <class T>
Numbers climb_all(Several& all, MixtureJob<T> job, const double* added, const double* noise, const Limits& limits,
                  int iterations, int threads) {
    std::vector<Run> runs(all.count);
    Numbers reached(all.count, -std::numeric_limits<double>::infinity());
    const int each = std::max(1, threads / int(std::max<size_t>(1, all.count)));
    job.n_components = int(all.k());
    parallel(ptrdiff_t(all.count), threads, [&](ptrdiff_t i) {
        Run& run = runs[size_t(i)];
        run.now = all.mixture(size_t(i));
        if (iterate(run, job, added, noise, limits, iterations, 0, each) && iterations > 0)
            reached[size_t(i)] = run.history.back();
    });
    Several found{all.first, 0, {}, {}, {}};
    for (const Run& run : runs) found.append(run.now);
    all = std::move(found);
    return reached;
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

// What a run has come to, as Python takes it: weights, means, covariances, factors, history, and how it went.
nb::tuple told(const Run& run) {
    const Climber& now = run.now;
    const size_t k = size_t(now.k), d = size_t(now.d);
    nb::list course;
    for (const double value : run.history) course.append(value);
    const nb::object roots =
        now.diagonal() ? nb::cast(given(now.factors, {k, d})) : nb::cast(given(now.factors, {k, d, d}));
    return nb::make_tuple(given(now.weights, {k}), given(now.means, {k, d}), shaped(now), roots, course, run.settled,
                          run.fall, run.done, run.rescued, run.anew);
}

}  // namespace
