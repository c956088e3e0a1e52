// The calmest pixel near each of some: see gmmseg.kernels.calmest.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "calling.h"

namespace {

template <class T>
using Pixels = nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Known = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Units = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The pixel itself, and those at its corners.
constexpr int number = 5, near_y[] = {0, -1, -1, 1, 1}, near_x[] = {0, -1, 1, -1, 1};

template <class T>
struct Picture {
    using Sum = std::conditional_t<sizeof(T) <= 2, float, double>;
    const T* const pixels;
    const bool* const valid;
    const ptrdiff_t rows, columns, channels;
    const Sum* const units;

    Sum change(ptrdiff_t y, ptrdiff_t x) const {
        constexpr Sum never = std::numeric_limits<Sum>::infinity();
        if (y < 1 || x < 1 || y + 1 >= rows || x + 1 >= columns) return never;
        const ptrdiff_t i = y * columns + x;
        if (valid && !(valid[i] && valid[i - 1] && valid[i + 1] && valid[i - columns] && valid[i + columns]))
            return never;
        const T* const at = pixels + i * channels;
        Sum total = 0;
        for (ptrdiff_t c = 0; c < channels; ++c) {
            const Sum across = (Sum(at[c + channels]) - Sum(at[c - channels])) * units[c];
            const Sum down = (Sum(at[c + columns * channels]) - Sum(at[c - columns * channels])) * units[c];
            total += std::abs(across) + std::abs(down);
        }
        return total;
    }

    std::int64_t calmest(std::int64_t flat) const {
        if (valid && !valid[flat]) return flat;
        const ptrdiff_t y = flat / columns, x = flat % columns;
        std::int64_t found = flat;
        Sum least = std::numeric_limits<Sum>::infinity();
        for (int i = 0; i < number; ++i) {
            const Sum own = change(y + near_y[i], x + near_x[i]);
            if (own < least) {
                least = own;
                found = flat + near_y[i] * columns + near_x[i];
            }
        }
        return found;
    }

    void each(const std::int64_t* flat, ptrdiff_t n, std::int64_t* found) const {
        for (ptrdiff_t i = 0; i < n; ++i) found[i] = calmest(flat[i]);
    }
};

// Colours of 8 bits, the usual case: whole rows at once, for a sixth of the time.
struct Colors : Picture<std::uint8_t> {
    using Bytes = std::uint8_t __attribute__((vector_size(16)));
    using Words = std::int16_t __attribute__((vector_size(16)));
    static constexpr int ahead = 16, reach = 6;

    static Bytes at(const std::uint8_t* from) {
        Bytes found;
        std::memcpy(&found, from, sizeof found);
        return found;
    }
    static Bytes apart(Bytes a, Bytes b) { return (a > b ? a : b) - (a > b ? b : a); }

    // Changes of the three pixels in the middle of a row in its lanes 0, 3 and 6; `from` is two pixels before.
    Words changes(const std::uint8_t* from) const {
        constexpr Bytes zero = {};
        Words total = {};
        for (int c = 0; c < 3; ++c, ++from) {
            const Bytes across = apart(at(from + 6), at(from));
            const Bytes down = apart(at(from + 3 * columns + 3), at(from - 3 * columns + 3));
            for (const Bytes each : {across, down})
                total += Words(__builtin_shufflevector(each, zero, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
        }
        return total;
    }

    std::int64_t calmest_inside(std::int64_t flat) const {
        const std::uint8_t* const from = pixels + 3 * (flat - 2);
        constexpr Words above = {1, 0, 0, 0, 0, 0, 2, 0}, below = {3, 0, 0, 0, 0, 0, 4, 0};
        const Words one = changes(from - 3 * columns) * 16 + above, two = changes(from + 3 * columns) * 16 + below;
        const Words least = one < two ? one : two;
        const int own = changes(from)[3] * 16, place = std::min(own, int(std::min(least[0], least[6]))) & 15;
        return flat + near_y[place] * columns + near_x[place];
    }

    void each(const std::int64_t* flat, ptrdiff_t n, std::int64_t* found) const {
        for (ptrdiff_t i = 0; i < n; ++i) {
#if defined(__GNUC__)
            // Rows of a large picture are each out of the caches: half of the time of 12 megapixels.
            if (i + ahead < n)
                for (int r = -2; r <= 2; ++r) {
                    const std::int64_t next = std::min(std::max(flat[i + ahead] + r * columns, std::int64_t(0)), std::int64_t(rows * columns - 1));
                    __builtin_prefetch(pixels + 3 * next);
                }
#endif
            const ptrdiff_t y = flat[i] / columns, x = flat[i] % columns;
            const bool inside = y >= 2 && x >= 2 && y + 2 < rows && x + reach <= columns;
            found[i] = inside && !valid ? calmest_inside(flat[i]) : calmest(flat[i]);
        }
    }
};

template <class T>
nb::ndarray<nb::numpy, std::int64_t> calmest(const Pixels<T>& pixels, const std::optional<Known>& valid,
                                             const Places& flat, const Units& scale) {
    const size_t n = flat.shape(0), channels = pixels.shape(2);
    const std::int64_t size = std::int64_t(pixels.shape(0) * pixels.shape(1));
    require(scale.shape(0) == channels, "there is not one unit for each channel");
    require(!valid || (valid->shape(0) == pixels.shape(0) && valid->shape(1) == pixels.shape(1)),
            "pixels and valid differ in their shapes");
    for (size_t i = 0; i < n; ++i) require(flat.data()[i] >= 0 && flat.data()[i] < size, "a place lies outside");
    using Sum = typename Picture<T>::Sum;
    std::vector<Sum> units(channels);
    bool alike = true;
    for (size_t c = 0; c < channels; ++c) {
        units[c] = Sum(1 / scale.data()[c]);
        alike = alike && units[c] == 1;
    }
    auto* const found = new std::int64_t[n];
    const nb::capsule owner(found, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    {
        const nb::gil_scoped_release unlocked;
        const Picture<T> picture{pixels.data(), valid ? valid->data() : nullptr, ptrdiff_t(pixels.shape(0)),
                                 ptrdiff_t(pixels.shape(1)), ptrdiff_t(channels), units.data()};
        if constexpr (std::is_same_v<T, std::uint8_t>) {
            if (channels == 3 && alike)
                Colors{picture}.each(flat.data(), ptrdiff_t(n), found);
            else
                picture.each(flat.data(), ptrdiff_t(n), found);
        } else {
            picture.each(flat.data(), ptrdiff_t(n), found);
        }
    }
    return nb::ndarray<nb::numpy, std::int64_t>(found, {n}, owner);
}

template <class T>
void bind(nb::module_& m) {
    m.def("calmest", &calmest<T>, nb::arg().noconvert(), nb::arg().noconvert().none(), nb::arg().noconvert(),
          nb::arg().noconvert());
}

}  // namespace

void bind_calming(nb::module_& m) {
    bind<std::uint8_t>(m);
    bind<std::uint16_t>(m);
    bind<float>(m);
    bind<double>(m);
}
