// Whole trials in one call: components are split, climbed, merged and climbed again.
#include "trial.h"

namespace {

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
    };
    bind(0.0f);
    bind(0.0);
}
