// How many pixels each label has, and what their colours come to.
#include <nanobind/ndarray.h>

#include <array>

#include "calling.h"

namespace {

using Labels = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Sums = nb::ndarray<double, nb::shape<3, -1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Colors = nb::ndarray<const T, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;

template <class T>
void add_colors(const Labels& labels, const Colors<T>& colors, Counts counts, Sums sums) {
    const size_t n = labels.shape(0), classes = counts.shape(0);
    require(colors.shape(0) == n, "there is not one colour for each label");
    require(sums.shape(1) == classes, "counts and sums are not of the same labels");
    const nb::gil_scoped_release unlocked;
    struct Total {
        std::int64_t count = 0;
        std::array<double, 3> sum{};
    };
    std::array<Total, 256> totals{};  // so that no label can lie outside
    const T* color = colors.data();
    for (size_t i = 0; i < n; ++i, color += 3) {
        Total& total = totals[labels.data()[i]];
        ++total.count;
        for (size_t c = 0; c < 3; ++c) total.sum[c] += double(color[c]);
    }
    for (size_t label = 0; label < std::min<size_t>(classes, 256); ++label) {
        counts.data()[label] += totals[label].count;
        for (size_t c = 0; c < 3; ++c) sums.data()[c * classes + label] += totals[label].sum[c];
    }
}

}  // namespace

void bind_coloring(nb::module_& m) {
    m.def("add_colors", &add_colors<std::uint8_t>, nb::arg().noconvert(), nb::arg().noconvert(),
          nb::arg().noconvert(), nb::arg().noconvert());
    m.def("add_colors", &add_colors<double>, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(),
          nb::arg().noconvert());
}
