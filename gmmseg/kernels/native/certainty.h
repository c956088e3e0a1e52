// The tile of a smoothing, its voxels' likeliest classes, and how far these are ahead. Included only by sources that
// are compiled once for each instruction set.
#pragma once
#include "kernels.h"
#include "likeliest.h"
#include "pack.h"

namespace {

using gmmseg::SmoothJob;
using std::ptrdiff_t;
constexpr int L = kLanes<float>;
// Registers whose likeliest classes are found at a time. Where there are 32 of 512 bits, parameters are read once for
// two: it takes .8 of the time (scripts/benchmark_stages.py).
constexpr int kBeside = kRegisterBytes == 64 ? 2 : 1;
constexpr std::uint8_t kUnsure = 255, kAbsent = 254;  // among classes from 0
constexpr int kFlags = 32;  // of registers, looked at together
constexpr float kLog2e = 1.44269504f;
constexpr int kSteps = 511;  // in which edges are counted: all that a voxel can have together have so many
constexpr int kUnits = 210;  // in which margins are: all that a voxel's neighbours can say, but for rounding
constexpr double kNearlyCertain = 2.9444390;  // log odds of .95
constexpr float kDust = 3e-4f;  // of a unit, more than what rounding can do: six times as much

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

// By how much a voxel's likeliest class is ahead of the second, a logarithm of odds, in units of what neighbours can
// say.
struct Margins {
    float units_a_nat, units_a_bit;
    int least;        // of who is heard as certain: half of what neighbours can say makes .95 of it
    float slack;      // of margins, for edges that are rounded up by half a step each
    float most_bits;  // what is farther ahead no neighbours can make up for

    explicit Margins(const SmoothJob& job) {
        double all = 0;
        for (int o = 0; o < job.n_offsets; ++o) all += 2.0 * double(job.strengths[o]);
        const double own = all < 2 * kNearlyCertain ? kNearlyCertain - all / 2 : 0;
        units_a_nat = float(kUnits / (all + own));
        least = 1 + int(own * double(units_a_nat) + (1 - kDust));
        units_a_bit = units_a_nat / kLog2e;
        slack = float(kUnits * job.n_offsets) / float(kSteps - job.n_offsets);
        int most = least + 1;
        for (int o = 0; o < job.n_offsets; ++o) most += 2 * weight(job.strengths[o]);
        most_bits = (float(most) + slack + 0.5f) / units_a_bit;  // of which rounding decides nothing
    }
    // How many units an edge of this strength has at most.
    std::uint8_t weight(float strength) const { return std::uint8_t(strength * units_a_nat + (1 - kDust)); }

    // Whole units that a class has that is so far ahead, as a logarithm to base 2; and where rounding may decide.
    GMMSEG_INLINE Pack<float> of(Pack<float> ahead, Mask& in_doubt) const {
        const Pack<float> units = larger(smaller(ahead, fill(most_bits)) * units_a_bit - (slack + 0.5f), Pack<float>{});
        const Pack<float> whole = (units + 12582912.0f) - 12582912.0f;  // 1.5 * 2^23: rounded, after half was taken off
        const Pack<float> off = units - whole;
        in_doubt = above(off * off, fill((0.5f - kDust) * (0.5f - kDust)));
        return whole;
    }
};

struct Certainty {
    const SmoothJob& job;
    const Grid grid;
    const ptrdiff_t tile;   // voxels in arrays without a border
    float* valid;           // rows with a border; only where the caller says what is
    float* column;          // kBeside registers a class
    float* densities;       // one register a component, where classes are of several
    const Margins ahead;
    // Rows with a border, to which there are no edges: it may hold anything. They take the memory of what is needed
    // until voxels are settled: 3 of 118 MiB of a photograph of 12 megapixels.
    std::uint16_t* messages;
    std::uint8_t* likeliest;  // with a border: the class that a voxel has without its neighbours
    std::uint8_t* margins;    // the same: by how many units it is ahead of the second
    std::uint8_t* steady;     // the same: the class that it holds the first time
    std::uint8_t* common;     // of registers: the class that all voxels have, by some margin; or kUnsure
    Source* sources;        // of a mixture's features
    float* places[3];       // of features that have them: registers along x; for each row a register, of y or z

    explicit Certainty(const SmoothJob& j)
        : job(j), grid(j), tile(grid.depth * grid.height * grid.width), ahead(j) {}

