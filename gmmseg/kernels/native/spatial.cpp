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
#include "pack.h"
#include "weighing.h"

namespace {

// Slices, rows and columns to a voxel's neighbours, one of each opposite pair; the first of them are a pixel's. Where
// these are known, smoothing a photograph takes 4 % less time, and a volume a tenth to a seventh.
constexpr int kPixel = 4, kVoxel = 13;
constexpr int kNeighbours[kVoxel][3] = {{0, 0, 1},   {0, 1, -1}, {0, 1, 0},  {0, 1, 1}, {1, -1, -1},
                                        {1, -1, 0},  {1, -1, 1}, {1, 0, -1}, {1, 0, 0}, {1, 0, 1},
                                        {1, 1, -1},  {1, 1, 0},  {1, 1, 1}};

// From one to its o-th neighbour, where rows and slices are so far from each other.
GMMSEG_INLINE ptrdiff_t known_step(int o, ptrdiff_t plane, ptrdiff_t pitch) {
    const auto [dz, dy, dx] = kNeighbours[o];
    return dz * plane + dy * pitch + dx;
}

GMMSEG_INLINE Pack<float> message(Pack<float> q) {
    constexpr float magic = 1.5f * (1 << 15);  // numbers of this size are multiples of 1/256
    return (q + magic) - magic;
}

struct Field : Weighing {
    float* messages;              // rows with a border
    float *prior, *fresh;         // open classes of unsettled registers, one after the other
    std::uint8_t *open, *n_open;  // for each register, the classes that any of its voxels could come to hold
    std::uint8_t* settled;        // registers whose voxels can each hold but one class
    std::uint8_t* later;          // registers that change in this sweep
    struct Register {
        ptrdiff_t at, flag;
    };
    Register* unsettled;           // those that could hold several classes, row by row ...
    ptrdiff_t *row_from, *row_to;  // ... and where those of a row are among them
    Register* moved;               // those that changed in this sweep
    std::int32_t* place;           // of a register in `prior` and `fresh`, in registers

    explicit Field(const SmoothJob& j) : Weighing(j) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        begin();
    }

    void lay_out(Arena& arena) {
        Weighing::lay_out(arena);
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        messages = arena.take<float>(job.n_classes * grid.volume);
        open = arena.take<std::uint8_t>(grid.flags() * job.n_classes);
        n_open = arena.take<std::uint8_t>(grid.flags());
        settled = arena.take<std::uint8_t>(grid.flags());
        later = arena.take<std::uint8_t>(grid.flags() + kFlags);
        unsettled = arena.take<Register>(registers + 1);
        row_from = arena.take<ptrdiff_t>(grid.depth * grid.height);
        row_to = arena.take<ptrdiff_t>(grid.depth * grid.height);
        moved = arena.take<Register>(registers + 1);
        place = arena.take<std::int32_t>(grid.flags());
        prior = arena.take<float>(job.n_classes * registers * L);
        fresh = arena.take<float>(job.n_classes * registers * L);
    }

    // The priors of a register, of all classes, into `column`, uniform where there is no data.
    void fill_column(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) {
        fill_probabilities(grid.outer(z, y) + p * L);
        if (!job.valid) return;
        const Bits<float> known = inside(z, y, p);
        for (int k = 0; k < job.n_classes; ++k)
            store(column + k * L, known ? load(column + k * L) : fill(1.0f / job.n_classes));
    }

