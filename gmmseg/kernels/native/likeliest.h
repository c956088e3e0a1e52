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

// Subtracts what features From..To add to a component's distances from what is left of its log2 densities, of W
// registers.
template <int D, int From, int To, int W>
GMMSEG_INLINE void subtract(const Pack<float> (*x)[D], const float* p, Pack<float> (*dx)[D], Pack<float>* t) {
    unrolled_from<From, To>([&](auto i) GMMSEG_LAMBDA {
        const float* const factor = p + 1 + D + triangle(i.value);
        Pack<float> y[W];
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            dx[w.value][i.value] = x[w.value][i.value] - fill(p[1 + i.value]);
            y[w.value] = factor[0] * dx[w.value][0];
        });
        unrolled_from<1, i.value + 1>([&](auto j) GMMSEG_LAMBDA {
            unrolled<W>([&](auto w) GMMSEG_LAMBDA { y[w.value] += factor[j.value] * dx[w.value][j.value]; });
        });
        unrolled<W>([&](auto w) GMMSEG_LAMBDA { t[w.value] -= y[w.value] * y[w.value]; });
    });
}

// Calls see(k, log2 densities, largest of those before, whether it is the first) for the components that are, in any
// lane of W registers, less than `far` behind the likeliest of those before: `likely` first, then the others in order.
// What half of the features says bounds the whole density. `likely` becomes the last that leads in any lane, `highest`
// the largest densities; one of a missing feature, NaN, is never among them.
template <int D, int W, class See>
GMMSEG_INLINE void each_near(const MixtureJob<float>& job, const Pack<float> (*x)[D], float far, int& likely,
                             Pack<float>* highest, const See& see) {
    const ptrdiff_t step = job.params_per_component();
    const int first = likely;
    Pack<float> dx[W][D], too_low[W];
    const auto look_at = [&](int k, auto is_first) GMMSEG_LAMBDA {
        const float* const p = job.params + k * step;
        Pack<float> t[W];
        unrolled<W>([&](auto w) GMMSEG_LAMBDA { t[w.value] = fill(p[0]); });
        subtract<D, 0, D / 2, W>(x, p, dx, t);
        if constexpr (!is_first.value) {
            Mask near{};
            unrolled<W>([&](auto w) GMMSEG_LAMBDA { near |= Mask(~above(too_low[w.value], t[w.value])); });
            if (!any(near)) return;
        }
        subtract<D, D / 2, D, W>(x, p, dx, t);
        see(k, t, highest, is_first);
        Mask leads{};
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            if constexpr (is_first.value) highest[w.value] = fill(kLowest<float>);
            else leads |= above(t[w.value], highest[w.value]);
            highest[w.value] = larger(t[w.value], highest[w.value]);
        });
        if (!is_first.value && !any(leads)) return;
        likely = k;
        unrolled<W>([&](auto w) GMMSEG_LAMBDA { too_low[w.value] = highest[w.value] - far; });
    };
    look_at(first, Index<1>{});
    for (int k = 0; k < first; ++k) look_at(k, Index<0>{});
    for (int k = first + 1; k < job.n_components; ++k) look_at(k, Index<0>{});
}

// Log2 density of component k, which is kept in its register of `out`.
template <int D>
GMMSEG_INLINE Pack<float> density_of(const MixtureJob<float>& job, const Pack<float>* x, int k, float* out) {
    const float* const p = job.params + k * job.params_per_component();
    Pack<float> dx[1][D], t = fill(p[0]);
    subtract<D, 0, D, 1>(reinterpret_cast<const Pack<float>(*)[D]>(x), p, dx, &t);
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
