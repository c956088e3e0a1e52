// A register of numbers, and the functions of it that the kernels need. Included only by sources that are compiled
// once for each instruction set: everything here is inlined, so that no two of them share a symbol.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define GMMSEG_INLINE inline __attribute__((always_inline))
#define GMMSEG_LAMBDA __attribute__((always_inline))

namespace {

constexpr std::align_val_t kAligned{64};  // a line of the cache, and the widest register

#if defined(__AVX512F__)
constexpr int kRegisterBytes = 64;
#elif defined(__AVX__)
constexpr int kRegisterBytes = 32;
#else
constexpr int kRegisterBytes = 16;
#endif

template <class T>
struct PackOf;
template <>
struct PackOf<float> {
    typedef float type __attribute__((vector_size(kRegisterBytes)));
    typedef float half __attribute__((vector_size(kRegisterBytes / 2)));
    typedef std::int32_t bits __attribute__((vector_size(kRegisterBytes)));
    typedef std::uint32_t natural __attribute__((vector_size(kRegisterBytes)));
};
template <>
struct PackOf<double> {
    typedef double type __attribute__((vector_size(kRegisterBytes)));
    typedef double half __attribute__((vector_size(kRegisterBytes / 2)));
    typedef std::int64_t bits __attribute__((vector_size(kRegisterBytes)));
    typedef std::uint64_t natural __attribute__((vector_size(kRegisterBytes)));
};
template <class T>
using Pack = typename PackOf<T>::type;
template <class T>
using HalfPack = typename PackOf<T>::half;
template <class T>
using Bits = typename PackOf<T>::bits;
template <class T>
using Natural = typename PackOf<T>::natural;
template <class T>
constexpr int kLanes = kRegisterBytes / int(sizeof(T));

template <class T>
GMMSEG_INLINE Pack<T> load(const T* p) {
    Pack<T> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
template <class T>
GMMSEG_INLINE void store(T* p, Pack<T> v) {
    __builtin_memcpy(p, &v, sizeof v);
}
template <class T>
GMMSEG_INLINE Pack<T> fill(T x) {
    return x - Pack<T>{};
}
// The larger number of each lane; b where either is undefined. Of 512 bits compilers make two instructions of it.
template <class V>
GMMSEG_INLINE V larger(V a, V b) {
#if defined(__AVX512F__)
    if constexpr (sizeof(a[0]) == 4) return (V)_mm512_max_ps((__m512)a, (__m512)b);
    else return (V)_mm512_max_pd((__m512d)a, (__m512d)b);
#else
    return a > b ? a : b;
#endif
}
// The smaller of two numbers of 32 bits; b where either is undefined.
GMMSEG_INLINE Pack<float> smaller(Pack<float> a, Pack<float> b) {
#if defined(__AVX512F__)
    return (Pack<float>)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return a < b ? a : b;
#endif
}
// The numbers from `index` on; 0 outside of the n that there are.
GMMSEG_INLINE Pack<float> load_within(const float* p, std::ptrdiff_t index, std::ptrdiff_t n) {
    if (__builtin_expect(index >= 0 && index + kLanes<float> <= n, 1)) return load(p + index);
    float lane[kLanes<float>] = {};
    for (std::ptrdiff_t x = 0; x < kLanes<float>; ++x)
        if (index + x >= 0 && index + x < n) lane[x] = p[index + x];
    return load(lane);
}

// 0, 1, 2, ...
GMMSEG_INLINE Pack<float> ramp() {
    float lane[kLanes<float>];
    for (int x = 0; x < kLanes<float>; ++x) lane[x] = float(x);
    return load(lane);
}

// Bytes to numbers and, rounded down, back. Compilers take such vectors apart, lane by lane.
GMMSEG_INLINE Pack<float> load_bytes(const std::uint8_t* p) {
#if defined(__AVX512F__)
    return (Pack<float>)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p)));
#elif defined(__AVX2__)
    return (Pack<float>)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
    Pack<float> v;
    for (int i = 0; i < kLanes<float>; ++i) v[i] = p[i];
    return v;
#endif
}
GMMSEG_INLINE void store_bytes(std::uint8_t* p, Pack<float> v) {
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32((__m512)v)));
#elif defined(__AVX2__)
    const __m256i whole = _mm256_cvttps_epi32((__m256)v);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(half, half));
#else
    for (int i = 0; i < kLanes<float>; ++i) p[i] = std::uint8_t(v[i]);
#endif
}

// Whole numbers of 16 bits, as many as a register holds numbers: from the low halves of a register's, and back.
typedef std::uint16_t Halves __attribute__((vector_size(kRegisterBytes / 2)));
GMMSEG_INLINE Halves load_halves(const std::uint16_t* p) {
    Halves v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
GMMSEG_INLINE void store_halves(std::uint16_t* p, Halves v) { __builtin_memcpy(p, &v, sizeof v); }
GMMSEG_INLINE Halves halves_of_bytes(const std::uint8_t* p) {
#if defined(__AVX512F__)
    return (Halves)_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)p));