    void lay_out(Arena& arena) {
        valid = arena.take<float>(job.valid ? grid.volume : 0);
        column = arena.take<float>(kBeside * job.n_classes * L);
        const ptrdiff_t components = job.mixture && job.mixture->begins ? job.mixture->n_components : 0;
        densities = arena.take<float>(components * L);
        messages = arena.take<std::uint16_t>((job.n_classes > 1 ? job.n_classes : 2) * grid.volume);
        likeliest = reinterpret_cast<std::uint8_t*>(messages);
        margins = likeliest + grid.volume + L;
        steady = margins + grid.volume + L;
        common = arena.take<std::uint8_t>(grid.flags() + kFlags);
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
                T* const row = p + z * grid.plane + y * grid.pitch;
                if (inside) __builtin_memset(row, value, sizeof(T) * L);
                else __builtin_memset(row, value, sizeof(T) * grid.pitch);
            }
        __builtin_memset(p + grid.volume - L, value, sizeof(T) * L);
    }

    // Whether a row is of the result, or at most so far from it.
    bool is_near(ptrdiff_t z, ptrdiff_t y, ptrdiff_t reach) const {
        const ptrdiff_t *const first = job.inner_first, *const size = job.inner_size;
        return z >= first[0] - reach && z < first[0] + size[0] + reach && y >= first[1] - reach &&
               y < first[1] + size[1] + reach;
    }

