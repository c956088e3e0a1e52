// Sums over samples in a run of EM. Those of samples that surely belong to one component stand while parameters move
// by less than was allowed for when they were taken, and only the others are visited, as in k-means with the bounds of
// Elkan (2003) and Hamerly (2010). What is left out of any component is less than rounding in its sums.
#pragma once
#include "summing.h"

// Parameters that EM has come to, of full covariances.
struct Place {
    ptrdiff_t k, d;
    bool shared;  // one covariance for all
    const double *weights, *constants, *means, *covariances, *factors;
};

// How far components move at most: a factor times the inverse of the one before is off the identity by `spread` (its
// spectral norm), a mean moves by `shift` in the metric of the new factor, a constant by `level`; in units of log2.
struct Allowance {
    double spread, shift, level;
};

template <class T>
class Lasting {
public:
    explicit Lasting(const MixtureJob<T>& job)
        : able(!job.diagonal && !job.dof && !job.log_prior && job.n_features > kUnrolledFeatures &&
               job.n_components > 1 && job.n_components < kNone && job.n_samples < ptrdiff_t(0xffffffff) &&
               job.n_samples >= kMany * (job.n_components + job.n_features)) {}

    // As all_statistics.
    double statistics(MixtureJob<T> job, const Place& now, Crew& crew, double* out) {
        if (!able) return all_statistics(job, crew, out);
        ++steps;
        if (pause > 0) {
            --pause;
            return all_statistics(job, crew, out);
        }
        const Allowance moved = roots.empty() ? Allowance{} : drift(now), next = foreseen(moved);
        if (stands && within(moved, allowed) && !is_loose(job, next)) {
            job.places = open.data();
            job.n_samples = ptrdiff_t(open.size());
            const double rest = all_statistics(job, crew, out);
            return rest + add_sums(now, out);
        }
        const bool slow = within(next, kMost);
        set_out_from(now);
        if (!slow) return all_statistics(job, crew, out);
        allowed = next;
        return take_sums(job, now, crew, out);
    }

private:
    static constexpr Allowance kLeast{0.01, 0.05, 0.05}, kMost{0.125, 1.0, 2.0};
    static constexpr ptrdiff_t kMany = 256;  // samples for each component and feature; of fewer, drifts cost too much
    static constexpr double kAhead = 6;      // steps, as long as those before, that are allowed for
    static constexpr ptrdiff_t kEnough = 3;  // sums are kept if one sample in so many is sure
    static constexpr int kLongest = 32;      // iterations without another look where few samples are sure
    static constexpr double kLost = sizeof(T) == 4 ? 32 : 64, kLog2e = 1.442695040888963407359924681;

    const bool able;
    bool stands = false;
    int steps = 0, pause = 0, wait = 1;
    Allowance allowed{};
    std::vector<double> roots, means, constants, sums;  // where they were taken: lower roots of covariances, origins
    std::vector<std::uint8_t> sure;
    std::vector<std::uint32_t> open;  // samples that are not sure

    static bool within(const Allowance& a, const Allowance& b) {
        return a.spread <= b.spread && a.shift <= b.shift && a.level <= b.level;
    }

    Allowance foreseen(const Allowance& moved) const {
        if (roots.empty()) return kMost;
        const double more = kAhead / steps;
        return {std::max(more * moved.spread, kLeast.spread), std::max(more * moved.shift, kLeast.shift),
                std::max(more * moved.level, kLeast.level)};
    }

    // Whether so much less would do that more samples might be sure.
    bool is_loose(const MixtureJob<T>& job, const Allowance& next) const {
        return steps > kAhead && 16 * ptrdiff_t(open.size()) > job.n_samples && 4 * next.spread <= allowed.spread &&
               4 * next.shift <= allowed.shift;
    }

    void set_out_from(const Place& now) {
        steps = 0;
        stands = false;
        constants.assign(now.constants, now.constants + now.k);
        means.assign(now.means, now.means + now.k * now.d);
        roots.assign(now.covariances, now.covariances + (now.shared ? 1 : now.k) * now.d * now.d);
        for (ptrdiff_t c = 0; c < (now.shared ? 1 : now.k); ++c)
            kernels().algebra.cholesky(roots.data() + c * now.d * now.d, now.d);
    }

