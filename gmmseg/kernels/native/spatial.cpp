// Mean-field smoothing of class probabilities under a contrast-sensitive Potts prior.
//
// q_i(k) is proportional to p_i(k) exp(sum_j w_ij q_j(k)) over the neighbours j of i, all voxels at once, `sweeps` times.
// Every voxel is computed by the same operations wherever it lies in a tile, so that tiles with a halo of `sweeps` voxels
// give what the whole gives, bit for bit.
#include "kernels.h"
#include "pack.h"

#include <cstdlib>

namespace {

using std::ptrdiff_t;
using gmmseg::SmoothJob;
constexpr int L = kLanes<float>;
constexpr float kLog2e = 1.44269504f;
constexpr float kNegligible = 1e-6f;  // probabilities closer than this to 0 or 1 are sent to the neighbours as 0 or 1

template <class T> struct Memory {
    T* const data;
    explicit Memory(ptrdiff_t n) : data(static_cast<T*>(std::calloc(size_t(n), sizeof(T)))) { if (!data) std::abort(); }
    ~Memory() { std::free(data); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
};

// The tile with a border of one voxel (none above and below a flat one), rows a whole number of registers long.
struct Grid {
    ptrdiff_t depth, height, width, packs, border, pitch, plane, volume;
    explicit Grid(const SmoothJob& job)
        : depth(job.size[0]), height(job.size[1]), width(job.size[2]), packs((width + L - 1) / L), border(depth > 1),
          pitch(packs * L + 2), plane((height + 2) * pitch), volume((depth + 2 * border) * plane) {}
    ptrdiff_t row(ptrdiff_t z, ptrdiff_t y) const { return (z + border) * plane + (y + 1) * pitch + 1; }
    ptrdiff_t outer(ptrdiff_t z, ptrdiff_t y) const { return (z * height + y) * width; }  // in arrays without a border
    // One flag a register, with the same border.
    ptrdiff_t flag_pitch() const { return packs + 2; }
    ptrdiff_t flag_plane() const { return (height + 2) * flag_pitch(); }
    ptrdiff_t flag_row(ptrdiff_t z, ptrdiff_t y) const { return (z + border) * flag_plane() + (y + 1) * flag_pitch() + 1; }
    ptrdiff_t flags() const { return (depth + 2 * border) * flag_plane(); }
    ptrdiff_t step(const std::int64_t* offset) const { return offset[0] * plane + offset[1] * pitch + offset[2]; }
};

GMMSEG_INLINE Pack<float> message(Pack<float> q) {
    q = q > kNegligible ? q : Pack<float>{};
    return q < 1.0f - kNegligible ? q : fill(1.0f);
}

struct Field {
    const SmoothJob& job;
    const Grid grid;
    Memory<float> prior, first, second, edges, column;
    Memory<std::uint8_t> settled, changed, changing;
    Memory<ptrdiff_t> steps;
    float* current;
    float* next;
    std::uint8_t* now;    // registers that changed in the last sweep
    std::uint8_t* later;  // in this one

    explicit Field(const SmoothJob& j)
        : job(j), grid(j), prior(j.n_classes * grid.volume), first(j.n_classes * grid.volume),
          second(j.n_classes * grid.volume), edges(j.n_offsets * grid.volume), column(j.n_classes * L), settled(grid.flags()),
          changed(grid.flags()), changing(grid.flags()), steps(j.n_offsets), current(first.data), next(second.data),
          now(changed.data), later(changing.data) {
        for (int o = 0; o < job.n_offsets; ++o) steps.data[o] = grid.step(job.offsets + 3 * o);
        weigh_edges();
        fill_prior();
    }

    template <class Body> void each_row(const Body& body) const {
        for (ptrdiff_t z = 0; z < grid.depth; ++z)
            for (ptrdiff_t y = 0; y < grid.height; ++y) body(z, y);
    }
    void copy_in(const float* from, float* to) const {
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            __builtin_memcpy(to + grid.row(z, y), from + grid.outer(z, y), sizeof(float) * grid.width);
        });
    }

