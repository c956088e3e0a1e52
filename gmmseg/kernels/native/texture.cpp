// Local energy and direction over windows that keep clear of borders. Every number is formed by the same operations in
// the same order as in the NumPy reference, without fused multiplications (see CMakeLists.txt), so that the two agree,
// and a window agrees with the whole, to the last bit.
#include <cmath>
#include <limits>

#include "kernels.h"
#include "pack.h"

namespace {

using std::ptrdiff_t;

constexpr ptrdiff_t kPanel = 32, kSpare = 5;

struct Box {
    ptrdiff_t n[3];

    ptrdiff_t size() const { return n[0] * n[1] * n[2]; }
    ptrdiff_t row(ptrdiff_t z, ptrdiff_t y) const { return (z * n[1] + y) * n[2]; }
    // Where the middle of this size begins, moved by so much.
    ptrdiff_t start(const Box& inner, ptrdiff_t z, ptrdiff_t y, ptrdiff_t x) const {
        return row((n[0] - inner.n[0]) / 2 + z, (n[1] - inner.n[1]) / 2 + y) + (n[2] - inner.n[2]) / 2 + x;
    }
    Box less(ptrdiff_t z, ptrdiff_t y, ptrdiff_t x) const { return {{n[0] - 2 * z, n[1] - 2 * y, n[2] - 2 * x}}; }
    Box less(const std::int64_t* by) const { return less(by[0], by[1], by[2]); }
};

// Calls work(offset in outer, offset in inner) for each row of the inner box, whose first lies at `start` of the outer.
template <class Work>
void rows(const Box& outer, ptrdiff_t start, const Box& inner, const Work& work) {
    for (ptrdiff_t z = 0; z < inner.n[0]; ++z)
        for (ptrdiff_t y = 0; y < inner.n[1]; ++y) work(start + outer.row(z, y), inner.row(z, y));
}

GMMSEG_INLINE Pack<float> read(const float* from, Pack<float>) { return load(from); }
GMMSEG_INLINE float read(const float* from, float) { return *from; }
GMMSEG_INLINE void write(float* to, Pack<float> value) { store(to, value); }
GMMSEG_INLINE void write(float* to, float value) { *to = value; }

// (1, 2, 1)/4 of rows that lie `step` from each other, as two sums of neighbours, for n of them in their place; each
// row is read once, as the sum that two results share and the row itself are kept.
template <class V>
GMMSEG_INLINE void add_rows(float* rows, ptrdiff_t apart, ptrdiff_t step, ptrdiff_t n) {
    for (ptrdiff_t first = 0; first < step && first < n; ++first) {
        V last = read(rows + (first + step) * apart, V{}), sum = read(rows + first * apart, V{}) + last;
        for (ptrdiff_t i = first; i < n; i += step) {
            const V next = read(rows + (i + 2 * step) * apart, V{}), other = last + next;
            write(rows + i * apart, (sum + other) * 0.25f);
            last = next, sum = other;
        }
    }
}

inline void add_along(const float* __restrict in, ptrdiff_t step, ptrdiff_t n, float* __restrict out) {
    for (ptrdiff_t i = 0; i < n; ++i) out[i] = ((in[i] + in[i + step]) + (in[i + step] + in[i + 2 * step])) * 0.25f;
}

// Smooths `values`, which it changes, with neighbours at the distances of each of the levels by (1, 2, 1)/4, one axis
// after the other, in panels of a few columns that stay in the cache. `out` gets what has all neighbours and may be
// `values`; scratch holds two rows.
Box smooth(float* values, const Box& box, const std::int64_t* steps, int levels, float* out, float* scratch) {
    Box inner = box;
    for (int axis = 0; axis < 2; ++axis) {
        const ptrdiff_t apart = axis == 0 ? box.row(1, 0) : box.row(0, 1), across = axis == 0 ? apart : box.n[2];
        for (ptrdiff_t z = 0; z < (axis == 0 ? 1 : inner.n[0]); ++z)
            for (ptrdiff_t x = 0; x < across; x += kPanel) {
                float* const panel = values + z * box.row(1, 0) + x;
                const ptrdiff_t wide = across - x < kPanel ? across - x : kPanel;
                ptrdiff_t n = box.n[axis];
                for (int level = 0; level < levels; ++level)
                    if (const ptrdiff_t step = steps[3 * level + axis]) {
                        n -= 2 * step;
                        ptrdiff_t i = 0;
                        for (; i + kLanes<float> <= wide; i += kLanes<float>)
                            add_rows<Pack<float>>(panel + i, apart, step, n);
                        for (; i < wide; ++i) add_rows<float>(panel + i, apart, step, n);
                    }
                inner.n[axis] = n;
            }
    }
    for (int level = 0; level < levels; ++level) inner.n[2] -= 2 * steps[3 * level + 2];
    for (ptrdiff_t z = 0; z < inner.n[0]; ++z)
        for (ptrdiff_t y = 0; y < inner.n[1]; ++y) {
            const float* from = values + box.row(z, y);
            float* to = scratch;
            ptrdiff_t n = box.n[2];
            for (int level = 0; level < levels; ++level)
                if (const ptrdiff_t step = steps[3 * level + 2]) {
                    n -= 2 * step;
                    add_along(from, step, n, to);
                    from = to;
                    to = to == scratch ? scratch + box.n[2] : scratch;
                }
            __builtin_memmove(out + inner.row(z, y), from, size_t(n) * sizeof(float));
        }
    return inner;
}

Box smoothed(const float* values, const Box& box, const std::int64_t* step, float* out, float* scratch) {
    __builtin_memcpy(out, values, size_t(box.size()) * sizeof(float));
    return smooth(out, box, step, 1, out, scratch);
}

void divide(const float* __restrict values, const float* __restrict weights, ptrdiff_t n,
            float* __restrict out) {
    for (ptrdiff_t i = 0; i < n; ++i) out[i] = weights[i] == 0 ? 0 : values[i] / weights[i];
}

// One window at work: fields that are averaged, each in a buffer of `room_` numbers, and some buffers beside them.
class Texture {
  public:
    Texture(const gmmseg::TextureJob& job)
        : job_(job), box_{{job.size[0], job.size[1], job.size[2]}}, out_{{job.inner[0], job.inner[1], job.inner[2]}},
          directions_(job.n_axes * (job.n_axes + 1) / 2 - 1), fields_(4 + directions_), room_(box_.size()) {
        const ptrdiff_t buffers = fields_ + 1 + kSpare;
        memory_ = static_cast<float*>(job.reserve((buffers * room_ + 4 * box_.n[2]) * ptrdiff_t(sizeof(float))));
        scratch_ = memory_ + buffers * room_;
    }

