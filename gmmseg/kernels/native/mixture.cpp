// Posteriors and sufficient statistics of a Gaussian mixture, block by block.
// GMMSEG_ISA names the namespace: this file is compiled once for each instruction set.
#include <memory>

#include "reaching.h"
#include "moments.h"
#include "sure.h"

namespace {

// ---------------------------------------------------------------------------------------------------------------
// The three kernels, over samples begin..end
// ---------------------------------------------------------------------------------------------------------------

// Adds the statistics of samples begin..end where components are out of reach of most: these neither have densities nor
// a part in the moments. Three times as fast where classes lie apart (d = 64 and K = 16, `scripts/benchmark_tables.py
// iteration`).
template <class T>
void add_near(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, Scratch<T>& s, Near<T>& near, double* sums,
              double* loglik) {
    const ptrdiff_t step = job.params_per_component();
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        T farthest = 0;
        if (job.screen) farthest = near_densities(job, b, s, near);
        else
            all_densities(job, b, first, first, s, [&](ptrdiff_t v, ptrdiff_t packs) {
                if (near.pays) near.take(b.x + v, b.row, packs, near.rows + v * near.stride);
            });
        const bool any_sure = job.sure && find_sure(job, b, first, s, near, farthest);
        const bool in_rows = job.screen || any_sure || near.pays;
        if (any_sure && !job.screen && !near.pays) near.take(b.x, b.row, b.packs, near.rows);
        exponentiate_all(job, b, s);
        if (any_sure) take_sure(job, b, first, s, near, sums);
        *loglik += kLn2 * normalise(job, b, first, s, 0);
        for (int k = 0; k < job.n_components; ++k) {
            if (k == job.left_out) continue;
            if (job.dof) take_shares(job, b, k, s, sums + job.n_components * step + 2 * k);
            const T* const density = s.densities + k * kBlock;
            const ptrdiff_t count = find<T>(b, near.found, [&](ptrdiff_t v) GMMSEG_LAMBDA {
                return Bits<T>(load(density + v) > fill(kNothing<T>));
            });
            const bool most = 2 * count > b.packs * kLanes<T>;
            if (!in_rows || (most && !near.pays)) {
                moments(job, b, k, s, sums);
                continue;
            }
            Pack<T> mass = {};
            for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
                const Pack<T> r = load(density + v) * load(s.factor + v);
                store(s.responsibility + v, r);
                mass += r;
            }
            sums[k * step] += total<T>(mass);
            if (most) near.append_all(k, b.size, s.responsibility);
            else near.append(k, count, s.responsibility, sums + k * step);
        }
    }
}

// The same, but for samples that surely belong to one component by bounds alone, as long as most do.
template <class T>
void near_statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    const ptrdiff_t step = job.params_per_component();
    Scratch<T> s(job, false);
    Near<T> near(job);
    std::unique_ptr<std::uint32_t[]> others(new std::uint32_t[size_t(end - begin + kBlock)]);
    ptrdiff_t first = begin, count = 0;
    const ptrdiff_t origin = job.places ? 0 : begin;
    for (bool most = job.screen; most && first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        const ptrdiff_t before = count;
        for (ptrdiff_t v = 0; v < b.size; v += kWide<T>)
            count += take_certain(job, b, first, v, near, origin, others.get() + count, sums);
        most = 6 * (count - before) < b.size;
    }
    if (count > 0 || first < end) {
        s.pack(job);
        if (job.screen) near.prepare();
    }
    MixtureJob<T> rest = job;
    rest.samples += origin * job.sample_stride;
    if (job.weights) rest.weights += origin;
    if (job.sure) rest.sure += origin;
    rest.places = others.get();
    add_near(rest, 0, count, s, near, sums, loglik);
    add_near(job, first, end, s, near, sums, loglik);
    for (int k = 0; k < (job.parted() ? 2 : 1) * job.n_components; ++k) near.release(k, sums + k * step);
}

template <class T>
void statistics(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, double* sums, double* loglik) {
    if (job.screen || job.sure || Near<T>::rows_pay(job)) return near_statistics(job, begin, end, sums, loglik);
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        if (job.reach) return reach_statistics(job, begin, end, sums, loglik);
#endif
    Scratch<T> s(job);
    const NoDenormals none;
    bool is_far = false;
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        const int raised = relative_densities(job, b, first, s, is_far);
        *loglik += kLn2 * normalise(job, b, first, s, raised);
        for (int k = 0; k < job.n_components; ++k) {
            if (k == job.left_out) continue;
            if (job.dof) take_shares(job, b, k, s, sums + job.n_components * job.params_per_component() + 2 * k);
            moments(job, b, k, s, sums);
        }
        if ((first - begin) / kBlock % kHeldBlocks == kHeldBlocks - 1) release(job, s, sums);
    }
    release(job, s, sums);
}

// Whether no density is infinite or undefined, as of samples that lack a feature, from the largest of minus their
// logarithms. That of a Student-t no longer shows it.
template <class T>
bool is_known(const MixtureJob<T>& job, Pack<T> farthest) {
    bool known = !job.dof;
    for (int i = 0; i < kLanes<T>; ++i) known &= farthest[i] < -kLowest<T>;
    return known;
}

