// Whole numbers that a picture was enlarged from by linear interpolation: of all that fit the likeliest ones.
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "calling.h"
#include "pack.h"

namespace {

using Enlarged = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Levels = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr float DOUBT = 1e-6f;    // chance of what does not fit, as where a picture was changed
constexpr float CENTRE = 1.001f;  // of those that fit as well the one nearest to what was computed
constexpr int NEAR = 3;           // numbers that a pixel may be
constexpr ptrdiff_t BLOCK = 16;   // columns at once
constexpr ptrdiff_t LANES = kLanes<float>, PACKS = BLOCK / LANES;
using Lane = Pack<float>;

// The next whole number below, without the call that some processors need for it.
inline float whole(float value) {
    const float cut = float(std::int32_t(value));
    return cut > value ? cut - 1.0f : cut;
}
inline Lane whole(Lane value) {
    const Lane cut = __builtin_convertvector(__builtin_convertvector(value, Bits<float>), Lane);
    return cut > value ? cut - 1.0f : cut;
}
inline Lane size(Lane value) { return (Lane)((Bits<float>)value & 0x7fffffff); }

// Rows are enlarged first. Each rounding tells what two pixels of a row make of it, (3 a + b + ADDED) >> BITS, and
// whether numbers of two such rows make one of the picture: `own` and `other` of them add up to `middle` of it, or to
// `HALF` more or less; numbers of the other row that do lie in an interval of OWN or OTHER times that. Of what a
// number of a row may be WIDE are looked at first, and then FEW; they have SCALE times the levels.
struct ByAxis {  // rounded after each axis
    static constexpr int WIDE = 3, FEW = 3, ADDED = 2, BITS = 2;
    static constexpr float SCALE = 1.0f, SHIFT = 0.0f, HALF = 1.5f, OWN = 1 / 3.0f, OTHER = 1.0f;
    static Lane middle(Lane y) { return 4.0f * y - 0.5f; }
    static Lane own(Lane a) { return 3.0f * a; }
    static Lane other(Lane b) { return b; }
};
struct Once {  // halves to either side
    static constexpr int WIDE = 7, FEW = 4, ADDED = 0, BITS = 0;
    static constexpr float SCALE = 4.0f, SHIFT = 0.0f, HALF = 8.0f, OWN = 1 / 3.0f, OTHER = 1.0f;
    static Lane middle(Lane y) { return 16.0f * y; }
    static Lane own(Lane a) { return 3.0f * a; }
    static Lane other(Lane b) { return b; }
};
struct Dropped {  // bits below a quarter are dropped before, as by OpenCV
    static constexpr int WIDE = 7, FEW = 4, ADDED = 0, BITS = 0;
    static constexpr float SCALE = 4.0f, SHIFT = 0.25f, HALF = 1.5f, OWN = 4 / 3.0f, OTHER = 4.0f;
    static Lane middle(Lane y) { return 4.0f * y - 0.5f; }
    static Lane own(Lane a) { return whole(0.75f * a); }
    static Lane other(Lane b) { return whole(0.25f * b); }
};

// What least squares say of a pixel by the four numbers next to it: its own two, and those beside them.
template <class T>
inline T computed(T before, T first, T second, T after) {
    return 0.25f * ((3.0f * first - before) + (3.0f * second - after));
}

template <class Rounding>
struct Halver {
    static constexpr int WIDE = Rounding::WIDE, FEW = Rounding::FEW, PAIRS = NEAR * NEAR;
    static constexpr int BESIDE = PAIRS, UNIT = 1 << Rounding::BITS;  // pads at both sides of MANY numbers
    const float* picture;  // (2 n, 2 m)
    float* out;            // (n, m)
    ptrdiff_t n, m, width, wide;  // wide: whole blocks of columns, of which the picture has `width`
    float low, high;
    std::vector<float> first;           // of the numbers that one of a row (n, wide) may be
    std::vector<float> chances;         // of each by all but its own row, or by all but its own column (n, WIDE, wide)
    std::vector<float> down;            // of the few by what lies above (n, FEW, wide)
    std::vector<float> start;           // of the numbers that a pixel may be (n, m)
    std::vector<float> mean;            // of what each number of one row may be, in levels
    std::vector<float> factors, right;  // of one row: of pairs of pixels by the numbers between them; by what follows
    std::vector<int> base;              // of one row: which of the numbers between two pixels their first ones make

    // A row of the picture, and of what is kept of one, which is as long as whole blocks.
    Lane line(ptrdiff_t l, ptrdiff_t w) const { return load_within(picture + l * width, w, width); }
    Lane from(ptrdiff_t i, ptrdiff_t w) const { return load(&first[size_t(i * wide + w)]); }
    float* chance(ptrdiff_t i, int d, ptrdiff_t w) { return &chances[size_t((i * WIDE + d) * wide + w)]; }

