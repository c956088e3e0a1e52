// Runs of EM: loops that are called so often on so little that Python would take longer for
// its part of an iteration than the kernels for theirs.
#include "climber.h"

namespace {

template <class T>
nb::tuple climb(const Planes<T>& planes, nb::object weights, const Start& start, const Row& added, nb::object noise,
                const Limits& limits, int iterations, int rescues, int threads) {
    Run run{taken(start), {}};
    const MixtureJob<T> job = checked<T>(planes, weights, run.now, added, noise);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    {
        nb::gil_scoped_release unlocked;
        iterate(run, job, added.data(), uncertain, limits, iterations, rescues, threads);
    }
    return told(run);
}

// Runs from several starts, side by side: parameters have one more axis in front.
using Starts = std::tuple<Table, nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>, Parameters, nb::str>;

template <class T>
nb::tuple climb_each(const Planes<T>& planes, nb::object weights, const Starts& starts, const Row& added,
                     nb::object noise, const Limits& limits, int iterations, int threads) {
    const auto& [shares, means, covariances, family] = starts;
    const size_t count = means.shape(0), k = means.shape(1), d = means.shape(2);
    const Climber first{family_of(family.c_str()), ptrdiff_t(k), ptrdiff_t(d), {}, {}, {}, {}};
    const MixtureJob<T> job = checked<T>(planes, weights, first, added, noise);
    const size_t size = size_of_covariances(first);
    require(shares.shape(0) == count && shares.shape(1) == k && covariances.size() == count * size,
            "weights or covariances have not the shape of their family");
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    std::vector<Run> runs(count, Run{first, {}});
    Numbers found[3], reached(count, -std::numeric_limits<double>::infinity());
    {
        nb::gil_scoped_release unlocked;
        const int each = std::max(1, threads / int(std::max<size_t>(1, count)));
        parallel(ptrdiff_t(count), threads, [&](ptrdiff_t i) {
            Climber& now = runs[size_t(i)].now;
            now.weights.assign(shares.data() + size_t(i) * k, shares.data() + size_t(i + 1) * k);
            now.means.assign(means.data() + size_t(i) * k * d, means.data() + size_t(i + 1) * k * d);
            now.covariances.assign(covariances.data() + size_t(i) * size, covariances.data() + size_t(i + 1) * size);
            if (iterate(runs[size_t(i)], job, added.data(), uncertain, limits, iterations, 0, each) && iterations > 0)
                reached[size_t(i)] = runs[size_t(i)].history.back();
        });
        for (const Run& run : runs) {
            found[0].insert(found[0].end(), run.now.weights.begin(), run.now.weights.end());
            found[1].insert(found[1].end(), run.now.means.begin(), run.now.means.end());
            found[2].insert(found[2].end(), run.now.covariances.begin(), run.now.covariances.end());
        }
    }
    return nb::make_tuple(given(found[0], {count, k}), given(found[1], {count, k, d}),
                          given(found[2], {count, count ? size : 0}), given(reached, {count}));
}

// The samples that a component has a part in, with their weights in it; see gmmseg.kernels.climb_halves.
template <class T>
struct Own {
    std::vector<T> planes, weights;
    MixtureJob<T> job;
    double total = 0;

