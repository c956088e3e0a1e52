// Edges of a smoothing: how loudly neighbours are heard, in whole steps. Included by spatial.cpp alone.
#pragma once
#include "settling.h"

namespace {

constexpr float kBlind = 0.2f;  // part of an edge that no contrast can cut, so that lone outliers are smoothed too

// (1 - t/8)^8 and 0 from t = 8 on: what e^-t is good for here, at a third of its cost.
GMMSEG_INLINE Pack<float> fading(Pack<float> t) {
    Pack<float> f = larger(1.0f - 0.125f * t, Pack<float>{});
    f *= f;
    f *= f;
    return f * f;
}

struct Weighing : Settling {
    struct Neighbour {
        std::uint8_t* edges;     // of a row
        ptrdiff_t ahead, step;   // to it, in arrays without a border and with one
        float dx, blind, keen;   // parts of an edge in steps: what no contrast can cut, and a half; and the rest
    };
    std::uint8_t* edges;    // rows with a border, in steps, of registers that are not settled and those next to them
    std::int32_t* todo;     // registers of a row, or of a slice
    Neighbour* neighbours;  // that a row has

    explicit Weighing(const SmoothJob& j) : Settling(j) {}

    void lay_out(Arena& arena) {
        Settling::lay_out(arena);
        edges = arena.take<std::uint8_t>(job.n_offsets * grid.volume);
        todo = arena.take<std::int32_t>(grid.depth * grid.height * grid.packs + 1);
        neighbours = arena.take<Neighbour>(job.n_offsets);
    }

    // What a neighbour's messages are multiplied with, in steps; 0 where there is no neighbour. Each stands with one of
    // its two voxels; where this is the first in order, `ahead`, registers after those in doubt need none.
    void weigh_edges(bool ahead) {
        for (int o = 0; o < job.n_offsets; ++o) clear_border(edges + o * grid.volume);
        look_around(reach, ahead);
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            ptrdiff_t n = 0;
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                todo[n] = std::int32_t(p);
                n += stirred[grid.flag_row(z, y) + p];
            }
            const int found = find_neighbours(z, y);
            if (job.n_guides == 1) weigh_row<1>(z, y, n, found);       // one channel
            else if (job.n_guides == 3) weigh_row<3>(z, y, n, found);  // colour
            else weigh_row<0>(z, y, n, found);
        });
    }

    // How many neighbours a row has; there are no edges to the others.
    int find_neighbours(ptrdiff_t z, ptrdiff_t y) {
        int n = 0;
        for (int o = 0; o < job.n_offsets; ++o) {
            std::uint8_t* const out = edges + o * grid.volume + grid.row(z, y);
            const std::int64_t* const offset = job.offsets + 3 * o;
            if (z + offset[0] >= grid.depth || y + offset[1] < 0 || y + offset[1] >= grid.height) {
                __builtin_memset(out, 0, grid.packs * L);
                continue;
            }
            const ptrdiff_t ahead = (offset[0] * grid.height + offset[1]) * grid.width + offset[2];
            const float strength = job.strengths[o] * steps_a_nat;
            const float blind = float(double(strength) * kBlind);  // no compiler may fuse it with what is added
            neighbours[n++] = {out, ahead, steps[o], float(offset[2]), blind + 0.5f, strength * (1 - kBlind)};
        }
        return n;
    }

    template <int G>
    void weigh_row(ptrdiff_t z, ptrdiff_t y, ptrdiff_t n, int found) {
        const Neighbour* const neighbours = this->neighbours;
        const std::int32_t* const todo = this->todo;
        const ptrdiff_t tile = this->tile, width = grid.width, last = grid.packs - 1, row = grid.outer(z, y);
        const float* const known = job.valid ? valid + grid.row(z, y) : nullptr;
        Pack<float> sharpness[G ? G : 1], guides[G ? G : 1];
        unrolled<G>([&](auto g) GMMSEG_LAMBDA { sharpness[g.value] = fill(job.sharpness[g.value]); });
        for (ptrdiff_t t = 0; t < n; ++t) {
            const ptrdiff_t p = todo[t], from = row + p * L;
            unrolled<G>([&](auto g) GMMSEG_LAMBDA {
                guides[g.value] = load_within(job.guide + g.value * tile, from, tile);
            });
            for (int o = 0; o < found; ++o) {
                const Neighbour& near = neighbours[o];
                const bool whole = from + near.ahead + L <= tile;
                Pack<float> distance = {};
                const auto add = [&](int g, Pack<float> sharp, Pack<float> here) GMMSEG_LAMBDA {
                    const float* const guide = job.guide + g * tile + from + near.ahead;
                    const Pack<float> there =
                        whole ? load(guide) : load_within(job.guide + g * tile, from + near.ahead, tile);
                    const Pack<float> difference = sharp * (here - there);
                    distance += rounded(difference * difference);
                };
                unrolled<G>([&](auto g) GMMSEG_LAMBDA { add(g.value, sharpness[g.value], guides[g.value]); });
                if (G == 0)
                    for (int g = 0; g < job.n_guides; ++g)
                        add(g, fill(job.sharpness[g]), load_within(job.guide + g * tile, from, tile));
                Pack<float> edge = near.blind + rounded(near.keen * fading(distance));
                if (known) {
                    edge = load(known + p * L) * load(known + p * L + near.step) > 0.0f ? edge : Pack<float>{};
                } else if (p == 0 || p == last) {
                    const Pack<float> x = ramp() + float(p * L), there = x + near.dx;
                    edge = (x < float(width)) & (there >= 0.0f) & (there < float(width)) ? edge : Pack<float>{};
                }
                store_bytes(near.edges + p * L, edge);
            }
        }
    }
};

}  // namespace