    void run() {
        measure();
        average();
        settle();
    }

  private:
    float* buffer(ptrdiff_t i) const { return memory_ + i * room_; }
    float* field(ptrdiff_t i) const { return buffer(kSpare + i); }

    // Lightness, energies and products of slopes into the fields, the weights after them.
    void measure() {
        const Box first = box_.less(job_.steps), second = first.less(job_.steps + 3);
        float *fine = buffer(0), *coarse = buffer(1), *weight = buffer(2), *other = buffer(3), *sums = buffer(4);
        if (job_.known) {
            smoothed(job_.values, box_, job_.steps, sums, scratch_);
            smoothed(job_.known, box_, job_.steps, weight, scratch_);
            divide(sums, weight, first.size(), fine);
            smoothed(sums, first, job_.steps + 3, coarse, scratch_);
            smoothed(weight, first, job_.steps + 3, other, scratch_);
            divide(coarse, other, second.size(), sums);
            coarse = sums;
        } else {
            smoothed(job_.values, box_, job_.steps, fine, scratch_);
            smoothed(fine, first, job_.steps + 3, coarse, scratch_);
        }
        for (int a = 0; a < 3; ++a) {
            const ptrdiff_t inner = first.n[a] - (a < 3 - job_.n_axes ? 0 : 2);
            part_.n[a] = second.n[a] < inner ? second.n[a] : inner;
        }
        const ptrdiff_t at_light = box_.start(part_, 0, 0, 0), at_fine = first.start(part_, 0, 0, 0);
        const ptrdiff_t along[3] = {first.row(1, 0), first.row(0, 1), 1};
        rows(second, second.start(part_, 0, 0, 0), part_, [&](ptrdiff_t from, ptrdiff_t to) {
            const ptrdiff_t z = to / (part_.n[1] * part_.n[2]), y = to / part_.n[2] % part_.n[1];
            row(job_.values + at_light + box_.row(z, y), fine + at_fine + first.row(z, y), coarse + from, along, to);
            if (job_.known) weigh(job_.known + at_light + box_.row(z, y), to);
        });
    }

