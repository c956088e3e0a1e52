// Which voxels of a tile hold their class whatever happens around them. Included by weighing.h alone.
#pragma once
#include <type_traits>

#include "certainty.h"

namespace {

constexpr int kFlags = 32;               // of registers, looked at together
constexpr std::uint8_t kEverywhere = 7;  // of a register: in any lane, in the first, in the last
constexpr int kSteps = 511;  // in which edges are counted: all that a voxel can have together have so many

struct Settling : Certainty {
    const int reach;        // rows so far from the result are in it: one less than the sweeps, as settling looks around
    std::uint8_t* held;     // with a border: the class that a voxel holds whatever happens around it
    std::uint8_t* now;      // registers with voxels in doubt, later those that changed in the last sweep
    std::uint8_t* stirred;  // those, and those next to them, of rows that were looked at
    ptrdiff_t* steps;
    float steps_a_nat;  // of edges
    float step_edge;    // one of them, as a logarithm to base 2

    explicit Settling(const SmoothJob& j) : Certainty(j), reach(j.sweeps > 1 ? j.sweeps - 1 : 1) {
        double all = 0;
        for (int o = 0; o < job.n_offsets; ++o) all += 2.0 * double(job.strengths[o]);
        if (all == 0) all = 1;
        const int steps = kSteps - job.n_offsets;  // each edge may be rounded up by half a step
        steps_a_nat = float(steps / all);
        step_edge = float(all / steps) * kLog2e;
    }

    void lay_out(Arena& arena) {
        Certainty::lay_out(arena);
        held = arena.take<std::uint8_t>(grid.volume + L);
        now = arena.take<std::uint8_t>(grid.flags() + kFlags);
        stirred = arena.take<std::uint8_t>(grid.flags() + kFlags);
        steps = arena.take<ptrdiff_t>(job.n_offsets);
    }

    void begin() {
        Certainty::begin();
        for (int o = 0; o < job.n_offsets; ++o) steps[o] = grid.step(job.offsets + 3 * o);
        __builtin_memset(now, 0, grid.flags());
    }

    // Which voxels hold their class, as all around them are sure of it; and registers that have others. As many bytes
    // as a register holds at a time: two thirds of the time of so many as it has numbers. Where a tile has no gaps,
    // pixels at its border are repeated outside of it, where they are heard anyway: absent neighbours need no look.
    void settle(bool of_pixels) {
        if (of_pixels && job.mixture && !job.valid && grid.width % L == 0) {
            repeat_border();
            settle_rows<false>();
        } else {
            settle_rows<true>();
        }
    }

    void repeat_border() {
        for (ptrdiff_t z = 0; z < grid.depth; ++z) {
            for (ptrdiff_t y = 0; y < grid.height; ++y) {
                std::uint8_t* const row = sure + grid.row(z, y);
                row[-1] = row[0];
                row[grid.width] = row[grid.width - 1];
            }
            const std::uint8_t* const last = sure + grid.row(z, grid.height - 1);
            __builtin_memcpy(sure + grid.row(z, -1) - 1, sure + grid.row(z, 0) - 1, grid.width + 2);
            __builtin_memcpy(sure + grid.row(z, grid.height) - 1, last - 1, grid.width + 2);
        }
    }

    template <bool Gaps>
    void settle_rows() {
        constexpr int wide = kRegisterBytes;
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            const std::uint8_t idle = job.probabilities && is_near(z, y, 0) ? kEverywhere : 0;
            const ptrdiff_t first = grid.row(z, y), n = grid.packs * L;
            std::uint8_t* const marks = now + grid.flag_row(z, y);
            ptrdiff_t x = 0;
            for (; x + wide <= n; x += wide) settle_some<wide, Gaps>(first + x, idle, marks + x / L);
            for (; x < n; x += L) settle_some<L, Gaps>(first + x, idle, marks + x / L);
        });
    }

    template <int N, bool Gaps>
    GMMSEG_INLINE void settle_some(ptrdiff_t i, std::uint8_t idle, std::uint8_t* marks) const {
        typedef std::uint8_t Bytes __attribute__((vector_size(N)));
        const auto bytes_at = [](const std::uint8_t* p) GMMSEG_LAMBDA {
            Bytes bytes;
            __builtin_memcpy(&bytes, p, sizeof bytes);
            return bytes;
        };
        const std::uint8_t* const at = sure + i;
        const Bytes here = bytes_at(at);
        Bytes doubtful;
        if constexpr (Gaps) {
            Bytes agree = (Bytes)(here != kUnsure);
            for (int o = 0; o < job.n_offsets; ++o) {
                const Bytes before = bytes_at(at - steps[o]), after = bytes_at(at + steps[o]);
                agree &= (Bytes)(before == here) | (Bytes)(before == kAbsent);
                agree &= (Bytes)(after == here) | (Bytes)(after == kAbsent);
            }
            doubtful = ~(agree | (Bytes)(here == kAbsent));
        } else {
            Bytes differ = {};
            for (int o = 0; o < job.n_offsets; ++o)
                differ |= (bytes_at(at - steps[o]) ^ here) | (bytes_at(at + steps[o]) ^ here);
            doubtful = (Bytes)(differ != 0) | (Bytes)(here == kUnsure);
        }
        const Bytes holds = here | doubtful;  // all bits: kUnsure
        __builtin_memcpy(held + i, &holds, sizeof holds);
        typedef std::conditional_t<L % 8 == 0, std::uint64_t, std::uint32_t> Part;
        constexpr int parts = L / int(sizeof(Part));  // of a register
        Part doubts[N / sizeof(Part)];
        __builtin_memcpy(doubts, &doubtful, sizeof doubtful);
        for (int p = 0; p < N / L; ++p) {
            Part found = 0;
            for (int part = 0; part < parts; ++part) found |= doubts[p * parts + part];
            marks[p] = found ? kEverywhere : idle;
        }
    }

    // Whether something holds in any lane of a register, in the first (2) and in the last (4).
    GMMSEG_INLINE static std::uint8_t where(unsigned found) {
        return std::uint8_t((found != 0) | (found & 1) << 1 | (found >> (L - 1) & 1) << 2);
    }

    // For each register of a row, whether any voxel in it, or next to one in it, is marked in `now`: into `stirred`.
    void look_around(ptrdiff_t z, ptrdiff_t y) {
        typedef std::uint8_t Flags __attribute__((vector_size(kFlags)));
        const auto flags_at = [](const std::uint8_t* p) {
            Flags flags;
            __builtin_memcpy(&flags, p, sizeof flags);
            return flags;
        };
        for (ptrdiff_t p = 0; p < grid.packs; p += kFlags) {
            Flags any = {};
            for (ptrdiff_t dz = -grid.border; dz <= grid.border; ++dz)
                for (ptrdiff_t dy = -1; dy <= 1; ++dy) {
                    const std::uint8_t* const row =
                        now + grid.flag_row(z, y) + p + dz * grid.flag_plane() + dy * grid.flag_pitch();
                    any |= (flags_at(row - 1) & 4) | flags_at(row) | (flags_at(row + 1) & 2);
                }
            const Flags found = (Flags)(any != 0) & 1;
            __builtin_memcpy(stirred + grid.flag_row(z, y) + p, &found, sizeof found);
        }
    }
};

}  // namespace