#elif defined(__AVX2__)
    return (Halves)_mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i*)p));
#else
    Halves v;
    for (int i = 0; i < kLanes<float>; ++i) v[i] = p[i];
    return v;
#endif
}
GMMSEG_INLINE Halves halved(Bits<float> v) {
#if defined(__AVX512F__)
    return (Halves)_mm512_cvtepi32_epi16((__m512i)v);
#elif defined(__AVX2__)
    const __m256i low = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(0xffff));
    return (Halves)_mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
#else
    Halves found;
    for (int i = 0; i < kLanes<float>; ++i) found[i] = std::uint16_t(v[i]);
    return found;
#endif
}
// They stand for numbers from -32768 to 32767.
GMMSEG_INLINE Pack<float> numbers(Halves v) {
#if defined(__AVX512F__)
    return (Pack<float>)_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32((__m256i)v));
#elif defined(__AVX2__)
    return (Pack<float>)_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32((__m128i)v));
#else
    Pack<float> found;
    for (int i = 0; i < kLanes<float>; ++i) found[i] = std::int16_t(v[i]);
    return found;
#endif
}
// The lanes in which two differ, as bits.
GMMSEG_INLINE unsigned differing(Halves a, Halves b) {
#if defined(__AVX512VL__)
    return _mm256_cmpneq_epi16_mask((__m256i)a, (__m256i)b);
#elif defined(__AVX2__)
    const __m128i same = _mm_cmpeq_epi16((__m128i)a, (__m128i)b);
    return ~unsigned(_mm_movemask_epi8(_mm_packs_epi16(same, same))) & 255u;
#else
    unsigned found = 0;
    for (int i = 0; i < kLanes<float>; ++i) found |= a[i] != b[i] ? 1u << i : 0u;
    return found;
#endif
}

// A product that is rounded before anything is added to it: one that a compiler fused with a sum would differ from
// machine to machine.
GMMSEG_INLINE Pack<float> rounded(Pack<float> v) {
#if defined(__AVX512F__)
    __asm__("" : "+v"(v));
#elif defined(__x86_64__)
    __asm__("" : "+x"(v));
#elif defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
}

// A loop whose index is a constant, so that arrays indexed by it live in registers.
template <int I>
struct Index {
    static constexpr int value = I;
};
template <int I, int N, class Body>
GMMSEG_INLINE void unrolled_from(const Body& body) {
    if constexpr (I < N) {
        body(Index<I>{});
        unrolled_from<I + 1, N>(body);
    }
}
template <int N, class Body>
GMMSEG_INLINE void unrolled(const Body& body) {
    unrolled_from<0, N>(body);
}

template <int... I>
struct Sequence {};
template <int N, int... I>
struct Count : Count<N - 1, N - 1, I...> {};
template <int... I>
struct Count<0, I...> {
    using type = Sequence<I...>;
};

template <int Shift, class V, int... I>
GMMSEG_INLINE V rotate(V v, Sequence<I...>) {
    return __builtin_shufflevector(v, v, ((I + Shift) % int(sizeof...(I)))...);
}

// The lanes, each taken from so many further on. Of 512 bits compilers look them up.
template <int Shift>
GMMSEG_INLINE Pack<float> turned(Pack<float> v) {
    if constexpr (Shift == 0) return v;
#if defined(__AVX512F__)
    return (Pack<float>)_mm512_alignr_epi32((__m512i)v, (__m512i)v, Shift);
#else
    return rotate<Shift>(v, typename Count<kLanes<float>>::type{});
#endif
}
template <int Shift>
GMMSEG_INLINE Pack<double> turned(Pack<double> v) {
    if constexpr (Shift == 0) return v;
#if defined(__AVX512F__)
    return (Pack<double>)_mm512_alignr_epi64((__m512i)v, (__m512i)v, Shift);
#else
    return rotate<Shift>(v, typename Count<kLanes<double>>::type{});
#endif
}

// Adds numbers to as many of double precision.
GMMSEG_INLINE void add_to(double* to, HalfPack<float> v) {
#if defined(__AVX512F__)
    // Compilers convert these in two halves.
    store(to, load(to) + (Pack<double>)_mm512_cvtps_pd((__m256)v));
#else
    store(to, load(to) + __builtin_convertvector(v, Pack<double>));
#endif
}
GMMSEG_INLINE void add_to(double* to, Pack<float> v) {
    HalfPack<float> half[2];
    __builtin_memcpy(half, &v, sizeof v);
    add_to(to, half[0]);
    add_to(to + kLanes<float> / 2, half[1]);
}
GMMSEG_INLINE void add_to(double* to, Pack<double> v) { store(to, load(to) + v); }
GMMSEG_INLINE void add_to(double* to, HalfPack<double> v) {
    HalfPack<double> sum;
    __builtin_memcpy(&sum, to, sizeof sum);
    sum += v;
    __builtin_memcpy(to, &sum, sizeof sum);
}