    void weigh_edges() {
        const ptrdiff_t tile = grid.depth * grid.height * grid.width;
        Memory<float> guide(job.n_guides * grid.volume), valid(grid.volume);
        for (int g = 0; g < job.n_guides; ++g) copy_in(job.guide + g * tile, guide.data + g * grid.volume);
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            float* to = valid.data + grid.row(z, y);
            for (ptrdiff_t x = 0; x < grid.width; ++x) to[x] = !job.valid || job.valid[grid.outer(z, y) + x];
        });
        const float sharpness = -job.sharpness * kLog2e;
        for (int o = 0; o < job.n_offsets; ++o) {
            const ptrdiff_t ahead = steps.data[o];
            const float strength = job.strengths[o] * kLog2e;  // sums of messages are then logarithms to base 2
            each_row([&](ptrdiff_t z, ptrdiff_t y) {
                for (ptrdiff_t i = grid.row(z, y), end = i + grid.packs * L; i < end; i += L) {
                    Pack<float> distance = {};
                    for (int g = 0; g < job.n_guides; ++g) {
                        const float* p = guide.data + g * grid.volume + i;
                        const Pack<float> difference = load(p) - load(p + ahead);
                        distance += difference * difference;
                    }
                    const Pack<float> both = load(valid.data + i) * load(valid.data + i + ahead);
                    store(edges.data + o * grid.volume + i, strength * both * exp2_negative(sharpness * distance));
                }
            });
        }
    }

    // Prior probabilities; uniform outside the tile and where there is no data. A register is settled when no message
    // could move any of its voxels away from the class it starts with.
    void fill_prior() {
        for (int k = 0; k < job.n_classes; ++k)
            for (ptrdiff_t i = 0; i < grid.volume; ++i) prior.data[k * grid.volume + i] = 1.0f / job.n_classes;
        const ptrdiff_t tile = grid.depth * grid.height * grid.width;
        float strongest = 0;
        for (int o = 0; o < job.n_offsets; ++o) strongest += 2 * kLog2e * job.strengths[o];
        const Pack<float> gain = exp2_negative(fill(strongest));
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t from = grid.outer(z, y), to = grid.row(z, y);
            for (ptrdiff_t x = 0; x < grid.width; ++x) {
                if (job.valid && !job.valid[from + x]) continue;
                for (int k = 0; k < job.n_classes; ++k) prior.data[k * grid.volume + to + x] = job.prior[k * tile + from + x];
            }
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                Pack<float> highest = {}, sum = {};
                for (int k = 0; k < job.n_classes; ++k) {
                    const ptrdiff_t i = k * grid.volume + to + p * L;
                    const Pack<float> q = load(prior.data + i);
                    highest = larger(highest, q);
                    sum += q;
                    store(current + i, message(q));
                    store(next + i, message(q));
                }
                const Bits<float> open = (sum - highest) * gain >= kNegligible * highest;
                std::int32_t lane[L], any = 0;
                __builtin_memcpy(lane, &open, sizeof open);
                const ptrdiff_t inside = grid.width - p * L < L ? grid.width - p * L : L;
                for (ptrdiff_t x = 0; x < inside; ++x) any |= lane[x];
                settled.data[grid.flag_row(z, y) + p] = any == 0;
            }
        });
    }

    // Unnormalised q of the register at i into `column`; returns the sum over the classes.
    template <int N> GMMSEG_INLINE Pack<float> evaluate(ptrdiff_t i) {
        constexpr int held = N ? N : 1;
        Pack<float> forward[held], backward[held], sum = {};
        unrolled<N>([&](auto o) GMMSEG_LAMBDA {
            const float* e = edges.data + o.value * grid.volume + i;
            forward[o.value] = load(e);
            backward[o.value] = load(e - steps.data[o.value]);
        });
        for (int k = 0; k < job.n_classes; ++k) {
            const float* q = current + k * grid.volume + i;
            Pack<float> s = {};
            unrolled<N>([&](auto o) GMMSEG_LAMBDA {
                s += forward[o.value] * load(q + steps.data[o.value]) + backward[o.value] * load(q - steps.data[o.value]);
            });
            if (N == 0)
                for (int o = 0; o < job.n_offsets; ++o) {
                    const float* e = edges.data + o * grid.volume + i;
                    const ptrdiff_t step = steps.data[o];
                    s += load(e) * load(q + step) + load(e - step) * load(q - step);
                }
            const Pack<float> value = load(prior.data + k * grid.volume + i) * exp2_negative(s);
            store(column.data + k * L, value);
            sum += value;
        }
        return sum;
    }

    bool neighbourhood_changed(ptrdiff_t flag) const {
        for (ptrdiff_t z = -grid.border; z <= grid.border; ++z)
            for (ptrdiff_t y = -1; y <= 1; ++y)
                for (ptrdiff_t x = -1; x <= 1; ++x)
                    if (now[flag + z * grid.flag_plane() + y * grid.flag_pitch() + x]) return true;
        return false;
    }

    // One sweep of messages. A register whose surroundings stood still would come out as it is in both buffers: skipped.
    template <int N> void sweep(bool initial) {
        each_row([&](ptrdiff_t z, ptrdiff_t y) {
            const ptrdiff_t row = grid.row(z, y), flags = grid.flag_row(z, y);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t flag = flags + p, i = row + p * L;
                later[flag] = 0;
                if (settled.data[flag] || !(initial || neighbourhood_changed(flag))) continue;
                const Pack<float> inverse = 1.0f / evaluate<N>(i);
                Pack<float> moved = {};
                for (int k = 0; k < job.n_classes; ++k) {
                    const Pack<float> q = message(load(column.data + k * L) * inverse);
                    const Pack<float> change = q - load(current + k * grid.volume + i);
                    moved += change * change;
                    store(next + k * grid.volume + i, q);
                }
                later[flag] = total<float>(moved) > 0;
            }
        });
        float* const q = current;
        current = next;
        next = q;
        std::uint8_t* const f = now;
        now = later;
        later = f;
    }

    template <int N> void finish() {
        const ptrdiff_t* from = job.inner_first;
        for (ptrdiff_t z = 0; z < job.inner_size[0]; ++z)
            for (ptrdiff_t y = 0; y < job.inner_size[1]; ++y)
                for (ptrdiff_t p = from[2] / L; p * L < from[2] + job.inner_size[2]; ++p) {
                    const Pack<float> inverse = 1.0f / evaluate<N>(grid.row(z + from[0], y + from[1]) + p * L);
                    const ptrdiff_t x0 = p * L - from[2];  // of lane 0, in the result
                    const ptrdiff_t first_lane = x0 < 0 ? -x0 : 0;
                    const ptrdiff_t last_lane = job.inner_size[2] - x0 < L ? job.inner_size[2] - x0 : L;
                    if (job.labels) write_labels(z, y, x0, first_lane, last_lane);
                    if (job.probabilities) write_probabilities(z, y, x0, first_lane, last_lane, inverse);
                }
    }

    GMMSEG_INLINE void write_labels(ptrdiff_t z, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t first_lane, ptrdiff_t last_lane) {
        Pack<float> best = load(column.data), label = fill(1.0f);
        for (int k = 1; k < job.n_classes; ++k) {
            const Pack<float> value = load(column.data + k * L);
            label = value > best ? fill(float(k + 1)) : label;
            best = larger(value, best);
        }
        std::uint8_t* const to = job.labels + z * job.label_strides[0] + y * job.label_strides[1];
        for (ptrdiff_t lane = first_lane; lane < last_lane; ++lane) to[(x0 + lane) * job.label_strides[2]] = std::uint8_t(label[lane]);
    }

    GMMSEG_INLINE void write_probabilities(ptrdiff_t z, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t first_lane, ptrdiff_t last_lane, Pack<float> inverse) {
        const ptrdiff_t* const stride = job.probability_strides;
        for (int k = 0; k < job.n_classes; ++k) {
            const Pack<float> q = load(column.data + k * L) * inverse;
            float* const to = job.probabilities + k * stride[0] + z * stride[1] + y * stride[2];
            for (ptrdiff_t lane = first_lane; lane < last_lane; ++lane) to[(x0 + lane) * stride[3]] = q[lane];
        }
    }

    template <int N> void run() {
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
