// Mean-field smoothing of class probabilities under a contrast-sensitive Potts prior.
//
// q_i(k) is proportional to p_i(k) exp(sum_j w_ij q_j(k)) over the neighbours j of i, all voxels at once, `sweeps`
// times. Neighbours hear of q in steps of 1/256, so that most voxels come to a standstill after a sweep or two and need
// no more work. Edges are whole numbers of steps, 255 for the strongest there can be: 13 a voxel would not stay in the
// caches as floats, and sums of steps times messages are exact. Rows of the halo are computed as long as the result can
// feel them. Every voxel is computed by the same operations wherever it lies in a tile, so that tiles with a halo of
// `sweeps` voxels give what the whole gives, bit for bit.
#include "kernels.h"
#include "pack.h"

namespace {

using gmmseg::SmoothJob;
using std::ptrdiff_t;
constexpr int L = kLanes<float>;
constexpr int kFlags = 16;  // of registers, looked at together
constexpr float kLog2e = 1.44269504f;
constexpr float kSteps = 255;   // in which edges are counted: the strongest there can be has all of them
constexpr float kBlind = 0.2f;  // part of an edge that no contrast can cut, so that lone outliers are smoothed too

// (1 - t/8)^8 and 0 from t = 8 on: what e^-t is good for here, at a third of its cost.
GMMSEG_INLINE Pack<float> fading(Pack<float> t) {
    Pack<float> f = 1.0f - 0.125f * t;
    f = f > 0.0f ? f : Pack<float>{};
    f *= f;
    f *= f;
    return f * f;
}

// The tile with a border of one voxel (above and below only where neighbours are looked for there). Rows start at whole
// registers; one register lies between the end of a row and the start of the next, and is the border of both.
struct Grid {
    ptrdiff_t depth, height, width, packs, border, pitch, plane, volume;
    explicit Grid(const SmoothJob& job)
        : depth(job.size[0]),
          height(job.size[1]),
          width(job.size[2]),
          packs((width + L - 1) / L),
          border(any_above(job)),
          pitch((packs + 1) * L),
          plane((height + 2) * pitch),
          volume((depth + 2 * border) * plane + L) {}
    static ptrdiff_t any_above(const SmoothJob& job) {
        for (int o = 0; o < job.n_offsets; ++o)
            if (job.offsets[3 * o]) return 1;
        return 0;
    }
    ptrdiff_t row(ptrdiff_t z, ptrdiff_t y) const { return (z + border) * plane + (y + 1) * pitch + L; }
    ptrdiff_t outer(ptrdiff_t z, ptrdiff_t y) const { return (z * height + y) * width; }  // in arrays without a border
    // One flag a register, with the same border.
    ptrdiff_t flag_pitch() const { return packs + 2; }
    ptrdiff_t flag_plane() const { return (height + 2) * flag_pitch(); }
    ptrdiff_t flag_row(ptrdiff_t z, ptrdiff_t y) const {
        return (z + border) * flag_plane() + (y + 1) * flag_pitch() + 1;
    }
    ptrdiff_t flags() const { return (depth + 2 * border) * flag_plane(); }
    ptrdiff_t step(const std::int64_t* offset) const { return offset[0] * plane + offset[1] * pitch + offset[2]; }
};

GMMSEG_INLINE Pack<float> message(Pack<float> q) {
    constexpr float magic = 1.5f * (1 << 15);  // numbers of this size are multiples of 1/256
    return (q + magic) - magic;
}

// Hands out parts of the caller's memory, which still holds what the last tile left there.
struct Arena {
    char* base = nullptr;  // null while only counting
    ptrdiff_t used = 0;
    template <class T>
    T* take(ptrdiff_t n) {
        T* const part = reinterpret_cast<T*>(base + used);
        used += (n * ptrdiff_t(sizeof(T)) + 63) / 64 * 64;
        return part;
    }
};

struct Field {
    const SmoothJob& job;
    const Grid grid;
    const ptrdiff_t tile;         // voxels in arrays without a border
    float *messages, *valid;      // rows with a border; valid only where the caller says what is
    std::uint8_t* edges;          // likewise, in steps, of registers that are not settled and those next to them
    float *prior, *fresh;         // open classes of unsettled registers, one after the other
    float* column;                // one register a class
    std::uint8_t *open, *n_open;  // for each register, the classes that any of its voxels could come to hold
    std::uint8_t* settled;        // registers whose voxels can each hold but one class
    std::uint8_t *now, *later;    // registers that changed in the last sweep, and in this one
    std::uint8_t* stirred;        // those of a row
    struct Moved {
        ptrdiff_t at, flag;
    };
    Moved* moved;         // list of those that changed in this sweep
    std::int32_t* place;  // of a register in `prior` and `fresh`, in registers
    std::int32_t* todo;   // registers of a row
    ptrdiff_t* steps;
    float strongest;  // edge that there can be
    float step_edge;  // one step of an edge, as a logarithm to base 2