    void begin() {
        width = 2 * m, wide = (width + BLOCK - 1) / BLOCK * BLOCK;
        first.resize(size_t(n * wide));
        chances.resize(size_t(n * wide * WIDE));
        down.resize(size_t(n * wide * FEW));
        start.resize(size_t(n * m));
        factors.resize(size_t(m * 2 * PAIRS));
        base.resize(size_t(m * 2));
        right.resize(size_t(m * NEAR));
        mean.resize(size_t(wide));
    }

    // What numbers of a row may be, and what its pixels may be then.
    void begin_row(ptrdiff_t i) {
        for (ptrdiff_t w = 0; w < wide; w += LANES) {
            const Lane above = line(std::max<ptrdiff_t>(2 * i - 1, 0), w);
            const Lane below = line(std::min(2 * i + 2, 2 * n - 1), w);
            const Lane one = line(2 * i, w), two = line(2 * i + 1, w);
            const Lane found = Rounding::SCALE * computed(above, one, two, below) + (Rounding::SHIFT + 0.5f);
            const Lane begins = whole(found) - float(WIDE / 2);
            Lane sum = {}, total = {};
            for (int d = 0; d < WIDE; ++d) {
                Lane many = limited(begins + float(d), Rounding::SCALE);
                if (i > 0) many *= fitting(begins + float(d), above, one);
                if (i + 1 < n) many *= fitting(begins + float(d), below, two);
                store(chance(i, d, w), many);
                sum += many * float(d), total += many;
            }
            store(&first[size_t(i * wide + w)], begins);
            store(&mean[size_t(w)], (begins + sum / total) * (1 / Rounding::SCALE));
        }
        for (ptrdiff_t j = 0; j < m; ++j) {
            const float *own = &mean[size_t(2 * j)], before = j ? own[-1] : own[0], after = j + 1 < m ? own[2] : own[1];
            start[size_t(i * m + j)] = whole(computed(before, own[0], own[1], after) + 0.5f) - float(NEAR / 2);
        }
    }

    // How many numbers of the next row fit to one, with what they make of the picture: the far number and the near one.
    static Lane fitting(Lane value, Lane far, Lane near) {
        constexpr float OWN = Rounding::OWN, OTHER = Rounding::OTHER, HALF = Rounding::HALF, MORE = HALF + 1.0f;
        const Lane by_far = Rounding::middle(far) - Rounding::other(value);
        const Lane by_near = Rounding::middle(near) - Rounding::own(value);
        const Lane least = larger(OWN * (by_far - HALF), OTHER * (by_near - HALF));
        const Lane most = smaller(OWN * (by_far + MORE), OTHER * (by_near + MORE));
        return larger(most - least, Lane{} + DOUBT);
    }

    template <class T>
    T limited(T value, float scale) const {
        return value < scale * low ? T{} + DOUBT : value > scale * high ? T{} + DOUBT : T{} + 1.0f;
    }

    // What is said of the few numbers that one of a row may be: from one side, by the rest of its row, and by limits.
    void weigh(ptrdiff_t i, ptrdiff_t w, const Lane* said, Lane* weighed) {
        const Lane begins = from(i, w);
        for (int d = 0; d < FEW; ++d)
            weighed[d] = said[d] * load(chance(i, d, w)) * limited(begins + float(d), Rounding::SCALE);
    }

    // What the numbers weighed of row i say of those of row j, the next or the one before.
    void pass(ptrdiff_t i, ptrdiff_t j, ptrdiff_t w, const Lane* weighed, Lane* said) const {
        const Lane near = Rounding::middle(line(j > i ? 2 * i + 1 : 2 * i, w));
        const Lane far = Rounding::middle(line(j > i ? 2 * j : 2 * j + 1, w));
        const Lane mine = from(i, w), next = from(j, w);
        Lane own[FEW], other[FEW], sum = {}, total = {};
        for (int a = 0; a < FEW; ++a) {
            own[a] = Rounding::own(mine + float(a)) - near;
            other[a] = Rounding::other(mine + float(a)) - far;
            sum += weighed[a];
        }
        for (int b = 0; b < FEW; ++b) {
            const Lane to_near = Rounding::other(next + float(b)), to_far = Rounding::own(next + float(b));
            Lane found = {};
            for (int a = 0; a < FEW; ++a) {
                const Lane off = larger(size(own[a] + to_near), size(other[a] + to_far));
                found += (Lane)((off <= Rounding::HALF) & (Bits<float>)weighed[a]);
            }
            said[b] = found + DOUBT * sum;
            total += said[b];
        }
        for (int b = 0; b < FEW; ++b) said[b] /= total;
    }

