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

// Samples (d, n) of which centres are chosen one by one, and how far each is from the nearest one so far.
template <class T>
struct Choosing {
    size_t d, n;
    const double* mass;
    std::vector<T> rows, squared;
    std::vector<double> cumulated, nearer, nearest;

    Choosing(const Planes<T>& planes, const double* mass)
        : d(planes.shape(0)), n(planes.shape(1)), mass(mass), rows(d * n), squared(n), cumulated(n), nearer(n), nearest(n) {
        for (size_t r = 0; r < d; ++r)
            for (size_t i = 0; i < n; ++i)
                rows[r * n + i] = planes.data()[ptrdiff_t(r) * planes.stride(0) + ptrdiff_t(i) * planes.stride(1)];
    }

    // The sample that a number from 0 to 1 draws in proportion to some shares.
    size_t drawn(const double* shares, double draw) {
        double total = 0;
        for (size_t i = 0; i < n; ++i) cumulated[i] = total += shares[i];
        return place(draw * total);
    }

    size_t place(double share) const {
        const auto found = std::upper_bound(cumulated.begin(), cumulated.end(), share) - cumulated.begin();
        return std::min(size_t(found), n - 1);
    }

    // Writes distances with one centre more, and returns their sum.
    double bring_nearer(size_t place, const double* now) {
        const auto& algebra = kernels().algebra;
        if constexpr (sizeof(T) == 4)
            return algebra.nearer_f32(rows.data(), ptrdiff_t(n), ptrdiff_t(d), ptrdiff_t(place), mass, now,
                                      squared.data(), nearer.data());
        else
            return algebra.nearer_f64(rows.data(), ptrdiff_t(n), ptrdiff_t(d), ptrdiff_t(place), mass, now,
                                      squared.data(), nearer.data());
    }

    // Appends one centre for each row of draws, the best of those drawn, as long as samples are left off all of them.
    void choose(const double* draws, size_t turns, size_t candidates, double* now, std::vector<size_t>& chosen) {
        for (size_t turn = 0; turn < turns; ++turn) {
            double least = std::numeric_limits<double>::infinity();
            size_t winner = 0;
            const size_t first = drawn(now, draws[turn * candidates]);
            const double total = cumulated[n - 1];
            if (!(total > 0)) break;
            for (size_t c = 0; c < candidates; ++c) {
                const size_t each = c ? place(draws[turn * candidates + c] * total) : first;
                const double sum = bring_nearer(each, now);
                if (c == 0 || sum < least) {
                    least = sum;
                    winner = each;
                    nearest.swap(nearer);
                }
            }
            chosen.push_back(winner);
            std::copy(nearest.begin(), nearest.end(), now);
        }
    }
};

template <class T>
nb::list plus_plus(const Planes<T>& planes, const Row& mass, Output distance, const Table& draws) {
    const size_t n = planes.shape(1);
    require(n > 0 && mass.shape(0) == n && distance.shape(0) == n, "there is not one mass and distance for each sample");
    std::vector<size_t> chosen;
    {
        nb::gil_scoped_release unlocked;
        Choosing<T>(planes, mass.data()).choose(draws.data(), draws.shape(0), draws.shape(1), distance.data(), chosen);
    }
    nb::list out;
    for (const size_t each : chosen) out.append(each);
    return out;
}

