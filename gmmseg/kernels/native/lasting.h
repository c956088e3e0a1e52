// Sums over samples in a run of EM. Those of samples that surely belong to one component stand while parameters move
// by less than was allowed for when they were taken, and only the others are visited, as in k-means with the bounds of
// Elkan (2003) and Hamerly (2010). What is left out of any component is less than rounding in its sums.
#pragma once
#include "remainder.h"

// How far a component moves at most: its factor times the inverse of the one before is off the identity by `spread` (the
// spectral norm), its mean moves by `shift` in the metric of the new factor, its constant by `level`; in units of log2.
struct Allowance {
    double spread, shift, level;
};
using Allowances = std::vector<Allowance>;

template <class T>
class Lasting {
public:
    // For so many iterations at most.
    Lasting(const MixtureJob<T>& job, int iterations)
        : able(!job.diagonal && !job.dof && !job.log_prior && job.n_features > kUnrolledFeatures &&
               job.n_components > 1 && job.n_components < kNone && job.n_samples < ptrdiff_t(0xffffffff) &&
               job.n_samples >= kMany * (job.n_components + job.n_features)),
          remainder(job, iterations) {}

    // As all_statistics.
    double statistics(MixtureJob<T> job, const Place& now, Crew& crew, double* out) {
        if (!able) return remainder.statistics(job, now, crew, out);
        ++steps;
        if (pause > 0) {
            --pause;
            return remainder.statistics(job, now, crew, out);
        }
        const Allowances moved = drift(now), next = foreseen(moved);
        if (stands && within(moved, allowed) && !is_loose(job, next)) {
            job.places = open.data();
            job.n_samples = ptrdiff_t(open.size());
            const double rest = all_statistics(job, crew, out);
            return rest + add_sums(now, out);
        }
        set_out_from(now);
        if (!within(next, Allowances(next.size(), kMost))) return remainder.statistics(job, now, crew, out);
        allowed = next;
        return take_sums(job, now, crew, out);
    }

private:
    static constexpr Allowance kFirst{0.1, 0.5, 1.0}, kLeast{0.005, 0.02, 0.05}, kMost{0.25, 1.0, 2.0};
    static constexpr ptrdiff_t kMany = 256;  // samples for each component and feature; of fewer, drifts cost too much
    static constexpr double kAhead = 3;      // steps, as long as those before, that are allowed for
    static constexpr ptrdiff_t kEnough = 3;  // sums are kept if one sample in so many is sure
    static constexpr int kShortest = 1, kLongest = 32;  // iterations without another look where few samples are sure

    const bool able;
    Remainder<T> remainder;
    bool stands = false;
    int steps = 0, pause = 0, wait = kShortest;
    Allowances allowed;
    std::vector<double> roots, means, constants, sums;  // where they were taken: lower roots of covariances, origins
    std::vector<std::uint8_t> sure;
    std::vector<std::uint32_t> open;  // samples that are not sure

    static bool within(const Allowances& some, const Allowances& most) {
        for (size_t c = 0; c < some.size(); ++c)
            if (!(some[c].spread <= most[c].spread && some[c].shift <= most[c].shift && some[c].level <= most[c].level))
                return false;
        return true;
    }

    Allowances foreseen(const Allowances& moved) const {
        if (roots.empty()) return Allowances(moved.size(), kFirst);
        const double more = kAhead / steps;
        Allowances next;
        for (const Allowance& each : moved)
            next.push_back({std::max(more * each.spread, kLeast.spread), std::max(more * each.shift, kLeast.shift),
                            std::max(more * each.level, kLeast.level)});
        return next;
    }

    // Whether so much less would do that more samples might be sure.
    bool is_loose(const MixtureJob<T>& job, const Allowances& next) const {
        double now = 0, then = 0;
        for (size_t c = 0; c < next.size(); ++c) now += allowed[c].spread, then += next[c].spread;
        return steps > kAhead && 16 * ptrdiff_t(open.size()) > job.n_samples && 4 * then <= now;
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
    Allowances drift(const Place& now) const {
        const ptrdiff_t d = now.d;
        Allowances moved(static_cast<size_t>(now.k));
        if (roots.empty()) return moved;
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
            moved[size_t(c)] = {std::sqrt(off), std::sqrt(kLog2e / 2 * shift),
                                kLog2e * std::abs(now.constants[c] - constants[size_t(c)])};
        }
        return moved;
    }

    // Sums over all samples; what is sure while parameters stay within what is allowed is kept. The distance q of a
    // sample, whose log2 density is t = constant - q^2, becomes at most (1 + e) q + s and at least (1 - e) q - s, where
    // 2 q s <= r q^2 + s^2 / r for any r.
    double take_sums(MixtureJob<T> job, const Place& now, Crew& crew, double* out) {
        std::vector<Margin> margins;
        for (ptrdiff_t c = 0; c < now.k; ++c) {
            const Allowance& may = allowed[size_t(c)];
            const double more = 1 + may.spread, less = 1 - may.spread, s = may.shift, r = s / std::sqrt(double(now.d));
            const double falls = more * (more + r), rises = less * (less - r), constant = kLog2e * now.constants[c];
            margins.push_back({constant * (1 - falls) - s * s - more * s * s / r - may.level, falls,
                               constant * (1 - rises) - s * s + less * s * s / r + may.level + kLost<T> -
                                   std::log2(now.weights[c]),
                               rises});
        }
        sure.resize(size_t(job.n_samples));
        job.sure = sure.data();
        job.margins = margins.data();
        sums.assign(size_t(job.sums()), 0.0);
        const double loglik = all_statistics(job, crew, sums.data());
        const size_t size = sums.size() / 2;
        for (size_t i = 0; i < size; ++i) out[i] += sums[i] + sums[size + i];
        const ptrdiff_t rest = std::count(sure.begin(), sure.end(), std::uint8_t(kNone));
        stands = kEnough * (job.n_samples - rest) >= job.n_samples;
        if (!stands) {
            pause = wait;
            wait = std::min(2 * wait, kLongest);
            return loglik;
        }
        wait = kShortest;
        open.clear();
        open.reserve(size_t(rest));
        for (size_t i = 0; i < sure.size(); ++i)
            if (sure[i] == kNone) open.push_back(std::uint32_t(i));
        return loglik;
    }

    // Adds what the sums that stand are about other means, and returns their part in the likelihood.
    double add_sums(const Place& now, double* out) const {
        const ptrdiff_t d = now.d, step = 1 + d + d * (d + 1) / 2;
        std::vector<double> shift(static_cast<size_t>(d));
        double loglik = 0;
        for (ptrdiff_t c = 0; c < now.k; ++c, out += step) {
            const double *const own = sums.data() + (now.k + c) * step, count = *own, *const first = own + 1;
            const double *const second = first + d, *const mean = now.means + c * d, *const before = means.data() + c * d;
            const Numbers precision = precision_of(d, [&](ptrdiff_t r) { return now.factors + (c * d + r) * d; });
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
