// Rows of PNG files: what is stored is what each byte differs by from its neighbours (ISO/IEC 15948:2004, 9).
#include <nanobind/ndarray.h>

#include "calling.h"

namespace {

using Stored = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Sums one row; `depth` bytes to the left of it and of the row above are there, and 0.
template <class Guess>
void sum(const std::uint8_t* stored, ptrdiff_t n, std::uint8_t* now, const Guess& guess) {
    for (ptrdiff_t i = 0; i < n; ++i) now[i] = std::uint8_t(stored[i] + guess(i));
}

template <int Depth>
void sum_row(int filter, const std::uint8_t* stored, ptrdiff_t n, const std::uint8_t* above, std::uint8_t* now) {
    if (filter == 0) std::memcpy(now, stored, size_t(n));
    else if (filter == 1) sum(stored, n, now, [&](ptrdiff_t i) { return int(now[i - Depth]); });
    else if (filter == 2) sum(stored, n, now, [&](ptrdiff_t i) { return int(above[i]); });
    else if (filter == 3) sum(stored, n, now, [&](ptrdiff_t i) { return (now[i - Depth] + above[i]) / 2; });
    else
        sum(stored, n, now, [&](ptrdiff_t i) {
            const int left = now[i - Depth], up = above[i], corner = above[i - Depth];
            const int by_left = std::abs(up - corner), by_up = std::abs(left - corner);
            const int by_corner = std::abs(left + up - 2 * corner);
            return by_left <= by_up && by_left <= by_corner ? left : by_up <= by_corner ? up : corner;
        });
}

template <int Depth>
bool sum_rows(const Stored& stored, Bytes& out) {
    const ptrdiff_t rows = ptrdiff_t(out.shape(0)), n = ptrdiff_t(out.shape(1));
    std::vector<std::uint8_t> above(size_t(Depth + n)), now(size_t(Depth + n));
    for (ptrdiff_t row = 0; row < rows; ++row) {
        const std::uint8_t* from = stored.data() + row * (n + 1);
        if (from[0] > 4) return false;
        sum_row<Depth>(from[0], from + 1, n, above.data() + Depth, now.data() + Depth);
        std::memcpy(out.data() + row * n, now.data() + Depth, size_t(n));
        above.swap(now);
    }
    return true;
}

bool unfilter(const Stored& stored, int depth, Bytes out) {
    require(stored.shape(0) == out.shape(0) && stored.shape(1) == out.shape(1) + 1,
            "there is not one filter and one byte for each byte of a row");
    const nb::gil_scoped_release unlocked;
    switch (depth) {
        case 1: return sum_rows<1>(stored, out);
        case 2: return sum_rows<2>(stored, out);
        case 3: return sum_rows<3>(stored, out);
        case 4: return sum_rows<4>(stored, out);
        case 6: return sum_rows<6>(stored, out);
        case 8: return sum_rows<8>(stored, out);
        default: throw nb::value_error("pixels of PNG files have 1, 2, 3, 4, 6 or 8 bytes");
    }
}

}  // namespace

void bind_unfiltering(nb::module_& m) {
    m.def("unfilter", &unfilter, nb::arg().noconvert(), nb::arg(), nb::arg().noconvert());
}
