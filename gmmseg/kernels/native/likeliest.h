// Log2 densities of all components of one register of samples; those of components that are far behind the likeliest are
// not needed where only that one is asked for.
#pragma once
#include "densities.h"

namespace {

// Whether densities can be taken a register at a time.
inline bool is_of_registers(const MixtureJob<float>& job) {
    return !job.diagonal && !job.dof && !job.log_prior && job.n_features <= kUnrolledFeatures;
}

// Calls body with the number of features as a constant.
template <int D = 1, class Body>
GMMSEG_INLINE void with_features(int n_features, const Body& body) {
    if (n_features == D) body(Index<D>{});
    else if constexpr (D < kUnrolledFeatures) with_features<D + 1>(n_features, body);
}

// Subtracts what features From..To add to a component's distance from what is left of its log2 density.
template <int D, int From, int To>
GMMSEG_INLINE void subtract(const Pack<float>* x, const float* p, Pack<float>* dx, Pack<float>& t) {
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA {
        dx[i.value] = x[i.value] - fill(p[1 + i.value]);
        const float* const factor = p + 1 + D + triangle(i.value);
        Pack<float> y = factor[0] * dx[0];
        unrolled_from<1, i.value + 1>([&](auto j) GMMSEG_LAMBDA { y += factor[j.value] * dx[j.value]; });
        t -= y * y;
    });
}

// Calls see(k, log2 density, largest of those before) for the components that are, in any lane, less than `far` behind
// the likeliest of those before: `likely` first, then the others in order. What half of the features says bounds the
// whole density. `likely` becomes the last that leads in any lane. Returns the largest density.
template <int D, class See>
GMMSEG_INLINE Pack<float> each_near(const MixtureJob<float>& job, const Pack<float>* x, float far, int& likely,
                                    const See& see) {
    const ptrdiff_t step = job.params_per_component();
    const int first = likely;
    Pack<float> dx[D], highest = fill(kLowest<float>);
    const auto look_at = [&](int k, auto is_first) GMMSEG_LAMBDA {
        const float* const p = job.params + k * step;
        Pack<float> t = fill(p[0]);
        subtract<D, 0, D / 2>(x, p, dx, t);
        if (!is_first.value && !any(Mask(~above(fill(-far), t - highest)))) return;
        subtract<D, D / 2, D>(x, p, dx, t);
        t = larger(t, fill(kLowest<float>));
        see(k, t, highest);
        const Mask leads = above(t, highest);
        if (!is_first.value && any(leads)) likely = k;
        highest = chosen(leads, t, highest);
    };
    look_at(first, Index<1>{});
    for (int k = 0; k < first; ++k) look_at(k, Index<0>{});
    for (int k = first + 1; k < job.n_components; ++k) look_at(k, Index<0>{});
    return highest;
}

// Log2 density of component k, which is kept in its register of `out`.
template <int D>
GMMSEG_INLINE Pack<float> density_of(const MixtureJob<float>& job, const Pack<float>* x, int k, float* out) {
    const float* const p = job.params + k * job.params_per_component();
    Pack<float> dx[D], t = fill(p[0]);
    subtract<D, 0, D>(x, p, dx, t);
    t = larger(t, fill(kLowest<float>));
    store(out + k * kLanes<float>, t);
    return t;
}

// Makes log2 densities, a register a component, relative to the highest; returns what makes them posteriors.
GMMSEG_INLINE Pack<float> relative_to(const MixtureJob<float>& job, Pack<float> highest, float* out) {
    constexpr int L = kLanes<float>;
    Pack<float> sum = {};
    for (int k = 0; k < job.n_components; ++k) {
        const Pack<float> e = exp2_negative(load(out + k * L) - highest);
        store(out + k * L, e);
        sum += e;
    }
    return 1.0f / sum;
}

// Posteriors of classes, from relative densities of their components.
GMMSEG_INLINE void add_classes(const MixtureJob<float>& job, const float* densities, Pack<float> inverse, float* out) {
    constexpr int L = kLanes<float>;
    for (int c = 0; c < job.n_classes; ++c) {
        Pack<float> sum = {};
        for (int k = job.begins[c]; k < job.begins[c + 1]; ++k) sum += load(densities + k * L);
        store(out + c * L, rounded(sum * inverse));
    }
}

// The posterior of one register, a register a class. Where classes are of several components, `densities` is room for
// a register of each.
template <int D>
GMMSEG_INLINE void posterior_of(const MixtureJob<float>& job, const Pack<float>* x, float* densities, float* out) {
    constexpr int L = kLanes<float>;
    float* const own = job.begins ? densities : out;
    Pack<float> highest = fill(kLowest<float>);
    for (int k = 0; k < job.n_components; ++k) highest = larger(density_of<D>(job, x, k, own), highest);
    const Pack<float> inverse = relative_to(job, highest, own);
    if (job.begins) return add_classes(job, own, inverse, out);
    for (int k = 0; k < job.n_components; ++k) store(out + k * L, rounded(load(out + k * L) * inverse));
}

}  // namespace