    // Takes samples of a job whose `shares` (n) are no less than so much.
    void take(const MixtureJob<T>& from, const T* shares, T least) {
        std::vector<ptrdiff_t> places;
        for (ptrdiff_t i = 0; i < from.n_samples; ++i)
            if (shares[i] >= least) places.push_back(i);
        const ptrdiff_t n = ptrdiff_t(places.size());
        planes.resize(size_t(n * from.n_features));
        weights.resize(size_t(n));
        for (ptrdiff_t i = 0; i < n; ++i) total += double(weights[size_t(i)] = shares[places[size_t(i)]]);
        for (ptrdiff_t f = 0; f < from.n_features; ++f)
            for (ptrdiff_t i = 0; i < n; ++i)
                planes[size_t(f * n + i)] = from.samples[f * from.feature_stride + places[size_t(i)] * from.sample_stride];
        job = from;
        job.samples = planes.data();
        job.weights = weights.data();
        job.n_samples = job.feature_stride = n;
        job.sample_stride = 1;
    }
};

template <class T>
nb::tuple climb_halves(const Planes<T>& planes, const nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>& shares,
                       const Starts& starts, const Row& added, nb::object noise, const Limits& limits, double least,
                       int iterations, int threads) {
    const auto& [weights, means, covariances, family] = starts;
    const size_t count = means.shape(0), w = means.shape(1), k = w - 1, d = means.shape(2), size = covariances.size() / (count * w);
    const Climber pair{family_of(family.c_str()), 2, ptrdiff_t(d), {}, {}, {}, {}};
    MixtureJob<T> job = checked<T>(planes, nb::none(), pair, added, noise);
    require(!pair.shared() && w > 1 && shares.shape(0) == k && shares.shape(1) == planes.shape(1) && count % k == 0 &&
                weights.shape(0) == count && weights.shape(1) == w && covariances.size() == count * w * size &&
                2 * size == size_of_covariances(pair),
            "starts and shares have not the shape of their family, or of their numbers of components");
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    Numbers found[3] = {Numbers(weights.data(), weights.data() + count * w), Numbers(means.data(), means.data() + count * w * d),
                        Numbers(covariances.data(), covariances.data() + count * w * size)};
    Numbers gains(count, -std::numeric_limits<double>::infinity());
    {
        nb::gil_scoped_release unlocked;
        const int each = std::max(1, threads / int(count));
        std::vector<Own<T>> own(k);
        Numbers wholes(k);
        const auto begun = [&](size_t row, size_t parts) {
            Climber now = pair;
            const size_t first = (row + 1) * w - 2;  // the halves come last
            now.k = ptrdiff_t(parts);
            now.weights.assign(parts, 1.0 / double(parts));
            now.means.assign(means.data() + first * d, means.data() + (first + parts) * d);
            now.covariances.assign(covariances.data() + first * size, covariances.data() + (first + parts) * size);
            return Run{now, {}};
        };
        const auto reached = [&](Run& run, size_t c, const Limits& until, int most) {
            MixtureJob<T> alone = own[c].job;
            alone.n_components = int(run.now.k);
            const bool good = !own[c].weights.empty() && iterate(run, alone, added.data(), uncertain, until, most, 0, each);
            return good ? run.history.back() * own[c].total : -std::numeric_limits<double>::infinity();
        };
        parallel(ptrdiff_t(k), threads, [&](ptrdiff_t c) {
            own[size_t(c)].take(job, shares.data() + size_t(c) * size_t(job.n_samples), T(least));
            Run whole = begun(size_t(c), 1);  // from wherever, the second iteration sees the samples' own moments
            wholes[size_t(c)] = reached(whole, size_t(c), {0.0, std::get<1>(limits), std::get<2>(limits)}, 2);
        });
        parallel(ptrdiff_t(count), threads, [&](ptrdiff_t i) {
            const size_t row = size_t(i), c = row % k, first = (row + 1) * w - 2;
            Run run = begun(row, 2);
            const double value = reached(run, c, limits, iterations);
            if (!std::isfinite(value) || !std::isfinite(wholes[c])) return;
            gains[row] = (value - wholes[c]) / double(job.n_samples);
            const double both = found[0][first] + found[0][first + 1];
            for (size_t half = 0; half < 2; ++half) found[0][first + half] = both * run.now.weights[half];
            std::copy(run.now.means.begin(), run.now.means.end(), found[1].begin() + ptrdiff_t(first * d));
            std::copy(run.now.covariances.begin(), run.now.covariances.end(), found[2].begin() + ptrdiff_t(first * size));
        });
    }
    return nb::make_tuple(given(found[0], {count, w}), given(found[1], {count, w, d}), given(found[2], {count, w * size}),
                          given(gains, {count}));
}

}  // namespace

void bind_climbing(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("climb", &climb<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
        m.def("climb_each", &climb_each<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg().none(), nb::arg(), nb::arg(), nb::arg());
        m.def("climb_halves", &climb_halves<decltype(zero)>, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(),
              nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
