// Runs of EM: loops that are called so often on so little that Python would take longer for
// its part of an iteration than the kernels for theirs.
#include "running.h"

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
    Several all{first, count, Numbers(shares.data(), shares.data() + count * k),
                Numbers(means.data(), means.data() + count * k * d),
                Numbers(covariances.data(), covariances.data() + count * size)};
    Numbers reached;
    {
        nb::gil_scoped_release unlocked;
        reached = climb_all(all, job, added.data(), uncertain, limits, iterations, threads, false);
    }
    return nb::make_tuple(given(all.weights, {count, k}), given(all.means, {count, k, d}),
                          given(all.covariances, {count, count ? size : 0}), given(reached, {count}));
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
