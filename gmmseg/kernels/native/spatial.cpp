// Mean-field smoothing of class probabilities under a contrast-sensitive Potts prior.
//
// q_i(k) is proportional to p_i(k) exp(sum_j w_ij q_j(k)) over the neighbours j of i, all voxels at once, time after
// time. Voxels that are as sure of a class as all around them hold it and need no work (see settling.h); this is the
// first of the `sweeps`. Neighbours hear of q in steps of 1/256, so that most others come to a standstill soon. Edges
// are whole numbers of steps, 255 for the strongest there can be: 13 a voxel would not stay in the caches as floats, and
// sums of steps times messages are exact. Rows of the halo are computed as long as the result can feel them. Every voxel is
// computed by the same operations wherever it lies in a tile, so that tiles with a halo of `sweeps` voxels give what the
// whole gives, bit for bit.
#include "kernels.h"
#include "opening.h"
#include "pack.h"

namespace {

struct Field : Opening {
    std::uint16_t* fresh;  // messages of registers that change
    std::int32_t* moved;   // which of the unsettled changed in this sweep
    float* said;           // by neighbours, to some registers

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
        said = arena.take<float>(kTogether * L);
        fresh = arena.take<std::uint16_t>(job.n_classes * registers * L);
    }

    // What a sweep reads and writes. Not of the field, whose members compilers would read anew after each byte that is
    // written: an eighth of a sweep.
    template <int N>
    struct Sweep {
        std::uint16_t* messages;
        const float* parts;
        std::uint16_t* fresh;
        const std::uint8_t *edges, *open, *n_open;
        const std::int32_t* place;
        const ptrdiff_t *steps, volume, plane, pitch;
        float *column, *said;
        const int n_classes, n_offsets;
        const float step;  // of sums of edges times messages, as a logarithm to base 2
        explicit Sweep(const Field& f)
            : messages(f.messages), parts(f.parts), fresh(f.fresh), edges(f.edges), open(f.open), n_open(f.n_open),
              place(f.place), steps(f.steps), volume(f.grid.volume), plane(f.grid.plane), pitch(f.grid.pitch),
              column(f.column), said(f.said), n_classes(f.job.n_classes), n_offsets(f.job.n_offsets),
              step(f.step_edge / kMessages) {}

        // By how much each of C classes is louder than the first, around the register at i, whose neighbours are at known
        // distances from it and from the rows beside it: with steps out of memory smoothing a photograph took 4 % longer,
        // the labels of a brain a quarter.
        template <int C>
        GMMSEG_INLINE void listen(ptrdiff_t i, int first, const std::uint8_t* classes, int from, Pack<float>* to) const {
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
            unrolled<C>([&](auto c) GMMSEG_LAMBDA { to[c.value] = step * louder.sum(c.value); });
        }

        // By how much the second class is louder than the first, around a register of two.
        GMMSEG_INLINE Pack<float> listen_to_second(const Register& it) const {
            const std::uint8_t* const classes = open + it.flag * n_classes;
            Pack<float> louder[1];
            listen<1>(it.at, classes[0], classes, 1, louder);
            return louder[0];
        }

        // The second class's part of the first, in a register of two.
        GMMSEG_INLINE Pack<float> second(const Register& it, Pack<float> louder) const {
            return rounded(load(parts + place[it.flag] * ptrdiff_t(L)) * exp2_negative(louder));
        }

        // Computes both messages of a register of two classes anew; returns where they change.
        GMMSEG_INLINE unsigned renew_pair(const Register& it, Pack<float> louder) const {
            const std::uint8_t* const classes = open + it.flag * n_classes;
            const Pack<float> part = second(it, louder), inverse = 1.0f / (1.0f + part);
            const Halves a = message(inverse), b = message(part * inverse);
            std::uint16_t* const to = fresh + place[it.flag] * ptrdiff_t(L);
            store_halves(to, a);
            store_halves(to + L, b);
            return differing(a, load_halves(messages + classes[0] * volume + it.at)) |
                   differing(b, load_halves(messages + classes[1] * volume + it.at));
        }

        // By how much each of `count` classes, the first ones if null, is louder than the first of them, into `column`.
        GMMSEG_INLINE void listen_to_all(ptrdiff_t i, const std::uint8_t* classes, int count) const {
            const int first = classes ? classes[0] : 0;
            store(column, Pack<float>{});
            int c = 1;
            const auto some = [&](auto C) GMMSEG_LAMBDA {
                Pack<float> louder[C.value];
                listen<C.value>(i, first, classes, c, louder);
                unrolled<C.value>([&](auto j) GMMSEG_LAMBDA { store(column + (c + j.value) * L, louder[j.value]); });
                c += C.value;
            };
            while (c + 3 <= count) some(Index<3>{});
            if (c + 2 <= count) some(Index<2>{});
            if (c < count) some(Index<1>{});
        }