    explicit Field(const SmoothJob& j) : job(j), grid(j), tile(grid.depth * grid.height * grid.width) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        strongest = 0;
        for (int o = 0; o < job.n_offsets; ++o) {
            steps[o] = grid.step(job.offsets + 3 * o);
            strongest = job.strengths[o] > strongest ? job.strengths[o] : strongest;
        }
        if (strongest == 0) strongest = 1;
        step_edge = strongest * (kLog2e / kSteps);
        __builtin_memset(now, 0, grid.flags());
    }

    void lay_out(Arena& arena) {
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        messages = arena.take<float>(job.n_classes * grid.volume);
        edges = arena.take<std::uint8_t>(job.n_offsets * grid.volume);
        valid = arena.take<float>(job.valid ? grid.volume : 0);
        column = arena.take<float>(job.n_classes * L);
        open = arena.take<std::uint8_t>(grid.flags() * job.n_classes);
        n_open = arena.take<std::uint8_t>(grid.flags());
        settled = arena.take<std::uint8_t>(grid.flags());
        now = arena.take<std::uint8_t>(grid.flags() + kFlags);
        later = arena.take<std::uint8_t>(grid.flags() + kFlags);
        stirred = arena.take<std::uint8_t>(grid.packs + kFlags);
        moved = arena.take<Moved>(registers + 1);
        place = arena.take<std::int32_t>(grid.flags());
        todo = arena.take<std::int32_t>(grid.packs);
        steps = arena.take<ptrdiff_t>(job.n_offsets);
        prior = arena.take<float>(job.n_classes * registers * L);
        fresh = arena.take<float>(job.n_classes * registers * L);
    }

    template <class T>
    void clear_border(T* p) const {
        for (ptrdiff_t z = 0; z < grid.depth + 2 * grid.border; ++z)
            for (ptrdiff_t y = 0; y < grid.height + 2; ++y) {
                const bool inside = z >= grid.border && z < grid.depth + grid.border && y > 0 && y <= grid.height;
                __builtin_memset(p + z * grid.plane + y * grid.pitch, 0, sizeof(T) * (inside ? L : grid.pitch));
            }
        __builtin_memset(p + grid.volume - L, 0, sizeof(T) * L);
    }

    // Whether a row is of the result, or at most so far from it.
    bool is_near(ptrdiff_t z, ptrdiff_t y, ptrdiff_t reach) const {
        const ptrdiff_t *const first = job.inner_first, *const size = job.inner_size;
        return z >= first[0] - reach && z < first[0] + size[0] + reach && y >= first[1] - reach &&
               y < first[1] + size[1] + reach;
    }

    template <class Body>
    void each_row(ptrdiff_t reach, const Body& body) const {
        for (ptrdiff_t z = 0; z < grid.depth; ++z)
            for (ptrdiff_t y = 0; y < grid.height; ++y)
                if (is_near(z, y, reach)) body(z, y);
    }