    // A class is closed to a voxel, its prior 0, when not even the strongest edges that there can be could lift all
    // such classes together to 1/512 of the likeliest; a register has the open classes of its voxels. Those that this
    // does not settle are marked in `now`, and so are those whose probabilities are wanted: once all are opened, because
    // the marks of before say whose messages are heard. Lanes without data hold the first class, and stay so.
    void open_classes() {
        __builtin_memset(later, 0, grid.flags());
        for (int k = 0; k < job.n_classes; ++k) clear_border(messages + k * grid.volume);
        float all = 0;
        for (int o = 0; o < job.n_offsets; ++o) all += 2 * kLog2e * job.strengths[o] + step_edge;
        const Pack<float> hopeless = exp2_negative(fill(-all)) * (1 / (512.0f * job.n_classes));
        std::int32_t used = 0;
        ptrdiff_t n_unsettled = 0;
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            look_around(z, y);
            const ptrdiff_t flags = grid.flag_row(z, y), packs = grid.packs;
            row_from[z * grid.height + y] = n_unsettled;
            __builtin_memset(settled + flags, 1, packs);
            __builtin_memset(n_open + flags, 0, packs);
            ptrdiff_t n = 0;
            for (ptrdiff_t p = 0; p < packs; ++p) {
                todo[n] = std::int32_t(p);
                n += stirred[p];
            }
            for (ptrdiff_t t = 0; t < n; ++t) {
                const ptrdiff_t p = todo[t];
                open_register(z, y, p, hopeless, used);
                unsettled[n_unsettled] = {grid.row(z, y) + p * L, flags + p};
                n_unsettled += !settled[flags + p];
            }
            row_to[z * grid.height + y] = n_unsettled;
        });
        mark_later();
    }

    void mark_later() {
        std::uint8_t* const f = now;
        now = later;
        later = f;
    }

    GMMSEG_INLINE void open_register(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p, Pack<float> hopeless, std::int32_t& used) {
        const ptrdiff_t i = grid.row(z, y) + p * L, flag = grid.flag_row(z, y) + p;
        const Pack<float> holds = load_bytes(held + i);
        const Bits<float> doubtful = holds == float(kUnsure);
        if (!any(doubtful)) {
            for (int k = 0; k < job.n_classes; ++k)
                store(messages + k * grid.volume + i, holds == float(k) ? fill(1.0f) : Pack<float>{});
            later[flag] = job.probabilities && is_near(z, y, 0) ? kEverywhere : 0;
            return;
        }
        const Pack<float> highest = fill_probabilities(grid.outer(z, y) + p * L);
        const Bits<float> usable = inside(z, y, p) & (highest > 0.0f);
        const Pack<float> least = highest * hopeless;
        Pack<float> classes = {};
        int count = 0;
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = doubtful ? load(column + k * L) : (holds == float(k) ? fill(1.0f) : Pack<float>{});
            const Bits<float> is_open = usable & (q >= least);
            Pack<float> heard = usable ? message(q) : Pack<float>{};  // 0 where the class is closed
            if (any(is_open)) {
                const Pack<float> idle = fill(count == 0 ? 1.0f : 0.0f);
                heard = usable ? heard : idle;
                classes += is_open ? fill(1.0f) : Pack<float>{};
                store(prior + (used + count) * ptrdiff_t(L), usable ? (is_open ? q : Pack<float>{}) : idle);
                open[flag * job.n_classes + count++] = std::uint8_t(k);
            }
            store(messages + k * grid.volume + i, heard);
        }
        settled[flag] = !(is_near(z, y, reach - 1) && any(classes > 1.0f));
        later[flag] = job.probabilities && is_near(z, y, 0) ? kEverywhere : settled[flag] ? 0 : where(classes > 1.0f);
        n_open[flag] = std::uint8_t(count);
        place[flag] = used;
        if (!settled[flag]) used += count;
    }

    // Unnormalised q of the register at i into `column`, for `count` classes whose priors stand one after the other;
    // returns the sum over them.
    template <int N>
    GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i, const float* priors, const std::uint8_t* classes, int count) {
        const Edges<N> heard = edges_around<N>(i);
        float* const to = column;
        Pack<float> sum = {};
        constexpr int most = N == kPixel ? 2 : 4;  // classes at once: as many as registers hold
        int c = 0;
        const auto some = [&](auto C) GMMSEG_LAMBDA {
            Pack<float> value[C.value], all = {};
            evaluate_some<N, C.value>(i, heard, priors, classes, c, value);
            unrolled<C.value>([&](auto j) GMMSEG_LAMBDA {
                store(to + (c + j.value) * L, value[j.value]);
                all += value[j.value];
            });
            sum += all;
            c += C.value;
        };
        while (c + most <= count) some(Index<most>{});
        if (most > 3 && count - c == 3) some(Index<3>{});
        if (most > 2 && count - c == 2) some(Index<2>{});
        if (most > 1 && count - c == 1) some(Index<1>{});
        return sum;
    }

    // Weights of the edges of a register, of pixels; those of voxels are too many to be held.
    template <int N>
    struct Edges {
        static constexpr int held = N == kPixel ? N : 0;
        Pack<float> forward[held ? held : 1], backward[held ? held : 1];
    };

    template <int N>
    GMMSEG_INLINE Edges<N> edges_around(ptrdiff_t i) const {
        Edges<N> found;
        unrolled<Edges<N>::held>([&](auto o) GMMSEG_LAMBDA {
            const std::uint8_t* const e = edges + o.value * grid.volume + i;
            found.forward[o.value] = load_bytes(e);
            found.backward[o.value] = load_bytes(e - known_step(o.value, grid.plane, grid.pitch));
        });
        return found;
    }

    // Unnormalised q of C classes from `first` on, with each edge loaded once (the N of pixels were before). Steps
    // times messages are whole numbers of 1/256, and float32 holds their sums exactly, in any order.
    template <int N, int C>
    GMMSEG_INLINE void evaluate_some(ptrdiff_t i, const Edges<N>& heard, const float* priors,
                                     const std::uint8_t* classes, int first, Pack<float>* value) const {
        const float* q[C];
        Pack<float> s[C] = {}, t[C] = {};
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            q[c.value] = messages + (classes ? classes[first + c.value] : first + c.value) * grid.volume + i;
        });
        const auto add = [&](ptrdiff_t step, Pack<float> f, Pack<float> b) GMMSEG_LAMBDA {
            unrolled<C>([&](auto c) GMMSEG_LAMBDA {
                s[c.value] += f * load(q[c.value] + step);
                t[c.value] += b * load(q[c.value] - step);
            });
        };
        const ptrdiff_t plane = grid.plane, pitch = grid.pitch, volume = grid.volume;
        const std::uint8_t* e = edges + i;
        if (N == 0)
            for (int o = 0; o < job.n_offsets; ++o, e += volume) add(steps[o], load_bytes(e), load_bytes(e - steps[o]));
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const ptrdiff_t step = known_step(o.value, plane, pitch);
            if constexpr (N == kPixel) add(step, heard.forward[o.value], heard.backward[o.value]);
            else add(step, load_bytes(e), load_bytes(e - step));
            e += volume;
        });
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            const Pack<float> support = step_edge * (s[c.value] + t[c.value]);
            value[c.value] = load(priors + (first + c.value) * L) * exp2_negative(support);
        });
    }

    // What a sweep reads and writes where two classes are open, which is nearly everywhere in a picture. Not of the field,
    // whose members compilers would read anew after each byte that is written: an eighth of a sweep.
    template <int N>
    struct Pairs {
        const float *messages, *prior;
        float* fresh;
        const std::uint8_t *edges, *open;
        const std::int32_t* place;
        const ptrdiff_t volume, plane, pitch;
        const int n_classes;
        const float step_edge;
        explicit Pairs(const Field& f)
            : messages(f.messages), prior(f.prior), fresh(f.fresh), edges(f.edges), open(f.open), place(f.place),
              volume(f.grid.volume), plane(f.grid.plane), pitch(f.grid.pitch), n_classes(f.job.n_classes),
              step_edge(f.step_edge) {}

        // Computes both messages of a register anew; returns where they change.
        GMMSEG_INLINE Bits<float> renew(const Register& it) const {
            const std::uint8_t* const classes = open + it.flag * n_classes;
            const float* const a = messages + classes[0] * volume + it.at;
            const float* const b = messages + classes[1] * volume + it.at;
            const ptrdiff_t first = place[it.flag] * ptrdiff_t(L);
            Pack<float> s[2] = {}, t[2] = {};
            const std::uint8_t* e = edges + it.at;
            unrolled<N>([&](auto o) GMMSEG_LAMBDA {
                const ptrdiff_t step = known_step(o.value, plane, pitch);
                const Pack<float> forward = load_bytes(e), backward = load_bytes(e - step);
                s[0] += forward * load(a + step);
                s[1] += forward * load(b + step);
                t[0] += backward * load(a - step);
                t[1] += backward * load(b - step);
                e += volume;
            });
            const Pack<float> p = load(prior + first) * exp2_negative(step_edge * (s[0] + t[0]));
            const Pack<float> q = load(prior + first + L) * exp2_negative(step_edge * (s[1] + t[1]));
            const Pack<float> inverse = 1.0f / (p + q), new_a = message(p * inverse), new_b = message(q * inverse);
            store(fresh + first, new_a);
            store(fresh + first + L, new_b);
            return (new_a != load(a)) | (new_b != load(b));
        }
    };

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped.
    template <int N>
    void sweep(ptrdiff_t reach) {
        __builtin_memset(later, 0, grid.flags());
        ptrdiff_t n_moved = 0;
        for (ptrdiff_t z = 0; z < grid.depth; ++z) {
            const ptrdiff_t *const from = row_from + z * grid.height, *const to = row_to + z * grid.height;
            ptrdiff_t first = 0, last = grid.height - 1;
            while (first <= last && !is_near(z, first, reach)) ++first;
            while (first <= last && !is_near(z, last, reach)) --last;
            if (first <= last) n_moved = sweep_some<N>(unsettled + from[first], to[last] - from[first], n_moved);
        }
        for (ptrdiff_t m = 0; m < n_moved; ++m) {
            const auto [i, flag] = moved[m];
            const float* const q = fresh + place[flag] * ptrdiff_t(L);
            for (int c = 0; c < n_open[flag]; ++c)
                store(messages + open[flag * job.n_classes + c] * grid.volume + i, load(q + c * L));
        }
        mark_later();
    }

    // A sweep over `n` registers of a slice. Lists first, those of pairs from the start of `todo` on and the others from
    // its end: branches that nobody can predict would cost as much as the sums. Of whole slices, not of rows, where a
    // list ends after four: a tenth.
    template <int N>
    ptrdiff_t sweep_some(const Register* registers, ptrdiff_t n, ptrdiff_t n_moved) {
        const Pairs<N> pairs(*this);
        Register* const moved = this->moved;
        std::int32_t *const todo = this->todo, *others = todo + n;
        std::uint8_t* const later = this->later;
        ptrdiff_t n_pairs = 0;
        for (ptrdiff_t u = 0; u < n; ++u) {
            const bool stirred = is_stirred(registers[u].flag), pair = N && n_open[registers[u].flag] == 2;
            todo[n_pairs] = others[-1] = std::int32_t(u);
            n_pairs += stirred && pair;
            others -= stirred && !pair;
        }
        const auto note = [&](const Register& it, Bits<float> changes) GMMSEG_LAMBDA {
            const std::uint8_t found = where(changes);
            moved[n_moved] = it;
            later[it.flag] = found;
            n_moved += found & 1;
        };
        for (ptrdiff_t t = 0; t < n_pairs; ++t) note(registers[todo[t]], pairs.renew(registers[todo[t]]));
        for (; others != todo + n; ++others) note(registers[*others], renew<N>(registers[*others]));
        return n_moved;
    }

    // Computes all messages of a register anew; returns where they change.
    template <int N>
    GMMSEG_INLINE Bits<float> renew(const Register& it) {
        const ptrdiff_t first = place[it.flag] * ptrdiff_t(L);
        const std::uint8_t* const classes = open + it.flag * job.n_classes;
        const int count = n_open[it.flag];
        const Pack<float> inverse = 1.0f / evaluate<N>(it.at, prior + first, classes, count);
        Bits<float> changes = {};
        for (int c = 0; c < count; ++c) {
            const Pack<float> q = message(load(column + c * L) * inverse);
            changes |= q != load(messages + classes[c] * grid.volume + it.at);
            store(fresh + first + c * L, q);
        }
        return changes;
    }

    template <int N>
    void finish() {
        const ptrdiff_t* from = job.inner_first;
        for (ptrdiff_t z = 0; z < job.inner_size[0]; ++z)
            for (ptrdiff_t y = 0; y < job.inner_size[1]; ++y) {
                const ptrdiff_t row = grid.row(z + from[0], y + from[1]);
                const ptrdiff_t flags = grid.flag_row(z + from[0], y + from[1]);
                look_around(z + from[0], y + from[1]);
                if (job.labels) write_held(row + from[2], z, y);
                for (ptrdiff_t p = from[2] / L; p * L < from[2] + job.inner_size[2]; ++p) {
                    const ptrdiff_t x0 = p * L - from[2];  // of lane 0, in the result
                    const ptrdiff_t first_lane = x0 < 0 ? -x0 : 0;
                    const ptrdiff_t last_lane = job.inner_size[2] - x0 < L ? job.inner_size[2] - x0 : L;
                    if (job.labels && n_open[flags + p])
                        write_labels(best_class<N>(row + p * L, flags + p, stirred[p]), z, y, x0, first_lane,
                                     last_lane);
                    if (job.probabilities) {
                        fill_column(z + from[0], y + from[1], p);
                        write_probabilities(1.0f / evaluate<N>(row + p * L, column, nullptr, job.n_classes), z, y, x0,
                                            first_lane, last_lane);
                    }
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
    template <int N>
    GMMSEG_INLINE Pack<float> best_class(ptrdiff_t i, ptrdiff_t flag, bool moving) {
        const std::uint8_t* const classes = open + flag * job.n_classes;
        const int count = n_open[flag];
        if (settled[flag] || !moving) {
            Pack<float> best;
            const Pack<float> label = likeliest(messages + i, grid.volume, classes, classes, count, best);
            if (settled[flag] || !any(best < 0.51f)) return label;
        }
        evaluate<N>(i, prior + place[flag] * ptrdiff_t(L), classes, count);
        Pack<float> best;
        return likeliest(column, L, nullptr, classes, count, best);
    }

    // Label of the largest of `count` values, which stand at rows `where` (0, 1, ... if null) of `values`.
    GMMSEG_INLINE Pack<float> likeliest(const float* values, ptrdiff_t pitch, const std::uint8_t* where,
                                        const std::uint8_t* classes, int count, Pack<float>& best) {
        best = load(values + (where ? where[0] : 0) * pitch);
        Pack<float> label = fill(classes[0] + 1.0f);
        for (int c = 1; c < count; ++c) {
            const Pack<float> value = load(values + (where ? where[c] : c) * pitch);
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

    void write_probabilities(Pack<float> inverse, ptrdiff_t z, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t first_lane,
                             ptrdiff_t last_lane) {
        const ptrdiff_t* const stride = job.probability_strides;
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = load(column + k * L) * inverse;
            float* const to = job.probabilities + k * stride[0] + z * stride[1] + y * stride[2];
            for (ptrdiff_t x = first_lane; x < last_lane; ++x) to[(x0 + x) * stride[3]] = q[x];
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

// Whether the offsets are `n` known ones.
bool has_steps(const SmoothJob& job, int n) {
    bool found = job.n_offsets == n;
    for (int i = 0; found && i < 3 * n; ++i) found = job.offsets[i] == kNeighbours[i / 3][i % 3];
    return found;
}

bool smooth(const SmoothJob& job) {
    Field field(job);
    if (job.mixture && !is_of_registers(*job.mixture)) return false;
    return has_steps(job, kPixel)   ? field.run<kPixel>()  // weights of edges in registers
           : has_steps(job, kVoxel) ? field.run<kVoxel>()
                                    : field.run<0>();
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Smooth smooth_kernel = smooth;
}
}  // namespace gmmseg
