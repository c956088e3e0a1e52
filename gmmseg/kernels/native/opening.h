// Which classes the voxels of registers in doubt could come to hold, and with what parts. Included by spatial.cpp
// alone.
#pragma once
#include "hearing.h"

namespace {

constexpr float kAlone = float(1ull << 60) * (1 << 15);  // so many times as likely as one that is closed
constexpr ptrdiff_t kTogether = 32;  // registers of which one thing after the other is done: each is a long chain

struct Opening : Weighing {
    std::uint8_t* later;      // registers that change in this sweep
    // Classes that any voxel of a register could come to hold, and the parts that they have, of voxels by themselves, of
    // the one that is open first: register by register.
    std::uint8_t* open;
    float* parts;
    struct Register {
        ptrdiff_t at, flag;            // with a border, and among flags
        std::int32_t row, pack;        // of the tile, and in its row
        std::int32_t place;            // of the first of its open classes
        std::int16_t n_open, settled;  // how many they are; whether its voxels can each hold but one class
    };
    Register* unsettled;  // those that are not settled, row by row
    ptrdiff_t n_unsettled = 0;

    float hopeless;  // as a part of the likeliest, a class is closed

    explicit Opening(const SmoothJob& j) : Weighing(j) {
        float all = 0;
        for (int o = 0; o < job.n_offsets; ++o) all += 2 * kLog2e * job.strengths[o] + step_edge;
        hopeless = exp2_negative(fill(-all - 9 - log2_positive(fill(float(job.n_classes)))[0]))[0];
    }

    void lay_out(Arena& arena) {
        Weighing::lay_out(arena);
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        later = arena.take<std::uint8_t>(grid.flags() + kFlags);
        open = arena.take<std::uint8_t>(job.n_classes * registers + 1);
        parts = arena.take<float>((job.n_classes * registers + 1) * L);
        unsettled = arena.take<Register>(registers + 1);
    }

