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

constexpr int kMessages = 64;  // steps of a probability that neighbours hear of
static_assert(kSteps * kMessages < 1 << 15, "sums of edges times messages are signed numbers of 16 bits");

// A probability as neighbours hear of it.
GMMSEG_INLINE Halves message(Pack<float> q) {
    constexpr float magic = 1.5f * (1 << 17);  // the last bits of numbers of this size count 1/64
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
    Halves sums[C] = {};

    GMMSEG_INLINE void add(const Heard<C>& heard, std::ptrdiff_t edges, std::ptrdiff_t step) {
        const Halves ahead = halves_of_bytes(heard.edges + edges), behind = halves_of_bytes(heard.edges + edges - step);
        const Halves first_ahead = load_halves(heard.first + step), first_behind = load_halves(heard.first - step);
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            const std::uint16_t* const q = heard.others[c.value];
            sums[c.value] += ahead * (load_halves(q + step) - first_ahead);
            sums[c.value] += behind * (load_halves(q - step) - first_behind);
        });
    }
    GMMSEG_INLINE Pack<float> sum(int c) const { return numbers(sums[c]); }
};

}  // namespace