        // What the classes of a register are compared with that which is open first in each lane, into `column`; returns
        // the sum. Not with the register's first class: what else is in a register must not change a bit.
        GMMSEG_INLINE Pack<float> compare(const Register& it) const {
            const int count = n_open[it.flag];
            const float* const part = parts + place[it.flag] * ptrdiff_t(L);
            listen_to_all(it.at, open + it.flag * n_classes, count);
            Pack<float> first = {}, sum = {};
            Bits<float> known = {};
            for (int c = 0; c < count; ++c) {
                const Bits<float> here = ~known & (load(part + c * L) > 0.0f);
                first = here ? load(column + c * L) : first;
                known |= here;
            }
            for (int c = 0; c < count; ++c) {
                const Pack<float> q = rounded(load(part + c * L) * exp2_negative(load(column + c * L) - first));
                store(column + c * L, q);
                sum += q;
            }
            return sum;
        }

        // The messages that were computed anew are heard from now on.
        GMMSEG_INLINE void say(const Register& it) const {
            const std::uint8_t* const classes = open + it.flag * n_classes;
            const std::uint16_t* const q = fresh + place[it.flag] * ptrdiff_t(L);
            for (int c = 0; c < n_open[it.flag]; ++c)
                store_halves(messages + classes[c] * volume + it.at, load_halves(q + c * L));
        }

        // Computes all messages of a register anew; returns where they change.
        GMMSEG_INLINE unsigned renew(const Register& it) const {
            const std::uint8_t* const classes = open + it.flag * n_classes;
            std::uint16_t* const to = fresh + place[it.flag] * ptrdiff_t(L);
            const Pack<float> inverse = 1.0f / compare(it);
            unsigned changes = 0;
            for (int c = 0; c < n_open[it.flag]; ++c) {
                const Halves q = message(load(column + c * L) * inverse);
                changes |= differing(q, load_halves(messages + classes[c] * volume + it.at));
                store_halves(to + c * L, q);
            }
            return changes;
        }
    };

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped. Lists first,
    // those of pairs from the start of `todo` on and the others from its end: branches that nobody can predict would cost
    // as much as the sums.
    template <int N>
    void sweep(ptrdiff_t reach) {
        __builtin_memset(later, 0, grid.flags());
        const Sweep<N> sweep(*this);
        const Register* const unsettled = this->unsettled;
        std::int32_t *const todo = this->todo, *const moved = this->moved, *others = todo + n_unsettled;
        std::uint8_t* const later = this->later;
        ptrdiff_t n_pairs = 0, n_moved = 0, n_said = 0;
        each_slice(reach, [&](ptrdiff_t first, ptrdiff_t last) {
            for (ptrdiff_t u = first; u < last; ++u) {
                const bool stirred = is_stirred(unsettled[u].flag), pair = n_open[unsettled[u].flag] == 2;
                todo[n_pairs] = others[-1] = std::int32_t(u);
                n_pairs += stirred && pair;
                others -= stirred && !pair;
            }
        });
        const auto note = [&](std::int32_t u, unsigned changes) GMMSEG_LAMBDA {
            moved[n_moved] = u;
            later[unsettled[u].flag] = where(changes);
            n_moved += changes != 0;
        };
        for (; others != todo + n_unsettled; ++others) note(*others, sweep.renew(unsettled[*others]));
        const ptrdiff_t n_others = n_moved;
        // What changes is said as soon as nobody has to hear what was said before.
        for (ptrdiff_t t = 0; t < n_pairs; t += kTogether) {
            const std::int32_t* const some = todo + t;
            const ptrdiff_t count = n_pairs - t < kTogether ? n_pairs - t : kTogether;
            for (ptrdiff_t j = 0; j < count; ++j)
                store(sweep.said + j * L, sweep.listen_to_second(unsettled[some[j]]));
            for (ptrdiff_t j = 0; j < count; ++j)
                note(some[j], sweep.renew_pair(unsettled[some[j]], load(sweep.said + j * L)));
        }
        for (ptrdiff_t m = 0; m < n_moved; ++m) sweep.say(unsettled[moved[m]]);
        mark_later();
    }

    // Calls body with the first and the end of the unsettled registers of each slice that are so near to the result.
    template <class Body>
    void each_slice(ptrdiff_t reach, const Body& body) const {
        const auto before = [&](ptrdiff_t at) {
            ptrdiff_t low = 0, high = n_unsettled;
            while (low < high) {
                const ptrdiff_t middle = (low + high) / 2;
                if (unsettled[middle].at < at) low = middle + 1;
                else high = middle;
            }
            return low;
        };
        for (ptrdiff_t z = 0; z < grid.depth; ++z) {
            ptrdiff_t first = 0, last = grid.height - 1;
            while (first <= last && !is_near(z, first, reach)) ++first;
            while (first <= last && !is_near(z, last, reach)) --last;
            if (first <= last) body(before(grid.row(z, first)), before(grid.row(z, last + 1)));
        }
    }

