// Mean-field smoothing of class probabilities under a contrast-sensitive Potts prior.
//
// q_i(k) is proportional to p_i(k) exp(sum_j w_ij q_j(k)) over the neighbours j of i, all voxels at once, `sweeps`
// times. Neighbours hear of q in steps of 1/256, so that most voxels come to a standstill after a sweep or two and need
// no more work. Every voxel is computed by the same operations wherever it lies in a tile, so that tiles with a halo of
// `sweeps` voxels give what the whole gives, bit for bit.
#include "kernels.h"
#include "pack.h"

namespace {

using gmmseg::SmoothJob;
using std::ptrdiff_t;
constexpr int L = kLanes<float>;
constexpr float kLog2e = 1.44269504f;
constexpr float kBlind = 0.2f;  // part of an edge that no contrast can cut, so that lone outliers are smoothed too

// (1 - t/8)^8 and 0 from t = 8 on: what e^-t is good for here, at a third of its cost.
GMMSEG_INLINE Pack<float> fading(Pack<float> t) {
    Pack<float> f = 1.0f - 0.125f * t;
    f = f > 0.0f ? f : Pack<float>{};
    f *= f;
    f *= f;
    return f * f;
}

// The numbers from `index` on; 0 outside of the n that there are.
GMMSEG_INLINE Pack<float> load_within(const float* p, ptrdiff_t index, ptrdiff_t n) {
    if (__builtin_expect(index >= 0 && index + L <= n, 1)) return load(p + index);
    float lane[L] = {};
    for (ptrdiff_t x = 0; x < L; ++x)
        if (index + x >= 0 && index + x < n) lane[x] = p[index + x];
    return load(lane);
}

// 0, 1, 2, ...
GMMSEG_INLINE Pack<float> ramp() {
    float lane[L];
    for (int x = 0; x < L; ++x) lane[x] = float(x);
    return load(lane);
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
    const ptrdiff_t tile;             // voxels in arrays without a border
    float *messages, *edges, *valid;  // rows with a border; valid only where the caller says what is
    float *prior, *fresh;             // open classes of unsettled registers, one after the other
    float* column;                    // one register a class
    std::uint8_t *open, *n_open;      // for each register, the classes that any of its voxels could come to hold
    std::uint8_t* settled;            // registers whose voxels can each hold but one class
    std::uint8_t *column_stirred, *stirred;
    std::uint8_t *now, *later;  // registers that changed in the last sweep, and in this one
    std::int32_t* place;        // of a register in `prior` and `fresh`, in registers
    std::int32_t* todo;         // registers of a row
    ptrdiff_t* steps;

    explicit Field(const SmoothJob& j) : job(j), grid(j), tile(grid.depth * grid.height * grid.width) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        for (int o = 0; o < job.n_offsets; ++o) steps[o] = grid.step(job.offsets + 3 * o);
        __builtin_memset(now, 0, grid.flags());
        __builtin_memset(later, 0, grid.flags());
    }

    void lay_out(Arena& arena) {
        const ptrdiff_t registers = grid.depth * grid.height * grid.packs;
        messages = arena.take<float>(job.n_classes * grid.volume);
        edges = arena.take<float>(job.n_offsets * grid.volume);
        valid = arena.take<float>(job.valid ? grid.volume : 0);
        column = arena.take<float>(job.n_classes * L);
        open = arena.take<std::uint8_t>(grid.flags() * job.n_classes);
        n_open = arena.take<std::uint8_t>(grid.flags());
        settled = arena.take<std::uint8_t>(grid.flags());
        column_stirred = arena.take<std::uint8_t>(grid.flag_pitch());
        stirred = arena.take<std::uint8_t>(grid.packs);
        now = arena.take<std::uint8_t>(grid.flags());
        later = arena.take<std::uint8_t>(grid.flags());
        place = arena.take<std::int32_t>(grid.flags());
        todo = arena.take<std::int32_t>(grid.packs);
        steps = arena.take<ptrdiff_t>(job.n_offsets);
        prior = arena.take<float>(job.n_classes * registers * L);
        fresh = arena.take<float>(job.n_classes * registers * L);
    }

    void clear_border(float* p) const {
        for (ptrdiff_t z = 0; z < grid.depth + 2 * grid.border; ++z)
            for (ptrdiff_t y = 0; y < grid.height + 2; ++y) {
                const bool inside = z >= grid.border && z < grid.depth + grid.border && y > 0 && y <= grid.height;
                __builtin_memset(p + z * grid.plane + y * grid.pitch, 0, sizeof(float) * (inside ? L : grid.pitch));
            }
        __builtin_memset(p + grid.volume - L, 0, sizeof(float) * L);
    }

    template <class Body>
    void each_row(const Body& body) const {
        for (ptrdiff_t z = 0; z < grid.depth; ++z)
            for (ptrdiff_t y = 0; y < grid.height; ++y) body(z, y);
    }

