// Mean-field smoothing of class probabilities under a contrast-sensitive Potts prior.
//
// q_i(k) is proportional to p_i(k) exp(sum_j w_ij q_j(k)) over the neighbours j of i, all voxels at once, time after
// time. Voxels that nobody around them can talk out of a class hold it and need no work (see settling.h): to find them
// are the first two of the `sweeps`. Neighbours hear of q in steps of 1/64, so that most others come to a standstill
// soon. Edges are whole numbers of steps, 511 for all that a voxel can have: 13 a voxel would not stay in the caches as
// floats, and sums of steps times messages are exact in 16 bits. Nearly all voxels in doubt are between two classes: how
// much louder one is heard than the other, one exponential and one division tell both. Rows of the halo are computed as
// long as the result can feel them. Every voxel is computed by the same operations wherever it lies in a tile, so that
// tiles with a halo of `sweeps` voxels give what the whole gives, bit for bit.
#include "kernels.h"
#include "opening.h"
#include "pack.h"

namespace {

constexpr float kAlike = 6e-5f;  // parts of which rounding may decide which is larger: ten times what it comes to

struct Field : Opening {
    std::uint16_t* fresh;  // messages of registers that change
    std::int32_t* moved;   // which of the unsettled changed in this sweep
    float* said;           // by neighbours, to some registers
    float* alone;          // probabilities of a register without its neighbours

    explicit Field(const SmoothJob& j) : Opening(j) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        begin();
    }

    void lay_out(Arena& arena) {
        Opening::lay_out(arena);
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        moved = arena.take<std::int32_t>(registers + 1);
        alone = arena.take<float>(job.n_classes * L);
        said = arena.take<float>((4 * kTogether + job.n_classes) * L);
        fresh = arena.take<std::uint16_t>(job.n_classes * registers * L);
    }

    // What a sweep reads and writes. Not of the field, whose members compilers would read anew after each byte that is
    // written: an eighth of a sweep.
    template <int N>
    struct Sweep {
        std::uint16_t* messages;
        const float* parts;
        std::uint16_t* fresh;
        const std::uint8_t *edges, *open;
        const ptrdiff_t *steps, volume, plane, pitch;
        float* said;
        const int n_classes, n_offsets;
        const float step;  // of sums of edges times messages, as a logarithm to base 2
        explicit Sweep(const Field& f)
            : messages(f.messages), parts(f.parts), fresh(f.fresh), edges(f.edges), open(f.open), steps(f.steps),
              volume(f.grid.volume), plane(f.grid.plane), pitch(f.grid.pitch), said(f.said),
              n_classes(f.job.n_classes), n_offsets(f.job.n_offsets), step(f.step_edge / kMessages) {}

        // By how much each of C classes is louder than the first, around the register at i. Its N neighbours are at known
        // places: with steps out of memory smoothing a photograph took 4 % longer, and a volume a tenth to a seventh.
        template <int C>
        GMMSEG_INLINE void listen(ptrdiff_t i, int first, const std::uint8_t* classes, int from,
                                  Pack<float>* to) const {
            Heard<C> heard;
            heard.edges = edges + i;
            heard.first = messages + first * volume + i;
            unrolled<C>([&](auto c) GMMSEG_LAMBDA {
                const int k = from + c.value;
                heard.others[c.value] = messages + (classes ? classes[k] : k) * volume + i;
            });
            Louder<C> louder;
            if constexpr (N)
                unrolled<N>([&](auto o) GMMSEG_LAMBDA {
                    louder.add(heard, o.value * volume, known_step(o.value, plane, pitch));
                });
            else
                for (int o = 0; o < n_offsets; ++o) louder.add(heard, o * volume, steps[o]);
            unrolled<C>([&](auto c) GMMSEG_LAMBDA {
                to[c.value] = step * louder.sum(c.value);
            });
        }