    void widen_valid() {
        clear_border(valid);
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            const std::uint8_t* const from = job.valid + grid.outer(z, y);
            float* const to = valid + grid.row(z, y);
            for (ptrdiff_t x = 0; x < grid.packs * L; ++x) to[x] = x < grid.width && from[x] ? 1.0f : 0.0f;
        });
    }

    // What a neighbour's messages are multiplied with, in steps; 0 where there is no neighbour.
    void weigh_edges() {
        for (int o = 0; o < job.n_offsets; ++o) clear_border(edges + o * grid.volume);
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
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

    // The lanes of a register that hold voxels with data.
    Bits<float> inside(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) const {
        if (job.valid) return load(valid + grid.row(z, y) + p * L) > 0.0f;
        return ramp() < float(grid.width - p * L);
    }

    // The priors of a register, of all classes, into `column`, uniform where there is no data; returns the highest.
    GMMSEG_INLINE Pack<float> fill_column(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) {
        const ptrdiff_t from = grid.outer(z, y) + p * L;
        const bool whole = from + L <= tile;
        Pack<float> highest = {};
        for (int k = 0; k < job.n_classes; ++k) {
            const float* const plane = job.prior + k * tile;
            Pack<float> q = whole ? load(plane + from) : load_within(plane, from, tile);
            if (job.valid) q = inside(z, y, p) ? q : fill(1.0f / job.n_classes);
            highest = larger(q, highest);
            store(column + k * L, q);
        }
        return highest;
    }

    // A class is closed to a voxel, its prior 0, when not even the strongest edges that there can be could lift all
    // such classes together to 1/512 of the likeliest; a register has the open classes of its voxels. Those that this
    // does not settle are marked in `now`, and so are those whose probabilities are wanted. Lanes without data hold the
    // first class, and stay so.
    void open_classes() {
        for (int k = 0; k < job.n_classes; ++k) clear_border(messages + k * grid.volume);
        float all = 0;
        for (int o = 0; o < job.n_offsets; ++o) all += 2 * kLog2e * job.strengths[o] + step_edge;
        const Pack<float> hopeless = exp2_negative(fill(-all)) * (1 / (512.0f * job.n_classes));
        std::int32_t used = 0;
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            const bool is_computed = is_near(z, y, job.sweeps - 1);
            const bool is_wanted = job.probabilities && is_near(z, y, 0);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t i = grid.row(z, y) + p * L, flag = grid.flag_row(z, y) + p;
                const Pack<float> highest = fill_column(z, y, p);
                const Bits<float> usable = inside(z, y, p) & (highest > 0.0f);
                const Pack<float> least = highest * hopeless;
                Pack<float> classes = {};
                int count = 0;
                for (int k = 0; k < job.n_classes; ++k) {
                    const Pack<float> q = load(column + k * L);
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
                if (count == 0) open[flag * job.n_classes + count++] = 0;  // no voxel with data
                n_open[flag] = std::uint8_t(count);
                settled[flag] = !(is_computed && any(classes > 1.0f));
                now[flag] = !settled[flag] | is_wanted;
                place[flag] = used;
                if (!settled[flag]) used += count;
            }
        });
    }

    // Unnormalised q of the register at i into `column`, for `count` classes whose priors stand one after the other;
    // returns the sum over them.
    template <int N>
    GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i, const float* priors, const std::uint8_t* classes, int count) {
        Pack<float> forward[N ? N : 1], backward[N ? N : 1], sum = {};
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const std::uint8_t* const e = edges + o.value * grid.volume + i;
            forward[o.value] = load_bytes(e);
            backward[o.value] = load_bytes(e - steps[o.value]);
        });
        constexpr int most = N ? 2 : 4;  // classes at once: as many as registers hold
        int c = 0;
        const auto some = [&](auto C) GMMSEG_LAMBDA {
            sum += evaluate_some<N, C.value>(i, forward, backward, priors, classes, c);
            c += C.value;
        };
        while (c + most <= count) some(Index<most>{});
        if (most > 3 && count - c == 3) some(Index<3>{});
        if (most > 2 && count - c == 2) some(Index<2>{});
        if (most > 1 && count - c == 1) some(Index<1>{});
        return sum;
    }

    // C classes from `first` on, with each edge loaded once (the N of pixels were before). Steps times messages are
    // whole numbers of 1/256, and float32 holds their sums exactly, in any order.
    template <int N, int C>
    GMMSEG_INLINE Pack<float> evaluate_some(ptrdiff_t i, const Pack<float>* forward, const Pack<float>* backward,
                                            const float* priors, const std::uint8_t* classes, int first) {
        const float* q[C];
        Pack<float> s[C] = {}, t[C] = {}, sum = {};
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            q[c.value] = messages + (classes ? classes[first + c.value] : first + c.value) * grid.volume + i;
        });
        const auto add = [&](int o, Pack<float> f, Pack<float> b) GMMSEG_LAMBDA {
            const ptrdiff_t step = steps[o];
            unrolled<C>([&](auto c) GMMSEG_LAMBDA {
                s[c.value] += f * load(q[c.value] + step);
                t[c.value] += b * load(q[c.value] - step);
            });
        };
        unrolled<N>([&](auto o) GMMSEG_LAMBDA { add(o.value, forward[o.value], backward[o.value]); });
        if (N == 0)
            for (int o = 0; o < job.n_offsets; ++o) {
                const std::uint8_t* const e = edges + o * grid.volume + i;
                add(o, load_bytes(e), load_bytes(e - steps[o]));
            }
        unrolled<C>([&](auto c) GMMSEG_LAMBDA {
            const Pack<float> support = step_edge * (s[c.value] + t[c.value]);
            const Pack<float> value = load(priors + (first + c.value) * L) * exp2_negative(support);
            store(column + (first + c.value) * L, value);
            sum += value;
        });
        return sum;
    }

    // For each register of a row, whether it or any next to it changed in the last sweep: into `stirred`.
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
                    any |= flags_at(row - 1) | flags_at(row) | flags_at(row + 1);
                }
            __builtin_memcpy(stirred + p, &any, sizeof any);
        }
    }

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped.
    template <int N>
    void sweep(ptrdiff_t reach) {
        __builtin_memset(later, 0, grid.flags());
        ptrdiff_t n_moved = 0;
        each_row(reach, [&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t row = grid.row(z, y), flags = grid.flag_row(z, y);
            look_around(z, y);
            ptrdiff_t n = 0;  // a list first: branches that nobody can predict would cost as much as the sums
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                todo[n] = std::int32_t(p);
                n += !settled[flags + p] & stirred[p];
            }
            for (ptrdiff_t t = 0; t < n; ++t) {
                const ptrdiff_t p = todo[t], flag = flags + p, i = row + p * L, first = place[flag] * ptrdiff_t(L);
                const std::uint8_t* const classes = open + flag * job.n_classes;
                const Pack<float> inverse = 1.0f / evaluate<N>(i, prior + first, classes, n_open[flag]);
                Bits<float> changes = {};
                for (int c = 0; c < n_open[flag]; ++c) {
                    const Pack<float> q = message(load(column + c * L) * inverse);
                    changes |= q != load(messages + classes[c] * grid.volume + i);
                    store(fresh + first + c * L, q);
                }
                moved[n_moved] = {i, flag};
                n_moved += later[flag] = any(changes);
            }
        });
        for (ptrdiff_t m = 0; m < n_moved; ++m) {
            const auto [i, flag] = moved[m];
            const float* const q = fresh + place[flag] * ptrdiff_t(L);
            for (int c = 0; c < n_open[flag]; ++c)
                store(messages + open[flag * job.n_classes + c] * grid.volume + i, load(q + c * L));
        }
        std::uint8_t* const f = now;
        now = later;
        later = f;
    }

    template <int N>
    void finish() {
        const ptrdiff_t* from = job.inner_first;
        for (ptrdiff_t z = 0; z < job.inner_size[0]; ++z)
            for (ptrdiff_t y = 0; y < job.inner_size[1]; ++y) {
                look_around(z + from[0], y + from[1]);
                for (ptrdiff_t p = from[2] / L; p * L < from[2] + job.inner_size[2]; ++p) {
                    const ptrdiff_t i = grid.row(z + from[0], y + from[1]) + p * L;
                    const ptrdiff_t x0 = p * L - from[2];  // of lane 0, in the result
                    const ptrdiff_t first_lane = x0 < 0 ? -x0 : 0;
                    const ptrdiff_t last_lane = job.inner_size[2] - x0 < L ? job.inner_size[2] - x0 : L;
                    if (job.labels)
                        write_labels(best_class<N>(i, grid.flag_row(z + from[0], y + from[1]) + p, stirred[p]), z, y,
                                     x0, first_lane, last_lane);
                    if (job.probabilities) {
                        fill_column(z + from[0], y + from[1], p);
                        write_probabilities(1.0f / evaluate<N>(i, column, nullptr, job.n_classes), z, y, x0, first_lane,
                                            last_lane);
                    }
                }
            }
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
    void run() {
        if (job.valid) widen_valid();
        open_classes();
        weigh_edges();
        for (int t = 1; t < job.sweeps; ++t) sweep<N>(job.sweeps - t);
        finish<N>();
    }
};

void smooth(const SmoothJob& job) {
    Field field(job);
    if (job.n_offsets == 4) field.run<4>();  // the eight neighbours of a pixel, their weights held in registers
    else field.run<0>();
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Smooth smooth_kernel = smooth;
}
}  // namespace gmmseg
