// Densities of a block of samples for their statistics: with registers of 512 bits in one pass with their exponentials,
// and no largest one to be found first. Smaller registers are half as many, too few for that: a twelfth slower (d = 5).
// Included by mixture.cpp alone.
#pragma once
#include "densities.h"

namespace {

#if defined(__AVX512F__)

// What powers are raised by, so that what is far less than 1 still is a normal number.
template <class T>
constexpr int kRaised = sizeof(T) == 4 ? 100 : 900;

// The bits of 2^(i / Count + kRaised), less those of i where exp2_raised adds i to them.
template <class T, class Word, int Count, int Shift>
struct Roots {
    alignas(64) Word bits[Count] = {};
    constexpr Roots() {
        const long double halves[] = {1.41421356237309504880168872420969808L, 1.18920711500272106671749997056047592L,
                                      1.09050773266525765920701065576070798L, 1.04427378242741384032196647873992910L,
                                      1.02189714865411667823448013478332610L};
        for (int i = 0; i < Count; ++i) {
            long double root = 1;
            for (int bit = Count / 2, power = 0; bit; bit /= 2, ++power) root *= i & bit ? halves[power] : 1;
            const Word raised = Word(kRaised<T>) * Count - Word(i);
            bits[i] = __builtin_bit_cast(Word, T(root)) + (raised << Shift);
        }
    }
};

// 2^(t + kRaised) for t <= 0, with nothing below 2^-80 (2^-1000): what is less or undefined counts as that. Roots of
// two are looked up, which saves multiplications; relative error below 1.5e-7 and 3e-16.
GMMSEG_INLINE Pack<float> exp2_raised(Pack<float> t) {
    t = larger(t, fill(-180.0f));
    static constexpr Roots<float, std::uint32_t, 32, 18> roots;
    const Pack<float> shifted = t + 393216.0f;  // 1.5 * 2^18: the low bits count parts of 1/32
    const Pack<float> f = t - (shifted - 393216.0f);
    const Natural<float> root = (Natural<float>)_mm512_permutex2var_epi32(
        _mm512_load_si512(roots.bits), (__m512i)shifted, _mm512_load_si512(roots.bits + 16));
    const Pack<float> s = (Pack<float>)(root + ((Natural<float>)shifted << 18));
    return s * f * ((f * 0.0555041087f + 0.2402265070f) * f + 0.6931471806f) + s;
}
GMMSEG_INLINE Pack<double> exp2_raised(Pack<double> t) {
    t = larger(t, fill(-1900.0));
    static constexpr Roots<double, std::uint64_t, 16, 48> roots;
    const Pack<double> shifted = t + 422212465065984.0;  // 1.5 * 2^48: the low bits count parts of 1/16
    const Pack<double> f = t - (shifted - 422212465065984.0);
    const Natural<double> root = (Natural<double>)_mm512_permutex2var_epi64(
        _mm512_load_si512(roots.bits), (__m512i)shifted, _mm512_load_si512(roots.bits + 8));
    const Pack<double> s = (Pack<double>)(root + ((Natural<double>)shifted << 48));
    Pack<double> p = fill(0.00015403756245457709);
    p = p * f + 0.0013333818815389239;
    p = p * f + 0.009618129106525682;
    p = p * f + 0.05550410865209357;
    p = p * f + 0.24022650695910085;
    p = p * f + 0.6931471805599469;
    return s * f * p + s;
}

// A sum of raised densities from which on the least of them counts for nothing, and how far below the peak that is.
template <class T>
constexpr T kLeastSum = T(sizeof(T) == 4 ? 0x1p-20 : 0x1p-100);
template <class T>
constexpr T kBelow = T(sizeof(T) == 4 ? 120 : 1000);

// Products of raised densities that are too small for a normal number are 0 while this lives.
struct NoDenormals {
    const unsigned before = _mm_getcsr();

    NoDenormals() { _mm_setcsr(before | _MM_FLUSH_ZERO_ON); }
    ~NoDenormals() { _mm_setcsr(before); }
};

template <class T>
GMMSEG_INLINE bool any_below(Pack<T> v, T most) {
    if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask((__m512)v, (__m512)fill(most), _CMP_LT_OQ) != 0;
    else return _mm512_cmp_pd_mask((__m512d)v, (__m512d)fill(most), _CMP_LT_OQ) != 0;
}

// Writes raised densities, and adds them to their sum over the components.
template <class T>
struct Summing {
    T *const out, *const sum;
    const T origin;