    template <int N>
    void finish() {
        const ptrdiff_t* from = job.inner_first;
        for (ptrdiff_t z = 0; z < job.inner_size[0]; ++z)
            for (ptrdiff_t y = 0; y < job.inner_size[1]; ++y) {
                const ptrdiff_t row = grid.row(z + from[0], y + from[1]);
                const ptrdiff_t flags = grid.flag_row(z + from[0], y + from[1]);
                const Sweep<N> sweep(*this);
                look_around(z + from[0], y + from[1]);
                if (job.labels) write_held(row + from[2], z, y);
                for (ptrdiff_t p = from[2] / L; p * L < from[2] + job.inner_size[2]; ++p) {
                    const ptrdiff_t x0 = p * L - from[2];  // of lane 0, in the result
                    const ptrdiff_t first_lane = x0 < 0 ? -x0 : 0;
                    const ptrdiff_t last_lane = job.inner_size[2] - x0 < L ? job.inner_size[2] - x0 : L;
                    if (job.labels && n_open[flags + p])
                        write_labels(best_class(sweep, {row + p * L, flags + p, 0}, stirred[p]), z, y, x0, first_lane,
                                     last_lane);
                    if (job.probabilities) write_probabilities(sweep, z, y, p, first_lane, last_lane);
                }
            }
    }

    // The labels of a row, as far as voxels hold their class.
    void write_held(ptrdiff_t first, ptrdiff_t z, ptrdiff_t y) {
        const std::uint8_t* const from = held + first;
        std::uint8_t* const to = job.labels + z * job.label_strides[0] + y * job.label_strides[1];
        const ptrdiff_t n = job.inner_size[2], step = job.label_strides[2];
        if (step == 1)
            for (ptrdiff_t x = 0; x < n; ++x) to[x] = from[x] == kAbsent ? 1 : std::uint8_t(from[x] + 1);
        else
            for (ptrdiff_t x = 0; x < n; ++x) to[x * step] = from[x] == kAbsent ? 1 : std::uint8_t(from[x] + 1);
    }

    // Where nothing moved around a register, its messages are what would be computed once more, and clear majorities
    // among them name the classes.
    template <class Sweep>
    GMMSEG_INLINE Pack<float> best_class(const Sweep& sweep, const Register& it, bool moving) {
        const std::uint8_t* const classes = open + it.flag * job.n_classes;
        const int count = n_open[it.flag];
        if (settled[it.flag] || !moving) {
            Pack<float> best = numbers(load_halves(messages + classes[0] * grid.volume + it.at));
            Pack<float> label = fill(classes[0] + 1.0f);
            for (int c = 1; c < count; ++c) {
                const Pack<float> value = numbers(load_halves(messages + classes[c] * grid.volume + it.at));
                label = value > best ? fill(classes[c] + 1.0f) : label;
                best = larger(value, best);
            }
            if (settled[it.flag] || !any(best < 0.51f * kMessages)) return label;
        }
        if (count == 2) return sweep.second(it, sweep.listen_to_second(it)) > 1.0f ? fill(classes[1] + 1.0f) : fill(classes[0] + 1.0f);
        sweep.compare(it);
        Pack<float> best = load(column), label = fill(classes[0] + 1.0f);
        for (int c = 1; c < count; ++c) {
            const Pack<float> value = load(column + c * L);
            label = value > best ? fill(classes[c] + 1.0f) : label;
            best = larger(value, best);
        }
        return label;
    }

    void write_labels(Pack<float> label, ptrdiff_t z, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t first_lane,
                      ptrdiff_t last_lane) {
        std::uint8_t* const to = job.labels + z * job.label_strides[0] + y * job.label_strides[1];
        if (first_lane == 0 && last_lane == L && job.label_strides[2] == 1) return store_bytes(to + x0, label);
        for (ptrdiff_t x = first_lane; x < last_lane; ++x) to[(x0 + x) * job.label_strides[2]] = std::uint8_t(label[x]);
    }

    // The probabilities of all classes, uniform before neighbours are heard where there is no data.
    template <class Sweep>
    void write_probabilities(const Sweep& sweep, ptrdiff_t z, ptrdiff_t y, ptrdiff_t p, ptrdiff_t first_lane,
                             ptrdiff_t last_lane) {
        const ptrdiff_t *const stride = job.probability_strides, *const from = job.inner_first;
        const Bits<float> known = inside(z + from[0], y + from[1], p);
        Pack<float> sum = {};
        sweep.listen_to_all(grid.row(z + from[0], y + from[1]) + p * L, nullptr, job.n_classes);
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> prior = of_plane(job.prior, k, grid.outer(z + from[0], y + from[1]) + p * L);
            const Pack<float> q = (known ? prior : fill(1.0f / job.n_classes)) * exp2_negative(load(column + k * L));
            store(column + k * L, q);
            sum += q;
        }
        const Pack<float> inverse = 1.0f / sum;
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = load(column + k * L) * inverse;
            float* const to = job.probabilities + k * stride[0] + z * stride[1] + y * stride[2];
            for (ptrdiff_t x = first_lane; x < last_lane; ++x) to[(p * L - from[2] + x) * stride[3]] = q[x];
        }
    }

    template <int N>
    bool run() {
        if (job.valid) widen_valid();
        if (!find_sure()) return false;
        settle();
        open_classes();
        weigh_edges();
        for (int t = 1; t < reach; ++t) sweep<N>(reach - t);
        finish<N>();
        return true;
    }
};

// Whether the offsets are the first `n` known ones.
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
