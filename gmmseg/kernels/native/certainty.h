// The tile of a smoothing, and of which class each of its voxels is sure. Included only by sources that are compiled
// once for each instruction set.
#pragma once
#include "kernels.h"
#include "likeliest.h"
#include "pack.h"

namespace {

using gmmseg::SmoothJob;
using std::ptrdiff_t;
constexpr int L = kLanes<float>;
// Registers of which it is told who is sure at a time. Where there are 32 of 512 bits, parameters are read once for
// two: it is told in .8 of the time (scripts/benchmark_stages.py).
constexpr int kBeside = kRegisterBytes == 64 ? 2 : 1;
constexpr std::uint8_t kUnsure = 255, kAbsent = 254;  // among classes from 0
constexpr float kLog2e = 1.44269504f;
constexpr float kSlack = 0.05f;    // nats, for what rounding can do
constexpr float kNearOne = 0.95f;  // near enough to be heard as 1
constexpr float kDust = 1e-6f;     // of a sum of probabilities, more than what rounding can do

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

// Where a feature of a mixture starts, and how far from one row and from one register to the next.
struct Source {
    const float* from;
    ptrdiff_t row, pack;
};

struct Certainty {
    const SmoothJob& job;
    const Grid grid;
    const ptrdiff_t tile;   // voxels in arrays without a border
    float* valid;           // rows with a border; only where the caller says what is
    float* column;          // kBeside registers a class
    float* densities;       // one register a component, where classes are of several
    std::uint8_t* sure;     // with a border: the class of which a voxel is sure
    Source* sources;        // of a mixture's features
    float* places[3];       // of features that have them: registers along x; for each row a register, of y or z

    explicit Certainty(const SmoothJob& j) : job(j), grid(j), tile(grid.depth * grid.height * grid.width) {}

    void lay_out(Arena& arena) {
        valid = arena.take<float>(job.valid ? grid.volume : 0);
        column = arena.take<float>(kBeside * job.n_classes * L);
        const ptrdiff_t components = job.mixture && job.mixture->begins ? job.mixture->n_components : 0;
        densities = arena.take<float>(components * L);
        sure = arena.take<std::uint8_t>(grid.volume + L);
        sources = arena.take<Source>(job.mixture ? job.mixture->n_features : 0);
        for (int a = 0; a < job.n_places; ++a)
            places[a] = arena.take<float>((a == 0 ? grid.packs : grid.depth * grid.height) * L);
    }

    void begin() {
        const int planes = job.mixture ? job.mixture->n_features - job.n_places : 0;
        for (int i = 0; i < planes; ++i) sources[i] = {job.mixture->samples + i * tile, grid.width, L};
        for (int a = 0; a < job.n_places; ++a) sources[planes + a] = place(a);
    }

    Source place(int axis) const {
        float* const to = places[axis];
        const float* const from = job.places[axis];
        if (axis == 0) {
            for (ptrdiff_t x = 0; x < grid.packs * L; ++x) to[x] = from[x < grid.width ? x : grid.width - 1];
            return {to, 0, L};
        }
        for (ptrdiff_t z = 0; z < grid.depth; ++z)
            for (ptrdiff_t y = 0; y < grid.height; ++y)
                store(to + (z * grid.height + y) * L, fill(from[axis == 1 ? y : z]));
        return {to, L, 0};
    }

