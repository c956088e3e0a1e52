// Samples that surely belong to one component, whose sums are kept apart. Included by mixture.cpp alone.
#pragma once
#include "near.h"

namespace {

using gmmseg::kNone;
using gmmseg::Margin;

// By which a sample surely belongs to component c; where nothing else is asked for, as its parameters are now.
template <class T>
GMMSEG_INLINE Margin margin_of(const MixtureJob<T>& job, ptrdiff_t c) {
    return job.margins ? job.margins[c] : Margin{0, 1, double(job.screen->reach[c]), 1};
}

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

// Writes which component each sample of a block belongs to if to any, and how far off its mean it is at most if it surely
// does, by the bounds.
template <class T>
void find_room(const MixtureJob<T>& job, const Block<T>& b, T farthest, Near<T>& near) {
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Leader<T> found;
        for (int c = 0; c < job.n_components; ++c) {
            const Margin margin = margin_of(job, c);
            const Pack<T> bound = load(near.bounds + c * kBlock + v) + job.screen->slack[c] * farthest;
            found.see(c, T(margin.other) + T(margin.rises) * bound, bound);
        }
        Pack<T> room = {};
        for (int c = 0; c < job.n_components; ++c) {
            const Margin margin = margin_of(job, c);
            const T constant = T(margin.own / margin.falls + double(job.params[c * job.params_per_component()]));
            room = found.label == fill(T(c)) ? constant - T(1 / margin.falls) * found.second : room;
        }
        store(near.sure + v, found.label);
        store(near.room + v, room);
    }
}

// Adds those samples of a block whose component is sure by bounds alone, of its own distance from above and of those of
// others from below, to the sums of such; writes where others are, from `origin` on, and returns how many. The sure ones
// need no density: half of an iteration where classes lie apart (d = 64, K = 4).
template <class T>
ptrdiff_t take_certain(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, T farthest, const T* copy,
                       Near<T>& near, ptrdiff_t origin, std::uint32_t* others, double* sums) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t step = job.params_per_component(), k = job.n_components, stride = near.stride;
    // What is written through pointers might change what `near` holds, for all that the compiler knows.
    T *const tile = near.tile, *const panels = near.panels + k * kPanel * stride, *const roots = near.roots + k * kPanel;
    const T *const means = near.means, *const own = near.own, *const label = near.sure;
    std::int32_t* const filled = near.filled + k;
    find_room(job, b, farthest, near);
    for (ptrdiff_t i = 0; job.weights && i < b.size; ++i) {
        near.weight[i] = weight_of(job, first + i);
        near.root[i] = root_of(near.weight[i]);
    }
    bool any_other = false;
    for (ptrdiff_t v = 0; v < b.size; v += L) {
        near.take_copied(copy, v, tile);
        for (ptrdiff_t c = 0; c < k; ++c)
            if (filled[c] > kPanel - L) near.flush(k + c, sums + (k + c) * step);
        const ptrdiff_t some = b.size - v < L ? b.size - v : L;
        Pack<T> squares[L], ordered[L];
        T distance[L];
        ptrdiff_t places[L];
        unrolled<L>([&](auto r) GMMSEG_LAMBDA { squares[r.value] = Pack<T>{}; });
        for (ptrdiff_t r = 0; r < some; ++r) {
            const ptrdiff_t c = ptrdiff_t(label[v + r]), place = places[r] = c * kPanel + filled[c]++;
            const T root = roots[place] = near.root[v + r];
            const T *const row = tile + r * stride, *const mean = means + c * stride, *const most = own + c * stride;
            Pack<T> square = {};
            for (ptrdiff_t u = 0; u < stride; u += L) {
                const Pack<T> dx = load(row + u) - load(mean + u);
                square += load(most + u) * (dx * dx);
                store(panels + place * stride + u, root * dx);
            }
            squares[r] = square;
        }
        unrolled<L>([&](auto r) GMMSEG_LAMBDA { ordered[place_of_total<T>(r.value)] = squares[r.value]; });
        totals<T, L>(ordered, distance);
        const Bits<T> is_sure = load(distance) < load(near.room + v);
        store(near.taken + v, is_sure ? fill(T(1)) : Pack<T>{});
        if (some == L && !any_above(is_sure ? Pack<T>{} : fill(T(1)), T(0))) continue;
        any_other = true;
        for (ptrdiff_t r = some; r < L; ++r) near.taken[v + r] = T(0);
        for (ptrdiff_t r = some; r-- > 0;) {  // the last first, so that what leaves a panel was the last to come
            if (near.taken[v + r] > T(0)) continue;
            const ptrdiff_t c = ptrdiff_t(label[v + r]), last = c * kPanel + --filled[c];
            roots[places[r]] = roots[last];
            __builtin_memcpy(panels + places[r] * stride, panels + last * stride, sizeof(T) * stride);
        }
    }
    for (ptrdiff_t c = 0; c < k; ++c) {
        Pack<T> mass = {};
        for (ptrdiff_t v = 0; v < b.packs * L; v += L)
            mass += load(label + v) == fill(T(c)) ? load(near.taken + v) * load(near.weight + v) : Pack<T>{};
        sums[(k + c) * step] += total<T>(mass);
    }
    for (ptrdiff_t i = 0; job.sure && i < b.size; ++i) job.sure[place_of(job, first + i)] = std::uint8_t(label[i]);
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; any_other && i < b.size; ++i) {
        others[count] = std::uint32_t(place_of(job, first + i) - origin);
        count += !(near.taken[i] > T(0));
    }
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
        double* const own = sums + (k + c) * step;
        double mass = 0;
        for (ptrdiff_t i = 0; i < count; ++i) mass += double(s.responsibility[near.found[i]]);
        own[0] += mass;
        near.append(k + c, count, s.responsibility, own);
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