// Sum of the lanes, by halves.
template <class T, int Half = kLanes<T> / 2>
GMMSEG_INLINE double total(Pack<T> v) {
    if constexpr (Half == 0) return double(v[0]);
    else return total<T, Half / 2>(v + rotate<Half>(v, typename Count<kLanes<T>>::type{}));
}

// In parts of S lanes, one half of each from a and the other from b: where they are, or swapped.
template <int S, bool Swapped, class V, int... I>
GMMSEG_INLINE V halves(V a, V b, Sequence<I...>) {
    constexpr int lanes = int(sizeof...(I)), h = S / 2;
    return __builtin_shufflevector(a, b, ((I % S < h ? 0 : lanes) + (Swapped ? I ^ h : I))...);
}

// Where the sum of the i-th register's lanes comes to lie by `totals`: the bits of its lane are reversed.
template <class T>
constexpr int place_of_total(int i) {
    int lane = 0;
    for (int bit = 1, other = kLanes<T> / 2; bit < kLanes<T>; bit *= 2, other /= 2) lane += i & bit ? other : 0;
    return i / kLanes<T> * kLanes<T> + lane;
}

// Sums of the lanes of N registers, added up by halves as by `total`, but two registers become one at each step.
template <class T, int N, int S = kLanes<T>>
GMMSEG_INLINE void totals(const Pack<T>* sums, T* to) {
    if constexpr (S == 1) {
        unrolled<N>([&](auto i) GMMSEG_LAMBDA { store(to + i.value * kLanes<T>, sums[i.value]); });
    } else {
        using All = typename Count<kLanes<T>>::type;
        Pack<T> joined[N / 2];
        unrolled<N / 2>([&](auto i) GMMSEG_LAMBDA {
            const Pack<T> a = sums[2 * i.value], b = sums[2 * i.value + 1];
            joined[i.value] = halves<S, false>(a, b, All{}) + halves<S, true>(a, b, All{});
        });
        totals<T, N / 2, S / 2>(joined, to);
    }
}

// Whether any lane is above a number.
template <class T>
GMMSEG_INLINE bool any_above(Pack<T> v, T least) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask((__m512)v, (__m512)fill(least), _CMP_GT_OQ) != 0;
    else return _mm512_cmp_pd_mask((__m512d)v, (__m512d)fill(least), _CMP_GT_OQ) != 0;
#else
    bool found = false;
    for (int x = 0; x < kLanes<T>; ++x) found |= v[x] > least;
    return found;
#endif
}

// The lanes in which a comparison holds, as bits.
GMMSEG_INLINE unsigned lanes(Bits<float> mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX__)
    return unsigned(_mm256_movemask_ps((__m256)mask));
#elif defined(__x86_64__)
    return unsigned(_mm_movemask_ps((__m128)mask));
#else
    unsigned found = 0;
    for (int i = 0; i < kLanes<float>; ++i) found |= mask[i] ? 1u << i : 0u;
    return found;
#endif
}

GMMSEG_INLINE unsigned lanes(Bits<double> mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX__)
    return unsigned(_mm256_movemask_pd((__m256d)mask));
#elif defined(__x86_64__)
    return unsigned(_mm_movemask_pd((__m128d)mask));
#else
    unsigned found = 0;
    for (int i = 0; i < kLanes<double>; ++i) found |= mask[i] ? 1u << i : 0u;
    return found;
#endif
}

// Whether a comparison holds in any lane.
GMMSEG_INLINE bool any(Bits<float> mask) { return lanes(mask) != 0; }

