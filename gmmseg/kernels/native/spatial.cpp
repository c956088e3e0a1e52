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
    float *prior, *current, *next, *edges, *column, *guide, *valid;
    std::uint8_t *open, *n_open;  // for each register, the classes that any of its voxels could come to hold
    std::uint8_t *settled, *column_stirred, *stirred;
    std::uint8_t *now, *later;  // registers that changed in the last sweep, and in this one
    ptrdiff_t* steps;

    explicit Field(const SmoothJob& j) : job(j), grid(j) {
        Arena arena;
        lay_out(arena);
        arena.base = static_cast<char*>(job.reserve(arena.used));
        arena.used = 0;
        lay_out(arena);
        for (int o = 0; o < job.n_offsets; ++o) steps[o] = grid.step(job.offsets + 3 * o);
        for (int k = 0; k < job.n_classes; ++k) {
            clear_border(current + k * grid.volume);
            clear_border(next + k * grid.volume);
        }
        __builtin_memset(now, 0, grid.flags());
        __builtin_memset(later, 0, grid.flags());
        weigh_edges();
        fill_prior();
    }

    void lay_out(Arena& arena) {
        const ptrdiff_t classes = job.n_classes * grid.volume;
        prior = arena.take<float>(classes);
        current = arena.take<float>(classes);
        next = arena.take<float>(classes);
        edges = arena.take<float>(job.n_offsets * grid.volume);
        guide = arena.take<float>(job.n_guides * grid.volume);
        valid = arena.take<float>(grid.volume);
        column = arena.take<float>(job.n_classes * L);
        open = arena.take<std::uint8_t>(grid.flags() * job.n_classes);
        n_open = arena.take<std::uint8_t>(grid.flags());
        settled = arena.take<std::uint8_t>(grid.flags());
        column_stirred = arena.take<std::uint8_t>(grid.flag_pitch());
        stirred = arena.take<std::uint8_t>(grid.packs);
        now = arena.take<std::uint8_t>(grid.flags());
        later = arena.take<std::uint8_t>(grid.flags());
        steps = arena.take<ptrdiff_t>(job.n_offsets);
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

    // Whatever the border of the guides holds, an edge to it is 0, because no voxel there is valid.
    void weigh_edges() {
        const ptrdiff_t tile = grid.depth * grid.height * grid.width;
        clear_border(valid);
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t from = grid.outer(z, y), to = grid.row(z, y);
            for (int g = 0; g < job.n_guides; ++g)
                __builtin_memcpy(guide + g * grid.volume + to, job.guide + g * tile + from, sizeof(float) * grid.width);
            if (job.valid)
                for (ptrdiff_t x = 0; x < grid.width; ++x) valid[to + x] = job.valid[from + x];
            else
                for (ptrdiff_t x = 0; x < grid.width; ++x) valid[to + x] = 1;
            for (ptrdiff_t x = grid.width; x < grid.packs * L; ++x) valid[to + x] = 0;
        });
        for (int o = 0; o < job.n_offsets; ++o) {
            const ptrdiff_t ahead = steps[o];
            const float strength = job.strengths[o] * kLog2e;  // sums of messages are then logarithms to base 2
            float* const out = edges + o * grid.volume;
            for (ptrdiff_t i = 0; i < grid.volume; i += L) {
                Pack<float> edge = {};
                if (i + ahead >= 0 && i + ahead + L <= grid.volume) {
                    Pack<float> distance = {};
                    for (int g = 0; g < job.n_guides; ++g) {
                        const float* p = guide + g * grid.volume + i;
                        const Pack<float> difference = job.sharpness[g] * (load(p) - load(p + ahead));
                        distance += kLog2e * difference * difference;
                    }
                    edge = strength * load(valid + i) * load(valid + i + ahead) *
                           (kBlind + (1 - kBlind) * exp2_negative(-distance));
                }
                store(out + i, edge);
            }
        }
    }

    // Prior probabilities; uniform where there is no data and past the end of a row.
    void copy_prior(ptrdiff_t z, ptrdiff_t y) {
        const ptrdiff_t tile = grid.depth * grid.height * grid.width, from = grid.outer(z, y);
        const float uniform = 1.0f / job.n_classes;
        for (int k = 0; k < job.n_classes; ++k) {
            float* const row = prior + k * grid.volume + grid.row(z, y);
            __builtin_memcpy(row, job.prior + k * tile + from, sizeof(float) * grid.width);
            for (ptrdiff_t x = grid.width; x < grid.packs * L; ++x) row[x] = uniform;
            if (job.valid)
                for (ptrdiff_t x = 0; x < grid.width; ++x) row[x] = job.valid[from + x] ? row[x] : uniform;
        }
    }

    // A class is closed to a voxel, its prior 0, when no message could lift all such classes together to 1/512 of the
    // likeliest; a register has the open classes of its voxels, and is settled when every voxel has but one.
    void fill_prior() {
        float strongest = 0;
        for (int o = 0; o < job.n_offsets; ++o) strongest += 2 * kLog2e * job.strengths[o];
        const Pack<float> gain = 512.0f * float(job.n_classes) * exp2_negative(fill(strongest));
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            copy_prior(z, y);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t i = grid.row(z, y) + p * L, flag = grid.flag_row(z, y) + p;
                Pack<float> highest = {}, classes = {};
                for (int k = 0; k < job.n_classes; ++k) highest = larger(highest, load(prior + k * grid.volume + i));
                int count = 0;
                for (int k = 0; k < job.n_classes; ++k) {
                    Pack<float> q = load(prior + k * grid.volume + i);
                    const Bits<float> is_open = q * gain >= highest;
                    q = is_open ? q : Pack<float>{};
                    classes += is_open ? fill(1.0f) : Pack<float>{};
                    if (any(is_open)) open[flag * job.n_classes + count++] = std::uint8_t(k);
                    store(prior + k * grid.volume + i, q);
                    store(current + k * grid.volume + i, message(q));
                    store(next + k * grid.volume + i, message(q));
                }
                if (count == 0) open[flag * job.n_classes + count++] = 0;  // priors that are no numbers
                n_open[flag] = std::uint8_t(count);
                const Pack<float> inside = load(valid + i);  // 0 past the end of a row too
                settled[flag] = !any((classes > 1.0f) & (inside > 0.0f));
            }
        });
    }

    // Unnormalised q of the register at i into `column`, for these classes or for all; returns the sum over them.
    template <int N>
    GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i, const std::uint8_t* classes, int n_classes) {
        constexpr int held = N ? N : 1;
        Pack<float> forward[held], backward[held], sum = {};
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const float* e = edges + o.value * grid.volume + i;
            forward[o.value] = load(e);
            backward[o.value] = load(e - steps[o.value]);
        });
        for (int c = 0; c < n_classes; ++c) {
            const ptrdiff_t k = classes ? classes[c] : c;
            const float* q = current + k * grid.volume + i;
            Pack<float> s = {};
            unrolled<N>([&](auto o) GMMSEG_LAMBDA {
                s += forward[o.value] * load(q + steps[o.value]) + backward[o.value] * load(q - steps[o.value]);
            });
            if (N == 0)
                for (int o = 0; o < job.n_offsets; ++o) {
                    const float* e = edges + o * grid.volume + i;
                    const ptrdiff_t step = steps[o];
                    s += load(e) * load(q + step) + load(e - step) * load(q - step);
                }
            const Pack<float> value = load(prior + k * grid.volume + i) * exp2_negative(s);
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

    // One sweep of messages. A register whose surroundings stood still would come out as it is in both buffers:
    // skipped.
    template <int N>
    void sweep(bool initial) {
        const ptrdiff_t volume = grid.volume;
        const float* const from = current;
        float* const to = next;
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t row = grid.row(z, y), flags = grid.flag_row(z, y);
            look_around(z, y);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t flag = flags + p, i = row + p * L;
                later[flag] = 0;
                if (settled[flag] || !(initial || stirred[p])) continue;
                const std::uint8_t* const classes = open + flag * job.n_classes;
                const Pack<float> inverse = 1.0f / evaluate<N>(i, classes, n_open[flag]);
                Bits<float> moved = {};
                for (int c = 0; c < n_open[flag]; ++c) {
                    const ptrdiff_t place = classes[c] * volume + i;
                    const Pack<float> q = message(load(column + c * L) * inverse);
                    moved |= q != load(from + place);
                    store(to + place, q);
                }
                later[flag] = any(moved);
            }
        });
        float* const q = current;
        current = next;
        next = q;
        std::uint8_t* const f = now;
        now = later;
        later = f;
    }

    template <int N>
    void finish() {
        const ptrdiff_t* from = job.inner_first;
        if (job.probabilities) each_row([&](ptrdiff_t z, ptrdiff_t y) { copy_prior(z, y); });
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
                    if (job.probabilities)
                        write_probabilities(1.0f / evaluate<N>(i, nullptr, job.n_classes), z, y, x0, first_lane,
                                            last_lane);
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
            const Pack<float> label = likeliest(current + i, grid.volume, classes, classes, count, best);
            if (settled[flag] || !any(best < 0.51f)) return label;
        }
        evaluate<N>(i, classes, count);
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
        float lane[L];
        store(lane, label);
        if (first_lane == 0 && last_lane == L && job.label_strides[2] == 1)
            for (int x = 0; x < L; ++x) to[x0 + x] = std::uint8_t(int(lane[x]));
        else
            for (ptrdiff_t x = first_lane; x < last_lane; ++x)
                to[(x0 + x) * job.label_strides[2]] = std::uint8_t(int(lane[x]));
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