    // A class is closed to a voxel, its part 0, when not even the strongest edges that there can be could lift all such
    // classes together to 1/512 of the likeliest; a register has the open classes of its voxels. Those that this does
    // not settle are marked in `now`, and so are those whose probabilities are wanted: once all are opened, because the
    // marks of before say whose messages are heard. Lanes without data hold a class, and stay so.
    void open_classes() {
        __builtin_memset(later, 0, grid.flags());
        look_around(reach);
        ptrdiff_t n = 0;
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) { n = say_what_is_held(z, y, n); });
        std::int32_t used = 0;
        for (ptrdiff_t first = 0; first < n; first += kTogether) {
            const ptrdiff_t end = first + kTogether < n ? first + kTogether : n;
            if (!job.mixture)
                for (ptrdiff_t u = first; u < end; ++u)
                    take_probabilities(unsettled[u], values_of(used, u - first));
            else
                with_features(job.mixture->n_features, [&](auto D) GMMSEG_LAMBDA {
                    for (ptrdiff_t u = first; u < end; ++u)
                        take_posteriors<D.value>(unsettled[u], values_of(used, u - first));
                });
            std::int32_t kept = used;
            for (ptrdiff_t u = first; u < end; ++u) kept = choose(unsettled[u], values_of(used, u - first), kept);
            used = kept;
            for (ptrdiff_t u = first; u < end; ++u) {
                say_what_is_open(unsettled[u]);
                unsettled[n_unsettled] = unsettled[u];
                n_unsettled += !unsettled[n_unsettled].settled;
            }
        }
        mark_later();
    }

    void mark_later() {
        std::uint8_t* const f = now;
        now = later;
        later = f;
    }

    float* values_of(std::int32_t used, ptrdiff_t j) const { return parts + (used + j * job.n_classes) * L; }

    // Messages of the voxels of a row that hold their class, where they are heard; registers with others are added to
    // the `n` unsettled.
    ptrdiff_t say_what_is_held(ptrdiff_t z, ptrdiff_t y, ptrdiff_t n) {
        const ptrdiff_t first = grid.row(z, y), flags = grid.flag_row(z, y);
        const std::uint8_t idle = job.probabilities && is_near(z, y, 0) ? kEverywhere : 0;
        ptrdiff_t heard = 0;
        for (ptrdiff_t p = 0; p < grid.packs; ++p) {
            todo[heard] = std::int32_t(p);
            heard += stirred[flags + p];
        }
        for (ptrdiff_t t = 0; t < heard; ++t) {
            const ptrdiff_t p = todo[t], i = first + p * L;
            const Halves holds = halves_of_bytes(held + i);
            for (int k = 0; k < job.n_classes; ++k)
                store_halves(messages + k * grid.volume + i,
                             Halves(holds == std::uint16_t(k)) & std::uint16_t(kMessages));
            later[flags + p] = idle;
            unsettled[n] = {i, flags + p, std::int32_t(z * grid.height + y), std::int32_t(p), 0, 0, 0};
            n += differing(holds, Halves{} + std::uint16_t(kUnsure)) != (1u << L) - 1;
        }
        return n;
    }

    ptrdiff_t outer(const Register& it) const { return it.row * grid.width + it.pack * L; }

    void take_probabilities(const Register& it, float* to) const {
        for (int k = 0; k < job.n_classes; ++k) store(to + k * L, of_plane(job.prior, k, outer(it)));
    }

    // As the kernel of posteriors has them: labels and probabilities are of the same messages.
    template <int D>
    GMMSEG_INLINE void take_posteriors(const Register& it, float* to) const {
        Pack<float> x[D];
        Row<D>(*this, it.row).take(it.pack, x);
        posterior_of<D>(*job.mixture, x, densities, to);
    }

    // Lists the open classes of a register, and moves what they have to `place`, which may be where it is; returns the
    // next place.
    GMMSEG_INLINE std::int32_t choose(Register& it, const float* values, std::int32_t place) {
        const int n_classes = job.n_classes;
        const Pack<float> holds = load_bytes(held + it.at);
        const Mask doubtful = equal(holds, fill(float(kUnsure)));
        Pack<float> highest = load(values);
        for (int k = 1; k < n_classes; ++k) highest = larger(load(values + k * L), highest);
        const Pack<float> least = highest * hopeless;
        std::uint8_t* const classes = open + place;
        float* const to = parts + place * ptrdiff_t(L);
        int count = 0;
        Mask some{}, several{};
        Pack<float> own = holds;
        for (int k = 0; k < n_classes; ++k) {
            const Pack<float> value = load(values + k * L), name = fill(float(k));
            const Mask is_open = Mask((doubtful & at_least(value, least)) | equal(holds, name));
            several |= some & is_open;
            some |= is_open;
            own = chosen(is_open, name, own);
            store(to + count * L, chosen(is_open, chosen(doubtful, value, fill(1.0f)), Pack<float>{}));
            classes[count] = std::uint8_t(k);
            count += any(is_open);
        }
        store_bytes(held + it.at, own);
        it.place = place;
        it.n_open = std::int16_t(count);
        it.settled = !any(several);
        later[it.flag] |= where(lanes(several));
        return place + count;
    }

    // Parts of the open classes of a register, and their messages.
    GMMSEG_INLINE void say_what_is_open(const Register& it) {
        const int count = it.n_open;
        const std::uint8_t* const classes = open + it.place;
        float* const values = parts + it.place * ptrdiff_t(L);
        const auto say = [&](int c, Pack<float> q) GMMSEG_LAMBDA {
            store_halves(messages + classes[c] * grid.volume + it.at, message(q));
        };
        if (count == 2) {
            const Pack<float> part = part_of(load(values + L), load(values)), inverse = 1.0f / (1.0f + part);
            store(values, part);
            say(0, inverse);
            say(1, part * inverse);
            return;
        }
        Bits<float> known;
        const Pack<float> first = of_first_open(values, values, count, known);
        Pack<float> sum = {};
        for (int c = 0; c < count; ++c) {
            const Pack<float> part = known ? part_of(load(values + c * L), first) : fill(c == 0 ? 1.0f : 0.0f);
            store(values + c * L, part);
            sum += part;
        }
        const Pack<float> inverse = 1.0f / sum;
        for (int c = 0; c < count; ++c) say(c, load(values + c * L) * inverse);
    }

    // Of `count` numbers, those of the class that is open first in each lane, by its part; and which lanes have one.
    static GMMSEG_INLINE Pack<float> of_first_open(const float* part, const float* numbers, int count,
                                                   Bits<float>& known) {
        Pack<float> first = {};
        known = Bits<float>{};
        for (int c = 0; c < count; ++c) {
            const Bits<float> here = ~known & (load(part + c * L) > 0.0f);
            first = here ? load(numbers + c * L) : first;
            known |= here;
        }
        return first;
    }

    // What a class has in parts of what another has.
    static GMMSEG_INLINE Pack<float> part_of(Pack<float> value, Pack<float> other) {
        const Pack<float> largest = fill(kAlone);
        return value > 0.0f ? smaller(value / other, largest) : Pack<float>{};
    }
};

}  // namespace
