// Components that are divided in two, one at a time and where that helps most: see gmmseg.mixture.dividing.
#include "trial.h"

namespace {

constexpr double kLeast = 1e-12;  // part of a variance that is added at least: as of gmmseg.mixture.kmeans.from_labels
constexpr int kSweeps = 30;  // of rotations: six are enough for most matrices
constexpr double kStraight = 1e-30;  // part of the squares of a matrix that may lie beside its axes

// Writes the axes (d, d) of a symmetric matrix, one below the other from the longest to the shortest, each of length 1
// and on the side of the feature that is most of it, and their lengths: by rotations in planes (Jacobi 1846).
void axes_of(Numbers matrix, ptrdiff_t d, double* axes, double* lengths) {
    const auto at = [&](ptrdiff_t i, ptrdiff_t j) -> double& { return matrix[size_t(i * d + j)]; };
    Numbers turned(size_t(d * d), 0.0);
    for (ptrdiff_t i = 0; i < d; ++i) turned[size_t(i * d + i)] = 1;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        double beside = 0, along = 0;
        for (ptrdiff_t i = 0; i < d; ++i)
            for (ptrdiff_t j = 0; j <= i; ++j) (i == j ? along : beside) += at(i, j) * at(i, j);
        if (!(beside > kStraight * along)) break;
        for (ptrdiff_t p = 0; p < d; ++p)
            for (ptrdiff_t q = p + 1; q < d; ++q) {
                if (at(p, q) == 0) continue;
                const double ratio = (at(q, q) - at(p, p)) / (2 * at(p, q));
                const double tangent = std::copysign(1.0, ratio) / (std::abs(ratio) + std::sqrt(ratio * ratio + 1));
                const double cosine = 1 / std::sqrt(tangent * tangent + 1), sine = tangent * cosine;
                const auto turn = [&](double& a, double& b) {
                    const double one = a, other = b;
                    a = cosine * one - sine * other;
                    b = sine * one + cosine * other;
                };
                for (ptrdiff_t i = 0; i < d; ++i) turn(at(i, p), at(i, q));
                for (ptrdiff_t i = 0; i < d; ++i) turn(at(p, i), at(q, i));
                for (ptrdiff_t i = 0; i < d; ++i) turn(turned[size_t(p * d + i)], turned[size_t(q * d + i)]);
            }
    }
    std::vector<ptrdiff_t> order(static_cast<size_t>(d));
    for (ptrdiff_t i = 0; i < d; ++i) order[size_t(i)] = d - 1 - i;
    std::stable_sort(order.begin(), order.end(), [&](ptrdiff_t i, ptrdiff_t j) { return at(i, i) > at(j, j); });
    for (ptrdiff_t r = 0; r < d; ++r) {
        const double* const from = turned.data() + order[size_t(r)] * d;
        const double* const most = std::max_element(from, from + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
        const double side = *most < 0 ? -1 : 1;
        for (ptrdiff_t i = 0; i < d; ++i) axes[r * d + i] = side * from[i];
        lengths[r] = at(order[size_t(r)], order[size_t(r)]);
    }
}

// The mixtures in which one component is divided in two: see gmmseg.kernels.divisions.
Several divided(const Climber& from, int ranks, bool in_scale, double share) {
    const size_t k = size_t(from.k), d = size_t(from.d), ways = size_t(ranks) + in_scale, m = ways * k, w = k + 1;
    const bool tied = from.shared(), full = from.family == Family::full, round = from.family == Family::spherical;
    const size_t size = tied || full ? d * d : round ? 1 : d;  // of the covariance of one component, or of all
    Numbers shares(m * w), places(m * w * d), moments(m * (tied ? 1 : w) * size), axes(d * d), lengths(d), dense(d * d);
    for (size_t c = 0; c < k; ++c) {
        const double *const mean = from.means.data() + c * d, *const own = from.covariances.data() + (tied ? 0 : c * size);
        std::fill(dense.begin(), dense.end(), 0.0);
        if (tied || full) std::copy_n(own, size, dense.begin());
        else
            for (size_t i = 0; i < d; ++i) dense[i * d + i] = own[round ? 0 : i];
        axes_of(dense, ptrdiff_t(d), axes.data(), lengths.data());
        for (size_t way = 0; way < ways; ++way) {
            const size_t start = way * k + c;
            for (size_t other = 0, to = start * w; other < k; ++other) {
                if (other == c) continue;
                shares[to] = from.weights[other];
                std::copy_n(from.means.data() + other * d, d, places.data() + to * d);
                if (!tied) std::copy_n(from.covariances.data() + other * size, size, moments.data() + to * size);
                ++to;
            }
            if (tied) std::copy_n(own, size, moments.data() + start * size);
            const bool axis = way < size_t(ranks);
            Numbers step(d, 0.0);
            for (size_t i = 0; axis && i < d; ++i)
                step[i] = share * std::sqrt(std::max(lengths[way], 0.0)) * axes[way * d + i];
            for (int half = 0; half < 2; ++half) {
                const size_t to = (start + 1) * w - 2 + size_t(half);
                shares[to] = from.weights[c] / 2;
                for (size_t i = 0; i < d; ++i) places[to * d + i] = half ? mean[i] + step[i] : mean[i] - step[i];
                for (size_t e = 0; !tied && e < size; ++e) {
                    double taken = step[e % d] * step[full ? e / d : e % d];
                    for (size_t i = 1; round && i < d; ++i) taken += step[i] * step[i];
                    moments[to * size + e] = axis ? own[e] - taken / double(round ? d : 1) : (half ? 1.75 : 0.25) * own[e];
                }
            }
        }
    }
    return {{from.family, ptrdiff_t(w), from.d, {}, {}, {}, {}}, m, std::move(shares), std::move(places), std::move(moments)};
}

nb::tuple divisions(const Row& weights, const Table& means, const Parameters& covariances, const nb::str& name, int ranks,
                    bool in_scale, double share) {
    require(weights.shape(0) > 0 && weights.shape(0) == means.shape(0) && ranks >= 0 && size_t(ranks) <= means.shape(1),
            "weights, means and covariances differ in their numbers of components or features");
    const Several all = divided(taken({weights, means, covariances, name}), ranks, in_scale, share);
    const size_t m = all.count, w = all.k(), d = all.d();
    nb::object each;
    if (all.first.shared()) each = nb::cast(given(all.covariances, {m, d, d}));
    else if (all.first.family == Family::full) each = nb::cast(given(all.covariances, {m, w, d, d}));
    else if (all.first.family == Family::spherical) each = nb::cast(given(all.covariances, {m, w}));
    else each = nb::cast(given(all.covariances, {m, w, d}));
    return nb::make_tuple(given(all.weights, {m, w}), given(all.means, {m, w, d}), each);
}

// The samples that a component has a part in, with their weights in it, climbing alone.
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

// The shares (K, n) that components have in samples; none where a covariance is degenerate.
template <class T>
std::vector<T> shares_of(Climber now, MixtureJob<T> job) {
    std::vector<char> bad(size_t(now.k), 0);
    if (!now.factorise(bad)) return {};
    job.n_components = int(now.k);
    Numbers constants(static_cast<size_t>(now.k));
    std::vector<T> values(size_t(now.k * job.params_per_component())), out(size_t(now.k * job.n_samples));
    now.constants(nullptr, constants.data());
    pack_parameters(job, constants.data(), now.means.data(), now.factors.data(), values.data());
    job.params = values.data();
    all_known(job, 1, [&](ptrdiff_t b, ptrdiff_t e) {
        if constexpr (sizeof(T) == 4) return kernels().mixture.posterior_f32(job, b, e, out.data(), job.n_samples, nullptr);
        else return kernels().mixture.posterior_f64(job, b, e, out.data(), job.n_samples, nullptr);
    });
    return out;
}

// What all runs of a division have in common.
template <class T>
struct Division {
    MixtureJob<T> job;
    const double *added, *noise;
    const Limits& limits;
    int threads;

