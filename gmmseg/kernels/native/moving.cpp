// Components that are merged pair by pair, and split in halves, as Python asks for them.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include "mover.h"

namespace {

using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;

Moments taken(const Row& weights, const Table& means, const Parameters& second) {
    const size_t k = means.shape(0), d = means.shape(1);
    require(k > 0 && d > 0 && weights.shape(0) == k && (second.size() == k * d || second.size() == k * d * d),
            "weights, means and second moments differ in their numbers of components or features");
    return {ptrdiff_t(k),
            ptrdiff_t(d),
            ptrdiff_t(second.size() / k),
            Numbers(weights.data(), weights.data() + k),
            Numbers(means.data(), means.data() + k * d),
            Numbers(second.data(), second.data() + second.size())};
}

nb::object shaped(const Moments& of, bool square) {
    const size_t k = size_t(of.k), d = size_t(of.d);
    return nb::cast(square ? given(of.second, {k, d, d}) : given(of.second, {k, d}));
}

nb::tuple merge(const Row& weights, const Table& means, const Parameters& second, int left, bool spherical) {
    require(left > 0, "no component would be left");
    const bool square = second.ndim() == 3;
    Merger merger(taken(weights, means, second), square, spherical);
    std::vector<ptrdiff_t> into;
    {
        nb::gil_scoped_release unlocked;
        into = merger.down_to(size_t(left));
    }
    nb::list groups;
    for (const ptrdiff_t each : into) groups.append(each);
    const Moments& found = merger.all;
    const size_t k = size_t(found.k), d = size_t(found.d);
    return nb::make_tuple(given(found.weights, {k}), given(found.means, {k, d}), shaped(found, square), groups);
}

nb::tuple split(const Row& weights, const Table& means, const Parameters& second, double share) {
    const bool square = second.ndim() == 3;
    const Moments parts = halved(taken(weights, means, second), square, share);
    const size_t k = size_t(parts.k), d = size_t(parts.d);
    return nb::make_tuple(given(parts.weights, {k}), given(parts.means, {k, d}), shaped(parts, square));
}

}  // namespace

void bind_moving(nb::module_& m) {
    m.def("merge", &merge);
    m.def("split", &split);
}