        // By how much the second class is louder than the first, around a register of two.
        GMMSEG_INLINE Pack<float> listen_to_second(const Register& it) const {
            const std::uint8_t* const classes = open + it.place;
            Pack<float> louder[1];
            listen<1>(it.at, classes[0], classes, 1, louder);
            return louder[0];
        }

        // The second class's part of the first, in a register of two.
        GMMSEG_INLINE Pack<float> second(const Register& it, Pack<float> louder) const {
            return rounded(load(parts + it.place * ptrdiff_t(L)) * exp2_negative(louder));
        }

        // Computes both messages of a register of two classes anew; returns where they change.
        GMMSEG_INLINE unsigned renew_pair(const Register& it, Pack<float> louder) const {
            const std::uint8_t* const classes = open + it.place;
            const Pack<float> part = second(it, louder), inverse = 1.0f / (1.0f + part);
            const Halves a = message(inverse), b = message(part * inverse);
            std::uint16_t* const to = fresh + it.place * ptrdiff_t(L);
            store_halves(to, a);
            store_halves(to + L, b);
            return differing(a, load_halves(messages + classes[0] * volume + it.at)) |
                   differing(b, load_halves(messages + classes[1] * volume + it.at));
        }

        // By how much each of `count` classes, the first ones if null, is louder than the first of them.
        GMMSEG_INLINE void listen_to_all(ptrdiff_t i, const std::uint8_t* classes, int count, float* to) const {
            const int first = classes ? classes[0] : 0;
            store(to, Pack<float>{});
            int c = 1;
            const auto some = [&](auto C) GMMSEG_LAMBDA {
                Pack<float> louder[C.value];
                listen<C.value>(i, first, classes, c, louder);
                unrolled<C.value>([&](auto j) GMMSEG_LAMBDA { store(to + (c + j.value) * L, louder[j.value]); });
                c += C.value;
            };
            while (c + 3 <= count) some(Index<3>{});
            if (c + 2 <= count) some(Index<2>{});
            if (c < count) some(Index<1>{});
        }

        // What the classes of a register, by how much louder they are than its first, are compared with the one that
        // is open first in each lane, in the same place; returns the sum. Not with the register's first class: what
        // else is in a register must not change a bit.
        GMMSEG_INLINE Pack<float> compare(const Register& it, float* louder) const {
            const int count = it.n_open;
            const float* const part = parts + it.place * ptrdiff_t(L);
            Bits<float> known;
            const Pack<float> first = of_first_open(part, louder, count, known);
            Pack<float> sum = {};
            for (int c = 0; c < count; ++c) {
                const Pack<float> q = rounded(load(part + c * L) * exp2_negative(load(louder + c * L) - first));
                store(louder + c * L, q);
                sum += q;
            }
            return sum;
        }

        // The messages that were computed anew are heard from now on.
        GMMSEG_INLINE void say(const Register& it) const {
            const std::uint8_t* const classes = open + it.place;
            const std::uint16_t* const q = fresh + it.place * ptrdiff_t(L);
            for (int c = 0; c < it.n_open; ++c)
                store_halves(messages + classes[c] * volume + it.at, load_halves(q + c * L));
        }