    // Lets the halves, which come last, climb by themselves among samples that see them as far as the component that
    // was divided has a part in them, `shares` (K, n), of which less than `least` is none. Returned is what each gains by
    // it, in nats a sample, over one component of those samples' moments; -inf where one became too light, or
    // degenerate, and they stay as they were.
    Numbers climb_halves(Several& all, const MixtureJob<T>& some, const T* shares, T least, int iterations) const {
        const size_t w = all.k(), k = w - 1, d = all.d(), size = all.size() / w;
        std::vector<Own<T>> own(k);
        Numbers wholes(k), gains(all.count, -std::numeric_limits<double>::infinity());
        const auto begun = [&](size_t row, size_t parts) {
            const size_t first = (row + 1) * w - 2;
            const auto part = [&](const Numbers& from, size_t each) {
                return Numbers(from.begin() + ptrdiff_t(first * each), from.begin() + ptrdiff_t((first + parts) * each));
            };
            return Run{{all.first.family, ptrdiff_t(parts), all.first.d, Numbers(parts, 1.0 / double(parts)),
                        part(all.means, d), part(all.covariances, size), {}}, {}};
        };
        const auto samples_of = [&](size_t c, const Run& run) {
            MixtureJob<T> alone = own[c].job;
            alone.n_components = int(run.now.k);
            return alone;
        };
        const int each = std::max(1, threads / int(all.count));
        parallel(ptrdiff_t(k), threads, [&](ptrdiff_t i) {
            const size_t c = size_t(i);
            own[c].take(some, shares + i * some.n_samples, least);
            Run whole = begun(c, 1);  // from wherever, the second iteration sees the samples' own moments
            const Limits both{0.0, std::get<1>(limits), std::get<2>(limits)};
            wholes[c] = -std::numeric_limits<double>::infinity();
            if (!own[c].weights.empty() && iterate(whole, samples_of(c, whole), added, noise, both, 2, 0, each))
                wholes[c] = whole.history.back() * own[c].total;
        });
        parallel(ptrdiff_t(all.count), threads, [&](ptrdiff_t i) {
            const size_t row = size_t(i), c = row % k, first = (row + 1) * w - 2;
            Run run = begun(row, 2);
            if (!std::isfinite(wholes[c])) return;
            if (!hasten(run, samples_of(c, run), added, noise, limits, iterations, each)) return;
            gains[row] = (run.history.back() * own[c].total - wholes[c]) / double(some.n_samples);
            const double both = all.weights[first] + all.weights[first + 1];
            for (size_t half = 0; half < 2; ++half) all.weights[first + half] = both * run.now.weights[half];
            std::copy(run.now.means.begin(), run.now.means.end(), all.means.begin() + ptrdiff_t(first * d));
            std::copy(run.now.covariances.begin(), run.now.covariances.end(), all.covariances.begin() + ptrdiff_t(first * size));
        });
        return gains;
    }
};

// Which numbers are the largest, those that are finite alone, at most so many of them.
std::vector<size_t> largest(const Numbers& values, size_t most) {
    std::vector<size_t> order;
    for (size_t i = 0; i < values.size(); ++i)
        if (std::isfinite(values[i])) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return values[i] > values[j]; });
    order.resize(std::min(order.size(), most));
    return order;
}

