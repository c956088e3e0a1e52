// Runs of EM. Included by climbing.cpp, dividing.cpp, trying.cpp and tying.cpp.
#pragma once
#include "arranged.h"
#include "climber.h"

namespace {

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

// Iterations of EM over the samples of a job.
template <class T>
class Passes {
public:
    // At most so many; `added` and `noise` (d), which may be null, are as of gmmseg.kernels.climb.
    Passes(const Climber& like, const MixtureJob<T>& given, const double* added, const double* noise, int most,
           int threads)
        : job(given),
          added(added),
          noise(noise),
          constants(size_t(like.k)),
          sums(size_t(given.sums())),
          values(size_t(given.n_components * given.params_per_component())),
          crew(threads),
          lasting(given, most),
          arranged(given, most),
          is_long(double(given.n_samples) * double(like.k) * double(like.d) * double(like.d) > kLong) {
        job.params = values.data();
        weight = double(job.n_samples);
        if (!job.weights) return;
        weight = 0;
        for (ptrdiff_t i = 0; i < job.n_samples; ++i) weight += double(job.weights[i]);
    }

    // Writes what one makes of a mixture, without factors, and which components `least` is more than the weight of;
    // returns the objective before it.
    double operator()(const Climber& now, double least, Climber& next, std::vector<char>& light) {
        if (is_long) heed_signals();
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
        const ptrdiff_t columns = job.params_per_component();
        for (ptrdiff_t c = 0; c < now.k; ++c) light[size_t(c)] = sums[size_t(c * columns)] < 0.999 * least;
        return reached / std::max(weight, std::numeric_limits<double>::min());
    }

private:
    MixtureJob<T> job;
    const double *const added, *const noise;
    Numbers constants, sums;
    std::vector<T> values;
    Crew crew;
    Lasting<T> lasting;
    Arranged arranged;
    const bool is_long;
    double weight;
};

inline bool none_of(const std::vector<char>& marked) {
    return std::none_of(marked.begin(), marked.end(), [](char x) { return x; });
}

// Iterates from where a run is, see gmmseg.kernels.climb; `noise` (d) may be null. False where it ended early because
// a component would have been too light, or degenerate, and not to be put elsewhere.
template <class T>
bool iterate(Run& run, const MixtureJob<T>& job, const double* added, const double* noise, const Limits& limits,
             int iterations, int rescues, int threads) {
    const auto [tolerance, precision, least] = limits;
    Climber& now = run.now;
    Numbers& history = run.history;
    const size_t k = size_t(now.k), d = size_t(now.d);
    Numbers slack(added, added + d);
    for (size_t i = 0; noise && i < d; ++i) slack[i] -= noise[i];
    std::vector<char> bad(k, 0);
    if (!now.factorise(bad)) return false;
    Climber next = now;
    Passes<T> pass(now, job, added, noise, iterations, threads);
    while (!run.settled && run.done < iterations) {
        const double value = pass(now, least, next, bad);
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
        const double gain = history.empty() ? std::numeric_limits<double>::infinity() : value - history.back();
        history.push_back(value);
        double explained = 0;
        if (gain < 0) {
            explained = precision * (std::max(1.0, std::abs(value)) + now.terms(noise));
            for (size_t c = 0; c < k; ++c) explained += now.weights[c] * now.blur(ptrdiff_t(c), slack.data());
            if (-gain > explained) run.fall = std::max(run.fall, -gain);
        }
        std::swap(now, next);
        run.settled = whole && std::abs(gain) < tolerance && (gain >= 0 || -gain <= explained);
    }
    return true;
}

// Part of the way that EM has come since the iteration before by which a mixture goes on. Divisions of small pictures
// come in 4 iterations as far as EM in 6, in 7 as far as in 14; with parts of .6 and .8 in as many, with blocks of
// samples that each are followed by an M step (Neal and Hinton 1998) in 4 and 8.
constexpr double kMomentum = 0.7;

// As `iterate`, with momentum: see gmmseg.kernels.reference.climbing.
template <class T>
bool hasten(Run& run, const MixtureJob<T>& job, const double* added, const double* noise, const Limits& limits,
            int iterations, int threads) {
    const auto [tolerance, precision, least] = limits;
    const size_t k = size_t(run.now.k);
    std::vector<char> bad(k, 0);
    if (!run.now.factorise(bad)) return false;
    Climber at = run.now, next = at;
    Passes<T> pass(at, job, added, noise, iterations, threads);
    for (bool beyond = false; !run.settled && run.done < iterations; ++run.done) {
        const double value = pass(at, least, next, bad);
        const double gain = run.history.empty() ? std::numeric_limits<double>::infinity() : value - run.history.back();
        if (!beyond || (gain >= 0 && none_of(bad))) {
            if (!none_of(bad)) return false;
            run.history.push_back(value);
            run.settled = std::abs(gain) < tolerance;
            at = next;
            at.leave_behind(run.now, kMomentum);
            std::swap(run.now, next);
            for (size_t c = 0; c < k; ++c) bad[c] = !(at.weights[c] > 0);
            beyond = at.factorise(bad);
        } else {
            beyond = false;
        }
        if (beyond && !run.settled && run.done + 1 < iterations) continue;
        std::fill(bad.begin(), bad.end(), char(0));
        if (!run.now.factorise(bad)) return false;
        at = run.now;
    }
    return true;
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
                  int iterations, int threads, bool momentum) {
    std::vector<Run> runs(all.count);
    Numbers reached(all.count, -std::numeric_limits<double>::infinity());
    const int each = std::max(1, threads / int(std::max<size_t>(1, all.count)));
    job.n_components = int(all.k());
    parallel(ptrdiff_t(all.count), threads, [&](ptrdiff_t i) {
        Run& run = runs[size_t(i)];
        run.now = all.mixture(size_t(i));
        const bool good = momentum ? hasten(run, job, added, noise, limits, iterations, each)
                                   : iterate(run, job, added, noise, limits, iterations, 0, each);
        if (good && iterations > 0) reached[size_t(i)] = run.history.back();
    });
    Several found{all.first, 0, {}, {}, {}};
    for (const Run& run : runs) found.append(run.now);
    all = std::move(found);
    return reached;
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
