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
#include "settling.h"

namespace {

constexpr float kSteps = 255;   // in which edges are counted: the strongest there can be has all of them
constexpr int kPixelSteps[4][2] = {{0, 1}, {1, -1}, {1, 0}, {1, 1}};  // rows and columns to a pixel's neighbours
constexpr float kBlind = 0.2f;  // part of an edge that no contrast can cut, so that lone outliers are smoothed too

// (1 - t/8)^8 and 0 from t = 8 on: what e^-t is good for here, at a third of its cost.
GMMSEG_INLINE Pack<float> fading(Pack<float> t) {
    Pack<float> f = 1.0f - 0.125f * t;
    f = f > 0.0f ? f : Pack<float>{};
    f *= f;
    f *= f;
    return f * f;
}

GMMSEG_INLINE Pack<float> message(Pack<float> q) {
    constexpr float magic = 1.5f * (1 << 15);  // numbers of this size are multiples of 1/256
    return (q + magic) - magic;
}

struct Field : Settling {
    float* messages;              // rows with a border
    std::uint8_t* edges;          // likewise, in steps, of registers that are not settled and those next to them
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
    std::int32_t* todo;            // registers of a row
    float strongest;  // edge that there can be
    float step_edge;  // one step of an edge, as a logarithm to base 2

    explicit Field(const SmoothJob& j) : Settling(j) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        begin();
        strongest = 0;
        for (int o = 0; o < job.n_offsets; ++o)
            strongest = job.strengths[o] > strongest ? job.strengths[o] : strongest;
        if (strongest == 0) strongest = 1;
        step_edge = strongest * (kLog2e / kSteps);
    }

