// A mixture that EM works on as moments that are merged and split, and back. Included by outlying.cpp and trying.cpp.
#pragma once
#include "climber.h"
#include "mover.h"

namespace {

// Second moments of each component, (K, d, d), or (K, d) along the axes.
Moments moments_of(const Climber& now) {
    const ptrdiff_t size = now.diagonal() ? now.d : now.d * now.d;
    Moments out{now.k, now.d, size, now.weights, now.means, {}};
    for (ptrdiff_t c = 0; c < now.k; ++c) {
        if (now.family == Family::spherical) {
            out.second.insert(out.second.end(), size_t(now.d), now.covariances[size_t(c)]);
        } else {
            const double* from = now.covariances.data() + (now.shared() ? 0 : c * size);
            out.second.insert(out.second.end(), from, from + size);
        }
    }
    return out;
}

// The mixture of a family with such moments; weights are scaled to sum to 1.
Climber mixture_of(Moments&& parts, Family family) {
    Climber now{family, parts.k, parts.d, std::move(parts.weights), std::move(parts.means), {}, {}};
    double total = 0;
    for (const double each : now.weights) total += each;
    for (double& each : now.weights) each /= total;
    if (family == Family::tied) {
        now.covariances.assign(size_t(parts.size), 0.0);
        for (ptrdiff_t c = 0; c < now.k; ++c)
            for (ptrdiff_t e = 0; e < parts.size; ++e)
                now.covariances[size_t(e)] += now.weights[size_t(c)] * parts.second[size_t(c * parts.size + e)];
    } else if (family == Family::spherical) {
        for (ptrdiff_t c = 0; c < now.k; ++c) {
            double sum = 0;
            for (ptrdiff_t i = 0; i < now.d; ++i) sum += parts.second[size_t(c * now.d + i)];
            now.covariances.push_back(sum / double(now.d));
        }
    } else {
        now.covariances = std::move(parts.second);
    }
    return now;
}

}  // namespace
