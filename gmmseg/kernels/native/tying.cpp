// Classes heard together with their neighbours, in one call: see gmmseg.fitting.hmrf, whose loop this is for a single
// picture without anything further.
#include "reserving.h"
#include "running.h"

namespace {

template <class T, int N>
using Packed = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

// Offsets of neighbours, what share of all that is heard each says, sharpness, and sweeps.
using Heard = std::tuple<Packed<std::int64_t, 2>, Packed<double, 1>, Packed<float, 1>, int>;
// Nats that all neighbours say at strength 1, those that drown shares, and the error up to which these are heard; change
// of the nats after which they are found, and steps of Newton's method.
using Law = std::tuple<double, double, double, double, int>;
// The strength, and whether it is estimated; error of the classes without neighbours; pixels that a class needs; change
// of the means after which they have settled; by how much the samples that judge may become less likely.
using Bounds = std::tuple<double, bool, double, double, double, double>;

class Tie {
public:
    Tie(const Packed<float, 2>& planes, const Packed<std::uint8_t, 2>& valid, const Packed<float, 1>& weights,
        const Heard& heard, const Law& law, const Bounds& bounds, const Climber& now, int threads)
        : heard(heard), law(law), bounds(bounds), valid(valid.data()), rows(ptrdiff_t(valid.shape(0))),
          columns(ptrdiff_t(valid.shape(1))), n(rows * columns), threads(threads), crew(threads), now(now),
          shares(now.weights), alone(size_t(now.k * n)), q(alone.size()) {
        const auto& [offsets, parts, sharpness, sweeps] = heard;
        require(planes.shape(0) == size_t(now.d) && planes.shape(1) == size_t(n) && weights.shape(0) == size_t(n),
                "planes, valid and weights differ in their numbers of pixels or features");
        require(offsets.shape(1) == 3 && offsets.shape(0) == parts.shape(0) && sharpness.shape(0) <= planes.shape(0) &&
                    sweeps > 0 && !now.shared() && now.k <= 255,
                "offsets, strengths, sharpness or components do not fit");
        strengths.resize(parts.shape(0));
        job = job_of<float>(planes, int(now.k), now.diagonal());
        job.weights = weights.data();
        for (ptrdiff_t i = 0; i < n; ++i)
            if (weights.data()[i] > 0) lightest = std::min(lightest, double(weights.data()[i]));
    }

    double strength() const { return std::get<0>(bounds); }

    // Hears neighbours, and takes the classes as they are then; false where features are missing or a class is without
    // volume. `moved` becomes how far the means have.
    bool step(const double* added, double& moved) {
        if (!expect()) return false;
        if (std::get<1>(bounds)) estimate();
        const Climber before = now;
        if (!maximise(added)) return false;
        moved = 0;
        for (size_t i = 0; i < now.means.size(); ++i) moved = std::max(moved, std::abs(now.means[i] - before.means[i]));
        return true;
    }

    // Mean of the log-likelihood of samples, expected over the noise; NaN where features are missing.
    double likelihood(MixtureJob<float> samples, const double* noise) {
        Numbers constants(static_cast<size_t>(now.k));
        now.constants(noise, constants.data());
        std::vector<float> values, each(size_t(samples.n_samples));
        double sum = 0, mass = 0;
        if (!posterior(samples, constants, values, nullptr, each.data())) return std::numeric_limits<double>::quiet_NaN();
        for (size_t i = 0; i < each.size(); ++i) {
            const double weight = samples.weights ? double(samples.weights[i]) : 1.0;
            sum += weight * double(each[i]);
            mass += weight;
        }
        return sum / std::max(mass, 1.0);
    }

    bool factorise() {
        std::vector<char> bad(size_t(now.k), 0);
        return now.factorise(bad);
    }

private:
    const Heard& heard;
    const Law& law;
    Bounds bounds;
    const std::uint8_t* valid;
    const ptrdiff_t rows, columns, n;
    const int threads;
    Crew crew;

public:
    Climber now;

private:
    const Numbers shares;  // of the classes without neighbours
    std::vector<float> alone, q, strengths;
    MixtureJob<float> job;
    double lightest = std::numeric_limits<double>::infinity();  // pixel that has a weight

    bool posterior(MixtureJob<float>& of, const Numbers& constants, std::vector<float>& values, float* out, float* density) {
        values.resize(size_t(now.k * of.params_per_component()));
        pack_parameters(of, constants.data(), now.means.data(), now.factors.data(), values.data());
        of.params = values.data();
        return all_known(of, threads, [&](ptrdiff_t b, ptrdiff_t e) {
            return kernels().mixture.posterior_f32(of, b, e, out, of.n_samples, density);
        });
    }

    // Shares to a power, see gmmseg.spatial.smoothing.share_power.
    Numbers tempered() const {
        const auto [strongest, enough, apart, settled, steps] = law;
        const double said = strongest * strength() * strength() / enough, error = std::get<2>(bounds) / apart;
        const double power = 1 - (1 - std::exp(-said * said)) * (1 - std::exp(-error * error));
        Numbers found(shares);
        double whole = 0, sum = 0;
        for (double& each : found) {
            whole += each;
            sum += each = std::pow(each > 0 ? each : std::numeric_limits<double>::min(), power);
        }
        for (double& each : found) each *= whole / sum;
        return found;
    }

    void share_out(double total, std::vector<float>& to) const {
        for (size_t i = 0; i < to.size(); ++i) to[i] = float(std::get<1>(heard).data()[i] * total / 2);
    }

