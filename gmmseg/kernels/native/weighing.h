// Edges of a smoothing: how loudly neighbours are heard, in whole steps. Included by spatial.cpp alone.
#pragma once
#include "settling.h"

namespace {

constexpr float kBlind = 0.2f;  // part of an edge that no contrast can cut, so that lone outliers are smoothed too

// (1 - t/8)^8 and 0 from t = 8 on: what e^-t is good for here, at a third of its cost.
GMMSEG_INLINE Pack<float> fading(Pack<float> t) {
    Pack<float> f = 1.0f - 0.125f * t;
    f = f > 0.0f ? f : Pack<float>{};
    f *= f;
    f *= f;
    return f * f;
}

struct Weighing : Settling {
    std::uint8_t* edges;  // rows with a border, in steps, of registers that are not settled and those next to them
    std::int32_t* todo;   // registers of a row, or of a slice

    explicit Weighing(const SmoothJob& j) : Settling(j) {}

    void lay_out(Arena& arena) {
        Settling::lay_out(arena);
        edges = arena.take<std::uint8_t>(job.n_offsets * grid.volume);
        todo = arena.take<std::int32_t>(grid.depth * grid.height * grid.packs + 1);
    }

    // What a neighbour's messages are multiplied with, in steps; 0 where there is no neighbour.
    void weigh_edges() {
        for (int o = 0; o < job.n_offsets; ++o) clear_border(edges + o * grid.volume);
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            look_around(z, y);
            ptrdiff_t n = 0;
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                todo[n] = std::int32_t(p);
                n += stirred[p];
            }
            for (int o = 0; o < job.n_offsets; ++o) {
                if (job.n_guides == 1) weigh_row<1>(o, z, y, n);       // one channel
                else if (job.n_guides == 3) weigh_row<3>(o, z, y, n);  // colour
                else weigh_row<0>(o, z, y, n);
            }
        });
    }

    template <int G>
    void weigh_row(int o, ptrdiff_t z, ptrdiff_t y, ptrdiff_t n) {
        std::uint8_t* const out = edges + o * grid.volume + grid.row(z, y);
        const std::int64_t* const offset = job.offsets + 3 * o;
        const ptrdiff_t dx = offset[2];
        if (z + offset[0] >= grid.depth || y + offset[1] < 0 || y + offset[1] >= grid.height) {
            __builtin_memset(out, 0, grid.packs * L);
            return;
        }
        const ptrdiff_t ahead = (offset[0] * grid.height + offset[1]) * grid.width + dx;
        const float strength = job.strengths[o] * (kSteps / strongest);
        const Pack<float> blind = rounded(fill(strength * kBlind)), keen = fill(strength * (1 - kBlind));
        Pack<float> sharpness[G ? G : 1];
        unrolled<G>([&](auto g) GMMSEG_LAMBDA { sharpness[g.value] = fill(job.sharpness[g.value]); });
        for (ptrdiff_t t = 0; t < n; ++t) {
            const ptrdiff_t p = todo[t], from = grid.outer(z, y) + p * L;
            const bool whole = from + ahead + L <= tile;
            Pack<float> distance = {};
            const auto add = [&](int g, Pack<float> sharp) GMMSEG_LAMBDA {
                const float* const guide = job.guide + g * tile;
                const Pack<float> difference =
                    sharp * (whole ? load(guide + from) - load(guide + from + ahead)
                                   : load_within(guide, from, tile) - load_within(guide, from + ahead, tile));
                distance += rounded(difference * difference);
            };
            unrolled<G>([&](auto g) GMMSEG_LAMBDA { add(g.value, sharpness[g.value]); });
            if (G == 0)
                for (int g = 0; g < job.n_guides; ++g) add(g, fill(job.sharpness[g]));
            Pack<float> edge = blind + rounded(keen * fading(distance));
            if (job.valid) {
                const float* const here = valid + grid.row(z, y) + p * L;
                edge = load(here) * load(here + steps[o]) > 0.0f ? edge : Pack<float>{};
            } else if (p == 0 || p == grid.packs - 1) {
                const Pack<float> x = ramp() + float(p * L), there = x + float(dx);
                edge = (x < float(grid.width)) & (there >= 0.0f) & (there < float(grid.width)) ? edge : Pack<float>{};
            }
            store_bytes(out + p * L, edge + 0.5f);
        }
    }
};

}  // namespace
