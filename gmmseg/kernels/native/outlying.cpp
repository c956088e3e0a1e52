// Samples that lie far out of all components, and which of these could make room for them: see gmmseg.mixture.rare.
#include <numeric>

#include "parting.h"

namespace {

using Rows = std::vector<ptrdiff_t>;

// Only some components of a mixture, in this order; their weights are scaled to 1.
Climber selected(const Climber& from, const Rows& rows) {
    const size_t d = size_t(from.d), size = from.covariances.size() / size_t(from.k);
    Climber some{from.family, ptrdiff_t(rows.size()), from.d, {}, {}, {}, {}};
    double total = 0;
    for (const ptrdiff_t row : rows) total += from.weights[size_t(row)];
    const auto append = [](Numbers& to, const Numbers& values, size_t row, size_t each) {
        to.insert(to.end(), values.begin() + ptrdiff_t(row * each), values.begin() + ptrdiff_t((row + 1) * each));
    };
    for (const ptrdiff_t row : rows) {
        some.weights.push_back(from.weights[size_t(row)] * (1 / total));
        append(some.means, from.means, size_t(row), d);
        append(some.covariances, from.covariances, size_t(row), size);
        if (!from.factors.empty()) append(some.factors, from.factors, size_t(row), from.factors.size() / size_t(from.k));
    }
    return some;
}

// All but one of some numbers.
Rows without(Rows rows, ptrdiff_t one) {
    rows.erase(std::remove(rows.begin(), rows.end(), one), rows.end());
    return rows;
}

// A mixture with those two of some components as one that merging costs least, the others last, and the lighter of them.
struct Merged {
    Climber whole;
    ptrdiff_t lighter = -1;
};

Merged merged(const Climber& from, const Rows& among) {
    Merger merger(moments_of(selected(from, among)), !from.diagonal(), from.family == Family::spherical);
    const Rows into = merger.down_to(among.size() - 1);
    Merged found{mixture_of(std::move(merger.all), from.family)};
    double share = 0;
    for (const ptrdiff_t row : among) share += from.weights[size_t(row)];
    for (double& each : found.whole.weights) each *= share;
    for (size_t i = 0; i < into.size(); ++i) {
        if (std::count(into.begin(), into.end(), into[i]) < 2) continue;
        if (found.lighter < 0 || from.weights[size_t(among[i])] < from.weights[size_t(found.lighter)]) found.lighter = among[i];
    }
    const size_t d = size_t(from.d), size = from.covariances.size() / size_t(from.k);
    for (size_t row = 0; row < size_t(from.k); ++row) {
        if (std::find(among.begin(), among.end(), ptrdiff_t(row)) != among.end()) continue;
        const auto append = [row](Numbers& to, const Numbers& values, size_t each) {
            to.insert(to.end(), values.begin() + ptrdiff_t(row * each), values.begin() + ptrdiff_t((row + 1) * each));
        };
        append(found.whole.weights, from.weights, 1);
        append(found.whole.means, from.means, d);
        append(found.whole.covariances, from.covariances, size);
    }
    found.whole.k = ptrdiff_t(found.whole.weights.size());
    return found;
}

// Least and most weight of a class, what its parameters fit by chance, up to what weight a component is a light one, the
// least gain, what EM takes back of a merger, and the squared distance that is far.
using Marks = std::tuple<double, double, double, double, double, double, double>;
// Most samples of either kind, and most light components.
using Most = std::tuple<int, int, int>;

template <class T>
class Outlying {
public:
    Outlying(const MixtureJob<T>& job, const Climber& now, const Marks& marks, const Most& most, int threads)
        : job(job), now(now), marks(marks), most(most), threads(threads), n(job.n_samples), every(size_t(now.k)) {
        std::iota(every.begin(), every.end(), 0);
    }

    // What makes room for what, where it could be worth it: see gmmseg.mixture.rare, `_ways`.
    struct Way {
        int kind;  // how many ways there were before, at most two
        Climber fewer;
        std::vector<std::int64_t> places;
        std::vector<T> weights;
        ptrdiff_t n_far;
        double needed;
    };

