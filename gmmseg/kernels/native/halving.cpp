// Whole numbers that a picture was enlarged from by linear interpolation: of all that fit the likeliest ones. Every
// number is formed by the same operations in the same order as in the NumPy reference, without fused multiplications
// (see kernels.cmake), so that the two agree to the last bit.
#include "kernels.h"
#include "pack.h"

namespace {

using std::ptrdiff_t;

constexpr float DOUBT = 1e-6f;    // chance of what does not fit, as where a picture was changed
constexpr float CENTRE = 1.001f;  // of those that fit as well the one nearest to what was computed
constexpr int NEAR = 3;           // numbers that a pixel may be
constexpr ptrdiff_t LANES = kLanes<float>;
using Lane = Pack<float>;

// The next whole number below, without the call that some processors need for it.
GMMSEG_INLINE float whole(float value) {
    const float cut = float(std::int32_t(value));
    return cut > value ? cut - 1.0f : cut;
}
GMMSEG_INLINE Lane whole(Lane value) {
    const Lane cut = __builtin_convertvector(__builtin_convertvector(value, Bits<float>), Lane);
    return cut > value ? cut - 1.0f : cut;
}
GMMSEG_INLINE Lane size(Lane value) { return (Lane)((Bits<float>)value & 0x7fffffff); }

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
GMMSEG_INLINE T computed(T before, T first, T second, T after) {
    return 0.25f * ((3.0f * first - before) + (3.0f * second - after));
}

template <class Rounding>
struct Halver {
    static constexpr int WIDE = Rounding::WIDE, FEW = Rounding::FEW, PAIRS = NEAR * NEAR;
    static constexpr int BESIDE = PAIRS, UNIT = 1 << Rounding::BITS;  // pads at both sides of MANY numbers
    const float* picture;  // (2 n, 2 m)
    float* out;            // (n, m)
    ptrdiff_t n, m, width, wide;  // wide: whole registers of columns, of which the picture has `width`
    float low, high;
    float* first;              // of the numbers that one of a row (n, wide) may be
    float* chances;            // of the few by all but their own row, or by all but their own column (n, FEW, wide)
    float* down;               // of the few by what lies above (n, FEW, wide)
    float* start;              // of the numbers that a pixel may be (n, m)
    float *many, *told;        // of one row: of what its numbers may be by other rows, and by its pixels (WIDE, wide)
    float *mean, *below;       // of one row: of what each number may be, in levels; of the few by what lies below
    float *factors, *right;    // of one row: of pairs of pixels by the numbers between them; by what follows
    float* base;               // of one row: which of the numbers between two pixels their first ones make

    Halver(const gmmseg::HalvingJob& job)
        : picture(job.picture), out(job.out), n(job.n), m(job.m), width(2 * m), wide(gmmseg::halving_width(m)),
          low(job.low), high(job.high) {
        float* next = job.memory;
        const auto take = [&](ptrdiff_t number) GMMSEG_LAMBDA { return (next += number) - number; };
        first = take(n * wide), chances = take(n * FEW * wide), down = take(n * FEW * wide), start = take(n * m);
        many = take(WIDE * wide), told = take(WIDE * wide), mean = take(wide), below = take(FEW * wide);
        factors = take(m * 2 * PAIRS), right = take(m * NEAR), base = take(2 * m);
        for (ptrdiff_t w = 0; w < WIDE * wide; ++w) told[w] = 0;  // also of the ends of rows, of which nothing is told
    }

    // A row of the picture, and of what is kept of one, which is as long as whole blocks.
    Lane line(ptrdiff_t l, ptrdiff_t w) const { return load_within(picture + l * width, w, width); }
    Lane from(ptrdiff_t i, ptrdiff_t w) const { return load(first + i * wide + w); }
    float* chance(ptrdiff_t i, int d, ptrdiff_t w) const { return chances + (i * FEW + d) * wide + w; }
    float* above(ptrdiff_t i, int d, ptrdiff_t w) const { return down + (i * FEW + d) * wide + w; }