    GMMSEG_INLINE void operator()(ptrdiff_t v, Pack<T> t) const {
        const Pack<T> e = exp2_raised(t);
        store(sum + v, load(sum + v) + e);
        store(out + v, e);
    }
};

// Log2 of the highest density that any component has.
template <class T>
T peak_of(const MixtureJob<T>& job) {
    T peak = job.params[0];
    for (int k = 1; k < job.n_components; ++k) {
        const T own = job.params[k * job.params_per_component()];
        peak = own > peak ? own : peak;
    }
    return peak;
}

// Raised densities of one register of a block, relative to the largest of each sample.
template <class T>
void raise_again(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t v, Scratch<T>& s) {
    const Block<T> own{b.x + v, b.row, kLanes<T>, 1};
    Pack<T> m = fill(kLowest<T>), sum = {};
    for (int k = 0; k < job.n_components; ++k) {
        few_features(job, own, k, Writing<T>{s.densities + k * kBlock + v});
        m = larger(load(s.densities + k * kBlock + v), m);
    }
    for (int k = 0; k < job.n_components; ++k) {
        T* const density = s.densities + k * kBlock + v;
        const bool is_there = job.params[k * job.params_per_component()] > kLowest<T>;
        const Pack<T> e = is_there ? exp2_raised(load(density) - m) : Pack<T>{};
        store(density, e);
        sum += e;
    }
    store(s.highest + v, m);
    store(s.factor + v, sum);
}

// Raised densities of every component, relative to a power of two in s.highest, into s.densities, and what they sum up
// to into s.factor; of Gaussian components and few features. All are relative to one peak; samples that are far below
// it are done again, relative to their largest density. Returns how many registers were. A sixteenth of an
// iteration's time (d = 5, K = 8), a tenth or more with diagonal covariances.
template <class T>
ptrdiff_t raised_densities(const MixtureJob<T>& job, const Block<T>& b, T peak, Scratch<T>& s) {
    constexpr int L = kLanes<T>;
    const ptrdiff_t end = b.packs * L, step = job.params_per_component();
    ptrdiff_t again = 0;
    __builtin_memset(s.factor, 0, sizeof(T) * end);
    for (int k = 0; k < job.n_components; ++k) {
        T* const density = s.densities + k * kBlock;
        if (job.params[k * step] > kLowest<T>) few_features(job, b, k, Summing<T>{density, s.factor, peak});
        else __builtin_memset(density, 0, sizeof(T) * end);
    }
    for (ptrdiff_t v = 0; v < end; v += L) {
        store(s.highest + v, fill(peak));
        if (!any_below(load(s.factor + v), kLeastSum<T>)) continue;
        ++again;
        raise_again(job, b, v, s);
    }
    return again;
}

// How many registers of a block `raised_densities` would do again, from the largest densities.
template <class T>
ptrdiff_t far_below(const Block<T>& b, T peak, const Scratch<T>& s) {
    ptrdiff_t count = 0;
    for (ptrdiff_t v = 0; v < b.packs * kLanes<T>; v += kLanes<T>)
        count += any_below(load(s.highest + v), peak - kBelow<T>);
    return count;
}

#else
struct NoDenormals {};
#endif

// Responsibilities that are given, and their sums, in the place of densities.
template <class T>
void take_given(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, Scratch<T>& s) {
    const ptrdiff_t end = b.packs * kLanes<T>;
    __builtin_memset(s.highest, 0, sizeof(T) * end);
    __builtin_memset(s.factor, 0, sizeof(T) * end);
    for (int k = 0; k < job.n_components; ++k) {
        T* const row = s.densities + k * kBlock;
        __builtin_memset(row, 0, sizeof(T) * end);
        __builtin_memcpy(row, job.given + k * job.given_stride + first, sizeof(T) * b.size);
        for (ptrdiff_t v = 0; v < end; v += kLanes<T>) store(s.factor + v, load(s.factor + v) + load(row + v));
    }
    for (ptrdiff_t v = b.size; v < end; ++v) s.factor[v] = 1;
}

// Densities of a block relative to powers of two, which with those in s.highest make the whole, and their sums. Returns
// by how many of them more they are raised. `is_far` is whether the block before lay far below the peak, and becomes
// whether this one does: a function of the samples from `begin` on, for any threads.
template <class T>
int relative_densities(const MixtureJob<T>& job, const Block<T>& b, ptrdiff_t first, Scratch<T>& s, bool& is_far) {
    if (job.given) {
        take_given(job, b, first, s);
        return 0;
    }
#if defined(__AVX512F__)
    const bool few = job.n_features <= kUnrolledFeatures && !job.dof && !job.log_prior;
    const T peak = peak_of(job);
    if (few && !is_far) {
        is_far = 4 * raised_densities(job, b, peak, s) > b.packs;
        return kRaised<T>;
    }
#endif
    all_densities(job, b, first, first, s);
#if defined(__AVX512F__)
    is_far = 4 * far_below(b, peak, s) > b.packs;
#endif
    exponentiate_all(job, b, s);
    return 0;
}

}  // namespace
