// Whole trials in one call: components are split, climbed, merged and climbed again.
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

template <class T>
nb::object attempt(const Planes<T>& planes, nb::object weights, const Start& start, int halvings, const Row& added,
                   nb::object noise, const Limits& limits, const Steps& steps, const Bounds& bounds, bool strict,
                   int threads) {
    const Climber whole = taken(start);
    const MixtureJob<T> samples = checked<T>(planes, weights, whole, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    Trial<T> trial{samples, added.data(), uncertain, limits, steps, threads};
    bool decided;
    {
        nb::gil_scoped_release unlocked;
        decided = trial(whole, halvings, bounds, strict);
    }
    if (!decided) return nb::bool_(false);
    if (!trial.kept) return nb::none();
    return nb::make_tuple(told(trial.run), trial.again);
}

// How many of the samples moves are tried on, after how many iterations, and how often components are halved then.
using Glance = std::tuple<int, int, int>;
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

template <class T>
nb::object settle(const Planes<T>& planes, const Start& start, const Row& added, nb::object noise, const Limits& limits,
                  int iterations, double tolerance, const Glance& glance, const Steps& steps, const Gains& gains,
                  int threads) {
    const auto [few, settled, halvings] = glance;
    Run run{taken(start), {}}, best;
    const MixtureJob<T> samples = checked<T>(planes, nb::none(), run.now, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    const Limits roughly{tolerance, std::get<1>(limits), std::get<2>(limits)};
    MixtureJob<T> some = samples;
    some.n_samples = std::min(some.n_samples, ptrdiff_t(few));
    bool decided;
    double gained = 0;
    {
        nb::gil_scoped_release unlocked;
        const int k = int(run.now.k);
        decided = iterate(run, samples, added.data(), uncertain, limits, iterations, k, threads) && !run.anew;
        Trial<T> trial{some, added.data(), uncertain, roughly, steps, threads};
        decided = decided && trial.climbs(Climber(run.now), settled) && !trial.run.anew;
        if (decided) {
            best = trial.run;
            const double before = best.history.back();
            decided = moved(trial, halvings, gains, best);
            gained = best.history.back() - before;
        }
    }
    if (!decided) return nb::none();
    return nb::make_tuple(told(run), gained);
}

// The least weight of a sample that is not 0; 1 where they have none.
template <class T>
double lightest(const MixtureJob<T>& samples) {
    if (!samples.weights) return 1;
    T least = std::numeric_limits<T>::infinity();
    for (ptrdiff_t i = 0; i < samples.n_samples; ++i)
        if (samples.weights[i] > 0) least = std::min(least, samples.weights[i]);
    return double(least);
}

// Mean log-likelihood of samples, expected over the noise.
template <class T>
double objective(Climber now, const MixtureJob<T>& samples, const double* added, const double* noise, int threads) {
    std::vector<char> bad(size_t(now.k), 0);
    now.factorise(bad);
    Climber next = now;
    return Passes<T>(now, samples, added, noise, 1, threads)(now, 0, next, bad);
}

// Iterations of all rivals and of the best one then; what that may be short of, in nats, when it goes on; the least
// weight of a component, and the least gain.
using Race = std::tuple<int, int, double, double, double>;

template <class T>
nb::object rival(const Planes<T>& planes, nb::object weights, const Planes<T>& some, nb::object shares, const Start& start,
                 const nb::list& rivals, const Row& added, nb::object noise, const Limits& limits, const Race& race,
                 int threads) {
    const auto [first, then, reach, least, needed] = race;
    const Climber now = taken(start);
    const MixtureJob<T> all = checked<T>(planes, weights, now, added, noise);
    const MixtureJob<T> few = checked<T>(some, shares, now, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    std::vector<Climber> begun;
    for (const nb::handle each : rivals) begun.push_back(taken(nb::cast<Start>(each)));
    Run best;
    bool decided = true;
    const auto is_likelier = [&] {
        const Limits own{std::get<0>(limits), std::get<1>(limits), lightest(few)};
        const auto climbs = [&](Run& run, int iterations) {
            run = Run{std::move(run.now), {}};
            return decided = iterate(run, few, added.data(), uncertain, own, iterations, int(now.k), threads);
        };
        const auto is_whole = [&](const Run& run) {
            return *std::min_element(run.now.weights.begin(), run.now.weights.end()) >= least;
        };
        Run as_it_is{now, {}};
        if (!climbs(as_it_is, 1)) return false;
        for (Climber& each : begun) {
            std::vector<char> bad(size_t(each.k), 0);
            if (each.k != now.k || !each.factorise(bad)) continue;
            Run run{std::move(each), {}};
            if (!climbs(run, first)) return false;
            if (is_whole(run) && (best.history.empty() || run.history.back() > best.history.back())) best = std::move(run);
        }
        if (best.history.empty() || best.history.back() < as_it_is.history.back() - reach) return false;
        if (!climbs(as_it_is, first + then - 1) || !climbs(best, then) || !is_whole(best)) return false;
        const auto of = [&](const Climber& each) { return objective(each, all, added.data(), uncertain, threads); };
        return of(best.now) > std::max(of(as_it_is.now), of(now)) + needed;
    };
    bool likelier;
    {
        nb::gil_scoped_release unlocked;
        likelier = is_likelier();
    }
    if (!decided) return nb::none();
    return likelier ? nb::object(told(best)) : nb::object(nb::bool_(false));
}

}  // namespace

void bind_trying(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("attempt", &attempt<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
        m.def("rival", &rival<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert(), nb::arg(),
              nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg());
        m.def("settle", &settle<decltype(zero)>, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(),
              nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