    void widen_valid() {
        clear_border(valid);
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const std::uint8_t* const from = job.valid + grid.outer(z, y);
            float* const to = valid + grid.row(z, y);
            for (ptrdiff_t x = 0; x < grid.packs * L; ++x) to[x] = x < grid.width && from[x] ? 1.0f : 0.0f;
        });
    }

    // Logarithms to base 2 that a neighbour's messages are multiplied with; 0 where there is no neighbour.
    void weigh_edges() {
        for (int o = 0; o < job.n_offsets; ++o) {
            float* const plane = edges + o * grid.volume;
            clear_border(plane);
            each_row([&](ptrdiff_t z, ptrdiff_t y) {
                if (job.n_guides == 3) weigh_row<3>(o, z, y, plane + grid.row(z, y));  // colour
                else weigh_row<0>(o, z, y, plane + grid.row(z, y));
            });
        }
    }

    template <int G>
    void weigh_row(int o, ptrdiff_t z, ptrdiff_t y, float* out) {
        const std::int64_t* const offset = job.offsets + 3 * o;
        const ptrdiff_t dx = offset[2];
        if (z + offset[0] >= grid.depth || y + offset[1] < 0 || y + offset[1] >= grid.height) {
            __builtin_memset(out, 0, sizeof(float) * grid.packs * L);
            return;
        }
        const ptrdiff_t ahead = (offset[0] * grid.height + offset[1]) * grid.width + dx;
        const float strength = job.strengths[o] * kLog2e;
        Pack<float> weights[G ? G : 1];
        unrolled<G>([&](auto g)
                        GMMSEG_LAMBDA { weights[g.value] = fill(job.sharpness[g.value] * job.sharpness[g.value]); });
        for (ptrdiff_t p = 0; p < grid.packs; ++p) {
            const ptrdiff_t from = grid.outer(z, y) + p * L;
            const bool whole = from + ahead + L <= tile;
            Pack<float> distance = {};
            const auto add = [&](int g, Pack<float> weight) GMMSEG_LAMBDA {
                const float* const guide = job.guide + g * tile;
                const Pack<float> difference =
                    whole ? load(guide + from) - load(guide + from + ahead)
                          : load_within(guide, from, tile) - load_within(guide, from + ahead, tile);
                distance += weight * difference * difference;
            };
            unrolled<G>([&](auto g) GMMSEG_LAMBDA { add(g.value, weights[g.value]); });
            if (G == 0)
                for (int g = 0; g < job.n_guides; ++g) add(g, fill(job.sharpness[g] * job.sharpness[g]));
            Pack<float> edge = strength * (kBlind + (1 - kBlind) * fading(distance));
            if (job.valid) {
                const float* const here = valid + grid.row(z, y) + p * L;
                edge = load(here) * load(here + steps[o]) > 0.0f ? edge : Pack<float>{};
            } else if (p == 0 || p == grid.packs - 1) {
                const Pack<float> x = ramp() + float(p * L), there = x + float(dx);
                edge = (x < float(grid.width)) & (there >= 0.0f) & (there < float(grid.width)) ? edge : Pack<float>{};
            }
            store(out + p * L, edge);
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

    // A class is closed to a voxel, its prior 0, when no message along the edges that there are could lift all such
    // classes together to 1/512 of the likeliest; a register has the open classes of its voxels.
    template <int N>
    void open_classes() {
        for (int k = 0; k < job.n_classes; ++k) clear_border(messages + k * grid.volume);
        std::int32_t used = 0;
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t i = grid.row(z, y) + p * L, flag = grid.flag_row(z, y) + p;
                const Pack<float> highest = fill_column(z, y, p);
                Pack<float> classes = {};
                const Bits<float> usable = inside(z, y, p) & (highest > 0.0f);
                const Pack<float> least = highest * exp2_negative(-all_edges<N>(i)) * (1 / (512.0f * job.n_classes));
                int count = 0;
                for (int k = 0; k < job.n_classes; ++k) {
                    const Pack<float> q = load(column + k * L);
                    const Bits<float> is_open = usable & (q >= least);
                    classes += is_open ? fill(1.0f) : Pack<float>{};
                    if (any(is_open)) {
                        store(prior + (used + count) * ptrdiff_t(L),
                              usable ? (is_open ? q : Pack<float>{}) : fill(1.0f));
                        open[flag * job.n_classes + count++] = std::uint8_t(k);
                    }
                    store(messages + k * grid.volume + i, is_open ? message(q) : Pack<float>{});
                }
                if (count == 0) open[flag * job.n_classes + count++] = 0;  // no voxel with data
                n_open[flag] = std::uint8_t(count);
                settled[flag] = !any(classes > 1.0f);
                place[flag] = used;
                if (!settled[flag]) used += count;
            }
        });
    }

    template <int N>
    GMMSEG_INLINE Pack<float> all_edges(ptrdiff_t i) {
        Pack<float> sum = {};
        const auto add = [&](int o) GMMSEG_LAMBDA {
            const float* const e = edges + o * grid.volume + i;
            sum += load(e) + load(e - steps[o]);
        };
        unrolled<N>([&](auto o) GMMSEG_LAMBDA { add(o.value); });
        if (N == 0)
            for (int o = 0; o < job.n_offsets; ++o) add(o);
        return sum;
    }

    // Unnormalised q of the register at i into `column`, for `count` classes whose priors stand one after the other;
    // returns the sum over them.
    template <int N>
    GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i, const float* priors, const std::uint8_t* classes, int count) {
        constexpr int held = N ? N : 1;
        Pack<float> forward[held], backward[held], sum = {};
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const float* e = edges + o.value * grid.volume + i;
            forward[o.value] = load(e);
            backward[o.value] = load(e - steps[o.value]);
        });
        for (int c = 0; c < count; ++c) {
            const ptrdiff_t k = classes ? classes[c] : c;
            const float* q = messages + k * grid.volume + i;
            Pack<float> s = {}, t = {};
            unrolled<N>([&](auto o) GMMSEG_LAMBDA {
                s += forward[o.value] * load(q + steps[o.value]);
                t += backward[o.value] * load(q - steps[o.value]);
            });
            if (N == 0)
                for (int o = 0; o < job.n_offsets; ++o) {
                    const float* e = edges + o * grid.volume + i;
                    const ptrdiff_t step = steps[o];
                    s += load(e) * load(q + step);
                    t += load(e - step) * load(q - step);
                }
            const Pack<float> value = load(priors + c * L) * exp2_negative(s + t);
            store(column + c * L, value);
            sum += value;
        }
        return sum;
    }

    // For each register of a row, whether it or any next to it changed in the last sweep: into `stirred`.
    void look_around(ptrdiff_t z, ptrdiff_t y) {
        const ptrdiff_t flags = grid.flag_row(z, y) - 1;
        __builtin_memset(column_stirred, 0, grid.flag_pitch());
        for (ptrdiff_t dz = -grid.border; dz <= grid.border; ++dz)
            for (ptrdiff_t dy = -1; dy <= 1; ++dy) {
                const std::uint8_t* const row = now + flags + dz * grid.flag_plane() + dy * grid.flag_pitch();
                for (ptrdiff_t p = 0; p < grid.flag_pitch(); ++p) column_stirred[p] |= row[p];
            }
        for (ptrdiff_t p = 0; p < grid.packs; ++p)
            stirred[p] = column_stirred[p] | column_stirred[p + 1] | column_stirred[p + 2];
    }

    // One sweep of messages. A register whose surroundings stood still would come out as it is: skipped.
    template <int N>
    void sweep(bool initial) {
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t row = grid.row(z, y), flags = grid.flag_row(z, y);
            look_around(z, y);
            ptrdiff_t n = 0;  // a list first: branches that nobody can predict would cost as much as the sums
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                later[flags + p] = 0;
                todo[n] = std::int32_t(p);
                n += !settled[flags + p] & (initial | stirred[p]);
            }
            for (ptrdiff_t t = 0; t < n; ++t) {
                const ptrdiff_t p = todo[t], flag = flags + p, i = row + p * L, first = place[flag] * ptrdiff_t(L);
                const std::uint8_t* const classes = open + flag * job.n_classes;
                const Pack<float> inverse = 1.0f / evaluate<N>(i, prior + first, classes, n_open[flag]);
                Bits<float> moved = {};
                for (int c = 0; c < n_open[flag]; ++c) {
                    const Pack<float> q = message(load(column + c * L) * inverse);
                    moved |= q != load(messages + classes[c] * grid.volume + i);
                    store(fresh + first + c * L, q);
                }
                later[flag] = any(moved);
            }
        });
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t row = grid.row(z, y), flags = grid.flag_row(z, y);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                if (!later[flags + p]) continue;
                const float* q = fresh + place[flags + p] * ptrdiff_t(L);
                const std::uint8_t* const classes = open + (flags + p) * job.n_classes;
                for (int c = 0; c < n_open[flags + p]; ++c, q += L)
                    store(messages + classes[c] * grid.volume + row + p * L, load(q));
            }
        });
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
        if (settled[flag] || (job.sweeps > 1 && !moving)) {
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
        typedef std::uint8_t Bytes __attribute__((vector_size(L)));
        std::uint8_t* const to = job.labels + z * job.label_strides[0] + y * job.label_strides[1];
        const Bytes lane = __builtin_convertvector(__builtin_convertvector(label, Bits<float>), Bytes);
        if (first_lane == 0 && last_lane == L && job.label_strides[2] == 1) __builtin_memcpy(to + x0, &lane, L);
        else
            for (ptrdiff_t x = first_lane; x < last_lane; ++x) to[(x0 + x) * job.label_strides[2]] = lane[x];
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
        weigh_edges();
        open_classes<N>();
        for (int t = 0; t < job.sweeps - 1; ++t) sweep<N>(t == 0);
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