    // False where a feature is missing, or a component without volume.
    bool find(std::vector<Way>& found) {
        const auto [least, limit, chance, rare, worthwhile, taken_back, distance] = marks;
        std::vector<char> bad(every.size(), 0);
        if (!now.factorise(bad)) return false;
        Rows light, heavy;
        for (const ptrdiff_t c : every) (now.weights[size_t(c)] <= rare ? light : heavy).push_back(c);
        std::vector<std::int64_t> labels(size_t(n), 0);
        of_light.assign(size_t(n), 0);
        densities.resize(size_t(n));
        std::vector<T> own(static_cast<size_t>(n));
        if (!light.empty()) {
            classify(labels.data());
            for (size_t i = 0; i < size_t(n); ++i) of_light[i] = now.weights[size_t(labels[i])] <= rare;
        }
        const Rows& pairs = heavy.size() > 1 ? heavy : every;
        const Merged one = merged(now, pairs);
        std::vector<char> far(static_cast<size_t>(n));
        if (!far_out(now, densities.data(), far)) return false;
        if (!consider(found, 0, one.whole, far, limit, chance)) return false;
        const Rows others = without(every, pairs.size() == every.size() ? one.lighter : merged(now, every).lighter);
        const Climber rest = selected(now, others);
        if (!far_out(rest, own.data(), far) || !consider(found, 1, rest, far, rare, 0)) return false;
        std::stable_sort(light.begin(), light.end(),
                         [&](ptrdiff_t a, ptrdiff_t b) { return now.weights[size_t(a)] > now.weights[size_t(b)]; });
        Rows ordered = light;
        std::sort(ordered.begin(), ordered.end());
        for (size_t i = 0; i < std::min(light.size(), size_t(std::get<2>(most))); ++i) {
            for (size_t v = 0; v < size_t(n); ++v) far[v] = labels[v] == light[i];
            for (const bool is_light : {true, false}) {
                const Rows pair = is_light ? without(ordered, light[i]) : heavy;
                if (pair.size() < 2) continue;
                const Merged whole = is_light || &pairs != &heavy ? merged(now, pair) : one;
                Rows kept;  // all but the light one, which is one of those that are no pair
                ptrdiff_t place = ptrdiff_t(pair.size()) - 1;
                for (const ptrdiff_t c : every) place += c < light[i] && std::find(pair.begin(), pair.end(), c) == pair.end();
                for (ptrdiff_t c = 0; c < whole.whole.k; ++c)
                    if (c != place) kept.push_back(c);
                if (!consider(found, 2, selected(whole.whole, kept), far, 1, chance)) return false;
            }
        }
        return true;
    }

private:
    MixtureJob<T> job;
    Climber now;
    const Marks& marks;
    const Most& most;
    const int threads;
    const ptrdiff_t n;
    Rows every;
    std::vector<char> of_light;
    std::vector<T> densities;  // logarithms, under the whole mixture

    double mass(size_t i) const { return job.weights ? double(job.weights[i]) : 1.0; }

    MixtureJob<T> under(const Climber& some, const MixtureJob<T>& samples, std::vector<T>& values, Numbers& constants) const {
        MixtureJob<T> own = samples;
        own.weights = nullptr;
        own.n_components = int(some.k);
        constants.resize(size_t(some.k));
        some.constants(nullptr, constants.data());
        values.resize(size_t(some.k * own.params_per_component()));
        pack_parameters(own, constants.data(), some.means.data(), some.factors.data(), values.data());
        own.params = values.data();
        return own;
    }

    bool log_densities(const Climber& some, const MixtureJob<T>& samples, T* out, Numbers& constants) const {
        std::vector<T> values;
        const MixtureJob<T> own = under(some, samples, values, constants);
        return all_known(own, threads, [&](ptrdiff_t b, ptrdiff_t e) {
            if constexpr (sizeof(T) == 4) return kernels().mixture.posterior_f32(own, b, e, nullptr, 0, out);
            else return kernels().mixture.posterior_f64(own, b, e, nullptr, 0, out);
        });
    }

