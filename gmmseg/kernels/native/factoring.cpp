// Triangular factors of a few small matrices: NumPy's part of each takes longer than all of them.
#include "climber.h"

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

using Noise = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Writes samples first..end of a component, of noise (d, n) and a lower triangle that tells how it is spread.
void spread(const Noise& white, const double* mean, const double* lower, size_t first, size_t end, float* out) {
    const size_t d = white.shape(0), n = white.shape(1);
    for (size_t r = 0; r < d; ++r) {
        float* __restrict const to = out + r * n;
        std::fill(to + first, to + end, float(mean[r]));
        for (size_t s = 0; s <= r; ++s) {
            const float* __restrict const from = white.data() + s * n;
            const float factor = float(lower[r * d + s]);
            for (size_t i = first; i < end; ++i) to[i] += factor * from[i];
        }
    }
}

// Samples (d, n) of components, as many of each as its share has it.
std::vector<float> spread_evenly(const Noise& white, const Climber& now) {
    const size_t k = size_t(now.k), d = size_t(now.d), n = white.shape(1);
    std::vector<float> samples(d * n);
    Numbers dense(d * d), root(d * d);
    double total = 0, sum = 0;
    for (const double each : now.weights) total += each;
    for (size_t c = 0, first = 0; c < k; ++c) {
        const double* const own = now.factors.data() + c * d * (now.diagonal() ? 1 : d);
        for (size_t i = 0; i < d * d; ++i) dense[i] = !now.diagonal() ? own[i] : i % (d + 1) ? 0 : own[i / d];
        kernels().algebra.invert_lower(dense.data(), now.d, root.data());
        sum += now.weights[c];
        const size_t end = std::clamp(size_t(std::nearbyint(sum / total * double(n))), first, n);
        spread(white, now.means.data() + c * d, root.data(), first, end, samples.data());
        first = end;
    }
    return samples;
}

// Share of samples whose likeliest component, or class, is not theirs.
double expected_error(const Noise& white, const Row& weights, const Table& means, const Parameters& factors,
                      nb::object memberships, int threads) {
    const size_t k = means.shape(0), d = means.shape(1), n = white.shape(1);
    const bool diagonal = factors.ndim() == 2;
    require(white.shape(0) == d && n > 0 && weights.shape(0) == k && factors.size() == k * d * (diagonal ? 1 : d),
            "noise, weights, means and factors differ in their numbers of components or features");
    const Climber now{diagonal ? Family::diag : Family::full, ptrdiff_t(k), ptrdiff_t(d),
                      Numbers(weights.data(), weights.data() + k), Numbers(means.data(), means.data() + k * d), {},
                      Numbers(factors.data(), factors.data() + factors.size())};
    const double* of_classes = nullptr;
    size_t n_classes = k;
    Table table;  // out here, as it may be a copy
    if (!memberships.is_none()) {
        table = nb::cast<Table>(memberships);
        require(table.shape(1) == k, "memberships are not of all components");
        of_classes = table.data();
        n_classes = table.shape(0);
    }
    const std::vector<float> samples = spread_evenly(white, now);
    const Planes<float> planes(samples.data(), {d, n}, nb::handle());
    MixtureJob<float> job = job_of<float>(planes, int(k), diagonal);
    std::vector<float> shares(k * n), values(k * size_t(job.params_per_component()));
    Numbers constants(k);
    now.constants(nullptr, constants.data());
    pack_parameters(job, constants.data(), now.means.data(), now.factors.data(), values.data());
    job.params = values.data();
    all_known(job, threads, [&](ptrdiff_t b, ptrdiff_t e) {
        return kernels().mixture.posterior_f32(job, b, e, shares.data(), ptrdiff_t(n), nullptr);
    });
    double right = 0;
    for (size_t i = 0; i < n; ++i) {
        double whole = 0, most = 0;
        for (size_t c = 0; c < n_classes; ++c) {
            double part = of_classes ? 0 : double(shares[c * n + i]);
            for (size_t j = 0; of_classes && j < k; ++j) part += of_classes[c * k + j] * double(shares[j * n + i]);
            whole += part;
            most = std::max(most, part);
        }
        right += most / whole;  // of a single class exactly 1, however rounded
    }
    return 1 - right / double(n);
}

}  // namespace

void bind_factoring(nb::module_& m) {
    m.def("precision_factors", &precision_factors, nb::arg("covariances"));
    m.def("expected_error", &expected_error, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
    m.def("invert_lower", &invert_lower, nb::arg("lower"));
}