    bool expect() {
        const auto& [offsets, parts, sharpness, sweeps] = heard;
        Climber equal = now;
        equal.weights = tempered();
        Numbers constants(static_cast<size_t>(now.k));
        equal.constants(nullptr, constants.data());
        std::vector<float> values;
        if (!posterior(job, constants, values, alone.data(), nullptr)) return false;
        share_out(std::get<0>(law) * strength() * strength(), strengths);
        SmoothJob smooth{};
        smooth.prior = alone.data();
        smooth.guide = job.samples;
        smooth.valid = valid;
        smooth.n_classes = int(now.k);
        smooth.n_guides = int(sharpness.shape(0));
        smooth.n_offsets = int(offsets.shape(0));
        smooth.offsets = offsets.data();
        smooth.strengths = strengths.data();
        smooth.sharpness = sharpness.data();
        smooth.sweeps = sweeps;
        smooth.probabilities = q.data();
        smooth.reserve = reserve;
        const ptrdiff_t size[] = {1, rows, columns}, strides[] = {n, n, columns, 1};
        std::copy_n(size, 3, smooth.size);
        std::copy_n(size, 3, smooth.inner_size);
        std::copy_n(strides, 4, smooth.probability_strides);
        kernels().smooth(smooth);
        return true;
    }

    void estimate() {
        const auto& [offsets, parts, sharpness, sweeps] = heard;
        const auto [strongest, enough, apart, settled, steps] = law;
        share_out(1, strengths);
        std::vector<float> edges(static_cast<size_t>(columns)), said(q.size(), 0.0f), highest(static_cast<size_t>(n));
        AgreementJob agreement{};
        agreement.q = q.data();
        agreement.guide = job.samples;
        agreement.valid = agreement.counted = valid;
        agreement.n_patches = 1;
        const ptrdiff_t size[] = {1, rows, columns};
        std::copy_n(size, 3, agreement.size);
        agreement.n_classes = int(now.k);
        agreement.n_guides = int(sharpness.shape(0));
        agreement.n_offsets = int(offsets.shape(0));
        agreement.offsets = offsets.data();
        agreement.strengths = strengths.data();
        agreement.sharpness = sharpness.data();
        agreement.most = strongest;
        agreement.settled = settled;
        agreement.steps = steps;
        agreement.edges = edges.data();
        agreement.said = said.data();
        agreement.highest = highest.data();
        std::get<0>(bounds) = std::sqrt(kernels().agreement(agreement, strongest * strength() * strength()) / strongest);
    }

    // An M step: what neighbours make of posteriors are responsibilities. Classes of too few pixels keep mean and
    // covariance.
    bool maximise(const double* added) {
        const Numbers zeros(static_cast<size_t>(now.k), 0.0);  // for constants, which nobody reads
        Numbers sums(size_t(job.sums()), 0.0);
        std::vector<float> values(size_t(now.k * job.params_per_component()));
        MixtureJob<float> heard_job = job;
        pack_parameters(heard_job, zeros.data(), now.means.data(), now.factors.data(), values.data());
        heard_job.params = values.data();
        heard_job.given = q.data();
        heard_job.given_stride = n;
        all_statistics(heard_job, crew, sums.data());
        const size_t columns_of = size_t(job.params_per_component()), d = size_t(now.d), k = size_t(now.k);
        Climber next = now;
        next.step<float>(sums.data(), added);
        std::vector<char> kept(k, 0), none(k, 0);
        for (size_t c = 0; c < k; ++c) kept[c] = sums[c * columns_of] < std::max(std::get<3>(bounds), 0.999 * lightest);
        next.factorise(kept);
        const size_t size = next.covariances.size() / k;
        for (size_t c = 0; c < k; ++c) {
            if (!kept[c]) continue;
            std::copy_n(now.means.begin() + ptrdiff_t(c * d), d, next.means.begin() + ptrdiff_t(c * d));
            std::copy_n(now.covariances.begin() + ptrdiff_t(c * size), size, next.covariances.begin() + ptrdiff_t(c * size));
        }
        now = next;
        return now.factorise(none);
    }
};

nb::object tie(const Packed<float, 2>& planes, const Packed<std::uint8_t, 2>& valid, const Packed<float, 1>& weights,
               const Start& start, const Row& added, nb::object noise, const Heard& heard, const Law& law,
               const Bounds& bounds, const Planes<float>& judges, nb::object judge_weights, int iterations, int threads) {
    const Climber begun = taken(start);
    const double* uncertain = noise.is_none() ? nullptr : nb::cast<Row>(noise).data();
    const MixtureJob<float> samples = checked<float>(judges, judge_weights, begun, added, noise);
    Tie tie(planes, valid, weights, heard, law, bounds, begun, threads);
    const auto [strength, estimated, error, few, settled, fall] = bounds;
    bool able, accepted = true;
    {
        nb::gil_scoped_release unlocked;
        able = tie.factorise();
        const double least = able ? tie.likelihood(samples, uncertain) - fall : 0;
        able = able && std::isfinite(least);
        double moved = std::numeric_limits<double>::infinity();
        for (int i = 0; i < iterations && able && accepted && !(moved < settled); ++i) {
            able = tie.step(added.data(), moved);
            accepted = able && tie.likelihood(samples, uncertain) > least;
        }
    }
    if (!able) return nb::none();
    Run run{tie.now, {}};
    return nb::make_tuple(accepted, tie.strength(), told(run));
}

}  // namespace

void bind_tying(nb::module_& m) {
    m.def("tie", &tie, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(), nb::arg(),
          nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg());
}