using Ways = std::tuple<int, bool, double>;
using Alone = std::tuple<int, double, int, int, double>;
using Round = std::tuple<int, int>;

std::vector<Round> rounds_of(const nb::tuple& rounds) {
    std::vector<Round> all;
    for (const nb::handle each : rounds) all.push_back(nb::cast<Round>(each));
    return all;
}

// Divides components until there are k; false where the samples do not support so many.
template <class T>
bool divide_down(Climber& now, const Division<T>& division, int k, const Ways& ways, const Alone& alone,
                 const std::vector<Round>& rounds) {
    const auto [ranks, in_scale, share] = ways;
    const auto [few, least, iterations, kept, little] = alone;
    MixtureJob<T> some = division.job;
    some.n_samples = std::min(some.n_samples, ptrdiff_t(few));
    while (now.k < k) {
        const std::vector<T> shares = shares_of(now, some);
        if (shares.empty()) return false;
        Several best = divided(now, ranks, in_scale, share), climbed = best;
        const Numbers gains = division.climb_halves(climbed, some, shares.data(), T(least), iterations);
        std::vector<size_t> chosen = largest(gains, size_t(kept * now.k));
        while (chosen.size() > 1 && gains[chosen.back()] < little * gains[chosen[0]]) chosen.pop_back();
        if (!chosen.empty()) best = climbed.select(chosen);
        for (const auto [most, left] : rounds) {
            const Numbers reached = climb_all(best, division.job, division.added, division.noise, division.limits, most,
                                              division.threads, true);
            best = best.select(largest(reached, size_t(left)));
            if (!best.count) return false;
        }
        now = best.mixture(0);
    }
    return true;
}

void require_divisible(const Climber& now, const Ways& ways, const Alone& alone) {
    require(!now.shared() && std::get<0>(ways) > 0 && std::get<0>(ways) <= now.d && std::get<0>(alone) > 0 &&
                std::get<2>(alone) > 0,
            "a common covariance is not divided, nor in no way");
}

