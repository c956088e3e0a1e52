// Samples of a run of EM in order, chunk by chunk: those that the same components reach lie side by side, so that whole
// registers are left out of the others. Included by running.h.
#pragma once
#include <memory>

#include "lasting.h"

class Arranged {
public:
    const bool able;

    // For so many iterations at most. With fewer than four components, or variances alone, sorting takes what it saves.
    template <class T>
    Arranged(const MixtureJob<T>& job, int iterations)
        : able(sizeof(T) == 4 && kernels().mixture.keeps_order && !job.diagonal && !job.dof && !job.log_prior &&
               job.n_features <= kUnrolledFeatures && job.n_components >= 4 && job.n_components <= 32 &&
               job.n_samples >= kBlock && job.n_samples < kMost / job.n_features),
          iterations(iterations),
          next(std::max(2, kFirst / job.n_components)) {}

    // As all_statistics.
    double statistics(MixtureJob<float> job, const Place& now, Crew& crew, double* out) {
        const bool anew = steps == next && (iterations - steps) * job.n_components >= kWorth;
        ++steps;
        if (!anew && !planes) return all_statistics(job, crew, out);
        const ptrdiff_t n = job.n_samples, k = job.n_components, blocks = (n + kBlock - 1) / kBlock;
        if (planes) {
            job.samples = planes.get();
            job.feature_stride = n;
            job.sample_stride = 1;
            if (job.weights) job.weights = weights.get();
        }
        if (anew && !planes) {
            planes.reset(new float[size_t(n * job.n_features)]);
            if (job.weights) weights.reset(new float[size_t(n)]);
        }
        follow(now);
        std::atomic<ptrdiff_t> reached{0};
        const Reach reach{distances.data(), levels.data(), nearer.data(), moved.data(), shares.data(), parts.data(),
                          anew ? planes.get() : nullptr, weights.get(), &reached};
        job.reach = &reach;
        const double loglik = all_statistics(job, crew, out);
        if (anew) {
            distances.assign(size_t(blocks * k * kGranules), 0.0f);
            levels.assign(size_t(blocks * kGranules), kUnknown);
            next *= kLater;
            if (double(reached) > kReached * double(n * k)) planes.reset();
        }
        return loglik;
    }

private:
    static constexpr ptrdiff_t kMost = 1 << 26;  // numbers of which a copy is made
    // Iterations times components that are over when samples are sorted, and that must be left. Later once more.
    static constexpr int kFirst = 16, kWorth = 96, kLater = 4;
    static constexpr double kReached = 0.7;  // parts of samples in components with which it pays
    static constexpr float kUnknown = -1e30f;

    const int iterations;
    int steps = 0, next;
    std::unique_ptr<float[]> planes, weights;
    std::vector<float> distances, levels, nearer, moved, shares, parts;
    Numbers factors, means;  // of the iteration before

    // How much nearer components may have come since the iteration before. A sample at y = F (x - mean) comes to
    // G (x - other mean) = M y - G (other mean - mean), and |M y| is at least |y| over the norm of the inverse of M,
    // which is F times that of G; the norm is Frobenius's of what is beside the identity, and 1.
    void follow(const Place& now) {
        const ptrdiff_t k = now.k, d = now.d;
        for (std::vector<float>* each : {&nearer, &moved, &shares, &parts}) each->assign(size_t(k), 0.0f);
        Numbers root(static_cast<size_t>(d * d));
        for (ptrdiff_t c = 0; c < k; ++c) {
            const double part = std::log2(now.weights[c]) - kLost<float>;
            parts[size_t(c)] = float(part);
            shares[size_t(c)] = float(std::exp2(part));
            if (factors.empty()) continue;
            const double *const before = factors.data() + c * d * d, *const factor = now.factors + c * d * d;
            kernels().algebra.invert_lower(factor, d, root.data());
            double off = 0, shift = 0;
            for (ptrdiff_t i = 0; i < d; ++i) {
                double along = 0;
                for (ptrdiff_t j = 0; j <= i; ++j) {
                    double sum = i == j ? -1 : 0;
                    for (ptrdiff_t r = j; r <= i; ++r) sum += before[i * d + r] * root[size_t(r * d + j)];
                    off += sum * sum;
                    along += factor[i * d + j] * (now.means[c * d + j] - means[size_t(c * d + j)]);
                }
                shift += along * along;
            }
            nearer[size_t(c)] = float(1 / (1 + std::sqrt(off)));
            moved[size_t(c)] = float(std::sqrt(kLog2e / 2 * shift));
        }
        factors.assign(now.factors, now.factors + k * d * d);
        means.assign(now.means, now.means + k * d);
    }
};