template <class T>
nb::tuple cluster(const Planes<T>& planes, nb::object weights, const Row& draws, int candidates, int iterations,
                  int threads) {
    const size_t d = planes.shape(0), n = planes.shape(1), turns = draws.shape(0) / size_t(std::max(candidates, 1));
    require(n > 0 && d > 0 && candidates > 0 && draws.shape(0) == 1 + turns * size_t(candidates),
            "there are no samples, or draws are not one and as many times some more");
    nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> given;
    if (!weights.is_none()) {
        given = nb::cast<decltype(given)>(weights);
        require(given.shape(0) == n, "there is not one weight for each sample");
    }
    std::int64_t* labels = new std::int64_t[n];
    nb::capsule owner(labels, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    size_t k = 0;
    {
        nb::gil_scoped_release unlocked;
        std::vector<double> mass(n, 1.0), distance(n, std::numeric_limits<double>::infinity());
        if (given.is_valid()) std::copy_n(given.data(), n, mass.begin());
        Choosing<T> choosing(planes, mass.data());
        std::vector<size_t> chosen{choosing.drawn(mass.data(), draws.data()[0])};
        choosing.bring_nearer(chosen[0], distance.data());
        distance = choosing.nearer;
        choosing.choose(draws.data() + 1, turns, size_t(candidates), distance.data(), chosen);
        k = chosen.size();
        std::vector<double> now(k * d);
        for (size_t c = 0; c < k; ++c)
            for (size_t r = 0; r < d; ++r) now[c * d + r] = double(choosing.rows[r * n + chosen[c]]);
        // k-means is the limit of a mixture of equal balls of hardly any size.
        MixtureJob<T> job = job_of<T>(planes, int(k), true);
        job.weights = given.is_valid() ? given.data() : nullptr;
        const std::vector<double> constants(k, 0.0), factors(k * d, 1e3);
        std::vector<double> sums(size_t(job.sums()));
        std::vector<T> values(size_t(job.n_components * job.params_per_component()));
        job.params = values.data();
        Crew crew(threads);
        for (int turn = 0; turn < iterations; ++turn) {
            pack_parameters(job, constants.data(), now.data(), factors.data(), values.data());
            std::fill(sums.begin(), sums.end(), 0.0);
            all_statistics(job, crew, sums.data());
            for (size_t c = 0; c < k; ++c) {
                const double* part = sums.data() + c * (1 + 2 * d);
                for (size_t i = 0; i < d; ++i)
                    now[c * d + i] = double(T(now[c * d + i])) +
                                     part[1 + i] / std::max(part[0], std::numeric_limits<double>::min());
            }
        }
        pack_parameters(job, constants.data(), now.data(), factors.data(), values.data());
        all_known(job, threads, [&](ptrdiff_t b, ptrdiff_t e) {
            if constexpr (sizeof(T) == 4) return kernels().mixture.classify_f32(job, b, e, nullptr, labels, 0);
            else return kernels().mixture.classify_f64(job, b, e, nullptr, labels, 0);
        });
    }
    return nb::make_tuple(nb::ndarray<nb::numpy, std::int64_t>(labels, {n}, owner), k);
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
    double* data = new double[k * (1 + d + size) + d]();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    double *const counts = data, *const means = data + k, *const second = data + k * (1 + d);
    double* const variances = second + k * size;
    {
        nb::gil_scoped_release unlocked;
        std::vector<size_t> from(k + 1, 0), next(k), order(n);  // samples class by class
        for (size_t i = 0; i < n; ++i) ++from[size_t(labels.data()[i]) + 1];
        for (size_t c = 0; c < k; ++c) next[c] = from[c], from[c + 1] += from[c];
        for (size_t i = 0; i < n; ++i) order[next[size_t(labels.data()[i])]++] = i;
        const auto& algebra = kernels().algebra;
        // Samples less the first of their class, of which what they lie apart cancels no more than it says.
        Numbers values((d + 1) * kBatch), masses(kBatch), origin(d), sums((d + 1) * (d + 1));
        std::fill_n(values.begin(), kBatch, 1.0);
        for (size_t c = 0; c < k; ++c) {
            std::fill(sums.begin(), sums.end(), 0.0);
            for (size_t first = from[c]; first < from[c + 1]; first += kBatch) {
                const size_t count = std::min<size_t>(kBatch, from[c + 1] - first), *own = order.data() + first;
                for (size_t r = 0; r < d; ++r) {
                    const T* const row = planes.data() + ptrdiff_t(r) * planes.stride(0);
                    double* const to = values.data() + (r + 1) * kBatch;
                    if (first == from[c]) origin[r] = double(row[ptrdiff_t(*own) * planes.stride(1)]);
                    for (size_t i = 0; i < count; ++i) to[i] = double(row[ptrdiff_t(own[i]) * planes.stride(1)]) - origin[r];
                    std::fill(to + count, to + kBatch, 0.0);
                }
                for (size_t i = 0; i < count; ++i) masses[i] = given.is_valid() ? given.data()[own[i]] : 1.0;
                std::fill(masses.begin() + ptrdiff_t(count), masses.end(), 0.0);
                for (size_t r = 0; r <= d; ++r) {
                    const double* const row = values.data() + r * kBatch;
                    double* const to = sums.data() + r * (d + 1);
                    algebra.add_batch(row, masses.data(), values.data(), diagonal ? 1 : ptrdiff_t(r + 1), to);
                    if (diagonal && r) algebra.add_batch(row, masses.data(), row, 1, to + r);
                }
            }
            counts[c] = sums[0];
            for (size_t r = 0; r < d; ++r) {
                const double* const row = sums.data() + (r + 1) * (d + 1);
                means[c * d + r] = origin[r] + row[0] / counts[c];
                const auto about = [&](size_t s) {
                    return (row[s + 1] - row[0] * sums[(s + 1) * (d + 1)] / counts[c]) / counts[c];
                };
                if (diagonal) second[c * size + r] = about(r);
                for (size_t s = 0; !diagonal && s <= r; ++s)
                    second[c * size + r * d + s] = second[c * size + s * d + r] = about(s);
            }
        }
        Numbers squares(given.is_valid() ? d : 0, 0.0);
        for (size_t r = 0; r < squares.size(); ++r) {
            const T* const row = planes.data() + ptrdiff_t(r) * planes.stride(0);
            const auto value = [&](size_t i) { return double(row[ptrdiff_t(i) * planes.stride(1)]); };
            double middle = 0;
            for (size_t i = 0; i < n; ++i) middle += value(i) / double(n);
            for (size_t i = 0; i < n; ++i) squares[r] += (value(i) - middle) * (value(i) - middle);
        }
        double total = 0;
        for (size_t c = 0; c < k; ++c) total += counts[c];
        std::vector<double> common(size, 0.0), middle(d, 0.0);
        for (size_t c = 0; c < k; ++c) {
            if (!(counts[c] > 0)) continue;
            const double share = counts[c] / total;
            for (size_t e = 0; e < size; ++e) common[e] += share * second[c * size + e];
            for (size_t r = 0; r < d; ++r) middle[r] += share * means[c * d + r];
        }
        for (size_t c = 0; c < k; ++c) {
            if (!(counts[c] > 0)) continue;
            const double part = double(d) / (counts[c] + double(d));
            for (size_t e = 0; e < size; ++e) second[c * size + e] += part * common[e];
        }
        for (size_t r = 0; r < d; ++r) {
            double between = 0;
            for (size_t c = 0; c < k; ++c)
                if (counts[c] > 0) between += counts[c] / total * std::pow(means[c * d + r] - middle[r], 2);
            const double within = common[diagonal ? r : r * d + r];
            variances[r] = given.is_valid() ? std::max(within, squares[r] / double(n)) : within + between;
        }
    }
    using Numbers = nb::ndarray<nb::numpy, double>;
    return nb::make_tuple(Numbers(counts, {k}, owner), Numbers(means, {k, d}, owner),
                          diagonal ? Numbers(second, {k, d}, owner) : Numbers(second, {k, d, d}, owner),
                          Numbers(variances, {d}, owner));
}

}  // namespace

void bind_clustering(nb::module_& m) {
    const auto bind = [&](auto zero) {
        using T = decltype(zero);
        m.def("plus_plus", &plus_plus<T>, nb::arg().noconvert(), nb::arg(), nb::arg().noconvert(), nb::arg());
        m.def("cluster", &cluster<T>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(),
              nb::arg());
        m.def("class_moments", &class_moments<T>, nb::arg().noconvert(), nb::arg(), nb::arg().none(), nb::arg(),
              nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