    void row(const float* __restrict light, const float* __restrict fine, const float* __restrict coarse,
             const ptrdiff_t* along, ptrdiff_t to) const {
        const ptrdiff_t n = part_.n[2];
        const float sx = job_.slopes[2], sy = job_.slopes[1], sz = job_.slopes[0];
        const ptrdiff_t dy = along[1], dz = along[0];
        float *__restrict mean = field(0) + to, *__restrict high = field(1) + to,
              *__restrict low = field(2) + to;
        for (ptrdiff_t i = 0; i < n; ++i) {
            mean[i] = light[i];
            high[i] = (light[i] - fine[i]) * (light[i] - fine[i]);
            low[i] = (fine[i] - coarse[i]) * (fine[i] - coarse[i]);
        }
        float* __restrict trace = field(fields_ - 1) + to;
        if (job_.n_axes == 1) {
            for (ptrdiff_t i = 0; i < n; ++i) {
                const float x = (fine[i + 1] - fine[i - 1]) * sx;
                trace[i] = x * x;
            }
        } else if (job_.n_axes == 2) {
            float *__restrict square = field(3) + to, *__restrict product = field(4) + to;
            for (ptrdiff_t i = 0; i < n; ++i) {
                const float x = (fine[i + 1] - fine[i - 1]) * sx, y = (fine[i + dy] - fine[i - dy]) * sy;
                square[i] = x * x - y * y;
                product[i] = 2 * x * y;
                trace[i] = x * x + y * y;
            }
        } else {
            const float length = float(std::sqrt(4.0 / 3.0));
            float *__restrict square = field(3) + to, *__restrict deep = field(4) + to,
                  *__restrict xy = field(5) + to, *__restrict xz = field(6) + to,
                  *__restrict yz = field(7) + to;
            for (ptrdiff_t i = 0; i < n; ++i) {
                const float x = (fine[i + 1] - fine[i - 1]) * sx, y = (fine[i + dy] - fine[i - dy]) * sy;
                const float z = (fine[i + dz] - fine[i - dz]) * sz, flat = x * x + y * y;
                square[i] = x * x - y * y;
                deep[i] = (flat / 2 - z * z) * length;
                xy[i] = 2 * x * y;
                xz[i] = 2 * x * z;
                yz[i] = 2 * y * z;
                trace[i] = flat + z * z;
            }
        }
    }

    void weigh(const float* __restrict known, ptrdiff_t to) const {
        const ptrdiff_t n = part_.n[2];
        for (int f = 0; f < fields_; ++f) {
            float* __restrict values = field(f) + to;
            for (ptrdiff_t i = 0; i < n; ++i) values[i] *= known[i];
        }
        float* __restrict weights = field(fields_) + to;
        for (ptrdiff_t i = 0; i < n; ++i) weights[i] = known[i];
    }

    // Windowed averages of the fields; the directions are then those of the structure tensor over its trace.
    void average() {
        Box box = part_;
        for (int f = 0; f < fields_ + (job_.known ? 1 : 0); ++f)
            box = smooth(field(f), part_, job_.steps, job_.n_levels, field(f), scratch_);
        part_ = box;
        const ptrdiff_t n = part_.size();
        if (job_.known)
            for (int f = 0; f < fields_; ++f) {
                float *__restrict values = field(f), *__restrict weights = field(fields_);
                for (ptrdiff_t i = 0; i < n; ++i) values[i] /= weights[i];
            }
        const float* __restrict trace = field(fields_ - 1);
        for (int f = 3; f < 3 + directions_; ++f) {
            float* __restrict values = field(f);
            for (ptrdiff_t i = 0; i < n; ++i) values[i] /= trace[i] == 0 ? 1 : trace[i];
        }
    }

    void settle() {
        const std::int64_t* shift = job_.shift;
        const Box wide = out_.less(-shift[0], -shift[1], -shift[2]);
        float* const change = buffer(0);
        for (ptrdiff_t i = 0; i < wide.size(); ++i) change[i] = 0;
        for (int a = 0; a < 3; ++a)
            if (const ptrdiff_t half = shift[a] / 2) compare(wide, a, half, change);
        for (ptrdiff_t i = 0; i < wide.size(); ++i)
            change[i] = change[i] != change[i] ? std::numeric_limits<float>::infinity() : change[i];
        choose(wide, change);
    }

