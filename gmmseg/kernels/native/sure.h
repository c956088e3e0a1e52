// Samples that surely belong to one component, whose sums are kept apart. Included by mixture.cpp alone.
#pragma once
#include "near.h"

namespace {

using gmmseg::kNone;

template <class T>
GMMSEG_INLINE ptrdiff_t place_of(const MixtureJob<T>& job, ptrdiff_t i) {
    return job.places ? ptrdiff_t(job.places[i]) : i;
}
template <class T>
GMMSEG_INLINE T weight_of(const MixtureJob<T>& job, ptrdiff_t i) {
    return job.weights ? job.weights[place_of(job, i)] : T(1);
}

// Two things that components count, one after the other: the most that any does and which, and the most of the others.
template <class T>
struct Leader {
    Pack<T> best = fill(2 * kLowest<T>), second = best, worst = best, label = fill(T(kNone));

    // What the component counts if a sample is not its, and if it is.
    GMMSEG_INLINE void see(int k, Pack<T> high, Pack<T> low) {
        const Bits<T> leads = high > best;
        second = larger(leads ? best : high, second);
        worst = leads ? low : worst;
        label = leads ? fill(T(k)) : label;
        best = larger(high, best);
    }
};

// Writes which component each of kWide samples belongs to if to any, and how far off its mean it is at most if it surely
// does, by the bounds.
template <class T>
void find_room(int n_components, T farthest, Near<T>& near) {
    constexpr int L = kLanes<T>;
    Leader<T> found[kAcross];
    for (int c = 0; c < n_components; ++c) {
        const Rule<T>& rule = near.rules[c];
        const Pack<T> other = fill(rule.other), own = fill(rule.own), slack = fill(rule.slack * farthest);
        unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
            const Pack<T> bound = load(near.bounds + c * kBlock + a.value * L) + slack;
            found[a.value].see(c, other + rule.rises * bound, own);
        });
    }
    unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
        store(near.sure + a.value * L, found[a.value].label);
        const Bits<T> name = __builtin_convertvector(found[a.value].label, Bits<T>);
        __builtin_memcpy(near.names + a.value * L, &name, sizeof name);
        store(near.room + a.value * L, found[a.value].worst - found[a.value].second);
    });
}

