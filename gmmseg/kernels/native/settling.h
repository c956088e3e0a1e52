// Which voxels of a tile hold their class, because nobody around them can talk them out of it. Included by weighing.h
// alone.
#pragma once
#include <type_traits>

#include "certainty.h"

namespace {

constexpr std::uint8_t kEverywhere = 7;  // of a register: in any lane, in the first, in the last

template <int N>
struct BytesOf {
    typedef std::uint8_t type __attribute__((vector_size(N)));
};
template <int N>
using Bytes = typename BytesOf<N>::type;
template <int N>
GMMSEG_INLINE Bytes<N> load_some(const std::uint8_t* p) {
    Bytes<N> bytes;
    __builtin_memcpy(&bytes, p, sizeof bytes);
    return bytes;
}

// The sums, with the weight added where a and b differ.
template <int N>
GMMSEG_INLINE Bytes<N> plus_where_unlike(Bytes<N> sums, Bytes<N> a, Bytes<N> b, Bytes<N> weight) {
#if defined(__AVX512BW__)
    // Compilers make bytes of the mask first.
    if constexpr (N == 64) {
        const __mmask64 unlike = _mm512_cmpneq_epi8_mask((__m512i)a, (__m512i)b);
        return (Bytes<N>)_mm512_mask_add_epi8((__m512i)sums, unlike, (__m512i)sums, (__m512i)weight);
    }
#endif
    return sums + ((Bytes<N>)(a != b) & weight);
}

typedef std::uint8_t Flags __attribute__((vector_size(kFlags)));
GMMSEG_INLINE Flags flags_at(const std::uint8_t* p) { return load_some<kFlags>(p); }

struct Settling : Certainty {
    const int reach;        // rows so far from the result are in it: two less than the sweeps, as settling looks around
    std::uint8_t* held;     // with a border: the class that a voxel holds whatever happens around it
    std::uint8_t* now;      // registers with voxels in doubt, later those that changed in the last sweep
    std::uint8_t* stirred;  // those, and those next to them, of rows that were looked at
    ptrdiff_t* steps;       // to neighbours
    std::uint8_t* weights;  // of them, in units of margins
    float steps_a_nat;  // of edges
    float step_edge;    // one of them, as a logarithm to base 2

    explicit Settling(const SmoothJob& j) : Certainty(j), reach(j.sweeps > 2 ? j.sweeps - 2 : 1) {
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
        weights = arena.take<std::uint8_t>(job.n_offsets);
    }

    void begin() {
        Certainty::begin();
        for (int o = 0; o < job.n_offsets; ++o) {
            steps[o] = grid.step(job.offsets + 3 * o);
            weights[o] = ahead.weight(job.strengths[o]);
        }
        __builtin_memset(now, 0, grid.flags());
    }

