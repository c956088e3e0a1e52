// A whole trial in one call: components are split, climbed, merged and climbed again.
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

using Steps = std::tuple<int, int, int>;
using Bounds = std::tuple<double, double, double>;

template <class T>
nb::object attempt(const Planes<T>& planes, nb::object weights, const Start& start, int halvings, const Row& added,
                   nb::object noise, const Limits& limits, const Steps& steps, const Bounds& bounds, bool strict,
                   int threads) {
    const auto [first, then, further] = steps;
    const auto [light, least, enough] = bounds;
    const Climber whole = taken(start);
    const MixtureJob<T> samples = checked<T>(planes, weights, whole, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    Run run;
    bool decided = true, kept = true, again = false;
    {
        nb::gil_scoped_release unlocked;
        const auto climbs = [&](Climber&& from, int iterations) {
            const int k = int(from.k);
            run = Run{std::move(from), {}};
            MixtureJob<T> job = samples;
            job.n_components = k;
            return iterate(run, job, added.data(), uncertain, limits, iterations, k, threads);
        };
        Climber parts = whole;
        for (int turn = 0; turn < std::max(halvings, 1); ++turn) {
            const Moments now = moments_of(parts);
            parts = mixture_of(halvings ? halved(now, !whole.diagonal(), kApart) : halved_in_scale(now), whole.family);
        }
        decided = climbs(std::move(parts), first);
        if (decided) {
            Merger merger(moments_of(run.now), !whole.diagonal(), whole.family == Family::spherical);
            const std::vector<ptrdiff_t> into = merger.down_to(size_t(whole.k));
            Climber merged = mixture_of(std::move(merger.all), whole.family);
            again = strict && same_as_before(into, whole.k);
            kept = *std::min_element(merged.weights.begin(), merged.weights.end()) >= light;
            decided = !kept || climbs(std::move(merged), then);
            if (kept && decided && !again && run.history.back() > enough) decided = climbs(std::move(run.now), further);
            if (kept && decided) kept = *std::min_element(run.now.weights.begin(), run.now.weights.end()) >= least;
        }
    }
    if (!decided) return nb::bool_(false);
    if (!kept) return nb::none();
    return nb::make_tuple(told(run), again);
}

}  // namespace

void bind_trying(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("attempt", &attempt<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