template <class T>
nb::object divide(const Planes<T>& planes, const Start& start, int k, const Ways& ways, const Row& added, nb::object noise,
                  const Limits& limits, const Alone& alone, const nb::tuple& rounds, int threads) {
    Climber now = taken(start);
    require_divisible(now, ways, alone);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    const Division<T> division{checked<T>(planes, nb::none(), now, added, noise), added.data(), uncertain, limits, threads};
    const std::vector<Round> all_rounds = rounds_of(rounds);
    bool able;
    {
        nb::gil_scoped_release unlocked;
        able = divide_down(now, division, k, ways, alone, all_rounds);
    }
    if (!able) return nb::none();
    const size_t many = size_t(now.k), d = size_t(now.d);
    return nb::make_tuple(given(now.weights, {many}), given(now.means, {many, d}), shaped(now));
}

// One component of full covariance, of all samples: as gmmseg.mixture.kmeans.from_labels.
template <class T>
Climber whole_of(const MixtureJob<T>& job, const double* added) {
    const size_t d = size_t(job.n_features), n = size_t(job.n_samples);
    Climber now{Family::full, 1, ptrdiff_t(d), {1.0}, Numbers(d), Numbers(d * d), {}};
    // Samples less the first one, of which what they lie apart cancels no more than it says.
    Numbers values((d + 1) * kBatch), masses(kBatch), sums((d + 1) * (d + 1), 0.0);
    std::fill_n(values.begin(), kBatch, 1.0);
    const auto value = [&](size_t f, size_t i) {
        return double(job.samples[ptrdiff_t(f) * job.feature_stride + ptrdiff_t(i) * job.sample_stride]);
    };
    for (size_t first = 0; first < n; first += kBatch) {
        const size_t count = std::min<size_t>(kBatch, n - first);
        for (size_t f = 0; f < d; ++f)
            for (size_t i = 0; i < kBatch; ++i)
                values[(f + 1) * kBatch + i] = i < count ? value(f, first + i) - value(f, 0) : 0;
        for (size_t i = 0; i < kBatch; ++i) masses[i] = i < count;
        for (size_t r = 0; r <= d; ++r)
            kernels().algebra.add_batch(values.data() + r * kBatch, masses.data(), values.data(), ptrdiff_t(r + 1),
                                        sums.data() + r * (d + 1));
    }
    const double more = double(d) / (sums[0] + double(d));  // as if there were d samples more
    for (size_t r = 0; r < d; ++r) {
        const double* const row = sums.data() + (r + 1) * (d + 1);
        now.means[r] = value(r, 0) + row[0] / sums[0];
        const auto about = [&](size_t s) { return (row[s + 1] - row[0] * sums[(s + 1) * (d + 1)] / sums[0]) / sums[0]; };
        for (size_t s = 0; s <= r; ++s)
            now.covariances[r * d + s] = now.covariances[s * d + r] = about(s) + more * about(s);
        const double variance = about(r);
        now.covariances[r * d + r] += std::max(added[r], kLeast * (variance > 0 ? variance : 1));
    }
    return now;
}

template <class T>
nb::object begin(const Planes<T>& planes, int k, const Ways& ways, const Row& added, nb::object noise, const Limits& limits,
                 const Alone& alone, const nb::tuple& rounds, const Glance& glance, const Steps& steps, const Gains& gains,
                 int threads) {
    const size_t d = planes.shape(0);
    Climber now{Family::full, 1, ptrdiff_t(d), {1.0}, Numbers(d), Numbers(d * d), {}};
    require_divisible(now, ways, alone);
    require(planes.shape(1) > 0, "there is no sample");
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    Division<T> division{checked<T>(planes, nb::none(), now, added, noise), added.data(), uncertain, limits, threads};
    const std::vector<Round> all_rounds = rounds_of(rounds);
    Run run;
    double gained = 0;
    bool able;
    {
        nb::gil_scoped_release unlocked;
        now = whole_of(division.job, added.data());
        able = divide_down(now, division, k, ways, alone, all_rounds);
        if (able) {
            division.job.n_components = k;
            run.now = std::move(now);
            able = settle(run, division.job, added.data(), uncertain, limits, glance, steps, gains, threads, gained);
        }
    }
    if (!able) return nb::none();
    return nb::make_tuple(told(run), gained);
}

}  // namespace

void bind_dividing(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("divide", &divide<decltype(zero)>, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
              nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
        m.def("begin", &begin<decltype(zero)>, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(),
              nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
    m.def("divisions", &divisions);
}