        // Computes all messages of a register anew; returns where they change.
        GMMSEG_INLINE unsigned renew(const Register& it, float* louder) const {
            const std::uint8_t* const classes = open + it.place;
            std::uint16_t* const to = fresh + it.place * ptrdiff_t(L);
            const Pack<float> inverse = 1.0f / compare(it, louder);
            unsigned changes = 0;
            for (int c = 0; c < it.n_open; ++c) {
                const Halves q = message(load(louder + c * L) * inverse);
                changes |= differing(q, load_halves(messages + classes[c] * volume + it.at));
                store_halves(to + c * L, q);
            }
            return changes;
        }
    };

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped.
    template <int N>
    void sweep(ptrdiff_t reach) {
        __builtin_memset(later, 0, grid.flags());
        const Sweep<N> sweep(*this);
        const Register* const unsettled = this->unsettled;
        std::int32_t* const moved = this->moved;
        std::uint8_t* const later = this->later;
        const std::uint8_t* const stirred = this->stirred;
        ptrdiff_t n_moved = 0;
        const auto note = [&](std::int32_t u, unsigned changes) GMMSEG_LAMBDA {
            moved[n_moved] = u;
            later[unsettled[u].flag] = where(changes);
            n_moved += changes != 0;
        };
        each_of(
            sweep, reach, [&](std::int32_t u) GMMSEG_LAMBDA { return stirred[unsettled[u].flag] != 0; },
            [&](std::int32_t u, float* louder) GMMSEG_LAMBDA { note(u, sweep.renew(unsettled[u], louder)); },
            [&](std::int32_t u, Pack<float> louder) GMMSEG_LAMBDA { note(u, sweep.renew_pair(unsettled[u], louder)); });
        for (ptrdiff_t m = 0; m < n_moved; ++m) sweep.say(unsettled[moved[m]]);
        mark_later();
    }

    // Calls body with each unsettled register that is so near to the result and wanted, and pair_body with those of two
    // classes and how much louder the second is. Lists first, those of pairs from the start of `todo` on and the others
    // from its end: branches that nobody can predict would cost as much as the sums.
    template <class Sweep, class Wanted, class Body, class PairBody>
    GMMSEG_INLINE void each_of(const Sweep& sweep, ptrdiff_t reach, const Wanted& is_wanted, const Body& body,
                               const PairBody& pair_body) {
        const Register* const unsettled = this->unsettled;
        std::int32_t *const todo = this->todo, *others = todo + n_unsettled;
        ptrdiff_t n_pairs = 0;
        each_slice(reach, [&](ptrdiff_t first, ptrdiff_t last) {
            for (ptrdiff_t u = first; u < last; ++u) {
                const bool wanted = is_wanted(std::int32_t(u)), pair = unsettled[u].n_open == 2;
                todo[n_pairs] = others[-1] = std::int32_t(u);
                n_pairs += wanted && pair;
                others -= wanted && !pair;
            }
        });
        const ptrdiff_t few = 4 * kTogether / job.n_classes + 1, most = few < kTogether ? few : kTogether;
        const ptrdiff_t pitch = job.n_classes * L;
        for (std::int32_t* const end = todo + n_unsettled; others != end;) {
            const ptrdiff_t count = end - others < most ? end - others : most;
            for (ptrdiff_t j = 0; j < count; ++j) {
                const Register& it = unsettled[others[j]];
                sweep.listen_to_all(it.at, open + it.place, it.n_open, sweep.said + j * pitch);
            }
            for (ptrdiff_t j = 0; j < count; ++j) body(others[j], sweep.said + j * pitch);
            others += count;
        }
        for (ptrdiff_t t = 0; t < n_pairs; t += kTogether) {
            const std::int32_t* const some = todo + t;
            const ptrdiff_t count = n_pairs - t < kTogether ? n_pairs - t : kTogether;
            for (ptrdiff_t j = 0; j < count; ++j)
                store(sweep.said + j * L, sweep.listen_to_second(unsettled[some[j]]));
            for (ptrdiff_t j = 0; j < count; ++j) pair_body(some[j], load(sweep.said + j * L));
        }
    }

    // Looks around in the rows that are so near to the result, and calls body with the first and the end of the
    // unsettled registers there, slice by slice.
    template <class Body>
    void each_slice(ptrdiff_t reach, const Body& body) {
        const auto before = [&](ptrdiff_t at) {
            ptrdiff_t low = 0, high = n_unsettled;
            while (low < high) {
                const ptrdiff_t middle = (low + high) / 2;
                if (unsettled[middle].at < at) low = middle + 1;
                else high = middle;
            }
            return low;
        };
        look_around(reach);
        for (ptrdiff_t z = 0; z < grid.depth; ++z) {
            const auto [first, end] = rows_near(z, reach);
            if (first < end) body(before(grid.row(z, first)), before(grid.row(z, end)));
        }
    }

