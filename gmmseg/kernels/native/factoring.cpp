// Triangular factors of a few small matrices: NumPy's part of each takes longer than all of them.
#include <nanobind/ndarray.h>

#include "calling.h"

namespace {

using Matrices = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

nb::object shaped(const Numbers& values, const Matrices& like) {
    return nb::cast(given(values, {like.shape(0), like.shape(1), like.shape(2)}));
}

// Inverses of the lower factors of covariances; None where one is not positive definite.
nb::object precision_factors(const Matrices& covariances) {
    const size_t k = covariances.shape(0), d = covariances.shape(1);
    require(covariances.shape(2) == d, "the matrices are not square");
    Numbers lower(covariances.data(), covariances.data() + k * d * d), out(k * d * d);
    for (size_t c = 0; c < k; ++c) {
        if (!kernels().algebra.cholesky(lower.data() + c * d * d, ptrdiff_t(d))) return nb::none();
        kernels().algebra.invert_lower(lower.data() + c * d * d, ptrdiff_t(d), out.data() + c * d * d);
    }
    return shaped(out, covariances);
}

nb::object invert_lower(const Matrices& lower) {
    const size_t k = lower.shape(0), d = lower.shape(1);
    require(lower.shape(2) == d, "the matrices are not square");
    Numbers out(k * d * d);
    for (size_t c = 0; c < k; ++c)
        kernels().algebra.invert_lower(lower.data() + c * d * d, ptrdiff_t(d), out.data() + c * d * d);
    return shaped(out, lower);
}

using Row = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Samples (d, n) of components from white noise, each up to its end; lower triangles tell how it is spread.
template <class T>
nb::object spread(const Table<T>& white, const Row& ends, const Table<double>& means, const Matrices& lower) {
    const size_t k = means.shape(0), d = means.shape(1), n = white.shape(1);
    require(white.shape(0) == d && ends.shape(0) == k && lower.shape(0) == k && lower.shape(1) == d &&
                lower.shape(2) == d,
            "noise, ends, means and triangles differ in their numbers of components or features");
    T* const out = new T[d * n]();
    nb::capsule owner(out, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    for (size_t c = 0, first = 0; c < k; ++c) {
        const size_t end = size_t(std::clamp<std::int64_t>(ends.data()[c], std::int64_t(first), std::int64_t(n)));
        for (size_t r = 0; r < d; ++r) {
            T* __restrict const to = out + r * n;
            std::fill(to + first, to + end, T(means.data()[c * d + r]));
            for (size_t s = 0; s <= r; ++s) {
                const T* __restrict const from = white.data() + s * n;
                const T factor = T(lower.data()[(c * d + r) * d + s]);
                for (size_t i = first; i < end; ++i) to[i] += factor * from[i];
            }
        }
        first = end;
    }
    return nb::cast(nb::ndarray<nb::numpy, T>(out, {d, n}, owner));
}

}  // namespace

void bind_factoring(nb::module_& m) {
    m.def("precision_factors", &precision_factors, nb::arg("covariances"));
    m.def("spread", &spread<float>, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg());
    m.def("spread", &spread<double>, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg());
    m.def("invert_lower", &invert_lower, nb::arg("lower"));
}
