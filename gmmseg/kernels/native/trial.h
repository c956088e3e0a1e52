// Trials of other mixtures. Included by dividing.cpp and trying.cpp.
#pragma once
#include "parting.h"
#include "running.h"

namespace {

constexpr double kApart = 0.8;  // as of gmmseg.mixture.moves

// Whether the parts of k components, in as many runs of all k, were merged to the wholes again.
bool same_as_before(const std::vector<ptrdiff_t>& into, ptrdiff_t k) {
    std::vector<char> seen(size_t(k), 0);
    for (size_t i = 0; i < into.size(); ++i) {
        if (into[i] != into[i % size_t(k)]) return false;
        if (i < size_t(k) && seen[size_t(into[i])]++) return false;
    }
    return true;
}

// Iterations of parts, of what they merge to, and of what has come far enough by then.
using Steps = std::tuple<int, int, int>;
// Least weight of what parts merge to, and of a component in the end; the objective that is far enough.
using Bounds = std::tuple<double, double, double>;

// Trials of other mixtures on the samples of a job.
template <class T>
struct Trial {
    const MixtureJob<T>& samples;
    const double *added, *noise;
    const Limits& limits;
    const Steps& steps;
    int threads;
    Run run{};
    bool kept = true, again = false;  // whether no component became too light, and the parts merged to the same wholes

    bool climbs(Climber&& from, int iterations) {
        const int k = int(from.k);
        run = Run{std::move(from), {}};
        MixtureJob<T> job = samples;
        job.n_components = k;
        return iterate(run, job, added, noise, limits, iterations, k, threads);
    }

    // Splits all components so often in halves, once in scale where that is 0, and merges them again; false where EM
    // does not get by alone.
    bool operator()(const Climber& whole, int halvings, const Bounds& bounds, bool strict) {
        const auto [first, then, further] = steps;
        const auto [light, least, enough] = bounds;
        Climber parts = whole;
        for (int turn = 0; turn < std::max(halvings, 1); ++turn) {
            const Moments now = moments_of(parts);
            parts = mixture_of(halvings ? halved(now, !whole.diagonal(), kApart) : halved_in_scale(now), whole.family);
        }
        if (!climbs(std::move(parts), first)) return false;
        Merger merger(moments_of(run.now), !whole.diagonal(), whole.family == Family::spherical);
        const std::vector<ptrdiff_t> into = merger.down_to(size_t(whole.k));
        Climber merged = mixture_of(std::move(merger.all), whole.family);
        again = strict && same_as_before(into, whole.k);
        kept = *std::min_element(merged.weights.begin(), merged.weights.end()) >= light;
        if (!kept) return true;
        if (!climbs(std::move(merged), then)) return false;
        if (!again && run.history.back() > enough && !climbs(std::move(run.now), further)) return false;
        kept = *std::min_element(run.now.weights.begin(), run.now.weights.end()) >= least;
        return true;
    }
};

// Iterations; how many of the samples moves are tried on then, after how many more, how often components are halved, and
// what iterations gain at least.
using Glance = std::tuple<int, int, int, int, double>;
// The least gain of a move, that after which it is tried again, and what it may be short of after its first steps.
using Gains = std::tuple<double, double, double>;

// Goes on with moves as gmmseg.mixture.moves.split_and_merge does without patience; false where EM does not get by
// alone.
template <class T>
bool moved(Trial<T>& trial, int halvings, const Gains& gains, Run& best) {
    const auto [worthwhile, promising, reach] = gains;
    const ptrdiff_t k = best.now.k;
    const double needed = best.now.shared() ? 3.0 : 3.0 * double(best.now.d + 1);
    const double lightest = *std::min_element(best.now.weights.begin(), best.now.weights.end());
    const double least = std::min(needed / double(trial.samples.n_samples), lightest);
    for (int turn = 0, failures = 0; turn < 4 + 2 * k && failures < 2; ++turn) {
        const Bounds bounds{0.0, least, best.history.back() - reach};
        if (!trial(best.now, failures ? 0 : halvings, bounds, false)) return false;
        ++failures;
        if (!trial.kept || !(trial.run.history.back() > best.history.back() + worthwhile)) continue;
        if (!(trial.run.history.back() < best.history.back() + promising)) failures = 0;
        best = trial.run;
    }
    return true;
}

// Lets EM iterate so often from where a run is, tells what moves then gain among the first samples, in nats a sample of
// these; false where EM does not get by alone.
template <class T>
bool settle(Run& run, const MixtureJob<T>& samples, const double* added, const double* noise, const Limits& limits,
            const Glance& glance, const Steps& steps, const Gains& gains, int threads, double& gained) {
    const auto [iterations, few, settled, halvings, tolerance] = glance;
    const Limits roughly{tolerance, std::get<1>(limits), std::get<2>(limits)};
    MixtureJob<T> some = samples;
    some.n_samples = std::min(some.n_samples, ptrdiff_t(few));
    Trial<T> trial{some, added, noise, roughly, steps, threads};
    if (!iterate(run, samples, added, noise, limits, iterations, int(run.now.k), threads) || run.anew) return false;
    if (!trial.climbs(Climber(run.now), settled) || trial.run.anew) return false;
    Run best = trial.run;
    const double before = best.history.back();
    if (!moved(trial, halvings, gains, best)) return false;
    gained = best.history.back() - before;
    return true;
}

}  // namespace