    // Which classes are likeliest, once neighbours have been heard a last time, into `held`. Where nothing moved around
    // a register, its messages are what would be computed once more.
    template <int N>
    void name_classes() {
        const Sweep<N> sweep(*this);
        each_of(
            sweep, 0,
            [&](std::int32_t u) GMMSEG_LAMBDA {
                return stirred[unsettled[u].flag] || !name_by_messages(unsettled[u]);
            },
            [&](std::int32_t u, float* louder) GMMSEG_LAMBDA {
                const std::uint8_t* const classes = open + unsettled[u].place;
                sweep.compare(unsettled[u], louder);
                Pack<float> best = load(louder), named = fill(float(classes[0])), second = {};
                for (int c = 1; c < unsettled[u].n_open; ++c) {
                    const Pack<float> value = load(louder + c * L);
                    named = value > best ? fill(float(classes[c])) : named;
                    second = larger(smaller(value, best), second);
                    best = larger(value, best);
                }
                store_bytes(held + unsettled[u].at, named);
                const Bits<float> alike = second > best * (1 - kAlike);
                if (any(alike)) name_by_probabilities(sweep, unsettled[u], alike);
            },
            [&](std::int32_t u, Pack<float> louder) GMMSEG_LAMBDA {
                const std::uint8_t* const classes = open + unsettled[u].place;
                const Pack<float> part = sweep.second(unsettled[u], louder);
                store_bytes(held + unsettled[u].at, part > 1.0f ? fill(float(classes[1])) : fill(float(classes[0])));
                const Bits<float> alike = (part > 1 - kAlike) & (part < 1 + kAlike);
                if (any(alike)) name_by_probabilities(sweep, unsettled[u], alike);
            });
    }

    // Names the classes of some lanes by probabilities as they are written: what is as likely but for rounding has the
    // label of the highest one all the same.
    template <class Sweep>
    __attribute__((noinline)) void name_by_probabilities(const Sweep& sweep, const Register& it, Bits<float> some) {
        if (!job.mixture) {
            tell(sweep, it.at, [&](int k) { return of_plane(job.prior, k, outer(it)); });
        } else {
            with_features(job.mixture->n_features, [&](auto D) GMMSEG_LAMBDA {
                Pack<float> x[D.value];
                Row<D.value>(*this, it.row).take(it.pack, x);
                posterior_of<D.value>(*job.mixture, x, densities, alone);
            });
            tell(sweep, it.at, [&](int k) { return load(alone + k * L); });
        }
        Pack<float> best = load(column), named = {};
        for (int k = 1; k < job.n_classes; ++k) {
            const Pack<float> q = load(column + k * L);
            named = q > best ? fill(float(k)) : named;
            best = larger(q, best);
        }
        store_bytes(held + it.at, some ? named : load_bytes(held + it.at));
    }

