// What voxels hear from their neighbours: messages, and sums of edges times them. Included by spatial.cpp alone.
#pragma once
#include "weighing.h"

namespace {

// Slices, rows and columns to a voxel's neighbours, one of each opposite pair; the first of them are a pixel's.
constexpr int kPixel = 4, kVoxel = 13;
constexpr int kNeighbours[kVoxel][3] = {{0, 0, 1},   {0, 1, -1}, {0, 1, 0},  {0, 1, 1}, {1, -1, -1},
                                        {1, -1, 0},  {1, -1, 1}, {1, 0, -1}, {1, 0, 0}, {1, 0, 1},
                                        {1, 1, -1},  {1, 1, 0},  {1, 1, 1}};

// From one to its o-th neighbour, where rows and slices are so far from each other.
GMMSEG_INLINE std::ptrdiff_t known_step(int o, std::ptrdiff_t plane, std::ptrdiff_t pitch) {
    const auto [dz, dy, dx] = kNeighbours[o];
    return dz * plane + dy * pitch + dx;
}

constexpr float kMessages = 256;  // steps of a probability that neighbours hear of

// A probability as neighbours hear of it.
GMMSEG_INLINE Halves message(Pack<float> q) {
    constexpr float magic = 1.5f * (1 << 15);  // the last bits of numbers of this size count 1/256
    return halved((Bits<float>)(rounded(q) + magic));
}

// Where a register's messages of C classes and of the one that they are compared with stand, and its edges.
template <int C>
struct Heard {
    const std::uint16_t *first, *others[C];
    const std::uint8_t* edges;
};

// How much louder than the first the other classes are heard, of one register: sums over all neighbours of edges times
// the difference of messages, which are whole numbers.
template <int C>
struct Louder {
#if defined(__AVX512VL__)
    typedef __m256i Sums;
    static GMMSEG_INLINE Sums of_bytes(const std::uint8_t* p) {
        return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)p));
    }
    static GMMSEG_INLINE Sums low(Sums a, Sums b) { return _mm256_unpacklo_epi16(a, b); }
    static GMMSEG_INLINE Sums high(Sums a, Sums b) { return _mm256_unpackhi_epi16(a, b); }
    static GMMSEG_INLINE Sums plus_products(Sums sum, Sums a, Sums b) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    }
    static GMMSEG_INLINE Pack<float> together(Sums low, Sums high) {
        const __m512i all = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        return (Pack<float>)_mm512_cvtepi32_ps(_mm512_shuffle_i32x4(all, all, _MM_SHUFFLE(3, 1, 2, 0)));
    }
#elif defined(__AVX2__)
    typedef __m128i Sums;
    static GMMSEG_INLINE Sums of_bytes(const std::uint8_t* p) {
        return _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i*)p));
    }
    static GMMSEG_INLINE Sums low(Sums a, Sums b) { return _mm_unpacklo_epi16(a, b); }
    static GMMSEG_INLINE Sums high(Sums a, Sums b) { return _mm_unpackhi_epi16(a, b); }
    static GMMSEG_INLINE Sums plus_products(Sums sum, Sums a, Sums b) {
        return _mm_add_epi32(sum, _mm_madd_epi16(a, b));
    }
    static GMMSEG_INLINE Pack<float> together(Sums low, Sums high) {
        return (Pack<float>)_mm256_cvtepi32_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1));
    }
#endif
#if defined(__AVX2__)
    Sums a[C], b[C];  // of the neighbours in each direction and opposite together

    GMMSEG_INLINE Louder() {
        unrolled<C>([&](auto c) GMMSEG_LAMBDA { a[c.value] = b[c.value] = Sums{}; });
    }
    GMMSEG_INLINE void add(const Heard<C>& heard, std::ptrdiff_t edges, std::ptrdiff_t step) {
        const Sums ahead = of_bytes(heard.edges + edges), behind = of_bytes(heard.edges + edges - step);
        const Sums edges_low = low(ahead, behind), edges_high = high(ahead, behind);
        const Sums first_ahead = (Sums)load_halves(heard.first + step);
        const Sums first_behind = (Sums)load_halves(heard.first - step);
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            const std::uint16_t* const q = heard.others[c.value];
            const Sums more_ahead = (Sums)(load_halves(q + step) - (Halves)first_ahead);
            const Sums more_behind = (Sums)(load_halves(q - step) - (Halves)first_behind);
            a[c.value] = plus_products(a[c.value], low(more_ahead, more_behind), edges_low);
            b[c.value] = plus_products(b[c.value], high(more_ahead, more_behind), edges_high);
        });
    }
    GMMSEG_INLINE Pack<float> sum(int c) const { return together(a[c], b[c]); }
#else
    Pack<float> a[C] = {};

    GMMSEG_INLINE void add(const Heard<C>& heard, std::ptrdiff_t edges, std::ptrdiff_t step) {
        const Pack<float> ahead = load_bytes(heard.edges + edges), behind = load_bytes(heard.edges + edges - step);
        const Pack<float> first_ahead = numbers(load_halves(heard.first + step));
        const Pack<float> first_behind = numbers(load_halves(heard.first - step));
        for (int c = 0; c < C; ++c) {
            a[c] += ahead * (numbers(load_halves(heard.others[c] + step)) - first_ahead);
            a[c] += behind * (numbers(load_halves(heard.others[c] - step)) - first_behind);
        }
    }
    GMMSEG_INLINE Pack<float> sum(int c) const { return a[c]; }
#endif
};

}  // namespace