// In which lanes something holds. Compilers turn bits of AVX-512 into whole registers, and back, wherever two are put
// together: a fifth of the time of choosing the open classes of a register.
#if defined(__AVX512F__)
typedef __mmask16 Mask;
GMMSEG_INLINE Mask above(Pack<float> a, Pack<float> b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ); }
GMMSEG_INLINE Mask at_least(Pack<float> a, Pack<float> b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ);
}
GMMSEG_INLINE Mask equal(Pack<float> a, Pack<float> b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
GMMSEG_INLINE Pack<float> chosen(Mask mask, Pack<float> a, Pack<float> b) {
    return (Pack<float>)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
}
GMMSEG_INLINE unsigned lanes(Mask mask) { return mask; }
GMMSEG_INLINE bool any(Mask mask) { return mask != 0; }
#else
typedef Bits<float> Mask;
GMMSEG_INLINE Mask above(Pack<float> a, Pack<float> b) { return a > b; }
GMMSEG_INLINE Mask at_least(Pack<float> a, Pack<float> b) { return a >= b; }
GMMSEG_INLINE Mask equal(Pack<float> a, Pack<float> b) { return a == b; }
GMMSEG_INLINE Pack<float> chosen(Mask mask, Pack<float> a, Pack<float> b) { return mask ? a : b; }
#endif

// 2^t for t <= 0: minimax polynomials, relative error below 2e-7 and 3e-16, exactly 1 at 0. Below 2^-100 (2^-1000) it
// is 0, so that no product of it is a denormal number, which many processors handle slowly.
GMMSEG_INLINE Pack<float> exp2_negative(Pack<float> t) {
    const Pack<float> shifted = t + 12582912.0f;  // 1.5 * 2^23: the rounded integer stands in the low bits
    const Pack<float> f = t - (shifted - 12582912.0f);
    Pack<float> p = fill(0.0013264723893082015f);
    p = p * f + 0.009671512869549504f;
    p = p * f + 0.055507337542471946f;
    p = p * f + 0.24022242080363418f;
    p = p * f + 0.6931469775914952f;
    p = p * f + 1.0f;
    return t > -100.0f ? (Pack<float>)((Natural<float>)p + ((Natural<float>)shifted << 23)) : Pack<float>{};
}
GMMSEG_INLINE Pack<double> exp2_negative(Pack<double> t) {
    const Pack<double> shifted = t + 6755399441055744.0;  // 1.5 * 2^52
    const Pack<double> f = t - (shifted - 6755399441055744.0);
    Pack<double> p = fill(4.4347621428299886e-10);
    p = p * f + 7.073782688518929e-09;
    p = p * f + 1.0178199634997931e-07;
    p = p * f + 1.3215435285249644e-06;
    p = p * f + 1.5252733492959354e-05;
    p = p * f + 0.00015403530457107448;
    p = p * f + 0.0013333558146774844;
    p = p * f + 0.009618129107594122;
    p = p * f + 0.055504108664820084;
    p = p * f + 0.2402265069591013;
    p = p * f + 0.6931471805599453;
    p = p * f + 1.0;
    return t > -1000.0 ? (Pack<double>)((Natural<double>)p + ((Natural<double>)shifted << 52)) : Pack<double>{};
}

// A positive normal number's power of two is added to `powers`; what is left of it, 1 to 2, is returned.
template <class T>
GMMSEG_INLINE Pack<T> taken_apart(Pack<T> x, Bits<T>& powers) {
    constexpr int digits = sizeof(T) == 4 ? 23 : 52;
    constexpr auto one = sizeof(T) == 4 ? 0x3f800000 : 0x3ff0000000000000;
    const Bits<T> power = ((Bits<T>)x - one) >> digits;
    powers += power;
    return (Pack<T>)((Bits<T>)x - (power << digits));
}

// log2 of positive normal numbers m 2^e with m in [sqrt(1/2), sqrt(2)): e and, in float32, m - 1 times a minimax
// polynomial of it, relative error below 2e-7; in float64 the series of 2 artanh((m - 1) / (m + 1)).
GMMSEG_INLINE Pack<float> log2_positive(Pack<float> x) {
    const Bits<float> e = ((Bits<float>)x - 0x3f3504f3) >> 23;
    const Pack<float> t = (Pack<float>)((Bits<float>)x - (e << 23)) - 1.0f;
    Pack<float> p = fill(0.12583689904389175f);
    p = p * t - 0.20726968741583032f;
    p = p * t + 0.21571562334110503f;
    p = p * t - 0.2389448307819623f;
    p = p * t + 0.28791624734950333f;
    p = p * t - 0.36070368238039296f;
    p = p * t + 0.48091064295617436f;
    p = p * t - 0.7213473468081973f;
    p = p * t + 1.4426950036523818f;
    return __builtin_convertvector(e, Pack<float>) + t * p;
}
GMMSEG_INLINE Pack<double> log2_positive(Pack<double> x) {
    const Bits<double> e = ((Bits<double>)x - 0x3fe6a09e667f3bcd) >> 52;
    const Pack<double> m = (Pack<double>)((Bits<double>)x - (e << 52));
    const Pack<double> s = (m - 1.0) / (m + 1.0), z = s * s;
    Pack<double> p = fill(1.0 / 21);
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    p = p * z + 1.0;
    constexpr double scale = 2.885390081777926814719849362004;  // 2 / ln 2
    return __builtin_convertvector(e, Pack<double>) + scale * s * p;
}

}  // namespace
