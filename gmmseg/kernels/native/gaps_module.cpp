// The Python side of the kernel of samples each of which lacks features of its own.
#include <nanobind/ndarray.h>

#include <memory>

#include "calling.h"

namespace {

using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Cube = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Numbers of all components that a kernel reads or writes, of n samples.
const double* of_samples(const Table& a, size_t k, size_t n) {
    require(a.shape(0) == k && a.shape(1) == n, "there is not one number for each component and sample");
    return a.data();
}

struct PreparedGaps : GapsJob {
    std::vector<double> padded;
    PreparedGaps(const Table& planes, const Table& means, const Cube& factors, const Cube& precisions) : GapsJob{} {
        const size_t k = means.shape(0), d = means.shape(1);
        require(k > 0 && d > 0 && planes.shape(0) == d, "planes and means differ in their number of features");
        for (const Cube* each : {&factors, &precisions})
            require(each->shape(0) == k && each->shape(1) == d && each->shape(2) == d,
                    "means, factors and precisions differ in their numbers of components or features");
        padded.resize(k * (d + 1) * (d + 1));
        for (size_t row = 0; row < k * d; ++row)
            std::copy_n(precisions.data() + row * d, d, padded.data() + (row + row / d) * (d + 1));
        samples = planes.data();
        n_samples = ptrdiff_t(planes.shape(1));
        n_features = ptrdiff_t(d);
        n_components = ptrdiff_t(k);
        this->means = means.data();
        this->factors = factors.data();
        this->precisions = padded.data();
    }
};

void run_gaps(const GapsJob& job, int threads) {
    const ptrdiff_t n = job.n_samples;
    parallel((n + kGapsChunk - 1) / kGapsChunk, threads, [&](ptrdiff_t i) {
        kernels().gaps(job, i * kGapsChunk, std::min(n, (i + 1) * kGapsChunk), nullptr);
    });
}

void known_distances(const Table& planes, const Table& means, const Cube& factors, const Cube& precisions,
                     Output distances, Output log_roots, int threads) {
    PreparedGaps job(planes, means, factors, precisions);
    for (const Output* each : {&distances, &log_roots})
        require(each->shape(0) == means.shape(0) && each->shape(1) == planes.shape(1),
                "the output has not one number for each component and sample");
    job.distances = distances.data();
    job.log_roots = log_roots.data();
    nb::gil_scoped_release unlocked;
    run_gaps(job, threads);
}

nb::ndarray<nb::numpy, double> conditional_sums(const Table& planes, const Table& means, const Cube& factors,
                                                const Cube& precisions, const Table& shares, const Table& mass,
                                                int threads) {
    PreparedGaps job(planes, means, factors, precisions);
    const size_t k = means.shape(0), d = means.shape(1), columns = 1 + d + d * (d + 1) / 2, size = k * columns;
    job.shares = of_samples(shares, k, planes.shape(1));
    job.mass = of_samples(mass, k, planes.shape(1));
    double* sums = new double[size]();
    nb::capsule owner(sums, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    {
        nb::gil_scoped_release unlocked;
        const ptrdiff_t n = job.n_samples, count = (n + kGapsChunk - 1) / kGapsChunk;
        std::vector<double> parts(size_t(count) * size);
        parallel(count, threads, [&](ptrdiff_t i) {
            kernels().gaps(job, i * kGapsChunk, std::min(n, (i + 1) * kGapsChunk), parts.data() + size_t(i) * size);
        });
        for (size_t j = 0; j < parts.size(); ++j) sums[j % size] += parts[j];
    }
    return nb::ndarray<nb::numpy, double>(sums, {k, columns}, owner);
}

void expected(const Table& planes, const Table& means, const Cube& factors, const Cube& precisions,
              const Table& shares, Output out, int threads) {
    PreparedGaps job(planes, means, factors, precisions);
    require(out.shape(0) == means.shape(1) && out.shape(1) == planes.shape(1), "the output differs from the planes");
    job.shares = of_samples(shares, means.shape(0), planes.shape(1));
    job.expected = out.data();
    nb::gil_scoped_release unlocked;
    std::fill_n(out.data(), out.size(), 0.0);
    run_gaps(job, threads);
}

}  // namespace

void bind_gaps(nb::module_& m) {
    m.def("known_distances", &known_distances, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().noconvert(),
          nb::arg().noconvert(), nb::arg());
    m.def("conditional_sums", &conditional_sums);
    m.def("expected", &expected, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().noconvert(),
          nb::arg());
}