// Adds those of kWide samples of a block, from `start` on, whose component is sure by bounds alone, of their own distance
// from above and of those of others from below, to the sums of such; writes where others are, from `origin` on, and
// returns how many. The sure ones need no density: half of an iteration where classes lie apart (d = 64, K = 4).
template <class T>
ptrdiff_t take_certain(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, ptrdiff_t start, Near<T>& near,
                       ptrdiff_t origin, std::uint32_t* others, double* sums) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t step = job.params_per_component(), k = job.n_components, stride = near.stride;
    // What is written through pointers might change what `near` holds, for all that the compiler knows.
    const T *const means = near.means, *const label = near.sure, *const copy = near.copy;
    T *const panels = near.panel(k), *const roots = near.roots + k * kPanel, **const next = near.next + k;
    const ptrdiff_t own = k * stride;
    const bool weighted = job.weights;
    const T farthest = project(job, b.x + start, b.row, near.copy, near.projected);
    for (int c = 0; c < k; ++c) bounds(job, c, near.projected, kAcross, near.bounds + c * kBlock, near.highest);
    find_room(job.n_components, farthest, near);
    ptrdiff_t count = 0;
    first += start;
    for (ptrdiff_t v = 0, left = b.size - start; v < kWide<T> && v < left; v += L) {
        const T* full = panels + (kPanel - L) * stride;
        for (ptrdiff_t c = 0; c < k; ++c, full += kPanel * stride)
            if (next[c] > full) near.flush(k + c, sums + (k + c) * step);
        const ptrdiff_t some = left - v < L ? left - v : L;
        const T* mean[L];
        T *to[L], root[L];
        unrolled<L>([&](auto r) GMMSEG_LAMBDA {
            const ptrdiff_t c = near.names[v + r.value];
            mean[r.value] = means + c * stride;
            to[r.value] = next[c];
            next[c] += stride;
        });
        const auto place = [&](int r) { return (to[r] - panels) / stride; };
        for (int r = 0; weighted && r < L; ++r)
            roots[place(r)] = root[r] = r < some ? root_of(weight_of(job, first + v + r)) : T(1);
        Pack<T> squares[L] = {}, ordered[L];
        T distance[L];
        const auto take = [&](auto is_weighted) GMMSEG_LAMBDA {
            for (ptrdiff_t u = 0; u < stride; u += L) {
                Pack<T> part[L];
                unrolled<L>([&](auto r) GMMSEG_LAMBDA { part[r.value] = load(copy + (u + r.value) * kWide<T> + v); });
                turn<T>(part);
                unrolled<L>([&](auto r) GMMSEG_LAMBDA {
                    Pack<T> dx = part[r.value] - load(mean[r.value] + u);
                    squares[r.value] += load(mean[r.value] + own + u) * (dx * dx);
                    if constexpr (is_weighted.value) dx *= root[r.value];
                    store(to[r.value] + u, dx);
                });
            }
        };
        if (weighted) take(Index<1>{});
        else take(Index<0>{});
        unrolled<L>([&](auto r) GMMSEG_LAMBDA { ordered[place_of_total<T>(r.value)] = squares[r.value]; });
        totals<T, L>(ordered, distance);
        const unsigned all = (1u << L) - 1, certain = lanes(Bits<T>(load(distance) < load(near.room + v)));
        const unsigned open = all & ~(certain & (all >> (L - some)));
        if (open == 0) continue;
        // The last first, so that what leaves a panel was the last to come.
        for (unsigned bits = open; bits;) {
            const int r = 31 - __builtin_clz(bits);
            bits ^= 1u << r;
            T* const last = next[near.names[v + r]] -= stride;
            if (weighted) roots[place(r)] = roots[(last - panels) / stride];
            __builtin_memcpy(to[r], last, sizeof(T) * size_t(stride));
        }
        for (ptrdiff_t r = 0; r < some; ++r) {
            others[count] = std::uint32_t(place_of(job, first + v + r) - origin);
            count += open >> r & 1;
        }
    }
    for (ptrdiff_t i = 0; job.sure && i < kWide<T> && start + i < b.size; ++i)
        job.sure[place_of(job, first + i)] = std::uint8_t(label[i]);
    return count;
}

// Tells which samples of a block surely belong to one component, by their densities, and whether any does. Of densities
// that were not taken, the lowest there is, what bounds them counts.
template <class T>
bool find_sure(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, const Scratch<T>& s, Near<T>& near,
               T farthest) {
    bool any_sure = false;
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Leader<T> found;
        for (int k = 0; k < job.n_components; ++k) {
            Pack<T> t = load(s.densities + k * kBlock + v);
            if (job.screen) {
                const Pack<T> bound = load(near.bounds + k * kBlock + v) + job.screen->slack[k] * farthest;
                t = t > fill(kLowest<T>) ? t : bound;
            }
            const Margin& margin = job.margins[k];
            found.see(k, T(margin.other) + T(margin.rises) * t, T(margin.own) + T(margin.falls) * t);
        }
        store(near.sure + v, found.worst > found.second ? found.label : fill(T(kNone)));
        any_sure |= any_above(found.worst - found.second, T(0));
    }
    for (ptrdiff_t i = 0; i < b.size; ++i) job.sure[place_of(job, first + i)] = std::uint8_t(near.sure[i]);
    return any_sure;
}

// Adds the samples of a block that are sure by their densities to the sums of such, and leaves nothing of them in the
// block's relative densities.
template <class T>
void take_sure(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, Scratch<T>& s, Near<T>& near,
               double* sums) {
    const ptrdiff_t step = job.params_per_component(), k = job.n_components;
    for (ptrdiff_t i = 0; i < b.size; ++i) s.responsibility[i] = weight_of(job, first + i);
    for (ptrdiff_t c = 0; c < k; ++c) {
        const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
            return Bits<T>(load(near.sure + v) == fill(T(c)));
        });
        near.append(k + c, count, s.responsibility, sums + (k + c) * step);
    }
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        const Bits<T> taken = load(near.sure + v) < fill(T(kNone));
        store(s.highest + v, taken ? Pack<T>{} : load(s.highest + v));
        store(s.factor + v, taken ? fill(T(1)) : load(s.factor + v));
        for (int c = 0; c < k; ++c)
            store(s.densities + c * kBlock + v, taken ? Pack<T>{} : load(s.densities + c * kBlock + v));
    }
}

}  // namespace
