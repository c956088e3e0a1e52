// Runs of EM: loops that are called so often on so little that Python would take longer for
// its part of an iteration than the kernels for theirs.
#include "climber.h"

namespace {

template <class T>
nb::tuple climb(const Planes<T>& planes, nb::object weights, const Start& start, const Row& added, nb::object noise,
                const Limits& limits, int iterations, int rescues, int threads) {
    Run run{taken(start), {}};
    const MixtureJob<T> job = checked<T>(planes, weights, run.now, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    {
        nb::gil_scoped_release unlocked;
        iterate(run, job, added.data(), uncertain, limits, iterations, rescues, threads);
    }
    return told(run);
}

// Runs from several starts, side by side: parameters have one more axis in front.
using Starts = std::tuple<Table, nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>, Parameters, nb::str>;

template <class T>
nb::tuple climb_each(const Planes<T>& planes, nb::object weights, const Starts& starts, const Row& added,
                     nb::object noise, const Limits& limits, int iterations, int threads) {
    const auto& [shares, means, covariances, family] = starts;
    const size_t count = means.shape(0), k = means.shape(1), d = means.shape(2);
    const Climber first{family_of(family.c_str()), ptrdiff_t(k), ptrdiff_t(d), {}, {}, {}, {}};
    const MixtureJob<T> job = checked<T>(planes, weights, first, added, noise);
    const size_t size = size_of_covariances(first);
    require(shares.shape(0) == count && shares.shape(1) == k && covariances.size() == count * size,
            "weights or covariances have not the shape of their family");
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    std::vector<Run> runs(count, Run{first, {}});
    Numbers found[3], reached(count, -std::numeric_limits<double>::infinity());
    {
        nb::gil_scoped_release unlocked;
        const int each = std::max(1, threads / int(std::max<size_t>(1, count)));
        parallel(ptrdiff_t(count), threads, [&](ptrdiff_t i) {
            Climber& now = runs[size_t(i)].now;
            now.weights.assign(shares.data() + size_t(i) * k, shares.data() + size_t(i + 1) * k);
            now.means.assign(means.data() + size_t(i) * k * d, means.data() + size_t(i + 1) * k * d);
            now.covariances.assign(covariances.data() + size_t(i) * size, covariances.data() + size_t(i + 1) * size);
            if (iterate(runs[size_t(i)], job, added.data(), uncertain, limits, iterations, 0, each) && iterations > 0)
                reached[size_t(i)] = runs[size_t(i)].history.back();
        });
        for (const Run& run : runs) {
            found[0].insert(found[0].end(), run.now.weights.begin(), run.now.weights.end());
            found[1].insert(found[1].end(), run.now.means.begin(), run.now.means.end());
            found[2].insert(found[2].end(), run.now.covariances.begin(), run.now.covariances.end());
        }
    }
    return nb::make_tuple(given(found[0], {count, k}), given(found[1], {count, k, d}),
                          given(found[2], {count, count ? size : 0}), given(reached, {count}));
}

}  // namespace

void bind_climbing(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("climb", &climb<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
        m.def("climb_each", &climb_each<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg().none(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