    // Adds how much the averages change from half a shift before to half a shift after each pixel.
    void compare(const Box& wide, int axis, ptrdiff_t half, float* change) const {
        const ptrdiff_t by[3] = {axis == 0 ? half : 0, axis == 1 ? half : 0, axis == 2 ? half : 0};
        const ptrdiff_t after = part_.start(wide, by[0], by[1], by[2]);
        const ptrdiff_t before = part_.start(wide, -by[0], -by[1], -by[2]);
        const ptrdiff_t n = wide.n[2];
        rows(part_, 0, wide, [&](ptrdiff_t from, ptrdiff_t to) {
            const float *__restrict high = field(1) + from, *__restrict low = field(2) + from;
            float *__restrict energies = scratch_, *__restrict turns = scratch_ + n;
            for (ptrdiff_t i = 0; i < n; ++i) {
                const float fine = ratio(high[after + i], high[before + i]);
                const float coarse = ratio(low[after + i], low[before + i]);
                energies[i] = fine * fine + coarse * coarse;
                turns[i] = 0;
            }
            for (int f = 3; f < 3 + directions_; ++f) {
                const float* __restrict values = field(f) + from;
                for (ptrdiff_t i = 0; i < n; ++i) {
                    const float turned = values[after + i] - values[before + i];
                    turns[i] += turned * turned;
                }
            }
            float* __restrict sum = change + to;
            for (ptrdiff_t i = 0; i < n; ++i) sum[i] += energies[i] + turns[i];
        });
    }

    static float ratio(float a, float b) {
        const float total = a + b;
        return 2 * (a - b) / (total == 0 ? 1 : total);
    }

    // Takes the averages from the middle or the corner where they change least, the first of those where several do.
    void choose(const Box& wide, const float* change) const {
        ptrdiff_t places[8], sources[8];
        int corners = 0;
        for (int corner = 0; corner < 8; ++corner) {
            ptrdiff_t by[3];
            bool again = false;
            for (int a = 0; a < 3; ++a) {
                const bool up = corner >> (2 - a) & 1;
                again = again || (up && !job_.shift[a]);
                by[a] = up ? job_.shift[a] : -job_.shift[a];
            }
            if (again) continue;
            places[corners] = wide.start(out_, by[0], by[1], by[2]);
            sources[corners++] = part_.start(out_, by[0], by[1], by[2]);
        }
        if (corners == 1) corners = 0;  // the middle
        const ptrdiff_t n = out_.n[2], middle = part_.start(out_, 0, 0, 0);
        const ptrdiff_t middle_change = wide.start(out_, 0, 0, 0);
        float* __restrict least = scratch_;
        float* __restrict best = scratch_ + n;  // the number of the corner
        rows(wide, 0, out_, [&](ptrdiff_t from, ptrdiff_t to) {
            for (ptrdiff_t i = 0; i < n; ++i) least[i] = change[middle_change + from + i], best[i] = -1;
            for (int c = 0; c < corners; ++c) {
                const float* __restrict other = change + places[c] + from;
                for (ptrdiff_t i = 0; i < n; ++i) {
                    best[i] = other[i] < least[i] ? float(c) : best[i];
                    least[i] = other[i] < least[i] ? other[i] : least[i];
                }
            }
            const ptrdiff_t row = part_.row(to / (out_.n[1] * n), to / n % out_.n[1]);
            for (int f = 0; f < 3 + directions_; ++f) {
                const float* const values = field(f) + row;
                float* __restrict out = job_.out + f * out_.size() + to;
                __builtin_memcpy(out, values + middle, size_t(n) * sizeof(float));
                for (int c = 0; c < corners; c += 2) {
                    const float* __restrict one = values + sources[c];
                    const float* __restrict two = values + sources[c + 1];
                    const float number = float(c);
                    for (ptrdiff_t i = 0; i < n; ++i) {
                        const float a = one[i], b = two[i], kept = out[i];
                        out[i] = best[i] == number ? a : best[i] == number + 1 ? b : kept;
                    }
                }
            }
        });
    }

    const gmmseg::TextureJob& job_;
    const Box box_, out_;
    const int directions_, fields_;
    const ptrdiff_t room_;
    Box part_{};
    float *memory_, *scratch_;
};

void texture(const gmmseg::TextureJob& job) { Texture(job).run(); }

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const TextureKernel texture_kernel = texture;
}
}  // namespace gmmseg
