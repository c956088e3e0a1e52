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

}  // namespace

void bind_factoring(nb::module_& m) {
    m.def("precision_factors", &precision_factors, nb::arg("covariances"));
    m.def("invert_lower", &invert_lower, nb::arg("lower"));
}