    void classify(std::int64_t* out) const {
        std::vector<T> values;
        Numbers constants;
        const MixtureJob<T> own = under(now, job, values, constants);
        all_known(own, threads, [&](ptrdiff_t b, ptrdiff_t e) {
            if constexpr (sizeof(T) == 4) return kernels().mixture.classify_f32(own, b, e, nullptr, out, 0);
            else return kernels().mixture.classify_f64(own, b, e, nullptr, out, 0);
        });
    }

    // Which samples lie so far from each component as hardly one of a Gaussian one does; those are less likely than all
    // components are in their middle, by so much.
    bool far_out(const Climber& some, T* logarithms, std::vector<char>& far) const {
        Numbers constants;
        if (!log_densities(some, job, logarithms, constants)) return false;
        const double limit = std::get<6>(marks), highest = *std::max_element(constants.begin(), constants.end());
        double sum = 0;
        for (const double each : constants) sum += std::exp(each - highest);
        const double level = highest + std::log(sum) - limit / 2;
        for (ptrdiff_t i = 0; i < n; ++i) {
            far[size_t(i)] = double(logarithms[i]) < level;
            for (ptrdiff_t c = 0; c < some.k && far[size_t(i)]; ++c) far[size_t(i)] = distance(some, c, i) > limit;
        }
        return true;
    }

    double distance(const Climber& some, ptrdiff_t c, ptrdiff_t i) const {
        const ptrdiff_t d = some.d;
        const double *const mean = some.means.data() + c * d, *factor = some.factors.data() + c * d * (some.diagonal() ? 1 : d);
        const auto apart = [&](ptrdiff_t f) { return double(job.samples[f * job.feature_stride + i * job.sample_stride]) - mean[f]; };
        double whole = 0;
        for (ptrdiff_t r = 0; r < d; ++r) {
            double along = 0;
            if (some.diagonal()) along = factor[r] * apart(r);
            else
                for (ptrdiff_t f = 0; f <= r; ++f) along += factor[r * d + f] * apart(f);
            whole += along * along;
        }
        return whole;
    }

    // Adds a way where the weight of the far samples is that of a class, and what they could gain at most is enough:
    // as if each of them came to the middle of the narrowest component.
    bool consider(std::vector<Way>& found, int kind, const Climber& fewer, const std::vector<char>& far, double limit,
                  double gain) const {
        const auto [least, all, chance, rare, worthwhile, taken_back, distance] = marks;
        double part = 0, whole = 0;
        for (size_t i = 0; i < size_t(n); ++i) {
            whole += mass(i);
            if (far[i]) part += mass(i);
        }
        if (!(least / 3 <= part / whole && part / whole <= limit)) return true;
        Way way{kind, fewer, {}, {}, 0, std::max(worthwhile, gain)};
        Numbers own;
        choose(way, far, own);
        std::vector<char> bad(size_t(fewer.k), 0);
        const bool usable = way.fewer.factorise(bad);
        Numbers constants(static_cast<size_t>(now.k));
        now.constants(nullptr, constants.data());
        double middle = -std::numeric_limits<double>::infinity(), gained = 0, total = 0;
        for (size_t c = 0; c < constants.size(); ++c) middle = std::max(middle, constants[c] - std::log(now.weights[c]));
        const size_t n_near = way.places.size() - size_t(way.n_far), d = size_t(now.d);
        std::vector<T> near(n_near * d), under_fewer(n_near);
        MixtureJob<T> samples = job;
        samples.samples = near.data();
        samples.n_samples = samples.feature_stride = ptrdiff_t(n_near);
        samples.sample_stride = 1;
        for (size_t f = 0; f < d; ++f)
            for (size_t i = 0; i < n_near; ++i)
                near[f * n_near + i] = job.samples[ptrdiff_t(f) * job.feature_stride +
                                                   way.places[size_t(way.n_far) + i] * job.sample_stride];
        if (!usable || !log_densities(way.fewer, samples, under_fewer.data(), constants)) return false;
        for (size_t i = 0; i < way.places.size(); ++i) {
            const double weight = double(way.weights[i]), density = double(densities[size_t(way.places[i])]);
            const bool is_far = i < size_t(way.n_far);
            gained += weight * (is_far ? middle - density : double(under_fewer[i - size_t(way.n_far)]) - density);
            total += weight;
        }
        if (gained / total >= way.needed - taken_back) found.push_back(std::move(way));
        return true;
    }