    // What a row at an end of the picture, which is repeated beyond, says of its own numbers.
    void end(ptrdiff_t i, ptrdiff_t l, ptrdiff_t w, Lane* said) const {
        const Lane middle = Rounding::middle(line(l, w)), begins = from(i, w);
        for (int d = 0; d < FEW; ++d) {
            const Lane off = size(Rounding::own(begins + float(d)) + Rounding::other(begins + float(d)) - middle);
            said[d] = off <= Rounding::HALF ? Lane{} + 1.0f : Lane{} + DOUBT;
        }
    }

    // Columns, each a chain of numbers: what is above says which are likely, and what is below.
    void columns() {
        Lane said[PACKS][FEW], weighed[FEW];
        for (ptrdiff_t w = 0; w < wide; w += BLOCK) {
            for (ptrdiff_t p = 0; p < PACKS; ++p) end(0, 0, w + p * LANES, said[p]);
            for (ptrdiff_t i = 0; i < n; ++i)
                for (ptrdiff_t p = 0; p < PACKS; ++p) {
                    const ptrdiff_t at = w + p * LANES;
                    for (int d = 0; d < FEW; ++d) store(&down[size_t((i * FEW + d) * wide + at)], said[p][d]);
                    if (i + 1 == n) continue;
                    weigh(i, at, said[p], weighed);
                    pass(i, i + 1, at, weighed, said[p]);
                }
            for (ptrdiff_t p = 0; p < PACKS; ++p) end(n - 1, 2 * n - 1, w + p * LANES, said[p]);
            for (ptrdiff_t i = n - 1; i >= 0; --i)
                for (ptrdiff_t p = 0; p < PACKS; ++p) {
                    const ptrdiff_t at = w + p * LANES;
                    weigh(i, at, said[p], weighed);
                    for (int d = 0; d < FEW; ++d)
                        store(chance(i, d, at), load(&down[size_t((i * FEW + d) * wide + at)]) * said[p][d]);
                    if (i > 0) pass(i, i - 1, at, weighed, said[p]);
                }
        }
    }

    // How likely the number w of a row is what a pixel, the nearer one, and the next make of it: for all pairs of
    // numbers that they may be. Returned is which number their first ones make.
    template <int MANY>
    int look(ptrdiff_t i, ptrdiff_t w, float nearer, float next, bool swapped, float* found) {
        const int begins = int(first[size_t(i * wide + w)]) * UNIT;
        const int made = 3 * int(nearer) + int(next) + Rounding::ADDED - begins;
        const int at = std::min(std::max(made, -BESIDE * UNIT), MANY * UNIT);
        float pad[BESIDE + MANY + BESIDE];
        std::fill_n(pad, BESIDE + MANY + BESIDE, DOUBT);
        for (int d = 0; d < MANY; ++d) pad[BESIDE + d] += *chance(i, d, w);
        for (int a = 0; a < NEAR; ++a)
            for (int b = 0; b < NEAR; ++b) {
                const int which = (at + (swapped ? a + 3 * b : 3 * a + b)) >> Rounding::BITS;
                found[a * NEAR + b] = pad[BESIDE + which];
            }
        return at;
    }

    static void scale(float* said) {
        const float total = said[0] + said[1] + said[2];
        for (int k = 0; k < NEAR; ++k) said[k] /= total;
    }

    // A row, a chain of pixels, by MANY of what each number of it may be. LAST: the likeliest pixels are found, else
    // what they say of the numbers of the row, of which few are left.
    template <int MANY, bool LAST>
    void row(ptrdiff_t i) {
        const float* begins = &start[size_t(i * m)];
        float pairs[PAIRS], said[NEAR], next[NEAR];
        for (ptrdiff_t j = 0; j + 1 < m; ++j) {
            float* both = &factors[size_t(j * 2 * PAIRS)];
            base[size_t(2 * j)] = look<MANY>(i, 2 * j + 1, begins[j], begins[j + 1], false, both);
            base[size_t(2 * j + 1)] = look<MANY>(i, 2 * j + 2, begins[j + 1], begins[j], true, both + PAIRS);
        }
        look<MANY>(i, width - 1, begins[m - 1], begins[m - 1], false, pairs);
        for (int k = 0; k < NEAR; ++k) said[k] = pairs[k * NEAR + k];
        for (ptrdiff_t j = m - 1; j >= 0; --j) {
            float* const mine = &right[size_t(j * NEAR)];
            for (int k = 0; k < NEAR; ++k) mine[k] = said[k] * limited(begins[j] + float(k), 1.0f);
            if (j == 0) break;
            const float* both = &factors[size_t((j - 1) * 2 * PAIRS)];
            for (int a = 0; a < NEAR; ++a) {
                said[a] = 0;
                for (int b = 0; b < NEAR; ++b) said[a] += mine[b] * (both[a * NEAR + b] * both[PAIRS + a * NEAR + b]);
            }
            scale(said);
        }
        look<MANY>(i, 0, begins[0], begins[0], false, pairs);
        for (int k = 0; k < NEAR; ++k) said[k] = pairs[k * NEAR + k];
        if (!LAST)
            for (const ptrdiff_t w : {ptrdiff_t(0), width - 1}) leave(i, w, nullptr);
        for (ptrdiff_t j = 0; j < m; ++j) {
            for (int k = 0; k < NEAR; ++k) said[k] *= limited(begins[j] + float(k), 1.0f);
            if (LAST) {
                int best = NEAR / 2;
                float most = said[best] * right[size_t(j * NEAR + best)] * CENTRE;
                for (int k = 0; k < NEAR; ++k) {
                    const float now = said[k] * right[size_t(j * NEAR + k)];
                    if (now > most) best = k, most = now;
                }
                out[i * m + j] = std::min(std::max(begins[j] + float(best), low), high);
            }
            if (j + 1 == m) break;
            if (!LAST) answer(i, j, said);
            const float* both = &factors[size_t(j * 2 * PAIRS)];
            for (int b = 0; b < NEAR; ++b) {
                next[b] = 0;
                for (int a = 0; a < NEAR; ++a) next[b] += said[a] * (both[a * NEAR + b] * both[PAIRS + a * NEAR + b]);
            }
            scale(next);
            std::copy_n(next, NEAR, said);
        }
    }