    template <class T>
    void clear_border(T* p, int value = 0) const {
        for (ptrdiff_t z = 0; z < grid.depth + 2 * grid.border; ++z)
            for (ptrdiff_t y = 0; y < grid.height + 2; ++y) {
                const bool inside = z >= grid.border && z < grid.depth + grid.border && y > 0 && y <= grid.height;
                __builtin_memset(p + z * grid.plane + y * grid.pitch, value, sizeof(T) * (inside ? L : grid.pitch));
            }
        __builtin_memset(p + grid.volume - L, value, sizeof(T) * L);
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

    // The lanes of a register that hold voxels with data.
    Mask inside(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) const {
        if (job.valid) return above(load(valid + grid.row(z, y) + p * L), Pack<float>{});
        return above(fill(float(grid.width - p * L)), ramp());
    }

    // How sure a voxel and all its neighbours have to be of one class, so that none of them can be talked out of it: as
    // much as those next to it but not to the others can say together. For then each of them keeps at least half of its
    // probability for the class, and, as this goes for all, those within never speak against it.
    float least_sure() const {
        if (job.sweeps == 1) return 2;  // nobody: neighbours of neighbours may not be known
        float most = 0;
        for (int i = 0; i < 2 * job.n_offsets; ++i) {
            float outside = 0;
            for (int j = 0; j < 2 * job.n_offsets; ++j) outside += is_around(i, j) ? 0 : job.strengths[j / 2];
            most = outside > most ? outside : most;
        }
        const float least = 1 / (1 + exp2_negative(fill(-kLog2e * (most + kSlack)))[0]);
        return least > kNearOne ? least : kNearOne;
    }

    // Whether the j-th neighbour of a voxel's i-th neighbour is that voxel or next to it.
    bool is_around(int i, int j) const {
        std::int64_t at[3];
        for (int a = 0; a < 3; ++a)
            at[a] = job.offsets[i / 2 * 3 + a] * (i % 2 ? -1 : 1) + job.offsets[j / 2 * 3 + a] * (j % 2 ? -1 : 1);
        bool found = !at[0] && !at[1] && !at[2];
        for (int o = 0; o < job.n_offsets; ++o) {
            const std::int64_t* const b = job.offsets + 3 * o;
            found |= at[0] == b[0] && at[1] == b[1] && at[2] == b[2];
            found |= at[0] == -b[0] && at[1] == -b[1] && at[2] == -b[2];
        }
        return found;
    }

    // Numbers of one plane of the tile, from a voxel on.
    GMMSEG_INLINE Pack<float> of_plane(const float* planes, int number, ptrdiff_t from) const {
        const float* const plane = planes + number * tile;
        return from + L <= tile ? load(plane + from) : load_within(plane, from, tile);
    }

    // Where the features of a row are.
    template <int D>
    struct Row {
        const float* from[D];
        ptrdiff_t pack[D], left;
        int n_planes;
        GMMSEG_INLINE Row(const Certainty& of, ptrdiff_t row) {
            unrolled<D>([&](auto i) GMMSEG_LAMBDA {
                const Source& it = of.sources[i.value];
                from[i.value] = it.from + row * it.row;
                pack[i.value] = it.pack;
            });
            left = of.tile - row * of.grid.width;  // voxels from here on
            n_planes = D - of.job.n_places;
        }
        // The features of a register.
        GMMSEG_INLINE void take(ptrdiff_t p, Pack<float>* x) const {
            unrolled<D>([&](auto i) GMMSEG_LAMBDA {
                const float* const at = from[i.value] + p * pack[i.value];
                if (__builtin_expect(p * L + L <= left, 1) || i.value >= n_planes) x[i.value] = load(at);
                else x[i.value] = load_within(at, 0, left - p * L);
            });
        }
    };

    // Of which class each voxel is sure. Returns false where a voxel lacks a feature.
    bool find_sure() {
        clear_border(sure, kAbsent);
        if (job.mixture) {
            bool known = false;
            with_features(job.mixture->n_features, [&](auto D) GMMSEG_LAMBDA {
                known = job.mixture->begins ? find_sure_by_classes<D.value>() : find_sure_by_mixture<D.value>();
            });
            return known;
        }
        const Pack<float> least = fill(least_sure());
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                const ptrdiff_t from = grid.outer(z, y) + p * L;
                Pack<float> highest = {}, best = fill(float(kUnsure));
                for (int k = 0; k < job.n_classes; ++k) {
                    const Pack<float> q = of_plane(job.prior, k, from);
                    best = q >= least ? fill(float(k)) : best;
                    highest = larger(q, highest);
                }
                store_sure(z, y, p, best, Mask(inside(z, y, p) & above(highest, Pack<float>{})));
            }
        });
        return true;
    }

    GMMSEG_INLINE void store_sure(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p, Pack<float> best, Mask usable) {
        best = best < float(kAbsent) ? best : fill(float(kUnsure));
        store_bytes(sure + grid.row(z, y) + p * L, chosen(usable, best, fill(float(kAbsent))));
    }

    // By which it is told who is sure without probabilities.
    struct Limits {
        float least, left;  // see `least_sure` and `left_of`
        float unseen;       // at most so much do classes say that are not looked at
        // How far behind the likeliest a class is not looked at, does not matter if it is the second of two or of more,
        // matters; as logarithms to base 2.
        float far_bits, two_bits, more_bits, unsure_bits;
        Limits(float least, int n_classes) : least(least), left(left_of(least)) {
            unseen = (left > 2 * kDust ? left : 1.0f / (1 << 22)) / 64;
            far_bits = least > 1 ? -kLowest<float> : bits_behind(unseen / n_classes);
            two_bits = bits_behind(left - unseen - 2 * kDust);
            more_bits = bits_behind((left - unseen - 2 * kDust) / n_classes);
            unsure_bits = bits_behind(left + 2 * kDust);
        }
    };

    // The same without probabilities: by how far the second class lies behind the first, or, where that does not tell,
    // by what classes that are not far behind say together, unless what the others could add to it would decide.
    template <int D>
    bool find_sure_by_mixture() {
        const Limits limits(least_sure(), job.n_classes);
        Likely likely{0, {}};
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            const Row<D> row(*this, z * grid.height + y);
            Likely of_row = likely;
            ptrdiff_t p = 0;
            for (; p + kBeside <= grid.packs; p += kBeside) name_sure<D, kBeside>(row, z, y, p, limits, of_row);
            for (; p < grid.packs; ++p) name_sure<D, 1>(row, z, y, p, limits, of_row);
            likely = of_row;
        });
        return !any(likely.farthest >= -kLowest<float>);
    }

    struct Likely {
        int component;         // of which the last registers were
        Pack<float> farthest;  // how far any voxel is off its likeliest component, as log2 densities
    };

    // Names the classes of which the voxels of W registers are sure.
    template <int D, int W>
    GMMSEG_INLINE void name_sure(const Row<D>& row, ptrdiff_t z, ptrdiff_t y, ptrdiff_t p, const Limits& limits,
                                 Likely& likely) {
        float* const found = column;
        const int n_classes = job.n_classes;
        Pack<float> x[W][D], best[W], first[W], second[W];
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            row.take(p + w.value, x[w.value]);
            best[w.value] = fill(float(likely.component));
            second[w.value] = fill(2 * kLowest<float>);
        });
        int n = 0;
        each_near<D, W>(*job.mixture, x, limits.far_bits, likely.component, first,
                        [&](int k, const Pack<float>* t, const Pack<float>* highest, auto is_first) GMMSEG_LAMBDA {
                            unrolled<W>([&](auto w) GMMSEG_LAMBDA {
                                store(found + (w.value * n_classes + n) * L, t[w.value]);
                                if (is_first.value) return;
                                const Mask leads = above(t[w.value], highest[w.value]);
                                best[w.value] = chosen(leads, fill(float(k)), best[w.value]);
                                second[w.value] =
                                    larger(chosen(leads, highest[w.value], t[w.value]), second[w.value]);
                            });
                            ++n;
                        });
        // No lane has to be looked at then: a fiftieth of smoothed labels.
        const bool all_whole = !job.valid && grid.width % L == 0 && n_classes <= kAbsent;
        std::uint8_t* const to = sure + grid.row(z, y) + p * L;
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            likely.farthest = larger(-first[w.value], likely.farthest);
            const Pack<float> behind = first[w.value] - second[w.value];
            Mask is_sure = above(behind, fill(n > 2 ? limits.more_bits : limits.two_bits));
            if (any(Mask(~(is_sure | above(fill(limits.unsure_bits), behind)))))
                is_sure = sure_by_all<D>(z * grid.height + y, p + w.value, found + w.value * n_classes * L, n,
                                         first[w.value], limits);
            const Pack<float> named = chosen(is_sure, best[w.value], fill(float(kUnsure)));
            if (all_whole) store_bytes(to + w.value * L, named);
            else store_sure(z, y, p + w.value, named, inside(z, y, p + w.value));
        });
    }

    // The same of classes that are of several components: by how far the likeliest component of another class lies
    // behind the first, or by the posterior.
    template <int D>
    bool find_sure_by_classes() {
        const MixtureJob<float>& mixture = *job.mixture;
        const float least = least_sure(), left = left_of(least);
        const float sure_of = bits_behind((left - 2 * kDust) / mixture.n_components);
        const float unsure = bits_behind((left + 2 * kDust) * mixture.most_of_a_class());
        Pack<float> farthest = {};
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            const Row<D> row(*this, z * grid.height + y);
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                Pack<float> x[D], best = {}, first = fill(2 * kLowest<float>), second = fill(kLowest<float>);
                row.take(p, x);
                for (int c = 0, k = 0; c < mixture.n_classes; ++c) {
                    Pack<float> highest = fill(2 * kLowest<float>);
                    for (; k < mixture.begins[c + 1]; ++k)
                        highest = larger(density_of<D>(mixture, x, k, densities), highest);
                    const Bits<float> leads = highest > first;
                    best = leads ? fill(float(c)) : best;
                    second = larger(leads ? first : highest, second);
                    first = larger(highest, first);
                }
                farthest = larger(-first, farthest);
                const Pack<float> behind = first - second;
                Mask is_sure = above(behind, fill(sure_of));
                if (any(Mask(~(is_sure | above(fill(unsure), behind))))) {
                    add_classes(mixture, densities, relative_to(mixture, first, densities), column);
                    is_sure = Mask{};
                    for (int c = 0; c < mixture.n_classes; ++c) {
                        const Mask holds = at_least(load(column + c * L), fill(least));
                        best = chosen(holds, fill(float(c)), best);
                        is_sure |= holds;
                    }
                }
                store_sure(z, y, p, chosen(is_sure, best, fill(float(kUnsure))), inside(z, y, p));
            }
        });
        return !any(farthest >= -kLowest<float>);
    }

    // What is left for all other classes together, as parts of one that is so sure.
    static float left_of(float least) { return least < 1 ? 1 / least - 1 : 0; }

    // How far behind, as a logarithm to base 2, a class lies that has this part of another.
    static float bits_behind(float part) { return part > 0 ? -log2_positive(fill(part))[0] : -kLowest<float>; }

    // Which lanes of a register are sure, by the sum of `n` densities and, near the limit, by the posterior.
    template <int D>
    __attribute__((noinline)) Mask sure_by_all(ptrdiff_t row, ptrdiff_t p, float* found, int n, Pack<float> first,
                                               const Limits& limits) {
        Pack<float> others = {};
        for (int c = 0; c < n; ++c) others += exp2_negative(load(found + c * L) - first);
        others -= 1.0f;  // its own part
        const Pack<float> left = fill(limits.left);
        Mask is_sure = above(left, others + limits.unseen + kDust);
        if (any(Mask(~is_sure & above(left, others - kDust)))) {
            Pack<float> x[D];
            Row<D>(*this, row).take(p, x);
            posterior_of<D>(*job.mixture, x, densities, found);
            is_sure = Mask{};
            for (int k = 0; k < job.n_classes; ++k) is_sure |= at_least(load(found + k * L), fill(limits.least));
        }
        return is_sure;
    }
};

}  // namespace