    // The probabilities of all classes of a register into `column`, with those that they have without neighbours.
    template <class Sweep, class Alone>
    GMMSEG_INLINE void tell(const Sweep& sweep, ptrdiff_t at, const Alone& alone) {
        Pack<float> sum = {};
        sweep.listen_to_all(at, nullptr, job.n_classes, column);
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = alone(k) * exp2_negative(load(column + k * L));
            store(column + k * L, q);
            sum += q;
        }
        const Pack<float> inverse = 1.0f / sum;
        for (int k = 0; k < job.n_classes; ++k) store(column + k * L, load(column + k * L) * inverse);
    }

    // Names the classes that have clear majorities among the messages of a register; returns false where there is none.
    GMMSEG_INLINE bool name_by_messages(const Register& it) {
        const std::uint8_t* const classes = open + it.place;
        Pack<float> best = numbers(load_halves(messages + classes[0] * grid.volume + it.at));
        Pack<float> named = fill(float(classes[0]));
        for (int c = 1; c < it.n_open; ++c) {
            const Pack<float> value = numbers(load_halves(messages + classes[c] * grid.volume + it.at));
            named = value > best ? fill(float(classes[c])) : named;
            best = larger(value, best);
        }
        store_bytes(held + it.at, named);
        return !any(best < 0.51f * kMessages);
    }

    template <int N>
    void finish() {
        if (job.labels) name_classes<N>();
        const Sweep<N> sweep(*this);
        const ptrdiff_t* const from = job.inner_first;
        for (ptrdiff_t z = 0; z < job.inner_size[0]; ++z)
            for (ptrdiff_t y = 0; y < job.inner_size[1]; ++y) {
                if (job.labels) write_held(grid.row(z + from[0], y + from[1]) + from[2], z, y);
                for (ptrdiff_t p = from[2] / L; job.probabilities && p * L < from[2] + job.inner_size[2]; ++p)
                    write_probabilities(sweep, z, y, p);
            }
    }

    // The labels of a row.
    void write_held(ptrdiff_t first, ptrdiff_t z, ptrdiff_t y) {
        const std::uint8_t* const from = held + first;
        std::uint8_t* const to = job.labels + z * job.label_strides[0] + y * job.label_strides[1];
        const ptrdiff_t n = job.inner_size[2], step = job.label_strides[2];
        const std::uint8_t none = job.n_classes > kAbsent ? 255 : 1;  // the same byte names the last of 255 classes
        if (step == 1)
            for (ptrdiff_t x = 0; x < n; ++x) to[x] = from[x] == kAbsent ? none : std::uint8_t(from[x] + 1);
        else
            for (ptrdiff_t x = 0; x < n; ++x) to[x * step] = from[x] == kAbsent ? none : std::uint8_t(from[x] + 1);
    }

    // The probabilities of all classes, uniform before neighbours are heard where there is no data.
    template <class Sweep>
    void write_probabilities(const Sweep& sweep, ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) {
        const ptrdiff_t *const stride = job.probability_strides, *const from = job.inner_first;
        const ptrdiff_t x0 = p * L - from[2];  // of lane 0, in the result
        const ptrdiff_t first_lane = x0 < 0 ? -x0 : 0, end = job.inner_size[2] - x0 < L ? job.inner_size[2] - x0 : L;
        const Mask known = inside(z + from[0], y + from[1], p);
        const Pack<float> any_class = fill(1.0f / job.n_classes);
        tell(sweep, grid.row(z + from[0], y + from[1]) + p * L, [&](int k) {
            const Pack<float> prior = of_plane(job.prior, k, grid.outer(z + from[0], y + from[1]) + p * L);
            return chosen(known, prior, any_class);
        });
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = load(column + k * L);
            float* const to = job.probabilities + k * stride[0] + z * stride[1] + y * stride[2];
            for (ptrdiff_t x = first_lane; x < end; ++x) to[(x0 + x) * stride[3]] = q[x];
        }
    }

    template <int N>
    bool run() {
        if (job.valid) widen_valid();
        if (!find_likeliest()) return false;
        settle();
        open_classes();
        weigh_edges(N > 0);
        for (int t = 1; t < reach; ++t) sweep<N>(reach - t);
        finish<N>();
        return true;
    }
};

// Whether the offsets are `n` known ones.
bool has_steps(const SmoothJob& job, int n) {
    bool found = job.n_offsets == n;
    for (int i = 0; found && i < 3 * n; ++i) found = job.offsets[i] == kNeighbours[i / 3][i % 3];
    return found;
}

bool smooth(const SmoothJob& job) {
    Field field(job);
    if (job.mixture && !is_of_registers(*job.mixture)) return false;
    return has_steps(job, kPixel)   ? field.run<kPixel>()
           : has_steps(job, kVoxel) ? field.run<kVoxel>()
                                    : field.run<0>();
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Smooth smooth_kernel = smooth;
}
}  // namespace gmmseg