    // Which voxels hold their class, and registers that have others. Voxels are steady if all their neighbours of other
    // classes cannot together make up for their margin, and hold if all that are not steady cannot either: so the first
    // two times nobody talks them out of their class. More times than two would change next to nothing.
    void settle() {
        if (job.sweeps < 3) {  // neighbours of neighbours may not be known
            each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
                const ptrdiff_t i = grid.row(z, y), n = grid.packs * L;
                for (ptrdiff_t x = 0; x < n; ++x) held[i + x] = likeliest[i + x] == kAbsent ? kAbsent : kUnsure;
                __builtin_memset(now + grid.flag_row(z, y), kEverywhere, grid.packs);
            });
            return;
        }
        clear_border(steady, kAbsent);
        repeat_border();
        each_row(reach + 1, [&](ptrdiff_t z, ptrdiff_t y) {
            find_mixed(z, y);
            hold(z, y, likeliest, steady);
        });
        look_around(reach);
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            hold(z, y, steady, held);
            if (job.probabilities && is_near(z, y, 0))
                __builtin_memset(now + grid.flag_row(z, y), kEverywhere, grid.packs);
        });
    }

    // Beside the rows of a tile registers are as those at their ends: nobody is heard from there.
    void repeat_border() const {
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            std::uint8_t* const row = common + grid.flag_row(z, y);
            row[-1] = row[0];
            row[grid.packs] = row[grid.packs - 1];
        });
    }

    // The classes that voxels of a row hold among those `from`; registers in which one holds none are marked in `now`.
    // Only what is stirred can lose one: to look at no other took both passes from 33 to 22 microseconds a tile.
    void hold(ptrdiff_t z, ptrdiff_t y, const std::uint8_t* from, std::uint8_t* to) {
        constexpr ptrdiff_t some = kRegisterBytes / L;  // registers of numbers in one of bytes
        const ptrdiff_t first = grid.row(z, y), packs = grid.packs;
        const std::uint8_t* const stirred = this->stirred + grid.flag_row(z, y);
        std::uint8_t* const marks = now + grid.flag_row(z, y);
        __builtin_memcpy(to + first, from + first, packs * L);
        const auto hold_some = [&](ptrdiff_t p, auto n) GMMSEG_LAMBDA {
            bool any = false;
            for (int j = 0; j < n.value; ++j) any |= stirred[p + j] != 0;
            if (!any) return;
            const auto holds = holding<n.value * L>(from, first + p * L);
            __builtin_memcpy(to + first + p * L, &holds, sizeof holds);
            mark<n.value * L>(holds, marks + p);
        };
        if (packs < some)
            for (ptrdiff_t p = 0; p < packs; ++p) hold_some(p, Index<1>{});
        else
            for (ptrdiff_t p = 0; p < packs; p += some) hold_some(p + some < packs ? p : packs - some, Index<some>{});
    }

    // Which registers of a row are not of one class with all around them, into `stirred`.
    void find_mixed(ptrdiff_t z, ptrdiff_t y) {
        const ptrdiff_t at = grid.flag_row(z, y), up = y > 0 ? -grid.flag_pitch() : 0;
        const ptrdiff_t down = y + 1 < grid.height ? grid.flag_pitch() : 0;
        for (ptrdiff_t p = 0; p < grid.packs; p += kFlags) {
            const Flags own = flags_at(common + at + p);
            Flags any = (Flags)(own == (Flags{} + kUnsure));
            for (ptrdiff_t dz = -grid.border; dz <= grid.border; ++dz) {
                if (z + dz < 0 || z + dz >= grid.depth) continue;
                for (const ptrdiff_t dy : {up, ptrdiff_t(0), down}) {
                    const std::uint8_t* const row = common + at + dz * grid.flag_plane() + dy + p;
                    any |= (flags_at(row - 1) ^ own) | (flags_at(row) ^ own) | (flags_at(row + 1) ^ own);
                }
            }
            __builtin_memcpy(stirred + at + p, &any, sizeof any);
        }
    }

    // The classes of N voxels where their margins are at least what all neighbours weigh that have others in `around`.
    template <int N>
    GMMSEG_INLINE Bytes<N> holding(const std::uint8_t* around, ptrdiff_t i) const {
        const Bytes<N> here = load_some<N>(around + i), absent = Bytes<N>{} + kAbsent;
        Bytes<N> against = Bytes<N>{} + std::uint8_t(ahead.least);
        const auto add = [&](Bytes<N> there, Bytes<N> weight) GMMSEG_LAMBDA {
            against = plus_where_unlike<N>(against, (Bytes<N>)(there == absent ? here : there), here, weight);
        };
        const ptrdiff_t* const steps = this->steps;
        const std::uint8_t* const weights = this->weights;
        for (int o = 0; o < job.n_offsets; ++o) {
            const Bytes<N> weight = Bytes<N>{} + weights[o];
            add(load_some<N>(around + i - steps[o]), weight);
            add(load_some<N>(around + i + steps[o]), weight);
        }
        const Bytes<N> doubtful = (Bytes<N>)(against > load_some<N>(margins + i)) & (Bytes<N>)(here != absent);
        return here | doubtful;  // all bits: kUnsure
    }

    // Marks the registers of N voxels that do not all hold a class.
    template <int N>
    GMMSEG_INLINE static void mark(Bytes<N> held, std::uint8_t* marks) {
        const Bytes<N> found = (Bytes<N>)(held == (Bytes<N>{} + kUnsure));
        typedef std::conditional_t<L % 8 == 0, std::uint64_t, std::uint32_t> Part;
        constexpr int parts = L / int(sizeof(Part));  // of a register
        Part doubts[N / sizeof(Part)];
        std::uint8_t lanes[N];
        __builtin_memcpy(doubts, &found, sizeof found);
        __builtin_memcpy(lanes, &found, sizeof found);
        for (int p = 0; p < N / L; ++p) {
            Part any = 0;
            for (int part = 0; part < parts; ++part) any |= doubts[p * parts + part];
            marks[p] |= std::uint8_t((any != 0) | (lanes[p * L] & 2) | (lanes[p * L + L - 1] & 4));
        }
    }

    // Whether something holds in any lane of a register, in the first (2) and in the last (4).
    GMMSEG_INLINE static std::uint8_t where(unsigned found) {
        return std::uint8_t((found != 0) | (found & 1) << 1 | (found >> (L - 1) & 1) << 2);
    }

    // For each register of rows so near to the result, whether any voxel in it, or next to one in it, is marked in
    // `now`: into `stirred`. Where `ahead`, what comes in order after all that is marked may be left out.
    void look_around(ptrdiff_t reach, bool ahead = false) {
        const bool below_only = ahead && grid.border == 0;
        for (ptrdiff_t z = 0; z < grid.depth; ++z) {
            const auto [first, end] = rows_near(z, reach);
            // What is written past the end of a row is overwritten later.
            for (ptrdiff_t p = (grid.packs - 1) / kFlags * kFlags; p >= 0 && first < end; p -= kFlags) {
                const auto of_row = [&, z = z](ptrdiff_t y) GMMSEG_LAMBDA {
                    Flags any = {};
                    for (ptrdiff_t dz = ahead ? 0 : -grid.border; dz <= grid.border; ++dz) {
                        const std::uint8_t* const row = now + grid.flag_row(z + dz, y) + p;
                        any |= (flags_at(row - 1) & 4) | flags_at(row) | (flags_at(row + 1) & 2);
                    }
                    return any;
                };
                Flags above = below_only ? Flags{} : of_row(first - 1), here = of_row(first);
                for (ptrdiff_t y = first; y < end; ++y) {
                    const Flags below = of_row(y + 1), found = (Flags)((above | here | below) != 0) & 1;
                    __builtin_memcpy(stirred + grid.flag_row(z, y) + p, &found, sizeof found);
                    above = below_only ? above : here;
                    here = below;
                }
            }
        }
    }
};

}  // namespace