    // How far parameters have moved since; the norm is Frobenius's, which is no less than the spectral one.
    Allowance drift(const Place& now) const {
        const ptrdiff_t d = now.d;
        const double scale = std::sqrt(kLog2e / 2);
        Allowance most{};
        std::vector<double> row(static_cast<size_t>(d));
        for (ptrdiff_t c = 0; c < now.k; ++c) {
            const double* const root = roots.data() + (now.shared ? 0 : c * d * d);
            double off = 0, shift = 0;
            for (ptrdiff_t i = 0; i < d; ++i) {
                const double* const factor = now.factors + (c * d + i) * d;
                std::fill_n(row.data(), i + 1, 0.0);
                row[size_t(i)] = -1;
                double along = 0;
                for (ptrdiff_t j = 0; j <= i; ++j) {
                    for (ptrdiff_t r = 0; r <= j; ++r) row[size_t(r)] += factor[j] * root[j * d + r];
                    along += factor[j] * (now.means[c * d + j] - means[size_t(c * d + j)]);
                }
                for (ptrdiff_t r = 0; r <= i; ++r) off += row[size_t(r)] * row[size_t(r)];
                shift += along * along;
            }
            // What is undefined is no small number either.
            const double level = std::abs(now.constants[c] - constants[size_t(c)]);
            if (!(off <= most.spread * most.spread)) most.spread = std::sqrt(off);
            if (!(scale * scale * shift <= most.shift * most.shift)) most.shift = scale * std::sqrt(shift);
            if (!(kLog2e * level <= most.level)) most.level = kLog2e * level;
        }
        return most;
    }

    // Sums over all samples; what is sure while parameters stay within what is allowed is kept. The distance q of a
    // sample, whose log2 density is t = constant - q^2, becomes at most (1 + e) q + s and at least (1 - e) q - s, where
    // 2 q s <= e q^2 + s^2 / e. A component that is left out of all samples loses kLost of its sums.
    double take_sums(MixtureJob<T> job, const Place& now, Crew& crew, double* out) {
        const double e = allowed.spread, more = 1 + e, less = 1 - e, square = allowed.shift * allowed.shift;
        const double falls = more * more + e, rises = less * less - e;
        std::vector<double> own, other;
        for (ptrdiff_t c = 0; c < now.k; ++c) {
            const double constant = kLog2e * now.constants[c];
            own.push_back(constant * (1 - falls) - square * (1 + more * more / e) - allowed.level);
            other.push_back(constant * (1 - rises) + square * (less * less / e - 1) + allowed.level + kLost -
                            std::log2(now.weights[c]));
        }
        const Margins margins{falls, rises, own.data(), other.data()};
        sure.resize(size_t(job.n_samples));
        job.sure = sure.data();
        job.margins = &margins;
        sums.assign(size_t(job.sums()), 0.0);
        const double loglik = all_statistics(job, crew, sums.data());
        const size_t size = sums.size() / 2;
        for (size_t i = 0; i < size; ++i) out[i] += sums[i] + sums[size + i];
        open.clear();
        for (size_t i = 0; i < sure.size(); ++i)
            if (sure[i] == kNone) open.push_back(std::uint32_t(i));
        const ptrdiff_t certain = job.n_samples - ptrdiff_t(open.size());
        stands = kEnough * certain >= job.n_samples;
        if (!stands) pause = wait;
        wait = stands ? 1 : std::min(2 * wait, kLongest);
        return loglik;
    }

    // Adds what the sums that stand are about other means, and returns their part in the likelihood.
    double add_sums(const Place& now, double* out) const {
        const ptrdiff_t d = now.d, step = 1 + d + d * (d + 1) / 2;
        std::vector<double> precision(static_cast<size_t>(d * (d + 1) / 2)), shift(static_cast<size_t>(d));
        double loglik = 0;
        for (ptrdiff_t c = 0; c < now.k; ++c, out += step) {
            const double *const own = sums.data() + (now.k + c) * step, count = *own, *const first = own + 1;
            const double *const second = first + d, *const mean = now.means + c * d, *const before = means.data() + c * d;
            std::fill(precision.begin(), precision.end(), 0.0);
            for (ptrdiff_t r = 0; r < d; ++r) {
                const double* const row = now.factors + (c * d + r) * d;
                for (ptrdiff_t i = 0; i <= r; ++i)
                    for (ptrdiff_t j = 0; j <= i; ++j) precision[size_t(i * (i + 1) / 2 + j)] += row[i] * row[j];
            }
            const auto moved = [&](ptrdiff_t i, ptrdiff_t j) {
                const double a = shift[size_t(i)], b = shift[size_t(j)];
                return second[i * (i + 1) / 2 + j] - a * first[j] - b * first[i] + count * a * b;
            };
            for (ptrdiff_t i = 0; i < d; ++i) shift[size_t(i)] = mean[i] - double(T(before[i]));
            double distances = 0;
            for (ptrdiff_t i = 0; i < d; ++i)
                for (ptrdiff_t j = 0; j <= i; ++j)
                    distances += (i == j ? 0.5 : 1.0) * precision[size_t(i * (i + 1) / 2 + j)] * moved(i, j);
            loglik += count * now.constants[c] - distances;
            for (ptrdiff_t i = 0; i < d; ++i) shift[size_t(i)] = double(T(mean[i])) - double(T(before[i]));
            out[0] += count;
            for (ptrdiff_t i = 0; i < d; ++i) out[1 + i] += first[i] - count * shift[size_t(i)];
            for (ptrdiff_t i = 0; i < d; ++i)
                for (ptrdiff_t j = 0; j <= i; ++j) out[1 + d + i * (i + 1) / 2 + j] += moved(i, j);
        }
        return loglik;
    }
};