    void lay_out(Arena& arena) {
        Settling::lay_out(arena);
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        messages = arena.take<float>(job.n_classes * grid.volume);
        edges = arena.take<std::uint8_t>(job.n_offsets * grid.volume);
        open = arena.take<std::uint8_t>(grid.flags() * job.n_classes);
        n_open = arena.take<std::uint8_t>(grid.flags());
        settled = arena.take<std::uint8_t>(grid.flags());
        later = arena.take<std::uint8_t>(grid.flags() + kFlags);
        unsettled = arena.take<Register>(registers + 1);
        row_from = arena.take<ptrdiff_t>(grid.depth * grid.height);
        row_to = arena.take<ptrdiff_t>(grid.depth * grid.height);
        moved = arena.take<Register>(registers + 1);
        place = arena.take<std::int32_t>(grid.flags());
        todo = arena.take<std::int32_t>(grid.packs);
        prior = arena.take<float>(job.n_classes * registers * L);
        fresh = arena.take<float>(job.n_classes * registers * L);
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

    // The priors of a register, of all classes, into `column`, uniform where there is no data; returns the highest.
    GMMSEG_INLINE Pack<float> fill_column(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) {
        fill_probabilities(grid.outer(z, y) + p * L);
        Pack<float> highest = {};
        for (int k = 0; k < job.n_classes; ++k) {
            Pack<float> q = load(column + k * L);
            if (job.valid) q = inside(z, y, p) ? q : fill(1.0f / job.n_classes);
            highest = larger(q, highest);
            store(column + k * L, q);
        }
        return highest;
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
        const Pack<float> highest = fill_column(z, y, p);
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

    // From a voxel to its o-th neighbour. Those of a pixel are at known distances from it and from the rows beside it:
    // with steps out of memory, and sums into memory for two classes, too, smoothing a photograph took 4 % longer.
    template <int N>
    GMMSEG_INLINE ptrdiff_t step_to(int o) const {
        return N ? (kPixelSteps[o][0] ? grid.pitch : 0) + kPixelSteps[o][1] : steps[o];
    }

    // Unnormalised q of the register at i into `column`, for `count` classes whose priors stand one after the other;
    // returns the sum over them.
    template <int N>
    GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i, const float* priors, const std::uint8_t* classes, int count) {
        const Edges<N> heard = edges_around<N>(i);
        float* const to = column;
        Pack<float> sum = {};
        constexpr int most = N ? 2 : 4;  // classes at once: as many as registers hold
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
        Pack<float> forward[N ? N : 1], backward[N ? N : 1];
    };

    template <int N>
    GMMSEG_INLINE Edges<N> edges_around(ptrdiff_t i) const {
        Edges<N> found;
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const std::uint8_t* const e = edges + o.value * grid.volume + i;
            found.forward[o.value] = load_bytes(e);
            found.backward[o.value] = load_bytes(e - step_to<N>(o.value));
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
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            add(step_to<N>(o.value), heard.forward[o.value], heard.backward[o.value]);
        });
        if (N == 0)
            for (int o = 0; o < job.n_offsets; ++o) {
                const std::uint8_t* const e = edges + o * grid.volume + i;
                add(steps[o], load_bytes(e), load_bytes(e - steps[o]));
            }
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            const Pack<float> support = step_edge * (s[c.value] + t[c.value]);
            value[c.value] = load(priors + (first + c.value) * L) * exp2_negative(support);
        });
    }

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped.
    template <int N>
    void sweep(ptrdiff_t reach) {
        __builtin_memset(later, 0, grid.flags());
        ptrdiff_t n_moved = 0;
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t from = row_from[z * grid.height + y], to = row_to[z * grid.height + y];
            // A list first: branches that nobody can predict would cost as much as the sums. Out of those that are not
            // settled, one in five, and not out of all: 5 % less time.
            ptrdiff_t n = 0;
            for (ptrdiff_t u = from; u < to; ++u) {
                todo[n] = std::int32_t(u - from);
                n += is_stirred(unsettled[u].flag);
            }
            for (ptrdiff_t t = 0; t < n; ++t) {
                const Register it = unsettled[from + todo[t]];
                const ptrdiff_t i = it.at, flag = it.flag, first = place[flag] * ptrdiff_t(L);
                const std::uint8_t* const classes = open + flag * job.n_classes;
                const int count = n_open[flag];
                float* const renewed = fresh + first;
                Bits<float> changes = {};
                const auto renew = [&](int c, Pack<float> q) GMMSEG_LAMBDA {
                    changes |= q != load(messages + classes[c] * grid.volume + i);
                    store(renewed + c * L, q);
                };
                if (count == 2) {  // nearly all: they need no memory in between
                    Pack<float> value[2];
                    evaluate_some<N, 2>(i, edges_around<N>(i), prior + first, classes, 0, value);
                    const Pack<float> inverse = 1.0f / (value[0] + value[1]);
                    unrolled<2>([&](auto c) GMMSEG_LAMBDA { renew(c.value, message(value[c.value] * inverse)); });
                } else {
                    const Pack<float> inverse = 1.0f / evaluate<N>(i, prior + first, classes, count);
                    for (int c = 0; c < count; ++c) renew(c, message(load(column + c * L) * inverse));
                }
                moved[n_moved] = {i, flag};
                later[flag] = where(changes);
                n_moved += later[flag] & 1;
            }
        });
        for (ptrdiff_t m = 0; m < n_moved; ++m) {
            const auto [i, flag] = moved[m];
            const float* const q = fresh + place[flag] * ptrdiff_t(L);
            for (int c = 0; c < n_open[flag]; ++c)
                store(messages + open[flag * job.n_classes + c] * grid.volume + i, load(q + c * L));
        }
        mark_later();
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

bool smooth(const SmoothJob& job) {
    Field field(job);
    bool of_pixels = job.n_offsets == 4;
    for (int o = 0; of_pixels && o < 4; ++o)
        of_pixels = !job.offsets[3 * o] && job.offsets[3 * o + 1] == kPixelSteps[o][0] &&
                    job.offsets[3 * o + 2] == kPixelSteps[o][1];
    if (job.mixture && !is_of_registers(*job.mixture)) return false;
    return of_pixels ? field.run<4>()  // weights of edges in registers, neighbours at known places
                     : field.run<0>();
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Smooth smooth_kernel = smooth;
}
}  // namespace gmmseg
