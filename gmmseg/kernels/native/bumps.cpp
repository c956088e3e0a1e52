// How much more mass two intervals hold than one: NumPy's part of it takes twenty times as long.
#include <nanobind/ndarray.h>

#include "calling.h"

namespace {

using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr ptrdiff_t kBeside = 8;  // levels that are looked at together

double second_mass(const Row& places, const Row& levels) {
    const ptrdiff_t n = ptrdiff_t(places.shape(0)), m = ptrdiff_t(levels.shape(0));
    const double* const x = places.data();
    require(n > 1, "there is no interval");
    double found = 0;
    for (ptrdiff_t first = 0; first < m; first += kBeside) {
        double level[kBeside], lowest[kBeside], one[kBeside], spare[kBeside], two[kBeside];
        for (ptrdiff_t l = 0; l < kBeside; ++l) {
            level[l] = levels.data()[std::min(first + l, m - 1)];
            lowest[l] = one[l] = spare[l] = two[l] = 0;
        }
        for (ptrdiff_t i = 0; i < n; ++i) {
            const double mass = double(i) / double(n - 1), place = x[i] - x[0];
            for (ptrdiff_t l = 0; l < kBeside; ++l) {
                const double above = mass - level[l] * place;
                lowest[l] = above < lowest[l] ? above : lowest[l];
                one[l] = above - lowest[l] > one[l] ? above - lowest[l] : one[l];  // of the best interval up to here
                spare[l] = one[l] - above > spare[l] ? one[l] - above : spare[l];  // with one that begins here, or did
                two[l] = above + spare[l] > two[l] ? above + spare[l] : two[l];
            }
        }
        for (ptrdiff_t l = 0; l < kBeside; ++l) found = std::max(found, two[l] - one[l]);
    }
    return found;
}

}  // namespace

void bind_bumps(nb::module_& m) { m.def("second_mass", &second_mass, nb::arg().noconvert(), nb::arg().noconvert()); }