    // What numbers of a row may be, and what its pixels may be then.
    void begin_row(ptrdiff_t i) {
        for (ptrdiff_t w = 0; w < wide; w += LANES) {
            const Lane before = line(i > 0 ? 2 * i - 1 : 0, w);
            const Lane after = line(i + 1 < n ? 2 * i + 2 : 2 * i + 1, w);
            const Lane one = line(2 * i, w), two = line(2 * i + 1, w);
            const Lane found = Rounding::SCALE * computed(before, one, two, after) + (Rounding::SHIFT + 0.5f);
            const Lane begins = whole(found) - float(WIDE / 2);
            Lane sum = {}, total = {};
            for (int d = 0; d < WIDE; ++d) {
                Lane fit = limited(begins + float(d), Rounding::SCALE);
                if (i > 0) fit *= fitting(begins + float(d), before, one);
                if (i + 1 < n) fit *= fitting(begins + float(d), after, two);
                store(many + d * wide + w, fit);
                sum += fit * float(d), total += fit;
            }
            store(first + i * wide + w, begins);
            store(mean + w, (begins + sum / total) * (1 / Rounding::SCALE));
        }
        for (ptrdiff_t j = 0; j < m; ++j) {
            const float *own = mean + 2 * j, before = j ? own[-1] : own[0], after = j + 1 < m ? own[2] : own[1];
            start[i * m + j] = whole(computed(before, own[0], own[1], after) + 0.5f) - float(NEAR / 2);
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
        Lane said[FEW], weighed[FEW];
        for (ptrdiff_t i = 0; i < n; ++i)
            for (ptrdiff_t w = 0; w < wide; w += LANES) {
                if (i == 0) end(i, 0, w, said);
                else {
                    for (int d = 0; d < FEW; ++d) said[d] = load(above(i - 1, d, w));
                    weigh(i - 1, w, said, weighed);
                    pass(i - 1, i, w, weighed, said);
                }
                for (int d = 0; d < FEW; ++d) store(above(i, d, w), said[d]);
            }
        for (ptrdiff_t i = n - 1; i >= 0; --i)
            for (ptrdiff_t w = 0; w < wide; w += LANES) {
                if (i + 1 == n) end(i, 2 * n - 1, w, said);
                else for (int d = 0; d < FEW; ++d) said[d] = load(below + d * wide + w);
                weigh(i, w, said, weighed);
                for (int d = 0; d < FEW; ++d) store(chance(i, d, w), load(above(i, d, w)) * said[d]);
                if (i > 0) pass(i, i - 1, w, weighed, said);
                for (int d = 0; d < FEW; ++d) store(below + d * wide + w, said[d]);
            }
    }

    // How likely the number w of a row is what a pixel, the nearer one, and the next make of it: for all pairs of
    // numbers that they may be. Returned is which number their first ones make.
    template <int MANY>
    GMMSEG_INLINE int look(const float* likely, ptrdiff_t i, ptrdiff_t w, float nearer, float next, bool swapped,
                           float* found) const {
        const int begins = int(first[i * wide + w]) * UNIT;
        const int made = 3 * int(nearer) + int(next) + Rounding::ADDED - begins;
        const int at = made < -BESIDE * UNIT ? -BESIDE * UNIT : made > MANY * UNIT ? MANY * UNIT : made;
        float pad[BESIDE + MANY + BESIDE];
        for (float& each : pad) each = DOUBT;
        for (int d = 0; d < MANY; ++d) pad[BESIDE + d] += likely[d * wide + w];
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
        const float *begins = start + i * m, *likely = LAST ? chance(i, 0, 0) : many;
        float pairs[PAIRS], said[NEAR], next[NEAR];
        for (ptrdiff_t j = 0; j + 1 < m; ++j) {
            float* both = factors + j * 2 * PAIRS;
            base[2 * j] = float(look<MANY>(likely, i, 2 * j + 1, begins[j], begins[j + 1], false, both));
            base[2 * j + 1] = float(look<MANY>(likely, i, 2 * j + 2, begins[j + 1], begins[j], true, both + PAIRS));
        }
        look<MANY>(likely, i, width - 1, begins[m - 1], begins[m - 1], false, pairs);
        for (int k = 0; k < NEAR; ++k) said[k] = pairs[k * NEAR + k];
        for (ptrdiff_t j = m - 1; j >= 0; --j) {
            float* const mine = right + j * NEAR;
            for (int k = 0; k < NEAR; ++k) mine[k] = said[k] * limited(begins[j] + float(k), 1.0f);
            if (j == 0) break;
            const float* both = factors + (j - 1) * 2 * PAIRS;
            for (int a = 0; a < NEAR; ++a) {
                said[a] = 0;
                for (int b = 0; b < NEAR; ++b) said[a] += mine[b] * (both[a * NEAR + b] * both[PAIRS + a * NEAR + b]);
            }
            scale(said);
        }
        look<MANY>(likely, i, 0, begins[0], begins[0], false, pairs);
        for (int k = 0; k < NEAR; ++k) said[k] = pairs[k * NEAR + k];
        for (ptrdiff_t j = 0; j < m; ++j) {
            for (int k = 0; k < NEAR; ++k) said[k] *= limited(begins[j] + float(k), 1.0f);
            if (LAST) {
                int best = NEAR / 2;
                float most = said[best] * right[j * NEAR + best] * CENTRE;
                for (int k = 0; k < NEAR; ++k) {
                    const float now = said[k] * right[j * NEAR + k];
                    if (now > most) best = k, most = now;
                }
                const float found = begins[j] + float(best);
                out[i * m + j] = found < low ? low : found > high ? high : found;
            }
            if (j + 1 == m) break;
            if (!LAST) answer(j, said);
            const float* both = factors + j * 2 * PAIRS;
            for (int b = 0; b < NEAR; ++b) {
                next[b] = 0;
                for (int a = 0; a < NEAR; ++a) next[b] += said[a] * (both[a * NEAR + b] * both[PAIRS + a * NEAR + b]);
            }
            scale(next);
            for (int k = 0; k < NEAR; ++k) said[k] = next[k];
        }
    }

    // What two pixels say of the numbers between them.
    void answer(ptrdiff_t j, const float* left) {
        const float *both = factors + j * 2 * PAIRS, *after = right + (j + 1) * NEAR;
        const int at[2] = {int(base[2 * j]), int(base[2 * j + 1])};
        float made[2][BESIDE + WIDE + BESIDE] = {};
        for (int a = 0; a < NEAR; ++a)
            for (int b = 0; b < NEAR; ++b) {
                const float weight = left[a] * after[b];
                made[0][BESIDE + ((at[0] + 3 * a + b) >> Rounding::BITS)] += weight * both[PAIRS + a * NEAR + b];
                made[1][BESIDE + ((at[1] + a + 3 * b) >> Rounding::BITS)] += weight * both[a * NEAR + b];
            }
        for (int d = 0; d < WIDE; ++d) {
            told[d * wide + 2 * j + 1] = made[0][BESIDE + d];
            told[d * wide + 2 * j + 2] = made[1][BESIDE + d];
        }
    }

    // Leave the few likeliest numbers next to each other that each of a row may be, with what its pixels say of them.
    void leave(ptrdiff_t i) {
        for (ptrdiff_t w = 0; w < wide; w += LANES) {
            Lane each[WIDE], both[WIDE], total = {}, best = {}, most = {};
            for (int d = 0; d < WIDE; ++d) {
                each[d] = load(told + d * wide + w);
                both[d] = each[d] * load(many + d * wide + w);
                total += each[d];
            }
            for (int d = 0; d <= WIDE - FEW; ++d) {
                Lane sum = {};
                for (int e = d; e < d + FEW; ++e) sum += both[e];
                best = sum > most ? Lane{} + float(d) : best;
                most = larger(sum, most);
            }
            best = total > 0.0f ? best : Lane{} + float((WIDE - FEW) / 2);
            for (int d = 0; d < FEW; ++d) {
                Lane kept = each[d];
                for (int e = 1; e <= WIDE - FEW; ++e) kept = best == float(e) ? each[d + e] : kept;
                store(chance(i, d, w), total > 0.0f ? kept / total + DOUBT : Lane{} + 1.0f);
            }
            store(first + i * wide + w, from(i, w) + best);
        }
    }

    void run() {
        for (ptrdiff_t i = 0; i < n; ++i) begin_row(i), row<WIDE, false>(i), leave(i);
        columns();
        for (ptrdiff_t i = 0; i < n; ++i) row<FEW, true>(i);
    }
};

void halve(const gmmseg::HalvingJob& job) {
    switch (job.rounding) {
        case 0: return Halver<ByAxis>(job).run();
        case 1: return Halver<Once>(job).run();
        default: return Halver<Dropped>(job).run();
    }
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Halving halving_kernel = halve;
}
}  // namespace gmmseg
