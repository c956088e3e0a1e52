// Sums of a run of EM in which one component has what the others leave: a sample's posteriors sum to 1, so that all
// components together have the sums of the samples themselves, which stay. Included by lasting.h alone.
#pragma once
#include "summing.h"

// Parameters that EM has come to, of full covariances.
struct Place {
    ptrdiff_t k, d;
    bool shared;  // one covariance for all
    const double *weights, *constants, *means, *covariances, *factors;
};

// Moments take half of an iteration: with K = 4 and d = 64 the fits of `scripts/benchmark_tables.py iterations` take .9
// of the time.
template <class T>
class Remainder {
public:
    // For so many iterations at most. In float64 sums have to be as exact as they are.
    Remainder(const MixtureJob<T>& job, int iterations)
        : able(sizeof(T) == 4 && !job.diagonal && !job.dof && !job.log_prior && job.n_features > kUnrolledFeatures &&
               job.n_components > 1 && job.n_components <= kMostComponents && iterations >= kWorth) {}

    // Which component may be left out in an iteration; -1 for none.
    int spared(const MixtureJob<T>& job, const Place& now, Crew& crew) {
        if (able && total.empty()) {
            // Where a screen pays an iteration may take less than the sums of all samples.
            able = !OwnScreen<T>(job).pays;
            if (able) take_total(job, crew);
        }
        return able ? safest(now) : -1;
    }

    // Writes the sums of the component that was left out, each about the mean as the kernels read it.
    void leave(const Place& now, ptrdiff_t c, double* out) const {
        Numbers left = total;
        const ptrdiff_t step = ptrdiff_t(total.size());
        for (ptrdiff_t other = 0; other < now.k; ++other)
            if (other != c) add_about(out + other * step, now.means + other * now.d, now.d, -1, left.data());
        Numbers own(total.size(), 0.0);
        std::vector<double> back(size_t(now.d));
        for (ptrdiff_t i = 0; i < now.d; ++i) back[size_t(i)] = -now.means[c * now.d + i];
        add_about(left.data(), back.data(), now.d, 1, own.data());
        std::copy(own.begin(), own.end(), out + c * step);
    }

private:
    static constexpr int kMostComponents = 8;  // of more, one has too little of an iteration
    static constexpr int kWorth = 6;           // iterations, for which the sums of all samples pay
    // Squared scales of all samples along an axis of a component, its own being 1, over its part of them: by so much
    // rounding is larger in what the others leave.
    static constexpr double kCoarsest = 64;

    bool able;
    Numbers total;  // about the origin

    // As of a component whose density is the same everywhere.
    void take_total(MixtureJob<T> job, Crew& crew) {
        job.n_components = 1;
        const std::vector<T> flat(size_t(job.params_per_component()));
        job.params = flat.data();
        total.assign(flat.size(), 0.0);
        all_statistics(job, crew, total.data());
    }

    // The component in which rounding is least; -1 where that is too much.
    int safest(const Place& now) const {
        const double* const second = total.data() + 1 + now.d;
        int found = -1;
        double least = kCoarsest;
        for (ptrdiff_t c = 0; c < now.k; ++c) {
            double most = 0;
            for (ptrdiff_t r = 0; r < now.d; ++r) {
                const double* const row = now.factors + (c * now.d + r) * now.d;
                double spread = 0;
                for (ptrdiff_t i = 0; i <= r; ++i) spread += row[i] * row[i] * second[i * (i + 1) / 2 + i];
                most = std::max(most, spread);
            }
            most /= now.weights[c] * total[0];
            if (most < least) least = most, found = int(c);
        }
        return found;
    }

    // Adds sums about a point, so many times, to those about the origin.
    static void add_about(const double* sums, const double* point, ptrdiff_t d, double times, double* to) {
        const double count = sums[0], *const first = sums + 1, *second = first + d;
        to[0] += times * count;
        double* more = to + 1 + d;
        for (ptrdiff_t i = 0; i < d; ++i) {
            const double a = double(T(point[i]));
            to[1 + i] += times * (first[i] + count * a);
            for (ptrdiff_t j = 0; j <= i; ++j) {
                const double b = double(T(point[j]));
                *more++ += times * (*second++ + a * first[j] + b * first[i] + count * a * b);
            }
        }
    }
};
