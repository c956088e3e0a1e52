// A whole trial in one call: components are split, climbed, merged and climbed again.
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

}  // namespace

void bind_trying(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("attempt", &attempt<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