    // What two pixels say of the numbers between them.
    void answer(ptrdiff_t i, ptrdiff_t j, const float* left) {
        const float *both = &factors[size_t(j * 2 * PAIRS)], *after = &right[size_t((j + 1) * NEAR)];
        const int *at = &base[size_t(2 * j)];
        float told[2][BESIDE + WIDE + BESIDE] = {};
        for (int a = 0; a < NEAR; ++a)
            for (int b = 0; b < NEAR; ++b) {
                const float weight = left[a] * after[b];
                told[0][BESIDE + ((at[0] + 3 * a + b) >> Rounding::BITS)] += weight * both[PAIRS + a * NEAR + b];
                told[1][BESIDE + ((at[1] + a + 3 * b) >> Rounding::BITS)] += weight * both[a * NEAR + b];
            }
        leave(i, 2 * j + 1, told[0] + BESIDE);
        leave(i, 2 * j + 2, told[1] + BESIDE);
    }

    // Leave the few likeliest numbers next to each other that number w of a row may be, with what its row says of them.
    void leave(ptrdiff_t i, ptrdiff_t w, const float* told) {
        float total = 0;
        int best = (WIDE - FEW) / 2;
        for (int d = 0; d < WIDE && told; ++d) total += told[d];
        if (WIDE > FEW && total > 0) {
            float both[WIDE], most = -1;
            for (int d = 0; d < WIDE; ++d) both[d] = told[d] * *chance(i, d, w);
            for (int d = 0; d <= WIDE - FEW; ++d) {
                float sum = 0;
                for (int e = d; e < d + FEW; ++e) sum += both[e];
                if (sum > most) best = d, most = sum;
            }
        }
        for (int d = 0; d < FEW; ++d) *chance(i, d, w) = total > 0 ? told[best + d] / total + DOUBT : 1.0f;
        first[size_t(i * wide + w)] += float(best);
    }

    void run() {
        if (n == 0 || m == 0) return;
        begin();
        for (ptrdiff_t i = 0; i < n; ++i) begin_row(i), row<WIDE, false>(i);
        columns();
        for (ptrdiff_t i = 0; i < n; ++i) row<FEW, true>(i);
    }
};

template <class Rounding>
void halve_by(const Enlarged& picture, Levels& out, float low, float high) {
    Halver<Rounding> halver{};
    halver.picture = picture.data(), halver.out = out.data();
    halver.n = ptrdiff_t(out.shape(0)), halver.m = ptrdiff_t(out.shape(1));
    halver.low = low, halver.high = high;
    const nb::gil_scoped_release unlocked;
    halver.run();
}

void halve(const Enlarged& picture, int rounding, std::tuple<float, float> limits, Levels out) {
    require(picture.shape(0) == 2 * out.shape(0) && picture.shape(1) == 2 * out.shape(1),
            "the picture is not twice as large as what it was enlarged from");
    const auto [low, high] = limits;
    switch (rounding) {
        case 0: return halve_by<ByAxis>(picture, out, low, high);
        case 1: return halve_by<Once>(picture, out, low, high);
        case 2: return halve_by<Dropped>(picture, out, low, high);
        default: throw nb::value_error("a rounding is 0, 1 or 2");
    }
}

}  // namespace

void bind_halving(nb::module_& m) {
    m.def("halve", &halve, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg().noconvert());
}