    // The rows of a slice that are, from the first to before the end.
    struct Rows {
        ptrdiff_t first, end;
    };
    Rows rows_near(ptrdiff_t z, ptrdiff_t reach) const {
        ptrdiff_t first = 0, end = grid.height;
        while (first < end && !is_near(z, first, reach)) ++first;
        while (first < end && !is_near(z, end - 1, reach)) --end;
        return {first, end};
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

    // What is found of the voxels of a row. Not by members, which compilers would read anew after each byte that is
    // written.
    struct Named {
        std::uint8_t *likeliest, *margins, *common;
        const Margins ahead;
        const bool all_whole;  // no lane has to be looked at: a fiftieth of smoothed labels
        Named(const Certainty& of, ptrdiff_t z, ptrdiff_t y)
            : likeliest(of.likeliest + of.grid.row(z, y)), margins(of.margins + of.grid.row(z, y)),
              common(of.common + of.grid.flag_row(z, y)), ahead(of.ahead),
              all_whole(!of.job.valid && of.grid.width % L == 0 && of.job.n_classes <= kAbsent) {}

        // Of a register of voxels that are all usable and have names.
        GMMSEG_INLINE void store_whole(ptrdiff_t p, Pack<float> best, Pack<float> margin) const {
            store_bytes(margins + p * L, margin);
            store_bytes(likeliest + p * L, best);
            const Mask alike = Mask(equal(best, fill(best[0])) & at_least(margin, fill(float(ahead.least))));
            common[p] = any(Mask(~alike)) ? kUnsure : likeliest[p * L];
        }
        // A class that has no name has no margin.
        GMMSEG_INLINE void store(ptrdiff_t p, Pack<float> best, Pack<float> margin, Mask usable) const {
            margin = best < float(kAbsent) ? margin : Pack<float>{};
            best = best < float(kAbsent) ? best : fill(float(kUnsure));
            store_whole(p, chosen(usable, best, fill(float(kAbsent))), chosen(usable, margin, fill(255.0f)));
        }
        // Of registers all of whose voxels are far nearer to one class than to any other.
        GMMSEG_INLINE void store_alone(ptrdiff_t p, int n, std::uint8_t best) const {
            __builtin_memset(likeliest + p * L, best, n * L);
            __builtin_memset(margins + p * L, 255, n * L);
            __builtin_memset(common + p, best, n);
        }
    };

    // The likeliest class of each voxel, and its margin. Returns false where a voxel lacks a feature.
    bool find_likeliest() {
        clear_border(likeliest, kAbsent);
        if (job.mixture) {
            bool known = false;
            with_features(job.mixture->n_features, [&](auto D) GMMSEG_LAMBDA {
                known = job.mixture->begins ? find_likeliest_classes<D.value>() : find_likeliest_components<D.value>();
            });
            return known;
        }
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            for (ptrdiff_t p = 0; p < grid.packs; ++p) {
                for (int k = 0; k < job.n_classes; ++k)
                    store(column + k * L, of_plane(job.prior, k, grid.outer(z, y) + p * L));
                name_by_posteriors(z, y, p);
            }
        });
        return true;
    }

    // Names the likeliest class of each lane by posteriors in `column`.
    GMMSEG_INLINE void name_by_posteriors(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) const {
        Pack<float> best = {}, first = load(column), second = {};
        for (int k = 1; k < job.n_classes; ++k) {
            const Pack<float> q = load(column + k * L);
            best = q > first ? fill(float(k)) : best;
            second = larger(smaller(q, first), second);
            first = larger(q, first);
        }
        constexpr float least = 1e-37f;  // logarithms are of normal numbers
        const Pack<float> by = log2_positive(larger(first, fill(least)) / larger(second, fill(least)));
        const Mask usable = Mask(inside(z, y, p) & above(first, Pack<float>{}));
        Mask in_doubt;
        Named(*this, z, y).store(p, best, ahead.of(by, in_doubt), usable);
    }

    // The same of the components of a mixture, from densities; by posteriors only where rounding may decide.
    template <int D>
    bool find_likeliest_components() {
        Likely likely{0, {}};
        each_row(job.sweeps, [&](ptrdiff_t z, ptrdiff_t y) {
            const Row<D> row(*this, z * grid.height + y);
            const Named named(*this, z, y);
            Likely of_row = likely;
            ptrdiff_t p = 0;
            for (; p + kBeside <= grid.packs; p += kBeside) name_likeliest<D, kBeside>(row, named, z, y, p, of_row);
            for (; p < grid.packs; ++p) name_likeliest<D, 1>(row, named, z, y, p, of_row);
            likely = of_row;
        });
        return !any(likely.farthest >= -kLowest<float>);
    }

    struct Likely {
        int component;         // of which the last registers were
        Pack<float> farthest;  // how far any voxel is off its likeliest component, as log2 densities
    };

    // Names the likeliest components of W registers.
    template <int D, int W>
    GMMSEG_INLINE void name_likeliest(const Row<D>& row, const Named& named, ptrdiff_t z, ptrdiff_t y, ptrdiff_t p,
                                      Likely& likely) {
        Pack<float> x[W][D], best[W], first[W], second[W], margin[W];
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            row.take(p + w.value, x[w.value]);
            best[w.value] = fill(float(likely.component));
            second[w.value] = fill(2 * kLowest<float>);
        });
        const std::uint8_t expected = std::uint8_t(likely.component);
        bool alone = true;
        each_near<D, W>(*job.mixture, x, named.ahead.most_bits, likely.component, first,
                        [&](int k, const Pack<float>* t, const Pack<float>* highest, auto is_first) GMMSEG_LAMBDA {
                            if (is_first.value) return;
                            alone = false;
                            unrolled<W>([&](auto w) GMMSEG_LAMBDA {
                                const Mask leads = above(t[w.value], highest[w.value]);
                                best[w.value] = chosen(leads, fill(float(k)), best[w.value]);
                                second[w.value] = larger(smaller(t[w.value], highest[w.value]), second[w.value]);
                            });
                        });
        unrolled<W>([&](auto w) GMMSEG_LAMBDA { likely.farthest = larger(-first[w.value], likely.farthest); });
        if (alone && named.all_whole) return named.store_alone(p, W, expected);
        Mask any_doubt{};
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            Mask in_doubt;
            margin[w.value] = named.ahead.of(first[w.value] - second[w.value], in_doubt);
            any_doubt |= in_doubt;
        });
        if (__builtin_expect(any(any_doubt), 0)) {
            for (int w = 0; w < W; ++w) name_by_posterior<D>(z, y, p + w);
            return;
        }
        unrolled<W>([&](auto w) GMMSEG_LAMBDA {
            if (named.all_whole) named.store_whole(p + w.value, best[w.value], margin[w.value]);
            else named.store(p + w.value, best[w.value], margin[w.value], inside(z, y, p + w.value));
        });
    }

    template <int D>
    __attribute__((noinline)) void name_by_posterior(ptrdiff_t z, ptrdiff_t y, ptrdiff_t p) const {
        Pack<float> x[D];
        Row<D>(*this, z * grid.height + y).take(p, x);
        posterior_of<D>(*job.mixture, x, densities, column);
        name_by_posteriors(z, y, p);
    }

    // The same of classes that are of several components: by how far the likeliest component of another class lies
    // behind the first, or, unless that is too far, by posteriors.
    template <int D>
    bool find_likeliest_classes() {
        const MixtureJob<float>& mixture = *job.mixture;
        const float far = ahead.most_bits + log2_positive(fill(float(mixture.most_of_a_class())))[0] + kDust;
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
                    best = highest > first ? fill(float(c)) : best;
                    second = larger(smaller(highest, first), second);
                    first = larger(highest, first);
                }
                farthest = larger(-first, farthest);
                const Pack<float> behind = first - second;
                if (any(Mask(~above(behind, fill(far))))) {
                    add_classes(mixture, densities, relative_to(mixture, first, densities), column);
                    name_by_posteriors(z, y, p);
                    continue;
                }
                Mask in_doubt;
                Named(*this, z, y).store(p, best, ahead.of(behind, in_doubt), inside(z, y, p));
            }
        });
        return !any(farthest >= -kLowest<float>);
    }
};

}  // namespace