// Relative densities of a class, which are those of its components together.
template <class T>
GMMSEG_INLINE Pack<T> of_class(const MixtureJob<T>& job, const Scratch<T>& s, int c, ptrdiff_t v) {
    Pack<T> sum = {};
    for (int k = job.begins[c]; k < job.begins[c + 1]; ++k) sum += load(s.densities + k * kBlock + v);
    return sum;
}

// Writes the likeliest class of each sample of a block into s.factor, counted from `offset`, from the densities of the
// components, and the largest of these into s.highest. It is that of the likeliest component where all those of another class together cannot have as much, and
// as `posterior` has it elsewhere.
template <class T>
void name_classes(const MixtureJob<T>& job, const Block<T>& b, T offset, Scratch<T>& s) {
    const T behind = T(__builtin_log2(double(job.most_of_a_class()))) + T(0x1p-8);
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>) {
        Pack<T> best = fill(2 * kLowest<T>), second = best, label = {};
        const auto see = [&](int c, Pack<T> value) GMMSEG_LAMBDA {
            const Bits<T> leads = value > best;
            second = larger(leads ? best : value, second);
            label = leads ? fill(offset + T(c)) : label;
            best = larger(value, best);
        };
        for (int c = 0; c < job.n_classes; ++c) {
            Pack<T> highest = fill(2 * kLowest<T>);
            for (int k = job.begins[c]; k < job.begins[c + 1]; ++k)
                highest = larger(load(s.densities + k * kBlock + v), highest);
            see(c, highest);
        }
        store(s.highest + v, best);
        if (any_above(second - best, -behind)) {
            const Pack<T> share = T(1) / exponentiate(job, s, v);
            best = second = fill(T(-1));
            for (int c = 0; c < job.n_classes; ++c) see(c, of_class(job, s, c, v) * share);
        }
        store(s.factor + v, label);
    }
}

template <class T>
bool posterior(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, T* out, ptrdiff_t stride, T* log_density) {
    constexpr int L = kLanes<T>;
    Scratch<T> s(job);
    Pack<T> farthest = {};
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        all_densities(job, b, first, end, s);
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            farthest = larger(-load(s.highest + v), farthest);
            const Pack<T> n = exponentiate(job, s, v);
            store(s.factor + v, T(1) / n);
            if (log_density) store(s.highest + v, T(kLn2) * (load(s.highest + v) + log2_positive(n)));
        }
        if (log_density) __builtin_memcpy(log_density + first, s.highest, sizeof(T) * b.size);
        if (!out) continue;
        const ptrdiff_t whole = b.size / L * L;
        const int n_classes = job.begins ? job.n_classes : job.n_components;
        for (int c = 0; c < n_classes; ++c) {
            const T* const density = job.begins ? s.weighted : s.densities + c * kBlock;
            T* to = out + c * stride + first;
            for (ptrdiff_t v = 0; job.begins && v < b.packs * L; v += L) store(s.weighted + v, of_class(job, s, c, v));
            for (ptrdiff_t v = 0; v < whole; v += L) store(to + v, load(density + v) * load(s.factor + v));
            for (ptrdiff_t i = whole; i < b.size; ++i) to[i] = density[i] * s.factor[i];
        }
    }
    return is_known(job, farthest);
}

template <class T>
bool classify(const MixtureJob<T>& job, ptrdiff_t begin, ptrdiff_t end, std::uint8_t* out8, std::int64_t* out64,
              int offset) {
    constexpr int L = kLanes<T>;
    const bool at_once = job.n_features <= kUnrolledFeatures && !job.dof && !job.log_prior;
    Scratch<T> s(job);
    Pack<T> farthest = {};
    for (ptrdiff_t first = begin; first < end; first += kBlock) {
        const Block<T> b = open_block(job, first, end, s);
        T* const label = s.factor;
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) {
            store(s.highest + v, fill(kLowest<T>));
            store(label + v, fill(T(offset)));
        }
        if (job.begins) {
            for (int k = 0; k < job.n_components; ++k) {
                ask_ahead(job, first, end, k);
                component(job, b, k, first, s, s.densities + k * kBlock);
            }
            name_classes(job, b, T(offset), s);
        }
        for (int k = 0; !job.begins && k < job.n_components; ++k) {
            ask_ahead(job, first, end, k);
            if (out64) ask_part<1>(out64 + first, b.size, k, job.n_components);
            const Naming<T> take{s.highest, label, T(offset + k)};
            if (at_once) {
                few_features(job, b, k, take);
                continue;
            }
            component(job, b, k, first, s, s.densities);
            for (ptrdiff_t v = 0; v < b.packs * L; v += L) take(v, load(s.densities + v));
        }
        for (ptrdiff_t v = 0; v < b.packs * L; v += L) farthest = larger(-load(s.highest + v), farthest);
        if (out8)
            for (ptrdiff_t i = 0; i < b.size; ++i) out8[first + i] = std::uint8_t(int(label[i]));
        else
            for (ptrdiff_t i = 0; i < b.size; ++i) out64[first + i] = std::int64_t(label[i]);
    }
    return is_known(job, farthest);
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
extern const Kernels mixture_kernels;
const Kernels mixture_kernels = {GMMSEG_ISA_NAME,  kKeepsOrder, statistics<float>, statistics<double>,
                                 screen<float>,    screen<double>,    posterior<float>,
                                 posterior<double>, classify<float>,  classify<double>};
}  // namespace GMMSEG_ISA
}  // namespace gmmseg
