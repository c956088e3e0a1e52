// Samples that surely belong to one component, whose sums are kept apart. Included by mixture.cpp alone.
#pragma once
#include "near.h"

namespace {

using gmmseg::kNone;

// Tells which samples of a block surely belong to one component, by the margins. Of densities that were not taken, the
// lowest there is, what bounds them counts.
template <class T>
void find_sure(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, const Scratch<T>& s, Near<T>& near,
               T farthest) {
    const gmmseg::Margins& margins = *job.margins;
    const T falls = T(margins.falls), rises = T(margins.rises);
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> best = fill(2 * kLowest<T>), second = best, worst = best, label = fill(T(kNone));
        for (int k = 0; k < job.n_components; ++k) {
            Pack<T> t = load(s.densities + k * kBlock + v);
            if (job.screen) {
                const Pack<T> bound = load(near.bounds + k * kBlock + v) + job.screen->slack[k] * farthest;
                t = t > fill(kLowest<T>) ? t : bound;
            }
            const Pack<T> high = T(margins.other[k]) + rises * t, low = T(margins.own[k]) + falls * t;
            const Bits<T> leads = high > best;
            second = larger(leads ? best : high, second);
            worst = leads ? low : worst;
            label = leads ? fill(T(k)) : label;
            best = larger(high, best);
        }
        store(near.sure + v, worst > second ? label : fill(T(kNone)));
    }
    for (ptrdiff_t i = 0; i < b.size; ++i) job.sure[first + i] = std::uint8_t(near.sure[i]);
}

// Adds the samples of a block that are sure, whose shares are 1, to the sums of those, and takes them out of the block.
template <class T>
void take_sure(const MixtureJob<T>& job, const Block<T>& b, Scratch<T>& s, Near<T>& near, double* sums) {
    const ptrdiff_t step = job.params_per_component(), k = job.n_components;
    for (ptrdiff_t c = 0; c < k; ++c) {
        const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
            return Bits<T>(load(near.sure + v) == fill(T(c)));
        });
        double* const own = sums + (k + c) * step;
        double mass = 0;
        for (ptrdiff_t i = 0; i < count; ++i) mass += double(s.factor[near.found[i]]);
        own[0] += mass;
        near.append(k + c, count, s.factor, own);
        for (ptrdiff_t i = 0; i < count; ++i)
            s.densities[c * kBlock + near.found[i]] = s.factor[near.found[i]] = T(0);
    }
}

}  // namespace