    // Some of the samples, those that are far first, then those of light components, and their weights, which stand for
    // all: see gmmseg.mixture.rare, `_some`.
    void choose(Way& way, const std::vector<char>& far, Numbers& own) const {
        std::vector<std::int64_t> parts[3];
        for (size_t i = 0; i < size_t(n); ++i) parts[far[i] ? 0 : of_light[i] ? 1 : 2].push_back(std::int64_t(i));
        double sum = 0;
        for (int p = 0; p < 3; ++p) {
            const std::vector<std::int64_t>& all = parts[p];
            const size_t room = size_t(p < 2 ? std::get<0>(most) : std::get<1>(most)), first = own.size();
            const double step = double(all.size()) / double(room);
            double whole = 0, taken = 0;
            for (const std::int64_t i : all) whole += mass(size_t(i));
            for (size_t j = 0; j < std::min(room, all.size()); ++j) {
                way.places.push_back(all.size() > room ? all[size_t(double(j) * step)] : all[j]);
                own.push_back(mass(size_t(way.places.back())));
                taken += own.back();
            }
            const double share = all.size() > room ? whole / std::max(taken, std::numeric_limits<double>::min()) : 1;
            for (size_t j = first; j < own.size(); ++j) sum += own[j] *= share;
            if (p == 0) way.n_far = ptrdiff_t(own.size());
        }
        for (const double each : own) way.weights.push_back(T(each / (sum / double(own.size()))));
    }
};

template <class T>
nb::object outlying(const Planes<T>& planes, nb::object weights, const Start& start, const Marks& marks, const Most& most,
                    int threads) {
    const Climber now = taken(start);
    require(!now.shared() && now.k > 1 && planes.shape(0) == size_t(now.d), "components or features do not fit");
    MixtureJob<T> job = job_of<T>(planes, int(now.k), now.diagonal());
    job.weights = weights_of(planes, weights);
    Outlying<T> all(job, now, marks, most, threads);
    std::vector<typename Outlying<T>::Way> ways;
    bool able;
    {
        nb::gil_scoped_release unlocked;
        able = all.find(ways);
    }
    if (!able) return nb::none();
    nb::list found;
    for (const auto& way : ways) {
        const size_t k = size_t(way.fewer.k), d = size_t(way.fewer.d), m = way.places.size();
        auto* places = new std::int64_t[m];
        auto* mass = new T[m];
        std::copy(way.places.begin(), way.places.end(), places);
        std::copy(way.weights.begin(), way.weights.end(), mass);
        const nb::ndarray<nb::numpy, std::int64_t> index(
            places, {m}, nb::capsule(places, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); }));
        const nb::ndarray<nb::numpy, T> own(mass, {m}, nb::capsule(mass, [](void* p) noexcept { delete[] static_cast<T*>(p); }));
        found.append(nb::make_tuple(way.kind, given(way.fewer.weights, {k}), given(way.fewer.means, {k, d}),
                                    shaped(way.fewer), index, own, way.n_far, way.needed));
    }
    return found;
}

}  // namespace

void bind_outlying(nb::module_& m) {
    const auto bind = [&](auto zero) {
        m.def("outlying", &outlying<decltype(zero)>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
              nb::arg(), nb::arg());
    };
    bind(0.0f);
    bind(0.0);
}
