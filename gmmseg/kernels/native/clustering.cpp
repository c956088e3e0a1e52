// k-means and what comes of its labels, on samples so few that Python would take longer for each step than it takes.
#include <nanobind/ndarray.h>

#include <limits>

#include "summing.h"

namespace {

template <class T>
using Planes = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::list plus_plus(const Planes<T>& planes, const Row& mass, Output distance, const Table& draws) {
    const size_t d = planes.shape(0), n = planes.shape(1);
    require(n > 0 && mass.shape(0) == n && distance.shape(0) == n, "there is not one mass and distance for each sample");
    std::vector<size_t> chosen;
    {
        nb::gil_scoped_release unlocked;
        std::vector<double> cumulated(n), nearer(n), nearest(n);
        std::vector<T> squared(n), rows(d * n);
        for (size_t r = 0; r < d; ++r)
            for (size_t i = 0; i < n; ++i)
                rows[r * n + i] = planes.data()[ptrdiff_t(r) * planes.stride(0) + ptrdiff_t(i) * planes.stride(1)];
        const auto bring_nearer = [&](size_t place) {
            const auto& algebra = kernels().algebra;
            if constexpr (sizeof(T) == 4)
                return algebra.nearer_f32(rows.data(), ptrdiff_t(n), ptrdiff_t(d), ptrdiff_t(place), mass.data(),
                                          distance.data(), squared.data(), nearer.data());
            else
                return algebra.nearer_f64(rows.data(), ptrdiff_t(n), ptrdiff_t(d), ptrdiff_t(place), mass.data(),
                                          distance.data(), squared.data(), nearer.data());
        };
        double* const now = distance.data();
        for (size_t turn = 0; turn < draws.shape(0); ++turn) {
            double total = 0;
            for (size_t i = 0; i < n; ++i) cumulated[i] = total += now[i];
            if (!(total > 0)) break;
            double least = std::numeric_limits<double>::infinity();
            size_t winner = 0;
            for (size_t c = 0; c < draws.shape(1); ++c) {
                const double draw = draws.data()[turn * draws.shape(1) + c] * total;
                const auto place = std::upper_bound(cumulated.begin(), cumulated.end(), draw) - cumulated.begin();
                const size_t drawn = std::min(size_t(place), n - 1);
                const double sum = bring_nearer(drawn);
                if (c == 0 || sum < least) {
                    least = sum;
                    winner = drawn;
                    nearest.swap(nearer);
                }
            }
            chosen.push_back(winner);
            std::copy(nearest.begin(), nearest.end(), now);
        }
    }
    nb::list out;
    for (const size_t each : chosen) out.append(each);
    return out;
}

template <class T>
nb::ndarray<nb::numpy, double> lloyd(const Planes<T>& planes, const Table& centres, nb::object weights, int iterations,
                                     int threads) {
    const size_t k = centres.shape(0), d = centres.shape(1), n = planes.shape(1);
    require(k > 0 && d > 0 && planes.shape(0) == d, "planes and centres differ in their number of features");
    MixtureJob<T> job = job_of<T>(planes, int(k), true);
    nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> mass;
    if (!weights.is_none()) {
        mass = nb::cast<decltype(mass)>(weights);
        require(mass.shape(0) == n, "there is not one weight for each sample");
        job.weights = mass.data();
    }
    double* now = new double[k * d];
    nb::capsule owner(now, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    std::copy_n(centres.data(), k * d, now);
    {
        nb::gil_scoped_release unlocked;
        // k-means is the limit of a mixture of equal balls of hardly any size.
        const std::vector<double> constants(k, 0.0), factors(k * d, 1e3);
        std::vector<double> sums(size_t(job.sums()));
        std::vector<T> values(size_t(job.n_components * job.params_per_component()));
        job.params = values.data();
        for (int turn = 0; turn < iterations; ++turn) {
            pack_parameters(job, constants.data(), now, factors.data(), values.data());
            std::fill(sums.begin(), sums.end(), 0.0);
            all_statistics(job, threads, sums.data());
            for (size_t c = 0; c < k; ++c) {
                const double* part = sums.data() + c * (1 + 2 * d);
                for (size_t i = 0; i < d; ++i)
                    now[c * d + i] = double(T(now[c * d + i])) +
                                     part[1 + i] / std::max(part[0], std::numeric_limits<double>::min());
            }
        }
    }
    return {now, {k, d}, owner};
}

template <class T>
nb::tuple class_moments(const Planes<T>& planes, const Labels& labels, nb::object weights, int classes, bool diagonal) {
    const size_t k = size_t(classes), d = planes.shape(0), n = planes.shape(1);
    require(classes > 0 && labels.shape(0) == n, "there is not one label for each sample");
    Row given;
    if (!weights.is_none()) {
        given = nb::cast<Row>(weights);
        require(given.shape(0) == n, "there is not one weight for each sample");
    }
    for (size_t i = 0; i < n; ++i)
        require(labels.data()[i] >= 0 && labels.data()[i] < classes, "a label is of no class");
    const size_t size = diagonal ? d : d * d;
    double* data = new double[k * (1 + d + size)]();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    double *const counts = data, *const means = data + k, *const second = data + k * (1 + d);
    {
        nb::gil_scoped_release unlocked;
        const auto value = [&](size_t r, size_t i) {
            return double(planes.data()[ptrdiff_t(r) * planes.stride(0) + ptrdiff_t(i) * planes.stride(1)]);
        };
        const auto mass = [&](size_t i) { return given.is_valid() ? given.data()[i] : 1.0; };
        for (size_t i = 0; i < n; ++i) {
            const size_t c = size_t(labels.data()[i]);
            counts[c] += mass(i);
            for (size_t r = 0; r < d; ++r) means[c * d + r] += mass(i) * value(r, i);
        }
        const auto scaled = [&](double* values, size_t each) {
            for (size_t c = 0; c < k; ++c)
                for (size_t e = 0; e < each; ++e) values[c * each + e] /= counts[c];
        };
        scaled(means, d);
        // Samples of a class are taken together: sums of products of several are a third of a start at d = 100.
        constexpr size_t together = 16;
        std::vector<double> centred(k * together * d), weighted(k * together * d);
        std::vector<size_t> held(k, 0);
        const auto release = [&](size_t c) {
            const double *x = centred.data() + c * together * d, *w = weighted.data() + c * together * d;
            if (held[c] < together)  // rows of `weighted` are as long as there are samples
                for (size_t r = 0; r < d; ++r) std::copy_n(w + r * together, held[c], weighted.data() + c * together * d + r * held[c]);
            kernels().algebra.add_products(x, w, ptrdiff_t(held[c]), ptrdiff_t(d), second + c * size);
            held[c] = 0;
        };
        for (size_t i = 0; i < n; ++i) {
            const size_t c = size_t(labels.data()[i]), place = c * together * d;
            double* const x = centred.data() + place + held[c] * d;
            for (size_t r = 0; r < d; ++r) {
                x[r] = value(r, i) - means[c * d + r];
                if (diagonal) second[c * size + r] += mass(i) * x[r] * x[r];
                else weighted[place + r * together + held[c]] = mass(i) * x[r];
            }
            if (!diagonal && ++held[c] == together) release(c);
        }
        for (size_t c = 0; c < k; ++c)
            if (held[c]) release(c);
        for (size_t c = 0; !diagonal && c < k; ++c)
            for (size_t r = 0; r < d; ++r)
                for (size_t s = 0; s < r; ++s) second[c * size + s * d + r] = second[c * size + r * d + s];
        scaled(second, size);
    }
    using Numbers = nb::ndarray<nb::numpy, double>;
    return nb::make_tuple(Numbers(counts, {k}, owner), Numbers(means, {k, d}, owner),
                          diagonal ? Numbers(second, {k, d}, owner) : Numbers(second, {k, d, d}, owner));
}

}  // namespace

void bind_clustering(nb::module_& m) {
    const auto bind = [&](auto zero) {
        using T = decltype(zero);
        m.def("plus_plus", &plus_plus<T>, nb::arg().noconvert(), nb::arg(), nb::arg().noconvert(), nb::arg());
        m.def("lloyd", &lloyd<T>, nb::arg().noconvert(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
        m.def("class_moments", &class_moments<T>, nb::arg().noconvert(), nb::arg(), nb::arg().none(), nb::arg(),
              nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
